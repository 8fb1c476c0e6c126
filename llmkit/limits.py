"""Wait for the minute's requests and tokens, with as many calls under way as the provider bears."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import CallError, RateLimited, UsageError
from .model import Model, Wrapper
from .pace import METERS, Pace, Ticket, read_limits
from .providers.errors import retry_after
from .records import Call, Request, Response, Usage

# Only the main thread feels Interrupt, and on Windows not while it waits: so it waits in slices.
_SLICE, _LONG = 1.0, 60.0


class Limited(Wrapper):
    """Holds a call back until its bucket has room; nothing else about it changes.

    Args:
        bucket: shared by all models that the provider counts together.
        tokens: estimates the input tokens of a request.
    """

    def __init__(self, model: Model, bucket: Bucket, *, tokens: Callable[[Request], int]) -> None:
        super().__init__(model)
        self.bucket, self._tokens = bucket, tokens

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Ask when there is room. Raises ``RateLimited``, unsent, if that is after the call's deadline."""
        call, bucket = request.call or Call(), self.bucket
        turn = bucket.turn(self._tokens(request), call.deadline)

        def heard(status: int, headers: Mapping[str, str]) -> None:
            bucket.hear(turn, status, headers)
            if call.heard is not None:
                call.heard(status, headers)

        def again(error: CallError) -> None:
            # The money before the place, as at the first attempt: else two calls could wait for each other.
            bucket.leave(turn, error)
            if call.again is not None:
                call.again(error)
            try:
                bucket.enter(turn, first=True)
            except RateLimited as late:
                late.attempts = (*error.attempts, f"RateLimited: {late}")
                raise late from error

        try:
            bucket.enter(turn)
            inside = call.copy()
            inside.heard, inside.again = heard, again
            response = yield from self.model.run(request.with_call(inside))
        except BaseException as error:
            bucket.leave(turn, error)
            raise
        bucket.leave(turn, usage=response.usage)
        return response


@dataclass(slots=True, eq=False)
class Turn(Ticket):
    """One call's place in a bucket, from the line to its end.

    Attributes:
        deadline: when it is too late to send it, by the bucket's clock.
        waiting: it stands in line; its thread sleeps until ``alarm`` or ``wake``.
    """

    deadline: float | None = None
    waiting: bool = False
    alarm: float = 0.0
    wake: threading.Event | None = field(default=None, repr=False)


