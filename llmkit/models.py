"""What is known of each model: line, lifecycle, limits, rules and dated prices (models.json beside it)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from .errors import UnknownModel, UsageError

Status = Literal["announced", "active", "deprecated", "retired"]

_RATES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


@dataclass(frozen=True, slots=True)
class PriceRow:
    """What tokens cost from ``start`` up to, not on, ``until`` (UTC; None: no end known).

    Attributes:
        speed: "standard" or "fast".
        prompt_tokens_over: the row applies to prompts of more tokens than this, cached ones
            included, and then to every token of the request, output too.
        input, cache_write_5m, cache_write_1h, cache_read, output: USD per 1,000,000 tokens; the cache's may
            be None in a row of the user's own, and then such tokens have no price.
        source: keys of ``sources`` in ``raw_facts()``.
        confidence: how well the row is documented, in words.
        image_tokens: most tokens of a picture, for models the catalog does not know; None is unknown.
    """

    id: str
    start: date
    until: date | None
    speed: str
    prompt_tokens_over: int
    input: Decimal
    cache_write_5m: Decimal | None
    cache_write_1h: Decimal | None
    cache_read: Decimal | None
    output: Decimal
    source: tuple[str, ...] = ()
    confidence: str = ""
    note: str = ""
    image_tokens: int | None = None

    def applies(self, on: date, speed: str, prompt_tokens: int) -> bool:
        """Whether the row prices a request of that day, speed and size."""
        return (
            self.start <= on
            and (self.until is None or on < self.until)
            and self.speed == speed
            and (prompt_tokens > self.prompt_tokens_over or self.prompt_tokens_over == 0)
        )


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model as documented; what nobody documents is None.

    Attributes:
        aliases: other names the provider accepts for this model.
        deprecated, retires: the days these states begin, or None.
        retires_not_before: the earliest day of retirement the provider has promised.
        tokenizer: "v1", or "v2" that makes about 30 % more tokens of the same text.
        thinking_types: modes a request may name; empty where there is no thinking.
        thinking_default: "off", "on", "adaptive" or "always_on".
        effort_levels: empty where there is no such setting; then ``effort_default`` is None.
        sampling_params: which of temperature and top_p old API versions accept.
        prefill: whether a conversation may end with an assistant turn.
        forced_tool_choice: whether a tool can be demanded.
        fast_mode: how fast mode is asked for, or None where it is not offered.
        min_cacheable_prompt_tokens: shorter prompts are silently not cached.
        batch_multiplier: factor on token prices in a batch.
        prices: all dated rows, past ones included.
    """

    id: str
    line: str
    display_name: str
    aliases: tuple[str, ...]
    released: date
    deprecated: date | None
    retires: date | None
    retires_not_before: date | None
    context_tokens: int
    max_output_tokens: int
    tokenizer: str
    thinking_types: tuple[str, ...]
    thinking_default: str
    effort_levels: tuple[str, ...]
    effort_default: str | None
    sampling_params: str
    prefill: bool
    forced_tool_choice: bool
    structured_outputs: bool | None
    inference_geo: bool
    fast_mode: str | None
    min_cacheable_prompt_tokens: int | None
    image_limit: str
    batch: bool
    batch_multiplier: Decimal
    prices: tuple[PriceRow, ...]
    quirks: tuple[str, ...]
    source: tuple[str, ...]
    context_note: str

    @property
    def label(self) -> str:
        """The short name for tables and plots, such as "Opus 5.5"."""
        return self.display_name.removeprefix("Claude ")

    def status(self, on: date) -> Status:
        """The state on that day; a state begins on its date."""
        if on < self.released:
            return "announced"
        if self.retires is not None and on >= self.retires:
            return "retired"
        if self.deprecated is not None and on >= self.deprecated:
            return "deprecated"
        return "active"

    def price_row(self, on: date, *, speed: str = "standard", prompt_tokens: int = 0) -> PriceRow | None:
        """The row that prices such a request, or None; of several, the one with the highest threshold."""
        return highest(self.prices, on, speed=speed, prompt_tokens=prompt_tokens)


