"""Ceilings as the database keeps them: what is held under each, and which hold every call of a store.

Every function runs inside the caller's transaction. The table ``budget`` counts what is committed under a
ceiling and refuses to pass its cap; ``ceiling`` keeps those of the day and of the store, for every process.
Simulated money and real money are counted apart ("simulated", "paid").
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from .amounts import MOST, nano, usd
from .errors import UsageError

Realm = Literal["paid", "simulated"]

_HOLD = "UPDATE budget SET committed = committed + ?1 WHERE id = ?2 AND committed + ?1 <= cap AND excess = 0"
_CORRECT = (
    "UPDATE budget SET committed = min(cap, committed - ?1 + ?2), "
    "excess = excess + max(0, committed - ?1 + ?2 - cap) WHERE id = ?3"
)
_SET = (
    "INSERT INTO budget(id, cap, committed) VALUES(?1, max(?2, ?3), ?3) "
    "ON CONFLICT(id) DO UPDATE SET cap = max(committed, ?2)"
)
# A cap raised above all that was charged takes up the excess, and the ceiling is no longer frozen.
_THAW = (
    "UPDATE budget SET committed = committed + excess, excess = 0 "
    "WHERE id = ? AND excess > 0 AND cap >= committed + excess"
)


class NoRoom(Exception):
    """The worst case does not fit under the ceiling named ``budget``, of which ``left`` USD are free."""

    def __init__(self, budget: str, left: Decimal) -> None:
        super().__init__(budget)
        self.budget, self.left = budget, left


@dataclass(frozen=True, slots=True)
class Standing:
    """A ceiling now, in USD.

    Attributes:
        certain: settled, each attempt rounded up to a nano-dollar.
        estimate: with open and unknown attempts at what they probably cost.
        worst: with those at the most they can cost; what is held to ``cap``.
    """

    id: str
    cap: Decimal
    certain: Decimal
    estimate: Decimal
    worst: Decimal

    @property
    def left(self) -> Decimal:
        """USD that may still be committed."""
        return max(Decimal(0), self.cap - self.worst)


def realm_of(endpoint: str) -> Realm:
    """Which money an endpoint takes."""
    return "simulated" if endpoint == "simulator" else "paid"


def checked(dollars: Decimal) -> int:
    """A ceiling in nano-dollars. Raises ``UsageError`` for an amount that cannot be one."""
    if not dollars.is_finite() or dollars <= 0:
        raise UsageError(f"the ceiling is {dollars}; give an amount in USD above 0")
    if dollars > MOST or nano(dollars, up=False) == 0:
        raise UsageError(f"the ceiling is {dollars}; give an amount from 0.000000001 to {MOST:,} USD")
    return nano(dollars, up=False)


def put(connection: sqlite3.Connection, budget: str, cap: int) -> None:
    """Make a ceiling or move it; one below what is committed allows no more."""
    connection.execute(_SET, (budget, cap, 0))
    connection.execute(_THAW, (budget,))


def put_standing(
    connection: sqlite3.Connection, realm: Realm, per: str, cap: int | None, *, today: str
) -> None:
    """Hold each UTC day, or the whole store, to a cap from now on, what was spent so far included.

    A ``cap`` of None lifts the ceiling.
    """
    scope = f"{realm}:{per}"
    budget = _day(connection, realm, today) if per == "day" else scope
    if cap is None:
        connection.execute("DELETE FROM ceiling WHERE scope = ?", (scope,))
        connection.execute("DELETE FROM budget WHERE id = ?", (budget,))
        return
    connection.execute("INSERT OR REPLACE INTO ceiling VALUES(?, ?)", (scope, cap))
    if not connection.execute("SELECT 1 FROM budget WHERE id = ?", (budget,)).fetchone():
        _take_over(connection, budget, realm, cap, today if per == "day" else None)
    put(connection, budget, cap)


def of_all(realm: Realm) -> tuple[str, str]:
    """The scopes of the ceilings that may hold every call."""
    return f"{realm}:store", f"{realm}:day"


def of_call(connection: sqlite3.Connection, given: Sequence[str], realm: Realm, today: str) -> list[str]:
    """All ceilings of a call: those it brings, and those of the day and the store."""
    held = list(given)
    for scope, cap in connection.execute("SELECT scope, cap FROM ceiling WHERE scope >= ?", (realm,)):
        if scope == f"{realm}:store":
            held.append(scope)
        elif scope == f"{realm}:day":
            day = _day(connection, realm, today)
            connection.execute("INSERT OR IGNORE INTO budget(id, cap) VALUES(?, ?)", (day, cap))
            held.append(day)
    return held


def hold(connection: sqlite3.Connection, budgets: Sequence[str], worst: int) -> None:
    """Commit a worst case under all of these ceilings. Raises ``NoRoom``; then the caller rolls back."""
    for budget in budgets:
        if connection.execute(_HOLD, (worst, budget)).rowcount == 0:
            found = connection.execute(
                "SELECT cap - committed FROM budget WHERE id = ?", (budget,)
            ).fetchone()
            raise NoRoom(budget, usd(found[0]) if found else Decimal(0))


def correct(connection: sqlite3.Connection, budgets: Sequence[str], held: int, charge: int) -> None:
    """Put a charge in the place of what was held; what passes the cap freezes the ceiling as excess."""
    if held != charge:
        for budget in budgets:
            connection.execute(_CORRECT, (held, charge, budget))


def standing(connection: sqlite3.Connection, budget: str) -> Standing | None:
    """How a ceiling stands; None if there is none of that id."""
    row = connection.execute("SELECT cap, committed, excess FROM budget WHERE id = ?", (budget,)).fetchone()
    if row is None:
        return None
    under = (
        "SELECT coalesce(sum(worst), 0), coalesce(sum(coalesce(estimate, worst)), 0) FROM attempt, "
        "json_each(attempt.budgets) AS held WHERE state IN ('reserved', 'unknown') AND held.value = ?"
    )
    worst, likely = connection.execute(under, (budget,)).fetchone()
    cap, committed, excess = row
    certain = committed + excess - worst
    return Standing(budget, *map(usd, (cap, certain, certain + likely, committed + excess)))


def words(budget: str) -> str:
    """A ceiling's id as people read it."""
    kind, _, rest = budget.partition(":")
    if kind in ("paid", "simulated"):
        kind, _, rest = rest.partition(":")
    return {
        "session": "the ceiling of this session",
        "block": "the ceiling of this block",
        "day": f"the ceiling of the day {rest} (UTC)",
        "store": "the ceiling of this store",
        "batch": "the ceiling of this batch",
    }.get(kind, "the ceiling of this comparison" if ":compare:" in budget else f"the ceiling {budget!r}")


