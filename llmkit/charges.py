"""Columns of token counts -> what each row costs, in whole numbers of a unit fine enough to be exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from .pricing import KINDS, Band

COUNTS = (*KINDS, "web_searches")
"""What is counted; each is priced on its own."""

PICO = 12
"""Digits of the unit: every price of the catalog is a whole number of pico-dollars a token."""

_PROMPT = KINDS[:4]
_ROWS = 16_384  # as many as the caches of a core hold
_LIMIT = 2**63
_HALF = 32

Array = npt.NDArray[Any]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Tariff:
    """What rows of one kind cost: bands by the size of the prompt, and USD a web search, None if unknown.

    No bands mean that nothing is known.
    """

    bands: tuple[Band, ...] = ()
    search: Decimal | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Several tariffs as tables of whole numbers.

    A tariff has ``levels`` places in each table, its bands from the lowest threshold up.

    Attributes:
        digits: the unit is 10 ** -digits USD.
        per: kind -> (tariffs * levels,) units each; Python integers where one passes 64 bits.
        lacking: kind -> (tariffs * levels,) whether such a count has no price.
        over: (levels - 1, tariffs) a prompt of more tokens than this is a level higher.
        priced: (tariffs * levels,) whether there are prices at all.
    """

    digits: int
    levels: int
    per: Mapping[str, Array]
    lacking: Mapping[str, npt.NDArray[np.bool_]]
    over: npt.NDArray[np.int64]
    priced: npt.NDArray[np.bool_]


def rates(tariffs: Sequence[Tariff]) -> Rates:
    """The tables of these tariffs, in pico-dollars or, where a price is finer, in as fine a unit as it is."""
    ladders = [_ladder(tariff) for tariff in tariffs]
    levels = max(len(ladder) for ladder in ladders)
    flat = [step for ladder in ladders for step in (*ladder, *[ladder[-1]] * (levels - len(ladder)))]
    named = {kind: [step[1][kind] for step in flat] for kind in COUNTS}
    known = [rate for prices in named.values() for rate in prices if rate is not None]
    digits = max([PICO, *map(_decimals, known)])
    top = np.iinfo(np.int64).max
    over = [
        [ladder[level][0] if level < len(ladder) else top for ladder in ladders] for level in range(1, levels)
    ]
    return Rates(
        digits,
        levels,
        {kind: _whole([_units(rate, digits) for rate in prices]) for kind, prices in named.items()},
        {kind: np.array([rate is None for rate in prices]) for kind, prices in named.items()},
        np.array(over, dtype=np.int64).reshape(levels - 1, len(ladders)),
        np.array([step[1]["input"] is not None for step in flat]),
    )


