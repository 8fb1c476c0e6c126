"""Usage -> dollars, exactly, at the price of the day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from types import MappingProxyType

from .errors import UnknownModel
from .models import ModelFacts, PriceRow, find
from .records import Cost, LineItem, Usage

# Money is never rounded, whatever decimal context the caller works in: inexact arithmetic raises.
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_PER_TOKEN = Decimal(10) ** -6

_HALF = Decimal("0.5")
_US = Decimal("1.1")
_HOME = frozenset({None, "global", "not_available"})
_WEB_SEARCH = Decimal("0.01")
_WEB_SEARCH_ROW = "server_tools/web_search"
_REFUSALS_FREE_SINCE = date(2026, 6, 2)

# What a prompt holds besides the bytes of its request. In 520 recorded requests without server tools or media
# the whole body had at least 91 bytes more than the prompt had tokens; with tools, 285 fewer.
_TOKENS_A_REQUEST = 64
_TOKENS_A_MESSAGE = 16
_TOKENS_A_TOOL = 64
_TOKENS_FOR_TOOLS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class PriceBook:
    """The catalog's price rows, with a user's own before them.

    ``rows`` maps an exact model id to rows, also of models the catalog does not know. Where any of a
    model's own rows applies to the day and speed, the catalog's are not asked.
    """

    rows: Mapping[str, tuple[PriceRow, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", MappingProxyType(dict(self.rows)))

    def candidates(self, model: str, on: date, speed: str) -> tuple[PriceRow, ...]:
        """All rows of that day and speed, whatever the size of the prompt."""
        facts = _facts(model)
        name = facts.id if facts and model not in self.rows else model
        for rows in (self.rows.get(name, ()), facts.prices if facts else ()):
            found = tuple(row for row in rows if row.applies(on, speed, row.prompt_tokens_over + 1))
            if found:
                return found
        return ()


DEFAULT = PriceBook()


def price(
    usage: Usage,
    model: str,
    on: date,
    *,
    outcome: str = "ok",
    any_text: bool = True,
    book: PriceBook = DEFAULT,
) -> Cost:
    """The bill of one answer that ``model`` served on the UTC day ``on``; ``total`` is the sum of its items.

    A row's rates hold for the whole prompt and the output once the prompt passes its threshold. Batches
    cost half, inference in the US 1.1 times; neither applies to web searches. Where ``usage.parts`` are
    given they are billed instead of the token counts beside them, each at its own model's price.

    Args:
        usage: what was consumed, in disjoint buckets.
        model: id or alias, as the response names it.
        on: decides which dated row applies.
        outcome: "refusal" makes an answer free from 2026-06-02 on if ``any_text`` is False.
        any_text: whether anything had been written before a refusal.
        book: price rows to use.

    Returns:
        A Cost; its total is None, with the reason as note, if any price is not known.
    """
    refused = outcome == "refusal" and not any_text and not usage.web_searches
    if refused and on >= _REFUSALS_FREE_SINCE:
        return Cost(Decimal(0), note="refused before any output: not billed")
    items: list[LineItem] = []
    notes: list[str] = []
    for name, part in usage.parts or ((None, usage),):
        tariff = _tariff(book, name or model, on, part.speed, part.tier, part.geo)
        if isinstance(tariff, str):
            return Cost(None, note=tariff)
        band = _band(tariff, part.prompt)
        if band is None:
            return Cost(None, note=f"{name or model!r} has no price for a prompt of {part.prompt:,} tokens")
        _add_tokens(items, part, band)
        if band.over and usage.web_searches:
            notes.append(_LOOP_NOTE.format(band.over))
    if usage.web_searches:
        amount = _EXACT.multiply(Decimal(usage.web_searches), _WEB_SEARCH)
        items.append(LineItem("web_search", usage.web_searches, _WEB_SEARCH, amount, _WEB_SEARCH_ROW))
    total = Decimal(0)
    for item in items:
        total = _EXACT.add(total, item.amount)
    return Cost(total, tuple(items), "; ".join(dict.fromkeys(notes)))


def worst_case(
    facts: ModelFacts,
    on: date,
    *,
    request_bytes: int,
    max_tokens: int,
    messages: int = 1,
    tools: int = 0,
    extra_tokens: int = 0,
    web_searches: int = 0,
    cached: bool = False,
    batch: bool = False,
    speed: str = "standard",
    geo: str | None = None,
    book: PriceBook = DEFAULT,
) -> Decimal | None:
    """The most one request can cost, in USD, before it is sent; None if no price is known.

    No byte-level tokenizer makes more tokens of a text than it has UTF-8 bytes; every prompt token is
    charged at the dearest rate of any row that such a prompt may reach, on the day or the next.

    Args:
        facts: the model asked.
        on: UTC day of sending.
        request_bytes: UTF-8 bytes of all the model reads: system, messages, tools, schema.
        max_tokens: most output tokens.
        messages: turns in the conversation.
        tools: tools on offer.
        extra_tokens: of what bytes do not bound: images, documents, what server tools bring back.
        web_searches: most searches allowed.
        cached: whether the request may write the cache.
        batch: whether it is asked as part of a batch.
        speed: as requested; a request for "fast" may be served at standard speed.
        geo: as requested; None leaves it to the workspace, which may say "us".
        book: price rows to use.
    """
    prompt = request_bytes + extra_tokens + _overhead(messages, tools)
    days = (on, on + timedelta(days=1))
    asked = [row for day in days for row in book.candidates(facts.id, day, speed)]
    if not asked or (batch and speed != "standard"):
        return None
    standard = [row for day in days for row in book.candidates(facts.id, day, "standard")]
    tokens = max(
        (
            _EXACT.add(
                _EXACT.multiply(prompt, _dearest(row, cached)),
                _EXACT.multiply(max_tokens, row.output),
            )
            for row in (*asked, *standard)
            if prompt > row.prompt_tokens_over or row.prompt_tokens_over == 0
        ),
        default=None,
    )
    if tokens is None:
        return None
    factor = _EXACT.multiply(_PER_TOKEN, facts.batch_multiplier if batch else Decimal(1))
    if facts.inference_geo and geo not in ("global", "not_available"):
        factor = _EXACT.multiply(factor, _US)
    return _EXACT.fma(tokens, factor, _EXACT.multiply(web_searches, _WEB_SEARCH))


_LOOP_NOTE = (
    "priced as a prompt of over {:,} tokens; with server tools the count may be the sum of several smaller "
    "prompts, and the provider may charge less"
)


@dataclass(frozen=True, slots=True)
class _Band:
    """USD a token, multipliers included, for prompts of more than ``over`` tokens."""

    row: str
    over: int
    input: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal
    output: Decimal


@lru_cache(maxsize=4096)
def _tariff(
    book: PriceBook, model: str, on: date, speed: str, tier: str, geo: str | None
) -> tuple[_Band, ...] | str:
    """Every band that may apply, highest threshold first, or why there is no price."""
    facts = _facts(model)
    if facts is None and model not in book.rows:
        return f"no price is known for {model!r}: it is neither in the catalog nor among your own rows"
    rows = book.candidates(model, on, speed)
    if not rows:
        return f"{model!r} has no price row for {speed!r} speed on {on}"
    factor = _factor(facts, model, speed, tier, geo)
    if isinstance(factor, str):
        return factor
    ordered = sorted(rows, key=lambda row: row.prompt_tokens_over, reverse=True)
    return tuple(_scaled(row, _EXACT.multiply(factor, _PER_TOKEN)) for row in ordered)


def _facts(model: str) -> ModelFacts | None:
    try:
        return find(model)
    except UnknownModel:
        return None


def _factor(facts: ModelFacts | None, model: str, speed: str, tier: str, geo: str | None) -> Decimal | str:
    """What every rate is multiplied with, or why the tier or region has no known price."""
    factor = Decimal(1)
    if tier == "batch":
        if speed != "standard":
            return f"{model!r}: batches have no price at {speed!r} speed"
        factor = _EXACT.multiply(factor, facts.batch_multiplier if facts else _HALF)
    elif tier == "priority":
        return f"{model!r}: the priority tier is priced by contract"
    elif tier != "standard":
        return f"{model!r}: no price is known for the service tier {tier!r}"
    if geo == "us":
        factor = _EXACT.multiply(factor, _US)
    elif geo not in _HOME:
        return f"{model!r}: no price is known for the region {geo!r}"
    return factor


def _scaled(row: PriceRow, factor: Decimal) -> _Band:
    rates = (row.input, row.cache_write_5m, row.cache_write_1h, row.cache_read, row.output)
    return _Band(row.id, row.prompt_tokens_over, *(_EXACT.multiply(rate, factor) for rate in rates))


def _band(tariff: tuple[_Band, ...], prompt: int) -> _Band | None:
    return next((band for band in tariff if prompt > band.over or band.over == 0), None)


def _add_tokens(items: list[LineItem], usage: Usage, band: _Band) -> None:
    for kind in ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output"):
        quantity, rate = getattr(usage, kind), getattr(band, kind)
        if quantity:
            items.append(LineItem(kind, quantity, rate, _EXACT.multiply(quantity, rate), band.row))


def _overhead(messages: int, tools: int) -> int:
    return (
        _TOKENS_A_REQUEST
        + _TOKENS_A_MESSAGE * messages
        + (_TOKENS_FOR_TOOLS + _TOKENS_A_TOOL * tools if tools else 0)
    )


def _dearest(row: PriceRow, cached: bool) -> Decimal:
    return max(row.input, row.cache_write_5m, row.cache_write_1h) if cached else row.input
