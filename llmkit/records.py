"""The words everything is said in: Message, Tool, Schema, Request, Usage, Cost, Response."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from operator import attrgetter
from typing import Any, Literal

from .cost import NOT_PRICED
from .cost import Cost as Cost
from .cost import LineItem as LineItem
from .errors import UsageError
from .render import markdown, sentence

Outcome = Literal[
    "ok", "max_tokens", "refusal", "context_exceeded", "tool_use", "pause_turn", "truncated", "error"
]
FAILED: frozenset[str] = frozenset({"error", "truncated"})
"""Outcomes of calls that brought no answer to grade."""

Origin = Literal["live", "replay", "simulated"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: who speaks, and the text or its content blocks, as the Messages API writes them."""

    role: Literal["user", "assistant"]
    content: str | tuple[Mapping[str, Any], ...]


class Thought(str):
    """A piece of thinking on the way; a piece of the answer is a plain ``str``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a model may ask for.

    Attributes:
        definition: name, description and input_schema; or a tool the provider runs itself, as it names it.
        function: run with the model's input when it asks, its result sent back; None leaves that to you.
    """

    definition: Mapping[str, Any]
    function: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What the model calls it by."""
        return str(self.definition["name"])


@dataclass(frozen=True, slots=True)
class Schema:
    """The form an answer must have.

    Attributes:
        json: the JSON schema sent with the request.
        check: the user's own schema or type, with which an answer is validated; see ``schemas.read``.
    """

    json: Mapping[str, Any]
    check: Any = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class Call:
    """What travels with a request but is no part of it: who pays, until when, and how to book it.

    Attributes:
        budgets: ids of the ceilings this call is held to, besides the session's own.
        label: a word of the user's, kept in the ledger.
        deadline: ``time.monotonic()`` after which nothing more is tried, or None.
        tries: how often it may be sent at most, or None for the model's own number.
        again: books a failed attempt and reserves the next; set by the meter, used by retry.
        stopped: waits so many seconds for the run around the call to be left, and says whether it was; then
            nothing more is sent. None where there is no such run.
        heard: told the status and headers of every HTTP answer; set by the limits, used by providers.
        keep: writes the recording; runs in the transaction that settles the attempt.
        kept: True once ``keep`` has run.
        asked: the request's ``content_text()`` and its key, once known; set by the recordings.
        recorded: answer from the recordings or raise ``NotRecorded``; nothing is sent.
    """

    budgets: tuple[str, ...] = ()
    label: str = ""
    deadline: float | None = None
    tries: int | None = None
    again: Callable[[Any], None] | None = None
    stopped: Callable[[float], bool] | None = None
    heard: Callable[[int, Mapping[str, str]], None] | None = None
    keep: Callable[[Any, Response], None] | None = None
    kept: bool = False
    asked: tuple[str, str] | None = field(default=None, repr=False)
    recorded: bool = False

    def copy(self) -> Call:
        """Another one with the same in it, for a layer's own changes."""
        return Call(*_all_of_call(self))


_all_of_call = attrgetter(*(f.name for f in fields(Call)))


@dataclass(frozen=True, slots=True)
class Request:
    """One question with every setting resolved; frozen, and hashed for the recordings.

    Attributes:
        messages: the conversation; the last turn is the user's.
        system: instructions before it, a text or blocks of text, or None.
        max_tokens: most output tokens, thinking included.
        effort: "low" ... "max", or None where the model has no such setting.
        thinking: the provider's thinking mode ("adaptive", "disabled", ...), or None where it has none.
        thinking_budget: tokens, for the mode "enabled" only.
        show_thinking: ask for a summary of the thinking; False asks for none, None takes the model's habit.
        stop: texts that end the answer.
        tools: what the model may ask for.
        tool_choice: "auto", "any", "none" or a tool's name; None leaves it out.
        schema: the form of the answer, or None.
        cache: "5m" or "1h" keeps the prompt in the provider's cache for that long; None does not ask for it.
        service_tier, speed, inference_geo: as the provider names them; None leaves them out.
        betas: names of beta features, sent in a header.
        extra: further fields of the body, sent as they are.
        repeat: which independent draw of the same question this is; never sent.
        given: the settings the user named, so that another model's defaults can stand in for the rest.
        stream: whether pieces are wanted as they come; no part of the key.
        call: see ``Call``; no part of the key.
    """

    messages: tuple[Message, ...] = ()
    system: str | tuple[Mapping[str, Any], ...] | None = None
    max_tokens: int = 1024
    effort: str | None = None
    thinking: str | None = None
    thinking_budget: int | None = None
    show_thinking: bool | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    schema: Schema | None = None
    cache: str | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    betas: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    repeat: int = 0
    given: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    stream: bool = field(default=False, compare=False)
    call: Call | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens!r}; give a whole number of at least 1")
        if not isinstance(self.repeat, int) or self.repeat < 0:
            raise UsageError(f"repeat is {self.repeat!r}; give 0, 1, 2, ...")

    def content(self) -> dict[str, Any]:
        """All that decides the answer, as plain JSON values (``repeat`` included)."""
        values: dict[str, Any] = {
            "messages": [[m.role, _plain(m.content)] for m in self.messages],
            "system": _plain(self.system),
            "max_tokens": self.max_tokens,
            "effort": self.effort,
            "thinking": self.thinking,
            "stop": list(self.stop),
            "repeat": self.repeat,
        }
        # Settings left out add nothing, so that a setting of tomorrow leaves the keys of today alone.
        for name in _SOMETIMES:
            value = getattr(self, name)
            if value is not None and value != () and value != {}:
                values[name] = _plain(value)
        return values

    def content_text(self) -> str:
        """``content()`` as JSON, in the form that keys are made of."""
        return _json(self.content())

    def key(self, endpoint: str, model: str, *, content: str | None = None) -> str:
        """The recording key: 64 hex digits over endpoint, model and ``content()``.

        ``content`` is ``content_text()``, where it is known already.
        """
        text = self.key_text(endpoint, model, content=content)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def key_text(self, endpoint: str, model: str, *, content: str | None = None) -> str:
        """What the recording key is made of, as JSON."""
        content = self.content_text() if content is None else content
        return f"[{_json(endpoint)},{_json(model)},{content}]"

    def with_call(self, call: Call) -> Request:
        """The same request, travelling with ``call``."""
        return Request(*(*_all_but_call(self), call))


