"""The items of a comparison, one line each, repeats together; which of them a filter finds, in what order."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..comparison import Comparison
from ..human import missing
from ..rows import COLUMNS
from . import shown
from .opened import prompt_text

_MOST_VALUES = 100  # different values up to which a column is one to filter by
SCORES = ("all", "passed", "failed", "disagree", "no grade", "by hand")
ORDERS = ("as asked", "widest gap", "dearest", "random")


@dataclass(frozen=True, slots=True)
class Filter:
    """What to find; "" is any. ``model``: whose answers passed or failed; ``column``, ``value``: a slice."""

    model: str = ""
    score: str = "all"
    column: str = ""
    value: str = ""
    text: str = ""
    order: str = "as asked"


class Findings:
    """Items by what the filter says.

    Args:
        passes: the score from which an answer counts as passed.
    """

    def __init__(self, c: Comparison, *, passes: float) -> None:
        self.c = c
        frame = c.frame
        self.items: list[str] = list(dict.fromkeys(frame["item"]))
        place = {item: n for n, item in enumerate(self.items)}
        column = {label: n for n, label in enumerate(c.labels)}
        rows, models = frame["item"].map(place).to_numpy(), frame["model"].map(column).to_numpy()
        scores = frame["score"].to_numpy(dtype=float)
        shape = (len(self.items), len(c.labels))
        self._all, self._graded, self._passed = (np.zeros(shape, dtype=int) for _ in range(3))
        self._sum, self._cost = np.zeros(shape), np.zeros(len(self.items))
        graded = ~np.isnan(scores)
        np.add.at(self._all, (rows, models), 1)
        np.add.at(self._graded, (rows[graded], models[graded]), 1)
        np.add.at(self._passed, (rows[graded], models[graded]), scores[graded] >= passes)
        np.add.at(self._sum, (rows[graded], models[graded]), scores[graded])
        np.add.at(self._cost, rows, np.nan_to_num(frame["cost"].to_numpy(dtype=float)))
        self._texts: list[str] | None = None

    def columns(self) -> list[str]:
        """Columns to filter by: the task's slices and cluster, and others of few values."""
        frame = self.c.frame.drop_duplicates("item")
        named = [*self.c.task.slices, *([self.c.task.cluster] if self.c.task.cluster else [])]
        own = [name for name in frame.columns if name not in COLUMNS and name not in ("target", "human")]
        few = [name for name in own if 1 < frame[name].astype(str).nunique() <= _MOST_VALUES]
        return list(dict.fromkeys([*named, *few]))

    def values(self, column: str) -> list[str]:
        """The values of a column, sorted."""
        return sorted(set(self.c.frame[column].astype(str)))

    def matching(self, what: Filter, by_hand: Collection[str]) -> list[str]:
        """The items found, in order; ``by_hand`` are those somebody graded."""
        found = self._scored(what, by_hand)
        if what.column and what.value:
            inside = set(self.c.frame.loc[self.c.frame[what.column].astype(str) == what.value, "item"])
            found &= np.array([item in inside for item in self.items], dtype=bool)
        if what.text.strip():
            found &= np.array([what.text.strip().casefold() in text for text in self._searched()], dtype=bool)
        return [self.items[n] for n in self._ordered(what.order) if found[n]]

    def line(self, item: str) -> str:
        """An item in one line: its name, how many of each model's repeats passed, its cost, its prompt."""
        n = self.items.index(item)
        counts = [
            f"{shown.one_line(label, 24)} {self._passed[n, m]} of {self._all[n, m]}"
            for m, label in enumerate(self.c.labels)
        ]
        cost = self.c.frame.loc[self.c.frame["item"] == item, "cost"]
        money = "cost unknown" if cost.isna().all() else f"${self._cost[n]:.4f}"
        prompt = shown.one_line(prompt_text(self.c, item), 70)
        return " · ".join([shown.one_line(item, 30), *counts, money, prompt])

    def _scored(self, what: Filter, by_hand: Collection[str]) -> np.ndarray:
        chosen = [self.c.labels.index(what.model)] if what.model else list(range(len(self.c.labels)))
        graded, passed, every = (a[:, chosen] for a in (self._graded, self._passed, self._all))
        if what.score == "passed":
            return np.asarray((graded.sum(1) > 0) & (passed == every).all(1))
        if what.score == "failed":
            return np.asarray((passed < graded).any(1))
        if what.score == "disagree":
            return self._gap() > 0
        if what.score == "no grade":
            return np.asarray((graded < every).any(1))
        if what.score == "by hand":
            return np.array([item in by_hand for item in self.items], dtype=bool)
        return np.asarray(every.sum(1) > 0)

    def _gap(self) -> np.ndarray:
        """The widest difference of two models' mean scores; 0 where fewer than two have one."""
        means = self._sum / np.maximum(self._graded, 1)
        high = np.where(self._graded > 0, means, -np.inf).max(axis=1)
        low = np.where(self._graded > 0, means, np.inf).min(axis=1)
        return np.asarray(np.maximum(high - low, 0.0))

    def _ordered(self, order: str) -> list[int]:
        places = list(range(len(self.items)))
        if order == "random":
            random.Random(0).shuffle(places)
        elif order != "as asked":
            by = self._gap() if order == "widest gap" else self._cost
            places = np.argsort(-by, kind="stable").tolist()
        return places

    def _searched(self) -> list[str]:
        """For each item, all that is searched; made once, when first asked for."""
        if self._texts is None:
            parts: dict[str, list[str]] = {item: [item, prompt_text(self.c, item)] for item in self.items}
            for name in ("answer", "explanation", "error", self.c.task.target):
                if name in self.c.frame:
                    for item, value in zip(self.c.frame["item"], self.c.frame[name], strict=True):
                        parts[item] += [] if missing(value) else [str(value)]
            self._texts = ["\n".join(dict.fromkeys(parts[item])).casefold() for item in self.items]
        return self._texts
