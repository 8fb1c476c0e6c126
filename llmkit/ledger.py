"""What was paid, attempt by attempt, and the ceilings it must not pass.

A row is on disk before the first byte of an attempt leaves, holding the worst it may cost; afterwards it is
settled at the exact price, released if certainly free, or left unknown at its worst. The invariant, at every
instant and after any crash: true bill <= committed <= cap, enforced by the database itself.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import attempts, ceilings, exports, spending
from .amounts import NANO, nano, usd
from .bookings import (
    INSERT,
    INSERT_FREE,
    Booking,
    Entry,
    Held,
    answered,
    held_by,
    priced,
    row_of,
    stated,
    usable,
    used_before,
)
from .ceilings import NoRoom, Realm, Standing
from .errors import BudgetExceeded, CallError, Stopped, StoreError, UsageError
from .owners import alive, this_process
from .records import Response
from .spending import By, Spend
from .store import Store
from .tables import SCHEMA, upgrade

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NANO", "SCHEMA", "Entry", "Ledger", "Spend", "nano"]


class Ledger:
    """Every attempt ever made through a store. Safe for threads, and for processes that share the file."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.store = store
        self._clock = clock
        self._finished = threading.Condition()
        self._queue = threading.Lock()
        self._owner = this_process()
        self._unclosed: list[tuple[int, BaseException, Decimal | None]] = []
        upgrade(store)
        self._recover()

    def set_ceiling(self, budget: str, dollars: Decimal) -> None:
        """Hold all that is booked under ``budget`` to ``dollars``; one below what is spent allows no more."""
        cap = ceilings.checked(dollars)
        self.store.write(lambda connection: ceilings.put(connection, budget, cap))
        self._wake()

    def set_standing(self, realm: Realm, per: Literal["day", "store"], dollars: Decimal | None) -> None:
        """Hold every call of the store, from any process, to USD a UTC day or in all; None lifts it."""
        cap = None if dollars is None else ceilings.checked(dollars)
        self.store.write(
            lambda connection: ceilings.put_standing(connection, realm, per, cap, today=self._now()[:10])
        )
        self._wake()

    def standings(self, budgets: Sequence[str], realm: Realm) -> list[Standing]:
        """How the ceilings of these ids stand, with those of today and of the store."""

        def look(connection: sqlite3.Connection) -> list[Standing]:
            everything = ceilings.of_call(connection, budgets, realm, self._now()[:10])
            return [found for budget in everything if (found := ceilings.standing(connection, budget))]

        return self.store.write(look)

    def left(self, budget: str) -> Decimal:
        """USD not yet committed under a ceiling."""
        rows = self.store.read("SELECT cap - committed FROM budget WHERE id = ?", (budget,))
        if not rows:
            raise UsageError(f"there is no ceiling called {budget!r}")
        return usd(rows[0][0])

    def reserve(self, entry: Entry, *, n: int = 1, deadline: float | None = None) -> int:
        """Write the attempt down and hold its worst case; wait while open calls may still set some free.

        Returns the row's id. Raises ``BudgetExceeded`` when it cannot fit, or not before the deadline.
        """
        self._close_late()
        try:
            if not entry.budgets and (row := self._insert_free(entry, n)) is not None:
                return row
            return self.store.write(lambda connection: self._insert(connection, entry, n))
        except NoRoom as full:
            if not self._may_free(full.budget, entry.worst or 0):
                raise self._too_dear(full, entry) from None
        with self._queue:  # first come, first served
            return self._wait_for_room(entry, n, deadline)

    def reserve_all(self, entries: Sequence[Entry]) -> None:
        """Hold the worst cases of many attempts in one transaction, all of them or none; never waits.

        Raises ``BudgetExceeded`` when they do not fit together.
        """
        try:
            self.store.write(lambda connection: [self._insert(connection, entry, 1) for entry in entries])
        except NoRoom as full:
            worst = usd(sum(entry.worst or 0 for entry in entries))
            raise BudgetExceeded(
                f"{len(entries):,} requests may cost up to ${worst} together, but only "
                f"${self.left(full.budget)} is left under {ceilings.words(full.budget)}; none was sent. "
                "Raise it, lower max_tokens, or ask fewer items"
            ) from None

    def next_attempt(self, row: int, error: CallError, entry: Entry, n: int, deadline: float | None) -> int:
        """Close a failed attempt and reserve the next, in one transaction where there is room."""

        def both(connection: sqlite3.Connection) -> int:
            self._close(connection, row, error)
            return self._insert(connection, entry, n)

        try:
            new_row = self.store.write(both)
        except NoRoom:
            self.fail(row, error)
            return self.reserve(entry, n=n, deadline=deadline)
        self._wake()
        return new_row

    def fail(self, row: int, error: BaseException, seen: Decimal | None = None) -> None:
        """Close an attempt that brought no answer: free if certainly free, else unknown at its worst.

        ``seen`` is what its prompt and the output received would cost, in USD.
        """
        try:
            self.store.write(lambda connection: self._close(connection, row, error, seen))
        except StoreError:
            self._unclosed.append(
                (row, error, seen)
            )  # a full disk, perhaps: the next reservation tries again
            raise
        self._wake()

    def settle(
        self, row: int, response: Response, keep: Callable[[Any, Response], None] | None = None
    ) -> None:
        """Book the answer at its exact price; ``keep`` writes the recording in the same transaction.

        Raises ``CallError`` if the provider's id was already seen with another question: then the answer
        may belong to that question, and the attempt stays unknown.
        """
        fresh = self.store.write(lambda connection: self._book(connection, row, response, keep))
        self._wake()
        if not fresh:
            error = used_before(response)
            self.fail(row, error)
            raise error

    def settle_all(self, bookings: Sequence[Booking]) -> None:
        """Book what came of many attempts, in one transaction.

        An answer whose id was already received for another question is not used; its attempt stays unknown.
        """

        def book(connection: sqlite3.Connection) -> None:
            for booking in bookings:
                if booking.response is None:
                    held = held_by(connection, booking.row)
                    values = {"outcome": booking.outcome, "error": booking.error}
                    state, charge = ("released", 0) if booking.free else ("unknown", held.worst)
                    self._move(connection, held, state, charge, values)
                elif not self._book(connection, booking.row, booking.response, booking.keep):
                    self._close(connection, booking.row, used_before(booking.response))

        self.store.write(book)
        self._wake()

    def rows_of(self, calls: str) -> list[tuple[Any, ...]]:
        """(call, id, state, outcome, error, cost, worst, origin) where the call begins with ``calls``."""
        columns = "call, id, state, outcome, error, cost, worst, origin"
        sql = f"SELECT {columns} FROM attempt WHERE call >= ? AND call < ? ORDER BY id"
        return self.store.read(sql, (calls, calls + "\U0010ffff"))

    def resolve(self, row: int, *, cost: float | str | Decimal, note: str = "") -> None:
        """Book an attempt whose charge nobody learned at what you know it cost (0: nothing was charged).

        Args:
            row: as in the frame's column ``id``; its state is "unknown".
            cost: USD, from the provider's console or bill.
            note: how you know; kept with your word and the time in ``resolutions()``.
        """
        dollars = stated(cost)

        def book(connection: sqlite3.Connection) -> None:
            held = held_by(connection, row)
            if held.state != "unknown":
                raise UsageError(
                    f"attempt {row} is {held.state!r}; only one that is 'unknown' can be given a cost"
                )
            charge = nano(dollars)
            state = "released" if charge == 0 else "over" if charge > held.worst else "settled"
            connection.execute(
                "INSERT INTO resolution(attempt, at, charged_before, cost, note) VALUES(?, ?, ?, ?, ?)",
                (row, self._now(), held.charged, str(dollars), note),
            )
            self._move(connection, held, state, charge, priced(dollars))

        self.store.write(book)
        self._wake()

    def resolutions(self) -> list[tuple[int, str, Decimal, Decimal, str]]:
        """(row, when, USD charged before, cost, note) of every attempt a user gave a cost, oldest first."""
        sql = "SELECT attempt, at, charged_before, cost, note FROM resolution ORDER BY id"
        return [(row, at, usd(b), Decimal(cost), note) for row, at, b, cost, note in self.store.read(sql)]

    def spend(self, where: str = "1", parameters: Sequence[Any] = ()) -> Spend:
        """What was spent, over all attempts or those an SQL condition on ``attempt`` selects."""
        return spending.spend(self.store, where, parameters)

    def totals(self, by: By = "model") -> list[tuple[str, str, Spend]]:
        """(value, origin, spend) for each model asked, UTC day or label; dearest first, days in order."""
        return spending.totals(self.store, by)

    def frame(self, *, raw: bool = False) -> pd.DataFrame:
        """One row per attempt ever made, oldest first. ``cost`` is the exact Decimal, None if unknown;
        ``charged`` (USD) is what the ceilings count: the worst case where the price never became known.
        With ``raw`` also the ids of calls and questions, the provider's own usage and the bill's lines."""
        return attempts.frame(self.store, raw=raw)

    def to_csv(self, path: str | Path) -> None:
        """Write every attempt to a CSV file, amounts exact; an existing file is replaced once it is whole."""
        exports.to_csv(self.store, path)

    def to_parquet(self, path: str | Path) -> None:
        """Write every attempt to a Parquet file, amounts as decimals. Needs pyarrow."""
        exports.to_parquet(self.store, path)

    def __repr__(self) -> str:
        return spending.text(self.store)

    def _repr_html_(self) -> str:
        return spending.html(self.store)

    def _insert_free(self, entry: Entry, n: int) -> int | None:
        """Write down an attempt that no ceiling holds; None, and nothing written, where one does."""
        realm = ceilings.realm_of(entry.endpoint)
        values = row_of(entry, n, [], self._owner, self._now())
        return self.store.write_one(INSERT_FREE, (*values, *ceilings.of_all(realm)))

    def _insert(self, connection: sqlite3.Connection, entry: Entry, n: int) -> int:
        now = self._now()
        budgets = ceilings.of_call(connection, entry.budgets, ceilings.realm_of(entry.endpoint), now[:10])
        if entry.worst is None and budgets:
            raise BudgetExceeded(
                f"no price is known for {entry.model}, so its worst case cannot be held to "
                f"{ceilings.words(budgets[0])}; it was not sent. Lift it, or use a model with a price"
            )
        ceilings.hold(connection, budgets, entry.worst or 0)
        cursor = connection.execute(INSERT, row_of(entry, n, budgets, self._owner, now))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _book(
        self,
        connection: sqlite3.Connection,
        row: int,
        response: Response,
        keep: Callable[[Any, Response], None] | None,
    ) -> bool:
        """Whether the answer was booked; False if its id was already seen with another question."""
        held = held_by(connection, row, response.response_id)
        if held.elsewhere:
            return False
        total = usable(response)
        values = answered(response, total)
        if total is None and (held.worst or response.usage is None):
            self._move(connection, held, "unknown", held.worst, values)
        else:
            charge = nano(total or Decimal(0))
            self._move(connection, held, "over" if charge > held.worst else "settled", charge, values)
        if keep is not None:
            keep(connection, response)
        return True

    def _close(
        self, connection: sqlite3.Connection, row: int, error: BaseException, seen: Decimal | None = None
    ) -> None:
        # A UsageError and Stopped are raised before anything is sent.
        unsent = isinstance(error, UsageError | Stopped)
        free = unsent or (isinstance(error, CallError) and not error.maybe_paid)
        held = held_by(connection, row)
        values = {
            "outcome": "error",
            "error": f"{type(error).__name__}: {error}",
            "request_id": getattr(error, "request_id", None),
            "estimate": None if free or seen is None else min(nano(seen), held.worst),
        }
        self._move(connection, held, "released" if free else "unknown", 0 if free else held.worst, values)

    def _move(
        self, connection: sqlite3.Connection, held: Held, state: str, charge: int, values: dict[str, Any]
    ) -> None:
        if held.state not in ("reserved", "unknown"):
            raise UsageError(f"attempt {held.row} is already {held.state}; it cannot become {state}")
        names = ", ".join(f"{name} = ?" for name in values)
        connection.execute(
            f"UPDATE attempt SET state = ?, charged = ?, ended = ?, {names} WHERE id = ?",
            (state, charge, self._now(), *values.values(), held.row),
        )
        if held.budgets != "[]":
            ceilings.correct(connection, json.loads(held.budgets), held.charged, charge)

    def _close_late(self) -> None:
        while self._unclosed:
            try:
                late = self._unclosed.pop()
            except IndexError:  # another thread was quicker
                return
            with suppress(UsageError):  # it was closed after all
                self.fail(*late)

    def _wait_for_room(self, entry: Entry, n: int, deadline: float | None) -> int:
        while True:
            try:
                return self.store.write(lambda connection: self._insert(connection, entry, n))
            except NoRoom as full:
                self._recover()
                if not self._may_free(full.budget, entry.worst or 0):
                    raise self._too_dear(full, entry) from None
                if deadline is not None and time.monotonic() > deadline:
                    raise self._too_dear(full, entry) from None
            with self._finished:
                self._finished.wait(0.1)  # other processes cannot wake us

    def _may_free(self, budget: str, worst: int) -> bool:
        open_rows = (
            "SELECT coalesce(sum(worst), 0) FROM attempt, json_each(attempt.budgets) AS held "
            "WHERE state = 'reserved' AND held.value = ?1"
        )
        sql = f"SELECT excess = 0 AND cap - committed + ({open_rows}) >= ?2 FROM budget WHERE id = ?1"
        rows = self.store.read(sql, (budget, worst))
        return bool(rows and rows[0][0])

    def _too_dear(self, full: NoRoom, entry: Entry) -> BudgetExceeded:
        return BudgetExceeded(
            f"the next call to {entry.model} may cost up to ${usd(entry.worst or 0)}, but only "
            f"${full.left} is left under {ceilings.words(full.budget)}; it was not sent. Raise it, or "
            "lower max_tokens" + ceilings.odd_day(full.budget, self._now()[:10])
        )

    def _recover(self) -> None:
        owners = self.store.read("SELECT DISTINCT owner FROM attempt WHERE state = 'reserved'")
        dead = [owner for (owner,) in owners if owner != self._owner and not alive(owner)]
        if not dead:
            return
        sql = (
            "UPDATE attempt SET state = 'unknown', error = 'its process ended before the answer was booked' "
            "WHERE state = 'reserved' AND owner = ?"
        )
        self.store.write(lambda connection: connection.executemany(sql, [(owner,) for owner in dead]))

    def _wake(self) -> None:
        with self._finished:
            self._finished.notify_all()

    def _now(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")
