"""What is asked and what counts as right: items, a prompt, a grader and settings."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from . import graders, pictures
from .errors import TaskError
from .model import Model, Prompt
from .parts import Part
from .records import Request
from .rehearsal import made_up_answers
from .session import teach

Grade = Callable[[str, Mapping[str, Any]], Any]

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}\n\"':,]+)\}")


class Task:
    """Items with a prompt and a way to grade.

    Args:
        items: a DataFrame with one row per item, or a list of mappings. It is copied.
        prompt: a template with column names in braces (``{{`` and ``}}`` for literal ones), or a function
            from an item to a text.
        target: the column that holds what counts as right.
        grade: a grader of ``kit.graders`` or a function of (answer, item); see ``graders.grade_with``.
        id: the column that names the items; without it they are numbered from 0.
        cluster: the column of what items share (a customer, a document), if they are not independent.
        slices: columns to look at separately.
        system: instructions before the prompt.
        settings: settings of the requests, such as max_tokens.
        images: the column of what is shown before the prompt: a picture's file name, address or bytes, or a
            list of these; empty for an item without.
        folder: where file names in that column are looked up; None is where the program was started.
        answers: for rehearsals: item id -> {"right": [...], "wrong": [...]}; made up from targets if missing.

    Raises ``TaskError``, naming the columns there are, before anything is sent.
    """

    def __init__(
        self,
        items: pd.DataFrame | Sequence[Mapping[str, Any]],
        *,
        prompt: str | Callable[[Mapping[str, Any]], str],
        target: str,
        grade: Grade,
        id: str | None = None,
        cluster: str | None = None,
        slices: Sequence[str] = (),
        system: str | None = None,
        settings: Mapping[str, Any] | None = None,
        images: str | None = None,
        folder: str | Path | None = None,
        name: str = "task",
        question: str = "",
        answers: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    ) -> None:
        frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(list(items))
        if frame.empty:
            raise TaskError("the task has no items; give a DataFrame with at least one row")
        if not callable(grade):
            raise TaskError(f"grade is {grade!r}; give a grader such as kit.graders.exact() or a function")
        self.name, self.question, self.prompt, self.target = name, question, prompt, target
        self.grade, self.cluster, self.slices = grade, cluster, tuple(slices)
        self.system, self.settings, self._answers = system, dict(settings or {}), answers
        self.images, self.folder = images, None if folder is None else Path(folder)
        self.frame = frame.reset_index(drop=True)
        self._check_columns(id)
        self.ids = [str(value) for value in (self.frame[id] if id else self.frame.index)]
        self._check_ids()
        self._items = [
            {str(name): value for name, value in row.items()} for row in self.frame.to_dict("records")
        ]
        for item in self._items:
            item["target"] = item[target]
        self._check_targets()
        if images is not None:
            pictures.check(self._items, self.ids, images, self.folder)

    def __len__(self) -> int:
        return len(self.ids)

    def item(self, index: int) -> dict[str, Any]:
        """The item's columns, with ``"target"``; what a grader gets."""
        return dict(self._items[index])

    def prompt_of(self, index: int) -> str:
        """The text the models are asked about one item."""
        item = self._items[index]
        if not isinstance(self.prompt, str):
            return self.prompt(item)
        return fill(self.prompt, item)

    def request(self, model: Model, index: int, *, repeat: int = 0) -> Request:
        """What ``model`` is asked about one item."""
        return model.request(self.asked(index), **self.request_settings, repeat=repeat)

    def asked(self, index: int) -> Prompt:
        """What is sent about one item: its prompt, after its pictures if it has any."""
        prompt = self.prompt_of(index)
        shown = self._pictures(index)
        return [*shown, prompt] if shown else prompt

    def pictures(self, index: int) -> str:
        """The item's pictures in a few words, or "" where it has none."""
        if self.images is None:
            return ""
        return pictures.summary(self._items[index], self.images, self.folder)

    @property
    def request_settings(self) -> dict[str, Any]:
        """What every request of this task is made with: its settings, and its system text if it has one."""
        return ({} if self.system is None else {"system": self.system}) | self.settings

    def head(self, n: int) -> Task:
        """The first ``n`` items as a task, for a try."""
        return self._part(range(min(n, len(self))))

    def sample(self, n: int, *, seed: int = 0) -> Task:
        """``n`` items drawn at random, the same for the same seed."""
        drawn = self.frame.sample(min(n, len(self)), random_state=seed).index
        return self._part(sorted(int(index) for index in drawn))

    def cluster_of(self, index: int) -> str | None:
        """The cluster an item belongs to, or None where the task names none."""
        return str(self._items[index][self.cluster]) if self.cluster else None

    def fingerprint(self) -> str:
        """16 hex digits that change with any prompt, picture, system text or setting."""
        digest = hashlib.sha256(json.dumps([self.system, self.settings], default=str).encode())
        for index in range(len(self)):
            digest.update(self.prompt_of(index).encode("utf-8", "surrogatepass") + b"\0")
            for picture in self._pictures(index):
                digest.update(pictures.digest(picture).encode())
        return digest.hexdigest()[:16]

    def rehearsal(self) -> Iterator[dict[str, Any]]:
        """What the simulator may answer: one entry per item, right and wrong answers and a difficulty."""
        targets = list(dict.fromkeys(str(item["target"]) for item in self._items))
        for index, item in enumerate(self._items):
            given = (self._answers or {}).get(self.ids[index])
            answers = given or made_up_answers(item["target"], targets, seed=self.ids[index])
            prompt = self.prompt_of(index)
            difficulty = item.get("difficulty", 0.0)
            yield {
                "id": self.ids[index],
                "input": str(item.get("input", prompt)),
                "prompt": prompt,
                "pictures": [pictures.digest(picture) for picture in self._pictures(index)],
                "right": list(answers["right"]),
                "wrong": list(answers["wrong"]),
                "difficulty": float(difficulty) if isinstance(difficulty, int | float) else 0.0,
            }

    def __repr__(self) -> str:
        kind = getattr(self.grade, "kind", getattr(self.grade, "__name__", "a function"))
        return f"<Task {self.name}: {len(self):,} items, graded by {kind}>"

    def _pictures(self, index: int) -> list[Part]:
        if self.images is None:
            return []
        return pictures.read(self._items[index], self.images, self.folder)

    def _part(self, indices: Sequence[int]) -> Task:
        part = object.__new__(Task)
        part.__dict__.update(self.__dict__)
        part.frame = self.frame.iloc[list(indices)].reset_index(drop=True)
        part.ids = [self.ids[index] for index in indices]
        part._items = [self._items[index] for index in indices]
        return part

    def _check_columns(self, id: str | None) -> None:
        named: dict[str, Sequence[str | None]] = {"target": [self.target], "id": [id]}
        named |= {"cluster": [self.cluster], "slices": self.slices, "images": [self.images]}
        if isinstance(self.prompt, str):
            named["prompt"] = columns_of(self.prompt)
            if not named["prompt"] and self.images is None:
                raise TaskError(
                    "the prompt names no column in braces, so all items would be the same question"
                )
        have = [str(column) for column in self.frame.columns]
        for use, columns in named.items():
            missing = [column for column in columns if column and column not in have]
            if missing:
                hint = "; write {{...}} for literal braces" if use == "prompt" else ""
                raise TaskError(f"items lacks the column(s) {missing} named by {use}; it has {have}{hint}")

    def _check_ids(self) -> None:
        twice = pd.Series(self.ids)[pd.Series(self.ids).duplicated()].unique()
        if len(twice):
            raise TaskError(
                f"{len(twice)} id(s) occur more than once, such as {list(twice[:3])}; every item needs its "
                "own, or leave id= out to number them"
            )

    def _check_targets(self) -> None:
        check = self.grade.check if isinstance(self.grade, graders.Grader) else None
        missing = self.frame[self.target].isna()
        if missing.any():
            first = self.ids[int(missing.to_numpy().argmax())]
            raise TaskError(
                f"{int(missing.sum())} item(s) have no target, such as {first!r}; fill or drop them"
            )
        if check is None:
            return
        for index, item in enumerate(self._items):
            try:
                check(item["target"])
            except TaskError as error:
                raise TaskError(f"item {self.ids[index]!r}: {error}") from None


