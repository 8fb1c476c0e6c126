"""What a price costs, one by one and by the column, beside genai-prices and LiteLLM, and how exact it is."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Self

from llmkit.session import catalog_day

from .environments import NotInstalled, python
from .figures import Scope, Series, Target
from .usages import pseudo_random, truth

ONE, MANY = "a price", "prices by the column"
OFF, INEXACT = "prices, their total less that of Decimals", "prices that are not to the last digit"
LLMKIT = "llmkit"
GENAI, LITELLM = "genai-prices", "LiteLLM"
COLUMN = "llmkit, columns in numpy"

USAGES = 2_000
ROOT = Path(__file__).resolve().parent.parent
# What a child is told of this machine: no key, no proxy, no file of settings.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")
_QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "DO_NOT_TRACK": "1"}
_SECONDS = 300.0


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
    Way(ONE, "LiteLLM, by plain arguments", "litellm", "litellm_plain"),
    Way(MANY, COLUMN, "llmkit", "column"),
    Way(MANY, "llmkit, kit.costs, models as categories", "llmkit", "costs"),
    Way(MANY, "llmkit, kit.costs, models as text", "llmkit", "costs_of_text"),
)
TARGETS = [
    Target(ONE, LLMKIT, 2.0),
    Target(ONE, LLMKIT, 0.05, GENAI),
    Target(ONE, LLMKIT, 0.05, LITELLM),
    Target(MANY, COLUMN, 20.0, at_least=True),
    Target(OFF, LLMKIT, 0.0),
    Target(OFF, COLUMN, 0.0),
    Target(INEXACT, LLMKIT, 0.0),
    Target(INEXACT, COLUMN, 0.0),
]


class Child:
    """A process that prices by one way whenever it is asked; ended with this object."""

    def __init__(self, way: Way, interpreter: Path, given: Path) -> None:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        home = str(given.parent)
        self._process = subprocess.Popen(
            [str(interpreter), "-m", "benchmarks.price_ways", way.works, str(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home,
            env=passed | _QUIET | {"HOME": home, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        self._limit = threading.Timer(_SECONDS, self._process.kill)
        self._limit.start()
        first = self._line()
        if not first:
            self.__exit__()
            raise ChildProcessError(
                f"{way.name} priced nothing; run python -m benchmarks.price_ways {way.works}"
            )
        said = json.loads(first)
        self.rows, self.total = int(said["rows"]), Decimal(said["total"])
        self.each = [Decimal(amount) for amount in said["each"]]

    def seconds(self) -> float:
        """CPU seconds of pricing all rows once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()


def run(scope: Scope) -> Iterator[Series]:
    """Every way once a round, in turns: µs a price, or million rows a second; and how far totals are off."""
    usages, on = pseudo_random(USAGES), catalog_day()
    given = scope.folder / "usages.json"
    given.write_text(json.dumps({"usages": usages, "on": str(on)}), "utf-8")
    with ExitStack() as opened:
        children: dict[Way, Child] = {}
        for way in WAYS:
            try:
                children[way] = opened.enter_context(
                    Child(way, python(way.environment, scope.environments), given)
                )
            except NotInstalled:
                continue
        taken: dict[Way, list[float]] = {way: [] for way in children}
        for _ in range(scope.rounds):
            for way, child in children.items():
                taken[way].append(child.seconds())
    exact = truth(usages, on)
    for way, child in children.items():
        off = child.total - sum(exact) * (child.rows // USAGES)
        wrong = sum(a != b for a, b in zip(child.each, exact, strict=True))
        yield _speed(way, child.rows, taken[way])
        yield Series(OFF, way.name, "USD", (float(off),) * scope.rounds)
        yield Series(INEXACT, way.name, f"of {USAGES:,}", (float(wrong),) * scope.rounds)


def _speed(way: Way, rows: int, seconds: list[float]) -> Series:
    if way.suite == ONE:
        return Series(ONE, way.name, "µs", tuple(each / rows * 1e6 for each in seconds))
    return Series(MANY, way.name, "million rows/s", tuple(rows / each / 1e6 for each in seconds))
