"""One SQLite file: what was acknowledged is on disk; one writer a process, many readers, many processes."""

from __future__ import annotations

import atexit
import os
import signal
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from .errors import StoreError
from .store_errors import Explained, is_busy
from .workers import Turns

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_APPLICATION = 0x6C6C6D6B  # "llmk": marks the file as ours
_MAGIC = b"SQLite format 3\x00"
_GROUP = 256  # writes that share one commit, and so one fsync, at most
_CHECK_BELOW = 32_000_000  # bytes up to which the whole file is checked when it is opened

_foreign = (
    signal.getsignal(signal.SIGINT) is None
)  # whoever embeds Python handles it, and it cannot be put back

_open_stores: weakref.WeakSet[Store] = weakref.WeakSet()


class Store:
    """A SQLite file, or memory. ``write`` returns once the change is durable.

    Args:
        path: the file, created with mode 0600 when missing, or ":memory:".
        schema: SQL run at opening (``CREATE ... IF NOT EXISTS``).
        patience: seconds to wait for another process that holds the file.

    Attributes:
        turns: for those who would otherwise find out the same thing twice.

    Raises ``StoreError`` when the file is damaged, is not a store of llmkit, or cannot be written.
    """

    def __init__(self, path: str | Path = ":memory:", *, schema: str = "", patience: float = 30.0) -> None:
        self.path = str(path)
        self.in_memory = self.path == ":memory:"
        self.durability = "memory"
        self.turns = Turns()
        self._patience = patience
        self._explained = Explained(self.path, patience)
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # whoever has it writes
        self._pid = os.getpid()
        self._queue: SimpleQueue[tuple[Work[Any], Future[Any]] | None] = SimpleQueue()
        self._readers: list[sqlite3.Connection] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        with self._explained:
            self._writer = self._open_first(schema)
        _open_stores.add(self)

    def write(self, work: Work[T]) -> T:
        """Run ``work(connection)`` in a transaction and return its result after the commit.

        Callers that come together share a commit; each has a savepoint of its own, so that one that
        raises is rolled back alone and gets its exception.
        """
        self._refuse_fork()
        if self.in_memory:
            with self._explained, self._lock:
                self._refuse_closed()
                return _alone(self._writer, work, 0.0)
        with self._explained:
            # All of it, so that no Interrupt leaves a transaction open or the turn taken.
            done = _uninterrupted(lambda: self._at_once(work))
            if done:
                return done[0]
            future: Future[T] = Future()
            with self._lock:
                self._refuse_closed()
                self._start_writer()
                self._queue.put((work, future))
            return future.result()

    def write_one(self, sql: str, parameters: Sequence[Any]) -> int | None:
        """Run one statement that inserts a row at most; the row's id after the commit, None without one."""

        def work(connection: sqlite3.Connection) -> int | None:
            cursor = connection.execute(sql, parameters)
            return cursor.lastrowid if cursor.rowcount else None

        self._refuse_fork()
        with self._explained:
            if self.in_memory:
                with self._lock:
                    self._refuse_closed()
                    return work(self._writer)  # a statement is a transaction
            done = _uninterrupted(lambda: self._at_once(work, begin=False))
        return done[0] if done else self.write(work)

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, on a connection of its own, outside any transaction."""
        self._refuse_fork()
        if self.in_memory:
            with self._lock, self._explained:
                return self._writer.execute(sql, parameters).fetchall()
        with self._explained:
            connection = self._readers.pop() if self._readers else self._connect()
            try:
                return connection.execute(sql, parameters).fetchall()
            finally:
                if self._closed:
                    connection.close()
                else:
                    self._readers.append(connection)

    def chunks(self, sql: str, *, rows: int = 20_000) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, so many at a time, all of one moment."""
        self._refuse_fork()
        if self.in_memory:
            everything = self.read(sql)
            yield from (everything[at : at + rows] for at in range(0, len(everything), rows))
            return
        with self._explained:
            connection = self._connect()
            try:
                cursor = connection.execute(sql)
                while chunk := cursor.fetchmany(rows):
                    yield chunk
            finally:
                connection.close()

    def close(self) -> None:
        """Finish what is queued, then close the file. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        if self._pid != os.getpid():
            return
        if self._thread is not None:
            self._thread.join(timeout=self._patience)
        # In memory, calls that were left behind may be reading on the one connection.
        with self._turn, self._lock:
            for connection in [self._writer, *self._readers]:
                connection.close()
            self._readers.clear()

    def __del__(self) -> None:
        if hasattr(self, "_writer"):  # else it never opened
            self.close()

    def _open_first(self, schema: str) -> sqlite3.Connection:
        if not self.in_memory:
            file = Path(self.path)
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            self._look_first(file)
        connection = self._connect()
        try:
            if not self.in_memory:
                self.durability = _set_durable(connection)
            connection.executescript(f"PRAGMA application_id={_APPLICATION}; {schema}")
            if self.durability.startswith("WAL"):  # the writer waits by itself, and only to begin
                connection.execute("PRAGMA busy_timeout=0")
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Connections move between threads, but only one uses each at a time.
        connection = sqlite3.connect(
            self.path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        if self.durability.startswith(("WAL", "DELETE")):
            connection.execute(
                f"PRAGMA synchronous={'FULL' if self.durability.startswith('WAL') else 'EXTRA'}"
            )
        return connection

    def _look_first(self, file: Path) -> None:
        # Only to read: a connection that may write brings the log into a damaged file as it closes.
        with file.open("rb") as raw:
            if raw.read(len(_MAGIC)) not in (_MAGIC, b""):
                raise sqlite3.DatabaseError("file is not a database")
        uri = f"{file.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=self._patience)) as connection:
            self._check(connection)

    def _check(self, connection: sqlite3.Connection) -> None:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and mark != _APPLICATION:
            raise StoreError(f"{self.path!r} is a database of another program; give store= another path")
        if Path(self.path).stat().st_size < _CHECK_BELOW:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(f"malformed: {' '.join(verdict.split())}")

    def _start_writer(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_groups, daemon=True, name="llmkit-store")
            self._thread.start()

    def _write_groups(self) -> None:
        ended = False
        while not ended:
            group = [self._queue.get()]
            while len(group) < _GROUP:
                try:
                    group.append(self._queue.get_nowait())
                except Empty:
                    break
            ended = None in group
            with self._turn:
                _commit(self._writer, [entry for entry in group if entry is not None], self._patience)

    def _at_once(self, work: Work[T], *, begin: bool = True) -> tuple[T] | None:
        """The result of ``work``, written here and now; None where somebody else writes.

        Without ``begin`` it is one statement, which is a transaction by itself.
        """
        if not self._turn.acquire(blocking=False):
            return None
        try:
            self._refuse_closed()
            if not self._queue.empty() or not self.durability.startswith("WAL"):
                return None
            try:
                if not begin:
                    return (work(self._writer),)
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                return None
            return (_alone(self._writer, work, None),)
        finally:
            self._turn.release()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"the store {self.path!r} is closed; call kit.connect(...) again")

    def _refuse_fork(self) -> None:
        if self._pid != os.getpid():
            raise StoreError("this process was forked from the one that opened the store; connect again here")


def _set_durable(connection: sqlite3.Connection) -> str:
    if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal":
        connection.execute("PRAGMA synchronous=FULL")
        return "WAL, synchronous=FULL"
    # Network drives cannot share memory between processes, which WAL needs.
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=EXTRA")
    return "DELETE, synchronous=EXTRA"


def _attempt(connection: sqlite3.Connection, work: Work[Any]) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT one")
    try:
        result = work(connection)
    except BaseException as error:
        if not connection.in_transaction:  # a full disk, for one, has undone the whole group
            raise
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return None, error
    connection.execute("RELEASE one")
    return result, None


def _uninterrupted(work: Callable[[], T]) -> T:
    """Do ``work`` with Interrupt held back, if it could come: half a write would be known to nobody."""
    if threading.get_ident() != threading.main_thread().ident or _foreign:
        return work()
    came: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *what: came.append(what))
    try:
        return work()
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _begin(connection: sqlite3.Connection, patience: float) -> None:
    """Begin to write; another process that writes is waited for."""
    until, pause = time.monotonic() + patience, 0.001
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _alone(connection: sqlite3.Connection, work: Work[T], patience: float | None) -> T:
    """One write in a transaction of its own, which has begun where ``patience`` is None."""
    try:
        if patience is not None:
            _begin(connection, patience)
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _commit(
    connection: sqlite3.Connection, group: list[tuple[Work[Any], Future[Any]]], patience: float
) -> None:
    outcomes: list[tuple[Any, BaseException | None]]
    if len(group) == 1:
        _answer(group[0][1], *_caught(connection, group[0][0], patience))
        return
    try:
        _begin(connection, patience)
        outcomes = [_attempt(connection, work) for work, _ in group]
        connection.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 - nothing was committed: everyone must hear it
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        outcomes = [(None, error)] * len(group)
    for (_, future), (result, failure) in zip(group, outcomes, strict=True):
        _answer(future, result, failure)


def _caught(
    connection: sqlite3.Connection, work: Work[Any], patience: float
) -> tuple[Any, BaseException | None]:
    try:
        return _alone(connection, work, patience), None
    except BaseException as error:  # noqa: BLE001 - nothing was committed: its caller must hear it
        return None, error


def _answer(future: Future[Any], result: Any, failure: BaseException | None) -> None:
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)


@atexit.register
def _close_all() -> None:
    for store in list(_open_stores):
        store.close()
