"""What all models made of models share: who is inside, who began a conversation, what was decided."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar
from zlib import crc32

from .errors import UsageError
from .estimates import Estimate
from .hops import Target, Trip, addressed, marks
from .model import Journal, Model
from .records import Call, Message, Request

REMEMBERED = 10_000  # turns of conversations; a digest each
LONGEST = 40  # characters of a name inside a label
Own = TypeVar("Own", bound="Policy")


class Question(str):
    """A prompt as checks and routers see it: its text, and what else there is to know.

    Attributes:
        request: the whole request, earlier turns and settings included.
        model: who drafted the answer that is being checked; None before anybody was asked.
    """

    request: Request
    model: Model | None

    @classmethod
    def of(cls, request: Request, model: Model | None = None) -> Question:
        """The last turn of the user's."""
        mine = [message for message in request.messages if message.role == "user"]
        question = cls(text_of(mine[-1]) if mine else "")
        question.request, question.model = request, model
        return question


class Policy(Model):
    """Several models behind one name. One object may serve many threads.

    A conversation stays with the model that began it, whose thinking no other model is shown.

    Attributes:
        models: the models inside, as given.
    """

    def __init__(self, *models: Model) -> None:
        check_models(models)
        self.models = models
        self._targets = [Target(name, model) for name, model in zip(_names(models), models, strict=True)]
        self._lock = threading.Lock()
        self._served: OrderedDict[bytes, Target] = OrderedDict()

    def count(self, request: Request) -> int:
        """As the first model counts."""
        return self.models[0].count(addressed(request, self.models[0]))

    @property
    def journal(self) -> Journal | None:
        """That of the first model inside which has one."""
        return next((model.journal for model in self.models if model.journal is not None), None)

    def swapped(self: Own, swap: Callable[[Model], Model]) -> Own:
        """The same policy over other models, with nothing remembered: ``swap`` is asked for each leaf."""
        other = copy.copy(self)
        by_id = {id(m): m.swapped(swap) if isinstance(m, Policy) else swap(m) for m in self.models}
        Policy.__init__(other, *(by_id[id(model)] for model in self.models))
        return other

    def begin(self, request: Request, order: Sequence[Target]) -> Trip:
        """The way of one request through ``order``; ``known`` is who served the conversation before."""
        beginnings = marks(request)
        makers: dict[int, Target | None] = {}
        known: Target | None = None
        with self._lock:
            for place, message in enumerate(request.messages):
                if message.role == "assistant" and place:
                    known = self._recall(beginnings[place - 1]) or known
                    makers[place] = known
        mark = beginnings[-1] if beginnings else b""
        return Trip(request.messages, list(order), makers, mark, known=known)

    def served(self, trip: Trip, target: Target) -> None:
        """Remember who served a conversation up to here."""
        with self._lock:
            self._served[trip.mark] = target
            self._served.move_to_end(trip.mark)
            if len(self._served) > REMEMBERED:
                self._served.popitem(last=False)

    def decision_key(self, request: Request) -> str:
        """What a decision is kept under: the policy, and what each leaf would be asked."""
        asked = [[leaf.name, addressed(request, leaf).content()] for leaf in leaves(self)]
        text = json.dumps([self.name, request.repeat, sorted(request.given), asked], ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def _recall(self, mark: bytes) -> Target | None:
        if mark in self._served:
            self._served.move_to_end(mark)
        return self._served.get(mark)


def put(
    request: Request, target: Target, trip: Trip, *, call: Mapping[str, Any] | None = None, **changes: Any
) -> Request:
    """The request as it is put to a model inside; ``call`` and ``changes`` replace what they name."""
    # Booking and recording belong to the layer that asked for them; a model inside has its own.
    own = {"again": None, "keep": None, "kept": False} | dict(call or {})
    hop = replace(request.call or Call(), **own)
    values: dict[str, Any] = {"messages": trip.messages(target), "call": hop} | changes
    return addressed(replace(request, **values), target.model)


def leaves(model: Model) -> Iterator[Model]:
    """The models at the ends, which are made of no others."""
    if isinstance(model, Policy):
        for inner in model.models:
            yield from leaves(inner)
    else:
        yield model


def opening(request: Request) -> Request:
    """A conversation up to the first answer, by which a decision for all of it is made."""
    turns = [place for place, message in enumerate(request.messages) if message.role == "assistant"]
    return replace(request, messages=request.messages[: turns[0]]) if turns else request


def draw(seed: int, request: Request) -> float:
    """A number from 0 up to 1 that depends on seed, opening and repeat alone: the same in every rerun."""
    beginnings = marks(opening(request))
    text = f"{seed}:".encode() + (beginnings[-1] if beginnings else b"")
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big") / 2.0**48


def text_of(message: Message) -> str:
    """The text of a message; pictures and documents are left out."""
    if isinstance(message.content, str):
        return message.content
    return "\n".join(str(block["text"]) for block in message.content if block.get("type") == "text")


def check_models(models: Sequence[Model]) -> None:
    """Raise ``UsageError`` for what is no model, and for models that contain themselves."""
    for model in models:
        if not isinstance(model, Model):
            raise UsageError(
                f"{model!r} is a {type(model).__name__}, not a model; give models one by one, such as "
                'kit.model("opus"), kit.model("sonnet")'
            )
        _no_cycle(model, ())


def brief(name: str) -> str:
    """A name for labels; a long one is cut, and keeps a mark of its own."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 6]}~{crc32(name.encode()) & 0xFFFF:04x}"


def dearest(guesses: Sequence[Estimate]) -> Decimal | None:
    """The worst case if any one of them is asked; None if one has no price."""
    worst = [guess.worst for guess in guesses if guess.worst is not None]
    return max(worst) if len(worst) == len(guesses) else None


def together(guesses: Sequence[Estimate], weights: Sequence[float] | None = None) -> Estimate:
    """Of several calls, each made so often (once if left out); the worst case is that all are made."""
    shares = [1.0] * len(guesses) if weights is None else list(weights)
    asked = [(guess, share) for guess, share in zip(guesses, shares, strict=True) if share]
    expected = [guess.expected * Decimal(str(share)) for guess, share in asked if guess.expected is not None]
    worst = [guess.worst for guess in guesses if guess.worst is not None]
    return Estimate(
        sum(guess.input_tokens * share for guess, share in asked),
        sum(guess.output_tokens * share for guess, share in asked),
        sum(guess.seconds * share for guess, share in asked),
        sum(expected, Decimal(0)) if len(expected) == len(asked) else None,
        sum(worst, Decimal(0)) if len(worst) == len(guesses) else None,
    )


def _no_cycle(model: Model, above: tuple[Model, ...]) -> None:
    if any(model is other for other in above):
        names = [getattr(each, "name", type(each).__name__) for each in above]
        raise UsageError(f"a cycle of models: {names!r} contains itself; build each from models made before")
    inside = [*(getattr(model, "models", None) or ()), getattr(model, "model", None)]
    for inner in inside:
        if isinstance(inner, Model):
            _no_cycle(inner, (*above, model))


def _names(models: Sequence[Model]) -> list[str]:
    """A name for each, numbered where two have the same: one model with two keys, say."""
    names: list[str] = []
    for model in models:
        again = sum(other.name == model.name for other in models[: len(names)])
        names.append(f"{model.name} ({again + 1})" if again else model.name)
    return names
