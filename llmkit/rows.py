"""The rows of a comparison as they come, column by column, and the tidy frame they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from . import recordings, shares
from .errors import LLMKitError, Partial
from .grades import Grade
from .records import Response
from .store import Store
from .task import Task
from .texts import Spool, Texts

COLUMNS = (
    *("item", "model", "repeat", "score", "answer", "extracted", "explanation", "outcome", "cost"),
    *("input_tokens", "output_tokens", "latency", "first_token", "origin", "simulated", "error"),
    *("served", "request_id", "tier", "endpoint", "grading_cost", *shares.COLUMNS),
)
FROM_DISK = 5_000  # rows from which answers are read from disk when they are looked at

_NUMBERS = (
    *("score", "cost", "input_tokens", "output_tokens", "latency", "first_token", "grading_cost"),
    *(name for name in shares.COLUMNS if name.startswith("cost_")),
)
_WHOLE = ("input_tokens", "output_tokens")  # int64 in the frame where all are known
_TEXTS = ("answer", "extracted")
_GIVEN = tuple(name for name in COLUMNS if name not in ("item", "model", "repeat"))
_OWN = ("answer", "request_id")  # what is another in nearly every row
_SHORT = 64  # characters; what repeats among rows is seldom longer


@dataclass(frozen=True, slots=True)
class Job:
    """One question to one model: positions in the task and in the list of models, and the repeat."""

    index: int
    model: int
    repeat: int


class Rows:
    """Answers with their grades, each at its place: by item, then repeat, then model.

    Args:
        repeats: answers to each item by each model.
        store: where recorded answers are; from ``FROM_DISK`` rows on, answers stay there or in a file.
    """

    def __init__(self, task: Task, labels: list[str], repeats: int, store: Store) -> None:
        self._task, self._labels, self.repeats, self._store = task, labels, repeats, store
        self._total = len(task) * repeats * len(labels)
        self._columns: dict[str, np.ndarray] = {
            name: np.full(self._total, nan) if name in _NUMBERS else np.empty(self._total, dtype=object)
            for name in _GIVEN
        }
        self._have = np.zeros(self._total, dtype=bool)
        self._spool = Spool() if self._total >= FROM_DISK else None
        self._same: dict[str, str] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def total(self) -> int:
        """How many there will be."""
        return self._total

    def has(self, job: Job) -> bool:
        """Whether that answer is there."""
        return bool(self._have[self._place(job)])

    def missing(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of the jobs whose answers are not there."""
        if self._count == self._total:
            return []
        have = self._have.tolist()
        return [job for job in jobs if not have[self._place(job)]]

    def score_and_cost(self, job: Job) -> tuple[float, float]:
        """Of the answer to a job that is there; NaN is unknown."""
        place = self._place(job)
        return float(self._columns["score"][place]), float(self._columns["cost"][place])

    def keep_only(self, indices: Sequence[int]) -> None:
        """Let go of the answers to all items but these."""
        kept = np.zeros(len(self._task), dtype=bool)
        kept[list(indices)] = True
        self._have &= np.repeat(kept, self.repeats * len(self._labels))
        self._count = int(self._have.sum())

    @property
    def spent(self) -> float:
        """USD of all rows whose cost is known, grading included."""
        return float(sum(np.nansum(self._columns[name]) for name in ("cost", "grading_cost")))

    def add(self, job: Job, row: Mapping[str, Any], *, key: str | None = None) -> None:
        """Put a row in its place; what it leaves out is unknown (None or NaN).

        ``key`` is that of the recording which holds the whole answer, if there is one.
        """
        place = self._place(job)
        for name, value in row.items():
            if value is None:
                continue
            if isinstance(value, str):
                value = self._text(name, value, key)
            self._columns[name][place] = value
        self._count += not self._have[place]
        self._have[place] = True

    def add_all(self, indices: Sequence[int], model: int, repeat: int, columns: Mapping[str, Any]) -> None:
        """Put many rows of one model and repeat in their places; an answer as bytes is a recording's key."""
        places = (np.asarray(indices) * self.repeats + repeat) * len(self._labels) + model
        for name, values in columns.items():
            if name in _NUMBERS:
                self._columns[name][places] = np.array(values, dtype=float)
                continue
            self._columns[name][places] = self._texts(name, values)
        self._count += len(places) - int(self._have[places].sum())
        self._have[places] = True

    def frame(self) -> pd.DataFrame:
        """One row per answer there is, with the columns of ``COLUMNS`` and the item's own."""
        places = np.flatnonzero(self._have)
        rest, model = np.divmod(places, len(self._labels))
        index, repeat = np.divmod(rest, self.repeats)
        columns: dict[str, Any] = {
            "item": np.array(self._task.ids, dtype=object)[index].tolist(),
            "model": np.array(self._labels, dtype=object)[model].tolist(),
            "repeat": repeat,
        }
        columns |= {name: self._column(name, places) for name in _GIVEN}
        items = self._task.frame.iloc[index].reset_index(drop=True)
        items.columns = [str(column) for column in items.columns]
        extra = [column for column in items.columns if column not in COLUMNS]
        return pd.concat([pd.DataFrame(columns), items[extra]], axis=1)

    def _column(self, name: str, places: np.ndarray) -> Any:
        values = self._columns[name][places]
        if name in _TEXTS and self._spool is not None:
            return Texts(values, self._spool, partial(recordings.texts, self._store))
        if name == "answer":
            return self._answers(values)
        if name in _WHOLE and len(values) and not np.isnan(values).any():
            return values.astype(np.int64)
        return values if name in _NUMBERS else values.tolist()

    def _answers(self, values: np.ndarray) -> list[Any]:
        keys = [value.hex() for value in values if isinstance(value, bytes)]
        loaded = dict(zip(keys, recordings.texts(self._store, keys), strict=True)) if keys else {}
        return [loaded[value.hex()] if isinstance(value, bytes) else value for value in values]

    def _text(self, name: str, value: str, key: str | None = None) -> Any:
        if self._spool is not None and name in _TEXTS and len(value) > _SHORT:
            recorded = name == "answer" and key is not None and not self._store.in_memory
            return bytes.fromhex(key or "") if recorded else self._spool.put(value)
        return self._same.setdefault(value, value) if len(value) <= _SHORT and name != "request_id" else value

    def _texts(self, name: str, values: Sequence[Any]) -> list[Any]:
        if name in _OWN:
            return [self._text(name, each) if isinstance(each, str) else each for each in values]
        kept = {each: self._text(name, each) if isinstance(each, str) else each for each in set(values)}
        return [*map(kept.__getitem__, values)]

    def _place(self, job: Job) -> int:
        return (job.index * self.repeats + job.repeat) * len(self._labels) + job.model


