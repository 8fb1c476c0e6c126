"""What is said in reply, before it is cut to size: a text, tool calls, a search, a refusal or a pause."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from . import judging, tools
from .answers import Book, Entry, ability
from .catalog import Model
from .chance import Chance
from .formats import schema_of
from .prose import LEADS, SIMULATED, about_results, made_up
from .schemas import Hints, satisfies, value, with_text

_TRIGGER = re.compile(r"\[simulate: (refusal|refusal mid|pause_turn)\]")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Said:
    """What the model would say, given room.

    Attributes:
        before: blocks of tools on the provider's side, ahead of the text.
        calls: tool_use blocks, after the text.
        stop: why it ends, where that is neither the end of the text nor a call.
        silent: refused before a word was said or thought.
    """

    text: str
    before: tuple[Mapping[str, Any], ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()
    stop: str | None = None
    silent: bool = False


def said(
    body: Mapping[str, Any], model: Model, book: Book, chance: Chance, *, effort: str | None
) -> tuple[Said, Entry | None]:
    """What the model says, and the entry of the book that it is about, if there is one."""
    question = question_text(body)
    entry = book.find(question, shown_pictures(body))
    judge = partial(
        judging.verdict, question=question, book=book, ability=ability(model.id, effort), chance=chance
    )
    verdict = judge(schema_of(body))
    called = [(name, schema, judge(schema)) for name, schema in tools.called(body, question)]
    judges = verdict or any(given for *_, given in called)
    wish = _wish(body, question, None if judges else entry)
    if wish == "refusal":
        return Said("", stop="refusal", silent=True), entry
    if wish == "pause_turn":
        return Said("", before=(_search(body, question, chance),), stop="pause_turn"), entry
    calls = tuple(
        _call(number, name, given or _given(number, schema, question, chance), chance)
        for number, (name, schema, given) in enumerate(called)
    )
    if calls:
        between = model.line in ("opus", "sonnet") and model.id.endswith("5-5")
        spoken = not between and not tools.is_forced(body) and chance.uniform("lead") < 0.5
        lead = f"{SIMULATED} {chance.pick('lead words', LEADS)}" if spoken else ""
        return Said(lead, calls=calls), entry
    text = _dumped(verdict) if verdict else _text(body, model, entry, question, chance, effort)
    if wish == "refusal mid":
        return Said(text[: max(1, len(text) // 2)], stop="refusal"), entry
    return Said(text, before=_searched(body, question, chance)), entry


def question_text(body: Mapping[str, Any]) -> str:
    """The last text of the user's; tool results and the assistant's words may follow it."""
    texts = [_words(turn["content"]) for turn in reversed(body["messages"]) if turn["role"] == "user"]
    return next((text for text in texts if text), "")


def shown_pictures(body: Mapping[str, Any]) -> tuple[str, ...]:
    """SHA-256 of each picture in the turn that asks, of its bytes or its address."""
    turns = [turn["content"] for turn in reversed(body["messages"]) if turn["role"] == "user"]
    asking = next((content for content in turns if _words(content)), "")
    blocks = [] if isinstance(asking, str) else [block for block in asking if block["type"] == "image"]
    return tuple(sha256(_picture(block["source"])).hexdigest() for block in blocks)


def prefill(body: Mapping[str, Any]) -> str:
    """The words of the assistant that the answer goes on from."""
    last = body["messages"][-1]
    return _words(last["content"]) if last["role"] == "assistant" else ""


def _wish(body: Mapping[str, Any], question: str, entry: Entry | None) -> str | None:
    """What the question or the book asks to be rehearsed; a turn that was paused goes on."""
    if body["messages"][-1]["role"] == "assistant":
        return None
    asked = _TRIGGER.search(question)
    if asked:
        return asked[1]
    refuse = entry.refuse if entry else False
    return "refusal mid" if refuse == "mid" else "refusal" if refuse else None


def _text(
    body: Mapping[str, Any],
    model: Model,
    entry: Entry | None,
    question: str,
    chance: Chance,
    effort: str | None,
) -> str:
    known = entry.answer(ability(model.id, effort), chance) if entry else None
    schema = schema_of(body)
    if schema is not None:
        return _structured(known, schema, chance)
    if known is not None:
        return known
    found = tools.results(body)
    return about_results(found, chance) if found else made_up(question, chance)


def _structured(known: str | None, schema: Mapping[str, Any], chance: Chance) -> str:
    if known is None:
        return _dumped(value(schema, chance))
    try:
        if satisfies(json.loads(known), schema):
            return known
    except ValueError:
        pass
    return _dumped(with_text(schema, known, chance))


def _dumped(made: Any) -> str:
    return json.dumps(made, ensure_ascii=False)


def _searched(body: Mapping[str, Any], question: str, chance: Chance) -> tuple[Mapping[str, Any], ...]:
    """A search and what it found, or the findings that a paused turn waits for."""
    last = body["messages"][-1]
    open_search = tools.ends_in_server_tool(last)
    if not open_search and (tools.results(body) or not tools.searches(body, question)):
        return ()
    search = _search(body, question, chance)
    id = last["content"][-1]["id"] if open_search else search["id"]
    finding = {
        "type": "web_search_result",
        "title": f"{SIMULATED} A page that nobody wrote",
        "url": "https://example.com/simulated",
        "encrypted_content": b64encode(b"simulated" + chance.bits("page")).decode(),
        "page_age": None,
    }
    result = {"type": "web_search_tool_result", "tool_use_id": id, "content": [finding]}
    return (result,) if open_search else (search, result)


def _search(body: Mapping[str, Any], question: str, chance: Chance) -> dict[str, Any]:
    query = " ".join(_TRIGGER.sub("", question).split()[:12])
    return {
        "type": "server_tool_use",
        "id": _id("srvtoolu_01", "search", chance),
        "name": "web_search",
        "input": {"query": query},
        "caller": {"type": "direct"},
    }


def _given(number: int, schema: Any, question: str, chance: Chance) -> Any:
    """The arguments of a call."""
    return value(schema, Chance(chance.bits(f"call {number}")), Hints.of(question))


def _call(number: int, name: str, given: Any, chance: Chance) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": _id("toolu_01", f"call {number} id", chance),
        "name": name,
        "input": given,
        "caller": {"type": "direct"},
    }


def _id(prefix: str, name: str, chance: Chance) -> str:
    letters = "".join(_DIGITS[byte % len(_DIGITS)] for byte in chance.bits(name))
    return prefix + letters[: _ID_LENGTH - 2]


def _picture(source: Mapping[str, Any]) -> bytes:
    if source["type"] == "base64":
        return b64decode(source["data"])
    return str(source.get("url", source.get("file_id", ""))).encode()


def _words(content: str | list[Mapping[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")
