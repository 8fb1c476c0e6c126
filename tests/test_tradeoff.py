import math

import numpy as np
import pytest

from llmkit import payoff
from llmkit.curves import Pair
from llmkit.errors import UsageError
from llmkit.payoff import oracle
from llmkit.tradeoff import Tradeoff
from tests.test_curves import FOUR

SCORE = np.array([2.0, 4, 3, 1])


def line(pair, score, *, kind="route", moved=0.0, fee=0.0, clusters=None, **more):
    made = payoff.cascade if kind == "cascade" else payoff.route
    fees = np.full(pair.n, float(fee))
    best = oracle(pair.weak_quality, pair.strong_quality, pair.weak_cost, pair.strong_cost)
    own = made(pair, moved, fee=fees)
    return Tradeoff("mine", "weak", "strong", "length", kind, pair, score, fees, own, best, clusters, **more)


def known(n=600, seed=0, *, blind=False):
    """Items whose score tells where the strong model is the better one; or tells nothing."""
    random = np.random.default_rng(seed)
    hard = random.random(n)
    weak, strong = random.random(n) < 0.9 - 0.8 * hard, random.random(n) < 0.9
    cost = random.lognormal(0, 0.4, n) / 1000
    return Pair(weak, strong, cost, 3 * cost), random.random(n) if blind else hard


def test_the_figures_of_the_case_that_can_be_checked_by_hand():
    found = line(FOUR, SCORE, moved=[0, 1, 0, 0])
    assert found.line.cost.tolist() == [1, 1.25, 2.5, 2.75, 3]
    assert found.line.quality.tolist() == [0.5, 0.75, 1, 1, 0.75]
    assert (found.apgr(), found.apgr(by="calls")) == pytest.approx((1.4375, 1.375))
    assert (found.cpt(0.5), found.cpt(0.5, by="calls")) == pytest.approx((0.0625, 0.125))
    assert [each.tolist() for each in found.hull] == [[1, 1.25, 2.5], [0.5, 0.75, 1]]
    assert (found.aiq, found.limits) == (pytest.approx(0.875), (1, 3))
    assert found.as_set.figures.gain == pytest.approx(0.21875)
    assert found.as_set.figures.saving == pytest.approx(1 - 1.25 / 3)
    assert found.best_threshold == 3
    assert found.table.loc["oracle", "quality"] == 1


def test_a_perfect_check_of_the_same_case_has_its_terms():
    found = line(FOUR, 1 - FOUR.weak_quality, kind="cascade", moved=1 - FOUR.weak_quality)
    assert found.terms.break_even == pytest.approx(0.5)
    assert found.as_set.figures.gain == pytest.approx(0.25)
    assert math.isnan(found.apgr())
    assert "It costs as much as strong alone from 50% moved up on." in found.sentence


def test_a_fee_is_paid_on_every_item_and_leaves_no_interval_of_apgr():
    free, dear = line(FOUR, SCORE), line(FOUR, SCORE, fee=0.5)
    assert (dear.line.cost - free.line.cost).tolist() == [0.5] * 5
    assert math.isnan(dear.apgr_interval().low)


def test_a_score_that_knows_has_a_small_p_and_gains_on_other_folds_too():
    found = line(*known())
    assert found.p < 0.01
    assert found.hull_gain > 2 * found.luck
    assert 0 < found.held_out.figures.gain <= found.best.figures.gain
    assert found.held_out.gain.low > 0
    assert math.isnan(found.best.p)


def test_the_best_threshold_of_a_blind_score_flatters_here_and_not_on_other_folds():
    lines = [line(*known(150, seed, blind=True)) for seed in range(40)]
    here, away = (
        np.array([getattr(each, name).figures.gain for each in lines]) for name in ("best", "held_out")
    )
    assert (here >= away - 1e-12).mean() > 0.9
    assert here.mean() > 0.01
    assert abs(away.mean()) < 0.01
    assert np.mean([each.held_out.p < 0.05 for each in lines]) <= 0.15


def test_a_rule_of_ones_own_may_choose_and_clusters_stay_together():
    pair, score = known(100)
    found = line(pair, score, clusters=[k // 20 for k in range(100)])
    assert found.choose(lambda *_: math.inf).figures.moved == 0
    assert found.choose(lambda part, _: 0.0 if part.n == 80 else math.inf).figures.moved == 1
    assert math.isnan(found.p)
    assert "no p, as items come in clusters" in found.sentence
    with pytest.raises(UsageError, match="5 items or clusters make no 6 folds"):
        found.choose(folds=6)


def test_the_band_of_scores_that_know_nothing_lies_around_the_coin():
    pair, score = known()
    found = line(pair, score)
    costs = np.linspace(*found.limits, 5)[1:-1]
    low, high = found.band(costs)
    coin = [found.chord.quality_at(cost) for cost in costs]
    assert (low < coin).all()
    assert (high > coin).all()


def test_too_few_for_folds_is_said_and_so_is_doubt_about_the_threshold():
    found = line(FOUR, SCORE, doubt="Its threshold may flatter.")
    assert "too few for other folds" in found.sentence
    assert "Its threshold may flatter." in found.sentence
    assert "chosen on other folds" not in found.table.index


def test_no_trade_off_is_all_that_is_said():
    pair = Pair(FOUR.strong_quality, FOUR.weak_quality, FOUR.weak_cost, FOUR.strong_cost)
    assert line(pair, SCORE).sentence.startswith(
        "mine: no trade-off between weak and strong: the dearer model"
    )
    assert math.isnan(line(pair, SCORE).p)


def test_a_curve_is_shown_with_its_table_and_marked_if_simulated():
    found = line(*known(), simulated=True)
    assert repr(found).startswith("SIMULATED")
    assert "best here (optimistic)" in repr(found)
    assert found._repr_html_().count("SIMULATED") == 2
