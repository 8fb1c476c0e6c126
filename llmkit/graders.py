"""All ways to grade: (answer, item) -> a grade.

An item is a mapping of the task's columns in which ``"target"`` holds what counts as right. A score is
1.0 for right and 0.0 for wrong, anything between for partly right, and NaN for an answer nobody could grade.
Any function of (answer, item) that returns a bool, a number or a ``Grade`` is a grader as well.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import TaskError
from .graders_facts import facts
from .graders_json import date, json_fields, json_schema, read_date, read_json
from .graders_math import math_equal, read_boxed
from .graders_overlap import bleu, chrf, rouge, set_f1, squad_exact, token_f1
from .graders_text import choice, contains, exact, number, read_number, regex
from .grades import Grade, Grader, Item, grade_with

if TYPE_CHECKING:
    from .graders_code import code, read_code
    from .graders_judge import PositionBias, Vote, judge, pairwise, position_bias

_LATER = {
    "graders_code": ("code", "read_code"),
    "graders_judge": ("PositionBias", "Vote", "judge", "pairwise", "position_bias"),
}
_HOME = {name: room for room, names in _LATER.items() for name in names}

__all__ = [
    "Grade",
    "Grader",
    "Item",
    "PositionBias",
    "Vote",
    "bleu",
    "choice",
    "chrf",
    "code",
    "contains",
    "date",
    "exact",
    "facts",
    "from_table",
    "grade_with",
    "json_fields",
    "json_schema",
    "judge",
    "math_equal",
    "number",
    "pairwise",
    "position_bias",
    "read_boxed",
    "read_code",
    "read_date",
    "read_json",
    "read_number",
    "regex",
    "rouge",
    "set_f1",
    "squad_exact",
    "token_f1",
]


def from_table(table: Mapping[str, Any]) -> Grader:
    """The grader a task.toml describes: ``kind`` and its arguments. Raises ``TaskError`` if it cannot.

    The kinds are the graders of this room. ``pairwise`` holds an answer against its target, and the
    ``fields`` of ``json_fields`` are tables of the same form, one a field.
    """
    options = dict(table)
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise TaskError(f"[grade] kind is {kind!r}; it is one of {', '.join(_KINDS)}")
    make: Callable[..., Grader] = _MAKERS.get(kind) or globals().get(kind) or __getattr__(kind)
    try:
        return make(**options)
    except TypeError as error:
        raise TaskError(f"[grade] of kind {kind!r}: {error}") from None


def _choice(choices: Any) -> Grader:
    return choice(choices)


def _json_fields(*, fields: Mapping[str, Mapping[str, Any]] | None = None, **options: Any) -> Grader:
    return json_fields({name: from_table(one) for name, one in (fields or {}).items()}, **options)


def _pairwise(*, model: str, rubric: str, **options: Any) -> Grader:
    from .graders_judge import pairwise

    return pairwise(model, rubric=rubric, **options).against_target()


_KINDS = (
    *("bleu", "choice", "chrf", "code", "contains", "date", "exact", "facts", "json_fields"),
    *("json_schema", "judge", "math_equal", "number", "pairwise", "regex", "rouge", "set_f1"),
    *("squad_exact", "token_f1"),
)
_MAKERS: Mapping[str, Callable[..., Grader]] = {
    "choice": _choice,
    "json_fields": _json_fields,
    "pairwise": _pairwise,
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"llmkit.graders has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __package__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
