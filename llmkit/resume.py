"""What of a comparison was answered and graded before: found at once, and kept for the next time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from . import graded, recordings
from .model import Model, Prompt
from .records import FAILED
from .rows import Job, Rows
from .store import Store
from .task import Task

_AT_ONCE = 500  # grades that share one write; a run that is killed grades at most these once more
_KEPT = 20_000_000  # characters of all prompts up to which each is made once, and not for every model

Keys = list[tuple[str, ...]]


class Resume:
    """The recordings and grades of one task, some models and some repeats.

    A grade is found again only for a recorded answer, an item as it was, and a grader that can be vouched
    for (see ``graded.rubrics``); everything else is asked or graded as if for the first time.
    """

    def __init__(self, store: Store, task: Task, models: Sequence[Model], repeats: int) -> None:
        self._store = store
        self._rubrics = graded.rubrics(task.grade, (task.item(index) for index in range(len(task))))
        self._keys = _all_keys(task, models, repeats)
        self._fresh: list[tuple[Any, ...]] = []

    def fill(self, rows: Rows) -> None:
        """Put what was graded before into its place."""
        if self._rubrics is None:
            return
        for (model, repeat), keys in self._keys.items():
            found = self._find([each[0] for each in keys], range(len(keys)), rows, model, repeat)
            for source in range(1, len(keys[0])):
                better = recordings.recorded(self._store, [key for each in keys for key in each[:source]])
                missing = [
                    i for i in range(len(keys)) if i not in found and not better & set(keys[i][:source])
                ]
                found |= self._find([keys[i][source] for i in missing], missing, rows, model, repeat)

    def key(self, job: Job, *, simulated: bool = False) -> str | None:
        """The key under which the answer to a job is recorded, now that it was answered; None if nowhere."""
        keys = self._keys.get((job.model, job.repeat))
        return None if keys is None else keys[job.index][-1 if simulated else 0]

    def keep(self, job: Job, row: Mapping[str, Any]) -> None:
        """Keep an answer's grade for the next time, if it has one and can be found again."""
        key = self.key(job, simulated=bool(row.get("simulated")))
        if key is None or self._rubrics is None or row["outcome"] in FAILED or isnan(row["score"]):
            return
        self._fresh.append((key, self._rubrics[job.index], *(row[name] for name in graded.FIELDS)))
        if len(self._fresh) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Have what was kept on disk."""
        if self._fresh:
            graded.keep(self._store, self._fresh)
            self._fresh = []

    def _find(
        self, keys: Sequence[str], indices: Sequence[int], rows: Rows, model: int, repeat: int
    ) -> set[int]:
        assert self._rubrics is not None
        wanted = [(key, self._rubrics[index]) for key, index in zip(keys, indices, strict=True)]
        there: set[int] = set()
        for found, columns in graded.find(self._store, wanted):
            columns["simulated"] = tuple(map(bool, columns["simulated"]))
            columns["grading_cost"] = (0.0,) * len(found)  # only graders that ask nobody are vouched for
            columns["origin"] = ("replay",) * len(found)
            columns["answer"] = tuple(bytes.fromhex(keys[place]) for place in found)
            places = [indices[place] for place in found]
            rows.add_all(places, model, repeat, columns)
            there.update(places)
        return there


class _Asked(Sequence[Prompt]):
    """What is sent about each item, made when it is looked at: pictures are not all held at once."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __len__(self) -> int:
        return len(self._task)

    def __getitem__(self, index: Any) -> Any:
        if index >= len(self):
            raise IndexError(index)
        return self._task.asked(index)


def _prompts(task: Task) -> Sequence[Prompt] | None:
    """What is sent about each item; None where a prompt is no text."""
    texts, length = [], 0
    for index in range(len(task)):
        text = task.prompt_of(index)
        if not isinstance(text, str):
            return None
        length += len(text)
        if length <= _KEPT:
            texts.append(text)
    return texts if task.images is None and length <= _KEPT else _Asked(task)


def _all_keys(task: Task, models: Sequence[Model], repeats: int) -> dict[tuple[int, int], Keys]:
    prompts = _prompts(task)
    if prompts is None:
        return {}
    found = {}
    for place, model in enumerate(models):
        for repeat in range(repeats):
            keys = model.recording_keys(prompts, **task.request_settings, repeat=repeat)
            if keys is not None:
                found[place, repeat] = keys
    return found
