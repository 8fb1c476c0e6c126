import itertools
import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from llmkit import stats
from llmkit.errors import UsageError


def bounds(found, digits):
    return (round(found.low, digits), round(found.high, digits))


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_published_limits(k, n, low, high):
    assert bounds(stats.wilson(k, n), 4) == (low, high)
    assert bounds(stats.wilson(k, n), 9) == tuple(np.round(proportion_confint(k, n, method="wilson"), 9))


@pytest.mark.parametrize(
    ("b", "c", "n", "low", "high"),
    [
        (6, 16, 161, -0.1240, -0.0054),
        (1, 7, 21, -0.5172, -0.0260),
        (3, 0, 3, -0.1230, 1.0),
        (0, 3, 3, -1.0, 0.1230),
    ],
)
def test_tango_gives_the_published_limits(b, c, n, low, high):
    assert bounds(stats.tango(b, c, n), 4) == (low, high)


def test_tango_without_a_difference_still_answers():
    assert bounds(stats.tango(0, 0, 50), 6) == (-0.071348, 0.071348)


@pytest.mark.parametrize(
    ("b", "c", "n", "d", "interval", "p"),
    [
        (42, 28, 500, 0.028, (-0.004909, 0.061733), (0.094264, 0.120233, 0.119609, 0.095924)),
        (42, 23, 500, 0.038, (0.006572, 0.070704), (0.018440, 0.025574, 0.024812, 0.018657)),
        (12, 2, 200, 0.05, (0.015609, 0.093425), (0.007526, None, 0.012939, 0.007385)),
        (6, 16, 161, -10 / 161, None, (0.033006, 0.055009, 0.052479, 0.034690)),
        (1, 7, 21, -6 / 21, None, (0.033895, 0.077100, 0.070312, 0.039063)),
    ],
)
def test_tango_and_mcnemar_on_published_pairs(b, c, n, d, interval, p):
    found, tests = stats.tango(b, c, n), stats.mcnemar(b, c)
    assert found.estimate == pytest.approx(d)
    if interval:
        assert bounds(found, 6) == interval
    got = (tests.score, tests.corrected, tests.exact, tests.mid_p)
    for mine, theirs in zip(got, p, strict=True):
        assert theirs is None or mine == pytest.approx(theirs, abs=1e-6)
    assert found.p == tests.score


def test_mid_p_of_a_tie():
    assert round(stats.mcnemar(5, 5).mid_p, 6) == 0.876953
    assert stats.mcnemar(0, 0) == stats.McNemar(1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("b", "c", "limits", "se"),
    [(42, 28, (-0.004817, 0.060817), 1.670), (42, 23, (0.006465, 0.069535), 1.605)],
)
def test_the_published_pairs_by_paired_t(b, c, limits, se):
    found = stats.paired_t([1.0] * b + [-1.0] * c + [0.0] * (500 - b - c))
    assert bounds(found, 6) == limits
    assert round(found.se * 100, 3) == se


@pytest.mark.parametrize(
    ("b", "c", "score", "corrected"),
    [(42, 28, 2.8, 2.414286), (42, 23, 5.553846, 4.984615), (150, 86, 17.3559, None)],
)
def test_mcnemars_statistics_are_the_published_chi_squares(b, c, score, corrected):
    found = stats.mcnemar(b, c)
    assert scipy.stats.chi2.isf(found.score, 1) == pytest.approx(score, abs=5e-5)
    assert corrected is None or scipy.stats.chi2.isf(found.corrected, 1) == pytest.approx(corrected, abs=1e-6)


def test_cluster_errors_are_statsmodels_cr1():
    random = np.random.default_rng(2)
    groups = random.integers(0, 25, 200)
    gaps = random.normal(0, 1, 200) + random.normal(0, 1, 25)[groups]
    model = sm.OLS(gaps, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}, use_t=True
    )
    found = stats.clustered(gaps, groups)
    factor = math.sqrt(found.groups / (found.groups - 1))
    assert found.se == pytest.approx(float(model.bse[0]) * factor, rel=1e-9)
    assert found.df == found.groups - 1
    assert found.design_effect > 1


