"""What grading gives: a Grade with its reason, a Grader that gives one, and one answer graded safely."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from .errors import BudgetExceeded, Refused, Stopped, UsageError
from .records import Call

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Grade:
    """A score, what was read out of the answer (None if nothing could be), and why it got that score.

    Attributes:
        score: 1.0 is right, 0.0 wrong, between them partly right; NaN is ungraded.
        cost: USD that grading took, 0 unless a model was asked; None is unknown.
    """

    score: float
    extracted: str | None = None
    explanation: str = ""
    cost: Decimal | None = Decimal(0)


@dataclass(frozen=True, slots=True)
class Grader:
    """A named way to grade. Call it with an answer's text and its item.

    Attributes:
        kind: its name in task.toml.
        choices: the labels it knows, if it chooses among labels.
        check: raises ``TaskError`` for a target it could never find right; None if any text will do.
        asks: it asks a model; ``grade`` then takes the ``Call`` that its question travels with, too.
        rubric: what a model that grades goes by, to be read or given to another judge; "" for code.
    """

    kind: str
    grade: Callable[..., Grade]
    choices: tuple[str, ...] = ()
    check: Callable[[Any], None] | None = None
    asks: bool = False
    rubric: str = ""

    def __call__(self, answer: str, item: Item, *, call: Call | None = None) -> Grade:
        """Grade one answer. ``call`` holds the budgets that a model asked for its judgement is held to."""
        return self.grade(answer, item, call) if self.asks else self.grade(answer, item)


def grade_with(grader: Callable[..., Any], answer: str, item: Item, *, call: Call | None = None) -> Grade:
    """Grade with a ``Grader`` or any function of (answer, item) that returns a bool, a number or a Grade.

    A grader that raises, or returns something else, leaves the answer ungraded: NaN, with the reason. Only
    what ends a whole run is raised: a ceiling that is reached, a key or model of no use.
    """
    asks = isinstance(grader, Grader) and grader.asks
    try:
        result = grader(answer, item, call=call) if asks else grader(answer, item)
        return result if isinstance(result, Grade) else _grade_of(result)
    except (BudgetExceeded, Refused, Stopped):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's own; one answer must not end the run
        why = f"the grader raised {type(error).__name__}: {error}"
        return Grade(math.nan, None, why, None if asks else Decimal(0))


def fold(text: str) -> str:
    """Casefolded, width-normalised, white space joined, without quotes, emphasis and closing marks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(" \t.!,;\"'`*_“”‘’«»()[]")


def needs(package: str, module: str, what: str) -> None:
    """Raise ``UsageError`` where an optional package is not installed."""
    if find_spec(module) is None:
        raise UsageError(
            f"{what} needs the package {package}, which is not installed; pip install 'llmkit[graders]'"
        )


def _grade_of(result: Any) -> Grade:
    if not (isinstance(result, bool | int | float) or hasattr(result, "__float__")):
        return Grade(
            math.nan, None, f"the grader returned {result!r}; it should return a bool, number or Grade"
        )
    score = float(result)
    if math.isinf(score):
        return Grade(math.nan, None, "the grader returned an infinite score; it should be finite")
    return Grade(score)
