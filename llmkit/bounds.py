"""The most a request can cost, from its bytes, its pictures and its documents, before it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from .models import ModelFacts, PriceRow
from .parts import image_size, pdf_pages
from .pricing import DEFAULT, PriceBook, reachable
from .pricing import worst_case as worst_price
from .records import Request

_JSON = json.JSONEncoder(ensure_ascii=False)
# The provider's own tools bring text into the prompt that nobody here has seen.
_SERVER_TOOLS = ("web_search", "web_fetch", "code_execution", "tool_search", "advisor", "mcp")
_PATCH = 28
# What a page of a PDF costs besides its text: it is read as a picture too.
_PAGE_EXTRA = 256


def worst_case(
    request: Request,
    facts: ModelFacts | None,
    on: date,
    *,
    batch: bool = False,
    own: str | None = None,
    book: PriceBook = DEFAULT,
) -> Decimal | None:
    """USD a request can cost at most on that UTC day; None if no price or no bound is known.

    Text counts a token a byte, pictures by their size, PDF pages as their text and a picture each, the
    provider's own tools as a full context window for each use they are allowed (``max_uses``). Where the
    catalog knows nothing (``facts`` is None), the rows that ``book`` has under the name ``own`` decide: a
    picture counts their ``image_tokens``, and documents and the provider's tools have no bound. An endpoint
    that does not count thinking towards max_tokens can pass this.
    """
    speed = request.speed or "standard"
    media = (
        media_tokens(request, facts)
        if facts
        else _own_media(request, reachable(book, [own or ""], on, speed))
    )
    tools, searches = _server_tools(request, facts)
    if media is None or tools is None:
        return None
    content = request.content()
    text = _JSON.encode(content)
    if '"base64"' in text:
        text = _JSON.encode(_without_data(content))
    return worst_price(
        facts,
        on,
        request_bytes=len(text.encode("utf-8", "surrogatepass")),
        max_tokens=request.max_tokens * (1 + searches if searches else 1),
        messages=len(request.messages),
        tools=len(request.tools),
        extra_tokens=media + tools,
        web_searches=searches,
        # Endpoints of other vendors write their caches unasked.
        cached=facts is None or request.cache is not None or "cache_control" in text,
        batch=batch,
        speed=speed,
        geo=request.inference_geo,
        own=own,
        book=book,
    )


def media_tokens(request: Request, facts: ModelFacts) -> int | None:
    """Most tokens that pictures and PDFs make of a prompt; None if one of them has no bound."""
    total = 0
    for block in _media(request):
        tokens = _tokens(block, facts)
        if tokens is None:
            return None
        total += tokens
    return total


def image_tokens(width: int, height: int, facts: ModelFacts) -> int:
    """Tokens a picture costs: one for each 28 x 28 pixels, after shrinking it to the model's largest size."""
    side, most = _limits(facts)
    shrink = min(1.0, side / max(width, height))
    wide, high = -(-int(width * shrink) // _PATCH), -(-int(height * shrink) // _PATCH)
    return min(most, max(1, wide) * max(1, high))


def _tokens(block: Mapping[str, Any], facts: ModelFacts) -> int | None:
    source = block.get("source", {})
    most = _limits(facts)[1]
    if block["type"] == "image":
        size = _size(source["data"]) if source.get("type") == "base64" else None
        return most if size is None else image_tokens(*size, facts)
    if source.get("type") != "base64":
        return 0 if source.get("type") in ("text", "content") else None
    pages = _pages(source["data"])
    return None if pages is None else pages[0] * (most + _PAGE_EXTRA) + pages[1]


def _own_media(request: Request, rows: Sequence[PriceRow]) -> int | None:
    """Most tokens of the pictures by the dearest of the rows; None if one has no bound."""
    blocks = list(_media(request))
    known = [row.image_tokens for row in rows if row.image_tokens is not None]
    if not blocks:
        return 0
    if len(known) < len(rows) or not rows or any(block["type"] != "image" for block in blocks):
        return None
    return len(blocks) * max(known)


def _media(request: Request) -> Iterator[Mapping[str, Any]]:
    for message in request.messages:
        if not isinstance(message.content, str):
            yield from _inside(message.content)


def _inside(blocks: Any) -> Iterator[Mapping[str, Any]]:
    for block in blocks if isinstance(blocks, list | tuple) else ():
        if block.get("type") in ("image", "document"):
            yield block
        elif block.get("type") == "tool_result":
            yield from _inside(block.get("content"))


@lru_cache(maxsize=256)
def _size(data: str) -> tuple[int, int] | None:
    return image_size(base64.b64decode(data))


@lru_cache(maxsize=256)
def _pages(data: str) -> tuple[int, int] | None:
    return pdf_pages(base64.b64decode(data))


def _limits(facts: ModelFacts) -> tuple[int, int]:
    """Longest side in pixels and most tokens of a picture, from a limit such as "2576px/4784tok"."""
    side, most = facts.image_limit.split("/")
    return int(side.removesuffix("px")), int(most.removesuffix("tok"))


def _server_tools(request: Request, facts: ModelFacts | None) -> tuple[int | None, int]:
    tokens = searches = 0
    for tool in request.tools:
        kind = str(tool.definition.get("type", "custom"))
        if not kind.startswith(_SERVER_TOOLS):
            continue
        uses = tool.definition.get("max_uses")
        if not isinstance(uses, int) or facts is None:
            return None, 0
        tokens += uses * facts.context_tokens
        searches += uses
    return tokens, searches


def _without_data(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get("type") == "base64":
            return {key: inner for key, inner in value.items() if key != "data"}
        return {key: _without_data(inner) for key, inner in value.items()}
    return [_without_data(inner) for inner in value] if isinstance(value, list | tuple) else value
