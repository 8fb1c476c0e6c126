"""The answers of a finished comparison -> what any routing policy would have scored and cost, for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import coin, payoff, scored
from .answers import Answers, Floats
from .comparison import Comparison
from .curves import Pair
from .errors import NotRecorded, UsageError
from .model import Model
from .policy import Policy, check_models, leaves
from .render import sentence, table
from .rerun import Outcome, Rerun, made_of
from .task import Task
from .tradeoff import Tradeoff

_SHOWN_MISSING = 5


@dataclass(frozen=True, slots=True)
class Arms:
    """One policy beside the two models it is held against, over (n,) items that all three have in full.

    Attributes:
        weak, strong: labels; the cheaper one on average, and the dearer.
        q_w, c_w, q_s, c_s: score and USD of each item by weak and by strong.
        q, c: by the policy, drafts, checks and fees included.
        moved: where another than the weak model gave the answer.
        items: their ids. clusters: what they share, or None where the task names nothing.
    """

    weak: str
    strong: str
    q_w: Floats
    c_w: Floats
    q_s: Floats
    c_s: Floats
    q: Floats
    c: Floats
    moved: npt.NDArray[np.bool_]
    items: tuple[str, ...]
    clusters: tuple[str, ...] | None


def replay(c: Comparison, policies: Sequence[Model]) -> Replay:
    """Run policies on the answers of a comparison: the same objects, nothing sent, nothing paid.

    ``kit.replay(c, [sonnet, opus, kit.cascade(sonnet, opus, accept=kit.checks.is_json)])``. Every model
    inside must be one of the comparison's, by its label and settings. What a policy would ask that was not
    asked then (a draft passed on, further repeats, a judge) is looked for in the recordings, else refused.
    With several repeats each is replayed as far as they reach. Latency adds up as if the calls of then were
    made now, and an answer nobody could grade stays ungraded.

    Raises ``NotRecorded`` with the calls that are missing and what they would cost; ``UsageError`` for a
    policy whose models were not in the comparison.
    """
    if isinstance(policies, Model) or not policies:
        raise UsageError("replay needs a list of policies: kit.replay(c, [sonnet, opus, careful])")
    check_models(policies)
    names = [policy.label for policy in policies]
    if len(set(names)) < len(names):
        raise UsageError(f"two policies have the same label, {names!r}; give one another: label=...")
    answers = Answers(c.task, c.frame, _labels(c, policies), defaults=c.defaults)
    if not len(answers.items):
        raise NotRecorded(
            f"no item was asked of all of {answers.labels}; run the comparison to its end first"
        )
    rerun, outcomes = Rerun(answers), {}
    for policy in policies:
        outcomes[policy.label] = _repeats(rerun, rerun.swapped(policy))
    if answers.missing:
        raise NotRecorded(_missing(answers, names))
    return Replay(c.task, rerun, outcomes, {policy.label: policy for policy in policies})


class Replay:
    """What each policy would have answered.

    Attributes:
        labels: of the policies, as given. policies: label -> policy.
        note: what a reader must know; "" if nothing.
    """

    def __init__(
        self,
        task: Task,
        rerun: Rerun,
        outcomes: dict[str, list[Outcome]],
        policies: Mapping[str, Model],
    ) -> None:
        self.task, self.labels, self.policies, self.note = task, list(outcomes), dict(policies), ""
        self._rerun, self._answers, self._outcomes = rerun, rerun.answers, outcomes
        self._tosses: dict[str, coin.Toss] = {}
        answers = rerun.answers
        left_out = len(task) - len(answers.items)
        if left_out:
            self.note = f"{left_out:,} item(s) are left out, because not every model was asked about them."

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def simulated(self) -> bool:
        """True if any answer was made up by the simulator."""
        return self._answers.simulated

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a policy, over the items which all of them have graded.

        ``n`` items, ``quality`` the mean score, ``cost`` USD and ``latency`` seconds a task (NaN where
        unknown), ``moved`` the share answered by another than the cheaper model, ``calls`` a task.
        """
        graded = np.all([~np.isnan(self._scores(label)) for label in self.labels], axis=0)
        rows = []
        for label in self.labels:
            outcomes = self._outcomes[label]
            calls = np.mean([_calls(outcome, graded) for outcome in outcomes]) if graded.any() else np.nan
            rows.append(
                {
                    "policy": label,
                    "n": int(graded.sum()),
                    "quality": _mean(self._scores(label)[graded]),
                    "cost": _mean(self._means(label, "cost")[graded]),
                    "moved": _mean(self._moved(label, self._pair_of(label)[0])[graded]),
                    "latency": _mean(self._means(label, "latency")[graded]),
                    "calls": float(calls),
                }
            )
        return pd.DataFrame(rows).set_index("policy")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per item, policy and repeat.

        ``score`` is NaN where nothing could be graded; ``served`` is who answered, missing where the policy
        failed; ``why`` is the reason the last draft was not taken; ``steps`` are (role, model, USD, seconds)
        of each call.
        """
        return pd.concat(
            [
                self._part(label, repeat, outcome)
                for label in self.labels
                for repeat, outcome in enumerate(self._outcomes[label])
            ],
            ignore_index=True,
        )

    def arms(self, policy: str | Model) -> Arms:
        """A policy's scores and costs by item, beside those of its own two models, the cheaper one first.

        Of a policy of more models, or of one, they are beside the cheapest and the dearest of all. Raises
        ``UsageError`` where the comparison holds fewer than two models.
        """
        label = self._known(policy)
        if len(self._answers.labels) < 2:
            raise UsageError("a policy is held against two models; this comparison has one")
        weak, strong = self._pair_of(label)
        q_w, c_w, q_s, c_s = (
            self._recorded(name, column) for name in (weak, strong) for column in ("score", "cost")
        )
        q, cost, moved = self._scores(label), self._means(label, "cost"), self._moved(label, weak) > 0.5
        whole = ~np.isnan(np.array([q_w, c_w, q_s, c_s, q, cost])).any(axis=0)
        places = self._answers.items[whole]
        clusters = tuple(str(self.task.cluster_of(int(n))) for n in places) if self.task.cluster else None
        items = tuple(self.task.ids[int(n)] for n in places)
        columns = {"q_w": q_w, "c_w": c_w, "q_s": q_s, "c_s": c_s, "q": q, "c": cost}
        kept: dict[str, Any] = {name: values[whole] for name, values in columns.items()}
        return Arms(weak=weak, strong=strong, moved=moved[whole], items=items, clusters=clusters, **kept)

    def curve(self, policy: str | Model) -> Tradeoff:
        """Every threshold that a route, or a cascade of two models, could have had: curve, figures, table.

        A route goes by its score, a cascade by what its check holds against a limit (``checks.at_least``,
        ``checks.verbal_confidence``), or else by yes and no. Raises ``UsageError`` for policies that decide
        otherwise.
        """
        label = self._known(policy)
        return scored.tradeoff(self._rerun, self.policies[label], self._outcomes[label])

    @cached_property
    def verdicts(self) -> coin.Verdicts:
        """Each policy against a coin between its two models that spends as much; see ``arms``.

        The cheapest and the dearest model are on the line themselves, and left out.
        """
        tosses = [self._toss(label) for label in self.verdict_labels]
        return coin.judged(tosses, simulated=self.simulated)

    @property
    def verdict_labels(self) -> list[str]:
        """The policies that ``verdicts`` are about."""
        return [label for label in self.labels if label not in self._ends]

    def between(self, policy: str | Model) -> tuple[str, str]:
        """The two models a policy is held against, the cheaper first; see ``arms``."""
        return self._pair_of(self._known(policy))

    def pair(self, policy: str | Model) -> Pair:
        """The two models a policy is held against, on the items all three have; see ``arms``."""
        return self._toss(self._known(policy)).pair

    def outcome(self, policy: str | Model) -> payoff.Outcome:
        """What a policy paid and earned on the items of ``pair``."""
        return self._toss(self._known(policy)).outcome

    def _toss(self, label: str) -> coin.Toss:
        if label not in self._tosses:
            arms = self.arms(label)
            if not arms.items:
                names = [label, arms.weak, arms.strong]
                raise UsageError(f"no item has a grade and a known cost of all of {names}")
            pair = Pair(arms.q_w, arms.q_s, arms.c_w, arms.c_s)
            did = payoff.told(pair, arms.q, arms.c, arms.moved, kind=self._made(label).kind)
            rival = self._rival(label, arms.weak, arms.strong)
            self._tosses[label] = coin.Toss(label, arms.weak, arms.strong, pair, did, arms.clusters, rival)
        return self._tosses[label]

    def _made(self, label: str) -> coin.Made:
        policy = self.policies[label]
        return made_of(policy) if isinstance(policy, Policy) else coin.Made("other", (label,))

    def _rival(self, label: str, weak: str, strong: str) -> str:
        """What a policy does instead of switching; "" for one that switches."""
        known = {leaf.label: leaf for policy in self.policies.values() for leaf in leaves(policy)}
        inside = self._made(label).models
        if len(inside) > 1:
            return ""
        if isinstance(self.policies[label], Policy):
            return f"a retry of {inside[0]}"
        names = {name: leaf.name for name, leaf in known.items()}
        settings = {name: leaf.defaults for name, leaf in known.items()}
        return coin.same_model(label, (weak, strong), names, settings)

    def __repr__(self) -> str:
        lines = [self._headline(), "", self.table.to_string(float_format=lambda value: f"{value:.5g}")]
        return "\n".join([*lines, self.note] if self.note else lines)

    def _repr_html_(self) -> str:
        shown = self.table.reset_index()
        rows = [[f"{v:.5g}" if isinstance(v, float) else v for v in row] for row in shown.to_numpy().tolist()]
        note = sentence(self.note) if self.note else ""
        return f"<div>{table(list(shown.columns), rows, caption=self._headline())}{note}</div>"

    def _headline(self) -> str:
        mark = "SIMULATED answers: " if self.simulated else ""
        return (
            f"{mark}{self.task.name}, {len(self.labels)} policies replayed on recorded answers; nothing paid"
        )

    def _known(self, policy: str | Model) -> str:
        label = policy.label if isinstance(policy, Model) else policy
        if label not in self._outcomes:
            raise UsageError(f"policy is {label!r}; it is one of {self.labels}")
        return label

    @cached_property
    def _ends(self) -> tuple[str, str]:
        return self._ranked(self._answers.labels)

    def _pair_of(self, label: str) -> tuple[str, str]:
        """The two models a policy is held against."""
        inside = self._made(label).models
        return self._ranked(inside) if len(inside) == 2 else self._ends

    def _ranked(self, labels: Sequence[str]) -> tuple[str, str]:
        costs = {label: _mean(self._recorded(label, "cost"), known=True) for label in labels}
        ranked = sorted(labels, key=lambda label: costs[label])
        return ranked[0], ranked[-1]

    def _recorded(self, label: str, column: str) -> Floats:
        rows = self._answers.rows[label]
        values = np.where(rows < 0, np.nan, getattr(self._answers, column)[rows])
        return _item_means(values)

    def _scores(self, label: str) -> Floats:
        scores = [_at(self._answers.score, outcome.row) for outcome in self._outcomes[label]]
        return _item_means(np.array(scores).T)

    def _means(self, label: str, column: str) -> Floats:
        return _item_means(np.array([getattr(outcome, column) for outcome in self._outcomes[label]]).T)

    def _moved(self, label: str, first: str) -> Floats:
        weak = set(self._answers.rows[first].ravel().tolist())
        moved = [
            [float(row not in weak) if row >= 0 else np.nan for row in outcome.row.tolist()]
            for outcome in self._outcomes[label]
        ]
        return _item_means(np.array(moved).T)

    def _part(self, label: str, repeat: int, outcome: Outcome) -> pd.DataFrame:
        answers = self._answers
        steps: list[list[tuple[str, str, float, float]]] = [[] for _ in outcome.why]
        for layer in outcome.layers:
            told = zip(layer.where.tolist(), layer.cost.tolist(), layer.latency.tolist(), strict=True)
            for place, cost, latency in told:
                steps[place].append((layer.role, layer.model, cost, latency))
        served = np.full(len(outcome.row), None, dtype=object)
        for name in answers.labels:
            served[np.isin(outcome.row, answers.rows[name][answers.rows[name] >= 0])] = name
        return pd.DataFrame(
            {
                "item": [self.task.ids[int(place)] for place in answers.items],
                "policy": label,
                "repeat": repeat,
                "score": _at(answers.score, outcome.row),
                "cost": outcome.cost,
                "latency": outcome.latency,
                "served": served,
                "why": outcome.why,
                "steps": [tuple(each) for each in steps],
            }
        )


def _labels(c: Comparison, policies: Sequence[Model]) -> list[str]:
    """The models inside the policies, in the comparison's order; two at least, to hold policies against."""
    used = {leaf.label for policy in policies for leaf in leaves(policy)}
    if strange := sorted(used - set(c.labels)):
        raise UsageError(
            f"{strange} took no part in the comparison, which has {c.labels}; replay policies made of those, "
            "or compare again with the missing ones in the list"
        )
    return [
        label for label in c.labels if label in used or (len(used) < 2 and label in (c.defaults or c.labels))
    ]


