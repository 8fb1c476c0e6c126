"""A benchmark's asserts, split in two: the calls a sandbox makes, and what the host compares.

``assert abs(f(3) - 0.5) < 1e-6`` becomes the call ``f(3)`` and the condition ``abs(_0 - 0.5) < 1e-6``. Only
the call goes in. A test with loops or names of its own cannot be split, and is left to another process.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_SHAPING = {"list", "tuple", "set", "frozenset", "sorted", "dict", "len", "sum", "str", "int", "float"}
_CALLABLE: dict[str, Callable[..., Any]] = {
    name: getattr(builtins, name) for name in (*_SHAPING, "abs", "round", "min", "max", "bool", "any", "all")
}
_CALLABLE |= {"math.isclose": math.isclose, "math.fabs": math.fabs, "math.isnan": math.isnan}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
_NUMERIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_GREATEST_POWER = 64
_TRIES = 20


class NotSplit(Exception):
    """A test that cannot be split into calls and a condition; the text says what stands in the way."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One assert: its text, the calls it makes (Python source), and what is left of it."""

    text: str
    calls: tuple[str, ...]
    rest: ast.expr

    def holds(self, results: Sequence[Any]) -> bool:
        """Whether it is true of the calls' results; an error in it, as in Python, is a failure."""
        try:
            return bool(_value(self.rest, results))
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError):
            return False


def split(tests: str | Sequence[str], function: str) -> list[Condition]:
    """The conditions of a ``def check(candidate)`` or of plain asserts about ``function``.

    Raises ``NotSplit`` if any part of the tests is more than asserts about calls.
    """
    source = tests if isinstance(tests, str) else "\n".join(tests)
    try:
        body = parsed(source).body
    except (SyntaxError, ValueError) as error:
        raise NotSplit(f"the tests are no Python: {error}") from None
    checks = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if checks and checks[0].args.args:
        candidate = checks[0].args.args[0].arg
        outside = [node for node in body if node is not checks[0] and not _idle(node)]
        statements, closed = outside + checks[0].body, True
    else:
        candidate, statements, closed = function, body, False
    splitter = _Splitter(candidate, function, closed=closed)
    return [splitter.condition(node) for node in statements if not _idle(node)]


def parsed(source: str) -> ast.Module:
    """A source as a tree; as ``ast.parse``, but safe where several threads parse at once.

    CPython 3.11 counts the depth of all its threads' trees in one place, and raises ``SystemError`` when two
    get into each other's way (python/cpython issue 106905). The source is all right then.
    """
    for _ in range(_TRIES):
        try:
            return ast.parse(source)
        except SystemError:
            continue
    return ast.parse(source)


def called(tests: str | Sequence[str]) -> str | None:
    """The function that plain asserts are about: the first name they call, if it can be no builtin."""
    source = tests if isinstance(tests, str) else "\n".join(tests)
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError):
        return None
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [node.id for node in calls if isinstance(node, ast.Name)]
    return next((name for name in names if not hasattr(builtins, name)), names[0] if names else None)


def mention(tests: str | Sequence[str], name: str) -> bool:
    """Whether tests are about ``name``: they hold it, or are a ``check`` that is handed it."""
    source = tests if isinstance(tests, str) else "\n".join(tests)
    return "def check(" in source or re.search(rf"\b{re.escape(name)}\b", source) is not None


def modules(source: str) -> list[str]:
    """The modules of the standard library that source uses without an import, as benchmarks' asserts do."""
    try:
        nodes = list(ast.walk(parsed(source)))
    except (SyntaxError, ValueError):
        return []
    used = [
        node.value.id
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ]
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return [name for name in dict.fromkeys(used) if name in sys.stdlib_module_names and name not in own]


class _Splitter(ast.NodeTransformer):
    """Takes the candidate's calls out of a condition, each with the plain conversions round it."""

    def __init__(self, candidate: str, function: str, *, closed: bool) -> None:
        self.candidate, self.function, self.closed = candidate, function, closed
        self.calls: list[str] = []

    def condition(self, node: ast.stmt) -> Condition:
        if not isinstance(node, ast.Assert):
            raise NotSplit(f"the tests hold {ast.unparse(node)[:60]!r}, which is no assert")
        self.calls = []
        text = ast.unparse(node.test)
        rest = self.visit(node.test)
        _check(rest)
        return Condition(text, tuple(self.calls), rest)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        inner: ast.expr = node
        while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
            if inner.func.id in (self.candidate, self.function):
                return self._taken(node)
            if inner.func.id not in _SHAPING or len(inner.args) != 1 or inner.keywords:
                break
            inner = inner.args[0]
        self.generic_visit(node)
        return node

    def _taken(self, node: ast.Call) -> ast.expr:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in (self.candidate, self.function):
                part.id = self.function
            elif isinstance(part, ast.Name) and self.closed and not hasattr(builtins, part.id):
                raise NotSplit(f"a call uses the name {part.id!r} of the tests")
        self.calls.append(ast.unparse(node))
        return ast.Name(f"_{len(self.calls) - 1}", ast.Load())


