"""A whole comparison of two models: CPU of an answer, with its call, grade, record and verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from .figures import Scope, Series, Target
from .processes import Done, Server, Worker
from .questions import MODELS
from .team import Team
from .ways import DISK, INSPECT, MEMORY, Way

ANSWER, HELD = "an answer of a comparison, CPU", "memory after these comparisons"
LOOP = "a loop over the anthropic SDK"
WAYS = (
    Way(MEMORY, "llmkit", "benchmarks.comparisons:Llmkit", {"store": ":memory:"}),
    Way(DISK, "llmkit", "benchmarks.comparisons:Llmkit", on_disk=True),
    Way(LOOP, "core", "benchmarks.comparisons:Loop"),
    Way(INSPECT, "inspect", "benchmarks.comparisons:Inspect"),
)
TARGETS = (
    Target(ANSWER, DISK, 2.5),
    Target(ANSWER, INSPECT, 8.0, DISK, at_least=True),
)
_SHARE = 1 / 3
_ITEMS = 200
_DELAY = 0.01  # seconds an answer takes, so that several are under way


def run(scope: Scope) -> Iterator[Series]:
    """Every way once a round, on items of that round."""
    found: dict[str, dict[str, list[float]]] = {ANSWER: defaultdict(list), HELD: defaultdict(list)}
    items = scope.block(_ITEMS)
    with Server() as server, Team(scope, WAYS, server) as team:
        server.answer(delay=_DELAY)
        for number in range(1 + scope.part(_SHARE)):
            first = team.questions(items)
            for name, done in team.each(
                partial(_compare, first=first, items=items), requests=items * len(MODELS)
            ):
                # The first comparison imports what only comparisons need.
                if number:
                    found[ANSWER][name].append(1000 * done.cpu / (items * len(MODELS)))
                    found[HELD][name].append(done.held)
        lost = dict(team.lost)
    for suite, values in found.items():
        for way in WAYS:
            each = () if way.name in lost else tuple(values[way.name])
            unit, why = "MB" if suite == HELD else "ms", lost.get(way.name, "")
            yield Series(suite, way.name, unit, each, (suite, LOOP), why)


def _compare(worker: Worker, *, first: int, items: int) -> Done:
    return worker.do("compare", first=first, items=items)
