"""The models one can pick: those given first, then the catalog by line, with lifecycle and price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ..model import Model
from ..models import ModelFacts, all_models, lines
from ..session import Session

Pick = Model | str
"""A model, or the id of one that is made when it is asked."""


def options(given: Sequence[Model], session: Session | None) -> list[tuple[str, Pick]]:
    """Pairs of words and pick; live, models that are no longer served are left out."""
    picks: list[tuple[str, Pick]] = []
    for model in given:
        words = _words(model, session)
        taken = {label for label, _ in picks}
        picks.append((words if words not in taken else f"{words} ({len(picks) + 1})", model))
    if session is None:
        return picks
    day = session.today()
    for line in lines():
        known = sorted((m for m in all_models() if m.line == line), key=lambda m: m.released, reverse=True)
        for facts in known:
            if not (session.mode == "live" and facts.status(day) in ("retired", "announced")):
                picks.append((f"{line}: {described(facts, day)}", facts.id))
    return picks


def described(facts: ModelFacts, day: date) -> str:
    """Name, lifecycle and price of the day, USD per million tokens."""
    status: str = facts.status(day)
    if status == "deprecated" and facts.retires:
        status += f", retires {facts.retires}"
    row = facts.price_row(day)
    price = f"${_plain(row.input)} in, ${_plain(row.output)} out per M" if row else "no price known"
    return f"{facts.label} · {status} · {price}"


def _words(model: Model, session: Session | None) -> str:
    facts = getattr(getattr(model, "target", None), "facts", None)
    if facts is None or session is None:
        return model.label
    words = described(facts, session.today())
    return words if model.label == facts.label else f"{model.label} · {words}"


def _plain(amount: Any) -> str:
    return f"{amount.normalize():f}"
