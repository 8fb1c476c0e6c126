"""What a suite yields: a way's cost in each round, its ratio to another way, and whether a target holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import median, quantiles


@dataclass(frozen=True)
class Scope:
    """How much to measure: rounds a suite, the folder of the environments, a folder for stores.

    Attributes:
        quick: blocks of a few questions, to see that all works.
        seed: of the order in which ways take their turns.
    """

    rounds: int
    environments: Path
    folder: Path
    quick: bool = False
    seed: int = 7

    def part(self, share: float) -> int:
        """So great a share of the rounds, for a suite whose rounds are long; at least two."""
        return max(2, round(self.rounds * share))

    def block(self, questions: int) -> int:
        """The questions of a block: fewer where it is only to be seen that all works."""
        return max(2, questions // 10) if self.quick else questions


@dataclass(frozen=True)
class Series:
    """What one way of doing something cost: one value a round, in the unit's own size.

    Attributes:
        against: the suite and the way its ratio is shown to; None shows none.
        why: for a way without values, why it has none.
    """

    suite: str
    way: str
    unit: str
    values: tuple[float, ...]
    against: tuple[str, str] | None = None
    why: str = ""

    @property
    def median(self) -> float:
        """The value in the middle; NaN where there is none."""
        return median(self.values) if self.values else nan


@dataclass(frozen=True)
class Ratio:
    """The median of a round's ratios, and the values 10 % of the rounds lie below and above."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Target:
    """``way`` of ``suite`` is at most (or at least) ``bound``, alone or as a ratio to the way ``against``.

    Attributes:
        against_suite: the suite of ``against``, where it is another.
        difference: the bound is for how much more it is than ``against``, in the unit of both.
    """

    suite: str
    way: str
    bound: float
    against: str | None = None
    at_least: bool = False
    against_suite: str | None = None
    difference: bool = False

    def value(self, found: Iterable[Series]) -> float | None:
        """The figure the bound is for; None where it was not measured."""
        by_name = {(one.suite, one.way): one for one in found if one.values}
        mine = by_name.get((self.suite, self.way))
        if mine is None:
            return None
        if self.against is None:
            return mine.median
        theirs = by_name.get((self.against_suite or self.suite, self.against))
        if theirs is None or len(theirs.values) != len(mine.values):
            return None
        return difference(mine, theirs) if self.difference else ratio(mine, theirs).middle

    def holds(self, value: float) -> bool:
        """Whether the bound is kept."""
        return value >= self.bound if self.at_least else value <= self.bound


Suite = Callable[[Scope], Iterator[Series]]


def ratio(mine: Series, theirs: Series) -> Ratio:
    """``mine`` over ``theirs``, round by round: both must have the same rounds."""
    each = [a / b if b else nan for a, b in zip(mine.values, theirs.values, strict=True)]
    return Ratio(median(each), *spread(each))


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The values that 10 % lie below and above; of one or none, that one or NaN."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (nan, nan)
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def difference(mine: Series, theirs: Series) -> float:
    """The median of what ``mine`` is more than ``theirs``, round by round."""
    return median(a - b for a, b in zip(mine.values, theirs.values, strict=True))
