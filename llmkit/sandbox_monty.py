"""Model-written code in pydantic-monty: a small Python of its own, with no system to reach.

It knows less than Python. What it does not know leaves the code ungraded, never wrong.
"""

from __future__ import annotations

import ast
import importlib.util
import time
from collections.abc import Sequence
from typing import Any

from .errors import SandboxUnavailable
from .sandbox_tests import parsed
from .sandbox_values import Call, Foreign, Ran, Result

NAME = "monty"
_MEMORY = 512 * (1 << 20)
_MAYBE_MONTYS = (
    "NotImplementedError",
    "ModuleNotFoundError",
    "ImportError",
    "NameError",
    "AttributeError",
    "TypeError",
    "MontyCrashedError",
    "MontyConversionError",
    "MontyTypingError",
)


def is_installed() -> bool:
    """Whether pydantic-monty can be imported."""
    return importlib.util.find_spec("pydantic_monty") is not None


def require() -> None:
    """Raise ``SandboxUnavailable`` unless pydantic-monty is installed."""
    if not is_installed():
        raise SandboxUnavailable(
            'isolation="monty" needs the package pydantic-monty; pip install pydantic-monty'
        )


def run(code: str, calls: Sequence[Call], *, seconds: float) -> Ran:
    """Run ``code``, then each call; ``ungradable`` if anything met may be monty's lack and not the code's."""
    import pydantic_monty as monty

    began, results = time.monotonic(), []
    limits = {"max_feed_duration_secs": seconds, "max_memory": _MEMORY}
    ungradable, printed = "", monty.CollectString()
    try:
        with monty.Monty() as pool, pool.checkout(limits=limits) as session:
            session.feed_run(code, print_callback=printed)
            for call in calls:
                left = began + seconds - time.monotonic()
                results.append(_called(session, call, printed) if left > 0 else _LATE)
    except monty.MontyError as error:
        results += [Result(error=f"the code stops at once: {_words(error)}")] * (len(calls) - len(results))
        ungradable = _lack(error, code)
    ungradable = ungradable or next((one.error for one in results if one.error.startswith(_LACKS)), "")
    past = time.monotonic() - began
    doubtful = f"{_LACKS}: it orders sets in a way of its own" if _uses_sets(code) else ""
    return Ran(tuple(results), NAME, ungradable, doubtful, "", printed.output[-2000:], past)


def _called(session: Any, call: Call, printed: Any) -> Result:
    import pydantic_monty as monty

    source, inputs = (
        (call, {}) if isinstance(call, str) else (f"{call[0]}(*given_)", {"given_": list(call[1])})
    )
    try:
        value = session.feed_run(source, inputs=inputs, print_callback=printed)
    except monty.MontyError as error:
        return Result(error=_lack(error, source) or f"raised {_words(error)}")
    return Result(Foreign(value.name) if isinstance(value, monty.MontyClassProxy) else value)


_LATE = Result(error="did not answer: it ran out of time")
_LACKS = "monty, which knows less than Python, cannot tell"


def _lack(error: Exception, source: str) -> str:
    """Why an error may be monty's and not the code's, or ""."""
    words = _words(error)
    if type(error).__name__ == "MontySyntaxError":
        return f"{_LACKS}: {words}" if _parses(source) else ""
    maybe = words.startswith(_MAYBE_MONTYS) or type(error).__name__ in _MAYBE_MONTYS
    return f"{_LACKS}: {words}" if maybe else ""


def _parses(source: str) -> bool:
    return bool(_nodes(source)) or not source.strip()


def _uses_sets(source: str) -> bool:
    named = [node.id for node in _nodes(source) if isinstance(node, ast.Name)]
    literal = any(isinstance(node, ast.Set | ast.SetComp) for node in _nodes(source))
    return literal or "set" in named or "frozenset" in named


def _nodes(source: str) -> list[ast.AST]:
    try:
        return list(ast.walk(parsed(source)))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []


def _words(error: Exception) -> str:
    return str(error)[:300] or type(error).__name__
