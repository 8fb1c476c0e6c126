from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.models import PriceRow, all_models, find, raw_facts, read_row
from llmkit.pricing import PriceBook, price, worst_case
from llmkit.records import LineItem, Usage

NOW = date(2026, 11, 22)
OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
EVERY_ROW = [(facts, row) for facts in all_models() for row in facts.prices]
ROW_IDS = [row.id for _, row in EVERY_ROW]
KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


def total(usage: Usage, model: str = OPUS, on: date = NOW, **more) -> Decimal | None:
    return price(usage, model, on, **more).total


def a_row(model: str = "mine", **values) -> PriceRow:
    rates = {"input": 1, "cache_write_5m": 2, "cache_write_1h": 3, "cache_read": 4, "output": 5}
    return read_row({"from": "2026-01-01", **rates, **values}, model)


# Opus 5.5 costs 4 / 5 / 8 / 0.2 / 20; each figure is worked out by hand.
BASE = "0.0120576"  # 412 * 4 + 2048 * 0.2 + 500 * 20 = 1648 + 409.6 + 10000 millionths


@pytest.mark.parametrize(
    ("change", "by_hand"),
    [
        ({}, BASE),
        ({"cache_write_5m": 10_000}, "0.0620576"),
        ({"cache_write_1h": 10_000}, "0.0920576"),
        ({"cache_read": 0}, "0.011648"),
        ({"speed": "fast"}, "0.0241152"),
        ({"geo": "us"}, "0.01326336"),
        ({"geo": "global"}, BASE),
        ({"geo": "not_available"}, BASE),
        ({"tier": "batch"}, "0.0060288"),
        ({"tier": "batch", "geo": "us"}, "0.00663168"),
        ({"web_searches": 3}, "0.0420576"),
        ({"tier": "batch", "geo": "us", "web_searches": 3}, "0.03663168"),
        ({"thinking": 400}, BASE),
        (
            {
                "cache_write_5m": 5000,
                "cache_write_1h": 10_000,
                "speed": "fast",
                "geo": "us",
                "web_searches": 3,
            },
            "0.28752672",  # (12057.6 + 25000 + 80000) * 2 * 1.1 + 30000 millionths
        ),
    ],
)
def test_one_answer_of_opus_costs_what_the_price_list_says(change, by_hand):
    usage = replace(Usage(input=412, cache_read=2048, output=500), **change)
    assert total(usage) == Decimal(by_hand)


@pytest.mark.parametrize(
    ("model", "usage", "on", "by_hand"),
    [
        ("claude-opus-4-20250514", Usage(2_671_437, output=380_717), date(2026, 1, 1), "68.62533"),
        ("claude-3-haiku-20240307", Usage(1000, 1000, 0, 1000, 1000), date(2025, 1, 1), "0.00183"),
        (SONNET, Usage(cache_read=1_000_000), date(2026, 10, 6), "0.2"),
        (SONNET, Usage(cache_read=1_000_000), date(2026, 10, 7), "0.1"),
        ("claude-fable-5-2", Usage(cache_read=1_000_000), NOW, "0.2"),
        ("claude-opus-4-6", Usage(1000, output=1000, speed="fast"), date(2026, 3, 1), "0.18"),
        ("claude-opus-4-6", Usage(1000, output=1000), date(2026, 7, 1), "0.03"),
        ("claude-opus-4-6", Usage(200_000, output=1000), date(2026, 3, 12), "1.025"),
        ("claude-opus-4-6", Usage(200_001, output=1000), date(2026, 3, 12), "2.03751"),
        ("claude-opus-4-6", Usage(200_001, output=1000), date(2026, 3, 13), "1.025005"),
        ("claude-opus-4-6", Usage(200_001, output=1000, speed="fast"), date(2026, 3, 12), "12.22506"),
    ],
)
def test_the_day_the_speed_and_the_size_choose_the_row(model, usage, on, by_hand):
    assert total(usage, model, on) == Decimal(by_hand)


def test_a_cliff_reprices_the_whole_prompt_and_the_output():
    assert total(Usage(100_000, output=1000), HAIKU) == Decimal("0.0105")
    assert total(Usage(100_001, output=1000), HAIKU) == Decimal("0.0525005")


def test_cached_tokens_count_towards_a_cliff():
    below = Usage(10_000, cache_write_5m=20_000, cache_write_1h=30_000, cache_read=40_000)
    assert total(below, HAIKU) == Decimal("0.0099")
    assert total(replace(below, cache_read=40_001), HAIKU) == Decimal("0.04950005")


