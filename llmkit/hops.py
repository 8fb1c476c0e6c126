"""One call on its way from model to model: what failed, what it means for the next, what was paid."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from .errors import CallError, NotRecorded, Partial
from .model import Model
from .records import SETTINGS, Cost, LineItem, Message, Request, Response, Step, Thought
from .totals import add_seconds, step_of

FIRST_REST, LONGEST_REST, SHORTEST_REST = 5.0, 60.0, 0.5
_BLANK = Request()
_THINKING = ("thinking", "redacted_thinking")


def addressed(request: Request, model: Model) -> Request:
    """A request made to a model of models, as one for a model inside: its defaults, the user's settings."""
    chosen = {
        name: getattr(request, name)
        for name in SETTINGS
        if name in request.given or getattr(request, name) != getattr(_BLANK, name)
    }
    return replace(
        model.defaults,
        messages=request.messages,
        repeat=request.repeat,
        stream=request.stream,
        call=request.call,
        given=model.defaults.given | request.given,
        **{name: value for name, value in chosen.items() if name != "repeat"},
    )


@dataclass(eq=False, slots=True)
class Target:
    """A model inside, and what is known of its health."""

    name: str
    model: Model
    until: float = float("-inf")
    failures: int = 0
    out: str = ""
    error: CallError | None = None

    def note(self, error: CallError, now: float) -> str:
        """Take in a failure; returns what follows from it, in words."""
        if error.verdict in ("stop", "partial"):
            return ""
        self.error = _copy(error)  # without its traceback, which would keep the call's frames alive
        if error.verdict == "skip":
            self.out = f"{type(error).__name__}: {error}"
            return "left out from now on"
        self.until = max(self.until, now + self._rest(error, now))
        return f"rests {in_words(self.until - now)}"

    def _rest(self, error: CallError, now: float) -> float:
        told = error.retry_after if error.retry_after and error.retry_after > 0 else 0.0
        if self.until > now:  # calls under way fail together: one incident, one rest
            return told
        if error.verdict == "wait" and told:
            return max(told, SHORTEST_REST)
        self.failures += 1
        return max(told, min(LONGEST_REST, FIRST_REST * 2.0 ** min(self.failures - 1, 10)))

    def status(self, now: float) -> dict[str, Any]:
        """For ``Composite.status``."""
        state = "out" if self.out else "resting" if self.until > now else "ready"
        why = {"out": self.out, "resting": f"{type(self.error).__name__}: {self.error}", "ready": ""}[state]
        seconds = self.until - now if state == "resting" else None
        return {"model": self.name, "state": state, "seconds": seconds, "why": why}


@dataclass(frozen=True, slots=True)
class Decision:
    """Who answered in the end, and what was tried before; kept so that a rerun need not ask again."""

    model: str
    attempts: Sequence[str] = ()
    steps: Sequence[Step] = ()
    waited: float = 0.0

    def written(self) -> str:
        """As JSON; amounts as decimal strings."""
        steps = [
            [s.role, s.model, None if s.cost is None else str(s.cost), s.latency, s.outcome, s.error]
            for s in self.steps
        ]
        return json.dumps([self.model, list(self.attempts), steps, self.waited])

    @classmethod
    def read(cls, text: str) -> Decision:
        """What ``written`` wrote; what usage the steps had is not kept."""
        model, attempts, rows, *waited = json.loads(text)
        steps = [
            Step(role, name, None if cost is None else Decimal(cost), latency, None, outcome, error)
            for role, name, cost, latency, outcome, error in rows
        ]
        return cls(model, attempts, steps, *waited)


