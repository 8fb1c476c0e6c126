"""Run published code benchmarks in the sandbox: right solutions must pass, broken ones fail, quickly.

python -m tools.check_sandbox FOLDER

FOLDER has HumanEval.jsonl.gz and mbpp.jsonl as published. A broken solution has its function replaced by one
that returns None. The attacks and cheats are in tests/test_sandbox.py.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from llmkit import sandbox, sandbox_tests

WARM_RUNS, THREADS = 300, 4
ADD = "def add(a, b):\n    return a + b\n"


@dataclass(frozen=True)
class Problem:
    """A task of a benchmark: its published solution, its tests, and the function they call."""

    solution: str
    tests: str | list[str]
    function: str
    preamble: str = ""
    setup: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Print what passed and how fast; 1 unless every right solution passes and every broken one fails."""
    parser = argparse.ArgumentParser(prog="tools.check_sandbox")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    wrong = _checked("HumanEval", list(_humaneval(folder)))
    wrong += _checked("MBPP", list(_mbpp(folder)))
    _speed()
    return int(wrong > 0)


def _checked(name: str, problems: list[Problem]) -> int:
    compared: Counter[str] = Counter()
    passed = failed = 0
    for problem in problems:
        outcome = _run(problem, problem.solution)
        compared[outcome.compared] += 1
        passed += outcome.passed is True
        broken = f"def {problem.function}(*args, **named):\n    return None\n"
        failed += _run(problem, broken).passed is False
    total = len(problems)
    print(
        f"{name}: {passed} of {total} solutions pass, {failed} of {total} broken ones fail; {dict(compared)}"
    )
    return 2 * total - passed - failed


def _run(problem: Problem, code: str) -> sandbox.Outcome:
    return sandbox.check(
        code,
        problem.tests,
        function=problem.function,
        preamble=problem.preamble,
        setup=problem.setup,
        seconds=20.0,
    )


def _humaneval(folder: Path) -> Iterator[Problem]:
    with gzip.open(folder / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            head, test, function = row["prompt"], row["test"], row["entry_point"]
            yield Problem(head + row["canonical_solution"], test, function, preamble=head + "    pass\n")


def _mbpp(folder: Path) -> Iterator[Problem]:
    with (folder / "mbpp.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            tests = list(row["test_list"])
            function = sandbox_tests.called(tests)
            if function is None:
                raise ValueError(f"the tests of MBPP {row['task_id']} call no function")
            yield Problem(row["code"], tests, function, setup=row.get("test_setup_code") or "")


def _speed() -> None:
    def once(_: int) -> float:
        started = time.perf_counter()
        outcome = sandbox.run(ADD, [(1, 2)], function="add", expected=[3])
        assert outcome.passed
        return time.perf_counter() - started

    times = sorted(once(number) for number in range(WARM_RUNS))
    middle, late = statistics.median(times), times[int(0.95 * len(times))]
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(once, range(WARM_RUNS)))
    rate = WARM_RUNS / (time.perf_counter() - started)
    print(
        f"a warm run: median {1000 * middle:.1f} ms, 95 % under {1000 * late:.1f} ms; "
        f"{1 / statistics.fmean(times):.0f} a second on one thread, {rate:.0f} on {THREADS}"
    )


if __name__ == "__main__":
    sys.exit(main())
