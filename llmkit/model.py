"""The waist: one request in, pieces of text on the way, one response back."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Protocol

from .errors import NotSupported, UsageError
from .estimates import UNKNOWN, Estimate
from .records import Call, Message, Request, Response, Thought
from .scope import here
from .settings import normal
from .workers import concurrently, left

Prompt = str | Message | Mapping[str, Any] | Sequence[str | Message | Mapping[str, Any]]


class Journal(Protocol):
    """Where a model made of models keeps what it decided, beside the recordings of those inside."""

    def recall(self, key: str) -> str | None:
        """What was noted under ``key``, or None."""

    def note(self, key: str, decision: str) -> None:
        """Keep a decision; the first one noted under a key stays."""


class Model(ABC):
    """Everything that answers: a provider, a recording, a meter, a retry, a router.

    Attributes:
        name: unique in a comparison; an exact model id unless the user gave another.
        label: short form for people, such as "Opus 5.5".
        defaults: the settings a request starts from, every one resolved.
    """

    name: str
    label: str
    defaults: Request = Request()

    @abstractmethod
    def run(self, request: Request) -> Generator[str, None, Response]:
        """Yield the text as it comes and return the whole answer. Raises ``CallError`` on failure."""

    def request(self, prompt: Prompt, **settings: Any) -> Request:
        """The request that ``prompt`` and ``settings`` make, on top of this model's defaults.

        A prompt is a text, a list of texts and parts (``kit.image(...)``, ``kit.document(...)``) that make
        one message, or a list of turns (``{"role": ..., "content": ...}``) that make a conversation.
        """
        values = normal(settings)
        given = self.defaults.given | values.keys()
        return replace(self.defaults, messages=conversation(prompt), given=given, **values)

    def __call__(self, prompt: Prompt, *, timeout: float | None = None, **settings: Any) -> Response:
        """Ask once and wait for the answer; settings as in ``Request`` (max_tokens, effort, system, ...).

        ``timeout`` is in seconds, for all attempts and waits of one call together.
        """
        return finish(self.run(_asked(self.request(prompt, **settings), timeout)))

    def stream(
        self, prompt: Prompt, *, timeout: float | None = None, thoughts: bool = False, **settings: Any
    ) -> Stream:
        """Ask once and iterate over the text as it comes; ``.response`` afterwards.

        With ``thoughts`` the pieces of thinking come too, each a ``Thought``; set show_thinking=True where
        the model keeps its thinking to itself.
        """
        request = replace(self.request(prompt, **settings), stream=True)
        return Stream(self.run(_asked(request, timeout)), thoughts=thoughts)

    def map(
        self, prompts: Iterable[Prompt], *, workers: int = 8, timeout: float | None = None, **settings: Any
    ) -> list[Response]:
        """Ask many at once; answers in the order of the prompts. The first failure is raised."""
        requests = [self.request(prompt, **settings) for prompt in prompts]
        answers: dict[int, Response] = {}
        with left() as stopped:

            def ask(job: tuple[int, Request]) -> Response:
                return finish(self.run(_asked(job[1], timeout, stopped)))

            with closing(concurrently(ask, enumerate(requests), workers=workers)) as results:
                for (index, _), result in results:
                    if isinstance(result, Exception):
                        raise result
                    answers[index] = result
        return [answers[index] for index in range(len(requests))]

    def estimate(self, request: Request, answer: str) -> Estimate:
        """Tokens, seconds and USD of one call before it is made, if it were answered with ``answer``."""
        return UNKNOWN

    def recording_keys(self, prompts: Sequence[Prompt], **settings: Any) -> list[tuple[str, ...]] | None:
        """For each prompt of one message, the keys under any of which its whole answer may be recorded.

        The best comes first. None where an answer is more than one recording, or none.
        """
        return None

    def count_tokens(self, prompt: Prompt, **settings: Any) -> int:
        """Prompt tokens as the provider counts them: an estimate of its own, free, without the cache.

        Raises ``NotSupported`` where the provider has no such service.
        """
        return self.count(self.request(prompt, **settings))

    def count(self, request: Request) -> int:
        """Prompt tokens of a request; see ``count_tokens``."""
        raise NotSupported(f"{self.name} has no service that counts tokens; its answers say what they used")

    @property
    def journal(self) -> Journal | None:
        """Where decisions about this model's answers are kept; None where answers are not recorded."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Wrapper(Model):
    """A model with a model inside; takes over its name, label and defaults."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name, self.label, self.defaults = model.name, model.label, model.defaults

    def estimate(self, request: Request, answer: str) -> Estimate:
        """As the model inside."""
        return self.model.estimate(request, answer)

    def count(self, request: Request) -> int:
        """As the model inside."""
        return self.model.count(request)

    @property
    def journal(self) -> Journal | None:
        """As the model inside."""
        return self.model.journal


class Stream(Iterator[str]):
    """The pieces of one answer as they come. Leave it early with ``close()`` or a ``with`` block.

    An answer left early is charged at its worst case, for nobody learns what it would have cost.
    """

    def __init__(self, pieces: Generator[str, None, Response], *, thoughts: bool = False) -> None:
        self._pieces, self._thoughts = pieces, thoughts
        self._response: Response | None = None
        self._text: list[str] = []

    def __next__(self) -> str:
        while True:
            try:
                piece = next(self._pieces)
            except StopIteration as stop:
                if stop.value is not None:
                    self._response = stop.value
                raise StopIteration from None
            if not isinstance(piece, Thought):
                self._text.append(piece)
                return piece
            if self._thoughts:
                return piece

    @property
    def text(self) -> str:
        """The text received so far."""
        return "".join(self._text)

    @property
    def response(self) -> Response:
        """The whole answer; reads what is still to come. Raises ``UsageError`` if it was closed early."""
        for _ in self:
            pass
        if self._response is None:
            raise UsageError("the stream was closed before its end, so there is no response; see .text")
        return self._response

    def close(self) -> None:
        """Stop here; nothing more is read."""
        self._pieces.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def finish(pieces: Generator[str, None, Response]) -> Response:
    """Run a model's generator to its end and return the response."""
    while True:
        try:
            next(pieces)
        except StopIteration as stop:
            response: Response = stop.value
            return response


