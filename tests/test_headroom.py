import math

import numpy as np
import pytest

from llmkit.curves import Pair
from llmkit.headroom import headroom
from llmkit.payoff import oracle


def counted(both, strong, weak, neither, dear, cheap):
    """A pair by how many items both, only the strong, only the weak and neither model solved, at total costs."""
    counts, n = (both, strong, weak, neither), both + strong + weak + neither
    qualities = (np.repeat([1, 0, 1, 0], counts), np.repeat([1, 1, 0, 0], counts))
    return Pair(*qualities, np.full(n, cheap / n), np.full(n, dear / n))


def test_a_gap_that_may_be_nothing_is_no_go():
    found = headroom(counted(296, 42, 28, 134, 565.64, 185.73))
    assert not found.go
    assert found.sentence.startswith("No gap to recover")
    assert f"would gain {100 * found.perfect.gain:.1f} points over a coin" in found.sentence
    assert (found.gap.low < 0 < found.gap.high, found.no_choice) == (True, "")
    assert found.cost_ratio == pytest.approx(0.328354, abs=1e-6)
    assert found.escalation.break_even == pytest.approx(0.671646, abs=1e-6)
    assert found.escalation.needed(1) == pytest.approx(1.488879, abs=1e-6)


def test_near_prices_leave_a_cascade_no_saving_even_with_a_perfect_check():
    found = headroom(counted(330, 42, 23, 105, 360.62, 279.17), names=("Sonnet", "Opus"))
    assert found.go
    assert "Opus is 3.8 points better for $0.16 more an item" in found.sentence
    assert "a perfect check buys quality, never a saving" in found.sentence
    assert found.escalation.needed(1) == pytest.approx(4.427502, abs=1e-6)
    assert (found.perfect.moved, found.disagreement) == pytest.approx((0.294, 0.13))
    assert (found.perfect.quality, found.oracle.quality) == pytest.approx((0.79, 0.79))
    assert found.items == ((0.02, 408), (0.05, 65))
    assert repr(found) == found.sentence
    assert found.sentence.replace("'", "&#x27;") in found._repr_html_()


def test_a_dominated_pair_is_stopped_with_its_reason():
    found = headroom(counted(50, 0, 20, 30, 20, 10))
    assert not found.go
    assert found.sentence == "The dearer model is no better: take the cheaper for everything."
    assert math.isnan(found.perfect.gain)


def test_items_of_one_document_widen_the_gap():
    pair = counted(30, 20, 5, 45, 20, 2)
    labels = np.repeat(np.arange(20), 5).tolist()
    alone, together = headroom(pair), headroom(pair, clusters=labels)
    assert together.gap.high - together.gap.low > alone.gap.high - alone.gap.low


def test_a_dearer_model_that_is_wanted_for_every_item_needs_no_router():
    found = headroom(counted(0, 100, 0, 0, 20, 10))
    assert not found.go
    assert found.sentence.startswith("Even the best of both answers")


def test_grades_between_nothing_and_full_name_what_is_good_enough():
    pair = Pair([0.2, 0.6, 0.9, 0.7] * 20, [0.9, 0.9, 0.9, 0.9] * 20, [1.0] * 80, [3.0] * 80)
    assert headroom(pair).perfect.moved == 0.75
    assert headroom(pair, good=0.65).perfect.moved == 0.5


def test_repeats_give_an_oracle_without_luck():
    pair = counted(40, 40, 10, 10, 20, 10)
    wide = [
        np.column_stack([x, x])
        for x in (pair.weak_quality, pair.strong_quality, pair.weak_cost, pair.strong_cost)
    ]
    assert "luck" in headroom(pair).sentence
    assert "luck" not in headroom(pair, best=oracle(*wide)).sentence
