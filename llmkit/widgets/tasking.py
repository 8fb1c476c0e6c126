"""What was tried in a playground as a task: prompts with what counts as right, and a grader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from .. import graders
from ..errors import UsageError
from ..task import Task
from . import cells, fields
from .asking import Question
from .panel import Panel

_GRADERS = [
    ("the answer is the target", "exact"),
    ("the target occurs in the answer", "contains"),
    ("the same number", "number"),
    ("the same day", "date"),
    ("shared words (F1)", "token_f1"),
]


class Tasking:
    """Adds the question in the fields to a task, with a target; the code shown makes the same task.

    Args:
        question: what the fields say now.
        show: is given the code.

    Attributes:
        box: the widgets.
        items: what the task is made of so far.
    """

    def __init__(self, panel: Panel, question: Callable[[], Question], show: Callable[[str], None]) -> None:
        self._panel, self._question, self._show = panel, question, show
        self.items: list[dict[str, str]] = []
        self._task: Task | None = None
        self.target = fields.line("Target", hint="what counts as right")
        self.grader = fields.choice("Graded by", _GRADERS, "contains")
        self.make = fields.button("Make this a task")
        self.box: ipywidgets.Box = fields.row(self.target, self.grader, self.make)
        panel.on(self.make, self.add)

    @property
    def task(self) -> Task:
        """The task. Raises ``UsageError`` before there is one."""
        if self._task is None:
            raise UsageError('no task was made yet; write a target and press "Make this a task"')
        return self._task

    def add(self) -> None:
        """Add the question to the task, or give one that is in it another target."""
        question, target = self._question(), self.target.value.strip()
        if not target:
            raise UsageError("a task needs to know what counts as right; write it into Target")
        if question.pictures:
            raise UsageError("a task's prompt is a text; remove the pictures, or write the task as code")
        kept = [item for item in self.items if item["prompt"] != question.prompt]
        items = [*kept, {"prompt": question.prompt, "target": target}]
        settings = {name: value for name, value in question.settings.items() if name != "repeat"}
        self._task = _made(items, self.grader.value, dict(settings))
        self.items = items
        self._show(cells.task(items, self.grader.value, settings))
        self._panel.say(
            f"The task has {len(items)} item{'s' * (len(items) > 1)}: it is the panel's .task, and the code "
            "below makes it; kit.compare takes it",
            kind="good",
        )


def _made(items: list[dict[str, str]], grade: str, settings: dict[str, Any]) -> Task:
    system = settings.pop("system", None)
    return Task(
        items,
        prompt="{prompt}",
        target="target",
        grade=getattr(graders, grade)(),
        system=system,
        settings=settings,
        name="playground",
    )
