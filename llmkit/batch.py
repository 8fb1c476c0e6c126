"""Many requests at half the price, answered within a day: a batch fills the recordings in advance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from . import batch_file, batch_jobs
from .amounts import dollars
from .batch_dispatch import Dispatch
from .batch_results import Collected, Status, collected
from .errors import Busy, Interrupted, RateLimited, Rejected, UsageError
from .model import Model
from .progress import progress
from .recordings import recorded
from .render import sentence
from .scope import here
from .session import Session, current, teach
from .task import Task

POLL = 60.0
"""Seconds between two looks at a batch under way; the simulator's time passes with every look."""

_PATIENCE = 20  # failed looks in a row


def batch(
    task: Task,
    models: Sequence[Model],
    *,
    repeats: int = 1,
    budget: float | str | Decimal | None = None,
) -> Batch:
    """What a comparison would ask, to be sent as Message Batches: half the price, within 24 hours.

        batch = kit.batch(task, [sonnet, opus]).submit()
        batch.wait().collect()                  # or in another process, days later: kit.batch(...).collect()
        kit.compare(task, [sonnet, opus])       # replays what was collected, and asks nothing

    The same call finds the same batch again: its state is in a file beside the store, or, with a store in
    memory, lasts as long as the session. Nothing is sent before ``submit``, and nothing that is recorded.

    Args:
        repeats: independent answers per item and model.
        budget: USD it may cost at most, worst cases included; all of it is held before anything is sent.

    Raises ``NotSupported`` for models or settings without batches, ``UsageError`` for a task that is not the
    one under way, or for a batch file that was edited.
    """
    session = current()
    if session.mode == "replay":
        raise UsageError('replay asks nobody; use kit.connect("live") or kit.connect("offline")')
    asked = batch_jobs.questions(task, models, repeats, session)
    teach(task.rehearsal())
    times = f" x {repeats}" if repeats > 1 else ""
    dispatch = Dispatch(
        name=f"{task.name}: {len(task):,} items x {', '.join(model.label for model in models)}{times}",
        asked={question.place: question for question in asked},
        path=batch_jobs.file_of(task, models, repeats, session),
        session=session,
        scope=here().deeper(task.name, _ceiling(session, task, models, budget)),
        digest=batch_jobs.digest(asked),
    )
    return Batch(dispatch)


class Batch:
    """A batch from its first request to its last answer; made by ``kit.batch``."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    @property
    def name(self) -> str:
        """Task, items and models, in words."""
        return self._dispatch.name

    @property
    def path(self) -> Path:
        """The file of its state."""
        return self._dispatch.path

    def submit(self) -> Batch:
        """Send what is neither recorded nor under way. Call it again to go on after a failure.

        The worst case of all of it is held first, under every ceiling; the file is written before and after
        each sending. Raises ``BudgetExceeded`` before anything is sent.
        """
        dispatch = self._dispatch
        with batch_file.held(self.path):
            dispatch.find_lost()
            if all(part.state == "collected" for part in dispatch.state.parts):
                self._prepare()
            waiting = [part for part in dispatch.state.parts if part.state == "prepared"]
            dispatch.reserve(waiting)
            for part in waiting:
                dispatch.send(part)
        return self

    def status(self) -> Status:
        """How far it is, as the provider says now. Raises ``CallError`` where it cannot be asked."""
        dispatch = self._dispatch
        dispatch.state = dispatch.read()
        if any(part.state == "sending" for part in dispatch.state.parts):
            with batch_file.held(self.path):
                dispatch.find_lost()
        return Status(self.name, tuple(dispatch.look(part) for part in dispatch.state.parts))

    def wait(self, *, poll: float | None = None, sleep: Callable[[float], None] = time.sleep) -> Batch:
        """Wait until all of it has ended; interrupt it as you like, the batch goes on without you.

        ``poll`` is in seconds, between two looks. Raises ``UsageError`` if some of it was never sent.
        """
        session = self._dispatch.session
        pause = poll if poll is not None else POLL if session.mode == "live" else 0.0
        total = sum(len(part.custom_ids) for part in self._dispatch.state.parts)
        show = progress(total, title=f"batch of {self.name}", simulated=session.mode == "offline")
        try:
            for status in self._looks(pause, sleep):
                show.update(done=status.done, dollars=Decimal(0), failed=status.failed)
        except KeyboardInterrupt:
            raise Interrupted("stopped waiting; the batch goes on, and .wait() waits for it again") from None
        finally:
            show.close()
        return self

    def collect(self) -> Collected:
        """Record and book the results of all that has ended; say what is missing, and why.

        A request that was errored, canceled or expired costs nothing. One of which nothing can be read may
        have been paid, and stays on the ceilings at its worst.
        """
        dispatch, notes = self._dispatch, list[str]()
        with batch_file.held(self.path):
            dispatch.find_lost()
            for part in dispatch.state.parts:
                if part.state == "sent" and dispatch.look(part).state == "ended":
                    notes += dispatch.book(part)
            rows = [(part, dispatch.rows(part)) for part in dispatch.state.parts]
            return collected(self.name, dispatch.asked, rows, notes)

    def cancel(self) -> Batch:
        """Ask the provider to end it early; what is answered by then is billed, and can be collected."""
        with batch_file.held(self.path):
            self._dispatch.find_lost()
            for part in self._dispatch.state.parts:
                if part.state == "sent" and part.id:
                    try:
                        self._dispatch.service(part).cancel(part.id)
                    except Rejected:  # it has ended
                        continue
        return self

    def __repr__(self) -> str:
        return f"<Batch of {self._words()}>"

    def _repr_html_(self) -> str:
        return sentence(f"Batch of {self._words()}")

    def _words(self) -> str:
        parts = [
            f"{len(part.custom_ids):,} requests {part.state}" + (f" as {part.id}" if part.id else "")
            for part in self._dispatch.state.parts
        ]
        return f"{self.name}: {'; '.join(parts) or f'{len(self._dispatch.asked):,} requests, nothing sent'}"

    def _prepare(self) -> None:
        """Write down what is to be asked: all that is not recorded."""
        dispatch, state = self._dispatch, self._dispatch.state
        have = recorded(dispatch.session.store, (each.key for each in dispatch.asked.values()))
        todo = [each for each in dispatch.asked.values() if each.key not in have]
        more = batch_jobs.parts(todo, state.tag, first=len(state.parts))
        if more:
            dispatch.save(replace(state, parts=(*state.parts, *more)))

    def _looks(self, pause: float, sleep: Callable[[float], None]) -> Iterator[Status]:
        failures = 0
        while True:
            try:
                status, failures = self.status(), 0
            except (Busy, RateLimited):
                failures += 1
                if failures == _PATIENCE:
                    raise
            else:
                yield status
                if any(part.state == "prepared" for part in status.parts):
                    raise UsageError("some of the batch is not sent; call .submit() first")
                if status.ended:
                    return
            sleep(pause)


def _ceiling(
    session: Session, task: Task, models: Sequence[Model], budget: float | str | Decimal | None
) -> tuple[str, ...]:
    if budget is None:
        return ()
    name = f"batch:{session.mode}:{task.fingerprint()}:" + ",".join(model.label for model in models)
    session.ledger.set_ceiling(name, dollars(budget))
    return (name,)
