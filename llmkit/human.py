"""What people said of answers, kept beside the recordings: grades by hand and votes, the last word counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import pandas as pd

from .errors import UsageError
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS human(
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, note TEXT NOT NULL,
  said TEXT NOT NULL) WITHOUT ROWID;
"""
COLUMNS = ("item", "model", "repeat", "score", "human", "note", "said")
_AT_ONCE = 2000  # keys in one query


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody said: a vote or a score as text, a note, and when (UTC)."""

    value: str
    note: str
    said: str


class Kept:
    """The words of people in a store. Each is found again by the answers it is about, not by their place."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, keys: Sequence[str]) -> dict[str, Word]:
        """Those that are there, by key."""
        columns = "human.key, human.value, human.note, human.said"
        sql = f"SELECT {columns} FROM json_each(?) AS wanted JOIN human ON human.key = wanted.value"
        found: dict[str, Word] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = json.dumps(list(keys[start : start + _AT_ONCE]))
            found |= {key: Word(*rest) for key, *rest in self._store.read(sql, (part,))}
        return found

    def say(self, key: str, value: str, *, kind: str, note: str = "") -> Word:
        """Keep a word in place of one before; returns once it is durable."""
        word = Word(value, note, datetime.now(UTC).isoformat())
        row = (key, kind, word.value, word.note, word.said)
        self._store.write(lambda c: c.execute("INSERT OR REPLACE INTO human VALUES(?, ?, ?, ?, ?)", row))
        return word

    def forget(self, key: str) -> None:
        """Take a word back."""
        self._store.write(lambda c: c.execute("DELETE FROM human WHERE key = ?", (key,)))


def own_store() -> Store:
    """A store of people's words alone, in memory, for where nothing is connected."""
    return Store(":memory:", schema=SCHEMA)


def digest(*parts: object) -> str:
    """32 hex digits that change with any part."""
    text = json.dumps([None if missing(part) else str(part) for part in parts])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def missing(value: object) -> bool:
    """Whether a cell of a frame holds nothing."""
    return value is None or (isinstance(value, float) and value != value)


def answer_key(task: str, row: Mapping[str, Any]) -> str:
    """What a grade of one answer is kept under: it goes with the answer's text, whoever asks again."""
    return digest("grade", task, row["item"], row["repeat"], row["model"], row["answer"])


def score_of(text: str) -> float:
    """A score as typed. Raises ``UsageError`` for what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise UsageError(f"the grade is {text!r}; give a number, 1 for right and 0 for wrong")
    return value


def grades(task: str, frame: pd.DataFrame, kept: Kept) -> pd.DataFrame:
    """One row per answer graded by hand: ``score`` is the machine's, ``human`` that of the person."""
    needed = frame[["item", "repeat", "model", "answer", "score"]]
    rows = [dict(zip(needed.columns, row, strict=True)) for row in needed.itertuples(index=False, name=None)]
    keys = [answer_key(task, row) for row in rows]
    words = kept.find(keys)
    given = [
        row | {"human": float(words[key].value), "note": words[key].note, "said": words[key].said}
        for key, row in zip(keys, rows, strict=True)
        if key in words
    ]
    return pd.DataFrame(given, columns=list(COLUMNS))


def with_grades(frame: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """The frame with people's grades as ``score`` where there are any, the machine's as ``machine_score``.

    Raises ``UsageError`` for grades of answers that are not there, or columns that are missing.
    """
    place = ["item", "model", "repeat"]
    lacking = sorted({*place, "human"} - set(given.columns))
    if lacking:
        raise UsageError(f"the grades lack the column(s) {lacking}; give item, model, repeat and human")
    if given.duplicated(place).any():
        raise UsageError("the grades hold an answer twice; give one row for each item, model and repeat")
    of_answer = given.set_index(place)["human"].astype(float)
    rows = pd.MultiIndex.from_frame(frame[place])
    strangers = of_answer.index.difference(rows)
    if len(strangers):
        raise UsageError(f"no answer belongs to {len(strangers)} grade(s), the first of {strangers[0]!r}")
    people = of_answer.reindex(rows).to_numpy()
    machine = frame["machine_score"] if "machine_score" in frame else frame["score"]
    score = pd.Series(people, index=frame.index).fillna(frame["score"].astype(float))
    return frame.assign(score=score, machine_score=machine)
