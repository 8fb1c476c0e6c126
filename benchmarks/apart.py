"""Measure something in a process of its own: processor seconds, and the most memory it ever held."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .figures import Series

MEMORY = "peak memory"
Found = dict[str, float]


def apart(work: Callable[..., Found], *given: Any) -> Found:
    """What ``work(*given)`` found in a process of its own, which prints nothing."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found: Found = pool.apply(_alone, (work, *given))
        return found


def timed(found: Found, name: str, work: Callable[[], Any], *, runs: int = 1) -> Any:
    """The result of ``work``; its processor seconds, the least of so many runs, go to ``found``."""
    seconds = []
    for _ in range(runs):
        before = time.process_time()
        result = work()
        seconds.append(time.process_time() - before)
    found[name] = min(seconds)
    return result


def series(suite: str, rounds: Iterable[Mapping[str, float]], *, unit: str = "s") -> Iterator[Series]:
    """One series for each thing found, a value a round."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for found in rounds:
        for way, value in found.items():
            values[way].append(value)
    for way, each in values.items():
        yield Series(suite, way, "MB" if way.startswith(MEMORY) else unit, tuple(each))


def megabytes() -> float:
    """The most memory this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there begins with the memory of the process that started this
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024**2 if sys.platform == "darwin" else 1024)


def _alone(work: Callable[..., Found], *given: Any) -> Found:
    with contextlib.redirect_stdout(io.StringIO()):
        return work(*given)
