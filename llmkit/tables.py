"""The tables of the ledger: as they were first made, and the steps that bring any store up to today."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal

from .amounts import split
from .errors import StoreError
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS budget(
  id TEXT PRIMARY KEY, cap INTEGER NOT NULL, committed INTEGER NOT NULL DEFAULT 0,
  excess INTEGER NOT NULL DEFAULT 0, CHECK(committed BETWEEN 0 AND cap));
CREATE TABLE IF NOT EXISTS attempt(
  id INTEGER PRIMARY KEY, call TEXT NOT NULL, n INTEGER NOT NULL, budgets TEXT NOT NULL, state TEXT NOT NULL,
  worst INTEGER NOT NULL, charged INTEGER NOT NULL, cost TEXT, items TEXT, owner TEXT NOT NULL,
  request_key TEXT NOT NULL, endpoint TEXT NOT NULL, model TEXT NOT NULL, served TEXT, response_id TEXT,
  request_id TEXT, usage TEXT, outcome TEXT, error TEXT, latency REAL, first_token REAL, origin TEXT,
  label TEXT NOT NULL DEFAULT '', started TEXT NOT NULL, ended TEXT,
  CHECK((state IN ('reserved','unknown') AND charged = worst) OR (state = 'released' AND charged = 0)
     OR (state = 'settled' AND charged BETWEEN 0 AND worst) OR (state = 'over' AND charged > worst)));
CREATE INDEX IF NOT EXISTS answered ON attempt(endpoint, response_id) WHERE response_id IS NOT NULL;
"""
"""What a new store begins with; ``upgrade`` does the rest."""

BUCKETS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "thinking", "web_searches")
"""Columns of an attempt that hold its usage in disjoint buckets, named as in ``Usage``."""

_SECOND = f"""
ALTER TABLE attempt ADD COLUMN day TEXT;
{"".join(f"ALTER TABLE attempt ADD COLUMN {name} INTEGER;" for name in BUCKETS)}
ALTER TABLE attempt ADD COLUMN tier TEXT;
ALTER TABLE attempt ADD COLUMN speed TEXT;
ALTER TABLE attempt ADD COLUMN geo TEXT;
ALTER TABLE attempt ADD COLUMN cost_nano INTEGER;
ALTER TABLE attempt ADD COLUMN cost_rest INTEGER CHECK(cost_rest BETWEEN 0 AND 999999999);
ALTER TABLE attempt ADD COLUMN estimate INTEGER CHECK(estimate BETWEEN 0 AND worst);
CREATE TABLE ceiling(scope TEXT PRIMARY KEY, cap INTEGER NOT NULL CHECK(cap > 0));
CREATE TABLE resolution(
  id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempt(id), at TEXT NOT NULL,
  charged_before INTEGER NOT NULL, cost TEXT NOT NULL, note TEXT NOT NULL);
UPDATE attempt SET day = substr(started, 1, 10);
UPDATE attempt SET cost_nano = nano_of(cost), cost_rest = rest_of(cost) WHERE cost IS NOT NULL;
UPDATE attempt SET tier = json_extract(usage, '$.service_tier'), speed = json_extract(usage, '$.speed'),
  geo = json_extract(usage, '$.inference_geo') WHERE usage IS NOT NULL;
CREATE INDEX totals ON attempt(
  day, model, label, origin, state, cost_nano, cost_rest, worst, estimate);
CREATE INDEX unsettled ON attempt(state) WHERE state IN ('reserved', 'unknown');
CREATE INDEX finer ON attempt(id) WHERE cost_nano IS NOT NULL AND cost_rest IS NULL;
"""
# What was priced says how many of each kind there were, whichever wire the usage came by.
_BILLED = """
UPDATE attempt SET {column} = (
  SELECT coalesce(sum(json_extract(item.value, '$[1]')), 0) FROM json_each(attempt.items) AS item
  WHERE json_extract(item.value, '$[0]') = '{kind}')
WHERE items IS NOT NULL AND items <> '[]';
"""

# Every index that a booking touches is a page to write and to wait for: few, and none for what is only begun.
_THIRD = """
DROP INDEX IF EXISTS open_attempt;
DROP INDEX unsettled;
DROP INDEX totals;
CREATE INDEX unsettled ON attempt(state, owner) WHERE state IN ('reserved', 'unknown');
CREATE INDEX totals ON attempt(
  day, model, label, origin, state, cost_nano, cost_rest, worst, estimate) WHERE state <> 'reserved';
"""


def upgrade(store: Store) -> None:
    """Bring the ledger's tables up to today, in one transaction. Raises ``StoreError`` for a newer store."""
    if _version(store) < len(_STEPS):
        store.write(_climb)
    found = _version(store)
    if found > len(_STEPS):
        raise StoreError(
            f"the store {store.path!r} is of version {found}, written by a newer llmkit; this one knows "
            f"version {len(_STEPS)} and leaves it alone. Upgrade llmkit, or give store= another path"
        )


def _version(store: Store) -> int:
    version: int = store.read("PRAGMA user_version")[0][0]
    return version


def _climb(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]  # another process may have been first
    for number, step in enumerate(_STEPS[version:], start=version + 1):
        step(connection)
        connection.execute(f"PRAGMA user_version = {number}")


def _second(connection: sqlite3.Connection) -> None:
    connection.create_function("nano_of", 1, lambda cost: split(Decimal(cost))[0], deterministic=True)
    connection.create_function("rest_of", 1, lambda cost: split(Decimal(cost))[1], deterministic=True)
    kinds = [(name, "web_search" if name == "web_searches" else name) for name in BUCKETS]
    billed = [_BILLED.format(column=c, kind=k) for c, k in kinds if c != "thinking"]
    _execute(connection, _SECOND + "".join(billed))


def _third(connection: sqlite3.Connection) -> None:
    _execute(connection, _THIRD)


def _execute(connection: sqlite3.Connection, statements: str) -> None:
    # Not executescript: it would commit what came before.
    for statement in statements.split(";"):
        connection.execute(statement)


_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_second, _third)
