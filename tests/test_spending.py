import csv
from decimal import Decimal

import pytest

from llmkit.amounts import NANO
from llmkit.errors import Busy, UsageError
from llmkit.ledger import SCHEMA, Entry, Ledger
from llmkit.records import Cost, Usage
from llmkit.store import Store
from tests.scripted import answer


@pytest.fixture(params=["file", "memory"])
def ledger(request, tmp_path):
    store = Store(tmp_path / "s.sqlite" if request.param == "file" else ":memory:", schema=SCHEMA)
    yield Ledger(store)
    store.close()


def book(ledger, cost, *, model="opus", label="", worst=NANO, **more):
    row = ledger.reserve(Entry("call", "key", "anthropic", model, label, (), worst))
    price = Cost(None if cost is None else Decimal(cost))
    ledger.settle(row, answer(cost=price, origin="live", **more))
    return row


def test_sums_are_exact_to_the_last_digit_however_fine_the_amounts(ledger):
    costs = ["0.1", "0.2", "1E-18", "0.000000000000000000000000000001", "0.333333333333333333"]
    for cost in costs:
        book(ledger, cost)
    expected = Decimal("0.633333333333333334000000000001")
    assert ledger.spend().certain == expected
    assert ledger.totals("model") == [("opus", "live", ledger.spend())]
    assert f"certain {expected}" in repr(ledger)


def test_totals_by_model_day_and_label_each_add_up_to_all(ledger):
    for number, (model, label) in enumerate([("opus", "a"), ("sonnet", "a"), ("opus", ""), ("sonnet", "b")]):
        book(ledger, f"0.{number + 1}", model=model, label=label)
    ledger.fail(
        ledger.reserve(Entry("c", "k", "anthropic", "opus", "a", (), NANO)), Busy("x", maybe_paid=True)
    )
    for by in ("model", "day", "label"):
        assert sum(spend.worst for *_, spend in ledger.totals(by)) == ledger.spend().worst == 2
    labels = {(value, origin): spend.certain for value, origin, spend in ledger.totals("label")}
    assert labels == {
        ("a", "live"): Decimal("0.3"),
        ("", "live"): Decimal("0.3"),
        ("b", "live"): Decimal("0.4"),
        ("a", "no answer"): 0,
    }
    assert "by day" not in repr(ledger)  # one day says nothing more
    ledger.store.write(
        lambda connection: connection.execute("UPDATE attempt SET day = '2026-01-01' WHERE id = 1")
    )
    shown = repr(ledger) + ledger._repr_html_()
    assert all(words in shown for words in ("by model", "by day", "by label", "(none)"))


def test_spend_is_certain_estimate_and_worst(ledger):
    book(ledger, "0.25")
    row = ledger.reserve(Entry("c", "k", "anthropic", "opus", "", (), NANO))
    ledger.fail(row, Busy("cut", maybe_paid=True), Decimal("0.4"))
    spend = ledger.spend()
    assert (spend.certain, spend.estimate, spend.worst) == (Decimal("0.25"), Decimal("0.65"), Decimal("1.25"))


def test_an_estimate_never_passes_the_worst_case(ledger):
    row = ledger.reserve(Entry("c", "k", "anthropic", "opus", "", (), NANO))
    ledger.fail(row, Busy("cut", maybe_paid=True), Decimal(7))
    assert ledger.spend().estimate == ledger.spend().worst == 1


def test_totals_by_something_else_are_refused(ledger):
    with pytest.raises(UsageError, match='"model", "day" or "label"'):
        ledger.totals("colour")


