"""Ways of pricing usages, each for the environment of its package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from importlib import import_module
from typing import Any

from .usages import KINDS, Usages

ROWS = 1_000_000
"""How many rows a column has, the usages one after the other as often as it takes."""


@dataclass(frozen=True)
class Pricing:
    """What a way does in a round.

    Attributes:
        work: prices all rows.
        total: what ``work`` gave -> USD of all rows, as its user would add them up.
        each: what ``work`` gave -> USD of every usage.
    """

    rows: int
    work: Callable[[], Any]
    total: Callable[[Any], Any]
    each: Callable[[Any], Sequence[Any]]


Way = Callable[[Usages, date], Pricing]


def door(usages: Usages, on: date) -> Pricing:
    """llmkit's ``pricing.price``."""
    from llmkit.pricing import price
    from llmkit.records import Usage

    asked = [(Usage(**counts), model) for model, counts in usages]
    return Pricing(
        len(asked), lambda: [price(usage, model, on).total for usage, model in asked], _exact, list
    )


def lines(usages: Usages, on: date) -> Pricing:
    """The same with the lines of every bill read."""
    from llmkit.pricing import price
    from llmkit.records import Usage

    asked = [(Usage(**counts), model) for model, counts in usages]
    return Pricing(len(asked), lambda: [price(u, model, on).items for u, model in asked], _of_bills, _bills)


def settled(usages: Usages, on: date) -> Pricing:
    """llmkit's ``bills.bill``, as every answer is priced."""
    from llmkit.bills import bill
    from llmkit.records import Response, Usage

    answers = [Response("", m, usage=Usage(**counts), endpoint="anthropic") for m, counts in usages]
    return Pricing(len(answers), lambda: [bill(r, asked=r.model, on=on).total for r in answers], _exact, list)


def inner(usages: Usages, on: date) -> Pricing:
    """The same by bands found before: what is left is the sum and its record."""
    from llmkit.pricing import DEFAULT, of_tokens, tariff
    from llmkit.records import Usage

    bands = {model: tariff(DEFAULT, model, on, "standard", "standard", None) for model, _ in usages}
    asked = [(Usage(**counts), bands[model]) for model, counts in usages]
    price: Callable[..., Any] = of_tokens
    return Pricing(len(asked), lambda: [price(usage, of).total for usage, of in asked], _exact, list)


def column(usages: Usages, on: date) -> Pricing:
    """llmkit's ``charges.charge``: counts and the place of each row's model in numpy arrays."""
    import numpy as np

    from llmkit.charges import Tariff, charge, rates, total
    from llmkit.pricing import DEFAULT, search_rate, tariff

    names = list(dict.fromkeys(model for model, _ in usages))
    bands: list[Any] = [tariff(DEFAULT, name, on, "standard", "standard", None) for name in names]
    tables = rates([Tariff(of, search_rate(name)) for of, name in zip(bands, names, strict=True)])
    frame = _frame(usages)
    counts = {kind: frame[kind].to_numpy() for kind in KINDS}
    which = frame["model"].map({name: place for place, name in enumerate(names)}).to_numpy(np.intp)

    def usd(units: int) -> Decimal:
        return Decimal(units).scaleb(-tables.digits)

    return Pricing(
        ROWS,
        lambda: charge(tables, counts, which)[0],
        lambda units: usd(total(units)),
        lambda units: [usd(n) for n in units[: len(usages)].tolist()],
    )


def costs(usages: Usages, on: date, *, kind: str = "category") -> Pricing:
    """llmkit's ``kit.costs`` of a frame whose models are named by a categorical column."""
    import llmkit as kit

    frame = _frame(usages).astype({"model": kind})
    return Pricing(
        ROWS,
        lambda: kit.costs(frame, day=on),
        lambda found: found.total,
        lambda found: found.decimals.tolist()[: len(usages)],
    )


def costs_of_text(usages: Usages, on: date) -> Pricing:
    """The same with names of models as text."""
    return costs(usages, on, kind="object")


