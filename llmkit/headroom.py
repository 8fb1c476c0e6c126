"""Before a router is built: is there anything to gain, what would it need, and could these data show it?

The vocabulary is that of ``curves``: costs in USD, gains in the unit of quality, NaN where undefined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .curve_tests import gain_error, items_needed
from .curves import Pair
from .payoff import Escalation, Judgement, Oracle, cascade, escalation, judge, oracle
from .render import sentence as paragraph
from .stats import Difference, compare_pairs

PLANNED = 0.2  # the share of the extra dollars that sizes are planned for
WORTH = (0.02, 0.05)  # gains over a coin that sizes are planned for
NORMAL = 1.96


@dataclass(frozen=True, slots=True)
class Headroom:
    """The go/no-go figures of a pair.

    Attributes:
        n: items. gap: strong less weak quality, paired. no_choice: why there is nothing to choose, or "".
        cost_ratio: rho, the weak model's mean cost over the strong one's, measured.
        escalation: a cascade's terms in planning: a free check, and the moved costing like all.
        perfect: a cascade whose free check knows the grade of the weak answer; ``perfect_terms`` its costs.
        oracle: the best of both answers. disagreement: d, the mean squared difference of the qualities.
        resolution: the gain over a coin that n items tell from 0, half of a 95% interval.
        items: for each gain of ``WORTH``, the items that find it with 80% power.
        go: whether deciding from the question alone can be worth building; without a go only a sharp check
            of the answers is left. sentence: why, in words.
        simulated: any answer was made up by the simulator.
    """

    n: int
    gap: Difference
    no_choice: str
    cost_ratio: float
    escalation: Escalation
    perfect: Judgement
    perfect_terms: Escalation
    oracle: Oracle
    disagreement: float
    resolution: float
    items: tuple[tuple[float, int], ...]
    go: bool
    sentence: str
    simulated: bool = False

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return paragraph(self.sentence, strong=True)


def headroom(
    pair: Pair,
    *,
    clusters: Sequence[Any] | None = None,
    best: Oracle | None = None,
    good: float | None = None,
    names: tuple[str, str] = ("the cheaper model", "the dearer model"),
) -> Headroom:
    """What switching between the two could earn at most, and what it would need.

    clusters: (n,) labels of items that belong together. best: the oracle, where repeats allow one that does
    not take luck for skill (see ``payoff.oracle``); else the one of single answers. good: the quality below
    which a check that knows the grades moves an item up; the best one found, if left out.
    """
    best = best or oracle(pair.weak_quality, pair.strong_quality, pair.weak_cost, pair.strong_cost)
    labels = None if clusters is None else np.asarray(clusters)
    gap = compare_pairs(pair.strong_quality, pair.weak_quality, labels)
    terms = escalation(pair)
    full = max(pair.weak_quality.max(), pair.strong_quality.max()) if good is None else good
    failed = pair.weak_quality < full
    perfect, perfect_terms = judge(pair, cascade(pair, failed)), escalation(pair, failed)
    d = float((pair.gain**2).mean())
    resolution = NORMAL * gain_error(pair.n, spent=PLANNED, disagreement=d)
    items = tuple((gain, items_needed(gain, spent=PLANNED, disagreement=d)) for gain in WORTH)
    stop = pair.chord.no_choice or _stopped(gap, best, pair)
    words = [stop[0].upper() + stop[1:] + "." if stop else _go(pair, best, names)]
    if stop and not pair.chord.no_choice and perfect.gain > 0:
        words.append(_check_in_words(perfect))
    if not stop:
        words.append(_cascade_in_words(terms, perfect, names))
        words.append(f"{pair.n:,} items tell gains over a coin from ±{100 * resolution:.1f} points on.")
    return Headroom(
        n=pair.n,
        gap=gap,
        no_choice=pair.chord.no_choice,
        cost_ratio=terms.weak,
        escalation=terms,
        perfect=perfect,
        perfect_terms=perfect_terms,
        oracle=best,
        disagreement=d,
        resolution=resolution,
        items=items,
        go=not stop,
        sentence=" ".join(words),
    )


def _stopped(gap: Difference, best: Oracle, pair: Pair) -> str:
    if not gap.low > 0:
        return (
            f"no gap to recover: the dearer model is better by {_points(gap.estimate)} points, "
            f"[{_points(gap.low)}, {_points(gap.high)}], which may be nothing; take the cheaper, or grade "
            "more items"
        )
    if best.quality <= pair.chord.strong_quality and best.cost >= pair.chord.strong_cost:
        return "even the best of both answers is neither better nor cheaper than the dearer model alone"
    return ""


def _go(pair: Pair, best: Oracle, names: tuple[str, str]) -> str:
    chord = pair.chord
    gap, more = 100 * (chord.strong_quality - chord.weak_quality), 100 * (best.quality - chord.strong_quality)
    price, part = chord.strong_cost - chord.weak_cost, best.cost / chord.strong_cost
    luck = "" if best.held_out else ", part of it luck of single answers"
    place = f"{abs(more):.1f} points {'below' if more < 0 else 'above'} it"
    return (
        f"{_capital(names[1])} is {gap:.1f} points better for ${price:.2g} more an item; the best of both "
        f"answers would be {place}, at {part:.2f} of its cost{luck}."
    )


def _cascade_in_words(terms: Escalation, perfect: Judgement, names: tuple[str, str]) -> str:
    found = (
        f"{_capital(names[0])} costs {terms.weak:.2f} of it: a cascade with a free check must find items of "
        f"{terms.needed(1.0):.1f} times the usual gain to meet a coin, and saves nothing from "
        f"{max(terms.break_even, 0.0):.0%} moved up on;"
    )
    if not perfect.gain > 0:
        return f"{found} even a perfect check loses to a coin."
    if perfect.saving_over_strong <= 0:
        return f"{found} even a perfect check buys quality, never a saving."
    return f"{found} a perfect check would gain {100 * perfect.gain:.1f} points over a coin."


def _check_in_words(perfect: Judgement) -> str:
    return (
        "A check of the answers needs no gap, only errors that are not the same: a perfect and free one "
        f"would gain {100 * perfect.gain:.1f} points over a coin."
    )


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]
