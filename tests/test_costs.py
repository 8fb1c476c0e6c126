from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import llmkit as kit
from llmkit.pricing import DEFAULT, KINDS, price
from llmkit.records import Usage
from llmkit.session import prices_now

LOG = pd.DataFrame(
    {
        "model": ["claude-opus-5-5", "claude-haiku-5-5", "claude-haiku-5-5", "claude-opus-5-5"],
        "input": [412, 100_000, 100_001, 1_000],
        "cache_read": [2048, 0, 0, 0],
        "output": [500, 10, 10, 100],
        "day": "2026-11-22",
    },
    index=["a", "b", "c", "d"],
)


def test_a_log_costs_what_the_price_list_says():
    found = kit.costs(LOG)
    by_hand = [Decimal(text) for text in ("0.0120576", "0.010005", "0.0500255", "0.006")]
    assert found.decimals.tolist() == by_hand
    assert found.total == found.certain == sum(by_hand) == Decimal("0.0780881")
    assert found.decimals.index.tolist() == ["a", "b", "c", "d"] and found.decimals.name == "cost"
    assert found.floats.tolist() == [float(amount) for amount in by_hand]
    assert found.units.tolist() == [12_057_600_000, 10_005_000_000, 50_025_500_000, 6_000_000_000]
    assert found.digits == 12 and dict(found.unpriced) == {}


def test_what_has_no_price_is_in_no_sum_and_says_why():
    log = LOG.assign(
        model=["claude-opus-5-5", "gpt-9", None, "claude-opus-5-5"], output=[500, 10, 10, float("nan")]
    )
    found = kit.costs(log)
    assert found.total is None and found.certain == Decimal("0.0120576")
    assert found.decimals.tolist() == [Decimal("0.0120576"), None, None, None]
    assert found.floats.isna().tolist() == [False, True, True, True]
    assert found.unpriced == {
        "a count is not known": 1,
        "no price is known for 'gpt-9': it is neither in the catalog nor among your own rows": 1,
        "the model is not known": 1,
    }
    assert "1 of them in no sum: a count is not known" in repr(found)
    assert "a count is not known" in found._repr_html_()


def test_of_many_reasons_the_commonest_are_shown():
    log = pd.DataFrame(
        {"model": [f"nobody's-{n}" for n in range(40)] + ["nobody's-7"], "input": 1, "output": 1}
    )
    words = repr(kit.costs(log)).splitlines()
    assert words[1].startswith('  2 of them in no sum: no price is known for "nobody\'s-7"')
    assert len(words) == 12 and words[-1] == "  30 of them in no sum: 30 more reasons"


def test_a_count_whose_kind_has_no_price_says_so():
    kit.connect("offline")
    kit.price("xroute/gpt-5", input=1, output=2)
    found = kit.costs({"input": [1], "output": [1], "cache_read": [1]}, model="xroute/gpt-5")
    assert found.unpriced == {"a kind of token, or a prompt of its size, has no price for 'xroute/gpt-5'": 1}


def test_sums_by_a_column_are_exact_and_dearest_first():
    found = kit.costs(LOG.assign(model=["claude-opus-5-5", "claude-haiku-5-5", "claude-haiku-5-5", "gpt-9"]))
    frame = found.by("model")
    assert frame.index.tolist() == ["claude-haiku-5-5", "claude-opus-5-5", "gpt-9"]
    assert frame["certain"].tolist() == [Decimal("0.0600305"), Decimal("0.0120576"), None]
    assert frame["rows"].tolist() == [2, 1, 1] and frame["unpriced"].tolist() == [0, 0, 1]
    with pytest.raises(kit.UsageError, match=r"no column 'team'; it has \['model', 'input'"):
        found.by("team")


def test_columns_of_any_name_and_one_word_for_all_rows():
    log = {"prompt": [1_000], "answer": [100], "when": [datetime(2026, 11, 22, 23, 59)], "where": ["us"]}
    found = kit.costs(log, input="prompt", output="answer", day="when", geo="where", model="claude-opus-5-5")
    assert found.total == Decimal("0.0066")
    half = kit.costs(
        log, input="prompt", output="answer", day=date(2026, 11, 22), tier="batch", model="claude-opus-5-5"
    )
    assert half.total == Decimal("0.003")


def test_a_moment_counts_on_its_day_in_utc():
    # Sonnet 5.5 read its cache at 0.2 until 2026-10-07, and at 0.1 from then on.
    zone = pd.Series(["2026-10-06T23:59:59-05:00", "2026-10-06T23:59:59+00:00", None])
    log = pd.DataFrame({"input": 0, "output": 0, "cache_read": 1_000_000, "day": zone})
    new_old = [Decimal("0.1"), Decimal("0.2"), None]
    assert kit.costs(log, model="claude-sonnet-5-5").decimals.tolist() == new_old
    moments = log.assign(day=pd.to_datetime(log["day"], utc=True))
    assert kit.costs(moments, model="claude-sonnet-5-5").decimals.tolist() == new_old
    words = log.assign(day=log["day"].astype("category"))
    assert kit.costs(words, model="claude-sonnet-5-5").decimals.tolist() == new_old


