"""One, 32 and 256 calls at once: CPU of a call, beside the same peer's own one at a time, waiting as long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from .figures import Scope, Series, Target
from .processes import Done, Server, Worker
from .team import Team
from .ways import DISK, MEMORY, WAYS

PEAK = "the most memory, with 256 at once"
_SHARE = 1 / 4


@dataclass(frozen=True)
class Level:
    """So many calls at once, so many questions of a block, and how long the server takes for each.

    The server waits so that so many are under way; a processor that waited finds its caches cold, so the
    same wait is measured one at a time too.
    """

    at_once: int
    questions: int
    seconds: float

    @property
    def title(self) -> str:
        """The name of its suite."""
        waits = f", answered after {1000 * self.seconds:g} ms" if self.seconds else ""
        return f"a call with {self.at_once} at once{waits}, CPU"


# Each second one is held against the one before it.
_LEVELS = (
    Level(1, 40, 0.0),
    Level(1, 24, 0.01),
    Level(32, 256, 0.01),
    Level(1, 12, 0.05),
    Level(256, 768, 0.05),
)
_MOST = _LEVELS[-1]
_BASE = {_LEVELS[2]: _LEVELS[1], _LEVELS[4]: _LEVELS[3]}
TARGETS = tuple(
    Target(level.title, way, 1.3, way, against_suite=base.title)
    for way in (MEMORY, DISK)
    for level, base in _BASE.items()
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
                        found[level.title][name].append(1000 * done.value["cpu"])
                        if level is _MOST:
                            found[PEAK][name].append(done.peak)
        lost = dict(team.lost)
    bases = {level.title: base.title for level, base in _BASE.items()}
    for suite in (*(level.title for level in _LEVELS), PEAK):
        unit = "MB" if suite == PEAK else "ms"
        for way in WAYS:
            values = () if way.name in lost else tuple(found[suite][way.name])
            against = (bases[suite], way.name) if suite in bases else None
            yield Series(suite, way.name, unit, values, against, lost.get(way.name, ""))


def _block(scope: Scope, server: Server, team: Team, level: Level) -> Iterator[tuple[str, Done]]:
    server.answer(delay=level.seconds)
    questions = scope.block(level.questions)
    first = team.questions(questions)
    ask = partial(_many, first=first, questions=questions, at_once=level.at_once)
    return team.each(ask, requests=questions + 1)


def _many(worker: Worker, *, first: int, questions: int, at_once: int) -> Done:
    return worker.do("many", first=first, questions=questions, at_once=at_once)
