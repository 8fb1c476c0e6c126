"""Anthropic usage objects -> Usage in disjoint buckets, and the two halves of a stream's usage made one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ..records import Usage

_MOST = 100_000_000
_ONLY_AT_START = frozenset({"cache_creation", "service_tier", "speed", "inference_geo"})
_NOTHING: Final[Mapping[str, Any]] = {}


def messages_usage(raw: Mapping[str, Any]) -> Usage:
    """The usage object of a Messages answer; ``raw`` is kept as it is.

    Cache writes beyond the 5 minute and 1 hour split count as 5 minute writes. Where ``iterations`` are
    given, ``parts`` holds one usage for each, with the model it names (None: the answer's own): they
    include compaction and advisor tokens, which the totals beside them do not.

    Raises:
        ValueError: input_tokens or output_tokens is missing, or a field holds what cannot be (a negative
            or fractional number, a truth value, text for a count, more than 1e8); the field is named.
    """
    whole = _usage(raw, "usage")
    entries = raw.get("iterations")
    if not entries:
        return whole
    if not isinstance(entries, list | tuple):
        raise ValueError(_wrong("usage.iterations", entries, "a list"))
    parts = tuple(_part(entry, whole, f"usage.iterations[{n}]") for n, entry in enumerate(entries))
    return replace(whole, parts=parts)


def stream_usage(start: Mapping[str, Any], delta: Mapping[str, Any]) -> Mapping[str, Any]:
    """The usage of a stream so far: ``start`` (message_start) overwritten by ``delta`` (message_delta).

    Counts in a delta are cumulative, and the last one holds. The split of cache writes, tier, speed and
    region come with the start; a delta adds them only where the start had none. None overwrites nothing.
    """
    merged = dict(start)
    for key, value in delta.items():
        if value is not None and (key not in _ONLY_AT_START or merged.get(key) is None):
            merged[key] = value
    return merged


def _usage(raw: object, where: str) -> Usage:
    fields = _object(raw, where)
    split = _object(fields.get("cache_creation"), f"{where}.cache_creation", may_lack=True)
    five = _count(split, "ephemeral_5m_input_tokens", f"{where}.cache_creation")
    hour = _count(split, "ephemeral_1h_input_tokens", f"{where}.cache_creation")
    written = _count(fields, "cache_creation_input_tokens", where)
    tools = _object(fields.get("server_tool_use"), f"{where}.server_tool_use", may_lack=True)
    return Usage(
        input=_count(fields, "input_tokens", where, needed=True),
        cache_write_5m=five + max(0, written - five - hour),
        cache_write_1h=hour,
        cache_read=_count(fields, "cache_read_input_tokens", where),
        output=_count(fields, "output_tokens", where, needed=True),
        thinking=_thinking(fields, where),
        web_searches=_count(tools, "web_search_requests", f"{where}.server_tool_use"),
        tier=_word(fields, "service_tier", where) or "standard",
        speed=_word(fields, "speed", where) or "standard",
        geo=_word(fields, "inference_geo", where),
        raw=fields,
    )


def _part(entry: object, whole: Usage, where: str) -> tuple[str | None, Usage]:
    """One iteration; tier, speed and region are said once, for the whole answer."""
    fields = _object(entry, where)
    part = replace(_usage(fields, where), tier=whole.tier, speed=whole.speed, geo=whole.geo)
    return _word(fields, "model", where), part


def _thinking(fields: Mapping[str, Any], where: str) -> int | None:
    details = _object(fields.get("output_tokens_details"), f"{where}.output_tokens_details", may_lack=True)
    if details.get("thinking_tokens") is None:
        return None
    return _count(details, "thinking_tokens", f"{where}.output_tokens_details")


def _object(value: object, where: str, *, may_lack: bool = False) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if value is None and may_lack:
        return _NOTHING
    raise ValueError(_wrong(where, value, "an object"))


def _count(fields: Mapping[str, Any], key: str, where: str, *, needed: bool = False) -> int:
    value = fields.get(key)
    if value is None and not needed:
        return 0
    if type(value) is int and 0 <= value <= _MOST:
        return value
    raise ValueError(_wrong(f"{where}.{key}", value, f"a whole number from 0 to {_MOST:,}"))


def _word(fields: Mapping[str, Any], key: str, where: str) -> str | None:
    value = fields.get(key)
    if value is None or isinstance(value, str):
        return value
    raise ValueError(_wrong(f"{where}.{key}", value, "a word"))


def _wrong(where: str, value: object, expected: str) -> str:
    return f"{where} is {value!r}; expected {expected}; the provider's usage cannot be priced"