def genai_prices(usages: Usages, on: date) -> Pricing:
    """genai-prices' ``calc_price``."""
    from genai_prices import Usage, calc_price

    noon = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    asked = [
        (
            Usage(
                input_tokens=sum(counts[kind] for kind in KINDS[:4]),
                cache_read_tokens=counts["cache_read"],
                cache_write_tokens=counts["cache_write_5m"] + counts["cache_write_1h"],
                cache_write_1h_tokens=counts["cache_write_1h"],
                output_tokens=counts["output"],
            ),
            model,
        )
        for model, counts in usages
    ]

    def work() -> list[Decimal]:
        told: dict[str, Any] = {"provider_id": "anthropic", "genai_request_timestamp": noon}
        return [calc_price(usage, model, **told).total_price for usage, model in asked]

    return Pricing(len(asked), work, _exact, list)


def litellm(usages: Usages, on: date) -> Pricing:
    """LiteLLM's ``cost_per_token``, told the lives of cache writes; it knows no days."""
    cost_per_token, types = import_module("litellm").cost_per_token, import_module("litellm.types.utils")

    def told(counts: Mapping[str, int]) -> Any:
        lives = types.CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=counts["cache_write_5m"],
            ephemeral_1h_input_tokens=counts["cache_write_1h"],
        )
        written = counts["cache_write_5m"] + counts["cache_write_1h"]
        prompt = sum(counts[kind] for kind in KINDS[:4])
        return types.Usage(
            prompt_tokens=prompt,
            completion_tokens=counts["output"],
            total_tokens=prompt + counts["output"],
            prompt_tokens_details=types.PromptTokensDetailsWrapper(
                cached_tokens=counts["cache_read"],
                cache_creation_tokens=written,
                cache_creation_token_details=lives,
            ),
            cache_creation_input_tokens=written,
            cache_read_input_tokens=counts["cache_read"],
        )

    asked = [(told(counts), model) for model, counts in usages]

    def work() -> list[tuple[float, float]]:
        return [cost_per_token(model=m, custom_llm_provider="anthropic", usage_object=u) for u, m in asked]

    return Pricing(len(asked), work, _added, _sums)


def litellm_plain(usages: Usages, on: date) -> Pricing:
    """LiteLLM's ``cost_per_token`` by its plain arguments, which say nothing of the lives of cache writes."""
    cost_per_token = import_module("litellm").cost_per_token
    asked = [
        {
            "model": model,
            "custom_llm_provider": "anthropic",
            "prompt_tokens": sum(counts[kind] for kind in KINDS[:4]),
            "completion_tokens": counts["output"],
            "cache_creation_input_tokens": counts["cache_write_5m"] + counts["cache_write_1h"],
            "cache_read_input_tokens": counts["cache_read"],
        }
        for model, counts in usages
    ]
    return Pricing(len(asked), lambda: [cost_per_token(**told) for told in asked], _added, _sums)


_OURS = (door, inner, lines, settled, column, costs, costs_of_text)
WAYS: Mapping[str, Way] = {way.__name__: way for way in (*_OURS, genai_prices, litellm, litellm_plain)}


class Pricer:
    """One way and what it prices, in a worker."""

    def __init__(self, way: str, usages: Usages, on: str) -> None:
        self._pricing = WAYS[way](usages, date.fromisoformat(on))

    def price(self) -> None:
        """All rows once."""
        self._pricing.work()

    def first(self) -> dict[str, Any]:
        """How many rows a round prices, their total and the first prices, in USD."""
        found = self._pricing.work()
        each = [str(amount) for amount in self._pricing.each(found)]
        return {"rows": self._pricing.rows, "total": str(self._pricing.total(found)), "each": each}


def _exact(amounts: Sequence[Decimal]) -> Decimal:
    with localcontext() as context:
        context.prec = 80
        return sum(amounts, Decimal(0))


def _sums(pairs: Sequence[tuple[float, float]]) -> list[float]:
    return [prompt + answer for prompt, answer in pairs]


def _added(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(_sums(pairs))


def _bills(bills: Sequence[Sequence[Any]]) -> list[Decimal]:
    return [_exact([line.amount for line in bill]) for bill in bills]


def _of_bills(bills: Sequence[Sequence[Any]]) -> Decimal:
    return _exact(_bills(bills))


def _frame(usages: Usages) -> Any:
    import pandas as pd

    once = pd.DataFrame([{"model": model, **counts} for model, counts in usages])
    return pd.concat([once] * (ROWS // len(once)), ignore_index=True)
