"""What the ledger says: sums exact to the last digit, by model, day or label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from .amounts import EXACT, joined, total, usd
from .errors import UsageError
from .render import table
from .store import Store

By = Literal["model", "day", "label"]

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

_Groups = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


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
    return _sorted(_read(store), by)


def _read(store: Store) -> _Groups:
    """The sums of every day, model, label and origin, and the amounts the sums leave out."""
    fields = "day, model, label, origin"
    each = (f"SELECT {fields}, {_SUMS} FROM attempt WHERE {part} GROUP BY {fields}" for part in _PARTS)
    finer = f"SELECT {fields}, cost FROM attempt WHERE {_FINER} AND {_PAID}"
    return store.read(" UNION ALL ".join(each)), store.read(finer)


def _sorted(read: _Groups, by: By) -> list[tuple[str, str, Spend]]:
    at = _BY.index(by)
    groups: defaultdict[tuple[str, str], list[tuple[int, ...]]] = defaultdict(list)
    finer: defaultdict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for row in read[0]:
        groups[row[at], row[3] or "no answer"].append(row[4:])
    for row in read[1]:
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


def _spend(rows: Sequence[tuple[int, ...]], finer: list[Decimal]) -> Spend:
    attempts, nanos, rest, worst, likely, unpriced = (sum(column) for column in zip(*rows, strict=True))
    certain = EXACT.add(joined(nanos, rest), total(finer))
    return Spend(certain, EXACT.add(certain, usd(likely)), EXACT.add(certain, usd(worst)), attempts, unpriced)


def _tables(store: Store) -> Iterator[tuple[str, list[list[Any]]]]:
    by: By
    read = _read(store)  # once for all three, which then are of one moment
    for by in ("model", "day", "label"):
        found = _sorted(read, by)
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