def read_task(where: str | Path) -> Task:
    """Read a task from a folder of task.toml, items.jsonl and, for rehearsals, answers.jsonl.

    ``where`` is a path, or the name of a folder in ``data/`` here or in any folder above.
    Raises ``TaskError`` when it is not found, naming the tasks there are, or when a file cannot be read.
    """
    folder = _find(where)
    about = _toml(folder / "task.toml")
    items = _lines(folder / "items.jsonl")
    book = folder / "answers.jsonl"
    answers = {str(entry["id"]): entry for entry in _lines(book)} if book.exists() else None
    if "prompt" not in about or "grade" not in about:
        raise TaskError(f"{folder.name}/task.toml needs a prompt and a [grade] table; it has {sorted(about)}")
    task = Task(
        items,
        prompt=about["prompt"],
        target=about.get("target", "target"),
        grade=graders.from_table(about["grade"]),
        id=about.get("id", "id"),
        cluster=about.get("cluster"),
        slices=about.get("slices", ()),
        system=about.get("system"),
        settings=about.get("settings"),
        images=about.get("images"),
        folder=folder,
        name=about.get("name", folder.name),
        question=about.get("question", ""),
        answers=answers,
    )
    teach(task.rehearsal())  # so that a single question about an item is answered in the same spirit
    return task


