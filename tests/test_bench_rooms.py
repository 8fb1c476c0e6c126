"""The benchmarks of stores, studies and growth, each at its smallest."""

import math

import pytest

from benchmarks import answered, growth, stores, studies
from benchmarks.apart import MEMORY, apart, series
from benchmarks.figures import Scope


@pytest.fixture
def scope(tmp_path):
    return Scope(rounds=2, environments=tmp_path, folder=tmp_path)


def ways(found):
    return {one.way: one for one in found}


def test_a_ledger_is_opened_added_up_and_framed_once_a_round(scope):
    found = ways(stores.ledgers(scope, 300))
    assert {"open", "totals", stores.TOTALS, "frame", f"{MEMORY}, frame"} <= set(found)
    assert {len(one.values) for one in found.values()} == {2}
    assert found[f"{MEMORY}, frame"].unit == "MB" and found["frame"].unit == "s"
    assert list(scope.folder.iterdir()) == []


def test_a_ledger_whose_sum_is_another_is_an_error(scope):
    stores.fill(scope.folder / "s.sqlite", 50)
    with pytest.raises(RuntimeError, match="adds up to"):
        stores.summed(scope.folder / "s.sqlite", "1")


def test_a_comparison_is_run_again_and_what_is_missing_decided(scope):
    found = ways(stores.comparisons(scope, 30))
    assert {stores.AGAIN, stores.DECIDE, stores.VERDICT, MEMORY} <= set(found)


def test_a_store_that_lacks_answers_is_told_from_a_whole_one(scope):
    whole, part = scope.folder / "whole.sqlite", scope.folder / "part.sqlite"
    answered.fill(whole, 30)
    assert answered.without(whole, part, share=0.1) == 6
    assert stores.DECIDE in stores.decided(part, 30, 6)
    with pytest.raises(RuntimeError, match="another one"):
        stores.reopened(part, 30)


def test_studies_weigh_and_replay(scope):
    assert {"verdict", "any time", "worth", MEMORY} == set(studies.weighed(200))
    assert {"replay", "frame with all steps"} <= set(studies.replayed(60, 6))


def test_growth_is_an_exponent_with_its_error(scope):
    assert growth.fit([1, 10, 100], [3, 300, 30_000]).exponent == pytest.approx(2)
    noisy = growth.fit([1, 10, 100], [1.0, 12.0, 90.0])
    # By hand: the slope of log10 is (log10(90) - 0) / 2, the residuals -c/3, 2c/3, -c/3 of the bend c.
    bend = math.log10(12) - math.log10(90) / 2
    assert noisy.exponent == pytest.approx(math.log10(90) / 2)
    assert noisy.error == pytest.approx(math.sqrt(bend**2 * 6 / 9 / 2))
    assert math.isnan(growth.fit([1, 10], [1, 10]).error)


def test_growth_is_measured_by_items_and_by_threads(scope):
    items = ways(growth.by_items(scope, (20, 60)))
    assert {f"{growth.ASK} at 20", f"{growth.ASK} at 60", growth.ASK, growth.AGAIN} <= set(items)
    assert items[growth.ASK].unit == growth.EXPONENT
    threads = ways(growth.by_threads(scope, (1, 4)))
    assert threads[growth.ASK].unit == growth.EXPONENT and len(threads[growth.ASK].values) == 2


def test_each_target_names_a_series_there_is():
    known = {stores.ledger_suite(rows) for rows in stores.ROWS}
    known |= {stores.comparison_suite(items) for items in stores.ITEMS} | {studies.REPLAY}
    known |= {studies.statistics_suite(items) for items in studies.ITEMS}
    known |= {growth.BY_ITEMS, growth.BY_THREADS}
    assert {target.suite for room in (stores, studies, growth) for target in room.TARGETS} <= known


def test_what_is_measured_apart_leaves_no_trace_here():
    assert apart(dict, [("a", 1.0)]) == {"a": 1.0}
    made = list(series("suite", [{"a": 1.0, MEMORY: 2.0}, {"a": 3.0, MEMORY: 4.0}]))
    assert [(one.way, one.unit, one.values) for one in made] == [
        ("a", "s", (1.0, 3.0)),
        (MEMORY, "MB", (2.0, 4.0)),
    ]
