"""The Messages protocol: a body -> a message, as JSON or as the events of a stream."""

from __future__ import annotations

import itertools
import json
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import tokens
from .answers import Book
from .rules import invalid

_ALPHABET = string.digits + string.ascii_letters
_IMAGE_TOKENS = 1000
_PIECE = 18  # characters a delta carries, about
_NONCE = secrets.randbits(64)
_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: the message, and its virtual times in milliseconds."""

    message: dict[str, Any]
    first_ms: float
    latency_ms: float


def reply(body: Mapping[str, Any], facts: Mapping[str, Any], book: Book, repeat: int) -> Reply:
    """What a model answers to a valid body; the same for the same body and repeat, but for the ids."""
    asked = {name: value for name, value in body.items() if name not in ("stream", "metadata")}
    draw = json.dumps([asked, repeat], sort_keys=True)
    effort = (
        (body.get("output_config") or {}).get("effort") or facts["capabilities"]["effort_default"] or "high"
    )
    answer = book.answer(facts, effort, last_text(body), draw)
    chance = tokens.seed("usage", str(facts["id"]), draw)
    hidden = tokens.thinking(chance, effort, answer.difficulty) if _thinks(body, facts) else 0
    text, stop, sequence = _stopped(answer.text, body.get("stop_sequences") or ())
    output = hidden + max(1, tokens.count(text, facts["tokenizer"]))
    if output > body["max_tokens"]:
        stop, sequence, output = "max_tokens", None, body["max_tokens"]
        hidden = min(hidden, output)
        text = text[: (output - hidden) * len(text) // max(1, tokens.count(text, facts["tokenizer"]))]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    if hidden:
        blocks.insert(0, {"type": "thinking", "thinking": "", "signature": "simulated" + "A" * 40})
    first, whole = tokens.latency(chance, dict(facts), output, hidden)
    message = {
        "model": facts["id"],
        "id": new_id("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": sequence,
        "stop_details": None,
        "usage": usage(body, facts, output, hidden),
    }
    return Reply(message, first, whole)


def usage(body: Mapping[str, Any], facts: Mapping[str, Any], output: int, hidden: int) -> dict[str, Any]:
    """The usage object with every field the API has."""
    geo = (
        (body.get("inference_geo") or "global") if facts["capabilities"]["inference_geo"] else "not_available"
    )
    return {
        "input_tokens": prompt_tokens(body, facts),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": hidden},
        "service_tier": "standard",
        "inference_geo": geo,
        "speed": body.get("speed") or "standard",
    }


def prompt_tokens(body: Mapping[str, Any], facts: Mapping[str, Any]) -> int:
    """Tokens of system and messages, images at a flat rate."""
    total = 8
    for content in (body.get("system") or "", *(message["content"] for message in body["messages"])):
        for part in [content] if isinstance(content, str) else content:
            words = part if isinstance(part, str) else str(part.get("text", ""))
            image = isinstance(part, dict) and part.get("type") == "image"
            total += 4 + tokens.count(words, facts["tokenizer"]) + _IMAGE_TOKENS * image
    return total


def last_text(body: Mapping[str, Any]) -> str:
    """The text of the last turn."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content if block.get("type") == "text")


def events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The message as the events of a stream, in the order that real ones come."""
    final = message["usage"]
    opening = dict(
        message, content=[], stop_reason=None, stop_sequence=None, usage=dict(final, output_tokens=1)
    )
    del opening["usage"]["output_tokens_details"]
    yield {"type": "message_start", "message": opening}
    for index, block in enumerate(message["content"]):
        yield from _block(index, block)
        if index == 0:
            yield {"type": "ping"}
    yield {
        "type": "message_delta",
        "delta": {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")},
        "usage": {
            name: final[name]
            for name in (
                "input_tokens",
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
                "output_tokens",
                "output_tokens_details",
            )
        },
    }
    yield {"type": "message_stop"}


def new_id(prefix: str, length: int) -> str:
    """An id that no other answer has."""
    number = hash((_NONCE, next(_counter))) & (2**64 - 1)
    chance = tokens.seed(str(number), str(_NONCE))
    return prefix + "".join(chance.choices(_ALPHABET, k=length))


def model_info(facts: Mapping[str, Any], status: str) -> dict[str, Any]:
    """A row of the models list."""
    return {
        "type": "model",
        "id": facts["id"],
        "display_name": facts["display_name"],
        "created_at": f"{facts['released']}T00:00:00Z",
        "lifecycle": status,
        "line": facts["line"],
        "deprecated_at": _moment(facts["deprecated"]) if status != "active" else None,
        "retires_at": _moment(facts["retires"]) if status != "active" else None,
        "max_input_tokens": facts["context_tokens"],
        "max_tokens": facts["max_output_tokens"],
    }


def page(rows: list[dict[str, Any]], query: Mapping[str, list[str]]) -> dict[str, Any]:
    """One page of a list, by after_id, before_id and limit (1 to 1,000, usually 20)."""
    limit = int(query.get("limit", ["20"])[-1])
    if not 1 <= limit <= 1000:
        raise invalid("limit: Input should be between 1 and 1000")
    ids = [row["id"] for row in rows]
    if "before_id" in query and query["before_id"][-1] in ids:
        end = ids.index(query["before_id"][-1])
        part, more = rows[max(0, end - limit) : end], end > limit
    else:
        after = query.get("after_id", [""])[-1]
        start = ids.index(after) + 1 if after in ids else 0
        part, more = rows[start : start + limit], start + limit < len(rows)
    ends = (part[0]["id"], part[-1]["id"]) if part else (None, None)
    return {"data": part, "has_more": more, "first_id": ends[0], "last_id": ends[1]}


def _block(index: int, block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    empty = {"type": "text", "text": ""} if block["type"] == "text" else dict(block, signature="")
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    if block["type"] == "text":
        text = block["text"]
        deltas = [{"type": "text_delta", "text": text[i : i + _PIECE]} for i in range(0, len(text), _PIECE)]
    else:
        deltas = [{"type": "signature_delta", "signature": block["signature"]}]
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _thinks(body: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    kind = (body.get("thinking") or {}).get("type")
    return kind in ("adaptive", "enabled") or (
        kind is None and facts["capabilities"]["thinking_default"] in ("on", "always_on", "adaptive")
    )


def _stopped(text: str, sequences: list[str] | tuple[str, ...]) -> tuple[str, str, str | None]:
    places = [(text.find(sequence), sequence) for sequence in sequences if sequence and sequence in text]
    if not places:
        return text, "end_turn", None
    at, sequence = min(places)
    return text[:at], "stop_sequence", sequence


def _moment(day: str | None) -> str | None:
    return f"{day}T00:00:00Z" if day else None
