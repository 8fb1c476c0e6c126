"""An answer -> its cost: as the provider reports it, else by the price of the model that served it."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache

from . import endpoints
from .models import ModelFacts, all_models
from .prices import canonical
from .pricing import DEFAULT, PriceBook, catalog_facts, price
from .records import Cost, Response

_DATED = re.compile(r"[-@:]\d{4}-?\d{2}-?\d{2}")


def bill(response: Response, *, asked: str, on: date, book: PriceBook = DEFAULT) -> Cost:
    """What an answer costs; where the provider reports it, the difference to a price we know is the note.

    The catalog's prices hold for the Messages API. Elsewhere only the endpoint's own report and the book's
    own rows are known; Claude models at OpenRouter are held against the catalog, but not priced by it.

    Args:
        response: usage, serving model, endpoint and what was reported.
        asked: full name of the model asked ("xroute/gpt-5"). Its rows price an answer whose serving model
            is the same but for a date, never one that another model gave.
        on: UTC day whose prices hold.
        book: the user's own rows.
    """
    if response.reported_cost is not None:
        return Cost(response.reported_cost, note=_reported(response, asked, on, book))
    if response.usage is None:
        return Cost(None, note="the provider sent no usage")
    name = _priced_as(response, asked, on, book)
    if name is None:
        where = f"{response.endpoint}/{response.model}"
        return Cost(None, note=f"no price is known for {where!r}; add kit.price({where!r}, input=, output=)")
    return _by(name, response, on, book)


def catalog_id(name: str) -> str | None:
    """The catalog's id of a Claude model as OpenRouter writes it ("anthropic/claude-opus-5.5"), or None."""
    vendor, _, rest = name.casefold().partition("/")
    words = _DATED.sub("", rest.partition(":")[0]).removeprefix("claude-").split("-")
    if vendor != "anthropic" or len(words) < 2:
        return None
    facts = catalog_facts(rest) or _labelled(words)
    return facts.id if facts else None


def _labelled(words: list[str]) -> ModelFacts | None:
    """The model whose label is made of these words: "opus 5.5" of opus, 5.5, or 5.5, opus, or opus, 5, 5."""
    lines = [word for word in words if word.isalpha()]
    label = f"{lines[0] if lines else ''} {'.'.join(word for word in words if not word.isalpha())}"
    return next((facts for facts in all_models() if facts.label.casefold() == label), None)


def _reported(response: Response, asked: str, on: date, book: PriceBook) -> str:
    """That the provider states the cost, and how far our own price is from it."""
    said = f"as {response.endpoint} reports it"
    name = _priced_as(response, asked, on, book)
    if name is None and response.endpoint == "openrouter":
        name = catalog_id(response.model)
    if name is None or response.usage is None or response.reported_cost is None:
        return said
    ours = _by(name, response, on, book)
    if ours.total is None:
        return f"{said}; not comparable: {ours.note}"
    if ours.total == response.reported_cost:
        return said
    gap = response.reported_cost - ours.total
    row, more = ours.items[0].row if ours.items else name, "more" if gap > 0 else "less"
    return f"{said}: {_usd(abs(gap))} {more} than the {_usd(ours.total)} by the price row {row}"


def _usd(amount: Decimal) -> str:
    whole, _, rest = f"{amount:f}".partition(".")
    return f"${whole}" + (f".{rest.rstrip('0')}" if rest.strip("0") else "")


def _priced_as(response: Response, asked: str, on: date, book: PriceBook) -> str | None:
    """The name under which a price of the answer is known, the user's own before the catalog's."""
    speed = response.usage.speed if response.usage else "standard"
    for name in _names(response.endpoint, response.model, asked):
        if book.candidates(name, on, speed):
            return name
    where = endpoints.find(response.endpoint)
    return response.model if where is None or where.protocol == "messages" else None


@lru_cache(maxsize=1024)
def _names(endpoint: str, served: str, asked: str) -> tuple[str, ...]:
    """The names under which the user may have given a price."""
    own = (canonical(f"{endpoint}/{served}"),)
    same = asked.startswith(f"{endpoint}/") and _same(served, asked.partition("/")[2])
    return (*own, canonical(asked)) if same else own


def _same(served: str, asked: str) -> bool:
    """Whether the model that served is the one asked, but for a date or OpenRouter's two spellings."""
    if catalog_id(asked) is not None:
        return catalog_id(served) == catalog_id(asked)
    one, other = (name.casefold().rpartition("/")[2] for name in (served, asked))
    return one == other or _DATED.fullmatch(one.removeprefix(other)) is not None


def _by(name: str, response: Response, on: date, book: PriceBook) -> Cost:
    assert response.usage is not None
    written = bool(response.blocks or response.text)
    return price(response.usage, name, on, outcome=response.outcome, any_text=written, book=book)
