import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.curves import Pair
from llmkit.errors import UsageError
from llmkit.payoff import Outcome, cascade, escalation, judge, oracle, route, told
from tests.test_curves import FOUR, pairs


def test_moving_the_second_of_four_items_counted_by_hand():
    found = judge(FOUR, route(FOUR, [0, 1, 0, 0]))
    assert (found.cost, found.quality, found.moved) == (1.25, 0.75, 0.25)
    assert found.gain == 0.21875
    assert found.saving == found.saving_over_strong == 1 - 1.25 / 3
    assert (found.recovered, found.spent, found.lift, found.needed) == (1, 0.125, 4, 0.5)


def test_a_perfect_check_on_four_items_counted_by_hand():
    up = FOUR.weak_quality == 0
    found, terms = judge(FOUR, cascade(FOUR, up)), escalation(FOUR, up)
    assert (found.cost, found.quality, found.gain, found.lift, found.needed) == (3, 1, 0.25, 4, 2)
    assert (terms.weak, terms.moved_strong, terms.moved) == (1 / 3, 4 / 3, 0.5)
    assert terms.break_even == pytest.approx(0.5)
    assert terms.needed(0.5) == pytest.approx(2)


@settings(max_examples=80, deadline=None)
@given(pairs(), st.floats(0, 1))
def test_a_coin_is_on_the_chord(pair, part):
    found = judge(pair, route(pair, part))
    assert found.gain == pytest.approx(0, abs=1e-9)
    assert found.spent == pytest.approx(part, abs=1e-12)
    if part > 1e-6:
        assert found.lift == pytest.approx(1)
        assert found.needed == pytest.approx(1)


def test_coins_thrown_in_earnest_are_on_the_chord_in_expectation():
    random = np.random.default_rng(1)
    thrown = [judge(FOUR, route(FOUR, random.random(4) < 0.4)) for _ in range(4000)]
    cost, quality = np.mean([f.cost for f in thrown]), np.mean([f.quality for f in thrown])
    assert quality == pytest.approx(FOUR.chord.quality_at(cost), abs=0.01)


@settings(max_examples=150, deadline=None)
@given(
    pairs(),
    st.randoms(use_true_random=False),
    st.sampled_from([route, cascade]),
    st.sampled_from([0.0, 0.25]),
)
def test_the_gain_is_the_lift_above_the_needed(pair, random, policy, fee):
    up = np.array([random.random() < 0.5 for _ in range(pair.n)])
    found = judge(pair, policy(pair, up, fee=fee))
    if up.any() and found.cost <= pair.chord.strong_cost:
        identity = found.moved * pair.gain.mean() * (found.lift - found.needed)
        assert found.gain == pytest.approx(identity, abs=1e-9)
    if up.any() and policy is cascade:
        assert found.needed == pytest.approx(escalation(pair, up, fee=fee).needed(found.moved))


@settings(max_examples=80, deadline=None)
@given(pairs(), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.25]))
def test_at_the_break_even_share_a_cascade_costs_as_much_as_the_strong_model(pair, random, fee):
    up = np.array([random.random() < 0.5 for _ in range(pair.n)])
    if up.any():
        terms, found = escalation(pair, up, fee=fee), judge(pair, cascade(pair, up, fee=fee))
        assert (terms.moved < terms.break_even - 1e-9) <= (found.saving_over_strong > 0)
        assert (terms.moved > terms.break_even + 1e-9) <= (found.saving_over_strong < 0)


def test_list_prices_of_one_half_need_twice_the_usual_gain():
    even = escalation(Pair([0, 1], [1, 1], [1, 1], [2, 2]))
    assert (even.weak, even.needed(0.3), even.break_even) == (0.5, 2, 0.5)
    assert escalation(Pair([0, 1], [1, 1], [3, 3], [5, 5])).needed(0.3) == pytest.approx(2.5)
    checked = escalation(Pair([0, 1], [1, 1], [1, 1], [2, 2]), fee=0.2)
    assert checked.needed(0.5) == pytest.approx((1 + 0.1 / 0.5) / 0.5)
    assert checked.break_even == pytest.approx(0.4)


def test_what_cannot_be_told_is_not_a_number():
    nobody = judge(FOUR, route(FOUR, False))
    assert nobody.gain == 0
    assert math.isnan(nobody.lift)
    assert math.isnan(nobody.needed)
    worse = judge(FOUR, Outcome(np.zeros(4), FOUR.weak_cost, np.zeros(4)))
    assert math.isnan(worse.saving)
    assert worse.gain == -0.5
    dominated = judge(Pair([1, 1], [0, 1], [1, 1], [2, 2]), route(FOUR, False))
    assert math.isnan(dominated.gain)
    assert math.isnan(escalation(Pair([0], [1], [0], [0])).break_even)
    assert math.isnan(escalation(FOUR, np.zeros(4)).needed(0.0))
    assert math.isnan(escalation(FOUR, np.zeros(4)).break_even)


def test_the_oracle_gives_ties_to_the_cheaper_answer():
    best = oracle([1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 9, 1], [2, 2, 3, 2])
    assert (best.quality, best.cost, best.moved, best.held_out) == (0.75, (1 + 2 + 3 + 1) / 4, 0.5, False)


def test_with_repeats_luck_is_not_taken_for_skill():
    random = np.random.default_rng(0)
    weak, strong = (
        (random.random((4000, 2)) < 0.5).astype(float),
        (random.random((4000, 2)) < 0.5).astype(float),
    )
    costs = np.ones((4000, 2)), 2 * np.ones((4000, 2))
    once = oracle(weak[:, 0], strong[:, 0], costs[0][:, 0], costs[1][:, 0])
    twice = oracle(weak, strong, *costs)
    assert once.quality == pytest.approx(0.75, abs=0.03)
    assert twice.quality == pytest.approx(0.5, abs=0.03)
    assert (once.held_out, twice.held_out) == (False, True)


def test_with_repeats_that_agree_the_oracle_is_that_of_one():
    one = oracle(FOUR.weak_quality, FOUR.strong_quality, FOUR.weak_cost, FOUR.strong_cost)
    columns = (FOUR.weak_quality, FOUR.strong_quality, FOUR.weak_cost, FOUR.strong_cost)
    three = oracle(*(np.column_stack([x, x, x]) for x in columns))
    assert (three.cost, three.quality, three.moved) == (one.cost, one.quality, one.moved)


def test_an_oracle_of_unlike_shapes_is_refused():
    with pytest.raises(UsageError, match="four times"):
        oracle([1, 2], [1], [1, 2], [1, 2])


def test_what_moving_up_and_fees_explain_keeps_its_kind_and_the_rest_is_other():
    up = np.array([False, True, False, True])
    for kind, made in (("route", route), ("cascade", cascade)):
        done = made(FOUR, up, fee=0.25)
        assert told(FOUR, done.quality, done.cost, up, kind=kind).kind == kind
        assert told(FOUR, 1 - done.quality, done.cost, up, kind=kind).kind == "other"
    cheap = route(FOUR, up)
    assert told(FOUR, cheap.quality, cheap.cost, up, kind="cascade").kind == "other"
    assert told(FOUR, cheap.quality, cheap.cost, up, kind="other").kind == "other"
