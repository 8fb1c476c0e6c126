"""Published outcomes of two models in dollars, and a count of the figures that agree with what is stated."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from llmkit.curves import Floats, Pair

PREFIX = 1_100  # tokens of instructions before each GSM8K question
MARKER = r"#### *-?[$]?[0-9]"

Rows = list[dict[str, str]]


class Checks:
    """Counts what agrees and what does not."""

    def __init__(self) -> None:
        self.held = self.off = 0

    def same(self, name: str, ours: float | str, stated: float | str, *, within: float = 1e-12) -> None:
        """Print one figure; ``within`` is relative, or absolute below 1."""
        if isinstance(ours, str) or isinstance(stated, str):
            fine = ours == stated
        else:
            fine = abs(ours - stated) <= within * max(1.0, abs(stated))
        self.count(fine, f"{name:58} {ours!s:>22} {stated!s:>22}")

    def between(self, name: str, ours: float, low: float, high: float) -> None:
        """Print one figure that should lie between two."""
        self.count(low <= ours <= high, f"{name:58} {ours:22.6f} {f'{low:g} .. {high:g}':>22}")

    def count(self, fine: bool, line: str) -> None:
        """Print a line with its mark."""
        self.held += fine
        self.off += not fine
        print(f"{line}  {'ok' if fine else 'OFF'}")


def read(path: Path) -> Rows:
    """All rows of a table, the contaminated ones too."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def clean(table: Rows) -> Rows:
    """The rows that no model was trained on."""
    return [row for row in table if row["contaminated"] == "0"]


def column(table: Rows, name: str) -> Floats:
    """One column as numbers, (n,)."""
    return np.array([float(row[name]) for row in table])


def gsm8k(table: Rows, prefix: int) -> Pair:
    """GSM8K in dollars, with so many tokens of instructions before each question."""
    rows = clean(table)
    ask = column(rows, "prompt_chars") / 4 + prefix
    weak = ask * 2 + column(rows, "weak_chars") / 4 * 10
    strong = ask * 4 + column(rows, "strong_chars") / 4 * 20
    return Pair(column(rows, "weak"), column(rows, "strong"), weak / 1e6, strong / 1e6)


def mmlu(table: Rows, prefix: int) -> Pair:
    """MMLU in dollars; one token an answer."""
    rows = clean(table)
    ask = column(rows, "prompt_chars") / 4 + prefix
    return Pair(column(rows, "weak"), column(rows, "strong"), (ask * 2 + 10) / 1e6, (ask * 4 + 20) / 1e6)


def weak_answers(table: Rows, answers: Path | None) -> list[str]:
    """The weak model's answers; where they are not there, stand-ins that end with a marker or do not."""
    if answers is None:
        return ["no number" if up else "#### 1" for up in rebuilt(gsm8k(table, PREFIX))]
    found = read(answers)
    weak = next(name for name in found[0] if name.startswith("mixtral") and name.endswith("_response"))
    kept = zip(found, table, strict=True)
    return [row[weak] for row, facts in kept if facts["contaminated"] == "0"]


def rebuilt(pair: Pair) -> Any:
    """133 items with the published share and lift, (n,) bool; the dearer ones likelier."""
    draw = np.random.default_rng(0)
    up = np.zeros(pair.n, dtype=bool)
    for solved, count in ((1, 84), (0, 49)):
        among = np.flatnonzero((pair.weak_quality == 0) & (pair.strong_quality == solved))
        chances = pair.strong_cost[among] / pair.strong_cost[among].sum()
        up[draw.choice(among, count, replace=False, p=chances)] = True
    return up
