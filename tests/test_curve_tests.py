import math
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kstest, norm

from llmkit.curve_tests import (
    apgr_interval,
    curve_p,
    flipped_p,
    gain_error,
    gain_interval,
    gain_intervals,
    held_out,
    items_needed,
    lift_interval,
    null_band,
    part,
    permutation_p,
    resampled,
)
from llmkit.curves import Pair, apgr, cascade_curve, hull_gain, route_curve
from llmkit.errors import UsageError
from llmkit.payoff import Outcome, cascade, judge, route
from tests.test_curves import FOUR

NO_CHOICE = Pair([1, 1, 0], [1, 0, 0], [1, 1, 1], [2, 2, 2])


def made(n, seed, *, spread=0.5):
    """A pair without any pattern: the weak model right half the time, the strong one 7 times in 10."""
    random = np.random.default_rng(seed)
    weak, strong = (random.random(n) < share for share in (0.5, 0.7))
    return Pair(weak, strong, random.lognormal(0, spread, n), 1 + random.lognormal(0.5, spread, n))


def test_the_interval_of_a_policy_that_knows_nothing_covers_nothing_as_often_as_it_says():
    inside, trials = 0, 600
    for seed in range(trials):
        pair = made(200, seed)
        found = gain_interval(
            pair, route(pair, np.random.default_rng(seed + 9999).random(200) < 0.4), draws=400, seed=seed
        )
        inside += found.low <= 0 <= found.high
    assert 0.93 <= inside / trials <= 0.97


def test_the_interval_is_as_wide_as_the_planned_error_says():
    pair = made(2000, 1, spread=0.0)
    found = gain_interval(pair, route(pair, np.random.default_rng(2).random(2000) < 0.3))
    d = float((pair.gain**2).mean())
    planned = 2 * 1.96 * gain_error(2000, spent=0.3, disagreement=d)
    assert found.high - found.low == pytest.approx(planned, rel=0.1)


def test_p_of_decisions_and_of_scores_that_know_nothing_is_uniform():
    policies, curves = [], []
    for seed in range(200):
        pair, random = made(150, seed), np.random.default_rng(seed + 5000)
        up = random.random(150) < 0.4
        policies.append(permutation_p(pair, [route(pair, up)], permutations=199, seed=seed)[0][0])
        curves.append(curve_p(route_curve(random.random(150), pair), pair, permutations=199, seed=seed)[0])
    assert kstest(policies, "uniform").pvalue > 0.01
    assert kstest(curves, "uniform").pvalue > 0.01


def test_a_free_routes_two_p_are_one_and_its_best_decisions_have_the_least():
    pair = made(300, 4)
    knowing, blind = pair.gain > 0, np.random.default_rng(0).random(300) < 0.3
    found = permutation_p(pair, [route(pair, knowing), route(pair, blind)], permutations=499)
    assert found[0] == (1 / 500, 1 / 500)
    assert found[1][0] == found[1][1] > 0.05


def test_a_cascade_may_know_something_and_lose_to_a_coin_all_the_same():
    pair = made(6000, 5, spread=0.0)
    up = np.random.default_rng(0).random(6000) < np.where(pair.weak_quality == 0, 0.3, 0.22)
    outcome = cascade(pair, up)
    knows, pays = permutation_p(pair, [outcome], permutations=499)[0]
    assert knows == 1 / 500
    assert judge(pair, outcome).gain < 0
    assert pays > 0.5


def test_p_counts_every_dealing_of_four_items():
    # One of four items moved: dealt to items 1 to 4 the gain over a coin is -.0313, .2188, .0938, -.2813.
    up = [0, 1, 0, 0]
    knows, _ = permutation_p(FOUR, [route(FOUR, up)], permutations=3999)[0]
    assert knows == pytest.approx(0.25, abs=0.03)
    knows, _ = permutation_p(FOUR, [route(FOUR, [0, 0, 1, 0])], permutations=3999)[0]
    assert knows == pytest.approx(0.5, abs=0.03)


def test_p_of_a_cascade_counts_every_dealing_at_its_own_dollars():
    pair = Pair([1, 0, 0, 1, 0], [1, 1, 1, 0, 1], [1, 2, 1, 1, 1], [2, 2, 6, 2, 4])
    for up in ([0, 1, 0, 0, 0], [0, 0, 1, 0, 1], [1, 1, 0, 0, 1]):
        chances = [judge(pair, cascade(pair, dealt)).gain for dealt in permutations(up)]
        least = judge(pair, cascade(pair, up)).gain - 1e-9
        knows, _ = permutation_p(pair, [cascade(pair, up)], permutations=3999)[0]
        assert knows == pytest.approx(np.mean(np.array(chances) >= least), abs=0.03)


