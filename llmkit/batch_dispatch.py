"""What passes between us and the provider about one batch: held, sent, found again, looked at, booked."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from . import batch_file, catalog, endpoints
from .amounts import nano
from .batch_file import Part, State
from .batch_jobs import Question
from .batch_results import PartStatus, Reading
from .bookings import Booking, Entry
from .errors import CallError, Refused, UsageError
from .providers import messages_batch
from .providers.messages_batch import MessageBatches
from .scope import Scope
from .session import Session

_AT_ONCE = 500  # results booked in one transaction
_CLOCKS_APART = timedelta(minutes=10)
_OPEN = ("reserved", "unknown")


@dataclass(slots=True)
class Dispatch:
    """One batch file and what it is about.

    Attributes:
        asked: every question, by its place.
        scope: the label and the ceilings it is under, besides the session's.
        state: as last read or written; see ``read``.
    """

    name: str
    asked: Mapping[str, Question]
    path: Path
    session: Session
    scope: Scope
    digest: str
    state: State = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.read()

    def read(self) -> State:
        """The file as it is, or a fresh state. Raises ``UsageError`` if another task is under way in it."""
        state = batch_file.read(self.path)
        if state is not None and state.digest != self.digest:
            open_ids = [
                part.id or "one just sent" for part in state.parts if part.state in ("sending", "sent")
            ]
            if open_ids:
                raise UsageError(
                    f"a batch of {state.what!r} is under way ({', '.join(open_ids)}), but prompts, settings "
                    "or models are not what was sent. Collect it with the task as it was, or give the new "
                    f"task another name; to give it up, cancel it and move {str(self.path)!r} away"
                )
            state = None
        tag = uuid.uuid4().hex[:12]
        return state or State(self.digest, tag, self.name, self.session.mode)

    def save(self, state: State) -> None:
        """Have it on disk."""
        batch_file.write(self.path, state)
        self.state = state

    def service(self, part: Part) -> MessageBatches:
        """Of the endpoint it goes to."""
        endpoint = endpoints.find(part.endpoint)
        if endpoint is None:
            raise UsageError(
                f"the batch was sent to the endpoint {part.endpoint!r}; name it again with "
                f"kit.endpoint({part.endpoint!r}, ...)"
            )
        return MessageBatches(partial(self.session.clients.batches, endpoint))

    def question(self, part: Part, custom_id: str) -> Question:
        """What a custom_id asks."""
        return self.asked[custom_id.removeprefix(part.prefix)]

    def rows(self, part: Part) -> dict[str, tuple[Any, ...]]:
        """custom_id -> the last row of the ledger that is about it."""
        return {
            row[0].removeprefix("batch:"): row for row in self.session.ledger.rows_of(f"batch:{part.prefix}")
        }

    def _open_rows(self, part: Part) -> dict[str, int]:
        return {custom_id: row[1] for custom_id, row in self.rows(part).items() if row[2] in _OPEN}

    def reserve(self, waiting: Sequence[Part]) -> None:
        """Hold the worst case of every request that has no hold yet, all or none."""
        entries = []
        for part in waiting:
            held = self._open_rows(part)
            entries += [self._entry(part, id) for id in part.custom_ids if id not in held]
        self.session.ledger.reserve_all(entries)

    def _entry(self, part: Part, custom_id: str) -> Entry:
        question = self.question(part, custom_id)
        target = question.model.target
        worst = catalog.worst(question.request, target=target, session=self.session, batch=True)
        budgets = tuple(dict.fromkeys((*self.session.budgets, *self.scope.budgets)))
        held = None if worst is None else nano(worst)
        names = (f"batch:{custom_id}", question.key, question.source, target.name)
        return Entry(*names, self.scope.label, budgets, held)

    def send(self, part: Part) -> None:
        """Send it, with the file written before and after. A refused one is free, and can be sent again."""
        entries = [self.question(part, custom_id).entry(part.prefix) for custom_id in part.custom_ids]
        body = messages_batch.body(entries)
        self.save(self.state.changed(part.prefix, state="sending", sending=self._now().isoformat()))
        try:
            made = self.service(part).create(body, part.betas)
        except CallError as error:
            if not error.maybe_paid:
                self._release(part, str(error))
                self.save(self.state.changed(part.prefix, state="prepared", sending=None))
            raise
        self._sent(part, made)

    def _now(self) -> datetime:
        """By the provider's clock; the simulator's begins with the catalog's day."""
        if self.session.mode == "offline":
            return datetime.combine(self.session.today(), datetime.min.time(), UTC)
        return datetime.now(UTC)

    def _sent(self, part: Part, made: Mapping[str, Any]) -> None:
        changes = {"state": "sent", "id": made["id"], "created": made["created_at"]}
        self.save(self.state.changed(part.prefix, **changes))
        words = f"in batch {made['id']}, not collected yet"
        rows = self._open_rows(part).values()
        self.session.ledger.settle_all([Booking(row, outcome="batch", error=words) for row in rows])

    def _release(self, part: Part, why: str) -> None:
        rows = self._open_rows(part).values()
        self.session.ledger.settle_all([Booking(row, outcome="error", error=why, free=True) for row in rows])

    def find_lost(self) -> None:
        """Settle the doubt about parts whose sending was cut off: did the provider take them?"""
        self.state = self.read()
        for part in self.state.parts:
            if part.state == "sending":
                found = self._taken(part)
                if found is not None:
                    self._sent(part, found)
                else:
                    self.save(self.state.changed(part.prefix, state="prepared", sending=None))

    def _taken(self, part: Part) -> Mapping[str, Any] | None:
        service, known = self.service(part), batch_file.known_ids(self.path.parent)
        since = datetime.fromisoformat(str(part.sending)) - _CLOCKS_APART
        running = []
        for row in service.since(since):
            if row["id"] in known or sum(row["request_counts"].values()) != len(part.custom_ids):
                continue
            if row["processing_status"] != "ended":
                running.append(row)
            elif row["results_url"] and _first(service, row["id"]).startswith(part.prefix):
                return row
        if len(running) > 1:
            raise CallError(
                f"the sending of {len(part.custom_ids):,} requests was cut off, and any of "
                f"{', '.join(row['id'] for row in running)} may be it: their custom_ids show when they have "
                "ended. Try again then, or cancel them in the provider's console",
                maybe_paid=True,
            )
        return running[0] if running else None

    def look(self, part: Part) -> PartStatus:
        """As the provider says it is now. One that a simulator took with it is prepared again."""
        if part.state != "sent" or part.id is None:
            return PartStatus(part.id, part.endpoint, part.state, len(part.custom_ids), {}, None)
        try:
            row = self.service(part).get(part.id)
        except Refused as error:
            if error.status != 404 or self.session.mode != "offline":
                raise
            self._release(part, "the simulator that had the batch is gone")
            self.save(self.state.changed(part.prefix, state="prepared", id=None, created=None))
            return PartStatus(None, part.endpoint, "prepared", len(part.custom_ids), {}, None)
        counts, state = row["request_counts"], row["processing_status"]
        return PartStatus(part.id, part.endpoint, state, len(part.custom_ids), counts, row["expires_at"])

    def book(self, part: Part) -> list[str]:
        """Record and book the results of a batch that has ended; what is odd about them, in words."""
        asked = {custom_id: self.question(part, custom_id) for custom_id in part.custom_ids}
        day = datetime.fromisoformat(str(part.created)).astimezone(UTC).date()
        reading = Reading(asked, self._open_rows(part), day, self.session)
        bookings: list[Booking] = []
        for line in self.service(part).results(str(part.id)):
            booking = reading.booking(line)
            if booking is not None:
                bookings.append(booking)
            if len(bookings) == _AT_ONCE:
                self.session.ledger.settle_all(bookings)
                bookings = []
        if not reading.seen:
            raise CallError(
                f"the results of {part.id} hold none of our custom_ids, so it is another's batch; nothing "
                f"was booked. Move {str(self.path)!r} away, and look into the provider's console",
                maybe_paid=True,
            )
        self.session.ledger.settle_all([*bookings, *reading.missing()])
        self.save(self.state.changed(part.prefix, state="collected"))
        return reading.notes()


def _first(service: MessageBatches, id: str) -> str:
    return next((line.custom_id for line in service.results(id)), "")
