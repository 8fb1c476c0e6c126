import json
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from llmkit import attempts
from llmkit.amounts import usd
from llmkit.attempts import COLUMNS, RAW, frame
from llmkit.ledger import Ledger
from llmkit.store import Store
from llmkit.tables import SCHEMA

WORDS = (None, "", "a", 'with "quotes", [brackets] and \\', "Zürich 🌕\n", "\x00", "NULL")


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    store = Store(":memory:" if request.param == "memory" else tmp_path / "s.sqlite", schema=SCHEMA)
    Ledger(store)
    yield store
    store.close()


def filled(store, rows):
    """Attempts with every column drawn from what it may hold, the empty and the odd among it."""
    chance = random.Random(3)
    never_null = {"day": "2026-11-25", "model": "m", "endpoint": "e", "label": "", "started": "s"}
    names = [name for name in (*COLUMNS, *RAW) if name != "id"] + ["budgets", "owner"]

    def one():
        row = {name: chance.choice(WORDS) or never_null.get(name) for name in names}
        worst = chance.choice([0, 1, 5_000_000_000_000_001, 123])
        row |= {"state": "unknown", "worst": worst, "charged": worst}
        row |= {"estimate": chance.choice([None, 0, worst]), "cost": chance.choice([None, "0.1", "1E-12"])}
        row |= {name: chance.choice([None, 0, 7, 123_456_789]) for name in names if name in COUNTS}
        row |= {name: chance.choice([None, 0.0, 1.25]) for name in ("latency", "first_token")}
        row |= {"n": 1, "call": "c", "request_key": "k", "budgets": "[]", "owner": "o"}
        return [row[name] for name in names]

    sql = f"INSERT INTO attempt({', '.join(names)}) VALUES({', '.join('?' * len(names))})"
    store.write(lambda c: c.executemany(sql, [one() for _ in range(rows)]))


COUNTS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "thinking", "web_searches")


def row_by_row(store, names):
    """The same frame, made one cell at a time."""
    rows = store.read(f"SELECT {', '.join(names)} FROM attempt ORDER BY id")
    columns = {}
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        if name == "id":
            columns[name] = pd.Series(cells, dtype="int64")
        elif name in ("n", *COUNTS):
            columns[name] = pd.Series(cells, dtype="Int64")
        elif name in ("latency", "first_token"):
            columns[name] = pd.Series(cells, dtype=float)
        else:
            made = {"cost": Decimal} | dict.fromkeys(("charged", "estimate", "worst"), usd)
            values = np.empty(len(cells), dtype=object)
            values[:] = [None if cell is None else made.get(name, str)(cell) for cell in cells]
            columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


@pytest.mark.parametrize("raw", [False, True])
def test_a_frame_is_what_the_rows_are_cell_by_cell(store, raw):
    filled(store, 1_234)  # more than are read at once, and no multiple of it
    names = (*COLUMNS, *RAW) if raw else COLUMNS
    expected, found = row_by_row(store, names), frame(store, raw=raw)
    pd.testing.assert_frame_equal(found, expected)
    for name in ("cost", "charged", "estimate", "served"):
        assert [*map(repr, found[name])] == [*map(repr, expected[name])]


def test_a_word_that_stands_in_many_rows_is_one_object(store):
    filled(store, 200)
    found = frame(store)
    for name in ("label", "served", "tier"):
        assert len({id(word) for word in found[name]}) == found[name].nunique(dropna=False)
    assert json.dumps(found["id"].tolist()) == json.dumps(list(range(1, 201)))


def test_more_costs_than_are_kept_come_out_exact(store, monkeypatch):
    monkeypatch.setattr(attempts, "_KEPT", 1)
    filled(store, 100)
    assert [*map(repr, frame(store)["cost"])] == [*map(repr, row_by_row(store, COLUMNS)["cost"])]