def test_policies_judged_together_are_judged_as_alone():
    pair = made(120, 6)
    policies = [route(pair, 0.3), cascade(pair, pair.weak_quality == 0, fee=0.1), route(pair, pair.gain > 0)]
    together = gain_intervals(pair, policies, draws=300, seed=2)
    assert together == [gain_interval(pair, policy, draws=300, seed=2) for policy in policies]
    dealt = permutation_p(pair, policies, permutations=99, seed=2)
    assert dealt == [permutation_p(pair, [policy], permutations=99, seed=2)[0] for policy in policies]
    for found, policy in zip(together, policies, strict=True):
        assert found.estimate == pytest.approx(judge(pair, policy).gain)


def test_where_there_is_no_choice_or_no_decision_there_is_no_figure():
    outcome = route(NO_CHOICE, 0.5)
    found = gain_interval(NO_CHOICE, outcome, draws=50)
    assert all(map(math.isnan, (found.estimate, found.low, found.high)))
    assert all(map(math.isnan, permutation_p(NO_CHOICE, [outcome], permutations=9)[0]))
    assert all(map(math.isnan, curve_p(route_curve([1, 2, 3], NO_CHOICE), NO_CHOICE)))
    other = Outcome(FOUR.strong_quality, FOUR.strong_cost, np.ones(4))
    assert all(map(math.isnan, permutation_p(FOUR, [other], permutations=9)[0]))


def test_items_of_one_cluster_are_drawn_together():
    labels = ["a", "a", "b", "c", "c", "c"]
    for weights in resampled(6, 50, clusters=labels):
        assert (weights[:, 0] == weights[:, 1]).all()
        assert (weights[:, 3] == weights[:, 5]).all()
        assert weights.sum(axis=1) == pytest.approx(np.ones(50))


def test_items_repeated_in_clusters_are_no_more_information():
    pair = made(60, 7)
    five = Pair(*(np.repeat(getattr(pair, name), 5) for name in Pair.__slots__))
    up = np.random.default_rng(0).random(60) < 0.4
    once = gain_interval(pair, route(pair, up))
    clustered = gain_interval(
        five, route(five, np.repeat(up, 5)), clusters=np.repeat(np.arange(60), 5).tolist()
    )
    assert (clustered.low, clustered.high) == pytest.approx((once.low, once.high))
    naive = gain_interval(five, route(five, np.repeat(up, 5)))
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


@pytest.mark.parametrize(
    ("labels", "words"), [(["a"] * 4, "in one cluster"), (["a", "b"], "2 labels for 4 items")]
)
def test_clusters_that_cannot_be_drawn_are_refused(labels, words):
    with pytest.raises(UsageError, match=words):
        gain_interval(FOUR, route(FOUR, 0.5), clusters=labels)


@pytest.mark.parametrize("kind", ["route", "cascade"])
def test_the_hulls_of_permuted_curves_are_those_of_permuted_scores(kind):
    pair, score = made(40, 8), np.arange(40) // 3
    # A small gap, so that many curves rise above the strong model before they end at it.
    pair = Pair(pair.weak_quality, np.roll(pair.weak_quality, 1) + 0.02, pair.weak_cost, pair.strong_cost)
    drawn = {"route": route_curve, "cascade": cascade_curve}[kind]
    _, mean = curve_p(drawn(score, pair), pair, kind=kind, permutations=600, seed=1)
    random = np.random.default_rng(2)
    dealt = [hull_gain(drawn(random.permutation(score), pair), pair.chord) for _ in range(600)]
    assert mean == pytest.approx(np.mean(dealt), rel=0.1)


def test_a_curve_that_knows_is_told_from_one_that_does_not():
    pair = made(300, 9)
    noisy = pair.gain + 2 * np.random.default_rng(0).standard_normal(300)
    assert curve_p(route_curve(noisy, pair), pair, permutations=199)[0] == 1 / 200
    assert (
        curve_p(cascade_curve(-pair.weak_quality, pair), pair, kind="cascade", permutations=199)[0] == 1 / 200
    )


