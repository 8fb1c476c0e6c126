from datetime import date

import pytest

from benchmarks.price_ways import WAYS
from benchmarks.usages import pseudo_random, truth

TODAY = date(2026, 11, 22)
USAGES = pseudo_random(200)


@pytest.mark.parametrize(
    "way", ["door", "inner", "lines", "settled", "column", "costs", "costs_of_text", "genai_prices"]
)
def test_every_exact_way_prices_the_same_usages_as_decimals_do(way, monkeypatch):
    monkeypatch.setattr("benchmarks.price_ways.ROWS", 2_000)
    pricing = WAYS[way](USAGES, TODAY)
    found, expected = pricing.work(), truth(USAGES, TODAY)
    assert list(pricing.each(found)) == expected
    assert pricing.total(found) == sum(expected) * (pricing.rows // len(USAGES))


def test_the_usages_are_always_the_same_and_some_pass_the_size_from_which_a_prompt_costs_more():
    assert pseudo_random(200) == USAGES
    haiku = [counts for model, counts in USAGES if model == "claude-haiku-5-5"]
    sizes = [sum(counts.values()) - counts["output"] for counts in haiku]
    assert min(sizes) < 100_000 < max(sizes)
