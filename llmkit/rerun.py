"""A policy over recorded answers, all items at once: what it would have answered, paid and waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from .accept import Check, Finding
from .answers import Answers, Floats, Ints, Replayed
from .cascade import Cascade
from .errors import CallError, NotRecorded, UsageError
from .hops import addressed
from .model import Model, finish
from .outcomes import Bools, Layer, Outcome, number, retried
from .policies import Mix, Named, Route, Threshold, Vote, with_fee
from .policy import Policy, Question, draw
from .records import Call, Cost, Response
from .routing import Composite
from .scope import here, within

T = TypeVar("T")


class Rerun:
    """Replays policies over one comparison; what two of them look up alike is looked up once."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._leaves: dict[int, Replayed] = {}
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._alive: list[Any] = []  # what is looked up by identity must not make room for another

    def swap(self, model: Model) -> Replayed:
        """The stand-in of a model; the same one for every policy."""
        if isinstance(model, Replayed):
            return model
        if id(model) not in self._leaves:
            self._leaves[id(model)] = Replayed(model, self.answers)
            self._alive.append(model)
        return self._leaves[id(model)]

    def swapped(self, policy: Model) -> Model:
        """A policy over stand-ins."""
        return policy.swapped(self.swap) if isinstance(policy, Policy) else self.swap(policy)

    def outcome(self, model: Model, at: Ints, repeat: int) -> Outcome:
        """What a model of stand-ins does with the items ``at``, positions among the answers' items."""
        if isinstance(model, Replayed):
            return self._leaf(model, at, repeat)
        if isinstance(model, Cascade) and not model.hands_over:
            return self._cascade(model, at, repeat)
        if isinstance(model, Route):
            return self._route(model, at, repeat)
        if isinstance(model, Vote):
            return self._vote(model, at, repeat)
        if isinstance(model, Composite):
            return self._fallback(model, at, repeat)
        return self.one_by_one(model, at, repeat)

    def scores(self, policy: Policy, repeat: int) -> tuple[Floats, Floats]:
        """By what a policy of two models decides, and its fee in USD, on each item, (n,): the highest go up.

        NaN where the first model of a cascade failed. A check without a number has 1 where it moves up.
        Raises ``UsageError`` for a policy that decides by nothing of the kind.
        """
        everything = np.arange(len(self.answers.items))
        if isinstance(policy, Mix):
            coins = [self._coin(policy.seed, place, repeat) for place in everything.tolist()]
            return -np.array(coins), np.zeros(len(coins))
        if isinstance(policy, Threshold):
            with self._silent():
                found = [self._routed(policy.by, place, repeat) for place in everything.tolist()]
            return np.array([float(value) for value, _ in found]), np.array([_paid(fee) for _, fee in found])
        if isinstance(policy, Named):
            chosen, fees = self._choices(policy, everything, repeat)
            return chosen.astype(float), np.array([_paid(fee) for fee in fees])
        if not isinstance(policy, Cascade) or policy.hands_over:
            raise UsageError(f"{policy.label!r} decides by no score; a route or a cascade of two models does")
        drafts = self.outcome(policy.models[0], everything, repeat)
        findings = self._findings(policy.checks[0], policy.models[0], drafts, everything, repeat)
        return _upward(findings, drafts.row < 0), np.array([_paid(finding.calls) for finding in findings])

    def one_by_one(self, model: Model, at: Ints, repeat: int) -> Outcome:
        """The same by running the model itself on each item; slower, and right for any model."""
        with self._silent():
            return self._each(model, at, repeat)

    def _each(self, model: Model, at: Ints, repeat: int) -> Outcome:
        result = Outcome.empty(len(at))
        for n, place in enumerate(at):
            self.answers.now = int(place)
            fresh = self.swapped(model)  # nothing learned from one item may rest a model for the next
            try:
                # One try: nobody waits for the recorded failure of a model to pass.
                asked = self.answers.request(int(place), repeat).with_call(Call(tries=1))
                response = finish(fresh.run(addressed(asked, fresh)))
            except NotRecorded:
                continue
            except CallError:
                result.cost[n] = result.latency[n] = np.nan
                continue
            result.row[n] = self.answers.row_of(int(place), response)
            result.cost[n], result.latency[n] = number(response.cost.total), number(response.latency)
            self._steps(result, n, response)
        return result

    def _steps(self, result: Outcome, n: int, response: Response) -> None:
        here = np.array([n], dtype=np.int64)
        for step in response.steps:
            cost, latency = np.array([number(step.cost)]), np.array([number(step.latency)])
            result.layers.append(Layer(step.role, step.model, here, cost, latency))
            result.why[n] = (step.error or "") if step.role == "draft" else result.why[n]
        if not response.steps:
            cost, latency = result.cost[here], result.latency[here]
            result.layers.append(Layer("answer", response.model, here, cost, latency))

    def _leaf(self, model: Replayed, at: Ints, repeat: int) -> Outcome:
        answers, label = self.answers, model.label
        rows = np.full(len(at), -1, dtype=np.int64)
        if repeat < answers.repeats and self._as_asked(model):
            rows = answers.rows[label][at, repeat]
        absent = (rows < 0) | (answers.fate[rows] == 3)
        for place in at[absent]:
            answers.now = int(place)
            answers.lack(label, model.model, answers.question(model, int(place), repeat).request)
        result = Outcome(
            rows, answers.cost[rows], answers.latency[rows], [""] * len(at), np.zeros(len(at), bool)
        )
        bad = absent | (answers.fate[rows] > 0)
        result.cost[bad] = result.latency[bad] = np.nan
        for role, part in (("answer", ~bad), ("failed", bad)):
            where = np.flatnonzero(part)
            if len(where):
                result.layers.append(Layer(role, label, where, result.cost[where], result.latency[where]))
        result.row, result.final = np.where(bad, -1, rows), ~absent & (answers.fate[rows] == 2)
        return result

    def _as_asked(self, model: Replayed) -> bool:
        return self._once(("asked", id(model)), lambda: self.answers.same_settings(model.label, model.model))

    def _cascade(self, policy: Cascade, at: Ints, repeat: int) -> Outcome:
        result, left = Outcome.empty(len(at)), np.arange(len(at))
        for place, model in enumerate(policy.models):
            nth, of = policy.draws(place)
            asked = repeat * of + nth
            drafts = self.outcome(model, at[left], asked)
            if place == len(policy.models) - 1:
                result.add(drafts, left, np.ones(len(left), dtype=bool))
                break
            findings = self._findings(policy.checks[place], model, drafts, at[left], asked)
            failed = drafts.row < 0
            taken = np.array([f.good is True for f in findings], dtype=bool) | failed
            result.add(drafts, left, taken)
            result.fee("check", left, [finding.calls for finding in findings])
            for n in np.flatnonzero(~taken):
                result.why[int(left[n])] = findings[n].reason
            left = left[~taken]
        return result

    def _findings(self, check: Check, model: Model, drafts: Outcome, at: Ints, repeat: int) -> list[Finding]:
        whole = isinstance(model, Replayed)
        found = []
        with self._silent():
            for n, place in enumerate(at):
                row = int(drafts.row[n])
                if row < 0:
                    found.append(_NONE)
                elif whole:
                    key = ("finding", id(check), row)
                    if key not in self._kept:
                        self._kept[key] = self._finding(
                            check, model, int(place), repeat, self.answers.response(row)
                        )
                    found.append(self._kept[key])
                else:
                    total = None if np.isnan(drafts.cost[n]) else Decimal(str(drafts.cost[n]))
                    draft = replace(
                        self.answers.response(row), cost=Cost(total), latency=float(drafts.latency[n])
                    )
                    found.append(self._finding(check, model, int(place), repeat, draft))
        return found

    def _finding(self, check: Check, model: Model, place: int, repeat: int, draft: Response) -> Finding:
        self.answers.now = place
        self._once(("check", id(check)), lambda: self._alive.append(check))
        try:
            return check(self.answers.question(model, place, repeat), draft)
        except NotRecorded:
            return _NONE

    def _route(self, policy: Route, at: Ints, repeat: int) -> Outcome:
        chosen, fees = self._choices(policy, at, repeat)
        result = Outcome.empty(len(at))
        if any(fees):
            result.fee("route", np.arange(len(at)), fees)
        for place, model in enumerate(policy.models):
            here = np.flatnonzero(chosen == place)
            if len(here):
                result.add(self.outcome(model, at[here], repeat), here, np.ones(len(here), dtype=bool))
        return result

    def _choices(self, policy: Route, at: Ints, repeat: int) -> tuple[Ints, Sequence[tuple[Response, ...]]]:
        none: Sequence[tuple[Response, ...]] = [()] * len(at)
        if isinstance(policy, Mix):
            coins = [self._coin(policy.seed, int(place), repeat) for place in at]
            return (np.array(coins) < policy.p).astype(np.int64), none
        if isinstance(policy, Threshold | Named):
            with self._silent():
                found = [self._routed(policy.by, int(place), repeat) for place in at]
            place_of = policy.above if isinstance(policy, Threshold) else policy.place_of
            places = [-1 if value is _UNTOLD else place_of(value) for value, _ in found]
            return np.array(places, dtype=np.int64), [fee for _, fee in found]
        with self._silent():
            chosen = [policy.choose(self._bare(int(place), repeat)) for place in at]
        return np.array([place for place, _ in chosen], dtype=np.int64), [fee for _, fee in chosen]

    def _coin(self, seed: int, place: int, repeat: int) -> float:
        key = ("coin", seed, place, repeat)
        return self._once(key, lambda: draw(seed, self.answers.request(place, repeat)))

    def _routed(self, by: Callable[[Any], Any], place: int, repeat: int) -> tuple[Any, tuple[Response, ...]]:
        self._once(("by", id(by)), lambda: self._alive.append(by))
        key = ("routed", id(by), place, repeat)
        return self._once(key, lambda: self._answered(by, place, repeat))

    def _answered(
        self, by: Callable[[Any], Any], place: int, repeat: int
    ) -> tuple[Any, tuple[Response, ...]]:
        """What a router says; ``_UNTOLD`` where it asks a model what nobody recorded."""
        lacked = self.answers.lacked
        self.answers.now = place
        try:
            return with_fee(by(self._bare(place, repeat)))
        except NotRecorded:
            if self.answers.lacked == lacked:
                raise
            return _UNTOLD, ()

    def _bare(self, place: int, repeat: int) -> Question:
        key = ("bare", place, repeat)
        return self._once(key, lambda: Question.of(self.answers.request(place, repeat)))

    def _vote(self, policy: Vote, at: Ints, repeat: int) -> Outcome:
        self._once(("extract", id(policy.extract)), lambda: self._alive.append(policy.extract))
        result, left = Outcome.empty(len(at)), np.arange(len(at))
        rows, ballots = np.full((0, len(at)), -1), []
        for place, asked in policy.ballots(repeat):
            lacked, ballot = self.answers.lacked, self.outcome(policy.models[place], at[left], asked)
            ballots.append((ballot, left))
            rows = np.vstack([rows, np.full(len(at), -1)])
            rows[-1, left] = ballot.row
            result.final[left] = ballot.final
            if self.answers.lacked == lacked:  # after a failure nobody else is asked
                left = left[ballot.row >= 0]
        winner = np.full(len(at), -1)
        for n in np.flatnonzero((rows >= 0).all(axis=0)):
            winner[n] = policy.elected([self._said(policy.extract, int(row)) for row in rows[:, n]])
        for place, (ballot, where) in enumerate(ballots):
            result.add(ballot, where, winner[where] == place)
        return result

    def _said(self, extract: Callable[[str], Any], row: int) -> Any:
        with self._silent():
            return self._once(("said", id(extract), row), lambda: extract(self.answers.response(row).text))

    def _silent(self) -> AbstractContextManager[None]:
        """What a function of the user's asks of models is answered from the recordings too, and counted."""
        answers = self.answers
        return within(replace(here(), missed=lambda model, asked: answers.lack(model.label, model, asked)))

    def _fallback(self, policy: Composite, at: Ints, repeat: int) -> Outcome:
        orders = np.array([policy.order(self.answers.request(int(place), repeat)) for place in at])
        result, left = Outcome.empty(len(at)), np.arange(len(at))
        for rank in range(len(policy.models)):
            again = []
            for place, model in enumerate(policy.models):
                here = left[orders[left, rank] == place] if len(left) else left
                if len(here):
                    tried = self.outcome(model, at[here], repeat)
                    again.append(retried(result, tried, here, last=rank == len(policy.models) - 1))
            left = np.sort(np.concatenate(again)) if again else left[:0]
        return result

    def _once(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found


_NONE = Finding(None, "not recorded")
_UNTOLD = object()


def _upward(findings: Sequence[Finding], failed: Bools) -> Floats:
    """Scores that go up, from those of good answers; what could not be told goes first."""
    known = [finding.score for finding in findings if finding.score is not None]
    if not known:
        scores = [float(finding.good is not True) for finding in findings]
    else:
        ends = (1 - min(known), -1 - max(known))
        scores = [
            ends[finding.good is True] if finding.score is None else -finding.score for finding in findings
        ]
    return np.where(failed, np.nan, scores)


def _paid(calls: Sequence[Response]) -> float:
    return sum(number(call.cost.total) for call in calls)
