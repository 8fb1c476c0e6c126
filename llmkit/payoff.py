"""One policy on paired outcomes: what it paid and earned, what it needed, and the most that could be had.

The vocabulary is that of ``curves``: costs in USD, gains in the unit of quality, NaN where undefined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .curves import Floats, Pair
from .errors import UsageError

Kind = Literal["route", "cascade", "other"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a policy did: quality and cost (USD) an item, fees included, and the share moved up, each (n,).

    kind: "route" decides before an answer, "cascade" after the weak one, which it has paid; "other" else.
    """

    quality: Floats
    cost: Floats
    moved: Floats
    kind: Kind = "other"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The figures of one policy; NaN where undefined.

    Attributes:
        cost, quality, moved: means; cost in USD an item.
        gain: quality above a coin's that spends as much.
        saving: share of a coin's dollars saved at equal quality. saving_over_strong: of the strong model's.
        recovered: share of the quality gap (PGR). spent: share of the extra dollars.
        lift: mean gain of the moved over the mean gain of all. needed: the lift at which a coin is met.
    """

    cost: float
    quality: float
    moved: float
    gain: float
    saving: float
    saving_over_strong: float
    recovered: float
    spent: float
    lift: float
    needed: float


@dataclass(frozen=True, slots=True)
class Escalation:
    """Why a cascade pays or not: costs relative to the strong model's mean cost, the fee included.

    Attributes:
        weak: rho, of the first attempt. check: nu, of the check. moved_strong: kappa, the strong model's on
            the items moved up: above 1 if what the weak one fails costs more.
        moved: share moved up, NaN in planning.
        break_even: share moved at which always-strong costs as much; none is left if it is below 0.
    """

    weak: float
    check: float
    moved_strong: float
    moved: float
    break_even: float

    def needed(self, moved: float) -> float:
        """The lift that a cascade needs to meet a coin when it moves this share up."""
        if not (moved > 0 and self.weak < 1):
            return math.nan
        return (self.moved_strong + self.check / moved) / (1 - self.weak)


@dataclass(frozen=True, slots=True)
class Oracle:
    """What a policy that knew the grades would reach; cost in USD an item.

    held_out: chosen on one half of the repeats and graded on the other. Else one answer an item: a model's
    luck counts as the policy's skill, so the true oracle is lower.
    """

    cost: float
    quality: float
    moved: float
    held_out: bool


def route(pair: Pair, moved: npt.ArrayLike, *, fee: npt.ArrayLike = 0.0) -> Outcome:
    """What deciding before any answer gives; moved: bool or probability, fee: USD, each one or (n,)."""
    up = np.broadcast_to(np.asarray(moved, dtype=float), (pair.n,))
    cost = pair.weak_cost + up * pair.extra + np.asarray(fee, dtype=float)
    return Outcome(pair.weak_quality + up * pair.gain, cost, up, "route")


def cascade(pair: Pair, moved: npt.ArrayLike, *, fee: npt.ArrayLike = 0.0) -> Outcome:
    """What deciding after the weak answer gives, which is paid in any case; arguments as for ``route``."""
    up = np.broadcast_to(np.asarray(moved, dtype=float), (pair.n,))
    cost = pair.weak_cost + up * pair.strong_cost + np.asarray(fee, dtype=float)
    return Outcome(pair.weak_quality + up * pair.gain, cost, up, "cascade")


def told(pair: Pair, quality: Floats, cost: Floats, moved: npt.NDArray[np.bool_], *, kind: Kind) -> Outcome:
    """What a policy did, each (n,): of its ``kind`` if moving items up and paying fees explain it all.

    Else it is "other", for only that can be dealt anew to the items.
    """
    before = pair.weak_cost if kind == "cascade" else 0.0
    fee = cost - np.where(moved, pair.strong_cost + before, pair.weak_cost)
    plain = np.allclose(quality, np.where(moved, pair.strong_quality, pair.weak_quality))
    known = plain and bool((fee >= -1e-9 * pair.strong_cost).all())
    return Outcome(quality, cost, moved.astype(float), kind if known else "other")


def judge(pair: Pair, outcome: Outcome) -> Judgement:
    """The figures of one policy on a pair. For those that only move items up, and dearer than the weak model
    but no dearer than the strong: gain = moved * mean gain * (lift - needed)."""
    chord = pair.chord
    cost, quality, moved = (float(x.mean()) for x in (outcome.cost, outcome.quality, outcome.moved))
    lift = needed = math.nan
    if moved > 0 and not chord.no_choice:
        lift = float((outcome.moved * pair.gain).mean()) / moved / float(pair.gain.mean())
        needed = chord.spent(cost) / moved
    over_strong = 1 - cost / chord.strong_cost if chord.strong_cost > 0 else math.nan
    return Judgement(
        cost,
        quality,
        moved,
        chord.gain(cost, quality),
        chord.saving(cost, quality),
        over_strong,
        chord.recovered(quality),
        chord.spent(cost),
        lift,
        needed,
    )


def escalation(pair: Pair, moved: npt.ArrayLike | None = None, *, fee: npt.ArrayLike = 0.0) -> Escalation:
    """The terms of a cascade; moved (n,) bool, or None to plan as if the moved cost like all (kappa = 1)."""
    strong = float(pair.strong_cost.mean())
    if not strong > 0:
        return Escalation(math.nan, math.nan, math.nan, math.nan, math.nan)
    weak, check = float(pair.weak_cost.mean()) / strong, float(np.mean(np.asarray(fee, dtype=float))) / strong
    dear, part = 1.0, math.nan
    if moved is not None:
        up = np.asarray(moved, dtype=float)
        part = float(up.mean())
        dear = float((up * pair.strong_cost).mean()) / part / strong if part > 0 else math.nan
    return Escalation(weak, check, dear, part, (1 - weak - check) / dear)


def oracle(weak: npt.ArrayLike, strong: npt.ArrayLike, c0: npt.ArrayLike, c1: npt.ArrayLike) -> Oracle:
    """The best answer of each item, ties to the cheaper.

    Args:
        weak, strong: qualities, (n,) or (n, k) with k repeats. c0, c1: their costs (USD), of the same shape.

    With repeats the choice is made on one half of them and graded on the other, both ways round, so that a
    lucky answer is not taken for a better model.
    """
    arrays = [np.asarray(values, dtype=float) for values in (weak, strong, c0, c1)]
    if len({values.shape for values in arrays}) > 1 or arrays[0].ndim not in (1, 2):
        raise UsageError(
            f"shapes {[values.shape for values in arrays]} differ; give (n,) or (n, k) four times"
        )
    wide = [values.reshape(len(values), -1) for values in arrays]
    repeats = wide[0].shape[1]
    if repeats == 1:
        return Oracle(*_best(wide, wide), held_out=False)
    halves = ([values[:, : repeats // 2] for values in wide], [values[:, repeats // 2 :] for values in wide])
    both = (_best(halves[0], halves[1]), _best(halves[1], halves[0]))
    cost, quality, moved = ((a + b) / 2 for a, b in zip(*both, strict=True))
    return Oracle(cost, quality, moved, held_out=True)


def _best(chosen_on: list[Floats], graded_on: list[Floats]) -> tuple[float, float, float]:
    q0, q1, c0, c1 = (values.mean(axis=1) for values in chosen_on)
    up = (q1 > q0) | ((q1 == q0) & (c1 < c0))
    g0, g1, d0, d1 = (values.mean(axis=1) for values in graded_on)
    cost, quality = np.where(up, d1, d0).mean(), np.where(up, g1, g0).mean()
    return float(cost), float(quality), float(up.mean())