def test_a_batch_halves_the_price_past_a_cliff_too():
    assert total(Usage(100_001, output=1000, tier="batch"), HAIKU) == Decimal("0.02625025")


def test_models_before_4_6_know_no_surcharge_for_a_region():
    old = Usage(1000, output=1000, geo="us")
    assert total(old, "claude-opus-4-5-20251101") == Decimal("0.03")
    assert total(old, "claude-opus-4-6") == Decimal("0.033")


def test_a_retired_model_keeps_its_price_and_its_batch_discount():
    assert total(Usage(1_000_000, tier="batch"), "claude-opus-4-0") == Decimal("7.5")


def test_a_bill_names_row_rate_and_quantity_of_each_line():
    cost = price(Usage(100, cache_read=50, output=10, tier="batch", web_searches=2), OPUS, NOW)
    row = "claude-opus-5-5/2026-09-22/standard"
    assert cost.items == (
        LineItem("input", 100, Decimal("0.000002"), Decimal("0.0002"), row),
        LineItem("cache_read", 50, Decimal("0.0000001"), Decimal("0.000005"), row),
        LineItem("output", 10, Decimal("0.00001"), Decimal("0.0001"), row),
        LineItem("web_search", 2, Decimal("0.01"), Decimal("0.02"), "server_tools/web_search"),
    )
    assert (cost.total, cost.note) == (Decimal("0.020305"), "")


def test_nothing_used_costs_nothing():
    cost = price(Usage(), OPUS, NOW)
    assert (cost.total, cost.items, cost.note) == (Decimal(0), (), "")


def test_iterations_are_billed_instead_of_the_totals_each_at_its_own_models_price():
    message = Usage(1128, output=110)
    advisor = Usage(2518, output=22)
    usage = Usage(1128, output=110, parts=((None, message), ("claude-opus-4-8", advisor)))
    cost = price(usage, "claude-sonnet-5", NOW)
    # 1128 * 2 + 110 * 10, and 2518 * 5 + 22 * 25
    assert cost.total == Decimal("0.003356") + Decimal("0.01314")
    assert {item.row.split("/")[0] for item in cost.items} == {"claude-sonnet-5", "claude-opus-4-8"}


def test_searches_are_billed_once_beside_the_iterations():
    usage = Usage(10, web_searches=4, parts=((None, Usage(10)),))
    assert total(usage) == Decimal("0.04004")


def test_each_iteration_meets_a_cliff_by_itself():
    one = Usage(60_000, output=10)
    usage = Usage(120_000, output=20, parts=((None, one), (None, one)))
    assert total(usage, HAIKU) == 2 * Decimal("0.006005")


def test_an_iteration_of_an_unknown_model_makes_the_whole_unknown():
    usage = Usage(10, parts=((None, Usage(10)), ("claude-next", Usage(10))))
    cost = price(usage, OPUS, NOW)
    assert cost.total is None and cost.items == () and "'claude-next'" in cost.note


def test_a_refusal_before_any_output_is_free_from_june_2026_on():
    usage = Usage(1000, output=3)
    refused = {"outcome": "refusal", "any_text": False}
    free = price(usage, OPUS, NOW, outcome="refusal", any_text=False)
    assert (free.total, free.items) == (Decimal(0), ()) and "not billed" in free.note
    fable = Usage(1000)
    assert total(fable, "claude-opus-4-8", date(2026, 6, 1), **refused) == Decimal("0.005")
    assert total(fable, "claude-opus-4-8", date(2026, 6, 2), **refused) == 0


def test_a_refusal_after_some_output_is_billed():
    assert total(Usage(1000), outcome="refusal", any_text=True) == Decimal("0.004")
    assert total(Usage(1000), outcome="ok", any_text=False) == Decimal("0.004")
    assert total(Usage(1000, web_searches=1), outcome="refusal", any_text=False) == Decimal("0.014")