def odd_day(budget: str, today: str) -> str:
    """A sentence more where the clock was ahead once; else nothing."""
    kind, day = budget.partition(":")[2][:4], budget[-10:]
    if kind != "day:" or day <= today:
        return ""
    return (
        f". The clock says {today}, but calls were already booked on {day}; a day's ceiling never goes back"
    )


def _day(connection: sqlite3.Connection, realm: Realm, today: str) -> str:
    """The day's ceiling; never an earlier day than one that already has calls, whatever the clock says."""
    latest = connection.execute(
        "SELECT max(id) FROM budget WHERE id BETWEEN ?1 || ':day:' AND ?1 || ':day:~'", (realm,)
    ).fetchone()[0]
    return max(latest or "", f"{realm}:day:{today}")


def _take_over(connection: sqlite3.Connection, budget: str, realm: Realm, cap: int, day: str | None) -> None:
    """Count what was spent before the ceiling was set; what is still open is corrected when it closes."""
    mine = "endpoint = 'simulator'" if realm == "simulated" else "endpoint <> 'simulator'"
    mine += "" if day is None else " AND day = ?"
    values = () if day is None else (day,)
    spent = connection.execute(f"SELECT coalesce(sum(charged), 0) FROM attempt WHERE {mine}", values)
    connection.execute(_SET, (budget, cap, spent.fetchone()[0]))
    connection.execute(
        f"UPDATE attempt SET budgets = json_insert(budgets, '$[#]', ?) WHERE {mine} AND "
        "state IN ('reserved', 'unknown') AND NOT EXISTS "
        "(SELECT 1 FROM json_each(attempt.budgets) AS held WHERE held.value = ?)",
        (budget, *values, budget),
    )
