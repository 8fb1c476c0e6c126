"""What the ledger is told of an attempt before and after it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .amounts import MOST, split
from .errors import CallError, UsageError
from .records import Response
from .tables import BUCKETS


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of an attempt before it is sent."""

    call: str
    request_key: str
    endpoint: str
    model: str
    label: str
    budgets: tuple[str, ...]
    worst: int | None  # nano-dollars; None where no price is known


@dataclass(frozen=True, slots=True)
class Booking:
    """What came of one attempt of many: an answer, or its outcome and why it has none.

    Attributes:
        keep: writes the recording in the same transaction.
        free: that an attempt without an answer certainly cost nothing; else it stays unknown at its worst.
    """

    row: int
    response: Response | None = None
    keep: Callable[[Any, Response], None] | None = None
    outcome: str = "error"
    error: str = ""
    free: bool = False


def usable(response: Response) -> Decimal | None:
    """The price to book; None where it is unknown or cannot be one."""
    total = response.cost.total
    return total if total is not None and total.is_finite() and 0 <= total <= MOST else None


def answered(response: Response, total: Decimal | None) -> dict[str, Any]:
    """What a row holds of an answer and its price."""
    usage = response.usage
    values = {
        "items": json.dumps([[i.kind, i.quantity, str(i.rate), i.row] for i in response.cost.items]),
        "served": response.model,
        "response_id": response.response_id,
        "request_id": response.request_id,
        "usage": json.dumps(dict(usage.raw)) if usage else None,
        "outcome": response.outcome,
        "latency": response.latency,
        "first_token": response.first_token,
        "origin": response.origin,
    }
    if usage is not None:
        values |= {name: getattr(usage, name) for name in (*BUCKETS, "tier", "speed", "geo")}
    return values if total is None else values | priced(total)


def priced(total: Decimal) -> dict[str, Any]:
    """What a row holds of a price."""
    whole, rest = split(total)
    return {"cost": str(total), "cost_nano": whole, "cost_rest": rest}


def stated(cost: float | str | Decimal) -> Decimal:
    """USD as a user states it. Raises ``UsageError`` for what is no amount."""
    try:
        dollars = Decimal(str(cost))
    except ArithmeticError:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or not 0 <= dollars <= MOST:
        raise UsageError(f"the cost is {cost!r}; give USD as a number, 0 if nothing was charged")
    return dollars


def used_before(response: Response) -> CallError:
    """For an answer whose id was already received with another question."""
    return CallError(
        f"the answer {response.response_id!r} was already received for another question; it is not "
        "used, for it may belong to that one. Run again",
        maybe_paid=True,
    )


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that is there.

    Attributes:
        worst, charged: nano-dollars.
        budgets: ids of its ceilings, as JSON.
        elsewhere: whether the answer's id was received for another question.
    """

    row: int
    state: str
    worst: int
    charged: int
    budgets: str
    elsewhere: int


_INTO = (
    "INSERT INTO attempt(call, n, budgets, state, worst, charged, owner, request_key, endpoint, model, "
    "label, started, day)"
)
_VALUES = "?, ?, ?, 'reserved', ?, ?, ?, ?, ?, ?, ?, ?, ?"
_HELD = (
    "SELECT id, state, worst, charged, budgets, ?2 IS NOT NULL AND EXISTS (SELECT 1 FROM attempt AS old "
    "WHERE old.response_id = ?2 AND old.id <> ?1 AND old.endpoint = new.endpoint "
    "AND old.request_key <> new.request_key) FROM attempt AS new WHERE id = ?1"
)
INSERT = f"{_INTO} VALUES({_VALUES})"
"""Writes an attempt down; takes ``row_of``."""
INSERT_FREE = f"{_INTO} SELECT {_VALUES} WHERE NOT EXISTS (SELECT 1 FROM ceiling WHERE scope IN (?, ?))"
"""The same where neither of two ceilings is there; takes ``row_of`` and their scopes."""


def row_of(entry: Entry, n: int, budgets: Sequence[str], owner: str, now: str) -> tuple[Any, ...]:
    """The row of an attempt that is about to be sent."""
    worst = entry.worst or 0
    held = json.dumps(budgets) if budgets else "[]"
    asked = (entry.request_key, entry.endpoint, entry.model, entry.label)
    return (entry.call, n, held, worst, worst, owner, *asked, now, now[:10])


def held_by(connection: sqlite3.Connection, row: int, response_id: str | None = None) -> Held:
    """An attempt, and whether this answer came for another. Raises ``UsageError`` if there is none."""
    found = connection.execute(_HELD, (row, response_id)).fetchone()
    if found is None:
        raise UsageError(f"there is no attempt {row}; the frame's column ``id`` names those there are")
    return Held(*found)