def answered(response: Response, grade: Grade) -> dict[str, Any]:
    """The row of an answer and its grade."""
    usage, total = response.usage, response.cost.total
    return {
        "score": grade.score,
        "answer": response.text,
        "extracted": grade.extracted,
        "explanation": grade.explanation,
        "outcome": response.outcome,
        "cost": None if total is None else float(total),
        "input_tokens": usage.prompt if usage else None,
        "output_tokens": usage.output if usage else None,
        "latency": response.latency,
        "first_token": response.first_token,
        "origin": response.origin,
        "simulated": response.simulated,
        "served": response.model,
        "request_id": response.request_id,
        "tier": usage.tier if usage else None,
        "endpoint": response.endpoint,
        "grading_cost": None if grade.cost is None else float(grade.cost),
    } | _shares(shares.of_answer(response))


def failed(error: LLMKitError, score: float) -> dict[str, Any]:
    """The row of a call that failed, with the text it may have brought."""
    text = error.partial if isinstance(error, Partial) else None
    why = f"{type(error).__name__}: {error}"
    return {
        "score": score,
        "answer": text,
        "explanation": why,
        "outcome": "error" if text is None else "truncated",
        "error": why,
        "request_id": getattr(error, "request_id", None),
        "grading_cost": 0.0,
    } | _shares(shares.of_failure(getattr(error, "steps", ())))


def _shares(bill: shares.Shares) -> dict[str, Any]:
    return dict(zip(shares.COLUMNS, bill.cells(), strict=True))
