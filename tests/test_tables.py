import sqlite3
from decimal import Decimal

import pytest

from llmkit.errors import StoreError
from llmkit.ledger import Entry, Ledger
from llmkit.store import Store
from llmkit.tables import SCHEMA

OLD_ROW = (
    "INSERT INTO attempt(call, n, budgets, state, worst, charged, cost, items, owner, request_key, endpoint, "
    "model, usage, origin, started) VALUES('c', 1, '[]', 'settled', 90, 80, ?, ?, 'b:1:2', 'k', 'anthropic', "
    "'claude-opus-5-5', ?, 'live', '2026-11-20T23:59:59.000+00:00')"
)
ITEMS = (
    '[["input", 7, "0.000005", "r"], ["output", 3, "0.000025", "r"], ["web_search", 2, "0.01", "s"], '
    '["input", 4, "0.000001", "advisor"]]'
)
USAGE = '{"service_tier": "priority", "inference_geo": "us", "speed": null}'


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "s.sqlite"
    store = Store(path, schema=SCHEMA)
    store.write(lambda connection: connection.execute(OLD_ROW, ("0.0000000799", ITEMS, USAGE)))
    store.write(lambda connection: connection.execute(OLD_ROW, ("1E-25", "[]", None)))
    assert store.read("PRAGMA user_version") == [(0,)]
    store.close()
    return path


def test_an_older_store_is_brought_up_to_today_with_its_usage_and_exact_sums(old):
    store = Store(old, schema=SCHEMA)
    ledger = Ledger(store)
    fields = "day, input, output, web_searches, cache_read, tier, geo, speed"
    rows = store.read(f"SELECT {fields} FROM attempt ORDER BY id")
    assert rows[0] == ("2026-11-20", 11, 3, 2, 0, "priority", "us", None)
    assert rows[1] == ("2026-11-20", *[None] * 7)
    assert ledger.spend().certain == Decimal("0.0000000799") + Decimal("1E-25")
    assert store.read("PRAGMA user_version") == [(2,)]
    indexes = store.read("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1")
    assert [name for (name,) in indexes] == ["answered", "finer", "totals", "unsettled"]
    store.close()


def test_what_is_only_begun_is_in_the_sums_too(old):
    store = Store(old, schema=SCHEMA)
    ledger = Ledger(store)
    before, by_model = ledger.spend(), {name: spend for name, _, spend in ledger.totals()}
    ledger.reserve(Entry("c2", "k2", "anthropic", "claude-opus-5-5", "", (), 7))
    after = ledger.spend()
    assert (after.worst - before.worst, after.certain) == (Decimal("0.000000007"), before.certain)
    assert after.attempts == before.attempts + 1 == by_model["claude-opus-5-5"].attempts + 1
    sums = {(name, origin): spend.worst for name, origin, spend in ledger.totals()}
    assert sums["claude-opus-5-5", "no answer"] == Decimal("0.000000007")
    store.close()


def test_a_store_of_today_is_not_changed_by_opening_it_again(old):
    for _ in range(2):
        store = Store(old, schema=SCHEMA)
        Ledger(store)
        counted = store.read("SELECT count(*) FROM sqlite_master")
        store.close()
    assert counted == store_layout(old)


def store_layout(path):
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    connection.close()
    return found


def test_a_newer_store_is_refused_and_left_alone(old):
    connection = sqlite3.connect(old)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    store = Store(old, schema=SCHEMA)
    with pytest.raises(StoreError, match=r"version 99.*newer llmkit.*Upgrade"):
        Ledger(store)
    assert store.read("SELECT count(*) FROM attempt") == [(2,)]
    store.close()
