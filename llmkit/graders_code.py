"""Grade code by running it: the answer's code in the sandbox, against the tests its item holds."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

from . import sandbox, sandbox_tests
from .errors import SandboxUnavailable, TaskError
from .grades import Grade, Grader, Item

_BLOCK = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_PYTHON = ("", "py", "python", "python3")


def code(
    *,
    function: str = "entry_point",
    preamble: str | None = None,
    setup: str | None = None,
    isolation: sandbox.Isolation = "auto",
    seconds: float = 5.0,
) -> Grader:
    """The answer's code passes the tests in the target: a ``check(candidate)``, or asserts in a text or list.

    What is extracted is the code; the explanation is the first failing case and what held the code. Where no
    sandbox can be had, or its limits leave nothing to conclude, the answer stays ungraded (NaN).

    Args:
        function: the column with the name of the function that is asked for. An item without that column is
            about the first function its asserts call.
        preamble: the column with source that answer and tests build on, such as HumanEval's prompt.
        setup: the column with source that runs between the answer and its tests.
        isolation: see ``sandbox.run``.
        seconds: for all tests of one answer.
    """

    grade = partial(
        _grade, function=function, preamble=preamble, setup=setup, isolation=isolation, seconds=seconds
    )
    return Grader("code", grade, check=_check)


def read_code(answer: str, *, function: str | None = None) -> str:
    """The code in an answer: its last Python block that defines ``function``, else its last, else all of it.

    A block that was cut off before its end counts. The whole answer keeps its indentation: it may be a body.
    """
    blocks = [match[3] for match in _BLOCK.finditer(answer) if match[2].lower() in _PYTHON]
    if not blocks:
        return answer.strip("\n")
    defines = (
        re.compile(rf"^\s*(?:async\s+)?def\s+{re.escape(function)}\b", re.MULTILINE) if function else None
    )
    fitting = [block for block in blocks if defines and defines.search(block)]
    return (fitting or blocks)[-1]


def _grade(
    answer: str,
    item: Item,
    *,
    function: str,
    preamble: str | None,
    setup: str | None,
    isolation: sandbox.Isolation,
    seconds: float,
) -> Grade:
    name = item.get(function)
    name = name if isinstance(name, str) and name else None
    found = read_code(answer, function=name)
    if not found.strip():
        return Grade(0.0, None, "no code in the answer")
    try:
        outcome = sandbox.check(
            found,
            _tests(item["target"]),
            function=name,
            preamble=_text(item, preamble),
            setup=_text(item, setup),
            isolation=isolation,
            seconds=seconds,
        )
    except SandboxUnavailable as error:
        return Grade(math.nan, found, str(error))
    score = math.nan if outcome.passed is None else float(outcome.passed)
    return Grade(score, found, f"{outcome.failure or 'passes every test'} [{outcome.isolation}]")


def _tests(target: Any) -> str | list[str]:
    return target if isinstance(target, str) else [str(one) for one in target]


def _text(item: Item, column: str | None) -> str:
    value = item.get(column) if column else None
    return value if isinstance(value, str) else ""


def _check(target: Any) -> None:
    if isinstance(target, str):
        source = target
    elif isinstance(target, list | tuple) and all(isinstance(one, str) for one in target):
        source = "\n".join(target)
    else:
        raise TaskError(f"the tests are {target!r}; give their source as a text, or a list of asserts")
    try:
        sandbox_tests.parsed(source)
    except (SyntaxError, ValueError) as error:
        raise TaskError(f"the tests are no Python: {error}") from None
    if "assert" not in source:
        raise TaskError("the tests assert nothing, so any code would pass")