@pytest.mark.parametrize(
    ("model", "usage", "on", "said"),
    [
        ("claude-opus-9", Usage(1), NOW, "'claude-opus-9'"),
        ("claude-opus-5-5-20260922", Usage(1), NOW, "'claude-opus-5-5-20260922'"),
        ("opus", Usage(1), NOW, "'opus'"),
        (OPUS, Usage(1), date(2026, 9, 21), "2026-09-21"),
        (SONNET, Usage(1, speed="fast"), NOW, "'fast'"),
        ("claude-opus-4-8", Usage(1, speed="fast"), date(2026, 11, 30), "'fast'"),
        (OPUS, Usage(1, speed="ludicrous"), NOW, "'ludicrous'"),
        (OPUS, Usage(1, tier="priority"), NOW, "priced by contract"),
        (OPUS, Usage(1, tier="flex"), NOW, "'flex'"),
        (OPUS, Usage(1, tier="batch", speed="fast"), NOW, "'batch'"),
        (OPUS, Usage(1, geo="moon"), NOW, "'moon'"),
    ],
)
def test_an_unknown_price_is_none_and_says_why(model, usage, on, said):
    cost = price(usage, model, on)
    assert cost.total is None and cost.items == () and said in cost.note


def test_a_cliff_reached_through_server_tools_is_flagged():
    # The counts of such a loop may add up prompts that were each below the threshold.
    usage = Usage(404_500, output=943, web_searches=10)
    flagged = price(usage, "claude-sonnet-4-5", date(2026, 3, 1))
    assert flagged.total == Decimal("2.5482175") and "server tools" in flagged.note
    later = price(usage, "claude-sonnet-4-5", date(2026, 4, 30))
    assert (later.total, later.note) == (Decimal("1.327645"), "")


@pytest.mark.parametrize(("facts", "row"), EVERY_ROW, ids=ROW_IDS)
def test_each_row_of_the_catalog_prices_its_first_and_its_last_day(facts, row):
    usage = Usage(row.prompt_tokens_over + 1, 20, 300, 4000, 50_000, speed=row.speed)
    expected = sum(getattr(usage, kind) * getattr(row, kind) for kind in KINDS) / Decimal(1_000_000)
    days = [row.start, row.until - timedelta(days=1) if row.until else NOW]
    for day in days:
        cost = price(usage, facts.id, day)
        assert cost.total == expected
        assert {item.row for item in cost.items} == {row.id}
    for day in [row.start - timedelta(days=1), *([row.until] if row.until else [])]:
        assert row.id not in {item.row for item in price(usage, facts.id, day).items}


def test_the_general_rules_are_those_of_the_catalog():
    rules = raw_facts()["global_rules"]
    million = Usage(1_000_000)
    plain = total(million)
    assert plain is not None
    assert total(replace(million, geo="us")) == plain * Decimal(rules["inference_geo"]["us"])
    assert total(replace(million, tier="batch")) == plain * Decimal(rules["batch"]["multiplier"])
    assert total(Usage(web_searches=1000)) == Decimal(rules["server_tools"]["web_search_per_1000"])


def test_the_callers_decimal_context_rounds_nothing():
    usage = Usage(123_457, 98_765, 43_211, 77_777, 55_555, geo="us", web_searches=7)
    exact = price(usage, OPUS, NOW)
    with localcontext() as context:
        context.prec = 3
        assert price(usage, OPUS, NOW) == exact
        worst = worst_case(find(OPUS), NOW, request_bytes=123_457, max_tokens=54_321, geo="global")
    assert worst == Decimal("1.580568")  # (123457 + 64 + 16) * 4 + 54321 * 20 millionths


def test_a_users_row_prices_a_model_the_catalog_does_not_know():
    book = PriceBook({"xroute/gpt-5": (a_row("xroute/gpt-5"),)})
    cost = price(Usage(1, 10, 100, 1000, 10_000), "xroute/gpt-5", NOW, book=book)
    assert cost.total == Decimal("0.054321") and cost.items[0].row == "xroute/gpt-5/2026-01-01/standard"


@pytest.mark.parametrize("change", [{"tier": "batch"}, {"geo": "us"}])
def test_rules_of_a_known_provider_are_not_guessed_for_an_unknown_model(change):
    book = PriceBook({"mine": (a_row(),)})
    assert price(replace(Usage(1), **change), "mine", NOW, book=book).total is None


def test_a_users_row_comes_before_the_catalogs_where_it_applies():
    book = PriceBook({HAIKU: (a_row(HAIKU, **{"from": "2026-11-01", "until": "2026-12-01"}),)})
    assert total(Usage(1_000_000), HAIKU, NOW, book=book) == 1
    assert total(Usage(1_000_000), HAIKU, date(2026, 10, 31), book=book) == Decimal("0.5")
    assert total(Usage(1_000_000), HAIKU, date(2026, 12, 1), book=book) == Decimal("0.5")