@dataclass(slots=True)
class Trip:
    """One call on its way from model to model."""

    conversation: tuple[Message, ...]
    order: list[Target]
    makers: dict[int, Target | None]
    mark: bytes
    began: float = 0.0
    waited: float = 0.0
    error: CallError | None = None
    shown: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    maybe_paid: bool = False
    unrecorded: list[tuple[Target, NotRecorded]] = field(default_factory=list)
    known: Target | None = None

    def messages(self, target: Target) -> tuple[Message, ...]:
        """The conversation without the thinking of other models, which this one could not verify."""
        kept = []
        for place, message in enumerate(self.conversation):
            if message.role == "assistant" and not self._is_own(place, target):
                message = _without_thinking(message)
            if message.content:
                kept.append(message)
        return tuple(kept)

    def _is_own(self, place: int, target: Target) -> bool:
        """Whether the target wrote that turn itself.

        Where nobody known did, after a restart say, its thinking goes along only where it must: inside a turn
        that waits for its tools, to the model asked first.
        """
        maker = self.makers.get(place)
        if maker is None and len({each.model.name for each in self.order}) == 1:
            return True
        if maker is None and place == len(self.conversation) - 2 and _wants_tools(self.conversation[place]):
            maker = self.order[0]
        return maker is not None and maker.model.name == target.model.name

    def add(self, target: Target, error: CallError, then: str, seconds: float) -> None:
        """Take in a failed hop; one that was made of several has told its own."""
        what = f"{type(error).__name__}: {error}"
        words = f"{target.name}: {what}" + (f" ({then})" if then else "")
        told = any(step.role == "failed" for step in error.steps)
        inside = sum(step.latency or 0.0 for step in error.steps)
        before = error.attempts[:-1] if error.steps else ()
        self.attempts += (told and error.attempts) or (*before, words)
        own = Step(
            "failed",
            target.name,
            cost=None if error.maybe_paid else Decimal(0),
            latency=max(0.0, seconds - inside),
            outcome="error",
            error=what,
        )
        self.steps += error.steps if told else (*error.steps, own)
        self.error, self.maybe_paid = error, self.maybe_paid or error.maybe_paid

    def complete(self, response: Response) -> Response:
        """The answer, with what was tried and waited before it. An answer at once stays as it is."""
        before = add_seconds([self.waited, *(step.latency for step in self.steps)])
        own = step_of(response, "answer")
        if before != 0:
            times = [add_seconds([before, each]) for each in (response.latency, response.first_token)]
            response = replace(response, latency=times[0], first_token=times[1])
        if not self.attempts:
            return response
        return replace(
            response,
            attempts=(*self.attempts, *response.attempts),
            steps=(*self.steps, *(response.steps or (own,))),
            cost=_with_steps(response.cost, self.steps),
        )

    def failure(self, error: CallError, hint: str = "", wait: float = 0.0) -> CallError:
        """The error to raise for the whole call; ``wait`` seconds from now it may be tried again."""
        changes: dict[str, Any] = {"attempts": tuple(self.attempts), "steps": tuple(self.steps)}
        changes["maybe_paid"] = self.maybe_paid
        if wait:
            changes["retry_after"] = wait
        raised = _copy(error, **changes)
        if hint:
            raised.args = (f"{error}; {hint}",)
        return raised.with_traceback(error.__traceback__)


def in_words(seconds: float) -> str:
    """Seconds for people: whole ones from ten on."""
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.3g} s"


def watched(pieces: Generator[str, None, Response], shown: list[str]) -> Generator[str, None, Response]:
    """The same pieces; those of the text, not of the thinking, are also kept in ``shown``."""
    try:
        while True:
            piece = next(pieces)
            if piece and not isinstance(piece, Thought):
                shown.append(piece)
            yield piece
    except StopIteration as stop:
        response: Response = stop.value
        return response
    finally:
        pieces.close()


def marks(request: Request) -> list[bytes]:
    """A digest for each beginning of the conversation, thinking left out; the last is of the whole."""
    running = hashlib.sha256(str(request.repeat).encode())
    digests = []
    for message in request.messages:
        content = _without_thinking(message).content
        if content:
            text = json.dumps([message.role, content], ensure_ascii=False)
            running.update(text.encode("utf-8", "surrogatepass"))
        digests.append(running.digest())
    return digests


def as_partial(error: CallError, text: str) -> CallError:
    """A failure after text was shown, as what it is: nobody else can go on from there."""
    partial = Partial(
        str(error),
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        maybe_paid=True,
        partial=error.partial or text,
    )
    partial.attempts, partial.steps = error.attempts, error.steps
    return partial.with_traceback(error.__traceback__)


def _wants_tools(message: Message) -> bool:
    blocks = () if isinstance(message.content, str) else message.content
    return any(block.get("type") == "tool_use" for block in blocks)


def _without_thinking(message: Message) -> Message:
    if message.role != "assistant" or isinstance(message.content, str):
        return message
    kept = tuple(block for block in message.content if block.get("type") not in _THINKING)
    return replace(message, content=kept)


def _with_steps(cost: Cost, steps: list[Step]) -> Cost:
    """The cost of an answer and of what failed before it, as far as that is known."""
    paid = [(step.model, step.cost) for step in steps if step.cost]
    items = tuple(LineItem("failed", 1, amount, amount, model) for model, amount in paid)
    total = None if cost.total is None else sum((amount for _, amount in paid), cost.total)
    unknown = [step.model for step in steps if step.cost is None]
    note = f"without what {', '.join(unknown)} may have charged for a failure" if unknown else ""
    return Cost(total, cost.items + items, "; ".join(filter(None, (cost.note, note))))


def _copy(error: CallError, **changes: Any) -> CallError:
    copied = copy.copy(error)
    copied.__dict__.update(changes)
    return copied
