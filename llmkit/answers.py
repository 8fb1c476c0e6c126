"""The answers of a finished comparison, as columns and as models that know nothing else."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import isnan
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import errors
from .errors import CallError, NotRecorded
from .hops import addressed
from .model import Model, Wrapper, conversation
from .policy import Question
from .records import FAILED, Call, Cost, Message, Request, Response, Usage
from .task import Task

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Content = str | tuple[Mapping[str, Any], ...]

_SAMPLE = 50  # missing calls that are priced one by one; more change their mean little


@dataclass(slots=True)
class Missing:
    """Calls of one model that nobody recorded: how many, and what some of them would cost."""

    calls: int = 0
    costs: list[Decimal | None] = field(default_factory=list)

    def price(self) -> Decimal | None:
        """USD for all of them, by the mean of those that were priced; None where a price is unknown."""
        known = [float(cost) for cost in self.costs if cost is not None]
        if len(known) < len(self.costs) or not known:
            return None
        return Decimal(str(fmean(known))) * self.calls


class Answers:
    """What each model of a comparison answered to each item and repeat.

    Attributes:
        items: positions in the task of the items every model has a row for, (n,).
        rows: label -> (n, repeats) rows of the frame, -1 where there is none.
        score, cost, latency: of each row of the frame; NaN where unknown.
        fate: of each row: 0 answered, 1 failed and another may be asked, 2 failed for all, 3 not recorded.
        missing: label -> what was asked and not found.
    """

    def __init__(
        self, task: Task, frame: pd.DataFrame, labels: Sequence[str], *, defaults: dict[str, Request]
    ) -> None:
        self.task, self.labels, self.defaults = task, list(labels), defaults
        self.score, self.cost, self.latency = (
            pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
            for name in ("score", "cost", "latency")
        )
        self.simulated = bool((frame["simulated"] == True).any())  # noqa: E712 - the column holds None too
        self.fate = _fates(frame)
        self.items, self.rows = _grid(task, frame, self.labels)
        self.repeats = next(iter(self.rows.values())).shape[1]
        self.missing: dict[str, Missing] = defaultdict(Missing)
        self._columns = {name: frame[name].tolist() for name in _KEPT if name in frame}
        self._responses: dict[int, Response] = {}
        self._places: dict[str, list[int]] = defaultdict(list)
        for place in range(len(self.items)):
            self._places[_mark(self._content(place))].append(place)
        settings = ({} if task.system is None else {"system": task.system}) | dict(task.settings)
        self._blank = _Blank().request("-", **settings)
        self._requests: dict[tuple[int, int], Request] = {}
        self._questions: dict[tuple[int, int, int], Question] = {}
        self.now = 0

    def request(self, place: int, repeat: int = 0) -> Request:
        """What a policy is asked about an item, as ``compare`` asks it."""
        if (place, repeat) not in self._requests:
            turn = (Message("user", self._content(place)),)
            self._requests[place, repeat] = replace(self._blank, messages=turn, repeat=repeat)
        return self._requests[place, repeat]

    def question(self, model: Model, place: int, repeat: int) -> Question:
        """The item as it is put to a model, for checks of its answer."""
        key = (id(model), place, repeat)
        if key not in self._questions:
            asked = addressed(self.request(place, repeat), model)
            self._questions[key] = Question.of(asked, model)
        return self._questions[key]

    def response(self, row: int) -> Response:
        """The answer of a row, as far as the frame keeps it."""
        if row not in self._responses:
            self._responses[row] = self._made(row)
        return self._responses[row]

    def error(self, row: int) -> CallError:
        """The error a row holds, as it was raised."""
        kind, _, words = str(self._columns["error"][row]).partition(": ")
        found = getattr(errors, kind, None)
        if isinstance(found, type) and issubclass(found, CallError):
            return found(words)
        return errors.Busy(f"{kind}: {words}")

    def find(self, label: str, request: Request, model: Model) -> int | None:
        """The row that answers just this request; None where prompt or settings were other ones."""
        if len(request.messages) != 1:
            return None
        places = self._places.get(_mark(request.messages[0].content), ())
        if not places or request.repeat >= self.repeats:
            return None
        if request.content() != self._asked(label, request, model).content():
            return None
        place = self.now if self.now in places else places[0]
        row = int(self.rows[label][place, request.repeat])
        return None if row < 0 or self.fate[row] == 3 else row

    def same_settings(self, label: str, model: Model) -> bool:
        """Whether a model would be asked as the one of that label was."""
        request = self.request(0)
        return addressed(request, model).content() == self._asked(label, request, model).content()

    def lack(self, label: str, model: Model, request: Request, *, calls: int = 1) -> None:
        """Note calls that nobody recorded."""
        entry = self.missing[label]
        entry.calls += calls
        if len(entry.costs) < _SAMPLE:
            entry.costs.append(self._price(label, model, request))

    def _content(self, place: int) -> Content:
        return conversation(self.task.asked(int(self.items[place])))[0].content

    def _asked(self, label: str, request: Request, model: Model) -> Request:
        blank = replace(self._blank, messages=request.messages, repeat=request.repeat)
        base = self.defaults.get(label)
        return addressed(blank, model if base is None else _Blank(base))

    def _price(self, label: str, model: Model, request: Request) -> Decimal | None:
        costs = self.cost[self.rows[label].ravel()] if label in self.rows else np.array([])
        costs = costs[~np.isnan(costs)]
        answer = self._columns["answer"][int(self.rows[self.labels[0]][self.now, 0])]
        expected = model.estimate(request, str(answer or "")).expected
        if expected is None and len(costs):
            return Decimal(str(costs.mean()))
        return expected

    def _made(self, row: int) -> Response:
        cell = {name: values[row] for name, values in self._columns.items()}
        cost, latency = float(self.cost[row]), float(self.latency[row])
        tokens = (cell.get("input_tokens"), cell.get("output_tokens"))
        known = all(isinstance(n, int | float) and not isnan(n) for n in tokens)
        return Response(
            str(cell.get("answer") or ""),
            str(cell.get("served") or cell["model"]),
            outcome=cell.get("outcome") or "ok",
            usage=Usage(input=int(tokens[0] or 0), output=int(tokens[1] or 0)) if known else None,
            cost=Cost(None, note="not known") if isnan(cost) else Cost(Decimal(str(cost))),
            latency=None if isnan(latency) else latency,
            origin="replay",
            simulated=cell.get("simulated") is True,
            response_id=f"row {row}",
        )


class Replayed(Wrapper):
    """Stands for a model while a policy is replayed: what it was not asked then, it does not answer.

    Calls of other kinds, such as a judge's, are looked for in the model's own recordings; nothing is sent.
    """

    def __init__(self, model: Model, answers: Answers) -> None:
        super().__init__(model)
        self.answers = answers

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Yield what was recorded. Raises ``NotRecorded``, and notes what it was."""
        row = self.answers.find(self.label, request, self.model) if self.label in self.answers.rows else None
        if row is not None:
            return (yield from self._row(row))
        if self.model.journal is not None:
            call = replace(request.call or Call(), recorded=True)
            try:
                return (yield from self.model.run(request.with_call(call)))
            except NotRecorded:
                pass
        self.answers.lack(self.label, self.model, request)
        raise NotRecorded(f"no answer of {self.label} to this request is recorded")

    def _row(self, row: int) -> Generator[str, None, Response]:
        if self.answers.fate[row]:
            raise self.answers.error(row)
        response = self.answers.response(row)
        if response.text:
            yield response.text
        return response


