"""What the ledger says: sums exact to the last digit, by model, day or label, and all rows as a frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from .amounts import EXACT, joined, total, usd
from .errors import UsageError
from .render import table
from .store import Store
from .tables import BUCKETS

if TYPE_CHECKING:
    import pandas as pd

By = Literal["model", "day", "label"]

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
_UNIQUE = frozenset({"id", "started", "ended", "request_id", "response_id", *RAW})

_BY: tuple[By, ...] = ("day", "model", "label")  # the order of the index, so that groups need no sorting
_OPEN = "state IN ('reserved', 'unknown')"
# Together these are exact: whole nano-dollars, the rest to 1e-18, and apart the amounts finer than that.
_SUMS = (
    "count(*), coalesce(sum(CASE WHEN cost_rest IS NOT NULL THEN cost_nano END), 0), "
    f"coalesce(sum(cost_rest), 0), coalesce(sum(CASE WHEN {_OPEN} THEN worst END), 0), "
    f"coalesce(sum(CASE WHEN {_OPEN} THEN coalesce(estimate, worst) END), 0), "
    "coalesce(sum(cost_nano IS NULL AND (state = 'settled' OR (state = 'unknown' AND worst = 0))), 0)"
)
_PAID = "state <> 'released' AND state <> 'reserved'"
# What is only begun is in another index than the rest; one query sees both at one moment.
_PARTS = (_PAID, "state = 'reserved'")
_FINER = "cost_nano IS NOT NULL AND cost_rest IS NULL"


@dataclass(frozen=True, slots=True)
class Spend:
    """USD spent.

    Attributes:
        certain: priced exactly.
        estimate: with what was broken off or is still open at its prompt and the output seen.
        worst: with those at the most they can cost; ceilings are held to this.
        attempts: how many were not certainly free.
        unpriced: those among them whose price nobody knows, nor a worst case; they are in none of the sums.
    """

    certain: Decimal
    estimate: Decimal
    worst: Decimal
    attempts: int
    unpriced: int


def spend(store: Store, where: str = "1", parameters: Sequence[Any] = ()) -> Spend:
    """Of all attempts, or of those an SQL condition on ``attempt`` selects."""
    sums = " UNION ALL ".join(f"SELECT {_SUMS} FROM attempt WHERE {part} AND ({where})" for part in _PARTS)
    rows = store.read(sums, (*parameters, *parameters))
    finer = store.read(f"SELECT cost FROM attempt WHERE {_FINER} AND {_PAID} AND ({where})", parameters)
    return _spend(rows, [Decimal(cost) for (cost,) in finer])


def totals(store: Store, by: By = "model") -> list[tuple[str, str, Spend]]:
    """(value, origin, spend) for each model asked, UTC day or label; dearest first, days in order."""
    if by not in _BY:
        raise UsageError(f'by is {by!r}; it is "model", "day" or "label"')
    at, fields = _BY.index(by), "day, model, label, origin"
    each = (f"SELECT {fields}, {_SUMS} FROM attempt WHERE {part} GROUP BY {fields}" for part in _PARTS)
    groups: defaultdict[tuple[str, str], list[tuple[int, ...]]] = defaultdict(list)
    finer: defaultdict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for row in store.read(" UNION ALL ".join(each)):
        groups[row[at], row[3] or "no answer"].append(row[4:])
    for row in store.read(f"SELECT {fields}, cost FROM attempt WHERE {_FINER} AND {_PAID}"):
        finer[row[at], row[3] or "no answer"].append(Decimal(row[4]))
    found = [(value, origin, _spend(rows, finer[value, origin])) for (value, origin), rows in groups.items()]
    if by == "day":
        return sorted(found, key=lambda row: row[:2])
    return sorted(found, key=lambda row: (-row[2].worst, row[0], row[1]))


def text(store: Store) -> str:
    """The totals by model, and by day and label where there are several, for a terminal."""
    lines = ["Paid, attempt by attempt (USD; simulated answers cost nothing real)"]
    for by, rows in _tables(store):
        width = max(len(str(row[0])) for row in rows)
        lines.append(f"by {by}")
        lines += [
            f"  {value:{width}}  {origin:9} {attempts:>9} attempts  certain {certain}  estimate {likely}  "
            f"at worst {worst}"
            for value, origin, attempts, certain, likely, worst in rows
        ]
    return "\n".join(lines)


def html(store: Store) -> str:
    """The totals by model, and by day and label where there are several, as tables."""
    heads = ["origin", "attempts", "certain, USD", "estimate, USD", "at worst, USD"]
    pages = [
        table([by, *heads], rows, caption=f"Paid, attempt by attempt, by {by}") for by, rows in _tables(store)
    ]
    return "".join(pages) or table(["model", *heads], [], caption="Paid, attempt by attempt")


def frame(store: Store, *, raw: bool = False) -> pd.DataFrame:
    """One row per attempt ever made, oldest first; see ``Ledger.frame``."""
    import numpy as np
    import pandas as pd

    names = (*COLUMNS, *RAW) if raw else COLUMNS
    pieces: list[list[Any]] = [[_array(name, ())] for name in names]
    dollars, words = _Dollars(), _Words()
    for rows in store.chunks(select(names)):
        for name, column, parts in zip(names, zip(*rows, strict=True), pieces, strict=True):
            parts.append(_array(name, _read(name, column, dollars, words)))
    columns = {}
    for name in names:
        whole = np.concatenate(pieces.pop(0))
        whole = _nullable(whole) if name in _COUNTS else whole
        columns[name] = pd.Series(whole, dtype=whole.dtype)  # said, or pandas would try every word
    return pd.DataFrame(columns, copy=False)


def select(names: Sequence[str]) -> str:
    """The query for these columns of all attempts, oldest first."""
    return f"SELECT {', '.join(names)} FROM attempt ORDER BY id"


def plain(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> Iterator[list[Any]]:
    """Rows with nano-dollars as USD."""
    dollars = [name in _DOLLARS for name in names]
    for row in rows:
        yield [usd(v) if d and v is not None else v for v, d in zip(row, dollars, strict=True)]


class _Dollars(dict[int | None, Decimal | None]):
    """Nano-dollars -> USD, each amount made once."""

    def __missing__(self, nanos: int | None) -> Decimal | None:
        self[nanos] = None if nanos is None else usd(nanos)
        return self[nanos]


class _Words(dict[Any, Any]):
    """A word -> its one copy."""

    def __missing__(self, word: Any) -> Any:
        self[word] = word
        return word


def _read(name: str, column: Sequence[Any], dollars: _Dollars, words: _Words) -> Sequence[Any]:
    if name in _DOLLARS:
        return list(map(dollars.__getitem__, column))
    if name == "cost":
        return [None if value is None else Decimal(value) for value in column]
    if name in _COUNTS or name in _SECONDS or name in _UNIQUE:
        return column
    return list(map(words.__getitem__, column))


def _array(name: str, values: Sequence[Any]) -> Any:
    import numpy as np

    if name in _COUNTS or name in _SECONDS:
        return np.array(values, dtype=float)  # None becomes NaN
    return np.array(values, dtype=np.int64 if name == "id" else object)


def _nullable(numbers: Any) -> Any:
    import numpy as np
    import pandas as pd

    lacking = np.isnan(numbers)
    return pd.arrays.IntegerArray(np.where(lacking, 0, numbers).astype(np.int64), lacking)


def _spend(rows: Sequence[tuple[int, ...]], finer: list[Decimal]) -> Spend:
    attempts, nanos, rest, worst, likely, unpriced = (sum(column) for column in zip(*rows, strict=True))
    certain = EXACT.add(joined(nanos, rest), total(finer))
    return Spend(certain, EXACT.add(certain, usd(likely)), EXACT.add(certain, usd(worst)), attempts, unpriced)


def _tables(store: Store) -> Iterator[tuple[str, list[list[Any]]]]:
    by: By
    for by in ("model", "day", "label"):
        found = totals(store, by)
        values = {value for value, *_ in found}
        if by == "model" or len(values) > 1 or (by == "label" and values != {""}):
            rows = [
                [
                    value or "(none)",
                    "SIMULATED" if origin == "simulated" else origin,
                    f"{s.attempts:,}",
                    *(f"{amount:f}" for amount in (s.certain, s.estimate, s.worst)),
                ]
                for value, origin, s in found
            ]
            if rows:
                yield by, rows