def _idle(node: ast.stmt) -> bool:
    """Whether a statement outside the asserts does nothing: a docstring, ``pass``, METADATA = {...}."""
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] == ["METADATA"]
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _check(node: ast.expr) -> None:
    """Raise ``NotSplit`` unless ``_value`` knows every part of ``node``."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not _known_name(part.id):
            raise NotSplit(f"a condition uses the name {part.id!r} of the tests")
        if isinstance(part, ast.Call) and (ast.unparse(part.func) not in _CALLABLE):
            raise NotSplit(f"a condition calls {ast.unparse(part.func)!r}")
        if isinstance(part, ast.expr) and not isinstance(part, _KNOWN):
            raise NotSplit(f"a condition holds {ast.unparse(part)[:60]!r}")


_KNOWN = (ast.Constant, ast.Name, ast.Attribute, ast.Call, ast.List, ast.Tuple, ast.Set, ast.Dict)
_KNOWN += (ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Subscript)  # type: ignore[assignment]


def _known_name(name: str) -> bool:
    return name in _CALLABLE or name == "math" or (name.startswith("_") and name[1:].isdigit())


def _value(node: ast.expr, results: Sequence[Any]) -> Any:
    return _READERS[type(node)](node, results)


def _all(nodes: Sequence[ast.expr], results: Sequence[Any]) -> list[Any]:
    return [_value(node, results) for node in nodes]


def _dict(node: ast.Dict, results: Sequence[Any]) -> Any:
    if None in node.keys:
        raise TypeError("** in a condition")
    return dict(
        zip(_all([key for key in node.keys if key], results), _all(node.values, results), strict=True)
    )


def _call(node: ast.Call, results: Sequence[Any]) -> Any:
    named = {str(word.arg): _value(word.value, results) for word in node.keywords}
    return _CALLABLE[ast.unparse(node.func)](*_all(node.args, results), **named)


def _compare(node: ast.Compare, results: Sequence[Any]) -> bool:
    left = _value(node.left, results)
    for how, other in zip(node.ops, node.comparators, strict=True):
        right = _value(other, results)
        if not _COMPARE[type(how)](left, right):
            return False
        left = right
    return True


def _boolean(node: ast.BoolOp, results: Sequence[Any]) -> Any:
    stops = isinstance(node.op, ast.Or)
    value: Any = not stops
    for part in node.values:
        value = _value(part, results)
        if bool(value) is stops:
            break
    return value


def _binary(node: ast.BinOp, results: Sequence[Any]) -> Any:
    left, right = _value(node.left, results), _value(node.right, results)
    numbers = isinstance(left, int | float | complex) and isinstance(right, int | float | complex)
    if not numbers and not isinstance(node.op, ast.Add | ast.Sub):
        raise TypeError("only numbers are multiplied in a condition")
    if isinstance(node.op, ast.Pow) and max(abs(left), abs(right)) > _GREATEST_POWER:
        raise ValueError("a power too great for a condition")
    return _NUMERIC[type(node.op)](left, right)


_READERS: dict[type[ast.expr], Callable[[Any, Sequence[Any]], Any]] = {
    ast.Constant: lambda node, results: node.value,
    ast.Name: lambda node, results: results[int(node.id[1:])],
    ast.List: lambda node, results: _all(node.elts, results),
    ast.Tuple: lambda node, results: tuple(_all(node.elts, results)),
    ast.Set: lambda node, results: set(_all(node.elts, results)),
    ast.Dict: _dict,
    ast.Call: _call,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.BinOp: _binary,
    ast.UnaryOp: lambda node, results: _UNARY[type(node.op)](_value(node.operand, results)),
    ast.Subscript: lambda node, results: _value(node.value, results)[_value(node.slice, results)],
}
