"""The words everything is said in: Message, Request, Usage, Cost, Response."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from .errors import UsageError
from .render import markdown, sentence

Outcome = Literal[
    "ok", "max_tokens", "refusal", "context_exceeded", "tool_use", "pause_turn", "truncated", "error"
]
Origin = Literal["live", "replay", "simulated"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: who speaks, and the text or the provider's content blocks."""

    role: Literal["user", "assistant"]
    content: str | tuple[Mapping[str, Any], ...]


@dataclass(slots=True)
class Call:
    """What travels with a request but is no part of it: who pays, until when, and how to book it.

    Attributes:
        budgets: ids of the ceilings this call is held to, besides the session's own.
        label: a word of the user's, kept in the ledger.
        deadline: ``time.monotonic()`` after which nothing more is tried, or None.
        again: books a failed attempt and reserves the next; set by the meter, used by retry.
        keep: writes the recording; runs in the transaction that settles the attempt.
        kept: True once ``keep`` has run.
    """

    budgets: tuple[str, ...] = ()
    label: str = ""
    deadline: float | None = None
    again: Callable[[Any], None] | None = None
    keep: Callable[[Any, Response], None] | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One question with every setting resolved; frozen, and hashed for the recordings.

    Attributes:
        messages: the conversation; the last turn is the user's.
        system: instructions before it, or None.
        max_tokens: most output tokens, thinking included.
        effort: "low" ... "max", or None where the model has no such setting.
        thinking: the provider's thinking mode ("adaptive", "disabled", ...), or None where it has none.
        stop: texts that end the answer.
        repeat: which independent draw of the same question this is; never sent.
        stream: whether pieces are wanted as they come; no part of the key.
        call: see ``Call``; no part of the key.
    """

    messages: tuple[Message, ...] = ()
    system: str | None = None
    max_tokens: int = 1024
    effort: str | None = None
    thinking: str | None = None
    stop: tuple[str, ...] = ()
    repeat: int = 0
    stream: bool = field(default=False, compare=False)
    call: Call | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens!r}; give a whole number of at least 1")
        if not isinstance(self.repeat, int) or self.repeat < 0:
            raise UsageError(f"repeat is {self.repeat!r}; give 0, 1, 2, ...")

    def content(self) -> dict[str, Any]:
        """All that decides the answer, as plain JSON values (``repeat`` included)."""
        return {
            "messages": [
                [m.role, m.content if isinstance(m.content, str) else [dict(b) for b in m.content]]
                for m in self.messages
            ],
            "system": self.system,
            "max_tokens": self.max_tokens,
            "effort": self.effort,
            "thinking": self.thinking,
            "stop": list(self.stop),
            "repeat": self.repeat,
        }

    def key(self, endpoint: str, model: str) -> str:
        """The recording key: 64 hex digits over endpoint, model and ``content()``."""
        text = json.dumps([endpoint, model, self.content()], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def with_call(self, call: Call) -> Request:
        """The same request, travelling with ``call``."""
        return replace(self, call=call)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in disjoint buckets: the prompt is input + cache writes + cache read.

    Attributes:
        input: uncached prompt tokens.
        cache_write_5m, cache_write_1h: prompt tokens written to the cache, by its life.
        cache_read: prompt tokens read from the cache.
        output: output tokens, thinking included.
        thinking: thinking tokens among ``output``, or None where the provider does not say.
        web_searches: paid searches of the provider's own tool.
        tier: service tier ("standard", "batch", ...).
        speed: "standard" or "fast".
        geo: inference region ("us", "global", ...), or None.
        parts: usages billed beside or instead of this one, each with its model (see ``pricing``).
        raw: the provider's own object, untouched.
    """

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    thinking: int | None = None
    web_searches: int = 0
    tier: str = "standard"
    speed: str = "standard"
    geo: str | None = None
    parts: tuple[tuple[str | None, Usage], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def prompt(self) -> int:
        """All prompt tokens, cached or not."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read


@dataclass(frozen=True, slots=True)
class LineItem:
    """One line of a bill: ``quantity`` of ``kind`` at ``rate`` USD each, of one price row."""

    kind: str
    quantity: int
    rate: Decimal
    amount: Decimal
    row: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer costs in USD; ``total`` None means unknown, and ``note`` says why."""

    total: Decimal | None
    items: tuple[LineItem, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer and everything known about it.

    Attributes:
        text: all text blocks joined.
        model: the model that really served it.
        outcome: see ``Outcome``; refusals and truncations are answers too.
        usage: None when the provider did not say.
        cost: what the answer cost, also when it is replayed; ``cost.total`` None is unknown.
        latency: seconds to the whole answer; first_token: seconds to the first text, or None.
        origin: "live", "simulated", or "replay" from the recordings.
        simulated: True if no real model wrote it, replayed or not.
        attempts: one line per failed attempt before this answer.
        blocks: the provider's content blocks as received.
    """

    text: str
    model: str
    outcome: Outcome = "ok"
    stop_reason: str | None = None
    usage: Usage | None = None
    cost: Cost = Cost(None, note="not priced")
    latency: float | None = None
    first_token: float | None = None
    request_id: str | None = None
    response_id: str | None = None
    origin: Origin = "live"
    simulated: bool = False
    attempts: tuple[str, ...] = ()
    blocks: tuple[Mapping[str, Any], ...] = ()

    @property
    def cached(self) -> bool:
        """True if it came from the recordings, so that nothing was paid now."""
        return self.origin == "replay"

    def __str__(self) -> str:
        return self.text

    def footer(self) -> str:
        """One line: model, tokens in and out, dollars, seconds, origin."""
        usage = self.usage
        tokens = f"{usage.prompt:,} in, {usage.output:,} out" if usage else "tokens unknown"
        total = self.cost.total
        dollars = f"${total.normalize():f}" if total is not None else "cost unknown"
        seconds = f"{self.latency:.1f} s" if self.latency is not None else "time unknown"
        marks = ["SIMULATED"] * self.simulated + [self.origin] * (self.origin != "simulated")
        origin = ", ".join(marks)
        parts = [self.model, tokens, dollars, seconds, origin]
        if self.outcome != "ok":
            parts.append(self.outcome)
        return " · ".join(parts)

    def __repr__(self) -> str:
        return f"{self.text}\n[{self.footer()}]"

    def _repr_html_(self) -> str:
        return markdown(self.text) + sentence(self.footer(), small=True)