def all_models() -> tuple[ModelFacts, ...]:
    """Every model of the catalog, retired ones included."""
    return _catalog()


def lines() -> tuple[str, ...]:
    """The model lines, such as "opus" and "sonnet"."""
    return tuple(dict.fromkeys(facts.line for facts in _catalog()))


def find(name: str) -> ModelFacts:
    """The model with exactly this id or alias.

    Raises:
        UnknownModel: there is none; the nearest names are in the message.
    """
    facts = known(name)
    if facts is None:
        raise UnknownModel(_unknown(name))
    return facts


def known(name: str) -> ModelFacts | None:
    """The model with exactly this id or alias, or None."""
    return _by_name().get(name)


def resolve(name: str, on: date) -> ModelFacts:
    """The newest model of a line that is active on that day ("opus", in any case), or ``find(name)``.

    Raises:
        UnknownModel: no such name, or no model of the line is active on that day.
    """
    line = name.casefold()
    if line not in lines():
        return find(name)
    newest = _newest(line, on)
    if newest is None:
        known = ", ".join(repr(facts.id) for facts in _catalog() if facts.line == line)
        raise UnknownModel(
            f"no model of the line {line!r} is active on {on}; expected a line with an active model; "
            f"name one of {known}, or ask for another day"
        )
    return newest


def successor(facts: ModelFacts, on: date) -> ModelFacts | None:
    """The newest active model of the same line, or None when that is ``facts`` itself or there is none."""
    newest = _newest(facts.line, on)
    return None if newest is facts else newest


@cache
def raw_facts() -> Mapping[str, Any]:
    """models.json as parsed: besides the models the global rules and the sources."""
    return MappingProxyType(json.loads(Path(__file__).with_name("models.json").read_text(encoding="utf-8")))


def highest(rows: tuple[PriceRow, ...], on: date, *, speed: str, prompt_tokens: int) -> PriceRow | None:
    """Of the rows that apply the one with the highest threshold, or None."""
    best = None
    for row in rows:
        if row.applies(on, speed, prompt_tokens) and (
            best is None or row.prompt_tokens_over > best.prompt_tokens_over
        ):
            best = row
    return best


def read_row(entry: Mapping[str, Any], model: str) -> PriceRow:
    """A price row from plain values, as models.json writes them.

    ``from`` and the five rates are needed; rates may be text, whole numbers or Decimals. Without an
    ``id`` the row is called after ``model``, day, speed and threshold.

    Raises:
        UsageError: a key is missing or unknown, or a value is not what it should be.
    """
    _check_keys(entry, model)
    try:
        start = read_day(entry["from"])
        until = None if entry.get("until") is None else read_day(entry["until"])
        if until is not None and until <= start:
            raise ValueError(f"it ends on {until}, not after it starts")
        rates: dict[str, Any] = {rate: read_rate(entry[rate]) for rate in _RATES}
        speed, over = str(entry.get("speed", "standard")), read_tokens(entry.get("prompt_tokens_over", 0))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"a price row of {model!r} cannot be read: {error}; it is {dict(entry)!r}; give days as "
            "YYYY-MM-DD and rates as plain numbers of USD per 1,000,000 tokens"
        ) from error
    source = entry.get("source", ())
    return PriceRow(
        id=str(entry.get("id") or _row_id(model, start, speed, over)),
        start=start,
        until=until,
        speed=speed,
        prompt_tokens_over=over,
        **rates,
        source=(source,) if isinstance(source, str) else tuple(source),
        confidence=str(entry.get("confidence", "")),
        note=str(entry.get("note", "")),
    )


def read_day(value: object) -> date:
    """A day from text such as "2026-11-22", or the date itself. Raises ``ValueError`` for anything else."""
    if type(value) is date:  # a datetime is one as well, but does not compare with a date
        return value
    if isinstance(value, str):
        return date.fromisoformat(value)
    raise ValueError(f"{value!r} is no day such as 2026-11-22")


