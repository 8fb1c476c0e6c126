"""Usage -> dollars, exactly, at the price of the day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from .models import ModelFacts, PriceRow, highest, known
from .records import Cost, LineItem, Usage

# Money is never rounded, whatever decimal context the caller works in: inexact arithmetic raises.
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_add: Callable[[int, Any, Decimal], Decimal] = _EXACT.fma
_NOTHING = Decimal(0)
_PER_TOKEN = Decimal(10) ** -6

_US = Decimal("1.1")
KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
"""The kinds of token a price row has a rate for, those of the prompt first."""

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
# Other vendors may put words of their own before a prompt: in 293 recorded requests at most 547 tokens.
_TOKENS_OF_A_VENDOR = 1024


@dataclass(frozen=True, slots=True, eq=False)
class PriceBook:
    """The catalog's price rows, with a user's own before them.

    ``rows`` maps a model's name to rows, also of models the catalog does not know; one of the catalog goes
    by its id. On the days of an own row the catalog's rows of its threshold and above are not asked.
    """

    rows: Mapping[str, tuple[PriceRow, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", MappingProxyType(dict(self.rows)))

    def candidates(self, model: str, on: date, speed: str) -> tuple[PriceRow, ...]:
        """All rows of that day and speed, whatever the size of the prompt."""
        return _candidates(self, model, on, speed)

    def row(self, names: Sequence[str], on: date, *, prompt_tokens: int = 0) -> PriceRow | None:
        """The row at standard speed that prices such a prompt, of the first name that has any, or None."""
        rows = self.first(names, on, "standard")
        return highest(rows, on, speed="standard", prompt_tokens=prompt_tokens)

    def turns(self, model: str) -> frozenset[date]:
        """The days on which a price of the model begins or ends."""
        facts = catalog_facts(model)
        own = self.rows.get(facts.id if facts else model, ())
        rows = (*own, *(facts.prices if facts else ()))
        return frozenset(day for row in rows for day in (row.start, row.until) if day is not None)

    def first(self, names: Sequence[str], on: date, speed: str) -> tuple[PriceRow, ...]:
        """The candidates of the first name that has any."""
        return next((rows for name in names if (rows := self.candidates(name, on, speed))), ())


@lru_cache(maxsize=4096)
def _candidates(book: PriceBook, model: str, on: date, speed: str) -> tuple[PriceRow, ...]:
    facts = catalog_facts(model)
    own = _of_day(book.rows.get(facts.id if facts else model, ()), on, speed)
    lowest = min((row.prompt_tokens_over for row in own), default=None)
    shipped = _of_day(facts.prices if facts else (), on, speed)
    return own + tuple(row for row in shipped if lowest is None or row.prompt_tokens_over < lowest)


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
        model: id or alias as the response names it, or a name among the book's own rows.
        on: decides which dated row applies.
        outcome: "refusal" makes an answer of a model of the catalog free from 2026-06-02 on if ``any_text``
            is False.
        any_text: whether anything had been written before a refusal.
        book: price rows to use.

    Returns:
        A Cost; its total is None, with the reason as note, if any price is not known.
    """
    if outcome != "refusal" and not usage.parts and not usage.web_searches:
        plain = of_tokens(usage, tariff(book, model, on, usage.speed, usage.tier, usage.geo))
        if plain is not None:
            return plain
    return _itemised(usage, model, on, outcome=outcome, any_text=any_text, book=book)


def of_tokens(usage: Usage, bands: tuple[Band, ...] | str) -> Cost | None:
    """The bill of tokens alone, its lines made when they are read; None where there is more to be said."""
    if isinstance(bands, str):
        return None
    new, short, long, read = usage.input, usage.cache_write_5m, usage.cache_write_1h, usage.cache_read
    band = bands[-1]
    if band.over or len(bands) > 1:
        prompt = new + short + long + read
        fitting = [band for band in bands if prompt > band.over or not band.over]
        if not fitting:
            return None
        band = fitting[0]
    try:
        total = _add(new, band.input, _NOTHING) if new else _NOTHING
        if short:
            total = _add(short, band.cache_write_5m, total)
        if long:
            total = _add(long, band.cache_write_1h, total)
        if read:
            total = _add(read, band.cache_read, total)
        if usage.output:
            total = _add(usage.output, band.output, total)
    except TypeError:  # a kind without a rate
        return None
    return Cost.written_when_read(total, _lines, usage, band)


