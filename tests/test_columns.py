from datetime import date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from llmkit.columns import Coded, counts, crossed, days, words
from llmkit.errors import UsageError

TODAY = date(2026, 11, 22)
NAMED = {"input": "input", "output": "output", "cache_read": "cache_read"}


def values(coded, n):
    return [coded.values[0]] * n if coded.codes is None else [coded.values[place] for place in coded.codes]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2, 3]),
        pd.Series([1, 2, 3], dtype="uint8"),
        pd.Series([1.0, 2.0, 3.0]),
        pd.Series([1, 2, 3], dtype="Int64"),
        pd.Series([1.0, 2.0, 3.0], dtype="Float64"),
        pd.Series([1, 2.0, np.int64(3)], dtype=object),
    ],
)
def test_whole_numbers_of_any_kind_are_read_as_64_bits(column):
    found, unknown = counts(pd.DataFrame({"input": column, "output": 0}), NAMED)
    assert found["input"].dtype == np.int64 and found["input"].tolist() == [1, 2, 3]
    assert found.keys() == {"input", "output"} and not unknown.any()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.0, float("nan"), 3.0]),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3], dtype=object),
        pd.Series([1, pd.NA, 3], dtype=object),
    ],
)
def test_what_is_not_there_is_unknown(column):
    found, unknown = counts(pd.DataFrame({"input": column, "output": 0}), NAMED)
    assert unknown.tolist() == [False, True, False]
    assert found["input"].tolist() == [1, 0, 3]


@pytest.mark.parametrize(
    "column", [pd.Series([2**63], dtype="uint64"), pd.Series([2**63], dtype=object), pd.Series([2.0**63])]
)
def test_what_64_bits_cannot_hold_is_pythons_own(column):
    found, _ = counts(pd.DataFrame({"input": column, "output": 0}), NAMED)
    assert found["input"].tolist() == [2**63] and found["input"].dtype == object


@pytest.mark.parametrize("value", [1.5, float("inf"), "7", True, -float("inf"), date(2026, 1, 1)])
def test_what_is_no_count_is_named(value):
    with pytest.raises(UsageError, match="the column 'input'"):
        counts(pd.DataFrame({"input": [value], "output": 0}), NAMED)


@pytest.mark.parametrize("kind", ["category", "string", "object"])
def test_words_are_read_from_any_column_of_text(kind):
    log = pd.DataFrame({"tier": pd.Series(["a", None, "b", "a"], dtype=kind)})
    assert values(words(log, "tier", "tier"), 4) == ["a", None, "b", "a"]
    assert log["tier"].isna().tolist() == [False, True, False, False]


def test_one_word_stands_for_all_rows_and_none_for_nothing_said():
    log = pd.DataFrame({"input": [1]})
    assert (words(log, "tier", "batch").values, words(log, "tier", "tier").values) == (["batch"], [None])


def test_days_are_days_in_utc_however_they_are_written():
    texts = ["2026-11-22", "2026-11-22T23:00:00-05:00", "2026-11-22 23:59:59.9", None]
    expected = [TODAY, date(2026, 11, 23), TODAY, None]
    log = pd.DataFrame({"day": pd.Series(texts, dtype=object)})
    assert values(days(log, "day", TODAY), 4) == expected
    moments = pd.to_datetime(log["day"], utc=True, format="ISO8601")
    assert values(days(pd.DataFrame({"day": moments}), "day", TODAY), 4) == expected
    there = pd.DataFrame({"day": moments.dt.tz_convert("Asia/Tokyo")})
    assert values(days(there, "day", TODAY), 4) == expected
    plain = pd.DataFrame({"day": moments.dt.tz_localize(None)})
    assert values(days(plain, "day", TODAY), 4) == expected
    dates = pd.DataFrame({"day": pd.Series(expected, dtype=object)})
    assert values(days(dates, "day", TODAY), 4) == expected


def test_one_day_stands_for_all_rows_and_today_for_nothing_said():
    log = pd.DataFrame({"input": [1]})
    assert days(log, "day", TODAY).values == [TODAY]
    late = datetime(2026, 1, 1, 22, tzinfo=timezone(-timedelta(hours=5)))
    for given in ("2026-01-02", date(2026, 1, 2), datetime(2026, 1, 2, 3), late):
        assert days(log, given, TODAY).values == [date(2026, 1, 2)]


def test_a_column_of_no_day_at_all_is_unknown():
    log = pd.DataFrame({"day": pd.Series([None, None], dtype="datetime64[ns]")})
    assert values(days(log, "day", TODAY), 2) == [None, None]


def test_grouped_values_share_the_first_of_them():
    coded = Coded(["a", "B", "b"], np.array([2, 0, 1, 2])).grouped(str.lower)
    assert (coded.values, coded.codes.tolist()) == (["a", "B"], [1, 0, 1, 1])


@pytest.mark.parametrize("many", [3, 3_000])
def test_crossed_columns_have_the_combinations_that_rows_have(many):
    rng = np.random.default_rng(3)
    columns = [
        Coded(list(range(many)), rng.integers(0, many, 500)),
        Coded(["all"]),
        Coded(list(range(many)), rng.integers(0, many, 500)),
    ]
    found, which = crossed(columns)
    rows = [(int(a), "all", int(b)) for a, b in zip(columns[0].codes, columns[2].codes, strict=True)]
    assert [found[place] for place in which] == rows and set(found) == set(rows)
    assert crossed([Coded(["x"]), Coded([1])]) == ([("x", 1)], None)
    first, only = crossed([Coded(["x"]), columns[0]])
    assert [first[place][1] for place in only] == columns[0].codes.tolist()
