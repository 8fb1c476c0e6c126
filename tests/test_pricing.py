from datetime import date
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmkit.models import all_models, find
from llmkit.pricing import price, worst_case
from llmkit.providers.usage import messages_usage, stream_usage
from llmkit.records import Usage

DAY = date(2026, 11, 22)
OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"


def total(usage, model=OPUS, on=DAY, **more):
    return price(usage, model, on, **more).total


@pytest.mark.parametrize(
    ("usage", "model", "expected"),
    [
        (Usage(input=1_000_000), OPUS, "4"),
        (Usage(output=1_000_000), OPUS, "20"),
        (Usage(cache_write_5m=1_000_000), OPUS, "5"),
        (Usage(cache_write_1h=1_000_000), OPUS, "8"),
        (Usage(cache_read=1_000_000), OPUS, "0.2"),
        (Usage(input=1, output=1), OPUS, "0.000024"),
        (Usage(input=1000, output=100, tier="batch"), OPUS, "0.003"),
        (Usage(input=1000, output=100, speed="fast"), OPUS, "0.012"),
        (Usage(input=1000, output=100, geo="us"), OPUS, "0.0066"),
        (Usage(input=1000, output=100, geo="global"), OPUS, "0.006"),
        (Usage(input=1000, geo="us", tier="batch", web_searches=3), OPUS, "0.0322"),
        (Usage(input=100_000, output=10), HAIKU, "0.010005"),
        (Usage(input=100_001, output=10), HAIKU, "0.0500255"),
        (Usage(input=1, cache_read=100_000, output=10), HAIKU, "0.0050255"),
        (Usage(cache_write_5m=1000), "claude-3-haiku-20240307", "0.0003"),
    ],
)
def test_every_kind_of_usage_at_its_price_to_the_last_digit(usage, model, expected):
    assert total(usage, model) == Decimal(expected)


def test_prices_change_on_their_day():
    read = Usage(cache_read=1_000_000)
    assert total(read, SONNET, date(2026, 10, 6)) == Decimal("0.2")
    assert total(read, SONNET, date(2026, 10, 7)) == Decimal("0.1")
    long = Usage(input=200_001, output=1000)
    assert total(long, "claude-opus-4-6", date(2026, 3, 12)) == Decimal("2.03751")
    assert total(long, "claude-opus-4-6", date(2026, 3, 13)) == Decimal("1.025005")


def test_a_refusal_before_any_output_is_free_since_its_day():
    usage = Usage(input=1000)
    assert total(usage, outcome="refusal", any_text=False) == 0
    assert total(usage, outcome="refusal", any_text=True) == Decimal("0.004")
    assert total(usage, "claude-opus-4-6", date(2026, 6, 1), outcome="refusal", any_text=False) == Decimal(
        "0.005"
    )


@pytest.mark.parametrize(
    ("usage", "model", "words"),
    [
        (Usage(input=1), "gpt-9", "no price is known for 'gpt-9'"),
        (Usage(input=1, speed="fast"), SONNET, "no price row for 'fast'"),
        (Usage(input=1, tier="priority"), OPUS, "priced by contract"),
        (Usage(input=1, tier="flex"), OPUS, "no price is known for the service tier 'flex'"),
    ],
)
def test_an_unknown_price_is_none_with_the_reason(usage, model, words):
    cost = price(usage, model, DAY)
    assert cost.total is None
    assert words in cost.note


def test_iterations_are_billed_each_at_its_own_model():
    raw = {
        "input_tokens": 10,
        "output_tokens": 1,
        "iterations": [
            {"type": "message", "input_tokens": 10, "output_tokens": 1},
            {"type": "advisor_message", "model": SONNET, "input_tokens": 1000, "output_tokens": 100},
        ],
    }
    assert total(messages_usage(raw)) == Decimal("0.00006") + Decimal("0.003")


def test_writes_beyond_the_split_count_as_five_minutes_and_missing_fields_as_none():
    usage = messages_usage(
        {
            "input_tokens": 3,
            "output_tokens": 4,
            "cache_creation_input_tokens": 100,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 50},
        }
    )
    assert (usage.cache_write_5m, usage.cache_write_1h, usage.prompt) == (50, 50, 103)
    assert usage.thinking is None


@pytest.mark.parametrize(
    "bad",
    [
        {"input_tokens": -1},
        {"output_tokens": True},
        {"input_tokens": 10**9},
        {"output_tokens": "5"},
        {"input_tokens": None},
    ],
)
def test_a_count_that_cannot_be_is_refused_by_name(bad):
    with pytest.raises(ValueError, match=f"usage.{next(iter(bad))} is"):
        messages_usage({"input_tokens": 1, "output_tokens": 1} | bad)


def test_a_streams_usage_ends_with_the_last_counts_and_keeps_what_only_its_start_said():
    start = {
        "input_tokens": 5,
        "output_tokens": 1,
        "service_tier": "batch",
        "cache_creation": {"ephemeral_1h_input_tokens": 7},
    }
    merged = stream_usage(start, {"output_tokens": 90, "input_tokens": None, "service_tier": "standard"})
    assert merged == start | {"output_tokens": 90}


COUNTS = st.integers(0, 300_000)
USAGES = st.builds(
    Usage,
    input=COUNTS,
    cache_write_5m=COUNTS,
    cache_write_1h=COUNTS,
    cache_read=COUNTS,
    output=COUNTS,
    web_searches=st.integers(0, 5),
    tier=st.sampled_from(["standard", "batch"]),
    geo=st.sampled_from([None, "us", "global"]),
)


@given(USAGES, st.sampled_from([m.id for m in all_models()]))
def test_the_items_add_up_to_the_total(usage, model):
    cost = price(usage, model, DAY)
    assert cost.total == sum((item.amount for item in cost.items), Decimal(0))
    assert all(item.amount == item.quantity * item.rate for item in cost.items)


@given(USAGES, st.sampled_from([m.id for m in all_models()]))
def test_the_worst_case_is_never_below_the_price(usage, model):
    facts = find(model)
    assume(facts.inference_geo or usage.geo != "us")  # the API refuses the region for older models
    worst = worst_case(
        facts,
        DAY,
        request_bytes=usage.prompt,
        max_tokens=usage.output,
        web_searches=usage.web_searches,
        cached=True,
    )
    cost = price(usage, model, DAY)
    assert worst is not None
    assert cost.total is not None
    assert worst >= cost.total


def test_every_row_of_the_catalog_prices_a_token_of_each_kind():
    for facts in all_models():
        for row in facts.prices:
            on = max(row.start, facts.released)
            prompt = row.prompt_tokens_over + 1
            usage = Usage(input=prompt, output=1_000_000, speed=row.speed)
            cost = price(usage, facts.id, on)
            assert {item.row for item in cost.items} == {row.id}
            assert cost.total == (prompt * row.input) / 1_000_000 + row.output


def test_the_catalog_is_a_cross_check_of_an_independent_one():
    from genai_prices import Usage as TheirUsage
    from genai_prices import calc_price

    agreed = 0
    for facts in all_models():
        if facts.status(DAY) != "active" or facts.line == "mythos":
            continue  # the other catalog has no Mythos rows, and none for what is retired
        ours = total(Usage(input=1000, output=500), facts.id)
        theirs = calc_price(TheirUsage(input_tokens=1000, output_tokens=500), model_ref=facts.id).total_price
        assert ours == theirs, facts.id
        agreed += 1
    assert agreed >= 10