def test_the_method_follows_the_data():
    a, b = np.array([1.0, 0, 1, 1] * 10), np.array([1.0, 1, 0, 1] * 10)
    assert stats.compare_pairs(a, b).method == "Tango"
    assert stats.compare_pairs(np.c_[a, b], np.c_[b, b]).method == "paired t"
    assert stats.compare_pairs(a * 0.5, b).method == "paired t"
    assert stats.compare_pairs(a, b, clusters=np.arange(40) // 4).method == "CR1"


def test_differences_equal_but_for_rounding_are_no_information():
    a, b = np.array([0.3, 0.7, 1.1] * 12), np.array([0.1, 0.5, 0.9] * 12)
    assert math.isnan(stats.compare_pairs(a, b).low)
    assert math.isnan(stats.compare_pairs(a, b, clusters=np.arange(36) // 3).p)


def test_equal_differences_are_no_information_and_nan_is_refused():
    assert math.isnan(stats.compare_pairs(np.full(30, 0.7), np.full(30, 0.2)).low)
    with pytest.raises(UsageError, match="NaN"):
        stats.compare_pairs([1.0, math.nan], [1.0, 0.0])
    with pytest.raises(UsageError, match="shapes"):
        stats.compare_pairs([1.0], [1.0, 0.0])


@pytest.mark.parametrize("arguments", [(5, 4), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(arguments):
    with pytest.raises(UsageError):
        stats.wilson(*arguments)


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (10, 3, 1, 0.3),
        (10, 3, 5, 1 - 21 / 252),
        (5, 0, 5, 0.0),
        (5, 1, 5, 1.0),
        (200, 1, 100, 0.5),
        (1, 1, 1, 1.0),
    ],
)
def test_pass_at_k_is_the_share_of_draws_that_hold_a_passing_answer(n, c, k, expected):
    assert stats.pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-12)
    if n <= 10:
        draws = list(itertools.combinations([True] * c + [False] * (n - c), k))
        assert stats.pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws), abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 1, 6), (5, 1, 0)])
def test_pass_at_k_refuses_what_cannot_be(n, c, k):
    with pytest.raises(UsageError, match="cannot be"):
        stats.pass_at_k(n, c, k)


@pytest.mark.parametrize(
    ("a", "b", "n", "reading"),
    [
        (372, 353, 500, "open"),  # the real pairs, 42 to 23, leave out 0
        (159, 127, 225, "clear"),
        (91, 83, 114, "open"),
        (35, 24, 50, "likely"),
        (363, 362, 500, "none"),
        (25, 25, 25, "none"),
    ],
)
def test_two_totals_are_read_by_what_their_overlap_can_be(a, b, n, reading):
    assert stats.overlap(a, b, n).reading == reading
    assert stats.overlap(b, a, n).reading == reading


@pytest.mark.parametrize(
    ("a", "b", "n"), [(372, 353, 500), (91, 83, 114), (12, 30, 50), (0, 5, 20), (7, 7, 7)]
)
def test_less_overlap_never_narrows_the_interval_and_never_moves_the_estimate(a, b, n):
    found = stats.overlap(a, b, n)
    cases = (found.most, found.independent, found.least)
    assert [case.estimate for case in cases] == pytest.approx([(a - b) / n] * 3)
    for narrow, wide in itertools.pairwise(cases):
        assert wide.low <= narrow.low + 1e-9
        assert wide.high >= narrow.high - 1e-9
    every = [stats.tango(a - both, b - both, n) for both in range(max(a + b - n, 0), min(a, b) + 1)]
    assert min(case.low for case in every) == pytest.approx(found.least.low)
    assert max(case.low for case in every) == pytest.approx(found.most.low)


@pytest.mark.parametrize(("a", "b", "n"), [(11, 3, 10), (-1, 3, 10), (0, 0, 0)])
def test_totals_that_cannot_be_are_refused(a, b, n):
    with pytest.raises(UsageError):
        stats.overlap(a, b, n)