_all_but_call = attrgetter(*(f.name for f in fields(Request) if f.name != "call"))  # ``call`` is the last
_SOMETIMES = (
    *("thinking_budget", "show_thinking", "tools", "tool_choice", "schema", "cache"),
    *("service_tier", "speed", "inference_geo", "betas", "extra"),
)
_NO_SETTING = frozenset({"messages", "given", "stream", "call"})
SETTINGS = frozenset(f.name for f in fields(Request)) - _NO_SETTING
"""The names of what a user may set."""


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _plain(value: Any) -> Any:
    if isinstance(value, Tool):
        return value.definition
    if isinstance(value, Schema):
        return value.json
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


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
class Step:
    """One call on the way to an answer of several: a turn of a tool loop, a target tried, a check.

    Attributes:
        role: "answer", "draft" (an answer not taken), "check", "route", "tool" or "failed".
        cost: USD; None is unknown.
        error: what went wrong, or why a draft was not taken; None if nothing did.
    """

    role: str
    model: str
    cost: Decimal | None = None
    latency: float | None = None
    usage: Usage | None = None
    outcome: Outcome = "ok"
    error: str | None = None


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
        blocks: the content as blocks of the Messages API, whichever wire they came by.
        endpoint: where it was asked.
        reported_cost: USD as the provider itself states it, or None.
        parsed: the value read from a structured answer, or None.
        invalid: why a structured answer does not fit its schema; empty if it does.
        steps: the calls it is made of, where it took more than one; ``cost`` and ``usage`` are their sums.
    """

    text: str
    model: str
    outcome: Outcome = "ok"
    stop_reason: str | None = None
    usage: Usage | None = None
    cost: Cost = NOT_PRICED
    latency: float | None = None
    first_token: float | None = None
    request_id: str | None = None
    response_id: str | None = None
    origin: Origin = "live"
    simulated: bool = False
    attempts: tuple[str, ...] = ()
    blocks: tuple[Mapping[str, Any], ...] = ()
    endpoint: str = ""
    reported_cost: Decimal | None = None
    parsed: Any = None
    invalid: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def thinking(self) -> str:
        """The thinking as far as the provider shows it."""
        return "".join(block.get("thinking", "") for block in self.blocks if block.get("type") == "thinking")

    @property
    def tool_calls(self) -> tuple[Mapping[str, Any], ...]:
        """What the model asks tools for: blocks with id, name and input."""
        return tuple(block for block in self.blocks if block.get("type") == "tool_use")

    @property
    def cached(self) -> bool:
        """True if it came from the recordings, so that nothing was paid now."""
        return self.origin == "replay"

    def priced(self, cost: Cost) -> Response:
        """The same answer at this cost."""
        return Response(*(*_before_cost(self), cost, *_after_cost(self)))

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
        if self.steps:
            parts.append(f"{len(self.steps)} calls")
        if self.outcome != "ok":
            parts.append(self.outcome)
        if self.invalid:
            parts.append("does not fit its schema (see .invalid)")
        return " · ".join(parts)

    def __repr__(self) -> str:
        return f"{self.text}\n[{self.footer()}]"

    def _repr_html_(self) -> str:
        return markdown(self.text) + sentence(self.footer(), small=True)


_names = [f.name for f in fields(Response)]
_before_cost = attrgetter(*_names[: _names.index("cost")])
_after_cost = attrgetter(*_names[_names.index("cost") + 1 :])
