import math

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import beta

from llmkit import stats, worth
from llmkit.errors import UsageError

FOUND = stats.tango(12, 2, 200)


def test_the_posterior_is_the_dirichlet_of_the_worked_decision():
    belief = worth.posterior(FOUND)
    assert round(belief.mean, 6) == 0.049505
    assert round(math.sqrt(belief.variance), 6) == 0.018808
    assert belief.better == pytest.approx(0.997391, abs=0.002)
    assert belief.draws.mean() == pytest.approx(belief.mean, abs=5e-4)


@pytest.mark.parametrize(("b", "c", "expected"), [(42, 28, 0.953222), (42, 23, 0.991126)])
def test_the_probability_of_being_better_on_published_pairs(b, c, expected):
    assert worth.posterior(stats.tango(b, c, 500)).better == pytest.approx(expected, abs=0.006)


def exact(price, cost):
    """P(worth it) and EVPI by the one-dimensional integral over S, where delta = S (2 V - 1)."""
    b, c, n = 12, 2, 200
    total, share = beta(b + c + 1, n - b - c + 1), beta(b + 0.5, c + 0.5)

    def above(s):
        return share.sf((cost / (price * s) + 1) / 2) if s > 0 else 0.0

    return integrate.quad(lambda s: above(s) * total.pdf(s), 0, 1, points=(0.05, 0.1), limit=200)[0]


@pytest.mark.parametrize(
    ("price", "benefit", "probability", "evpi"),
    [
        (1.0, 0.029505, 0.952267, 0.000343994),
        (0.4, -0.000198, 0.468918, 0.00287938),
        (5.0, 0.227525, 0.995081, 0.00015126),
    ],
)
def test_the_worked_decision_at_three_prices_of_an_error(price, benefit, probability, evpi):
    made = worth.decide(FOUND, [0.02] * 200, cost_of_error=price, horizon=1)
    assert round(made.benefit, 6) == benefit
    assert exact(price, 0.02) == pytest.approx(probability, abs=1e-5)
    assert made.probability == pytest.approx(probability, abs=0.01)
    assert made.risk == pytest.approx(evpi, rel=0.25)


def test_the_value_of_more_items_is_the_published_one_and_says_stop():
    values = [20_000 * worth.sample_value(worth.posterior(FOUND), 0.02, 1.0, r) for r in worth.BATCHES]
    assert values == pytest.approx([0.0000017, 0.00898, 0.2105, 1.2103, 3.1793], rel=0.03)
    made = worth.decide(FOUND, [0.02] * 200, cost_of_error=1.0, horizon=20_000, item_price=0.03)
    assert made.next_items == 0


def test_unit_normal_loss():
    assert [round(worth.unit_normal_loss(u), 4) for u in (0, 0.5, 1, 2)] == [0.3989, 0.1978, 0.0833, 0.0085]


@pytest.mark.parametrize(
    ("b", "c", "n", "cost", "shape", "estimate", "low", "high"),
    [
        (12, 2, 200, 0.02, "interval", 0.40, 0.21408, 1.28131),
        (42, 23, 500, 0.1629, "interval", 4.2868, 2.3040, 24.785),
        (42, 28, 500, 0.75982, "at least", 27.136, 12.308, math.inf),
    ],
)
def test_break_even_sets_of_published_pairs(b, c, n, cost, shape, estimate, low, high):
    even = worth.break_even(stats.tango(b, c, n), cost)
    assert even.shape == shape
    assert (even.estimate, even.low, even.high) == pytest.approx((estimate, low, high), rel=2e-4)


def test_break_even_has_a_word_for_every_case():
    assert worth.break_even(stats.tango(0, 30, 100), 0.01).shape == "none"
    assert worth.break_even(stats.tango(30, 0, 100), -0.01).shape == "dominates"
    assert worth.break_even(stats.tango(5, 5, 100), -0.01).shape == "any"
    for b, c, cost in ((12, 2, 0.02), (6, 4, 0.02), (2, 12, 0.02), (12, 2, -0.02), (2, 12, -0.02)):
        said = worth.break_even(stats.tango(b, c, 200), cost).sentence("A", "B", "an error")
        assert said
        assert "nan" not in said


def gains_and_costs(ups, downs, low, high):
    gains = [1.0] * ups + [-1.0] * downs + [0.0] * (200 - ups - downs)
    return gains, [low, high] * 100


def test_fiellers_three_shapes():
    bounded = worth.fieller(*gains_and_costs(12, 2, 0.015, 0.025))
    assert (bounded.shape, round(bounded.low, 6), round(bounded.high, 6)) == ("interval", 0.231365, 1.462118)
    rays = worth.fieller(*gains_and_costs(6, 4, 0.015, 0.025))
    assert (rays.shape, round(rays.low, 6)) == ("at least", 0.484736)
    assert worth.fieller(*gains_and_costs(6, 4, -0.019, 0.021)).shape == "any"


def test_repeats_and_clusters_use_the_shifted_t():
    found = stats.paired_t(np.r_[np.full(20, 1 / 3), np.full(80, 0.0)])
    belief = worth.posterior(found)
    assert belief.mean == found.estimate
    assert belief.draws.std() == pytest.approx(found.se * math.sqrt(99 / 97), rel=0.03)


def test_the_same_data_give_the_same_words():
    one, two = (worth.decide(FOUND, [0.02] * 200, cost_of_error=1.0, horizon=20_000) for _ in range(2))
    assert one == two
    assert "SIMULATED" in worth.decide(FOUND, [0.02] * 200, cost_of_error=1.0, simulated=True).sentence


@pytest.mark.parametrize(("price", "horizon"), [(0, 1), (-1, 1), (math.nan, 1), (1, 0)])
def test_senseless_prices_are_refused(price, horizon):
    with pytest.raises(UsageError):
        worth.decide(FOUND, [0.02] * 200, cost_of_error=price, horizon=horizon)


def test_no_information_is_refused():
    with pytest.raises(UsageError, match="all differences are equal"):
        worth.posterior(stats.paired_t([0.5] * 20))
