"""What was found, as tables: on the screen, and in RESULTS.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan
from pathlib import Path

from .figures import Series, Target, ratio, spread


@dataclass(frozen=True)
class Run:
    """All that a run found, and under which conditions.

    Attributes:
        versions: of each package, by environment.
        missing: why an environment is not there.
        failed: why a suite gave nothing, or not all.
    """

    found: Sequence[Series]
    targets: Sequence[Target]
    rounds: int
    versions: Mapping[str, Mapping[str, str]]
    missing: Mapping[str, str]
    failed: Mapping[str, str]


def suites(found: Iterable[Series]) -> dict[str, list[Series]]:
    """The series of each suite, in the order they came in."""
    by_name: dict[str, list[Series]] = {}
    for one in found:
        by_name.setdefault(one.suite, []).append(one)
    return by_name


def rows(series: Sequence[Series], found: Sequence[Series]) -> list[tuple[str, str, str]]:
    """A way, its median with the unit, and its ratio with the values 10 % of the rounds lie beyond."""
    return [
        (one.way, said(one.median, one.unit) if one.values else one.why, beside(one, found)) for one in series
    ]


def beside(one: Series, found: Sequence[Series]) -> str:
    """The ratio to what it is held against, with its spread; where there is none, the spread alone."""
    if one.against is None:
        low, high = spread(one.values)
        return f"{figure(low)} to {figure(high)}" if len(one.values) > 1 else ""
    if one.against == (one.suite, one.way):
        return "1" if one.values else ""
    other = next((each for each in found if (each.suite, each.way) == one.against), None)
    if other is None or not one.values or len(other.values) != len(one.values):
        return ""
    each = ratio(one, other)
    return f"{figure(each.middle)} ({figure(each.low)} to {figure(each.high)})"


def judged(target: Target, found: Sequence[Series]) -> tuple[str, str, str, str]:
    """What must hold, the bound, what was measured, and whether it holds."""
    value = target.value(found)
    unit = next((one.unit for one in found if (one.suite, one.way) == (target.suite, target.way)), "")
    if target.against is not None and not target.difference:
        unit = "x"
    bound = f"{'at least' if target.at_least else 'at most'} {said(target.bound, unit)}"
    if value is None or isnan(value):
        return wanted(target), bound, "", "not measured"
    return wanted(target), bound, said(value, unit), "held" if target.holds(value) else "not held"


def wanted(target: Target) -> str:
    """The target in words."""
    words = f"{target.suite}: {target.way}"
    if target.against is None:
        return words
    joined = "more than" if target.difference else "beside"
    place = f" in {target.against_suite!r}" if target.against_suite else ""
    return f"{words}, {joined} {target.against}{place}"


def said(value: float, unit: str) -> str:
    """A figure with its unit."""
    return f"{figure(value)} {unit}".strip()


def figure(value: float) -> str:
    """Three digits that count, or all before the point."""
    if isnan(value):
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def text(run: Run) -> str:
    """The tables for the screen."""
    parts = []
    for suite, series in suites(run.found).items():
        lines = [
            f"{way:<46} {middle:>14}  {times}".rstrip() for way, middle, times in rows(series, run.found)
        ]
        parts.append("\n".join([suite, *(f"  {line}" for line in lines)]))
    lines = ["  ".join(cell for cell in judged(target, run.found) if cell) for target in run.targets]
    parts.append("\n".join(["targets", *(f"  {line}" for line in lines)]))
    parts.extend(f"{name}: {why}" for name, why in {**run.missing, **run.failed}.items())
    return "\n\n".join(parts)


def markdown(run: Run) -> str:
    """RESULTS.md."""
    parts = ["# What was measured", _about(run), "## Targets"]
    head = ("what", "wanted", "measured", "")
    parts.append(_table(head, [judged(target, run.found) for target in run.targets]))
    for suite, series in suites(run.found).items():
        parts.append(f"## {suite[0].upper()}{suite[1:]}")
        beside_what = _beside_what(series)
        parts.append(_table(("way", "median", beside_what), rows(series, run.found)))
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = "|".join("---" for _ in head)
    body = [f"| {' | '.join(line)} |" for line in (head, *lines)]
    return "\n".join([body[0], f"|{rule}|", *body[1:]])


def _beside_what(series: Sequence[Series]) -> str:
    """What the ratios of a table are to."""
    against = {one.against for one in series if one.against}
    if not against:
        return "10 % to 90 % of the rounds"
    [(suite, way), *others] = sorted(against)
    if others:
        return f"times its own in «{suite}»"
    return f"times {way}"


def _about(run: Run) -> str:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = [
        f"Written by `make bench` on {day}, {run.rounds} rounds (long suites fewer). {machine()}",
        "All ways take turns in one run, against one server on the same machine; CPU is of the asking\n"
        "process with all its threads. A ratio is the median of each round's own, with the values that\n"
        "10 % of the rounds lie below and above. The answers are invented; nothing here is about a model.",
        "Packages: " + ("; ".join(_versions(name, of) for name, of in run.versions.items()) or "none") + ".",
    ]
    lines += [f"Not installed, and so not measured: {name} ({why})." for name, why in run.missing.items()]
    lines += [f"The suite {name} ended early: {why}" for name, why in run.failed.items()]
    return "\n\n".join(lines)


def _versions(name: str, of: Mapping[str, str]) -> str:
    return f"{name}: {', '.join(f'{package} {version}' for package, version in of.items())}"


def machine() -> str:
    """Processor, cores, memory, system and Python; nothing that names this machine."""
    cores = os.cpu_count() or 0
    size = f", {_memory():.0f} GB" if _memory() else ""
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{_processor()}, {cores} cores{size}, {system}, Python {platform.python_version()}."


def _processor() -> str:
    said = Path("/proc/cpuinfo")
    if said.exists():
        for line in said.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> float:
    """GB of this machine; 0 where it does not say."""
    said = Path("/proc/meminfo")
    return int(said.read_text("utf-8").split()[1]) / 1024**2 if said.exists() else 0.0
