"""What a question will cost and what was spent, in a line each."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ..budgets import budgets
from ..ceilings import words as ceiling_words
from ..model import Model
from ..scope import Scope, within
from ..session import current
from .asking import Question

# An estimate is of an answer of some 200 words.
_TYPICAL = "x" * 1_200


def dollars(amount: Decimal) -> str:
    """USD to the last digit."""
    return f"${amount.normalize():f}" if amount else "$0"


def estimated(question: Question, models: Iterable[Model]) -> str:
    """Before sending: what the question probably costs on all models together, and at most."""
    likely, worst, unknown = Decimal(0), Decimal(0), []
    for model in models:
        guess = model.estimate(model.request(question.content, **question.settings), _TYPICAL)
        if guess.expected is None or guess.worst is None:
            unknown.append(model.label)
        else:
            likely, worst = likely + guess.expected, worst + guess.worst
    words = f"Before sending: about {dollars(likely)} for answers of some 200 words, at most {dollars(worst)}"
    return words + (f"; unknown for {', '.join(unknown)}" if unknown else "")


def spent(scope: Scope) -> str:
    """What the ledger has under a scope's label, and what is left under every ceiling in force there."""
    session = current()
    spend = session.ledger.spend("label = ?", (scope.label,))
    words = [f"Spent in this panel: {dollars(spend.certain)} in {spend.attempts} calls"]
    if spend.worst > spend.certain:
        words.append(f"at most {dollars(spend.worst)}: what broke off counts at its worst")
    with within(scope):
        standings = budgets().standings
    words += [f"{ceiling_words(s.id)}: {dollars(s.left)} of {dollars(s.cap)} left" for s in standings]
    words += ["SIMULATED dollars"] * (session.mode == "offline")
    return " · ".join(words)
