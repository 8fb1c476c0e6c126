"""Policies between two models of a comparison whose threshold can be moved, and the cell that makes one."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from .. import checks
from ..accept import confidence
from ..cascade import Cascade, cascade
from ..comparison import Comparison
from ..errors import UsageError
from ..learned import FEWEST, Router
from ..model import Model
from ..plots_switching import Switching
from ..policies import Threshold, route
from ..policy import Policy, leaves
from ..pricing import catalog_facts
from ..recordings import OnlyRecorded
from ..records import Request
from ..replay import replay
from ..tradeoff import Tradeoff
from ..trades import fit_router, trade
from . import cells

MOST_STOPS = 200
SURE = 0.8
_MOVED = 0.3  # the share a learned router moves up at first
_LOOKED_AT = 200  # answers searched for a stated confidence
_PLAIN = (str, int, float, bool, type(None))
_LIMITS = re.compile(r"(verbal_confidence|asked_confidence)\(at=")
_SCORED = re.compile(r"(.+) >= \S+")

Offer = tuple[str, Callable[[], Model]]
"""What a policy is called, and a function that makes it."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """A policy with its curve.

    Attributes:
        stops: thresholds one can choose, from none moved up to all, inf first.
        picture: of the curve, the two models and the oracle.
    """

    policy: Policy
    line: Tradeoff
    stops: tuple[float, ...]
    picture: Switching

    @classmethod
    def of(cls, c: Comparison, policy: Model) -> Board:
        """Replays it; raises ``UsageError`` for one without a curve, ``NotRecorded`` for one nobody asked."""
        if not isinstance(policy, Policy):
            raise UsageError(f"{policy.label!r} is no policy; give a route or a cascade of two models")
        inside = list({leaf.label: leaf for leaf in leaves(policy)}.values())
        found = replay(c, [*inside, policy])
        line = found.curve(policy)
        line = replace(line, by=_decides(policy, line.by))
        return cls(
            policy, line, _stops(policy, line), replace(Switching.of(found, policy=policy), curve=line)
        )

    def limit(self, threshold: float) -> float:
        """What the policy itself is told: of a cascade the least number that is kept, else the threshold."""
        if self.line.kind == "route" or math.isinf(threshold):
            return threshold
        kept = -self.line.score[self.line.score < threshold]
        return float(kept.min()) if len(kept) else math.inf

    def rule(self, threshold: float) -> str:
        """Who moves up, in words."""
        if math.isinf(threshold):
            return "Nobody moves up"
        sign = ">=" if self.line.kind == "route" else "<"
        return f"Moves up where {self.line.by} {sign} {said(self.limit(threshold))}"

    def set_to(self, threshold: float) -> Model:
        """The policy with another threshold. Raises ``UsageError`` where its check has none."""
        weak, strong = self.policy.models
        if math.isinf(threshold):
            return weak
        if isinstance(self.policy, Threshold):
            return route(weak, strong, by=self.policy.by, at=_number(threshold))
        name = _limited(self.policy)
        if not name:
            raise UsageError(f"the check of {self.policy.label!r} has no limit that could be moved")
        return cascade(weak, strong, accept=getattr(checks, name)(at=self.limit(threshold)))

    def cell(self, c: Comparison, threshold: float) -> str:
        """The code that makes ``set_to``. Raises ``UsageError`` for what has no name in the notebook."""
        weak, strong = self.policy.models
        lines = [f"weak = {_model(weak)}"]
        if math.isinf(threshold):
            return "\n".join(["import llmkit as kit", "", *lines, "policy = weak", "policy", ""])
        lines.append(f"strong = {_model(strong)}")
        lines += self._made(c, threshold)
        return "\n".join(["import llmkit as kit", "", *lines, "policy", ""])

    def _made(self, c: Comparison, threshold: float) -> list[str]:
        limit = _number(self.limit(threshold))
        if isinstance(self.policy, Threshold):
            by, before = _by(c, self.policy, (self.line.weak, self.line.strong))
            return [*before, f"policy = kit.route(weak, strong, by={by}, at={limit!r})"]
        if name := _limited(self.policy):
            return [f"policy = kit.cascade(weak, strong, accept=kit.checks.{name}(at={limit!r}))"]
        check = self.policy.checks[0].name if isinstance(self.policy, Cascade) else ""
        if (scored := _SCORED.fullmatch(check)) and callable(vars(sys.modules["__main__"]).get(scored[1])):
            accept = f"kit.checks.at_least({scored[1]}, {limit!r})"
            return [f"policy = kit.cascade(weak, strong, accept={accept})"]
        return [f"policy = {_named(self.policy, 'policy')}"]


def offers(c: Comparison, policies: Sequence[Model]) -> tuple[list[Offer], list[str]]:
    """What can be tried on a comparison, those given first; and why others cannot.

    Raises ``UsageError`` for fewer than two models, or none with a grade and a cost of both.
    """
    given: list[Offer] = [(policy.label, partial(_same, policy)) for policy in policies]
    found = trade(c)
    weak, strong = (_recorded(c, label, policies) for label in (found.weak, found.strong))
    texts = [c.task.prompt_of(place) for place in found.places]
    made: list[Offer] = [("by length", lambda: route(weak, strong, by=len, at=int(median(map(len, texts)))))]
    notes = []
    if len(texts) >= FEWEST:
        made.append(("by a learned router", partial(_learned, c, weak, strong, texts)))
    else:
        notes.append(f"A router is learned from {FEWEST} items on; here are {len(texts):,}.")
    if _state_confidence(c, found.weak):
        sure = checks.verbal_confidence(at=SURE)
        made.append(("cascade by stated confidence", lambda: cascade(weak, strong, accept=sure)))
    else:
        notes.append(
            f"{found.weak} states no confidence in its answers, so no cascade can go by it; ask for a line "
            'such as "Confidence: 85%" in the prompt.'
        )
    return [*given, *made], notes


def said(limit: float) -> str:
    """A threshold for people."""
    return f"{limit:,.0f}" if float(limit).is_integer() else f"{limit:,.4g}"


def _same(policy: Model) -> Model:
    return policy


def _learned(c: Comparison, weak: Model, strong: Model, texts: Sequence[str]) -> Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is the router's note
        router = fit_router(c, models=[weak.label, strong.label])
    return route(weak, strong, by=router, at=router.cut(texts, _MOVED))


def _state_confidence(c: Comparison, label: str) -> bool:
    answers = c.frame.loc[c.frame["model"] == label, "answer"].iloc[:_LOOKED_AT]
    stated = [confidence(str(answer)) is not None for answer in answers.dropna()]
    return 2 * sum(stated) > len(stated)


def _recorded(c: Comparison, label: str, policies: Sequence[Model]) -> Model:
    """A model of that label: from the policies, from the notebook, or one that only stands for it."""
    defaults = c.defaults.get(label)
    known = [leaf for policy in policies for leaf in leaves(policy)]
    known += [value for value in vars(sys.modules["__main__"]).values() if isinstance(value, Model)]
    for model in known:
        if (
            model.label == label
            and not isinstance(model, Policy)
            and (not defaults or model.defaults == defaults)
        ):
            return model
    return OnlyRecorded(_priced_name(c, label), label, defaults or Request())


def _priced_name(c: Comparison, label: str) -> str:
    """As ``kit.model`` takes it; "" where the comparison does not say who answered."""
    mine = c.frame.loc[c.frame["model"] == label]
    names, places = ({str(v) for v in mine[column].dropna()} for column in ("served", "endpoint"))
    if len(names) != 1 or len(places) > 1:
        return ""
    name, place = names.pop(), places.pop() if places else ""
    return name if place in ("", "anthropic") else f"{place}/{name}"


def _stops(policy: Policy, line: Tradeoff) -> tuple[float, ...]:
    """Thresholds worth a stop: all, or so many evenly spread ones with the best among them."""
    thresholds = np.unique(line.line.threshold)[::-1]
    if line.kind == "cascade":
        thresholds = thresholds[(thresholds > line.score.min()) | np.isinf(thresholds)]
    if len(thresholds) > MOST_STOPS:
        kept = thresholds[np.unique(np.linspace(0, len(thresholds) - 1, MOST_STOPS).astype(int))]
        thresholds = np.unique(np.append(kept, line.best_threshold))[::-1]
    if isinstance(policy, Cascade) and np.isin(line.score, (0.0, 1.0)).all():
        thresholds = np.array([math.inf, 1.0])
    found = tuple(float(value) for value in thresholds)
    return found if math.isinf(found[0]) else (math.inf, *found)


def _limited(policy: Model) -> str:
    """The name in ``checks`` of a cascade's check that takes ``at=``, or ""."""
    match = _LIMITS.match(policy.checks[0].name) if isinstance(policy, Cascade) else None
    return match[1] if match else ""


