"""Comparisons made by hand, for tests of what is said about them."""

from __future__ import annotations

import pandas as pd

from llmkit import graders
from llmkit.compare import COLUMNS
from llmkit.comparison import Comparison
from llmkit.task import Task


def paired(
    both, only_opus, only_sonnet, neither, *, costs=(0.01, 0.02), repeats=1, simulated=False, **columns
):
    """A frame of two models with the four counts of a paired table; ``costs``: USD a call (sonnet, opus)."""
    outcomes = [(1, 1)] * both + [(0, 1)] * only_opus + [(1, 0)] * only_sonnet + [(0, 0)] * neither
    rows = []
    for index, scores in enumerate(outcomes):
        for repeat in range(repeats):
            for label, score, cost in zip(("Sonnet", "Opus"), scores, costs, strict=True):
                row = dict.fromkeys(COLUMNS)
                row |= {"item": str(index), "model": label, "repeat": repeat, "score": float(score)}
                row |= {"answer": f"answer {score}", "outcome": "ok", "cost": cost, "latency": 1.0}
                row |= {"origin": "simulated" if simulated else "live", "simulated": simulated, "label": "x"}
                rows.append(row | {name: value(index) for name, value in columns.items()})
    return pd.DataFrame(rows)


def comparison(frame, *, cluster=None):
    """A Comparison over such a frame."""
    items = frame.drop_duplicates("item").reset_index(drop=True)
    task = Task(
        items, prompt="{item}", target="label", grade=graders.exact(), cluster=cluster, name="made up"
    )
    return Comparison(task, ["Sonnet", "Opus"], frame)
