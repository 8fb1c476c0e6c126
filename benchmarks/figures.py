"""What a suite yields: a way's cost in each round, its ratio to another way, and whether a target holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles


@dataclass(frozen=True)
class Scope:
    """How much to measure: rounds a suite, the folder of the environments, a folder for stores."""

    rounds: int
    environments: Path
    folder: Path


@dataclass(frozen=True)
class Series:
    """What one way of doing something cost: one value a round, in the unit's own size."""

    suite: str
    way: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return median(self.values)


@dataclass(frozen=True)
class Ratio:
    """The median of a round's ratios, and the values 10 % of the rounds lie below and above."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Target:
    """``way`` of ``suite`` is at most (or at least) ``bound``, alone or as a ratio to the way ``against``."""

    suite: str
    way: str
    bound: float
    against: str | None = None
    at_least: bool = False

    def value(self, found: Iterable[Series]) -> float | None:
        """The figure the bound is for; None where it was not measured."""
        by_way = {one.way: one for one in found if one.suite == self.suite}
        mine = by_way.get(self.way)
        if mine is None:
            return None
        if self.against is None:
            return mine.median
        theirs = by_way.get(self.against)
        return None if theirs is None else ratio(mine, theirs).middle

    def holds(self, value: float) -> bool:
        """Whether the bound is kept."""
        return value >= self.bound if self.at_least else value <= self.bound


Suite = Callable[[Scope], Iterator[Series]]


def ratio(mine: Series, theirs: Series) -> Ratio:
    """``mine`` over ``theirs``, round by round: both must have the same rounds."""
    each = [a / b for a, b in zip(mine.values, theirs.values, strict=True)]
    if len(each) < 2:
        return Ratio(each[0], each[0], each[0])
    tenths = quantiles(each, n=10, method="inclusive")
    return Ratio(median(each), tenths[0], tenths[-1])