def _decides(policy: Policy, by: str) -> str:
    """What a policy decides by, without the limit it came with."""
    scored = _SCORED.fullmatch(by)
    return _limited(policy) or (scored[1] if scored else by)


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)


def _by(c: Comparison, policy: Threshold, between: tuple[str, str]) -> tuple[str, list[str]]:
    """What a route decides by as code, and the lines needed before."""
    if policy.by is len:
        return "len", []
    if isinstance(policy.by, Router) and not _name_of(policy.by):
        return "router", [f"router = kit.fit_router({_name_of(c) or 'c'}, models={list(between)!r})"]
    return _named(policy.by, getattr(policy.by, "__name__", "the function")), []


def _model(model: Model) -> str:
    if not isinstance(model, OnlyRecorded) or _name_of(model):
        return cells.expression(model)
    given = {name: getattr(model.defaults, name) for name in sorted(model.defaults.given)}
    facts, plain = catalog_facts(model.name), all(isinstance(value, _PLAIN) for value in given.values())
    if not plain or (facts is None and "/" not in model.name):
        raise UsageError(
            f"the comparison does not say enough of {model.label!r} to make it again; give the model a name "
            "in the notebook, or a policy made of it: kit.widgets.switchboard(c, [policy])"
        )
    if facts is None or facts.label != model.label:
        given["label"] = model.label
    return f"kit.model({model.name!r}{''.join(f', {name}={value!r}' for name, value in given.items())})"


def _named(value: Any, what: str) -> str:
    name = _name_of(value)
    if not name:
        raise UsageError(
            f"{what!r} has no name in the notebook, so no cell can use it; assign it to one first"
        )
    return name


def _name_of(value: Any) -> str:
    names = vars(sys.modules["__main__"])
    return next((name for name, held in names.items() if held is value and not name.startswith("_")), "")