def test_a_users_row_for_an_id_holds_for_its_aliases():
    book = PriceBook({"claude-opus-4-20250514": (a_row(),)})
    assert total(Usage(1_000_000), "claude-opus-4-0", NOW, book=book) == 1


def test_a_users_own_cliff_applies():
    book = PriceBook({"mine": (a_row(prompt_tokens_over=100), a_row(input="0.5"))})
    assert total(Usage(100), "mine", NOW, book=book) == Decimal("0.00005")
    assert total(Usage(101), "mine", NOW, book=book) == Decimal("0.000101")


def test_rows_only_for_large_prompts_leave_small_ones_unpriced():
    book = PriceBook({"mine": (a_row(prompt_tokens_over=100),)})
    cost = price(Usage(100), "mine", NOW, book=book)
    assert cost.total is None and "100 tokens" in cost.note


def test_a_book_does_not_change_with_the_mapping_it_was_made_from():
    rows = {"mine": (a_row(),)}
    book = PriceBook(rows)
    rows["mine"] = (a_row(input=9),)
    assert total(Usage(1_000_000), "mine", NOW, book=book) == 1
    with pytest.raises(TypeError):
        book.rows["mine"] = ()  # type: ignore[index]


@pytest.mark.parametrize(
    ("more", "by_hand"),
    [
        ({}, "0.026752"),  # 1000 + 64 + 16 tokens at 4, 1000 at 20, all at 1.1: a workspace may say "us"
        ({"geo": "us"}, "0.026752"),
        ({"geo": "global"}, "0.02432"),
        ({"geo": "global", "messages": 3}, "0.024448"),
        ({"geo": "global", "cached": True}, "0.02864"),
        ({"geo": "global", "batch": True}, "0.01216"),
        ({"geo": "global", "speed": "fast"}, "0.04864"),
        ({"geo": "global", "web_searches": 5}, "0.07432"),
        ({"geo": "global", "extra_tokens": 1000}, "0.02832"),
        ({"geo": "global", "tools": 2}, "0.028928"),
    ],
)
def test_the_worst_case_is_what_the_bytes_and_max_tokens_allow(more, by_hand):
    worst = worst_case(find(OPUS), NOW, request_bytes=1000, max_tokens=1000, **more)
    assert worst == Decimal(by_hand)


def test_the_worst_case_takes_a_cliff_only_if_the_prompt_could_pass_it():
    haiku = find(HAIKU)
    below = worst_case(haiku, NOW, request_bytes=99_920, max_tokens=1000, geo="global")
    above = worst_case(haiku, NOW, request_bytes=99_921, max_tokens=1000, geo="global")
    assert (below, above) == (Decimal("0.0105"), Decimal("0.0525005"))


def test_the_worst_case_reaches_over_midnight():
    sonnet = find("claude-sonnet-5-5")
    dearer = {"from": "2026-11-23", "input": 900, "output": 900}
    book = PriceBook({SONNET: (a_row(SONNET, until="2026-11-23"), a_row(SONNET, **dearer))})
    worst = worst_case(sonnet, NOW, request_bytes=920, max_tokens=1000, geo="global", book=book)
    assert worst == Decimal("1.8")


@pytest.mark.parametrize(
    ("model", "on", "more"),
    [
        (SONNET, NOW, {"speed": "fast"}),
        (OPUS, date(2026, 9, 1), {}),
        (OPUS, date(2026, 9, 21), {}),
        (OPUS, NOW, {"batch": True, "speed": "fast"}),
    ],
)
def test_without_a_price_there_is_no_worst_case(model, on, more):
    assert worst_case(find(model), on, request_bytes=10, max_tokens=10, **more) is None


def test_the_worst_case_allows_for_fast_served_at_a_dearer_standard_speed():
    book = PriceBook({OPUS: (a_row(OPUS, speed="fast", output=1), a_row(OPUS, output=7))})
    worst = worst_case(find(OPUS), NOW, request_bytes=920, max_tokens=1000, speed="fast", book=book)
    assert worst == Decimal("0.0121")


def test_the_worst_case_allows_for_reads_dearer_than_the_input():
    book = PriceBook({OPUS: (a_row(OPUS, cache_read=40),)})
    worst = worst_case(find(OPUS), NOW, request_bytes=920, max_tokens=1, geo="global", book=book)
    assert worst == Decimal("0.040005")


