"""The layer that holds the worst case before each attempt and books the exact price after it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator
from contextlib import suppress
from decimal import Decimal
from typing import Any

from .amounts import nano
from .bookings import Entry
from .errors import BudgetExceeded, CallError, StoreError
from .ledger import Ledger
from .model import Model, Wrapper
from .records import Call, Cost, Request, Response


class Metered(Wrapper):
    """Reserves before each attempt, prices and books after it; nothing paid goes unwritten.

    Args:
        budgets: ids of the ceilings in force for every call, asked anew for each.
        seen: USD that a request costs, answered with the text given, for an answer that broke off.
        distrust: called when an answer may belong to another question, as on a connection that is confused.
        timeout: seconds a call may take in all, waits and further attempts included, where it brings no
            deadline of its own.
    """

    def __init__(
        self,
        model: Model,
        ledger: Ledger,
        *,
        endpoint: str,
        price: Callable[[Response], Cost],
        worst: Callable[[Request], Decimal | None],
        budgets: Callable[[], tuple[str, ...]] = tuple,
        seen: Callable[[Request, str], Decimal | None] = lambda request, text: None,
        distrust: Callable[[], None] = lambda: None,
        timeout: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(model)
        self.timeout, self._clock = timeout, clock
        self.ledger, self.endpoint, self.budgets = ledger, endpoint, budgets
        self._price, self._worst, self._seen, self._distrust = price, worst, seen, distrust

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Ask the model inside under a hold on its worst case. Raises ``BudgetExceeded`` before sending."""
        outer = request.call or Call()
        deadline = self._clock() + self.timeout if outer.deadline is None else outer.deadline
        entry = self._entry(request, outer)
        row: Any = self.ledger.reserve(entry, deadline=deadline)
        n = 1

        def again(error: CallError) -> None:
            nonlocal row, n
            n += 1
            try:
                row = self.ledger.next_attempt(row, error, entry, n, deadline)
            except BudgetExceeded:
                row = None  # closed, and none opened in its place
                raise

        pieces: list[str] = []
        try:
            inside = outer.copy()
            inside.deadline, inside.again = deadline, again
            response = yield from _noting(self.model.run(request.with_call(inside)), pieces)
        except BaseException as error:
            if row is not None:
                self.ledger.fail(row, error, self._seen(request, "".join(pieces)))
            raise
        response = response.priced(self._price(response))
        self._settle(row, response, outer)
        outer.kept = outer.keep is not None
        return response

    def _settle(self, row: int, response: Response, call: Call) -> None:
        try:
            self.ledger.settle(row, response, call.keep)
        except CallError:
            self._distrust()
            raise
        except BaseException as error:
            with suppress(StoreError):  # a hold that nobody closes would last as long as this process
                self.ledger.fail(row, error)
            if isinstance(error, StoreError):
                error.response = response
            raise

    def _entry(self, request: Request, call: Call) -> Entry:
        budgets = tuple(dict.fromkeys((*self.budgets(), *call.budgets)))
        worst = self._worst(request)
        held = None if worst is None else nano(worst)
        key = call.asked[1] if call.asked else request.key(self.endpoint, self.name)
        return Entry(uuid.uuid4().hex, key, self.endpoint, self.name, call.label, budgets, held)


def _noting(inner: Generator[str, None, Response], pieces: list[str]) -> Generator[str, None, Response]:
    """Pass the pieces on, and remember them."""
    try:
        while True:
            piece = next(inner)
            pieces.append(piece)
            yield piece
    except StopIteration as stop:
        response: Response = stop.value
        return response
    finally:
        inner.close()