class Bucket:
    """What a provider counts together: one line of waiting calls, first come first served. Thread-safe.

    Args:
        start, most: calls under way at once, in the beginning and at most.
        longest_wait: seconds; a call that the provider's limits hold back for longer fails instead (a
            day's quota is spent).
        clock: as ``Call.deadline`` counts.
        wait: waits for an event for at most so many seconds.
    """

    def __init__(
        self,
        *,
        start: int = 8,
        most: int = 64,
        longest_wait: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        if not 1 <= start <= most:
            raise UsageError(f"start is {start!r} and most is {most!r}; give 1 <= start <= most")
        self._pace = Pace(start=start, most=most)
        self._line: deque[Turn] = deque()
        self._queued = [0.0] * len(METERS)
        self._lock = threading.Lock()
        self._longest_wait, self._clock, self._wait = longest_wait, clock, wait

    def turn(self, tokens: int, deadline: float | None = None) -> Turn:
        """A turn for a request of about so many input tokens, not yet in line."""
        return Turn(tokens, self._pace.costs(tokens), deadline=deadline)

    def enter(self, turn: Turn, *, first: bool = False) -> None:
        """Wait in line until the call may be sent. Raises ``RateLimited`` if that is too late."""
        with self._lock:
            if self._join(turn, first=first):
                return
            turn.wake = threading.Event()
        while True:
            with self._lock:
                self._admit()
                if not turn.waiting:
                    return
                turn.wake.clear()
                seconds = self._timeout(turn)
            self._wait(turn.wake, seconds)

    def hear(self, turn: Turn, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer; every HTTP answer to the call is to be told, errors too."""
        headers = {name.lower(): value for name, value in headers.items()}
        told = any("ratelimit" in name for name in headers)
        limits, wait = read_limits(headers) if told else {}, retry_after(headers) if status == 429 else None
        with self._lock:
            self._pace.hear(turn, self._clock(), status, limits, wait)
            self._admit()

    def leave(self, turn: Turn, error: BaseException | None = None, *, usage: Usage | None = None) -> None:
        """The call is over, with its ``usage`` or an ``error``, or it leaves the line."""
        with self._lock:
            self._step_out(turn)
            self._pace.leave(turn, self._clock(), error, usage)
            self._admit()

    def status(self) -> dict[str, Any]:
        """For people: limits and what is left of them, and the calls under way, allowed and waiting."""
        with self._lock:
            now, pace = self._clock(), self._pace
            limits = {
                name: {"limit": meter.limit, "remaining": meter.left(now), "seconds": meter.period}
                for name, meter in zip(METERS, pace.meters, strict=True)
                if meter is not None
            }
            return {
                "limits": limits,
                "under_way": pace.under_way,
                "allowed": int(pace.allowed),
                "waiting": len(self._line),
                "pauses": pace.pauses,
                "paused_for": max(0.0, pace.resumes - now),
            }

    def _join(self, turn: Turn, *, first: bool = False) -> bool:
        """Stand in line (``first``: at its head); True if the call may be sent at once."""
        now = self._clock()
        if not self._line and self._pace.ask(now, turn.costs) == 0.0:
            self._pace.send(turn, now)
            return True
        if not first:
            self._refuse_the_hopeless(turn, now, self._pace.room(now, turn.costs, self._queued))
        self._count(turn, 1)
        turn.waiting = True
        if first:
            self._line.appendleft(turn)
        else:
            self._line.append(turn)
        return False

    def _admit(self) -> None:
        """Send all at the head of the line that may go, and see that the next one wakes in time."""
        now = self._clock()
        while self._line:
            head = self._line[0]
            seconds = self._pace.ask(now, head.costs)
            if seconds == 0.0:
                self._step_out(head)
                self._pace.send(head, now)
            if head.wake is not None and now + seconds < head.alarm:
                head.wake.set()
            if seconds > 0.0:
                return

    def _step_out(self, turn: Turn) -> None:
        if turn.waiting:
            turn.waiting = False
            self._line.remove(turn)
            self._count(turn, -1)

    def _count(self, turn: Turn, sign: int) -> None:
        for index, cost in enumerate(turn.costs):
            self._queued[index] += sign * cost

    def _timeout(self, turn: Turn) -> float:
        """How long to sleep before looking again."""
        now, at_head = self._clock(), self._line[0] is turn
        room = self._pace.room(now, turn.costs) if at_head else max(0.0, self._pace.resumes - now)
        self._refuse_the_hopeless(turn, now, room, self._longest_wait if at_head else math.inf)
        most = _SLICE if threading.current_thread() is threading.main_thread() else _LONG
        seconds = min(most, room) if at_head and room > 0 else most
        if turn.deadline is not None:
            seconds = min(seconds, turn.deadline - now)
        turn.alarm = now + seconds
        return seconds

    def _refuse_the_hopeless(self, turn: Turn, now: float, room: float, longest: float = math.inf) -> None:
        left = math.inf if turn.deadline is None else turn.deadline - now
        if left > max(0.0, room) and room <= longest:
            return
        when = f"in {room:.1f} s" if room else f"when one of the {self._pace.under_way} calls under way ends"
        why = f"{longest:.0f} s is the longest wait" if room > longest else f"its deadline is in {left:.1f} s"
        raise RateLimited(
            f"the provider's limits leave room for this call {when}, and {why}; it was not sent. "
            "Run again then, give a longer timeout=, or ask with fewer workers=",
            retry_after=room or None,
        )