def test_rows_only_for_larger_prompts_give_no_worst_case():
    book = PriceBook({"mine": (a_row(prompt_tokens_over=5000),)})
    assert worst_case(None, NOW, request_bytes=10, max_tokens=10, own="mine", book=book) is None


def test_below_a_users_own_cliff_the_catalog_still_holds_and_above_it_never():
    book = PriceBook({HAIKU: (a_row(HAIKU, input=7, prompt_tokens_over=50_000),)})
    assert total(Usage(50_000), HAIKU, NOW, book=book) == Decimal("0.005")
    assert total(Usage(50_001), HAIKU, NOW, book=book) == Decimal("0.350007")
    assert total(Usage(100_001), HAIKU, NOW, book=book) == Decimal("0.700007")


def test_a_kind_without_a_rate_leaves_the_answer_unpriced_and_names_what_to_add():
    row = replace(a_row(), cache_read=None)
    book = PriceBook({"mine": (row,)})
    assert total(Usage(10, output=10), "mine", NOW, book=book) == Decimal("0.00006")
    cost = price(Usage(10, cache_read=5), "mine", NOW, book=book)
    assert cost.total is None and "add cache_read=" in cost.note


def test_searches_and_free_refusals_of_a_known_provider_are_not_guessed_for_an_unknown_model():
    book = PriceBook({"mine": (a_row(),)})
    assert price(Usage(1, web_searches=1), "mine", NOW, book=book).total is None
    refused = price(Usage(1_000_000), "mine", NOW, outcome="refusal", any_text=False, book=book)
    assert refused.total == 1


def test_the_first_name_with_rows_decides_and_the_catalog_comes_last():
    own = a_row("proxy/opus", input=1, output=1, cache_read=0)
    book = PriceBook({"proxy/opus": (replace(own, until=NOW),)})
    more = {"request_bytes": 920, "max_tokens": 0, "geo": "global", "own": "proxy/opus", "book": book}
    assert worst_case(find(OPUS), NOW, **more) == Decimal("0.004")
    assert worst_case(find(OPUS), date(2026, 11, 20), **more) == Decimal("0.001")
    # Sent on the row's last day, the answer may come when the catalog's holds again.
    assert worst_case(find(OPUS), date(2026, 11, 21), **more) == Decimal("0.004")


counts = st.sampled_from([0, 1, 99_999, 100_001, 200_001]) | st.integers(0, 300_000)
usages = st.builds(
    Usage,
    input=counts,
    cache_write_5m=counts,
    cache_write_1h=counts,
    cache_read=counts,
    output=counts,
    web_searches=st.integers(0, 20),
    tier=st.sampled_from(["standard", "batch"]),
    speed=st.sampled_from(["standard", "fast"]),
    geo=st.sampled_from([None, "us", "global", "not_available"]),
)
days = st.integers(0, 1002).map(lambda n: date(2024, 2, 29) + timedelta(days=n))
any_model = st.sampled_from(all_models())


@given(usages, any_model, days)
def test_the_total_is_the_sum_of_the_lines_and_each_line_is_quantity_times_rate(usage, facts, on):
    cost = price(usage, facts.id, on)
    if cost.total is None:
        assert cost.items == () and cost.note
        return
    assert cost.total == sum(item.amount for item in cost.items)
    for item in cost.items:
        assert item.quantity > 0 and item.amount == item.quantity * item.rate
    billed = sum(item.quantity for item in cost.items if item.kind != "web_search")
    assert billed == usage.prompt + usage.output


@given(usages, any_model, days, st.integers(0, 1), st.integers(0, 5000))
def test_no_usage_within_the_limits_costs_more_than_the_worst_case(usage, facts, sent, later, slack):
    worst = worst_case(
        facts,
        sent,
        request_bytes=usage.prompt + slack,
        max_tokens=usage.output + slack,
        web_searches=usage.web_searches,
        cached=bool(usage.cache_write_5m or usage.cache_write_1h),
        batch=usage.tier == "batch",
        speed=usage.speed,
        geo=usage.geo,
    )
    real = price(usage, facts.id, sent + timedelta(days=later)).total
    if worst is None:
        assert price(usage, facts.id, sent).total is None
    elif real is not None:
        assert real <= worst


