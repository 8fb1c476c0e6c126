"""Measure llmkit beside its peers: python -m benchmarks [--only SUITE,...] [--rounds N] [--quick]

Prints every suite's table and whether its targets hold. A whole run writes benchmarks/RESULTS.md. The
environments come from python -m benchmarks.environments.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from . import environments
from .figures import Scope, Series, Target
from .results import Run, markdown, text

SUITES = ("imports", "calls", "at_once", "comparing", "prices", "stores", "studies", "growth", "notebooks")
RESULTS = Path(__file__).parent / "RESULTS.md"
_ROUNDS = 15


def main(arguments: list[str] | None = None) -> int:
    """Measure and print. Returns 1 where a suite failed."""
    options = _options(arguments)
    chosen = options.only.split(",") if options.only else [name for name in SUITES if _there(name)]
    unknown = [name for name in chosen if name not in SUITES or not _there(name)]
    if unknown:
        print(f"no suite {unknown}; there are {[name for name in SUITES if _there(name)]}", file=sys.stderr)
        return 2
    run = measured(chosen, rounds=options.rounds, quick=options.quick)
    print(text(run))
    if options.only is None and not options.quick and not run.failed:
        RESULTS.write_text(markdown(run), "utf-8")
    return 1 if run.failed else 0


def measured(chosen: Sequence[str], *, rounds: int, quick: bool) -> Run:
    """Every suite after the other, each with all its ways interleaved."""
    environments.FOLDER.mkdir(exist_ok=True)
    missing = environments.missing(environments.FOLDER)
    found: list[Series] = []
    targets: list[Target] = []
    failed: dict[str, str] = {}
    # Beside the environments, so that stores are on a disk and not in a file system in memory.
    with tempfile.TemporaryDirectory(dir=environments.FOLDER, prefix="run-") as folder:
        scope = Scope(rounds, environments.FOLDER, Path(folder), quick=quick)
        for name in chosen:
            print(f"{name} ...", file=sys.stderr, flush=True)
            room = _room(name)
            targets.extend(getattr(room, "TARGETS", ()))
            try:
                found.extend(room.run(scope))
            except Exception as error:  # noqa: BLE001 - the other suites' figures are not lost for one
                failed[name] = repr(error)
    there = [name for name in environments.names() if name not in missing]
    versions = {name: environments.versions(name, environments.FOLDER) for name in there}
    return Run(found, targets, rounds, versions, missing, failed)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawTextHelpFormatter
    parser.add_argument("--only", metavar="SUITE,...", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--rounds", type=int, help=f"{_ROUNDS} where it is not given, 2 with --quick")
    parser.add_argument("--quick", action="store_true", help="few questions, to see that all works")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else _ROUNDS)
    return options


def _there(name: str) -> bool:
    return importlib.util.find_spec(f"benchmarks.{name}") is not None


def _room(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


if __name__ == "__main__":
    sys.exit(main())