def test_the_band_of_a_score_that_knows_nothing_is_about_the_coin():
    pair = made(200, 11)
    line, costs = (
        route_curve(np.random.default_rng(1).random(200), pair),
        np.linspace(pair.weak_cost.mean(), pair.strong_cost.mean(), 9),
    )
    low, high = null_band(line, pair, at=costs)
    coin = np.array([pair.chord.quality_at(cost) for cost in costs])
    assert (low[1:-1] < coin[1:-1]).all()
    assert (high[1:-1] > coin[1:-1]).all()
    assert [low[0], high[0], low[-1], high[-1]] == pytest.approx([coin[0], coin[0], coin[-1], coin[-1]])
    middle = 2 * 1.96 * gain_error(200, spent=0.5, disagreement=float((pair.gain**2).mean()))
    assert high[4] - low[4] == pytest.approx(middle, rel=0.2)
    assert np.isnan(null_band(line, pair, at=[0.0], permutations=9)[0]).all()


@pytest.mark.parametrize("by", ["dollars", "calls"])
def test_the_interval_of_apgr_is_about_its_figure(by):
    pair = made(400, 10)
    score = np.round(pair.gain + 2 * np.random.default_rng(0).standard_normal(400), 1)
    found = apgr_interval(score, pair, by=by, draws=400)
    assert found.estimate == pytest.approx(apgr(route_curve(score, pair), pair.chord, by=by))
    assert found.low < found.estimate < found.high
    assert math.isnan(apgr_interval([1, 2, 3], NO_CHOICE, draws=20).low)
    level = Pair(pair.weak_quality, np.roll(pair.weak_quality, 1), pair.weak_cost, pair.strong_cost)
    assert math.isnan(apgr_interval(score, level, by=by, draws=100).low)


def test_a_threshold_chosen_on_other_items_shows_what_choosing_on_the_same_pretends():
    def best(pair, scores):
        line = route_curve(scores, pair)
        return float(line.threshold[int(np.argmax(line.quality))])

    pretended, honest = [], []
    for seed in range(40):
        pair = made(100, seed)
        score = np.random.default_rng(seed + 77).random(100)
        pretended.append(judge(pair, route(pair, score >= best(pair, score))).gain)
        honest.append(judge(pair, route(pair, held_out(pair, best, score, seed=seed))).gain)
    assert np.mean(pretended) > 0.01
    assert abs(np.mean(honest)) < 0.01
    assert part(pair, pair.gain > 0).n == int((pair.gain > 0).sum())


def test_the_items_needed_are_those_of_the_closed_form():
    assert items_needed(0.02, spent=0.2, disagreement=0.13) == 408
    assert items_needed(0.05, spent=0.2, disagreement=0.13) == 65
    n = items_needed(0.03, spent=0.4, disagreement=0.2, power=0.9)
    assert norm.cdf(0.03 / gain_error(n, spent=0.4, disagreement=0.2) - 1.96) == pytest.approx(0.9, abs=0.002)
    with pytest.raises(UsageError, match="above 0"):
        items_needed(0.0, spent=0.2, disagreement=0.13)


def test_turned_signs_are_rarely_clear_for_what_knows_nothing_in_clusters():
    found = []
    for seed in range(400):
        random = np.random.default_rng(seed)
        cluster = np.arange(200) // 5
        ease = random.normal(size=40)[cluster]
        weak, strong = (random.random(200) < 1 / (1 + np.exp(-(level + ease))) for level in (0.5, 1.5))
        cost = random.lognormal(0, 1, 200)
        pair = Pair(weak, strong, cost, 2 * cost * random.lognormal(0, 0.5, 200))
        moved = random.normal(size=40)[cluster] + random.normal(size=200) > 0.6
        found.append(flipped_p(pair, route(pair, moved), clusters=cluster.tolist(), flips=199))
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.09


def test_a_lift_has_an_interval_around_it_and_none_without_a_gap():
    random = np.random.default_rng(0)
    hard = random.random(500) < 0.3
    weak, strong = random.random(500) < np.where(hard, 0.2, 0.8), random.random(500) < 0.85
    pair = Pair(weak, strong, np.ones(500), np.full(500, 3.0))
    found = lift_interval(pair, route(pair, hard))
    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx(judge(pair, route(pair, hard)).lift)
    flat = Pair(weak, weak, np.ones(500), np.full(500, 3.0))
    assert math.isnan(lift_interval(flat, route(flat, hard)).low)


def test_a_threshold_is_chosen_on_whole_clusters():
    pair = Pair(np.zeros(40), np.ones(40), np.ones(40), np.full(40, 2.0))
    clusters = [k // 10 for k in range(40)]
    moved = held_out(
        pair, lambda part, _: 0.0 if part.n == 30 else 9.0, np.ones(40), clusters=clusters, folds=4
    )
    assert moved.all()
    with pytest.raises(UsageError, match="up to the 4 items or clusters"):
        held_out(pair, lambda *_: 0.0, np.ones(40), clusters=clusters, folds=5)
