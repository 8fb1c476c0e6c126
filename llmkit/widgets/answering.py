"""The answers an arena needs and nobody has asked for yet: an estimate, a budget, Ask, Stop and a bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import nan
from typing import Any

import ipywidgets
import pandas as pd

from ..compare import compare
from ..comparison import Comparison
from ..errors import Interrupted, UsageError
from ..grades import Grade
from ..model import Model
from ..plan import plan
from ..progress import Timed, shown_by
from ..task import Task
from ..workers import Cancel
from . import fields, shown
from .panel import Panel


def task_of(items: Task | Sequence[str]) -> Task:
    """A task as it is; prompts as a task that grades nothing, since people will."""
    if isinstance(items, Task):
        if not len(items):
            raise UsageError("the task has no rows, so there is nothing to ask")
        return items
    if isinstance(items, str | pd.DataFrame) or not all(isinstance(item, str) for item in items):
        raise UsageError("give a task or a list of prompts: kit.widgets.arena([sonnet, opus], task)")
    if not items:
        raise UsageError("the list of prompts is empty, so there is nothing to ask")
    rehearsed = {
        str(n): {
            "right": [f"A made-up answer to: {text}", f"Made up in other words: {text}"],
            "wrong": [f"Another, made up too, to: {text}"],
        }
        for n, text in enumerate(items)
    }
    rows = [{"prompt": text, "target": ""} for text in items]
    return Task(rows, prompt="{prompt}", target="target", grade=_ungraded, name="prompts", answers=rehearsed)


def _ungraded(answer: str, item: Any) -> Grade:
    return Grade(nan, None, "for people to vote on")


class Answering:
    """Asks all models all items, once Ask is pressed; run again it goes on from what is recorded.

    Args:
        then: is given the comparison.

    Attributes:
        box: the widgets.
        words: how far it is, as a text.
    """

    def __init__(
        self, panel: Panel, task: Task, models: Sequence[Model], then: Callable[[Comparison], None]
    ) -> None:
        self._panel, self._task, self._models, self._then = panel, task, list(models), then
        self._cancel: Cancel | None = None
        self.words = ""
        self.budget = fields.line("Budget in USD", hint="none")
        self.go, self.halt = fields.button("Ask", main=True), fields.button("Stop")
        self.halt.disabled = True
        self.bar = ipywidgets.IntProgress(
            value=0, max=1, description="Done", layout={"width": "320px", "max_width": "100%"}
        )
        self.estimated, self.far = shown.html(), shown.html()
        row = fields.row(self.budget, self.go, self.halt, self.bar, self.far)
        self.box = ipywidgets.VBox([self.estimated, row])
        panel.on(self.go, self._begin)
        # At once, on whatever thread: a stop must not wait behind other work.
        self.halt.on_click(lambda _: self.stop())
        panel.submit(self._estimate)

    def stop(self) -> None:
        """End it as Interrupt does: what is answered is kept."""
        with self._panel.lock:
            cancel = self._cancel
        if cancel is not None:
            cancel.set()

    def _estimate(self) -> None:
        words = plan(self._task, self._models).sentence().split(". ")[0].removesuffix(".")
        self.estimated.value = shown.note(f"Before sending: {words}. What is recorded is not paid again.")

    def _begin(self) -> None:
        with self._panel.lock:
            if self._cancel is not None:
                raise UsageError("answers are under way; stop them first")
            self._cancel = Cancel()
        self.go.disabled, self.halt.disabled = True, False
        self._panel.say("Asking ...")
        self._panel.start(partial(self._through, self._cancel))

    def _through(self, cancel: Cancel) -> None:
        budget = self.budget.value.strip().removeprefix("$") or None
        try:
            with cancel.ends(), shown_by(self._display):
                found = compare(self._task, self._models, budget=budget)
            self._panel.submit(partial(self._then, found))
        except Interrupted as stopped:
            self._panel.say(str(stopped)[:1].upper() + str(stopped)[1:])
        except Exception as error:  # noqa: BLE001 - a panel tells
            self._panel.tell(error)
        finally:
            with self._panel.lock:
                self._cancel = None
            self.go.description = "Go on"
            self.go.disabled, self.halt.disabled = False, True

    def _display(self, total: int, **how: Any) -> _Shown:
        return _Shown(self, total, how["simulated"], words=how.get("words"))


class _Shown(Timed):
    """The run as the panel shows it."""

    def __init__(
        self, answering: Answering, total: int, simulated: bool, *, words: Callable[..., str] | None
    ) -> None:
        super().__init__(total, simulated, words=words)
        self._answering = answering
        answering.bar.max, answering.bar.value = max(1, total), 0

    def _show(self) -> None:
        self._answering.words = self._text()
        self._answering.bar.value = self._last["done"]
        self._answering.far.value = shown.note(self._answering.words)
