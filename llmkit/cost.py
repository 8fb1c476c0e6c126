"""What an answer costs: the total, and the lines of its bill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

_Used = TypeVar("_Used")
_Rates = TypeVar("_Rates")


@dataclass(frozen=True, slots=True)
class LineItem:
    """One line of a bill: ``quantity`` of ``kind`` at ``rate`` USD each, of one price row."""

    kind: str
    quantity: int
    rate: Decimal
    amount: Decimal
    row: str


class _Unwritten:
    """The lines of a bill that nobody has read yet: what writes them, and what of."""

    __slots__ = ("_unwritten",)
    _unwritten: tuple[Callable[..., tuple[LineItem, ...]], Any, Any]


@dataclass(frozen=True, slots=True)
class Cost(_Unwritten):
    """What one answer costs in USD; ``total`` None means unknown, and ``note`` says why."""

    total: Decimal | None
    items: tuple[LineItem, ...] = ()
    note: str = ""

    @staticmethod
    def written_when_read(
        total: Decimal, write: Callable[[_Used, _Rates], tuple[LineItem, ...]], used: _Used, rates: _Rates
    ) -> Cost:
        """A cost whose lines are ``write(used, rates)``, made when they are first read; most never are."""
        cost = _new_cost(Cost)
        _set_total(cost, total)
        _set_note(cost, "")
        _set_unwritten(cost, (write, used, rates))
        return cost

    if not TYPE_CHECKING:  # a type checker would believe in every attribute

        def __getattr__(self, name):
            """Asked only for what is not there: the lines that are still to be written."""
            if name != "items":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            write, used, rates = self._unwritten
            _set_items(self, write(used, rates))
            return self.items


# A frozen record's own way of setting attributes takes twice as long, and a price is made for every answer.
_new_cost = Cost.__new__
_set_total, _set_items, _set_note = (vars(Cost)[name].__set__ for name in ("total", "items", "note"))
_set_unwritten = vars(_Unwritten)["_unwritten"].__set__

NOT_PRICED = Cost(None, note="not priced")
"""What an answer costs before it was priced."""
