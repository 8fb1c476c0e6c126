"""One call at a time, a stream, its first piece: CPU of each, and the memory it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from .figures import Scope, Series, Target
from .processes import Server
from .team import Team
from .ways import DISK, LITELLM, MEMORY, NO_STREAM, SDK, SDK_RAW, WAYS

CALL, STREAM, FIRST = "a call, CPU", "a stream, CPU", "a stream, time to its first piece"
HELD = "memory after these calls and streams"
_PAUSE = 0.004  # seconds after the first piece of a stream, so that it is read alone
_WARM = 20
_BLOCK = 20
# What is asked of a block, what is taken from it, and the pause after a first piece.
_KINDS = {CALL: ("call", "cpu", 0.0), STREAM: ("stream", "cpu", 0.0), FIRST: ("first_piece", "wall", _PAUSE)}
_BASELINE = {CALL: SDK, STREAM: SDK, FIRST: SDK_RAW, HELD: SDK}

TARGETS = (
    Target(CALL, MEMORY, 1.0, SDK),
    Target(CALL, DISK, 0.4, MEMORY, difference=True),
    Target(STREAM, MEMORY, 0.7, SDK),
    Target(FIRST, MEMORY, 1.05, SDK_RAW),
    Target(CALL, LITELLM, 4.0, MEMORY, at_least=True),
    Target(STREAM, LITELLM, 20.0, MEMORY, at_least=True),
)


def run(scope: Scope) -> Iterator[Series]:
    """Every way, warm, in blocks of each kind."""
    found: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in (*_KINDS, HELD)}
    with Server() as server, Team(scope, WAYS, server) as team:
        for kind in _KINDS:
            _block(team, server, kind, scope.block(_WARM))
        for _ in range(scope.rounds):
            for kind, (_, taken, _) in _KINDS.items():
                for name, (seconds, held) in _block(team, server, kind, scope.block(_BLOCK)).items():
                    found[kind][name].append(1000 * seconds[taken])
                    if kind == CALL:
                        found[HELD][name].append(held)
        lost = dict(team.lost)
    for suite, values in found.items():
        yield from _series(suite, values, lost)


def _block(
    team: Team, server: Server, kind: str, questions: int
) -> dict[str, tuple[dict[str, float], float]]:
    work, _, pause = _KINDS[kind]
    server.answer(pause=pause)
    first, without = team.questions(questions), NO_STREAM if kind != CALL else {}
    asked = team.each(
        lambda worker: worker.do(work, first=first, questions=questions),
        requests=questions + 1,
        without=without,
    )
    return {name: (done.value, done.held) for name, done in asked}


def _series(suite: str, values: Mapping[str, list[float]], lost: Mapping[str, str]) -> Iterator[Series]:
    unit = "MB" if suite == HELD else "ms"
    for way in WAYS:
        why = lost.get(way.name) or ("" if suite in (CALL, HELD) else NO_STREAM.get(way.name, ""))
        each = () if why else tuple(values[way.name])
        yield Series(suite, way.name, unit, each, (suite, _BASELINE[suite]), why)