def test_names_of_models_are_those_of_the_bill():
    log = pd.DataFrame(
        {
            "model": ["anthropic/claude-opus-5-5", "openrouter/anthropic/claude-opus-5.5", "opus"],
            "input": 1,
            "output": 0,
        }
    )
    found = kit.costs(log)
    assert found.known.tolist() == [True, False, False]


def test_a_price_of_ones_own_holds_from_the_next_time_on():
    kit.connect("offline")
    log = {"model": ["xroute/gpt-5"], "input": [1_000_000], "output": [0]}
    assert kit.costs(log).total is None
    kit.price("xroute/gpt-5", input=1.25, output=10)
    assert kit.costs(log).total == Decimal("1.25")
    assert kit.costs(log | {"cache_read": [1]}).total is None
    kit.price("xroute/gpt-5", input="1.250000000001", output=10)
    fine = kit.costs(log | {"input": [1]})
    assert (fine.digits, fine.total, fine.units.tolist()) == (
        18,
        Decimal("0.000001250000000001"),
        [1_250_000_000_001],
    )
    assert fine.floats.tolist() == [1.250000000001e-06]


def test_the_ledgers_own_frame_is_a_log_and_costs_what_was_booked():
    kit.connect("offline")
    for model in kit.models("opus", "sonnet"):
        model("Name the four Galilean moons.", cache="5m")
        model("Tell it as a story.")
    frame = kit.ledger().frame()
    for column in ("served", "model"):
        found = kit.costs(frame, model=column)
        assert found.decimals.tolist() == frame["cost"].tolist()
        assert found.total == kit.ledger().spend().certain


def test_a_row_too_dear_for_64_bits_is_exact():
    log = {"input": [2**62, 2**70, 1], "output": [0, 0, 0]}
    found = kit.costs(log, model="claude-opus-5-5")
    assert found.decimals.tolist() == [Decimal(n) * 4 / 10**6 for n in (2**62, 2**70, 1)]
    assert found.floats.tolist() == [float(amount) for amount in found.decimals]


def test_an_empty_log_costs_nothing():
    found = kit.costs(LOG.iloc[:0])
    assert found.total == 0 and found.decimals.tolist() == [] and found.by("model").empty


def test_a_thousand_rows_of_a_frame_are_priced_as_answers_are():
    rng, n = np.random.default_rng(5), 1_000
    models = [
        "claude-opus-4-6",
        "claude-sonnet-4-5",
        "claude-haiku-5-5",
        "claude-opus-5-5",
        "claude-3-opus-20240229",
    ]
    log = pd.DataFrame(
        {
            "model": rng.choice(models, n),
            "day": np.datetime64("2025-09-01") + rng.integers(0, 500, n).astype("timedelta64[D]"),
            **{kind: rng.integers(0, 150_000, n) for kind in KINDS},
            "speed": rng.choice(np.array(["standard", "fast", None], dtype=object), n),
            "tier": rng.choice(["standard", "batch"], n),
            "geo": rng.choice(np.array(["us", "global", None], dtype=object), n),
        }
    )
    plain = log.astype(object).where(log.notna(), None)
    expected = [
        price(
            Usage(
                **{kind: row[kind] for kind in KINDS},
                speed=row["speed"] or "standard",
                tier=row["tier"],
                geo=row["geo"],
            ),
            row["model"],
            row["day"].date(),
        ).total
        for row in plain.to_dict("records")
    ]
    found = kit.costs(log)
    assert found.decimals.tolist() == expected
    assert kit.costs(log.astype({"model": "category", "tier": "category"})).decimals.tolist() == expected
    assert None in expected and found.certain == sum(amount for amount in expected if amount is not None)


def test_without_a_session_the_catalogs_prices_and_day_hold():
    assert prices_now()[0] is DEFAULT


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (LOG.drop(columns="output"), "no column 'output'; it has .*; name it with output="),
        (LOG.drop(columns="model"), "no column 'model'.*name it with model=, or give one model"),
        (LOG.assign(output=0.5), "'output' holds 0.5, which is no number of tokens"),
        (LOG.assign(output="many"), "'output' holds 'many', which is no number of tokens"),
        (LOG.assign(output=float("inf")), "'output' holds inf"),
        (LOG.assign(output=True), "'output' says whether"),
        (LOG.assign(output=-3), "a count of -3 for output; counts are 0 or more; drop or correct such rows"),
        (LOG.assign(day="yesterday"), "'day' holds what is no day, such as 'yesterday'"),
    ],
)
def test_a_log_that_cannot_be_says_what_is_wrong(log, words):
    with pytest.raises(kit.UsageError, match=words):
        kit.costs(log)


def test_a_column_that_was_named_must_be_there():
    with pytest.raises(kit.UsageError, match=r"no column 'cached'; .*name it with cache_read="):
        kit.costs(LOG, cache_read="cached")
    with pytest.raises(kit.UsageError, match=r"no column 'when'; .*, and .*name a column or a day with day="):
        kit.costs(LOG, day="when")