def conversation(prompt: Prompt) -> tuple[Message, ...]:
    """A prompt in any accepted form as messages; the first is the user's.

    A last turn of the assistant's is the beginning of the answer, which few models go on from (a prefill).
    """
    if isinstance(prompt, str | Message | Mapping):
        prompt = [prompt]
    if not isinstance(prompt, Sequence):
        raise UsageError(f"the prompt is a {type(prompt).__name__}; give a text or a list of messages")
    turns = [_is_turn(entry) for entry in prompt]
    if any(turns) and not all(turns):
        raise UsageError("the prompt mixes turns with texts or parts; give a conversation or one message")
    if turns and not any(turns):
        messages: tuple[Message, ...] = (_one_message(prompt),)
    else:
        messages = tuple(_message(turn) for turn in prompt)
    if not messages or messages[0].role != "user":
        raise UsageError("a conversation begins with a user's message; this one does not")
    if any(not m.content or (isinstance(m.content, str) and not m.content.strip()) for m in messages):
        raise UsageError("a message is empty; every message needs some text")
    return messages


def _one_message(parts: Sequence[Any]) -> Message:
    if len(parts) == 1 and isinstance(parts[0], str):
        return Message("user", parts[0])
    return Message("user", _blocks(parts))


def _blocks(parts: Iterable[Any]) -> tuple[Mapping[str, Any], ...]:
    blocks = []
    for part in parts:
        if isinstance(part, str):
            if not part.strip():
                raise UsageError("a text part is empty; leave it out")
            part = {"type": "text", "text": part}
        if not isinstance(part, Mapping) or "type" not in part:
            raise UsageError(
                f"{part!r} is no part of a message; give a text, kit.image(...), kit.document(...) or a "
                "block with a type"
            )
        blocks.append(part)
    return tuple(blocks)


def _is_turn(entry: object) -> bool:
    return isinstance(entry, Message) or (isinstance(entry, Mapping) and "type" not in entry)


def _message(turn: object) -> Message:
    if isinstance(turn, Message):
        return turn
    if not isinstance(turn, Mapping) or set(turn) != {"role", "content"}:
        raise UsageError(f"{turn!r} is no message; give {{'role': 'user', 'content': '...'}}")
    if turn["role"] not in ("user", "assistant"):
        raise UsageError(f"role is {turn['role']!r}; it is 'user' or 'assistant' (system=... is a setting)")
    content = turn["content"]
    if isinstance(content, str):
        return Message(turn["role"], content)
    return Message(turn["role"], _blocks([content] if isinstance(content, Mapping) else content))


def _asked(
    request: Request, timeout: float | None, stopped: Callable[[float], bool] | None = None
) -> Request:
    """The request with all that is decided when it is asked: until when, under which label and ceilings."""
    if timeout is not None and timeout <= 0:
        raise UsageError(f"timeout is {timeout!r}; give seconds above 0")
    scope, deadline = here(), None if timeout is None else time.monotonic() + timeout
    return request.with_call(
        Call(budgets=scope.budgets, label=scope.label, deadline=deadline, stopped=stopped)
    )
