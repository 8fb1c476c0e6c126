"""What a price costs, one by one and by the column, beside genai-prices and LiteLLM, and how exact it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from . import environments
from .environments import NotInstalled
from .figures import Scope, Series, Target
from .processes import Failed, Worker
from .team import last_line
from .usages import Usages, pseudo_random, truth
from .ways import LITELLM

ONE, MANY = "a price", "prices by the column"
OFF, INEXACT = "prices, their total less that of Decimals", "prices that are not to the last digit"
LLMKIT, GENAI = "llmkit", "genai-prices"
COLUMN = "llmkit, columns in numpy"

USAGES = 2_000
ON = date(2026, 11, 22)


@dataclass(frozen=True)
class Way:
    """A suite's name for a way, its environment, and what ``price_ways`` calls it."""

    suite: str
    name: str
    environment: str
    works: str


WAYS = (
    Way(ONE, LLMKIT, "llmkit", "door"),
    Way(ONE, "llmkit, its rates at hand", "llmkit", "inner"),
    Way(ONE, "llmkit, with the lines of its bill", "llmkit", "lines"),
    Way(ONE, "llmkit, of an answer", "llmkit", "settled"),
    Way(ONE, GENAI, "core", "genai_prices"),
    Way(ONE, LITELLM, "litellm", "litellm"),
    Way(ONE, f"{LITELLM}, by plain arguments", "litellm", "litellm_plain"),
    Way(MANY, COLUMN, "llmkit", "column"),
    Way(MANY, "llmkit, kit.costs, models as categories", "llmkit", "costs"),
    Way(MANY, "llmkit, kit.costs, models as text", "llmkit", "costs_of_text"),
)
TARGETS = (
    Target(ONE, LLMKIT, 2.0),
    Target(ONE, LLMKIT, 0.05, GENAI),
    Target(ONE, LLMKIT, 0.05, LITELLM),
    Target(MANY, COLUMN, 20.0, at_least=True),
    Target(OFF, LLMKIT, 0.0),
    Target(OFF, COLUMN, 0.0),
    Target(INEXACT, LLMKIT, 0.0),
    Target(INEXACT, COLUMN, 0.0),
)


@dataclass
class _Measured:
    """One way: what it makes of the usages, and the CPU seconds of each round."""

    worker: Worker
    rows: int
    total: Decimal
    each: list[Decimal]
    seconds: list[float] = field(default_factory=list)


def run(scope: Scope) -> Iterator[Series]:
    """Every way once a round: µs a price, or million rows a second; and how far from Decimals they are."""
    usages, chance = pseudo_random(scope.block(USAGES)), random.Random(scope.seed)
    lost: dict[str, str] = {}
    with ExitStack() as opened:
        ways = {way: made for way in WAYS if (made := _made(opened, scope, way, usages, lost)) is not None}
        for _ in range(scope.rounds):
            order = list(ways.values())
            chance.shuffle(order)
            for one in order:
                one.worker.do("price")  # after the others' turns its caches are cold
                one.seconds.append(one.worker.do("price").cpu)
    exact = truth(usages, ON)
    for way in WAYS:
        if way in ways:
            yield from _series(way, ways[way], exact)
        else:
            unit = "µs" if way.suite == ONE else "million rows/s"
            yield Series(way.suite, way.name, unit, (), why=lost[way.name])


def _made(
    opened: ExitStack, scope: Scope, way: Way, usages: Usages, lost: dict[str, str]
) -> _Measured | None:
    try:
        worker = opened.enter_context(Worker(environments.python(way.environment, scope.environments)))
        worker.make("benchmarks.price_ways:Pricer", way=way.works, usages=usages, on=str(ON))
        said = worker.do("first").value
    except (NotInstalled, Failed) as error:
        lost[way.name] = last_line(error)
        return None
    return _Measured(worker, said["rows"], Decimal(said["total"]), [Decimal(text) for text in said["each"]])


def _series(way: Way, found: _Measured, exact: list[Decimal]) -> Iterator[Series]:
    if way.suite == ONE:
        each = tuple(seconds / found.rows * 1e6 for seconds in found.seconds)
        yield Series(ONE, way.name, "µs", each, (ONE, LLMKIT))
    else:
        each = tuple(found.rows / seconds / 1e6 for seconds in found.seconds)
        yield Series(MANY, way.name, "million rows/s", each)
    off = found.total - sum(exact) * (found.rows // len(exact))
    wrong = sum(a != b for a, b in zip(found.each, exact, strict=True))
    rounds = len(found.seconds)
    yield Series(OFF, way.name, "USD", (float(off),) * rounds)
    yield Series(INEXACT, way.name, f"of {len(exact):,}", (float(wrong),) * rounds)