def _repeats(rerun: Rerun, policy: Model) -> list[Outcome]:
    """The policy on each repeat, as far as the recorded ones reach; the first one must."""
    everything = np.arange(len(rerun.answers.items))
    outcomes = [rerun.outcome(policy, everything, 0)]
    before = dict(rerun.answers.missing)
    for repeat in range(1, rerun.answers.repeats if not before else 1):
        outcome = rerun.outcome(policy, everything, repeat)
        if rerun.answers.missing:
            rerun.answers.missing.clear()
            break
        outcomes.append(outcome)
    return outcomes


def _missing(answers: Answers, names: Sequence[str]) -> str:
    parts = []
    for label, lack in answers.missing.items():
        price = lack.price()
        dollars = "at an unknown price" if price is None else f"for about ${price:,.4f}"
        parts.append(f"{lack.calls:,} calls of {label} {dollars}")
    which = f"{names[0]!r}" if len(names) == 1 else f"these {len(names)} policies"
    return (
        f"{which} would ask what nobody recorded: {'; '.join(parts)}. A draft or reason passed on, other "
        "settings, further repeats and a judge are calls of their own. Record them with "
        "kit.compare(task, [policy]) (or repeats=... for votes), then replay"
    )


def _calls(outcome: Outcome, graded: npt.NDArray[np.bool_]) -> float:
    counts = np.zeros(len(graded))
    for layer in outcome.layers:
        np.add.at(counts, layer.where, 1)
    return float(counts[graded].mean())


def _at(column: Floats, rows: npt.NDArray[np.int64]) -> Floats:
    return np.where(rows < 0, np.nan, column[rows])


def _item_means(values: Floats) -> Floats:
    """Means over the repeats that are known, (n, k) -> (n,); NaN where none is."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _mean(values: Floats, *, known: bool = False) -> float:
    chosen = values[~np.isnan(values)] if known else values
    return float(chosen.mean()) if len(chosen) else float("nan")