def test_the_frame_has_the_usage_in_buckets_and_no_number_for_the_unknown(ledger):
    usage = Usage(1, 2, 3, 4, 5, None, 6, tier="batch", geo="us", raw={"input_tokens": 1})
    book(ledger, "0.5", usage=usage)
    ledger.fail(ledger.reserve(Entry("c", "k", "e", "m", "", (), 0)), Busy("529"))
    frame = ledger.frame(raw=True)
    first = frame.iloc[0]
    names = ["input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "web_searches"]
    assert first[names].tolist() == [1, 2, 3, 4, 5, 6]
    assert (first["tier"], first["speed"], first["geo"], first["n"]) == ("batch", "standard", "us", 1)
    assert first["usage"] == '{"input_tokens": 1}'
    assert frame[["thinking", "latency"]].isna().all(axis=None) == frame["latency"].isna().all()
    assert frame["input"].isna().tolist() == [False, True]
    assert frame["id"].tolist() == [1, 2]
    assert "usage" not in ledger.frame().columns


def test_an_empty_ledger_can_be_shown_summed_and_framed(ledger):
    assert ledger.frame().empty
    assert ledger.totals() == []
    assert ledger.spend().worst == 0
    assert "<table" in ledger._repr_html_()
    assert repr(ledger).startswith("Paid")


def test_a_price_that_cannot_be_one_is_held_at_its_worst_and_not_counted(ledger):
    for cost in ("-5", "NaN", "1E+30"):
        book(ledger, cost, worst=7)
    assert ledger.store.read("SELECT DISTINCT state, charged, cost FROM attempt") == [("unknown", 7, None)]


def test_an_unknown_attempt_is_resolved_by_the_users_word_which_is_kept(ledger):
    ledger.set_ceiling("b", Decimal(5))
    rows = [ledger.reserve(Entry("c", "k", "anthropic", "opus", "", ("b",), NANO)) for _ in range(3)]
    for row in rows:
        ledger.fail(row, Busy("cut", maybe_paid=True))
    ledger.resolve(rows[0], cost="0.0123456789012", note="console, 25 November")
    ledger.resolve(rows[1], cost=0)
    ledger.resolve(rows[2], cost=1.5)
    assert ledger.frame()["state"].tolist() == ["settled", "released", "over"]
    assert ledger.spend().certain == ledger.spend().worst == Decimal("1.5123456789012")
    assert ledger.left("b") == Decimal("3.487654321")
    assert [(row, before, cost, note) for row, _, before, cost, note in ledger.resolutions()] == [
        (rows[0], 1, Decimal("0.0123456789012"), "console, 25 November"),
        (rows[1], 1, 0, ""),
        (rows[2], 1, Decimal("1.5"), ""),
    ]


@pytest.mark.parametrize("cost", [-1, "much", "NaN", None, "1E+12"])
def test_a_word_that_is_no_cost_is_refused(ledger, cost):
    row = ledger.reserve(Entry("c", "k", "anthropic", "opus", "", (), NANO))
    ledger.fail(row, Busy("cut", maybe_paid=True))
    with pytest.raises(UsageError, match="the cost is"):
        ledger.resolve(row, cost=cost)
    assert ledger.resolutions() == []


def test_only_an_unknown_attempt_can_be_resolved(ledger):
    settled = book(ledger, "0.1")
    opened = ledger.reserve(Entry("c", "k", "anthropic", "opus", "", (), NANO))
    for row, words in ((settled, "is 'settled'"), (opened, "is 'reserved'"), (99, "there is no attempt 99")):
        with pytest.raises(UsageError, match=words):
            ledger.resolve(row, cost=1)
    assert ledger.resolutions() == []


def test_a_csv_file_holds_every_attempt_exactly_and_runs_no_formula(ledger, tmp_path):
    book(ledger, "1E-15", label="=1+1")
    book(ledger, None, worst=3)
    (tmp_path / "l.csv").write_text("old")
    ledger.to_csv(tmp_path / "l.csv")
    with (tmp_path / "l.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["cost"] for row in rows] == ["1E-15", ""]
    assert [row["charged"] for row in rows] == ["0.000000001", "0.000000003"]
    assert rows[0]["label"] == "'=1+1"
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []


def test_an_export_into_no_folder_is_refused(ledger, tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        ledger.to_csv(tmp_path / "none" / "l.csv")


def test_parquet_keeps_exact_decimals_or_says_what_it_needs(ledger, tmp_path):
    book(ledger, "0.000000000000001")
    try:
        import pyarrow.parquet as pq
    except ImportError:
        with pytest.raises(UsageError, match="pip install pyarrow"):
            ledger.to_parquet(tmp_path / "l.parquet")
        assert not (tmp_path / "l.parquet").exists()
        return
    ledger.to_parquet(tmp_path / "l.parquet")
    assert pq.read_table(tmp_path / "l.parquet")["cost"].to_pylist() == [Decimal("0.000000000000001")]
    book(ledger, "1E-30")
    ledger.to_parquet(tmp_path / "l.parquet")
    assert pq.read_table(tmp_path / "l.parquet")["cost"].to_pylist()[1] == "1E-30"


def test_what_is_shown_is_the_totals_by_model_day_and_label(ledger):
    for cost, label in (("0.25", "a"), ("0.5", "b"), ("0.0000000000000000000001", "b")):
        book(ledger, cost, label=label)
    shown = repr(ledger)
    for by in ("model", "label"):
        for value, origin, spend in ledger.totals(by):
            line = next(line for line in shown.splitlines() if line.split()[:2] == [value, origin])
            assert f"certain {spend.certain:f} " in line
