"""The Messages API's answers: a plain body or the events of a stream -> one message -> a Response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import UnknownModel
from ..models import find
from ..records import Outcome, Request, Response, Thought
from ..tools import arguments
from .errors import broken_off, from_status
from .sse import twice
from .usage import messages_usage, stream_usage

_OUTCOMES: dict[str, Outcome] = {
    "end_turn": "ok",
    "stop_sequence": "ok",
    "max_tokens": "max_tokens",
    "tool_use": "tool_use",
    "pause_turn": "pause_turn",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_exceeded",
}
_NOTHING: Final[Mapping[str, Any]] = {}


def decode(content: bytes) -> dict[str, Any]:
    """The message in a plain answer. Raises ``ValueError`` if it is none."""
    return checked(json.loads(content))


def checked(answer: Any) -> dict[str, Any]:
    """A parsed message, if it is a whole one. Raises ``ValueError`` if it is none."""
    if not isinstance(answer, dict) or answer.get("type") != "message":
        raise ValueError("the body is no message")
    if not isinstance(answer.get("content"), list) or not isinstance(answer.get("model"), str):
        raise ValueError("the message lacks its content or its model")
    if not answer.get("stop_reason"):
        raise ValueError("the message has no stop_reason, so it is not whole")
    return answer


@dataclass(slots=True)
class Gathered:
    """A message put together from the events of a stream."""

    message: dict[str, Any] = field(default_factory=dict)
    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    pieces: dict[int, list[str]] = field(default_factory=dict)
    usage: Mapping[str, Any] | None = None
    counted: bool = False
    ended: bool = False

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(
            "".join(self.pieces[index])
            for index in sorted(self.blocks)
            if self.blocks[index].get("type") == "text"
        )

    def add(self, event: Any) -> str:
        """Take in one event and return the text or the ``Thought`` it adds.

        Raises ``CallError`` on an error event, ``ValueError`` on one that cannot be.
        """
        if not isinstance(event, dict):
            raise ValueError("an event is no object")
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event["index"], event["delta"])
        if kind == "content_block_start":
            return self._start(event["index"], dict(event["content_block"]))
        if kind == "message_start":
            if self.message:
                raise ValueError("the stream began a second time")
            self.message = dict(event["message"])
            self.usage = self.message.get("usage")
        elif kind == "message_delta":
            self.message |= event["delta"]
            if self.usage is not None and event.get("usage"):
                self.usage = stream_usage(self.usage, event["usage"])
                self.counted = True
        elif kind == "message_stop":
            self.ended = True
        elif kind == "error":
            raise from_status(200, event, {})
        return ""

    def whole(self, message: dict[str, Any]) -> str:
        """Take in a message that came all at once, and return its text."""
        self.message, self.usage, self.counted, self.ended = message, message.get("usage"), True, True
        self.blocks = {index: dict(block) for index, block in enumerate(message["content"])}
        self.pieces = {index: [block.get("text") or ""] for index, block in self.blocks.items()}
        return self.text

    def check_once(self, output: int | None) -> None:
        """Raise ``ValueError`` if every piece of the text came twice; ``output``: tokens, where counted."""
        texts = [index for index, block in self.blocks.items() if block.get("type") == "text"]
        if twice([piece for index in texts for piece in self.pieces[index]], output):
            raise ValueError("every piece of the text came twice")

    def _start(self, index: int, block: dict[str, Any]) -> str:
        if index in self.blocks:
            raise ValueError(f"block {index} began a second time")
        self.blocks[index] = block
        self.pieces[index] = [block["text"]] if block.get("text") else []
        return str(block.get("text") or "") if block.get("type") == "text" else ""

    def _delta(self, index: int, delta: dict[str, Any]) -> str:
        block, kind = self.blocks[index], delta.get("type")
        if kind == "text_delta":
            self.pieces[index].append(delta["text"])
            return str(delta["text"])
        if kind == "thinking_delta":
            block["thinking"] = block.get("thinking", "") + delta["thinking"]
            return Thought(delta["thinking"])
        if kind == "signature_delta":
            block["signature"] = delta["signature"]
        elif kind == "input_json_delta":
            self.pieces[index].append(delta["partial_json"])
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        return ""

    def answer(self) -> dict[str, Any]:
        """The whole message. Raises ``Busy`` or ``Partial`` if the stream ended before its end."""
        if not self.ended or not self.message.get("stop_reason"):
            raise broken_off("the stream ended before the answer did", self.text, again=1)
        # Without the final counts, those of the start would make a long answer one token.
        return self.message | {"content": self._content(), "usage": self.usage if self.counted else None}

    def _content(self) -> list[dict[str, Any]]:
        for index, block in self.blocks.items():
            joined = "".join(self.pieces[index])
            if block.get("type") == "text":
                block["text"] = joined
            elif joined and "input" in block:
                block["input"] = arguments(joined)
        return [self.blocks[index] for index in sorted(self.blocks)]


def response(
    answer: Mapping[str, Any], request: Request, model_id: str, about: Mapping[str, Any] = _NOTHING
) -> Response:
    """The answer in our words; ``about`` has what is not in it (times, where it was asked).

    Raises ``ValueError`` for one that cannot be the answer to this request: of another model, or longer
    than was asked for.
    """
    if not same_model(answer["model"], model_id) and "fallbacks" not in request.extra:
        raise ValueError(f"it was served by {answer['model']!r}, and {model_id!r} was asked")
    blocks = tuple(answer["content"])
    raw = answer.get("usage")
    usage = None if raw is None else messages_usage(raw)
    if usage is not None and usage.output > request.max_tokens and not usage.parts and not _loops(usage.raw):
        raise ValueError(f"it counts {usage.output:,} output tokens, above max_tokens {request.max_tokens:,}")
    return Response(
        text="".join(block["text"] for block in blocks if block.get("type") == "text"),
        model=answer["model"],
        outcome=_OUTCOMES.get(str(answer.get("stop_reason")), "ok"),
        stop_reason=answer.get("stop_reason"),
        usage=usage,
        response_id=answer.get("id"),
        blocks=blocks,
        **about,
    )


def same_model(served: str, asked: str) -> bool:
    """Whether the model an answer names is the one asked: its id, an alias, or its id with a date."""
    return served == asked or _id(served) == _id(asked) or served.startswith(f"{asked}-")


def _loops(raw: Mapping[str, Any]) -> bool:
    # The provider's own tools answer in several rounds, each up to max_tokens.
    return bool(raw.get("server_tool_use"))


def _id(name: str) -> str:
    try:
        return find(name).id
    except UnknownModel:
        return name
