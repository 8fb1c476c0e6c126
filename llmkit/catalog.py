"""A name -> a model ready to use; the one place that knows the order of the layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from math import nan
from typing import Any

from . import endpoints, estimates, rules
from .bills import bill
from .bounds import media_tokens, worst_case
from .dialogue import MOST_TURNS, Dialogue
from .endpoints import Endpoint
from .errors import RetiredModel, UsageError
from .estimates import Estimate
from .limits import Limited
from .meter import Metered
from .model import Model
from .models import ModelFacts, all_models, resolve, successor
from .prices import canonical
from .recordings import OnlyRecorded, Recorded
from .records import Cost, Request, Response, Usage
from .retry import Retry
from .session import Session, current

DEFAULT_MAX_TOKENS = 4096
TIMEOUT = 600.0


def model(
    name: str,
    *,
    label: str | None = None,
    timeout: float = TIMEOUT,
    tries: int = 4,
    most_turns: int = MOST_TURNS,
    **settings: Any,
) -> Model:
    """The model of that name, with all its layers.

    Args:
        name: a line ("opus", "sonnet", "haiku": its newest active model), an exact id or an alias; or
            "endpoint/model" for a model elsewhere, such as "xroute/gpt-5" or
            "openrouter/anthropic/claude-opus-5.5" (see ``kit.endpoint``).
        label: what tables and plots call it; needed when one model is compared with itself.
        timeout: seconds one call may take in all, waits and further attempts included.
        tries: how often one call is sent at most when the provider is busy.
        most_turns: calls in one tool loop.
        settings: defaults for every request (max_tokens, effort, thinking, system, stop, tools, ...).

    Raises ``UnknownModel`` with the nearest names, ``RetiredModel`` when live, ``NotConnected`` where the
    endpoint's key is missing.
    """
    if timeout <= 0 or tries < 1:
        raise UsageError(
            f"timeout is {timeout!r} and tries {tries!r}; give seconds above 0 and at least 1 try"
        )
    session = current()
    endpoint, rest = endpoints.split(name)
    facts = resolve(rest, session.today()) if endpoint.protocol == "messages" else None
    if session.mode == "live":
        _refuse_retired(facts, session)
        session.check_key(endpoint)
    made = dress(
        Target(endpoint, facts.id if facts else rest, facts),
        session,
        timeout=timeout,
        tries=tries,
        most_turns=most_turns,
    )
    if settings:
        own = made.label
        made.defaults = replace(made.request("-", **settings), messages=())
        changes = ", ".join(f"{name}={_brief(value)}" for name, value in settings.items() if name != "system")
        made.label = f"{own} ({changes})" if changes else own
    if label:
        made.label = label
    return made


def models(*names: str) -> list[Model]:
    """Several models at once: ``sonnet, opus = kit.models("sonnet", "opus")``."""
    if not names:
        raise UsageError('name at least one model: kit.models("sonnet", "opus")')
    return [model(name) for name in names]


@dataclass(frozen=True, slots=True)
class Target:
    """A model at an endpoint; ``facts`` is None where the catalog knows nothing of it."""

    endpoint: Endpoint
    id: str
    facts: ModelFacts | None

    @property
    def name(self) -> str:
        """Unique: the bare id at the vendor's own endpoint, else with the endpoint before it."""
        own = self.endpoint.name == "anthropic"
        return self.id if own else f"{self.endpoint.name}/{self.id}"

    @property
    def label(self) -> str:
        """Short, for people."""
        if self.facts is None:
            return self.name
        return (
            self.facts.label
            if self.endpoint.name == "anthropic"
            else f"{self.facts.label} ({self.endpoint.name})"
        )

    @property
    def defaults(self) -> Request:
        """Every setting resolved, where the catalog knows what there is to set."""
        if self.facts is None:
            return Request(max_tokens=DEFAULT_MAX_TOKENS)
        return Request(
            max_tokens=min(DEFAULT_MAX_TOKENS, self.facts.max_output_tokens),
            effort=self.facts.effort_default,
            thinking=_thinking(self.facts),
        )


class Dressed(Dialogue):
    """A single model with all its layers; knows where it is asked."""

    def __init__(self, model: Model, target: Target, **how: Any) -> None:
        super().__init__(model, **how)
        self.target = target


def dress(
    target: Target,
    session: Session,
    *,
    timeout: float = TIMEOUT,
    tries: int = 4,
    most_turns: int = MOST_TURNS,
) -> Model:
    """Dialogue(Recorded(Metered(Limited(Retry(provider))))): a replay is free, and each attempt is booked."""
    source = session.source(target.endpoint)
    if session.mode == "replay":
        silent = OnlyRecorded(target.name, target.label, target.defaults)
        inner: Model = Recorded(silent, session.store, endpoint=source, also=("simulator",))
        return _outermost(inner, target, session, most_turns)
    sent: Model = Retry(_provider(target, session), attempts=tries)
    if session.mode == "live":  # simulated minutes are not waited for
        sent = Limited(sent, session.bucket(target.endpoint, target.id), tokens=partial(_tokens, target))
    metered = Metered(
        sent,
        session.ledger,
        endpoint=source,
        price=partial(price, target=target, session=session),
        worst=partial(worst, target=target, session=session),
        budgets=lambda: session.budgets,
        seen=partial(seen, target=target, session=session),
        distrust=session.clients.calls.drop,
        timeout=timeout,
    )
    return _outermost(Recorded(metered, session.store, endpoint=source), target, session, most_turns)