def charge(
    rates: Rates, counts: Mapping[str, Array], which: Places | None = None
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """(n,) units each row costs, and (n,) whether its price is known; where not, its units are 0.

    Args:
        counts: kind -> (n,) whole numbers from 0 on, int64 or Python's own; a kind left out is 0.
        which: (n,) the place of each row's tariff; None is the first for all.

    The units are int64. Where a row's may pass that it is worked out with Python's integers, and where one
    does all are Python's. Raises ``ValueError`` for a count below 0.
    """
    n = len(next(iter(counts.values())))
    units, known = np.empty(n, dtype=np.int64), np.ones(n, dtype=bool)
    dear: list[tuple[slice, Array]] = []
    for start in range(0, n, _ROWS):
        some = slice(start, start + _ROWS)
        part = {kind: column[some] for kind, column in counts.items()}
        fits = _fits(rates, part)
        amounts = _amounts(rates, part, None if which is None else which[some], known[some], fits)
        if not fits and max(amounts, default=0) >= _LIMIT:
            dear.append((some, amounts))
        else:
            units[some] = amounts
    if not dear:
        return units, known
    whole: Array = units.astype(object)
    for some, amounts in dear:
        whole[some] = amounts
    return whole, known


def total(units: Array) -> int:
    """The exact sum of units, however large."""
    if units.dtype == object:
        return int(sum(units.tolist()))
    low = units & (2**_HALF - 1)
    return (int((units >> _HALF).sum()) << _HALF) + int(low.sum())


def totals(units: Array, group: Places, groups: int) -> list[int]:
    """The exact sum of the units of each group."""
    if units.dtype == object:
        sums = [0] * groups
        for place, amount in zip(group.tolist(), units.tolist(), strict=True):
            sums[place] += amount
        return sums
    # Sums of floats are exact below 2 ** 53; a limb has 21 bits, so that is so for 2 ** 32 rows.
    limbs = [np.bincount(group, weights=(units >> at) & (2**21 - 1), minlength=groups) for at in (0, 21, 42)]
    return [
        sum(int(part) << at for part, at in zip(of, (0, 21, 42), strict=True))
        for of in zip(*limbs, strict=True)
    ]


def _ladder(tariff: Tariff) -> list[tuple[int, dict[str, Decimal | None]]]:
    """(over, rate of each kind), from the lowest threshold up; the first is for the smallest prompts."""
    steps: list[tuple[int, dict[str, Decimal | None]]] = []
    for band in sorted(tariff.bands, key=lambda band: band.over):
        steps.append(
            (band.over, {**{kind: getattr(band, kind) for kind in KINDS}, "web_searches": tariff.search})
        )
    if not steps or steps[0][0]:
        steps.insert(0, (0, dict.fromkeys(COUNTS)))
    return steps


def _decimals(rate: Decimal) -> int:
    exponent = rate.as_tuple().exponent
    return -int(exponent)


def _units(rate: Decimal | None, digits: int) -> int:
    if rate is None:
        return 0
    top, bottom = rate.as_integer_ratio()
    unit: int = 10**digits
    return top * (unit // bottom)


def _whole(numbers: Sequence[int]) -> Array:
    return np.array(numbers, dtype=np.int64 if max(numbers) < _LIMIT else object)


def _fits(rates: Rates, counts: Mapping[str, Array]) -> bool:
    """Whether no number on the way can pass 64 bits."""
    dearest = prompt = 0
    for kind, column in counts.items():
        if column.min() < 0:
            raise ValueError(f"there is a count of {int(column.min())} for {kind}; counts are 0 or more")
        most = int(column.max())
        dearest += most * int(rates.per[kind].max())
        prompt += most if kind in _PROMPT else 0
    same = all(column.dtype != object and rates.per[kind].dtype != object for kind, column in counts.items())
    return same and max(dearest, prompt) < _LIMIT


def _amounts(
    rates: Rates,
    counts: Mapping[str, Array],
    which: Places | None,
    known: npt.NDArray[np.bool_],
    fits: bool,
) -> Array:
    """Units of each row; ``known`` is cleared in place where there is no price."""
    if not fits:
        counts = {kind: column.astype(object) for kind, column in counts.items()}
    place = _place(rates, counts, which)
    amounts: Array | None = None
    for kind, column in counts.items():
        table = rates.per[kind] if fits else rates.per[kind].astype(object)
        each = column * (table[0] if place is None else table[place])
        amounts = each if amounts is None else np.add(amounts, each, out=amounts)
        if rates.lacking[kind].any():
            lacking = rates.lacking[kind]
            known &= ~((lacking[0] if place is None else lacking[place]) & (column > 0))
    if not rates.priced.all():
        known &= rates.priced[0] if place is None else rates.priced[place]
    assert amounts is not None
    return amounts if known.all() else np.where(known, amounts, 0)


def _place(rates: Rates, counts: Mapping[str, Array], which: Places | None) -> Places | None:
    """Where in the tables each row's rates are; None where all are in the first place."""
    if rates.levels == 1:
        return which
    n = len(next(iter(counts.values())))
    prompt = sum((column for kind, column in counts.items() if kind in _PROMPT), np.zeros(n, dtype=np.int64))
    first: Places = np.zeros(n, dtype=np.intp) if which is None else which
    place = first * rates.levels
    for over in rates.over:
        place += prompt > over[first]
    return place
