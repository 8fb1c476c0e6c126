"""Opening stores again: a ledger's totals and frame, and comparisons that were answered before."""

from __future__ import annotations

import importlib
import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import llmkit as kit
from llmkit import verdict
from llmkit.amounts import NANO, split, total
from llmkit.compare import plan_order
from llmkit.ledger import Ledger
from llmkit.resume import Resume
from llmkit.rows import Job, Rows
from llmkit.session import current
from llmkit.store import Store
from llmkit.tables import SCHEMA

from . import answered
from .apart import MEMORY, Found, apart, megabytes, series, timed
from .figures import Scope, Series, Target

ROWS = (10_000, 100_000, 1_000_000)
ITEMS = (5_000, 50_000)  # of two answers each
AGAIN, DECIDE, VERDICT, TOTALS = "again", "decide what is missing", "verdict", "totals by model"
_MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5", "openrouter/some-model")
_LABELS = ("", "draft 1", "draft 2", "support_triage", "nightly / support_triage")
_STATES = ("settled",) * 18 + ("unknown", "released")
_USAGES = 20_000  # different ones
_FIELDS = (
    *("call", "n", "budgets", "state", "worst", "charged", "cost", "cost_nano", "cost_rest", "items"),
    *("owner", "request_key", "endpoint", "model", "served", "response_id", "request_id", "usage"),
    *("outcome", "latency", "origin", "label", "started", "ended", "day", "input", "output"),
    *("tier", "speed"),
)


def ledger_suite(rows: int) -> str:
    """What the series of a ledger of so many rows are called."""
    return f"ledger of {rows:,} rows"


def comparison_suite(items: int) -> str:
    """What the series of a comparison of so many items are called."""
    return f"comparison of {2 * items:,} answers"


def run(scope: Scope) -> Iterator[Series]:
    """Ledgers of each size, then comparisons of each size."""
    for rows in ROWS:
        yield from ledgers(scope, rows)
    for items in ITEMS:
        yield from comparisons(scope, items)


def ledgers(scope: Scope, rows: int) -> Iterator[Series]:
    """Open a ledger, add it up, and make its frame. Raises ``RuntimeError`` where the sum is not exact."""
    path = scope.folder / f"ledger-{rows}.sqlite"
    expected = total(fill(path, rows))
    rounds = []
    for number in range(scope.rounds):
        found = apart(summed, path, str(expected))
        if number < _rounds(scope, rows, 100_000):
            found |= apart(framed, path)
        rounds.append(found)
    path.unlink()
    yield from series(ledger_suite(rows), rounds)


def comparisons(scope: Scope, items: int) -> Iterator[Series]:
    """Run a comparison again that is answered, and decide what is missing of one that is not."""
    whole, part = (scope.folder / f"{name}-{items}.sqlite" for name in ("whole", "part"))
    answered.fill(whole, items)
    missing = answered.without(whole, part, share=0.1)
    rounds = [
        apart(reopened, whole, items) | apart(decided, part, items, missing)
        for _ in range(_rounds(scope, items, 50_000))
    ]
    for path in (whole, part):
        path.unlink()
    yield from series(comparison_suite(items), rounds)


def summed(path: Path, expected: str) -> Found:
    """Open a ledger and add it up, in all and by model, and as it is shown."""
    found: Found = {}
    ledger = timed(found, "open", lambda: Ledger(Store(path, schema=SCHEMA)))
    spent = timed(found, "totals", ledger.spend)
    timed(found, TOTALS, ledger.totals)
    timed(found, "totals by model, day and label", lambda: repr(ledger))
    if spent.certain != Decimal(expected):
        raise RuntimeError(f"the ledger adds up to {spent.certain}, its rows to {expected}")
    found[f"{MEMORY}, totals"] = megabytes()
    ledger.store.close()
    return found


def framed(path: Path) -> Found:
    """Make the frame of a ledger; pandas, which takes a second once, is there before."""
    importlib.import_module("pandas")
    found: Found = {}
    ledger = Ledger(Store(path, schema=SCHEMA))
    timed(found, "frame", ledger.frame)
    found[f"{MEMORY}, frame"] = megabytes()
    ledger.store.close()
    return found


