"""A prompt on several models at once: answers side by side as they stream in, and what each one cost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from .. import catalog, render
from ..errors import LLMKitError, UsageError
from ..model import Model
from ..records import Response
from ..scope import here
from ..session import Session, current
from ..settings import EFFORTS
from ..task import Task, fill
from . import cells, fields, money, picker, shown
from .asking import Answer, Question, Run, frame, max_tokens
from .column import Column, Turn
from .panel import Panel
from .pictures import Pictures
from .tasking import Tasking

if TYPE_CHECKING:
    import pandas as pd

MOST_PANES = 6
_NOWHERE = -1
_OWN = ("model's own", "")
_THINKING = [_OWN, ("adaptive", "adaptive"), ("off", "disabled"), ("between tools", "between_tools")]


def playground(models: Model | str | Sequence[Model | str] = (), *, task: Task | None = None) -> Playground:
    """A panel to try prompts in, on several models side by side.

        panel = kit.widgets.playground([sonnet, opus])
        panel                              # show it
        panel.responses                    # what the last run brought, a Response for each pane

    Args:
        models: models, or names as ``kit.model`` takes them; more can be picked in the panel.
        task: its prompt is the first one, and its columns in braces are filled from one of its rows.

    What cannot work is said in the panel, nothing is raised.
    """
    return Playground([models] if isinstance(models, Model | str) else list(models), task)


class Playground(Panel):
    """Made by ``kit.widgets.playground``.

    Attributes:
        runs: every question asked and what came of it, oldest first.
        columns: the panes, each with its model picker.
    """

    def __init__(self, models: Sequence[Model | str], task: Task | None = None) -> None:
        super().__init__("Playground")
        self.runs: list[Run] = []
        self.columns: list[Column] = []
        self._task = task
        self._turn: Turn | None = None
        self._still: Callable[[], None] = lambda: None
        self._scope = here().deeper(f"playground {uuid.uuid4().hex[:6]}")
        self._estimating = False
        self._shown = 0
        given = self._given(models)
        self._options = picker.options(given, self._session())
        self._build()
        self._connect()
        for model in given[:MOST_PANES]:
            self._add(model)
        self._lay_out()
        if not given and not self.said:
            self.say("no model was given; add a pane and pick one, or kit.widgets.playground([sonnet, opus])")
        self.submit(self._estimate)

    @property
    def responses(self) -> list[Response | None]:
        """What the last run brought, in the order of the panes; None where a call failed or was stopped."""
        return [answer.response for answer in self.runs[-1].answers] if self.runs else []

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each run and model: tokens, USD, seconds, the text, and what went wrong."""
        return frame(self.runs)

    @property
    def task(self) -> Task:
        """The task made here. Raises ``UsageError`` before "Make this a task" was pressed."""
        return self.tasking.task

    def run(self) -> None:
        """Ask, as the button does."""
        self.submit(self._run)

    def stop(self) -> None:
        """Leave the answers under way; what was asked is booked."""
        turn = self._turn
        if turn is None:
            return
        turn.over.set()
        for index, column in enumerate(self.columns[: len(turn.answers)]):
            column.leave(turn, index)

    def question(self) -> Question:
        """What the fields say. Raises ``UsageError`` or ``TaskError`` for what cannot be asked."""
        template, row = self.prompt.value, None
        if self._task is not None and isinstance(self._task.prompt, str):
            if not len(self._task):
                raise UsageError("the task has no rows, so there is nothing to fill its prompt from")
            row = int(self.row.value)
            prompt = fill(template, self._task.item(row))
        else:
            prompt = template
        if not prompt.strip():
            raise UsageError("the prompt is empty; write one")
        return Question(
            template,
            prompt,
            row=row,
            system=self.system.value,
            effort=self.effort.value or None,
            thinking=self.thinking.value or None,
            max_tokens=max_tokens(self.most.value),
            repeat=self.draw.value,
            pictures=self.pictures.read(),
        )

    def last_state(self) -> str:
        """Title, prompt, and the last answers with their figures."""
        parts = [shown.heading(self.title, self.mark)]
        if self.runs:
            run = self.runs[self._shown]
            parts += [
                render.sentence("Prompt", strong=True),
                render.plain(run.question.prompt[: shown.MOST_KEPT]),
            ]
            for answer in run.answers:
                parts += [render.sentence(answer.label, strong=True), shown.kept(answer.text)]
                parts.append(render.sentence(answer.words(), small=True))
        return "".join(parts) + (render.sentence(self.said) if self.said else "")

    def __repr__(self) -> str:
        return f"<Playground: {', '.join(column.label for column in self.columns) or 'no model'}>"

    def _given(self, models: Sequence[Model | str]) -> list[Model]:
        made: list[Model] = []
        for model in models:
            try:
                made.append(model if isinstance(model, Model) else catalog.model(str(model)))
            except LLMKitError as error:
                self.tell(error)
        return made

    def _session(self) -> Session | None:
        try:
            return current()
        except LLMKitError as error:
            self.tell(error)
            return None

    def _build(self) -> None:
        self.effort = fields.choice("Effort", [_OWN, *((level, level) for level in EFFORTS)])
        self.thinking = fields.choice("Thinking", _THINKING)
        self.most = fields.line("Max tokens", hint="model's own")
        self.draw = fields.number("Draw", 0, least=0, most=10_000)
        self.system = fields.area("System", self._task.system or "" if self._task else "", rows=2)
        self.prompt = fields.area("Prompt", self._first_prompt(), rows=5)
        self.row = fields.number("Row", 0, least=0, most=max(0, len(self._task) - 1 if self._task else 0))
        self.filled = shown.html()
        self.pictures = Pictures(self)
        self.tasking = Tasking(self, self.question, self._show_code)
        self.go, self.halt = fields.button("Run", main=True), fields.button("Stop")
        self.halt.disabled = True
        self.more, self.fewer = fields.button("Add a pane"), fields.button("Remove a pane")
        self.differences = fields.toggle("Differences")
        self.history = fields.choice("History", [("nothing asked yet", _NOWHERE)])
        self.estimated, self.spent, self.changes = shown.html(), shown.html(), shown.html()
        self.copy = fields.button("Copy as code")
        self.code = fields.area("Code", rows=8)
        self.panes = fields.columns()

    def _connect(self) -> None:
        self.on(self.go, self._run)
        # At once, on whatever thread: a stop must not wait behind other work.
        self.halt.on_click(lambda _: self._guarded(self.stop))
        self.on(self.more, partial(self._change_panes, 1))
        self.on(self.fewer, partial(self._change_panes, -1))
        self.on(self.differences, self._compare)
        self.on(self.history, self._go_back)
        self.on(self.copy, self._copy)
        for field in (self.prompt, self.system, self.effort, self.thinking, self.most, self.draw, self.row):
            field.observe(lambda _: self._estimate_soon(), names="value")

    def _lay_out(self) -> None:
        self.panes.children = [column.box for column in self.columns]
        task = [fields.row(self.row), self.filled] if self._task is not None else []
        code = [self.code] if self.code.value else []
        self.body.children = [
            fields.row(self.effort, self.thinking, self.most, self.draw),
            self.system,
            self.prompt,
            *task,
            self.pictures.box,
            fields.row(self.go, self.halt, self.more, self.fewer, self.differences, self.history),
            self.estimated,
            self.panes,
            self.changes,
            self.spent,
            self.tasking.box,
            fields.row(self.copy),
            *code,
        ]

    def _first_prompt(self) -> str:
        if self._task is None:
            return ""
        if not len(self._task):
            self.say("the task has no rows, so there is nothing to fill its prompt from", kind="error")
        if isinstance(self._task.prompt, str):
            return self._task.prompt
        return self._task.prompt_of(0) if len(self._task) else ""

    def _add(self, pick: Model | str) -> None:
        column = Column(self._options, pick)
        column.box.layout.flex, column.box.layout.width = "1 1 320px", "auto"
        column.box.layout.min_width = "min(320px, 100%)"
        column.picker.observe(lambda _: self._estimate_soon(), names="value")
        self.columns.append(column)

    def _change_panes(self, by: int) -> None:
        if self._turn is not None:
            raise UsageError("answers are under way; stop them first")
        if by < 0 and self.columns:
            self.columns.pop().box.close()
        elif by > 0:
            if len(self.columns) == MOST_PANES:
                raise UsageError(f"there are {MOST_PANES} panes, and that is the most")
            taken = {id(column.picker.value) for column in self.columns}
            picks = [pick for _, pick in self._options]
            if not picks:
                raise UsageError('nothing is connected; call kit.connect("offline") and make the panel anew')
            self._add(next((pick for pick in picks if id(pick) not in taken), picks[0]))
        self._lay_out()
        self._estimate()

    def _run(self) -> None:
        if self._turn is not None:
            raise UsageError("answers are under way; stop them first")
        if not self.columns:
            raise UsageError("there is no model; add a pane and pick one")
        picks = tuple(column.picker.value for column in self.columns)
        turn = Turn(self.question(), len(self.columns), partial(self._ended, picks))
        self._turn = turn
        self.go.disabled, self.halt.disabled = True, False
        self.changes.value = ""
        self.say(f"Asking {', '.join(column.label for column in self.columns)} ...")
        writers = [column.begin() for column in self.columns]
        self._still = self.stream(*(column.pane for column in self.columns))
        for index, (column, put) in enumerate(zip(self.columns, writers, strict=True)):
            self.start(partial(self._work, column, turn, index, put))

    def _work(self, column: Column, turn: Turn, index: int, put: Callable[[str], None]) -> None:
        column.work(turn, index, self._scope, put)
        if turn.over.is_set():  # what was left is booked only now
            self.submit(self._tell_spent)

    def _ended(self, picks: tuple[Model | str, ...], turn: Turn) -> None:
        self._still()
        answers = tuple(answer for answer in turn.answers if answer is not None)
        with self.lock:
            self.runs.append(Run(turn.question, picks, answers))
            self._shown, self._turn = len(self.runs) - 1, None
        self.submit(self._after)

    def _after(self) -> None:
        self.go.disabled, self.halt.disabled = False, True
        options = [(_line(number, run), number) for number, run in enumerate(self.runs)]
        self.history.options = [("go back to ...", _NOWHERE), *reversed(options)]
        self._say_how(self.runs[-1].answers)
        self._tell_spent()
        self._compare()
        self._estimate()
        self.keep()

    def _say_how(self, answers: Sequence[Answer]) -> None:
        stopped = sum(answer.stopped for answer in answers)
        failed = sum(answer.response is None for answer in answers) - stopped
        words = ["Stopped" if stopped else "Done"]
        words += [f"{failed} of {len(answers)} failed, as the pane says"] * bool(failed)
        known = [answer.response.cost.total for answer in answers if answer.response is not None]
        if known:
            total = sum((cost for cost in known if cost is not None), Decimal(0))
            words.append(f"these answers cost {money.dollars(total)}" + " or more" * (None in known))
        self.say("; ".join(words) + ".", kind="error" if failed == len(answers) else "")

    def _tell_spent(self) -> None:
        self.spent.value = shown.note(money.spent(self._scope))

    def _estimate_soon(self) -> None:
        with self.lock:
            if self._estimating:
                return
            self._estimating = True
        self.submit(self._estimate)

    def _estimate(self) -> None:
        with self.lock:
            self._estimating = False
        try:
            question = self.question()
            if question.row is not None:
                filled = render.plain(question.prompt)
                self.filled.value = shown.scrolled(filled, label="Filled prompt", height="8em")
            words = money.estimated(question, [column.model() for column in self.columns])
        except LLMKitError as error:
            words = f"No estimate: {error}"
        self.estimated.value = shown.note(words)

    def _compare(self) -> None:
        answers = self.runs[self._shown].answers if self.runs else ()
        if not self.differences.value or len(answers) < 2:
            self.changes.value = ""
            return
        first, parts = answers[0], []
        for other in answers[1:]:
            said = f"{first.label} struck out where {other.label}, underlined, differs"
            parts += [shown.note(said), render.difference(first.text, other.text)]
        self.changes.value = shown.scrolled("".join(parts), label="Differences")

    def _go_back(self) -> None:
        number = self.history.value
        if number in (None, _NOWHERE):
            return
        if self._turn is not None:
            raise UsageError("answers are under way; stop them first")
        run = self.runs[number]
        self._shown, question = number, run.question
        self.prompt.value, self.system.value, self.draw.value = (
            question.template,
            question.system,
            question.repeat,
        )
        self.effort.value, self.thinking.value = question.effort or "", question.thinking or ""
        self.most.value = "" if question.max_tokens is None else str(question.max_tokens)
        if question.row is not None:
            self.row.value = question.row
        self._show(run)
        self._compare()
        self.say(f"Back at run {number + 1}; nothing was asked.")
        self.keep()

    def _show(self, run: Run) -> None:
        for column in self.columns:
            column.box.close()
        self.columns = []
        for pick, answer in zip(run.picks, run.answers, strict=True):
            self._add(pick)
            self.columns[-1].show(answer)
        self._lay_out()

    def _copy(self) -> None:
        models = [column.model() for column in self.columns]
        if not models:
            raise UsageError("there is no model; add a pane and pick one")
        self._show_code(cells.asking(self.question(), models, current().folder("pictures")))
        self.say("The code below asks the same; what is recorded is not asked, nor paid, again.", kind="good")

    def _show_code(self, code: str) -> None:
        self.code.value = code
        self._lay_out()


def _line(number: int, run: Run) -> str:
    words = " ".join(run.question.prompt.split())
    cut = words if len(words) <= 50 else words[:49] + "…"
    return f"{number + 1}: {cut}"
