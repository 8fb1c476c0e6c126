"""One, 32 and 256 calls at once: CPU of a call, beside the same peer's own one at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from .figures import Scope, Series, Target
from .processes import Done, Server, Worker
from .team import Team
from .ways import DISK, MEMORY, WAYS

PEAK = "the most memory, with 256 at once"
_SHARE = 1 / 3
# Calls at once: questions of a block, and seconds the server takes, so that so many are under way.
_LEVELS = {1: (40, 0.0), 32: (128, 0.01), 256: (512, 0.05)}
_MOST = max(_LEVELS)


def title(at_once: int) -> str:
    """The suite of so many at once."""
    return f"a call with {at_once} at once, CPU"


TARGETS = tuple(
    Target(title(many), way, 1.3, way, against_suite=title(1)) for way in (MEMORY, DISK) for many in (32, 256)
)


def run(scope: Scope) -> Iterator[Series]:
    """Every way at every level in each round."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with Server() as server, Team(scope, WAYS, server) as team:
        for number in range(1 + scope.part(_SHARE)):
            for level in _LEVELS:
                for name, done in _block(scope, server, team, level):
                    # The first round warms: clients, connections, threads.
                    if number:
                        found[title(level)][name].append(1000 * done.value["cpu"])
                        if level == _MOST:
                            found[PEAK][name].append(done.peak)
        lost = dict(team.lost)
    for suite in (*map(title, _LEVELS), PEAK):
        unit = "MB" if suite == PEAK else "ms"
        for way in WAYS:
            values = () if way.name in lost else tuple(found[suite][way.name])
            against = None if suite == PEAK else (title(1), way.name)
            yield Series(suite, way.name, unit, values, against, lost.get(way.name, ""))


def _block(scope: Scope, server: Server, team: Team, level: int) -> Iterator[tuple[str, Done]]:
    questions, delay = _LEVELS[level]
    server.answer(delay=delay)
    questions = scope.block(questions)
    first = team.questions(questions)
    return team.each(partial(_many, first=first, questions=questions, at_once=level), requests=questions + 1)


def _many(worker: Worker, *, first: int, questions: int, at_once: int) -> Done:
    return worker.do("many", first=first, questions=questions, at_once=at_once)