def read_rate(value: object) -> Decimal:
    """USD per 1,000,000 tokens, within bounds that keep every later product exact; a float by its repr.

    Raises ``ValueError`` for what is no such number.
    """
    try:
        if isinstance(value, bool):
            raise ValueError
        plain = float(value) if isinstance(value, float) else value  # numpy's own floats have another repr
        rate = Decimal(plain if isinstance(plain, Decimal | str) else repr(plain))
        exponent = rate.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= -12 and 0 <= rate < 10**9:
            return rate
    except (ValueError, InvalidOperation):
        pass
    raise ValueError(f"{value!r} is no rate from 0 to 1e9 with at most 12 decimals")


def read_tokens(value: object) -> int:
    """A number of tokens. Raises ``ValueError`` for what is no whole number from 0 on."""
    if type(value) is int and value >= 0:
        return value
    raise ValueError(f"{value!r} is no whole number of tokens")


@cache
def _catalog() -> tuple[ModelFacts, ...]:
    return tuple(_read_model(entry) for entry in raw_facts()["models"])


@cache
def _by_name() -> dict[str, ModelFacts]:
    return {name: facts for facts in _catalog() for name in (facts.id, *facts.aliases)}


def _newest(line: str, on: date) -> ModelFacts | None:
    active = [facts for facts in _catalog() if facts.line == line and facts.status(on) == "active"]
    return max(active, key=lambda facts: facts.released, default=None)


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    names = {candidate.casefold(): candidate for candidate in (*_by_name(), *lines())}
    names |= {facts.label.casefold(): facts.id for facts in _catalog()}
    close = get_close_matches(str(name).casefold(), names, n=4, cutoff=0.5)
    nearest = ", ".join(repr(found) for found in dict.fromkeys(names[match] for match in close))
    return (
        f"no model is called {name!r}; expected an exact id, an alias or a line ({', '.join(lines())}); "
        + (f"nearest are {nearest}" if nearest else "models.all_models() lists every model known")
    )


def _read_model(entry: Mapping[str, Any]) -> ModelFacts:
    can = entry["capabilities"]
    values: dict[str, Any] = {key: entry[key] for key in _AS_WRITTEN}
    values |= {key: can[key] for key in _CAPABILITIES}
    values |= {key: tuple(entry[key]) for key in ("aliases", "quirks", "source")}
    values |= {key: tuple(can[key]) for key in ("thinking_types", "effort_levels")}
    values |= {key: read_day(entry[key]) if entry[key] else None for key in _LIFECYCLE}
    return ModelFacts(
        **values,
        prefill=can["assistant_prefill"],
        structured_outputs=can["structured_outputs_json_schema"],
        batch_multiplier=Decimal(entry["batch_multiplier"]),
        prices=tuple(read_row(row, entry["id"]) for row in entry["prices"]),
        context_note=entry.get("context_note", ""),
    )


_LIFECYCLE = ("released", "deprecated", "retires", "retires_not_before")
_AS_WRITTEN = ("id", "line", "display_name", "context_tokens", "max_output_tokens", "tokenizer")
_CAPABILITIES = (
    "thinking_default",
    "effort_default",
    "sampling_params",
    "forced_tool_choice",
    "inference_geo",
    "fast_mode",
    "min_cacheable_prompt_tokens",
    "image_limit",
    "batch",
)
_ROW_NEEDS = {"from", *_RATES}
_ROW_MAY = {"id", "until", "speed", "prompt_tokens_over", "source", "confidence", "note"}


def _check_keys(entry: Mapping[str, Any], model: str) -> None:
    missing = sorted(_ROW_NEEDS - entry.keys())
    unknown = sorted(entry.keys() - _ROW_NEEDS - _ROW_MAY)
    if missing or unknown:
        raise UsageError(
            f"a price row of {model!r} lacks {missing} and has unknown {unknown}; it needs "
            f"{sorted(_ROW_NEEDS)} and may have {sorted(_ROW_MAY)}; correct it"
        )


def _row_id(model: str, start: date, speed: str, over: int) -> str:
    return f"{model}/{start}/{speed}" + (f"/over-{over}" if over else "")
