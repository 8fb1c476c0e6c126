"""A log of usage from anywhere -> what each row costs, exactly, and the exact total."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .amounts import of_units
from .charges import COUNTS, Array, Places, Tariff, charge, rates, total, totals
from .columns import Coded, counts, crossed, days, words
from .errors import UsageError
from .prices import canonical
from .pricing import PriceBook, search_rate, tariff
from .render import table
from .session import prices_now

_SAID = ("model", "tier", "speed", "geo")
_NO_MODEL, _NO_DAY = "the model is not known", "the day is not known"
_NO_COUNT = "a count is not known"
_NO_RATE = "a kind of token, or a prompt of its size, has no price for {!r}"
_SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Costs:
    """What the rows of a log cost.

    Attributes:
        units: (n,) whole numbers of 10 ** -``digits`` USD, int64 (Python's own where one is larger); 0 where
            the price is not known.
        digits: 12, pico-dollars, unless a price is finer.
        known: (n,) whether a row has a price.
        unpriced: why rows have none -> how many; they are in no sum.
        log: what was priced.
    """

    units: Array
    digits: int
    known: npt.NDArray[np.bool_]
    unpriced: Mapping[str, int]
    log: pd.DataFrame

    @property
    def certain(self) -> Decimal:
        """USD of all rows whose price is known, to the last digit."""
        return of_units(total(self.units), self.digits)

    @property
    def total(self) -> Decimal | None:
        """USD of all rows, to the last digit; None while the price of one is not known."""
        return None if self.unpriced else self.certain

    @property
    def decimals(self) -> pd.Series[Any]:
        """USD of each row, exact; None where the price is not known."""
        made: dict[int, Decimal] = {}
        for amount in self.units.tolist():
            if amount not in made:
                made[amount] = of_units(amount, self.digits)
        pairs = zip(self.units.tolist(), self.known.tolist(), strict=True)
        values = [made[amount] if known else None for amount, known in pairs]
        return pd.Series(values, index=self.log.index, name="cost", dtype=object)

    @property
    def floats(self) -> pd.Series[Any]:
        """USD of each row as the nearest float; NaN where the price is not known."""
        if self.units.dtype == object or self.digits > 22 or self.units.max(initial=0) >= 2**53:
            values = np.array([float(Decimal(n).scaleb(-self.digits)) for n in self.units.tolist()])
        else:  # both are exact as floats, so that the quotient is the nearest one
            values = self.units / 10.0**self.digits
        return pd.Series(np.where(self.known, values, np.nan), index=self.log.index, name="cost")

    def by(self, column: str) -> pd.DataFrame:
        """Rows, exact USD of those with a price, and rows without one, for each value of a column of the log.

        Dearest first. Raises ``UsageError`` where there is no such column.
        """
        if column not in self.log:
            raise UsageError(f"the log has no column {column!r}; it has {[str(c) for c in self.log.columns]}")
        group, values = pd.factorize(self.log[column], use_na_sentinel=False)
        sums = totals(self.units, group, len(values))
        rows, without = (np.bincount(of, minlength=len(values)) for of in (group, group[~self.known]))
        usd = [
            of_units(n, self.digits) if some else None for n, some in zip(sums, rows > without, strict=True)
        ]
        columns = {"rows": rows, "certain": pd.Series(usd, dtype=object), "unpriced": without}
        frame = pd.DataFrame(columns)
        frame.index = pd.Index(values, name=column)
        return frame.iloc[sorted(range(len(sums)), key=lambda place: -sums[place])]

    def __repr__(self) -> str:
        lines = [f"{len(self.units):,} rows cost ${self.certain:,f}"]
        lines += [f"  {rows:,} of them in no sum: {why}" for why, rows in self._told()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [["priced", f"{int(self.known.sum()):,}", f"{self.certain:,f}"]]
        rows += [[why, f"{n:,}", "not known"] for why, n in self._told()]
        return table(["rows", "number", "USD"], rows, caption=f"{len(self.units):,} rows of usage")

    def _told(self) -> list[tuple[str, int]]:
        """Why most rows have no price -> how many."""
        told, rest = list(self.unpriced.items())[:_SHOWN], list(self.unpriced.values())[_SHOWN:]
        return [*told, (f"{len(rest)} more reasons", sum(rest))] if rest else told


def costs(
    log: pd.DataFrame | Mapping[str, Any],
    *,
    input: str = "input",
    output: str = "output",
    cache_read: str = "cache_read",
    cache_write_5m: str = "cache_write_5m",
    cache_write_1h: str = "cache_write_1h",
    web_searches: str = "web_searches",
    model: str = "model",
    day: str | date = "day",
    tier: str = "tier",
    speed: str = "speed",
    geo: str = "geo",
) -> Costs:
    """What each row of a usage log costs, exactly: ``kit.costs(log).total``, ``log["cost"] = ....decimals``.

    Rows are priced as answers are: by the day, the size of the whole prompt, cache lives, tier, speed and
    region, at the catalog's prices and your own (``kit.price``). ``kit.ledger().frame()`` is such a log.

    Args:
        log: a frame, or columns by name. Needs counts in ``input`` and ``output``; what else it has not is 0.
        input: the column of uncached prompt tokens; where a log counts the whole prompt, take the cached off.
        output, cache_read, cache_write_5m, cache_write_1h, web_searches: the columns of the other counts.
        model: a column of exact ids or aliases, or of "endpoint/model" where another vendor served (then a
            price of your own is needed); or one such name for all rows.
        day: a column of days or moments (a moment without a zone is in UTC), or one day. Without a column
            "day" today's prices hold.
        tier, speed, geo: columns as the provider names them, or one word for all rows. Where nothing is said
            that is "standard", "standard" and no region.

    A row has no price, and never one of 0, where its model, its day, a count or a price is not known.
    Refusals are priced like any answer. Raises ``UsageError`` for columns and counts that cannot be.
    """
    frame = log if isinstance(log, pd.DataFrame) else pd.DataFrame(dict(log))
    named = (input, cache_write_5m, cache_write_1h, cache_read, output, web_searches)
    numbers, unknown = counts(frame, dict(zip(COUNTS, named, strict=True)))
    book, today = prices_now()
    said = [words(frame, name, given) for name, given in zip(_SAID, (model, tier, speed, geo), strict=True)]
    models = said[0].grouped(lambda name: name and canonical(name))
    when = days(frame, day, today).grouped(_span(models, book))
    kinds, which = crossed([models, when, *said[1:]])
    found = [_tariff(book, *kind) for kind in kinds]
    tables = rates([tariff for tariff, _ in found] or [Tariff()])
    try:
        units, known = charge(tables, numbers, which)
    except ValueError as error:
        raise UsageError(f"{error}; drop or correct such rows") from None
    if unknown.any():
        units, known = np.where(unknown, 0, units), known & ~unknown
    reasons = _reasons(known, unknown, which, [why for _, why in found])
    return Costs(units, tables.digits, known, reasons, frame)


def _span(models: Coded, book: PriceBook) -> Callable[[date | None], int | None]:
    """Numbers the spans of days between which no price of these models changes."""
    turns = sorted({day for name in models.values if name for day in book.turns(canonical(name))})
    return lambda day: None if day is None else bisect_right(turns, day)


def _tariff(
    book: PriceBook, model: str | None, day: date | None, tier: str | None, speed: str | None, geo: str | None
) -> tuple[Tariff, str]:
    """What rows of one kind cost, or that they have no price and why."""
    if model is None or day is None:
        return Tariff(), _NO_MODEL if model is None else _NO_DAY
    name = canonical(model)
    bands = tariff(book, name, day, speed or "standard", tier or "standard", geo)
    return (
        (Tariff(), bands)
        if isinstance(bands, str)
        else (Tariff(bands, search_rate(name)), _NO_RATE.format(model))
    )


def _reasons(
    known: npt.NDArray[np.bool_], unknown: npt.NDArray[np.bool_], which: Places | None, whys: Sequence[str]
) -> dict[str, int]:
    """Why rows have no price -> how many, most first."""
    if known.all():
        return {}
    kind = np.zeros(len(known), dtype=np.intp) if which is None else which
    found = Counter({_NO_COUNT: int(unknown.sum())})
    for why, rows in zip(
        whys, np.bincount(kind[~known & ~unknown], minlength=len(whys)).tolist(), strict=True
    ):
        found[why] += rows
    return {why: rows for why, rows in found.most_common() if rows}
