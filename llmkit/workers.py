"""Many calls at once, on daemon threads: an interrupt is felt at once, and a kernel can always exit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from .errors import UsageError

Job = TypeVar("Job")
Result = TypeVar("Result")

_MOST = 1024


def concurrently(
    work: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int = 8
) -> Generator[tuple[Job, Result | Exception], None, None]:
    """Yield each job with its result, or the exception it raised, in the order they finish.

    Jobs are drawn from ``jobs`` lazily, at most twice ``workers`` ahead of the consumer, so memory is
    bounded. When the consumer stops early (``close``, an exception, Interrupt), jobs not yet begun are
    dropped at once; those under way end in the background, on daemon threads, and are still booked.
    """
    if not 1 <= workers <= _MOST:
        raise UsageError(f"workers is {workers!r}; give 1 to {_MOST}")
    source = _Source(jobs, ahead=2 * workers)
    finished: SimpleQueue[tuple[Job, Result | Exception] | BaseException | None] = SimpleQueue()
    for number in range(workers):
        # A copy each, for no two threads may run in one context: labels and ceilings of the caller hold.
        run, name = copy_context().run, f"llmkit-call-{number}"
        threading.Thread(target=run, args=(_toil, work, source, finished), daemon=True, name=name).start()
    ended, cancel = 0, _cancel.get()
    try:
        with cancel.hears(finished) if cancel is not None else nullcontext():
            while ended < workers:
                entry = finished.get()
                if entry is None:
                    ended += 1
                elif isinstance(entry, BaseException):
                    raise entry
                else:
                    source.consumed()
                    yield entry
    finally:
        source.stop()
        _drain(finished)


@contextmanager
def left() -> Iterator[Callable[[float], bool]]:
    """A wait for this block to be left, for ``Call.stopped``: calls under way then send nothing more."""
    event = threading.Event()
    try:
        yield event.wait
    finally:
        event.set()


class Cancel:
    """What Interrupt is to the main thread, for runs on another: ``with cancel.ends(): compare(...)``."""

    def __init__(self) -> None:
        self._event, self._lock = threading.Event(), threading.Lock()
        self._runs: set[SimpleQueue[Any]] = set()

    @property
    def asked(self) -> bool:
        """Whether ``set`` was called."""
        return self._event.is_set()

    def set(self) -> None:
        """End every run within, and every one that begins there later, by a ``KeyboardInterrupt``."""
        with self._lock:
            self._event.set()
            for finished in self._runs:
                finished.put(KeyboardInterrupt())

    def sleep(self, seconds: float) -> None:
        """Wait; raises ``KeyboardInterrupt`` as soon as ``set`` is called."""
        if self._event.wait(seconds):
            raise KeyboardInterrupt

    @contextmanager
    def ends(self) -> Iterator[None]:
        """Runs begun in this block, on this thread, are ended by ``set``."""
        token = _cancel.set(self)
        try:
            yield
        finally:
            _cancel.reset(token)

    @contextmanager
    def hears(self, finished: SimpleQueue[Any]) -> Iterator[None]:
        """For the block, ``set`` puts a ``KeyboardInterrupt`` into this queue."""
        with self._lock:
            self._runs.add(finished)
            if self._event.is_set():
                finished.put(KeyboardInterrupt())
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(finished)


_cancel: ContextVar[Cancel | None] = ContextVar("llmkit_cancel", default=None)


class Turn(threading.Event):
    """Set when the one who is first has left; ``thread`` is the one it runs in."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()


class Turns:
    """Lets the same thing be done once where several threads are about to do it.

    Attributes:
        done: how many have left; while it stays the same, nobody has found out anything.
    """

    def __init__(self) -> None:
        self.done = 0
        # One thread may come back while it is in here: a generator that is collected leaves, too.
        self._lock = threading.RLock()
        self._taken: dict[str, Turn] = {}

    def take(self, key: str) -> Turn | None:
        """None for the first to come, who must ``leave``; for others the turn to wait for."""
        with self._lock:
            if key in self._taken:
                return self._taken[key]
            self._taken[key] = Turn()
            return None

    def leave(self, key: str) -> None:
        """Let those who wait go on."""
        with self._lock:
            self.done += 1
            self._taken.pop(key).set()


class _Source:
    """Hands out jobs to the workers, one at a time, never too far ahead, until it is stopped."""

    def __init__(self, jobs: Iterable[object], *, ahead: int) -> None:
        self._jobs = iter(jobs)
        self._lock = threading.Lock()
        self._room = threading.Semaphore(ahead)
        self._stopped = False

    def take(self) -> tuple[object] | None:
        self._room.acquire()
        with self._lock:
            if self._stopped:
                return None
            for job in self._jobs:
                return (job,)
            self._stopped = True
        self._room.release()
        return None

    def consumed(self) -> None:
        self._room.release()

    def stop(self) -> None:
        # Not under the lock: it may be held by a worker that is drawing the next job.
        self._stopped = True
        for _ in range(_MOST):
            self._room.release()


def _toil(work: Callable[[Job], Result], source: _Source, finished: SimpleQueue[Any]) -> None:
    try:
        while (taken := source.take()) is not None:
            job: Job = taken[0]  # type: ignore[assignment]
            try:
                finished.put((job, work(job)))
            except Exception as error:  # noqa: BLE001 - handed to the consumer, who decides
                finished.put((job, error))
    except BaseException as error:  # noqa: BLE001 - the iterable of jobs failed: the consumer must know
        finished.put(error)
    finally:
        finished.put(None)


def _drain(queue: SimpleQueue[Any]) -> None:
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