class _Blank(Model):
    """Makes requests as models of models do: with no settings of its own."""

    name = label = "blank"

    def __init__(self, defaults: Request | None = None) -> None:
        self.defaults = defaults or Request()

    def run(self, request: Request) -> Generator[str, None, Response]:
        raise NotRecorded("this model only makes requests")
        yield ""


_KEPT = ("model", "answer", "outcome", "served", "simulated", "error", "input_tokens", "output_tokens")


def _mark(content: Content) -> str:
    """What a message is looked up by: its text, or a digest of its parts."""
    if isinstance(content, str):
        return content
    text = json.dumps(content, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fates(frame: pd.DataFrame) -> Ints:
    fates = np.zeros(len(frame), dtype=np.int64)
    failed = np.flatnonzero(frame["outcome"].isin(list(FAILED)).to_numpy())
    told = frame["error"].tolist() if "error" in frame else [None] * len(frame)
    for row in failed:
        kind = getattr(errors, str(told[row]).partition(":")[0], None)
        verdict = getattr(kind, "verdict", "busy")
        fates[row] = 3 if kind is NotRecorded else 2 if verdict in ("stop", "partial") else 1
    return fates


def _grid(task: Task, frame: pd.DataFrame, labels: Sequence[str]) -> tuple[Ints, dict[str, Ints]]:
    """The items that every model has rows for, and where they are."""
    places = {item: place for place, item in enumerate(task.ids)}
    item = frame["item"].map(places).to_numpy(dtype=float)
    repeat, model = frame["repeat"].to_numpy(dtype=np.int64), frame["model"].to_numpy()
    shape = (len(task), int(repeat.max()) + 1)
    rows = {}
    for label in labels:
        mine = np.flatnonzero((model == label) & ~np.isnan(item))
        rows[label] = np.full(shape, -1, dtype=np.int64)
        rows[label][item[mine].astype(np.int64), repeat[mine]] = mine
    have = np.all([rows[label][:, 0] >= 0 for label in labels], axis=0)
    return np.flatnonzero(have), {label: grid[have] for label, grid in rows.items()}
