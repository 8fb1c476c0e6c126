"""What an import costs: CPU and memory over plain Python, each in a fresh process."""

from __future__ import annotations

import random
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import environments
from .environments import NotInstalled
from .figures import Scope, Series, Target
from .processes import told
from .team import last_line
from .ways import LITELLM, keyed

CPU, MEMORY, MODULES = "an import, CPU", "an import, memory", "an import, modules"
LLMKIT = "llmkit"
_UNITS = {CPU: "s", MEMORY: "MB", MODULES: ""}
_SHARE = 1 / 3
_READY = "import llmkit; llmkit.connect('live', store=':memory:'); llmkit.model('claude-sonnet-5-5')"
# Read before anything else is imported; where there is no such file, memory is not known.
_AFTER = """
import sys, time
spent, modules, held = time.process_time(), len(sys.modules), float("nan")
try:
    with open("/proc/self/status") as status:
        held = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
except FileNotFoundError:
    pass
print(spent, held, modules)
"""


@dataclass(frozen=True)
class Import:
    """A name, its environment, and the statement."""

    name: str
    environment: str
    statement: str


IMPORTS = (
    Import(LLMKIT, "llmkit", "import llmkit"),
    Import("llmkit, a model ready to be asked", "llmkit", _READY),
    Import("httpx", "core", "import httpx"),
    Import("httpx2", "core", "import httpx2"),
    Import("numpy", "core", "import numpy"),
    Import("genai-prices", "core", "import genai_prices"),
    Import("anthropic SDK", "core", "import anthropic"),
    Import("any-llm", "any-llm", "from any_llm.providers.anthropic import AnthropicProvider"),
    Import("LangChain", "langchain", "import langchain_anthropic"),
    Import("pydantic-ai", "pydantic-ai", "import pydantic_ai.models.anthropic"),
    Import(LITELLM, "litellm", "import litellm"),
    Import("Inspect AI", "inspect", "import inspect_ai"),
)
TARGETS = (
    Target(CPU, LLMKIT, 0.15),
    Target(MEMORY, LLMKIT, 15.0),
    Target(CPU, LLMKIT, 0.1, LITELLM),
    Target(MEMORY, LLMKIT, 0.1, LITELLM),
)


def run(scope: Scope) -> Iterator[Series]:
    """Every import once a round, and plain Python beside each."""
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    lost: dict[str, str] = {}
    order, chance = list(IMPORTS), random.Random(scope.seed)
    for number in range(1 + scope.part(_SHARE)):
        chance.shuffle(order)
        for one in order:
            # The first round compiles what was not compiled yet.
            taken = _taken(scope, one, lost)
            if number and taken:
                found[one.name].append(taken)
    for place, (suite, unit) in enumerate(_UNITS.items()):
        for one in IMPORTS:
            values = () if one.name in lost else tuple(taken[place] for taken in found[one.name])
            yield Series(suite, one.name, unit, values, (suite, LLMKIT), lost.get(one.name, ""))


def _taken(scope: Scope, one: Import, lost: dict[str, str]) -> tuple[float, ...]:
    if one.name in lost:
        return ()
    try:
        python = environments.python(one.environment, scope.environments)
        plain, whole = _spent(python, scope.folder, "pass"), _spent(python, scope.folder, one.statement)
    except (NotInstalled, subprocess.SubprocessError) as error:
        lost[one.name] = last_line(error)
        return ()
    return tuple(a - b for a, b in zip(whole, plain, strict=True))


def _spent(python: Path, home: Path, statement: str) -> list[float]:
    done = subprocess.run(
        [python, "-c", statement + _AFTER],
        env=told(home, keyed("http://127.0.0.1:9")),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [float(word) for word in done.stdout.splitlines()[-1].split()]
