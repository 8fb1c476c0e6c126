"""Columns of a usage log, read: counts as whole numbers, words and days as codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .charges import Array, Places
from .errors import UsageError
from .models import read_day

NEEDED = ("input", "output")

_CELLS = 2**22  # combinations for which a table of all is quicker than sorting


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column by its distinct values.

    Attributes:
        values: each once; None is unknown.
        codes: (n,) the place of each row's value; None where all rows have the first.
    """

    values: Sequence[Any]
    codes: Places | None = None

    def grouped(self, key: Callable[[Any], Any]) -> Coded:
        """The column with the first value of each key in the place of all of them."""
        first: dict[Any, int] = {}
        kept: list[Any] = []
        places = []
        for value in self.values:
            of = key(value)
            if of not in first:
                first[of] = len(kept)
                kept.append(value)
            places.append(first[of])
        return Coded(kept, None if self.codes is None else np.array(places, dtype=np.intp)[self.codes])


def counts(log: pd.DataFrame, named: Mapping[str, str]) -> tuple[dict[str, Array], npt.NDArray[np.bool_]]:
    """Kind -> (n,) whole numbers, for the kinds the log has, and (n,) whether one of them is not known.

    Raises ``UsageError`` for a column that is needed or was named and is not there, and for what is no count.
    """
    unknown, found = np.zeros(len(log), dtype=bool), {}
    for kind, column in named.items():
        if column in log:
            found[kind], lacking = _whole(log[column], column)
            unknown |= lacking
        elif kind in NEEDED or column != kind:
            raise UsageError(f"{_none(log, column)}; name it with {kind}=")
    return found, unknown


def words(log: pd.DataFrame, name: str, given: str) -> Coded:
    """The column called ``given``, or that word for all rows where there is none; None where none is said."""
    if given in log:
        return _coded(log[given], lambda values: [str(value) for value in values])
    if given != name:
        return Coded([given])
    if name == "model":
        raise UsageError(f'{_none(log, name)}; name it with model=, or give one model for all: model="..."')
    return Coded([None])


def days(log: pd.DataFrame, given: str | date, today: date) -> Coded:
    """The UTC days of the column called ``given``, or that day for all rows; ``today`` where none is said."""
    if isinstance(given, datetime):
        return Coded([(given.astimezone(UTC) if given.tzinfo else given).date()])
    if isinstance(given, date):
        return Coded([given])
    if given not in log:
        try:
            return Coded([today if given == "day" else read_day(given)])
        except ValueError as error:
            raise UsageError(f"{_none(log, given)}, and {error}; name a column or a day with day=") from None
    column = log[given]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if column.dtype.kind == "M":
        return _numbered(column.to_numpy().astype("datetime64[D]"))
    return _coded(column, lambda values: _dates(values, given))


def crossed(columns: Sequence[Coded]) -> tuple[list[tuple[Any, ...]], Places | None]:
    """The combinations of values that rows have, and (n,) which of them; None where all have the first."""
    shape = tuple(len(column.values) for column in columns)
    cells: Places | None = None
    for column in columns:
        if cells is not None:
            cells = cells * len(column.values)
        if column.codes is not None:
            cells = column.codes if cells is None else cells + column.codes
    if cells is None:
        return [tuple(column.values[0] for column in columns)], None
    found, which = _distinct(cells, math.prod(shape))
    places = zip(*np.unravel_index(found, shape), strict=True)
    return [tuple(c.values[p] for c, p in zip(columns, place, strict=True)) for place in places], which


def _distinct(cells: Places, size: int) -> tuple[Places, Places]:
    if size > _CELLS:
        found, which = np.unique(cells, return_inverse=True)
        return found, which
    seen = np.zeros(size, dtype=bool)
    seen[cells] = True
    place: Places = np.cumsum(seen) - 1
    return np.flatnonzero(seen), place[cells]


def _coded(column: pd.Series[Any], read: Callable[[Iterable[Any]], list[Any]]) -> Coded:
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, values = pd.factorize(column)
    places: Places = np.asarray(codes, dtype=np.intp)
    found = read(values)
    if len(places) and places.min() < 0:
        places = np.where(places < 0, len(found), places)
        found = [*found, None]
    return Coded(found, places)


def _numbered(column: npt.NDArray[np.datetime64]) -> Coded:
    lacking = np.isnat(column)
    numbers = column.astype(np.int64)
    if lacking.all():
        return Coded([None])
    low, high = int(numbers[~lacking].min()), int(numbers[~lacking].max())
    numbers = np.where(lacking, high + 1, numbers) - low
    found, codes = _distinct(numbers, high - low + 2)
    dates = (found + low).astype("datetime64[D]").tolist()
    return Coded(
        [None if place == high - low + 1 else day for place, day in zip(found, dates, strict=True)], codes
    )


def _dates(values: Iterable[Any], column: str) -> list[date]:
    texts = [str(value) for value in values]
    try:
        moments = pd.to_datetime(pd.Series(texts, dtype=object), utc=True, format="ISO8601")
    except ValueError:
        raise UsageError(
            f"the column {column!r} holds what is no day, such as {_odd(texts)!r}; "
            "give days as 2026-11-22, or moments"
        ) from None
    return [moment.date() for moment in moments]


def _odd(texts: Sequence[str]) -> str:
    for text in texts:
        try:
            pd.to_datetime(text, utc=True, format="ISO8601")
        except ValueError:
            return text
    return texts[0]


def _whole(column: pd.Series[Any], name: str) -> tuple[Array, npt.NDArray[np.bool_]]:
    """(n,) whole numbers, int64 or, where one is too large for that, Python's; and where there is none."""
    lacking = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_bool_dtype(column.dtype):
        raise UsageError(f"the column {name!r} says whether; give numbers of tokens")
    if pd.api.types.is_integer_dtype(column.dtype):
        values = column.fillna(0).to_numpy() if lacking.any() else column.to_numpy()
        large = values.dtype.kind == "u" and values.size and int(values.max()) >= 2**63
        return values.astype(object if large else np.int64, copy=False), lacking
    if pd.api.types.is_float_dtype(column.dtype):
        numbers = np.where(lacking, 0.0, column.to_numpy(dtype=float, na_value=np.nan))
        if (numbers == np.floor(numbers)).all() and np.abs(numbers).max(initial=0.0) < 2**63:
            return numbers.astype(np.int64), lacking
    pairs = zip(column.tolist(), lacking.tolist(), strict=True)
    whole = [0 if missing else _count(value, name) for value, missing in pairs]
    fits = max(whole, default=0) < 2**63 and min(whole, default=0) >= 0
    return np.array(whole, dtype=np.int64 if fits else object), lacking


def _count(value: Any, name: str) -> int:
    try:
        whole = int(value)
        if whole == value and not isinstance(value, bool):
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise UsageError(f"the column {name!r} holds {value!r}, which is no number of tokens; give whole numbers")


def _none(log: pd.DataFrame, column: str) -> str:
    return f"the log has no column {column!r}; it has {[str(name) for name in log.columns]}"