@given(usages, any_model, days)
def test_a_request_for_fast_may_be_served_at_standard_speed_within_the_worst_case(usage, facts, on):
    prompt, output = usage.prompt, usage.output
    worst = worst_case(facts, on, request_bytes=prompt, max_tokens=output, cached=True, speed="fast")
    served = price(replace(usage, speed="standard", web_searches=0, tier="standard"), facts.id, on).total
    assert worst is None or served is None or served <= worst


rates = st.decimals(min_value=0, max_value=1000, places=4)
own_rows = st.builds(
    lambda start, days, over, speed, rates: replace(
        a_row(prompt_tokens_over=over, speed=speed),
        start=NOW + timedelta(days=start),
        until=None if days is None else NOW + timedelta(days=start + days),
        **dict(zip(KINDS, rates, strict=True)),
    ),
    st.integers(-3, 3),
    st.none() | st.integers(1, 3),
    st.sampled_from([0, 100, 100_000]),
    st.sampled_from(["standard", "fast"]),
    st.tuples(*[rates] * 5),
)


@given(
    usages,
    st.sampled_from([None, *all_models()]),
    st.lists(own_rows, max_size=5),
    st.integers(0, 1),
    st.sampled_from([None, "us", "global"]),
)
def test_no_usage_costs_more_than_the_worst_case_by_a_users_own_rows_either(usage, facts, rows, later, geo):
    name = facts.id if facts else "x/mine"
    book = PriceBook({name: tuple(rows)} if rows else {})
    usage = replace(usage, geo=geo)
    worst = worst_case(
        facts,
        NOW,
        request_bytes=usage.prompt,
        max_tokens=usage.output,
        web_searches=usage.web_searches,
        cached=True,
        batch=usage.tier == "batch",
        speed=usage.speed,
        geo=geo,
        own=name,
        book=book,
    )
    cost = price(usage, name, NOW + timedelta(days=later), book=book)
    if cost.total is not None and worst is not None:
        assert cost.total <= worst
    if worst is None:
        assert price(usage, name, NOW, book=book).total is None


@given(usages, usages, any_model)
def test_two_answers_cost_as_much_as_one_of_both_on_one_side_of_every_cliff(one, two, facts):
    two = replace(two, tier=one.tier, speed=one.speed, geo=one.geo)
    both = Usage(
        **{kind: getattr(one, kind) + getattr(two, kind) for kind in (*KINDS, "web_searches")},
        **{name: getattr(one, name) for name in ("tier", "speed", "geo")},
    )
    first, second, whole = (price(usage, facts.id, NOW) for usage in (one, two, both))
    rows = {item.row for cost in (first, second, whole) for item in cost.items if item.kind != "web_search"}
    if whole.total is not None and len(rows) <= 1:
        assert first.total + second.total == whole.total


@given(st.integers(1, 10**6), rates, rates, st.integers(-400, 400))
def test_a_price_that_changes_at_midnight_is_the_new_one_on_the_day_and_the_old_one_before(
    n, old, new, shift
):
    day = NOW + timedelta(days=shift)
    before, after = (
        replace(a_row(), input=old, until=day, start=date.min),
        replace(a_row(), input=new, start=day),
    )
    book = PriceBook({"mine": (before, after)})
    assert price(Usage(n), "mine", day - timedelta(days=1), book=book).total * 1_000_000 == n * old
    assert price(Usage(n), "mine", day, book=book).total * 1_000_000 == n * new
    worst = worst_case(None, day - timedelta(days=1), request_bytes=n, max_tokens=0, own="mine", book=book)
    assert worst * 1_000_000 >= n * max(old, new)


def test_a_published_run_of_opus_4_costs_what_was_published():
    cost = price(Usage(2_671_437, output=380_717), "claude-opus-4-20250514", date(2025, 5, 25))
    assert round(cost.total, 4) == Decimal("68.6253")


@given(usages, any_model, st.sampled_from(["ok", "max_tokens", "refusal"]))
def test_a_total_told_at_once_has_the_digits_of_the_sum_of_its_lines(usage, facts, outcome):
    cost = price(replace(usage, web_searches=0), facts.id, NOW, outcome=outcome)
    if cost.total is not None:
        by_hand = sum((item.amount for item in cost.items), Decimal(0))
        assert (cost.total, cost.total.as_tuple()) == (by_hand, by_hand.as_tuple())


def test_the_callers_context_rounds_no_total():
    with localcontext() as context:
        context.prec = 3
        assert str(price(Usage(123_456_789, output=987_654_321), OPUS, NOW).total) == "20246.913576"