def _itemised(usage: Usage, model: str, on: date, *, outcome: str, any_text: bool, book: PriceBook) -> Cost:
    """The bill of any usage, line by line."""
    refused = outcome == "refusal" and not any_text and not usage.web_searches
    if refused and on >= _REFUSALS_FREE_SINCE and catalog_facts(model):
        return Cost(Decimal(0), note="refused before any output: not billed")
    items: list[LineItem] = []
    notes: list[str] = []
    for name, part in usage.parts or ((None, usage),):
        band = _band(book, name or model, on, part)
        lacking = band if isinstance(band, str) else _lacking(part, band)
        if isinstance(band, str) or lacking:
            return Cost(None, note=lacking)
        items += _lines(part, band)
        if band.over and usage.web_searches:
            notes.append(_LOOP_NOTE.format(band.over))
    if usage.web_searches:
        if catalog_facts(model) is None:
            return Cost(None, note=f"no price is known for the web searches of {model!r}")
        amount = _EXACT.multiply(Decimal(usage.web_searches), _WEB_SEARCH)
        items.append(LineItem("web_search", usage.web_searches, _WEB_SEARCH, amount, _WEB_SEARCH_ROW))
    total = Decimal(0)
    for item in items:
        total = _EXACT.add(total, item.amount)
    return Cost(total, tuple(items), "; ".join(dict.fromkeys(notes)))


def worst_case(
    facts: ModelFacts | None,
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
    own: str | None = None,
    book: PriceBook = DEFAULT,
) -> Decimal | None:
    """The most one request can cost, in USD, before it is sent; None if no price is known.

    No byte-level tokenizer makes more tokens of a text than it has UTF-8 bytes; every prompt token is
    charged at the dearest rate of any row that such a prompt may reach, on the day or the next.

    Args:
        facts: the model asked; None where the catalog does not know it.
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
        own: the name under which the book's own rows are looked up before those of ``facts``.
        book: price rows to use.
    """
    names = [name for name in (own, facts.id if facts else None) if name]
    name = next((name for name in names if book.candidates(name, on, speed)), None)
    # Only of the catalog's models is it known what a batch costs.
    if name is None or (batch and (catalog_facts(name) is None or speed != "standard")):
        return None
    prompt = request_bytes + extra_tokens + _overhead(messages, tools)
    prompt += 0 if facts else _TOKENS_OF_A_VENDOR
    bounds = [
        _EXACT.fma(prompt, dearest, _EXACT.multiply(max_tokens, output))
        for over, dearest, output in _bands(book, tuple(names), on, speed, cached)
        if prompt > over or over == 0
    ]
    if not bounds or (facts is None and web_searches):
        return None
    factor = _EXACT.multiply(_PER_TOKEN, facts.batch_multiplier if facts and batch else Decimal(1))
    if facts is not None and facts.inference_geo and geo not in ("global", "not_available"):
        factor = _EXACT.multiply(factor, _US)
    return _EXACT.fma(max(bounds), factor, _EXACT.multiply(web_searches, _WEB_SEARCH))


def reachable(book: PriceBook, names: Sequence[str], on: date, speed: str) -> tuple[PriceRow, ...]:
    """The rows that may price a request sent on that day: answered the next, or at standard speed."""
    days = (on, on + timedelta(days=1))
    return tuple(row for day in days for s in (speed, "standard") for row in book.first(names, day, s))


@lru_cache(maxsize=4096)
def _bands(
    book: PriceBook, names: tuple[str, ...], on: date, speed: str, cached: bool
) -> tuple[tuple[int, Decimal, Decimal], ...]:
    """(prompts of more tokens than this, dearest rate of the prompt, of the output), each once."""
    rows = reachable(book, names, on, speed)
    return tuple(dict.fromkeys((row.prompt_tokens_over, _dearest(row, cached), row.output) for row in rows))


def search_rate(model: str) -> Decimal | None:
    """USD of one web search by a model; None where nobody says."""
    return None if catalog_facts(model) is None else _WEB_SEARCH


