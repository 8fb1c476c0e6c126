"""Every attempt of a store as a frame, column by column."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from .amounts import usd
from .store import Store
from .tables import BUCKETS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("id", "day", "started", "ended", "model", "served", "endpoint", "origin", "label", "state"),
    *("outcome", "cost", "charged", "estimate", "worst", "n", *BUCKETS, "tier", "speed", "geo"),
    *("latency", "first_token", "request_id", "response_id", "error"),
)
RAW = ("call", "request_key", "usage", "items")
"""Further columns: what joins the attempts of a call, the question's key, and as JSON the provider's own
usage and the lines of the bill."""

_DOLLARS = ("charged", "estimate", "worst")
_COUNTS = ("n", *BUCKETS)
_SECONDS = ("latency", "first_token")
_WORDS = (
    *("day", "model", "served", "endpoint", "origin", "label", "state", "outcome", "tier", "speed", "geo"),
)
_KEPT = 100_000  # costs known by their text: bounds what is held beside the frame
_AT_ONCE = 500  # rows; turned into columns while they are still in the processor's cache


def frame(store: Store, *, raw: bool = False) -> pd.DataFrame:
    """One row per attempt ever made, oldest first; see ``Ledger.frame``."""
    import numpy as np
    import pandas as pd

    names = (*COLUMNS, *RAW) if raw else COLUMNS
    single = [name for name in names if name not in _WORDS]
    total = store.read("SELECT count(*) FROM attempt")[0][0]
    # Words come in few combinations: each is read once, and a row only says which it has.
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    which = np.empty(total, dtype=np.int32)
    whole = {name: np.empty(total, dtype=_type(name)) for name in single}
    costs, done = _Costs(), 0
    combined = f"json_array({', '.join(_WORDS)})"
    for rows in store.chunks(f"{select((combined, *map(_read, single)))} LIMIT {total}", rows=_AT_ONCE):
        here = slice(done, done := done + len(rows))
        words, *columns = zip(*rows, strict=True)
        which[here] = [numbers[word] for word in words]
        for name, column in zip(single, columns, strict=True):
            whole[name][here] = [*map(costs.__getitem__, column)] if name == "cost" else column
    series = _words(list(numbers), which[:done])
    for name in single:
        series[name] = _final(name, whole.pop(name)[:done])
    # Their types are said, or pandas would try every word.
    dtypes = {name: column.dtype for name, column in series.items()}
    typed = {name: pd.Series(series.pop(name), dtype=dtypes[name], copy=False) for name in names}
    return pd.DataFrame(typed, copy=False)


def select(names: Sequence[str]) -> str:
    """The query for these columns of all attempts, oldest first."""
    return f"SELECT {', '.join(names)} FROM attempt ORDER BY id"


def plain(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> Iterator[list[Any]]:
    """Rows with nano-dollars as USD."""
    dollars = [name in _DOLLARS for name in names]
    for row in rows:
        yield [usd(v) if d and v is not None else v for v, d in zip(row, dollars, strict=True)]


class _Costs(dict[str | None, Decimal | None]):
    """An amount as text -> the Decimal; one that comes again is made once, up to so many."""

    def __missing__(self, text: str | None) -> Decimal | None:
        made = None if text is None else Decimal(text)
        if len(self) < _KEPT:
            self[text] = made
        return made


def _words(combinations: Sequence[str], which: Any) -> dict[str, Any]:
    """The columns of words, by name; every word is one object however often it stands there."""
    import numpy as np

    same: dict[Any, Any] = {}
    columns: dict[str, Any] = {name: np.empty(len(combinations), dtype=object) for name in _WORDS}
    for at, text in enumerate(combinations):
        for name, word in zip(_WORDS, json.loads(text), strict=True):
            columns[name][at] = same.setdefault(word, word)
    return {name: column[which] for name, column in columns.items()}


def _read(name: str) -> str:
    """What is selected for a column: an amount nobody knows as -1, which no amount is."""
    return f"coalesce({name}, -1)" if name in _DOLLARS else name


def _type(name: str) -> type:
    if name in _COUNTS or name in _SECONDS:
        return float  # None becomes NaN
    return int if name == "id" or name in _DOLLARS else object


def _final(name: str, values: Any) -> Any:
    if name in _COUNTS:
        return _nullable(values)
    return _dollars(values) if name in _DOLLARS else values


def _dollars(nanos: Any) -> Any:
    """Nano-dollars as USD, each amount made once; None for -1."""
    import numpy as np

    amounts, which = np.unique(nanos, return_inverse=True)
    made = np.empty(len(amounts), dtype=object)
    made[:] = [None if amount < 0 else usd(amount) for amount in amounts.tolist()]
    return made[which]


def _nullable(numbers: Any) -> Any:
    import numpy as np
    import pandas as pd

    lacking = np.isnan(numbers)
    return pd.arrays.IntegerArray(np.where(lacking, 0, numbers).astype(np.int64), lacking)
