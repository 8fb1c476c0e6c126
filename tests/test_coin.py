import math

import numpy as np
import pytest

from llmkit import payoff
from llmkit.coin import Toss, judged
from llmkit.curves import Pair


def pair(n, seed=0):
    random = np.random.default_rng(seed)
    hard = random.random(n) < 0.3
    weak = random.random(n) < np.where(hard, 0.2, 0.8)
    strong = random.random(n) < np.where(hard, 0.9, 0.8)
    return hard, Pair(weak, strong, np.full(n, 0.001), np.full(n, 0.004))


def toss(both, outcome, label="careful", clusters=None):
    return Toss(label, "sonnet", "opus", both, outcome, clusters)


def test_a_route_that_knows_the_hard_items_pays_and_says_what_it_saves():
    hard, both = pair(800)
    found = judged([toss(both, payoff.route(both, hard))])["careful"]
    assert found.pays
    assert found.gain.low > 0
    assert found.p < 0.01
    assert found.figures.saving > 0.2
    assert found.sentence.startswith("careful pays: it beats a coin that spends as much by +")
    assert "cheaper than it at equal quality" in found.sentence
    assert "800 items" in found.sentence


def test_a_random_route_does_not_beat_a_coin():
    _, both = pair(800)
    blind = np.random.default_rng(5).random(800) < 0.3
    found = judged([toss(both, payoff.route(both, blind))])["careful"]
    assert not found.pays
    assert "does not beat a coin" in found.sentence


def test_a_cascade_that_knows_nothing_loses_to_the_coin():
    _, both = pair(800)
    near = Pair(both.weak_quality, both.strong_quality, both.weak_cost * 3, both.strong_cost)
    blind = np.random.default_rng(5).random(800) < 0.3
    found = judged([toss(near, payoff.cascade(near, blind))])["careful"]
    assert not found.pays
    assert found.gain.high < 0
    assert "loses to it" in found.sentence


def test_no_trade_off_is_said_and_never_pays():
    _, both = pair(200)
    free = Pair(both.weak_quality, both.strong_quality, both.strong_cost, both.weak_cost)
    found = judged([toss(free, payoff.route(free, np.arange(200) < 60))])["careful"]
    assert not found.pays
    assert math.isnan(found.figures.gain)
    assert found.sentence.startswith("careful: no trade-off between sonnet and opus: the better model is no")


def test_judged_among_many_a_p_grows_as_holm_has_it():
    hard, both = pair(800)
    good = toss(both, payoff.route(both, hard))
    blind = [
        toss(both, payoff.route(both, np.random.default_rng(k).random(800) < 0.3), f"blind {k}")
        for k in range(9)
    ]
    alone, among = judged([good])["careful"], judged([good, *blind])["careful"]
    assert among.p == pytest.approx(10 * alone.p)


def test_clusters_widen_the_interval_and_leave_a_p():
    hard, both = pair(800)
    outcome = payoff.route(both, hard)
    order = np.argsort(both.gain, kind="stable")
    clusters = np.empty(800, dtype=int)
    clusters[order] = np.arange(800) // 40
    found = judged([toss(both, outcome, clusters=clusters.tolist())])["careful"]
    single = judged([toss(both, outcome)])["careful"]
    assert found.p < 0.01
    assert found.gain.high - found.gain.low > single.gain.high - single.gain.low


def test_under_ten_clusters_have_no_p_and_say_so():
    hard, both = pair(800)
    few = judged([toss(both, payoff.route(both, hard), clusters=(np.arange(800) % 9).tolist())])["careful"]
    assert math.isnan(few.p)
    assert "too few for a p" in few.sentence
    assert few.pays


def test_what_does_more_than_move_items_up_has_a_p_by_turned_signs():
    hard, both = pair(800)
    moved = payoff.route(both, hard)
    vote = payoff.Outcome(moved.quality, moved.cost * 1.01, moved.moved, "other")
    assert judged([toss(both, vote)])["careful"].p < 0.01


def test_a_gap_that_may_be_none_is_said():
    _, both = pair(60)
    near = Pair(both.weak_quality, both.weak_quality.copy(), both.weak_cost, both.strong_cost)
    near.strong_quality[:2] = 1 - near.strong_quality[:2]
    near.strong_quality[np.flatnonzero(near.weak_quality == 0)[:3]] = 1
    found = judged([toss(near, payoff.route(near, np.arange(60) % 2 == 0))])["careful"]
    assert "There may be no gap to recover: opus is better than sonnet by" in found.sentence


def test_verdicts_are_shown_as_sentences_and_a_table_and_marked_if_simulated():
    hard, both = pair(300)
    found = judged([toss(both, payoff.route(both, hard), "<b>")], simulated=True)
    assert found.table.loc["<b>", "gain"] == found["<b>"].figures.gain
    assert found.table.loc["<b>", "n"] == 300
    assert repr(found).startswith("SIMULATED")
    assert found["<b>"].sentence in repr(found)
    assert "<b>" not in found._repr_html_()
    assert len(judged([])) == len(judged([]).table) == 0
