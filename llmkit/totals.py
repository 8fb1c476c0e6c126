"""Several calls that make one answer -> their cost, usage and seconds in all."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from .errors import BudgetExceeded, CallError
from .records import Cost, Origin, Response, Step, Usage

Failed = TypeVar("Failed", bound=CallError | BudgetExceeded)
_BUCKETS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "web_searches")


@dataclass(slots=True)
class Account:
    """The calls made so far on the way to one answer, in their order."""

    steps: list[Step] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    calls: list[Response] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, role: str, response: Response, error: str | None = None) -> None:
        """Take in a call that was answered; one made of several tells its own steps."""
        own = response.steps or (step_of(response, "answer"),)
        self.steps += [
            replace(step, role=role, error=error) if step.role == "answer" else step for step in own
        ]
        self.attempts += response.attempts
        self.calls.append(response)

    def lost(self, model: str, error: CallError) -> None:
        """Take in a check's call that failed; the answer can do without."""
        paid = None if error.maybe_paid else Decimal(0)
        what = f"{type(error).__name__}: {error}"
        self.steps += [*error.steps, Step("check", model, cost=paid, outcome="error", error=what)]
        self.unknown += [model] * error.maybe_paid

    def answer(self, response: Response, *, held: bool = False) -> Response:
        """The answer, one of the calls taken in, with what all of them cost and how long they took.

        An answer that was ``held`` back shows its first text when all calls are over.
        """
        if len(self.calls) == 1 and not self.unknown and len(self.steps) == max(1, len(response.steps)):
            return replace(response, first_token=response.latency) if held else response
        seconds = [call.latency for call in self.calls]
        latency, before = add_seconds(seconds), add_seconds(seconds[:-1])
        return replace(
            response,
            cost=self._cost(),
            usage=add_usages([call.usage for call in self.calls]),
            latency=latency,
            first_token=latency if held else add_seconds([before, response.first_token]),
            attempts=tuple(self.attempts),
            origin=origin_of(self.calls),
            simulated=any(call.simulated for call in self.calls),
            steps=tuple(self.steps),
        )

    def failure(self, error: Failed) -> Failed:
        """The error of the last call, with what was already paid before it."""
        raised = copy.copy(error)
        raised.steps = (*self.steps, *error.steps)
        raised.attempts = (*self.attempts, *error.attempts)
        raised.__traceback__ = error.__traceback__
        return raised

    def _cost(self) -> Cost:
        cost = add_costs([call.cost for call in self.calls])
        if not self.unknown:
            return cost
        note = f"without what {', '.join(self.unknown)} may have charged for a failure"
        return replace(cost, note="; ".join(filter(None, (cost.note, note))))


def step_of(response: Response, role: str) -> Step:
    """One answered call as a step of a longer way."""
    return Step(role, response.model, response.cost.total, response.latency, response.usage, response.outcome)


def add_costs(costs: Sequence[Cost]) -> Cost:
    """The sum; unknown if one is unknown."""
    unknown = next((cost for cost in costs if cost.total is None), None)
    if unknown is not None:
        return Cost(None, note=unknown.note)
    items = tuple(item for cost in costs for item in cost.items)
    notes = dict.fromkeys(cost.note for cost in costs if cost.note)
    return Cost(sum((cost.total or Decimal(0) for cost in costs), Decimal(0)), items, "; ".join(notes))


def add_usages(usages: Sequence[Usage | None]) -> Usage | None:
    """The sum, the last one's tier and region; None if one is unknown."""
    known = [usage for usage in usages if usage is not None]
    if len(known) < len(usages) or not known:
        return None
    sums = {name: sum(getattr(usage, name) for usage in known) for name in _BUCKETS}
    thinking = [usage.thinking for usage in known if usage.thinking is not None]
    raw = {"turns": [dict(usage.raw) for usage in known]}
    return replace(known[-1], **sums, thinking=sum(thinking) if thinking else None, parts=(), raw=raw)


def add_seconds(seconds: Sequence[float | None]) -> float | None:
    """The sum; None if one is unknown."""
    known = [each for each in seconds if each is not None]
    return sum(known) if len(known) == len(seconds) else None


def origin_of(calls: Sequence[Response]) -> Origin:
    """Replayed if all were; else where those came from that were not."""
    return next((call.origin for call in calls if not call.cached), "replay")