def _find(where: str | Path) -> Path:
    given = Path(where)
    data = [folder / "data" for folder in (Path.cwd(), *Path.cwd().parents)]
    for folder in (given, *(home / given for home in data)):
        if (folder / "task.toml").is_file():
            return folder
    known = sorted({path.parent.name for home in data for path in home.glob("*/task.toml")})
    raise TaskError(
        f"there is no task {str(where)!r}: neither a folder with a task.toml nor one in data/ here or above; "
        f"data/ holds {known or 'none'}"
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TaskError(f"{path.parent.name}/{path.name} is no TOML: {error}") from None


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise TaskError(f"{path.parent.name}/{path.name} is missing")
    entries = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.strip():
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise TaskError(
                    f"{path.parent.name}/{path.name}, line {number}, is no JSON: {error}"
                ) from None
    return entries


def fill(template: str, item: Mapping[str, Any]) -> str:
    """The text a template makes of one item. Raises ``TaskError`` for a column the item lacks."""
    pieces = _pieces(template)
    missing = [name for _, name in pieces if name is not None and name not in item]
    if missing:
        raise TaskError(
            f"the prompt names the column(s) {list(dict.fromkeys(missing))}, and there are {sorted(item)}; "
            "write {{...}} for literal braces"
        )
    return "".join([text if name is None else f"{text}{item[name]!s}" for text, name in pieces])


def columns_of(template: str) -> list[str]:
    """The columns a template names in braces, each once."""
    return list(dict.fromkeys(match[1] for match in _FIELD.finditer(template) if match[1]))


@lru_cache(maxsize=256)
def _pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """What a template is made of: literal texts, each before a column or, with None, before no column."""
    pieces: list[tuple[str, str | None]] = []
    at = 0
    for match in _FIELD.finditer(template):
        brace = "" if match[1] else match[0][0]
        pieces.append((template[at : match.start()] + brace, match[1]))
        at = match.end()
    return (*pieces, (template[at:], None))
