"""What a policy did on many items at once: who answered, what it paid and how long it took, call by call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from .answers import Floats, Ints
from .records import Response

Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Layer:
    """One call of a policy on some of the items: where, and what it cost and took there."""

    role: str
    model: str
    where: Ints
    cost: Floats
    latency: Floats


@dataclass(slots=True)
class Outcome:
    """A policy on (n,) items.

    Attributes:
        row: of the frame, whose answer was given; -1 where the policy failed.
        cost, latency: in all; NaN where unknown.
        final: the failure is one after which nobody else is asked.
        why: the reason the last draft was not taken; "" where none was.
        layers: the calls in their order.
    """

    row: Ints
    cost: Floats
    latency: Floats
    why: list[str]
    final: Bools
    layers: list[Layer] = field(default_factory=list)

    @classmethod
    def empty(cls, n: int) -> Outcome:
        """Of items of which nobody was asked yet."""
        return cls(np.full(n, -1, dtype=np.int64), np.zeros(n), np.zeros(n), [""] * n, np.zeros(n, bool))

    def add(self, other: Outcome, at: Ints, taken: Bools) -> None:
        """Take in calls made for the items ``at``; where they are not ``taken`` they are drafts."""
        self.cost[at] += other.cost
        self.latency[at] += other.latency
        self.row[at[taken]] = other.row[taken]
        self.final[at[taken]] = other.final[taken]
        for layer in other.layers:
            kept = taken[layer.where] if layer.role == "answer" else np.ones(len(layer.where), dtype=bool)
            for role, part in ((layer.role, kept), ("draft", ~kept)):
                if part.any():
                    self.layers.append(_part(layer, role, part, at))
        for place in np.flatnonzero([bool(why) for why in other.why]):
            self.why[int(at[place])] = other.why[place]

    def fee(self, role: str, at: Ints, calls: Sequence[Sequence[Response]]) -> None:
        """Take in calls of a check or router, some for each item of ``at``."""
        paid = [(place, call) for place, each in zip(at, calls, strict=True) for call in each]
        for place, call in paid:
            where = np.array([place], dtype=np.int64)
            cost, latency = np.array([number(call.cost.total)]), np.array([number(call.latency)])
            self.cost[where] += cost
            self.latency[where] += latency
            self.layers.append(Layer(role, call.model, where, cost, latency))


def _part(layer: Layer, role: str, part: Bools, at: Ints) -> Layer:
    return Layer(role, layer.model, at[layer.where[part]], layer.cost[part], layer.latency[part])


def number(value: Decimal | float | None) -> float:
    """As a number; NaN for what is not known."""
    return float("nan") if value is None else float(value)


def retried(result: Outcome, tried: Outcome, here: Ints, *, last: bool) -> Ints:
    """Take in what one model of a fallback did; returns where another is to be asked."""
    failed = tried.row < 0
    again = failed & ~tried.final & (not last)
    # What a failure may have cost is unknown, and left out, as when the policy runs.
    cost, latency = np.zeros(len(here)), np.zeros(len(here))
    for layer in tried.layers:
        np.add.at(cost, layer.where, np.nan_to_num(layer.cost))
        np.add.at(latency, layer.where, np.nan_to_num(layer.latency))
    tried.cost[again], tried.latency[again] = cost[again], latency[again]
    result.add(tried, here, ~again)
    return here[again]
