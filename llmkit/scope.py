"""What a block of code adds to every call made in it: a word for the ledger, and ceilings.

A scope is read when a question is asked, not when its answer is read, and then travels with the call: two
streams read in turn keep their own, and one that outlives its block stays under it. Threads that llmkit
starts inherit the scope of whoever started them; a thread of your own begins without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from .errors import UsageError

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """What holds for the calls of a block.

    Attributes:
        label: the labels around a call, joined. budgets: ids of the ceilings it is held to.
        missed: while set, calls are answered from the recordings only, and it is told (model, request) of
            each that nobody recorded.
    """

    label: str = ""
    budgets: tuple[str, ...] = ()
    missed: Callable[[Any, Any], None] | None = None

    def deeper(self, label: str = "", budgets: tuple[str, ...] = ()) -> Scope:
        """This scope with one more label and more ceilings."""
        joined = " / ".join(part for part in (self.label, label) if part)
        return replace(self, label=joined, budgets=(*self.budgets, *budgets))


_current: ContextVar[Scope] = ContextVar("llmkit_scope", default=Scope())  # noqa: B039 - frozen


def here() -> Scope:
    """The scope in force where this is called."""
    return _current.get()


@contextmanager
def label(name: str) -> Iterator[None]:
    """Write ``name`` beside every call made in a ``with`` block; labels in labels are joined by " / ".

    Raises ``UsageError`` for a label that is empty, longer than 200 characters or not one line.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST or not name.isprintable():
        raise UsageError(f"the label is {name!r}; give one line of 1 to {_LONGEST} characters")
    with within(here().deeper(name.strip())):
        yield


@contextmanager
def within(scope: Scope) -> Iterator[None]:
    """Put a scope in force for a ``with`` block."""
    outer = here()
    _current.set(scope)
    try:
        yield
    finally:
        _current.set(outer)  # not by token: a block may be left in another context than it was entered in
