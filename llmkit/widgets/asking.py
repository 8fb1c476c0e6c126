"""What a playground asks, and what came of it: a question, its answers, and a frame of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..model import Model, Stream
from ..parts import Part
from ..records import Call, Response
from ..scope import Scope

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("run", "model", "prompt", "text", "outcome", "input_tokens", "output_tokens", "cost", "latency"),
    *("first_token", "tokens_per_second", "origin", "simulated", "error"),
)

STOPPED = "stopped; what was asked is booked at what it may have cost"


@dataclass(frozen=True, slots=True)
class Picture:
    """An uploaded picture: its file's name, its bytes, and the part they make."""

    name: str
    data: bytes
    part: Part


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, as the fields had it.

    Attributes:
        template: the prompt as typed; ``prompt`` is the text it makes.
        row: the row of the task it was filled from, or None.
        effort, thinking, max_tokens: None leaves each model its own.
        repeat: which independent draw; the same draw again is a replay and costs nothing.
    """

    template: str
    prompt: str
    row: int | None = None
    system: str = ""
    effort: str | None = None
    thinking: str | None = None
    max_tokens: int | None = None
    repeat: int = 0
    pictures: tuple[Picture, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """What is given to every model."""
        values: dict[str, Any] = {"system": self.system} if self.system.strip() else {}
        for name in ("effort", "thinking", "max_tokens"):
            value = getattr(self, name)
            values |= {} if value is None else {name: value}
        return values | ({"repeat": self.repeat} if self.repeat else {})

    @property
    def content(self) -> Any:
        """What a model is called with."""
        parts = [picture.part for picture in self.pictures]
        return [*parts, self.prompt] if parts else self.prompt

    def ask(self, model: Model, scope: Scope, stopped: Callable[[float], bool]) -> Stream:
        """The stream of one model's answer; ``stopped`` ends its waits."""
        request = replace(model.request(self.content, **self.settings), stream=True)
        call = Call(budgets=scope.budgets, label=scope.label, stopped=stopped)
        return Stream(model.run(request.with_call(call)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model answered; ``response`` is None where it failed or was stopped, as ``error`` says."""

    label: str
    text: str = ""
    response: Response | None = None
    error: str = ""

    @property
    def stopped(self) -> bool:
        """Whether it was left before its end."""
        return self.response is None and self.error == STOPPED

    def words(self) -> str:
        """The line below it."""
        return figures(self.response) if self.response is not None else self.error


@dataclass(frozen=True, slots=True)
class Run:
    """One question and what each model made of it, in the order of the panes; ``picks`` are the models."""

    question: Question
    picks: tuple[Model | str, ...]
    answers: tuple[Answer, ...]


def max_tokens(text: str) -> int | None:
    """The number typed, or None for an empty field. Raises ``UsageError`` for what is no number above 0."""
    typed = text.strip().replace(",", "").replace("_", "")
    if not typed:
        return None
    if not typed.isdecimal() or int(typed) < 1:
        raise UsageError(
            f"max tokens is {text!r}; give a whole number of at least 1, or nothing for each model's own"
        )
    return int(typed)


def rate(response: Response) -> float | None:
    """Tokens of the answer's text a second, from the first one on; None where it is not known."""
    usage, begun, whole = response.usage, response.first_token, response.latency
    if usage is None or begun is None or whole is None or whole <= begun:
        return None
    shown = usage.output - (usage.thinking or 0)
    return shown / (whole - begun) if shown > 0 else None


def figures(response: Response) -> str:
    """One line below an answer: tokens, dollars, time to the first token, tokens a second, origin."""
    usage, total, each = response.usage, response.cost.total, rate(response)
    parts = [f"{usage.prompt:,} tokens in, {usage.output:,} out" if usage else "tokens unknown"]
    parts.append(f"${total.normalize():f}" if total is not None else "cost unknown")
    begun = response.first_token
    parts.append("first token unknown" if begun is None else f"first token after {begun:.1f} s")
    parts.append("tokens/s unknown" if each is None else f"{each:.0f} tokens/s")
    parts += ["SIMULATED"] * response.simulated
    parts += ["from the recordings, nothing paid"] * response.cached
    parts += [] if response.outcome == "ok" else [response.outcome]
    return " · ".join(parts)


def frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run and model."""
    import pandas as pd

    rows = [_row(number, run, answer) for number, run in enumerate(runs, start=1) for answer in run.answers]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(number: int, run: Run, answer: Answer) -> dict[str, Any]:
    row = {"run": number, "model": answer.label, "prompt": run.question.prompt, "text": answer.text}
    response = answer.response
    if response is None:
        return row | {"outcome": "stopped" if answer.stopped else "error", "error": answer.error}
    usage, total = response.usage, response.cost.total
    return row | {
        "outcome": response.outcome,
        "input_tokens": usage.prompt if usage else None,
        "output_tokens": usage.output if usage else None,
        "cost": None if total is None else float(total),
        "latency": response.latency,
        "first_token": response.first_token,
        "tokens_per_second": rate(response),
        "origin": response.origin,
        "simulated": response.simulated,
    }