def catalog_facts(model: str) -> ModelFacts | None:
    """What the catalog knows of an id or alias, or None."""
    return known(model)


_LOOP_NOTE = (
    "priced as a prompt of over {:,} tokens; with server tools the count may be the sum of several smaller "
    "prompts, and the provider may charge less"
)


@dataclass(frozen=True, slots=True)
class Band:
    """USD a token, multipliers included, for prompts of more than ``over`` tokens."""

    row: str
    over: int
    input: Decimal
    cache_write_5m: Decimal | None
    cache_write_1h: Decimal | None
    cache_read: Decimal | None
    output: Decimal


@lru_cache(maxsize=4096)
def tariff(
    book: PriceBook, model: str, on: date, speed: str, tier: str, geo: str | None
) -> tuple[Band, ...] | str:
    """Every band that may apply, highest threshold first, or why there is no price."""
    facts = catalog_facts(model)
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


def _factor(facts: ModelFacts | None, model: str, speed: str, tier: str, geo: str | None) -> Decimal | str:
    """What every rate is multiplied with, or why the tier or region has no known price."""
    factor = Decimal(1)
    if tier == "batch" and facts is not None and speed == "standard":
        factor = facts.batch_multiplier
    elif tier == "priority":
        return f"{model!r}: the priority tier is priced by contract"
    elif tier != "standard":
        return f"{model!r}: no price is known for the service tier {tier!r} at {speed!r} speed"
    if geo in _HOME:
        return factor
    if geo != "us" or facts is None:
        return f"{model!r}: no price is known for the region {geo!r}"
    # Models before 4.6 have no choice of region, and no surcharge for one.
    return _EXACT.multiply(factor, _US) if facts.inference_geo else factor


def _scaled(row: PriceRow, factor: Decimal) -> Band:
    # Normalised, so that amounts carry no trailing zeros of the multiplication.
    rates: dict[str, Any] = {
        kind: None if rate is None else _EXACT.multiply(rate, factor).normalize(_EXACT)
        for kind in KINDS
        for rate in (getattr(row, kind),)
    }
    return Band(row.id, row.prompt_tokens_over, **rates)


def _band(book: PriceBook, model: str, on: date, usage: Usage) -> Band | str:
    """The rates that price this usage, or why there are none."""
    bands = tariff(book, model, on, usage.speed, usage.tier, usage.geo)
    if isinstance(bands, str):
        return bands
    prompt = usage.prompt
    fitting = (band for band in bands if prompt > band.over or band.over == 0)
    return next(fitting, f"{model!r} has no price row for a prompt of {prompt:,} tokens on {on}")


def _lacking(usage: Usage, band: Band) -> str:
    """Why a kind that was used has no rate, or ""."""
    for kind in KINDS:
        quantity = getattr(usage, kind)
        if quantity and getattr(band, kind) is None:
            return f"the price row {band.row} has no rate for {quantity:,} tokens of {kind}; add {kind}="
    return ""


def _lines(usage: Usage, band: Band) -> tuple[LineItem, ...]:
    """One line for each kind used."""
    return tuple(
        LineItem(kind, quantity, rate, _EXACT.multiply(quantity, rate), band.row)
        for kind in KINDS
        if (quantity := getattr(usage, kind))
        for rate in (getattr(band, kind),)
    )


def _overhead(messages: int, tools: int) -> int:
    """Tokens the provider adds to what is sent: roles, separators, instructions how to use tools."""
    added = _TOKENS_FOR_TOOLS + tools * _TOKENS_A_TOOL if tools else 0
    return _TOKENS_A_REQUEST + messages * _TOKENS_A_MESSAGE + added


def _dearest(row: PriceRow, cached: bool) -> Decimal:
    # A provider may read its cache unasked, but writes are paid only where the request asks for them.
    rates = [row.input, row.cache_read, *((row.cache_write_5m, row.cache_write_1h) if cached else ())]
    return max((rate for rate in rates if rate is not None), default=row.input)


def _of_day(rows: Sequence[PriceRow], on: date, speed: str) -> tuple[PriceRow, ...]:
    return tuple(row for row in rows if row.applies(on, speed, row.prompt_tokens_over + 1))
