"""How cost grows with items and threads: exponents of a power law, fitted on logarithms."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import llmkit as kit
from llmkit import verdict
from llmkit.model import Model
from llmkit.session import current

from . import answered
from .apart import MEMORY, Found, apart, megabytes, timed
from .figures import Scope, Series, Target

ITEMS = (100, 1_000, 10_000, 100_000)
THREADS = (1, 4, 16, 64, 256)
CALLS = 1_000
BY_ITEMS, BY_THREADS = "growth with items", "growth with threads"
EXPONENT = "exponent"
ASK, AGAIN, VERDICT, TOTALS = "ask", "again", "verdict", "ledger totals"
_STEADY = 0.0002  # seconds below which a figure is mostly noise and what is done once
_QUICK = 5  # runs of what takes no time


@dataclass(frozen=True, slots=True)
class Fit:
    """cost = a * size ** exponent, by least squares on logarithms, with the exponent's standard error."""

    exponent: float
    error: float


def fit(sizes: Sequence[float], costs: Sequence[float]) -> Fit:
    """The power law through two points or more; with two the error is NaN. Costs must be above 0."""
    x, y = np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(costs, dtype=float))
    centred = x - x.mean()
    spread = float((centred**2).sum())
    slope = float((centred * y).sum()) / spread
    rest = y - y.mean() - slope * centred
    free = len(x) - 2
    error = math.sqrt(float((rest**2).sum()) / free / spread) if free > 0 else math.nan
    return Fit(slope, error)


def run(scope: Scope) -> Iterator[Series]:
    """By items, then by threads."""
    yield from by_items(scope, ITEMS)
    yield from by_threads(scope, THREADS)


def by_items(scope: Scope, sizes: Sequence[int]) -> Iterator[Series]:
    """Asking, running again, the verdict and the ledger's totals, at each size once, and their exponents."""
    rounds = [{size: _of_size(scope, size) for size in sizes}]
    yield from _costs(BY_ITEMS, rounds)
    yield from exponents(BY_ITEMS, rounds, (ASK, AGAIN, VERDICT, TOTALS, MEMORY))


def by_threads(scope: Scope, counts: Sequence[int]) -> Iterator[Series]:
    """The same calls asked by more and more threads: 0 is no growth at all."""
    rounds = []
    for number in range(min(scope.rounds, 3)):
        found = {}
        for threads in counts:
            path = scope.folder / f"threads-{number}-{threads}.sqlite"
            found[threads] = apart(asked_by, path, threads, CALLS)
            path.unlink()
        rounds.append(found)
    yield from _costs(BY_THREADS, rounds)
    yield from exponents(BY_THREADS, rounds, (ASK, MEMORY))


def asked(path: object, items: int) -> Found:
    """Ask one model every item of a task through all layers, durably, and add up the ledger."""
    found: Found = {}
    kit.connect("offline", store=str(path))
    task, model = answered.make_task(items), answered.dressed(answered.scripted()[0])
    timed(found, ASK, lambda: kit.compare(task, [model], workers=64))
    timed(found, TOTALS, current().ledger.totals, runs=_QUICK)
    found[MEMORY] = megabytes()
    return found


def weighed(path: object, items: int) -> Found:
    """Run a comparison of two models again, and judge it."""
    found: Found = {}
    kit.connect("offline", store=str(path))
    task, models = answered.make_task(items), [answered.dressed(each) for each in answered.scripted()]
    kit.compare(answered.make_task(2), models)  # what is imported once does not grow
    again = timed(found, AGAIN, lambda: kit.compare(task, models))
    timed(found, VERDICT, lambda: verdict.judge(again.frame, again.labels), runs=_QUICK)
    found[f"{MEMORY}, {AGAIN}"] = megabytes()
    return found


def asked_by(path: object, threads: int, calls: int) -> Found:
    """So many calls by so many threads, each durable."""
    found: Found = {}
    kit.connect("offline", store=str(path))
    model: Model = answered.dressed(answered.scripted()[0])
    model("warm up 0")
    prompts = [f"Classify: Customer's message number {number}" for number in range(calls)]
    before = threading.active_count()
    timed(found, ASK, lambda: model.map(prompts, workers=threads))
    found["threads at the end"] = threading.active_count() - before
    found[MEMORY] = megabytes()
    return found


def exponents(suite: str, rounds: Sequence[dict[int, Found]], ways: Sequence[str]) -> Iterator[Series]:
    """The exponent of each way, one a round, and its standard error. A size too quick to time is left out."""
    for way in ways:
        fits = []
        for found in rounds:
            floor = _STEADY if not way.startswith(MEMORY) else 0.0
            sizes = [size for size, each in found.items() if each[way] > floor]
            if len(sizes) > 1:
                fits.append(fit(sizes, [found[size][way] for size in sizes]))
        if fits:
            yield Series(suite, way, EXPONENT, tuple(each.exponent for each in fits))
        errors = [each.error for each in fits if not math.isnan(each.error)]
        if errors:
            yield Series(suite, f"{way}, standard error", EXPONENT, tuple(errors))


def _of_size(scope: Scope, items: int) -> Found:
    answers, stored = scope.folder / f"asked-{items}.sqlite", scope.folder / f"stored-{items}.sqlite"
    found = apart(asked, answers, items)
    answered.fill(stored, items)
    found |= apart(weighed, stored, items)
    for path in (answers, stored):
        path.unlink()
    return found


def _costs(suite: str, rounds: Sequence[dict[int, Found]]) -> Iterator[Series]:
    values: defaultdict[str, list[float]] = defaultdict(list)
    for found in rounds:
        for size, each in found.items():
            for way, value in each.items():
                values[f"{way} at {size:,}"].append(value)
    for way, every in values.items():
        unit = "MB" if way.startswith(MEMORY) else "threads" if way.startswith("threads") else "s"
        yield Series(suite, way, unit, tuple(every))


TARGETS = [
    Target(BY_ITEMS, ASK, 1.1),
    Target(BY_ITEMS, AGAIN, 1.1),
    Target(BY_ITEMS, VERDICT, 1.1),
    Target(BY_ITEMS, TOTALS, 1.1),
    Target(BY_ITEMS, f"{MEMORY} at 100,000", 500.0),
    Target(BY_THREADS, ASK, 0.15),
    Target(BY_THREADS, f"{MEMORY} at 256", 500.0),
]