def price(response: Response, *, target: Target, session: Session, on: date | None = None) -> Cost:
    """What an answer costs: as the provider reports it, else by the price of the model that served it.

    ``on`` is the day whose prices hold, where it is not today.
    """
    return bill(response, asked=target.name, on=on or session.today(), book=session.book)


def worst(request: Request, *, target: Target, session: Session, batch: bool = False) -> Decimal | None:
    """The most a request can cost, before it is sent; None if no price is known."""
    own = canonical(target.name)
    return worst_case(request, target.facts, session.today(), batch=batch, own=own, book=session.book)


def estimate(
    request: Request, answer: str, *, target: Target, session: Session, prompt: int | None = None
) -> Estimate:
    """Tokens, seconds and USD of one call before it is made, if it were answered with ``answer``.

    ``prompt`` is its number of prompt tokens, where that is known.
    """
    prompt = _tokens(target, request) if prompt is None else prompt
    output = _output_tokens(target, request, answer)
    seconds = estimates.seconds(target.facts.line, output) if target.facts else nan
    expected = _expected(request, prompt, output, target=target, session=session)
    return Estimate(prompt, output, seconds, expected, worst(request, target=target, session=session))


def seen(request: Request, text: str, *, target: Target, session: Session) -> Decimal | None:
    """USD of a request whose answer broke off after ``text``; None if no price is known."""
    tokenizer = target.facts.tokenizer if target.facts else "v1"
    output = estimates.tokens(text, tokenizer)
    return _expected(request, _tokens(target, request), output, target=target, session=session)


def overview() -> list[dict[str, Any]]:
    """One row per model known, newest first in each line: lifecycle, limits and prices of today (UTC)."""
    day = datetime.now(UTC).date()
    rows = []
    for facts in sorted(all_models(), key=lambda m: (m.line, m.released), reverse=True):
        row = facts.price_row(day)
        rows.append(
            {
                "model": facts.id,
                "line": facts.line,
                "lifecycle": facts.status(day),
                "retires": facts.retires,
                "context": facts.context_tokens,
                "max output": facts.max_output_tokens,
                "input $/M": row.input if row else None,
                "output $/M": row.output if row else None,
            }
        )
    return rows


def _provider(target: Target, session: Session) -> Model:
    simulated = session.mode == "offline"
    shared: dict[str, Any] = {
        "name": target.name,
        "label": target.label,
        "defaults": target.defaults,
        "endpoint": target.endpoint.name,
        "simulated": simulated,
    }
    if target.endpoint.protocol == "messages":
        from .providers.messages import Messages

        clients, where = session.clients, target.endpoint
        sdk, transport = partial(clients.messages, where), partial(clients.transport, where)
        return Messages(target.id, sdk, transport=transport, **shared)
    from .providers.chat import Chat

    features = target.endpoint.features
    return Chat(target.id, partial(session.clients.chat, target.endpoint), features=features, **shared)


def _outermost(inner: Model, target: Target, session: Session, most_turns: int) -> Model:
    guess = partial(estimate, target=target, session=session)
    return Dressed(inner, target, check=partial(check, target), guess=guess, most_turns=most_turns)


def check(target: Target, request: Request) -> None:
    """Raise ``UsageError`` for a request that this model cannot take."""
    if target.facts is not None:
        rules.check(request, target.facts)
        return
    from .providers import chat_encode

    chat_encode.encode(request, target.id, target.endpoint.features, where=target.endpoint.name)


def _expected(
    request: Request, prompt: int, output: int, *, target: Target, session: Session
) -> Decimal | None:
    """USD of so many tokens, by any price known."""
    usage = Usage(input=prompt, output=output, speed=request.speed or "standard")
    served = target.facts.id if target.facts else target.id
    guess = Response("", served, endpoint=target.endpoint.name, usage=usage)
    return price(guess, target=target, session=session).total


def _tokens(target: Target, request: Request) -> int:
    tokenizer = target.facts.tokenizer if target.facts else "v1"
    contents = [message.content for message in request.messages]
    texts = [text for content in (*contents, request.system) for text in _texts(content)]
    media = media_tokens(request, target.facts) if target.facts else 0
    return estimates.input_tokens(texts, tokenizer) + (media or 0)


def _output_tokens(target: Target, request: Request, answer: str) -> int:
    tokenizer = target.facts.tokenizer if target.facts else "v1"
    thinking = estimates.thinking_tokens(request.thinking, request.effort)
    return min(request.max_tokens, estimates.tokens(answer, tokenizer) + thinking)


def _texts(content: str | tuple[Mapping[str, Any], ...] | None) -> list[str]:
    if isinstance(content, str) or content is None:
        return [content] if content else []
    return [str(block["text"]) for block in content if block.get("type") == "text"]


def _brief(value: Any) -> str:
    """A setting as a label shows it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_brief(each) for each in value)}]"
    return getattr(value, "__name__", None) or (value if isinstance(value, str) else str(value))[:40]


def _thinking(facts: ModelFacts) -> str | None:
    if not facts.thinking_types:
        return None
    return "disabled" if facts.thinking_default == "off" else "adaptive"


def _refuse_retired(facts: ModelFacts | None, session: Session) -> None:
    day = session.today()
    if facts is None or facts.status(day) != "retired":
        return
    next_one = successor(facts, day)
    hint = f"its successor is {next_one.id!r}, and " if next_one else ""
    raise RetiredModel(
        f"{facts.id!r} was retired on {facts.retires}; {hint}the name {facts.line!r} always means the newest "
        'of its line. It can still be simulated with kit.connect("offline")'
    )
