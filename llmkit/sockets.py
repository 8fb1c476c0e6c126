"""Connections that always end: one deadline a call at every read and write, a byte cap, an end from outside.

Made for the network back end that httpcore and httpcore2 take; ``core`` is whichever of the two.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from queue import Empty, SimpleQueue
from typing import Any, Literal

from .errors import UsageError

Kind = Literal["Connect", "Read", "Write"]

_LINGER = 5.0
_REST = 2.0  # seconds a connection waits for a next call: servers keep theirs longer


@dataclass(frozen=True)
class Limits:
    """What a call may use besides its time.

    Attributes:
        idle: seconds an event stream may be silent once it has begun, and the server may take to accept
            16 KB of the request. A plain answer may be silent until the deadline.
        connect: seconds to look up the name and reach the host, or its proxy.
        most_bytes: of the answer, its headers included; each piece it comes in counts 64 more.
    """

    idle: float = 60.0
    connect: float = 5.0
    most_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        for field in fields(self):
            check_positive(field.name, getattr(self, field.name))


class Line:
    """A connection, with what speaks HTTP over it; it has one call at a time.

    Attributes:
        call: the one that has it now.
        speaker: the core's connection, or its pool where that goes through a proxy.
        top: what bytes are read from: the connection, or TLS over it.
        until: when it is closed, if no call took it before.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.speaker: Any = None
        self.top: Any = None
        self.until = math.inf
        self.handle: socket.socket | None = None
        self._connection: Any = None

    def connected(self, connection: Any) -> None:
        """Keep it, and a duplicate that survives the step to TLS and is closed by nobody but this line."""
        self._drop()
        self.top = self._connection = connection
        self.handle = connection.get_extra_info("socket").dup()

    def read_out(self) -> bool:
        """Whether all that came over it has been read, to the end of an answer."""
        held = self.speaker
        if self.handle is None or held is None:
            return False
        # A second answer in one packet waits in the parser, where no look at the socket finds it.
        parser = getattr(getattr(held, "_connection", None), "_h11_state", None)
        return parser is not None and parser.trailing_data == (b"", False) and bool(held.is_idle())

    def quiet(self) -> bool:
        """Whether it is read out, nothing more has come since, and it is still open."""
        if not self.read_out() or self.speaker.has_expired():
            return False
        tls = self.top.get_extra_info("ssl_object")
        return not (tls is not None and tls.pending())

    def close(self) -> None:
        """Close it; again is harmless."""
        speaker, self.speaker = self.speaker, None
        if speaker is not None:
            speaker.close()
        self._drop()

    def _drop(self) -> None:
        handle, self.handle = self.handle, None
        connection, self._connection = self._connection, None
        for held in (handle, connection):
            if held is not None:
                held.close()


