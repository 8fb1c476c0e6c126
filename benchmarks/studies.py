"""What weighing a comparison costs: the verdict, looking early, the money question, and replayed policies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

import llmkit as kit
from llmkit import checks, verdict
from llmkit.compare import COLUMNS
from llmkit.comparison import Comparison
from llmkit.model import Model
from llmkit.recordings import OnlyRecorded as Unasked
from llmkit.records import Request
from llmkit.scores import item_scores
from llmkit.sequential import anytime_interval

from .apart import MEMORY, Found, apart, megabytes, series, timed
from .figures import Scope, Series, Target

ITEMS = (1_000, 10_000, 100_000)
REPLAYED, POLICIES = 10_000, 50
REPLAY = f"replay of {POLICIES} policies over {REPLAYED:,} items"


def statistics_suite(items: int) -> str:
    """What the series of the statistics of so many items are called."""
    return f"statistics of {items:,} items"


def run(scope: Scope) -> Iterator[Series]:
    """Statistics of each size, then a replay."""
    for items in ITEMS:
        yield from series(statistics_suite(items), [apart(weighed, items) for _ in range(scope.rounds)])
    rounds = [apart(replayed, REPLAYED, POLICIES) for _ in range(min(scope.rounds, 3))]
    yield from series(REPLAY, rounds)


def weighed(items: int) -> Found:
    """Judge a paired comparison, as of a fixed size and after looking early, and ask what it is worth."""
    found: Found = {}
    weak, strong = _named("weak"), _named("strong")
    comparison = made_up(items, weak, strong)
    verdict.judge(comparison.frame.head(2), comparison.labels)  # what is imported once is no part of it
    timed(found, "verdict", lambda: verdict.judge(comparison.frame, comparison.labels))
    scores = item_scores(comparison.frame, comparison.labels)
    gaps = scores.means("strong") - scores.means("weak")
    timed(found, "any time", lambda: anytime_interval(gaps, 0.95))
    timed(found, "worth", lambda: comparison.worth(cost_of_error=1.0, horizon=20_000))
    found[MEMORY] = megabytes()
    return found


def replayed(items: int, policies: int) -> Found:
    """Replay cascades, routes, mixes, fallbacks, nested ones and balances, and make the frame of it."""
    found: Found = {}
    weak, strong = _named("weak"), _named("strong")
    comparison = made_up(items, weak, strong)
    chosen = [_policy(number, weak, strong) for number in range(policies)]
    replay = timed(found, "replay", lambda: kit.replay(comparison, chosen))
    timed(found, "table and arms", lambda: [replay.table, *(replay.arms(label) for label in replay.labels)])
    timed(found, "frame with all steps", lambda: replay.frame)
    if len(replay.frame) != items * policies:
        raise RuntimeError(f"the replay has {len(replay.frame):,} rows")
    found[MEMORY] = megabytes()
    return found


def made_up(items: int, weak: Model, strong: Model) -> Comparison:
    """A comparison with drawn scores, costs and answers."""
    rng = np.random.default_rng(0)
    words = [" ".join(["word"] * int(n)) for n in rng.integers(5, 200, items)]
    task = kit.Task(
        pd.DataFrame({"text": [f"{n}: {text}" for n, text in enumerate(words)], "target": "x"}),
        prompt="{text}",
        target="target",
        grade=kit.graders.exact(),
    )
    parts = []
    for model, right, cost in ((weak, 0.7, 0.002), (strong, 0.85, 0.005)):
        part = pd.DataFrame({name: [None] * items for name in COLUMNS}, dtype=object)
        part = part.assign(
            item=task.ids, model=model.label, repeat=0, outcome="ok", origin="live", simulated=False
        )
        part = part.assign(score=(rng.random(items) < right).astype(float), latency=1 + rng.random(items))
        part["cost"] = cost * rng.lognormal(0, 0.5, items)
        part["answer"] = [f"{value:.6f} #### {value > 0.1}" for value in rng.random(items)]
        parts.append(part)
    return Comparison(task, [weak.label, strong.label], pd.concat(parts, ignore_index=True))


def _policy(n: int, weak: Model, strong: Model) -> Model:
    kind, step = n % 6, n // 6
    if kind == 0:
        return kit.cascade(weak, strong, accept=checks.has(rf"^0\.{step}"), label=f"{n}")
    if kind == 1:
        return kit.route(weak, strong, by=len, at=100.0 * step, label=f"{n}")
    if kind == 2:
        return kit.mix(weak, strong, p=step / 10, seed=step, label=f"{n}")
    if kind == 3:
        inner = kit.cascade(weak, strong, accept=checks.has(rf"{step}\d*$") & checks.shorter_than(20 + step))
        return kit.fallback(inner, strong, label=f"{n}")
    if kind == 4:
        routes = {"short": weak, "long": kit.mix(weak, strong, p=0.5, seed=step)}
        choose = lambda prompt: "long" if len(prompt) > 90 * step else "short"  # noqa: E731 - reads best here
        return kit.route(routes, choose=choose, label=f"{n}")
    return kit.balance(weak, strong, weights=[step + 1, 3], label=f"{n}")


def _named(label: str) -> Model:
    return Unasked(label, label, Request())


TARGETS = [
    Target(statistics_suite(100_000), "verdict", 0.1),
    Target(REPLAY, MEMORY, 500.0),
]