def reopened(path: Path, items: int) -> Found:
    """Run a comparison again of which everything is answered. Raises ``RuntimeError`` if it asks."""
    found: Found = {}
    kit.connect("offline", store=path)
    task, plain = answered.make_task(items), answered.scripted()
    models = [answered.dressed(each) for each in plain]
    again = timed(found, AGAIN, lambda: kit.compare(task, models))
    judged = timed(found, VERDICT, lambda: verdict.judge(again.frame, again.labels))
    if sum(each.asked for each in plain) or judged.items != items:
        raise RuntimeError("the comparison opened again is another one")
    found[MEMORY] = megabytes()
    timed(found, "read all answers", lambda: sum(map(len, again.frame["answer"])))
    return found


def decided(path: Path, items: int, lacks: int) -> Found:
    """Decide, as a comparison does, what a store lacks."""
    found: Found = {}
    kit.connect("offline", store=path)
    task = answered.make_task(items)
    models = [answered.dressed(each) for each in answered.scripted()]

    def decide() -> list[Job]:
        store = current().store
        resume = Resume(store, task, models, 1)
        kept = Rows(task, [model.label for model in models], 1, store)
        resume.fill(kept)
        return kept.missing(list(plan_order(items, len(models), 1)))

    missing = len(timed(found, DECIDE, decide))
    if missing != lacks:
        raise RuntimeError(f"{missing} answers are said to be missing, and {lacks} are")
    found[f"{MEMORY}, a tenth missing"] = megabytes()
    return found


def fill(path: Path, rows: int, *, seed: int = 0) -> list[Decimal]:
    """Make a store with so many made-up attempts; returns what they cost."""
    store = Store(path, schema=SCHEMA)
    Ledger(store)
    costs: list[Decimal] = []
    made = _rows(rows, random.Random(seed), costs)
    sql = f"INSERT INTO attempt({', '.join(_FIELDS)}) VALUES({', '.join('?' * len(_FIELDS))})"

    def insert(connection: sqlite3.Connection) -> None:
        connection.executemany(sql, made)

    store.write(insert)
    store.close()
    return costs


def _rounds(scope: Scope, size: int, dear: int) -> int:
    return scope.rounds if size < dear else min(scope.rounds, 3)


def _rows(count: int, chance: random.Random, costs: list[Decimal]) -> Iterator[Sequence[object]]:
    usages = [_usage(chance) for _ in range(_USAGES)]
    for number in range(count):
        tokens, cost, bill, usage = chance.choice(usages)
        state, model = chance.choice(_STATES), chance.choice(_MODELS)
        settled = state == "settled"
        whole, rest = split(cost)
        worst = whole + NANO
        day = f"2026-{1 + number * 12 // count:02}-{1 + number % 28:02}"
        when = f"{day}T12:00:00.000+00:00"
        if settled:
            costs.append(cost)
        yield (
            *(f"{number:032x}", 1, "[]", state, worst),
            whole + 1 if settled else 0 if state == "released" else worst,
            *((str(cost), whole, rest) if settled else (None, None, None)),
            *(bill, "boot:1:2", f"{number:064x}", "anthropic", model, model),
            *(f"msg_{number:024}", f"req_{number:024}", usage),
            *("ok" if settled else "error", chance.random() * 9, "live" if settled else None),
            *(chance.choice(_LABELS), when, when, day, *tokens, "standard", "standard"),
        )


def _usage(chance: random.Random) -> tuple[tuple[int, int], Decimal, str, str]:
    """Tokens in and out, what they cost, the bill and the provider's own usage, as JSON."""
    tokens = (chance.randint(10, 5000), chance.randint(1, 2000))
    cost = Decimal(tokens[0] * 5 + tokens[1] * 25).scaleb(-6) + Decimal(chance.randint(0, 999)).scaleb(-15)
    bill = [["input", tokens[0], "0.000005", "row"], ["output", tokens[1], "0.000025", "row"]]
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "service_tier": "standard"}
    return tokens, cost, json.dumps(bill), json.dumps(usage)


TARGETS = [
    Target(ledger_suite(1_000_000), TOTALS, 1.0),
    Target(ledger_suite(1_000_000), "totals by model, day and label", 1.0),
    Target(ledger_suite(1_000_000), "frame", 6.0),
    Target(ledger_suite(1_000_000), f"{MEMORY}, frame", 750.0),
    Target(comparison_suite(50_000), AGAIN, 2.0),
    Target(comparison_suite(50_000), DECIDE, 1.0),
    Target(comparison_suite(50_000), VERDICT, 0.05),
    Target(comparison_suite(50_000), MEMORY, 500.0),
]
