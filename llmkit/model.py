"""The waist: one request in, pieces of text on the way, one response back."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields, replace
from typing import Any

from .errors import UsageError
from .records import Message, Request, Response
from .workers import concurrently

Prompt = str | Message | Sequence[Message | Mapping[str, Any]]

_NO_SETTING = {"messages", "stream", "call"}
_GONE = {
    "temperature": "the API no longer takes it; draw several answers with repeat=0, 1, 2, ... instead",
    "top_p": "the API no longer takes it; draw several answers with repeat=0, 1, 2, ... instead",
    "top_k": "the API no longer takes it; draw several answers with repeat=0, 1, 2, ... instead",
    "model": "a model is chosen with kit.model(name)",
}


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
        """The request that ``prompt`` and ``settings`` make, on top of this model's defaults."""
        unknown = [name for name in settings if name not in _settings()]
        if unknown:
            raise UsageError(_unknown_setting(unknown[0]))
        if isinstance(settings.get("stop"), str):
            settings["stop"] = (settings["stop"],)
        elif "stop" in settings:
            settings["stop"] = tuple(settings["stop"] or ())
        return replace(self.defaults, messages=conversation(prompt), **settings)

    def __call__(self, prompt: Prompt, **settings: Any) -> Response:
        """Ask once and wait for the answer; settings as in ``Request`` (max_tokens, effort, system, ...)."""
        return finish(self.run(self.request(prompt, **settings)))

    def stream(self, prompt: Prompt, **settings: Any) -> Stream:
        """Ask once and iterate over the text as it comes; ``.response`` afterwards."""
        return Stream(self.run(replace(self.request(prompt, **settings), stream=True)))

    def map(self, prompts: Iterable[Prompt], *, workers: int = 8, **settings: Any) -> list[Response]:
        """Ask many at once; answers in the order of the prompts. The first failure is raised."""
        requests = [self.request(prompt, **settings) for prompt in prompts]
        answers: dict[int, Response] = {}
        jobs = enumerate(requests)
        with closing(concurrently(lambda job: finish(self.run(job[1])), jobs, workers=workers)) as results:
            for (index, _), result in results:
                if isinstance(result, Exception):
                    raise result
                answers[index] = result
        return [answers[index] for index in range(len(requests))]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Wrapper(Model):
    """A model with a model inside; takes over its name, label and defaults."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name, self.label, self.defaults = model.name, model.label, model.defaults


class Stream(Iterator[str]):
    """The pieces of one answer as they come. Leave it early with ``close()`` or a ``with`` block.

    An answer left early is charged at its worst case, for nobody learns what it would have cost.
    """

    def __init__(self, pieces: Generator[str, None, Response]) -> None:
        self._pieces = pieces
        self._response: Response | None = None
        self._text: list[str] = []

    def __next__(self) -> str:
        try:
            piece = next(self._pieces)
        except StopIteration as stop:
            if stop.value is not None:
                self._response = stop.value
            raise StopIteration from None
        self._text.append(piece)
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
    """A prompt in any accepted form as messages; the last must be the user's."""
    if isinstance(prompt, str):
        messages: tuple[Message, ...] = (Message("user", prompt),)
    elif isinstance(prompt, Message):
        messages = (prompt,)
    elif isinstance(prompt, Sequence):
        messages = tuple(_message(turn) for turn in prompt)
    else:
        raise UsageError(f"the prompt is a {type(prompt).__name__}; give a text or a list of messages")
    if not messages or messages[-1].role != "user":
        raise UsageError("a conversation ends with a user's message; this one does not")
    if any(isinstance(m.content, str) and not m.content.strip() for m in messages):
        raise UsageError("a message is empty; every message needs some text")
    return messages


def _message(turn: object) -> Message:
    if isinstance(turn, Message):
        return turn
    if not isinstance(turn, Mapping) or set(turn) != {"role", "content"}:
        raise UsageError(f"{turn!r} is no message; give {{'role': 'user', 'content': '...'}}")
    if turn["role"] not in ("user", "assistant"):
        raise UsageError(f"role is {turn['role']!r}; it is 'user' or 'assistant' (system=... is a setting)")
    content = turn["content"]
    return Message(turn["role"], content if isinstance(content, str) else tuple(content))


def _settings() -> set[str]:
    return {field.name for field in fields(Request)} - _NO_SETTING


def _unknown_setting(name: str) -> str:
    if name in _GONE:
        return f"there is no setting {name!r}: {_GONE[name]}"
    near = difflib.get_close_matches(name, _settings(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no setting {name!r}; {hint}there are {', '.join(sorted(_settings()))}"
