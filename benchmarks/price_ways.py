"""Ways of pricing usages, each for the environment of its package: python -m benchmarks.price_ways WAY FILE

Says how many rows one round prices and their total in USD; then, for every line it hears, prices them all
once and says the CPU seconds that took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
ROWS = 1_000_000
"""How many rows a column has, the usages one after the other as often as it takes."""

Usages = Sequence[tuple[str, Mapping[str, int]]]
Way = Callable[[Usages, date], tuple[int, Callable[[], Any], Callable[[Any], Any]]]


def door(usages: Usages, on: date) -> Any:
    """llmkit's ``pricing.price``."""
    from llmkit.pricing import price
    from llmkit.records import Usage

    asked = [(Usage(**counts), model) for model, counts in usages]
    return len(asked), lambda: [price(usage, model, on).total for usage, model in asked], _exact


def lines(usages: Usages, on: date) -> Any:
    """The same with the lines of every bill read."""
    from llmkit.pricing import price
    from llmkit.records import Usage

    asked = [(Usage(**counts), model) for model, counts in usages]
    return len(asked), lambda: [price(usage, model, on).items for usage, model in asked], _of_lines


def settled(usages: Usages, on: date) -> Any:
    """llmkit's ``bills.bill``, as every answer is priced."""
    from llmkit.bills import bill
    from llmkit.records import Response, Usage

    answers = [Response("", m, usage=Usage(**counts), endpoint="anthropic") for m, counts in usages]
    return len(answers), lambda: [bill(r, asked=r.model, on=on).total for r in answers], _exact


def inner(usages: Usages, on: date) -> Any:
    """The same by bands found before: what is left is the sum and its record."""
    from llmkit.pricing import DEFAULT, of_tokens, tariff
    from llmkit.records import Usage

    bands = {model: tariff(DEFAULT, model, on, "standard", "standard", None) for model, _ in usages}
    asked = [(Usage(**counts), bands[model]) for model, counts in usages]
    return len(asked), lambda: [of_tokens(usage, of).total for usage, of in asked], _exact


def column(usages: Usages, on: date) -> Any:
    """llmkit's ``charges.charge``: counts and the place of each row's model in numpy arrays."""
    import numpy as np

    from llmkit.charges import Tariff, charge, rates, total
    from llmkit.pricing import DEFAULT, search_rate, tariff

    names = list(dict.fromkeys(model for model, _ in usages))
    bands = [tariff(DEFAULT, name, on, "standard", "standard", None) for name in names]
    tables = rates([Tariff(of, search_rate(name)) for of, name in zip(bands, names, strict=True)])
    frame = _frame(usages)
    counts = {kind: frame[kind].to_numpy() for kind in KINDS}
    which = frame["model"].map({name: place for place, name in enumerate(names)}).to_numpy(np.intp)
    digits = tables.digits
    return ROWS, lambda: charge(tables, counts, which)[0], lambda units: Decimal(total(units)).scaleb(-digits)


def costs(usages: Usages, on: date, *, kind: str = "category") -> Any:
    """llmkit's ``kit.costs`` of a frame whose models are named by a categorical column."""
    import llmkit as kit

    frame = _frame(usages).astype({"model": kind})
    return ROWS, lambda: kit.costs(frame, day=on), lambda found: found.total


def costs_of_text(usages: Usages, on: date) -> Any:
    """The same with names of models as text."""
    return costs(usages, on, kind="object")


def genai_prices(usages: Usages, on: date) -> Any:
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

    return len(asked), work, _exact


def litellm(usages: Usages, on: date) -> Any:
    """LiteLLM's ``cost_per_token``, told the lives of cache writes; it knows no days."""
    from litellm import cost_per_token
    from litellm.types.utils import CacheCreationTokenDetails, PromptTokensDetailsWrapper, Usage

    def told(counts: Mapping[str, int]) -> Any:
        lives = CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=counts["cache_write_5m"],
            ephemeral_1h_input_tokens=counts["cache_write_1h"],
        )
        written = counts["cache_write_5m"] + counts["cache_write_1h"]
        prompt = sum(counts[kind] for kind in KINDS[:4])
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=counts["output"],
            total_tokens=prompt + counts["output"],
            prompt_tokens_details=PromptTokensDetailsWrapper(
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

    return len(asked), work, _added


def litellm_plain(usages: Usages, on: date) -> Any:
    """LiteLLM's ``cost_per_token`` by its plain arguments, which say nothing of the lives of cache writes."""
    from litellm import cost_per_token

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
    return len(asked), lambda: [cost_per_token(**told) for told in asked], _added


WAYS: Mapping[str, Way] = {
    way.__name__: way
    for way in (
        door,
        inner,
        lines,
        settled,
        column,
        costs,
        costs_of_text,
        genai_prices,
        litellm,
        litellm_plain,
    )
}


def main(arguments: Sequence[str]) -> None:
    """Price for as long as lines come in; what a package prints goes to standard error."""
    said, sys.stdout = sys.stdout, sys.stderr
    name, path = arguments
    given = json.loads(Path(path).read_text("utf-8"))
    rows, work, total = WAYS[name](given["usages"], date.fromisoformat(given["on"]))
    print(json.dumps({"rows": rows, "total": str(total(work()))}), file=said, flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        work()
        print(time.process_time() - start, file=said, flush=True)


def _exact(amounts: Sequence[Decimal]) -> Decimal:
    with localcontext() as context:
        context.prec = 80
        return sum(amounts, Decimal(0))


def _added(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(prompt + answer for prompt, answer in pairs)


def _of_lines(bills: Sequence[Sequence[Any]]) -> Decimal:
    return _exact([line.amount for lines in bills for line in lines])


def _frame(usages: Usages) -> Any:
    import pandas as pd

    once = pd.DataFrame([{"model": model, **counts} for model, counts in usages])
    return pd.concat([once] * (ROWS // len(once)), ignore_index=True)


if __name__ == "__main__":
    main(sys.argv[1:])