class Calls:
    """The calls in flight, and the connections that rest between two.

    One daemon thread shuts each call at its deadline, even if nobody reads it, and each connection that no
    call took in time.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: set[Call] = set()
        self._resting: dict[Any, list[Line]] = {}
        self._thread: threading.Thread | None = None
        self._wakes = math.inf

    def rest(self, where: Any, line: Line) -> None:
        """Keep a quiet line for the next call to the same place, for a moment."""
        line.until = time.monotonic() + _REST
        with self._changed:
            self._resting.setdefault(where, []).append(line)
            self._watch(line.until)

    def take(self, where: Any) -> Line | None:
        """A line to that place that is still quiet, or None."""
        while True:
            with self._changed:
                lines = self._resting.get(where)
                line = lines.pop() if lines else None
            if line is None:
                return None
            with suppress(OSError, ValueError):
                if line.until > time.monotonic() and line.quiet():
                    return line
            line.close()

    def drop(self, where: Any = None) -> None:
        """Close the lines that rest, all of them or those to one place."""
        with self._changed:
            places = list(self._resting) if where is None else [where]
            lines = [line for place in places for line in self._resting.pop(place, ())]
        for line in lines:
            line.close()

    def end(self) -> int:
        """End every call in flight now, in whichever thread it waits; its error there is a ``ReadError``.

        Returns how many there were. Calls begun later are not affected.
        """
        with self._changed:
            calls, self._open = self._open, set()
        for call in calls:
            call.end("the call was ended from outside")
        return len(calls)

    def __len__(self) -> int:
        return len(self._open)

    def add(self, call: Call) -> None:
        """Watch a call from now on."""
        with self._changed:
            self._open.add(call)
            self._watch(call.deadline)

    def remove(self, call: Call) -> None:
        """Leave a call alone, since it is over."""
        with self._changed:
            self._open.discard(call)

    def _watch(self, until: float) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._reap, daemon=True, name="llmkit-reaper")
            self._thread.start()
        elif until < self._wakes:
            self._changed.notify()

    def _reap(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for call in [call for call in list(self._open) if call.deadline <= now]:
                    self._open.discard(call)
                    call.end(call.too_late)
                for line in self._stale(now):
                    line.close()
                times = [call.deadline for call in list(self._open)]
                times += [line.until for lines in self._resting.values() for line in lines]
                self._wakes = min(times, default=now + _LINGER)
                if not self._changed.wait(self._wakes - now) and not self._open and not self._resting:
                    self._thread = None
                    return

    def _stale(self, now: float) -> list[Line]:
        stale = [line for lines in self._resting.values() for line in lines if line.until <= now]
        for where, lines in list(self._resting.items()):
            fresh = [line for line in lines if line.until > now]
            if fresh:
                self._resting[where] = fresh
            else:
                del self._resting[where]
        return stale


class Call:
    """One call: its deadline, the bytes it may still get, and a handle to end it from any thread."""

    def __init__(self, core: Any, deadline: float, limits: Limits, calls: Calls) -> None:
        self.deadline, self.limits, self.room, self.idle = deadline, limits, limits.most_bytes, math.inf
        self.core = core
        self.line: Line | None = None
        self.arrivals: SimpleQueue[Any] = SimpleQueue()
        self.ended: str | None = None
        self.closed = False
        self.too_late = f"the deadline passed, {max(0.0, deadline - time.monotonic()):.4g} s after the start"
        self._calls = calls
        # Reentrant, as is the condition above: an answer that is lost is closed wherever Python collects it.
        self._lock = threading.RLock()

    def left(self, kind: Kind) -> float:
        """Seconds until the deadline. Raises that kind of timeout after it, of error if it was ended."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise getattr(self.core, f"{kind}Timeout")(self.too_late)
        if self.ended is not None:
            raise getattr(self.core, f"{kind}Error")(self.ended)
        return seconds

    def take(self, count: int) -> None:
        """Count bytes of the answer. Raises a ``ReadError`` with the reason "size" past the cap."""
        self.room -= count
        if self.room < 0:
            raise self._too_long()

    def _too_long(self) -> Any:
        # Not a variable where it is raised: error, frame and all that was read would keep each other alive.
        error = self.core.ReadError(f"the answer passed the byte cap of {self.limits.most_bytes} bytes")
        error.reason = "size"
        return error

    def has(self, line: Line) -> None:
        """Go over this line from now on."""
        with self._lock:
            self.line, line.call = line, self

    def connected(self, connection: Any) -> None:
        """Keep what was connected, to be shut when the call ends."""
        with self._lock:
            if self.line is not None and self.ended is None:
                self.line.connected(connection)

    def end(self, why: str) -> None:
        """Wake whoever waits for this call; reads and writes fail from now on."""
        with self._lock:
            self.ended = self.ended or why
            handle = self.line.handle if self.line is not None else None
            if handle is not None:
                with suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)
        self.arrivals.put(None)

    def give_back(self) -> Line | None:
        """End a call whose answer was read whole; its line if it may have another, else None."""
        self._calls.remove(self)
        with self._lock:
            line = self.line
            if self.closed or self.ended is not None or line is None or not line.read_out():
                return None
            self.closed, self.ended, self.line = True, "the call is closed", None
        return line

    def close(self) -> None:
        """End it and give back its connection; again is harmless."""
        self._calls.remove(self)
        self.closed = True
        self.end("the call is closed")
        self.drop_arrivals()
        with self._lock:
            line, self.line = self.line, None
        if line is not None:
            line.close()

    def drop_arrivals(self) -> None:
        """Close a connection that nobody took in time."""
        with suppress(Empty):
            while True:
                found = self.arrivals.get_nowait()
                if hasattr(found, "close"):
                    found.close()


def check_positive(name: str, value: float) -> None:
    """Raise ``UsageError`` unless ``value`` is finite and above 0."""
    if not 0 < value < math.inf:
        raise UsageError(f"{name} is {value!r}; give a number above 0")
