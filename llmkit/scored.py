"""A replayed policy -> the scores it decides by, on every answer of its two models, and the curve of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .answers import Floats, Ints
from .cascade import Cascade
from .curves import Pair
from .errors import UsageError
from .learned import Router
from .model import Model
from .outcomes import Outcome
from .payoff import Kind, Oracle, oracle
from .payoff import Outcome as Judged
from .policies import Mix, Named, Threshold
from .policy import Policy
from .rerun import Rerun
from .tradeoff import Tradeoff

Bools = npt.NDArray[np.bool_]


def tradeoff(rerun: Rerun, policy: Model, outcomes: Sequence[Outcome]) -> Tradeoff:
    """The curve of a policy over what it did on each repeat.

    Raises ``UsageError`` for a policy that is no route or cascade of two single models, or where no answer
    has a grade and a cost of both.
    """
    if not isinstance(policy, Policy) or len(policy.models) != 2 or any(map(_nested, policy.models)):
        raise UsageError(f"{policy.label!r} has no curve; a route or a cascade of two single models has")
    weak, strong = (model.label for model in policy.models)
    if weak == strong or (isinstance(policy, Cascade) and policy.draws(1)[0]):
        raise UsageError(f"both models of {policy.label!r} are {weak!r}, so no curve runs between them")
    swapped, answers, repeats = rerun.swapped(policy), rerun.answers, range(len(outcomes))
    if not isinstance(swapped, Policy):
        raise UsageError(f"{policy.label!r} has no curve")
    found = [rerun.scores(swapped, repeat) for repeat in repeats]
    score, fee = (np.concatenate([each[part] for each in found]) for part in (0, 1))
    rows = {name: np.concatenate([answers.rows[name][:, r] for r in repeats]) for name in (weak, strong)}
    q_w, q_s = (_at(answers.score, rows[name]) for name in (weak, strong))
    c_w, c_s = (_at(answers.cost, rows[name]) for name in (weak, strong))
    own = np.concatenate([outcome.row for outcome in outcomes])
    q, cost = _at(answers.score, own), np.concatenate([outcome.cost for outcome in outcomes])
    kept = ~np.isnan(np.array([score, fee, q_w, q_s, c_w, c_s, q, cost])).any(axis=0)
    if not kept.any():
        raise UsageError(f"no answer has a grade and a known cost of {[policy.label, weak, strong]}")
    columns = (q_w, q_s, c_w, c_s)
    kind: Kind = "cascade" if isinstance(policy, Cascade) else "route"
    return Tradeoff(
        policy.label,
        weak,
        strong,
        by=_named(policy),
        kind=kind,
        pair=Pair(*(values[kept] for values in columns)),
        score=score[kept],
        fee=fee[kept],
        own=Judged(q[kept], cost[kept], (own != rows[weak])[kept].astype(float), kind),
        best_of_both=_oracle(columns, kept, len(outcomes)),
        clusters=_clusters(rerun, kept, len(outcomes)),
        doubt=_doubt(policy, score[kept]),
        simulated=answers.simulated,
        items=_kept_ids(rerun, kept, len(outcomes)),
    )


def _nested(model: Model) -> bool:
    return isinstance(model, Policy)


def _at(values: Floats, rows: Ints) -> Floats:
    return np.where(rows < 0, np.nan, values[rows])


def _named(policy: Policy) -> str:
    """What decides, in a word or two."""
    if isinstance(policy, Cascade):
        return policy.checks[0].name
    if isinstance(policy, Mix):
        return "a coin"
    by = policy.by if isinstance(policy, Threshold | Named) else None
    if isinstance(by, Router):
        return "a learned router"
    return "length" if by is len else str(getattr(by, "__name__", type(by).__name__))


def _oracle(columns: Sequence[Floats], kept: Bools, repeats: int) -> Oracle:
    """On repeats of their own where every item has them all."""
    if repeats > 1 and kept.all():
        q_w, q_s, c_w, c_s = (values.reshape(repeats, -1).T for values in columns)
        return oracle(q_w, q_s, c_w, c_s)
    q_w, q_s, c_w, c_s = (values[kept] for values in columns)
    return oracle(q_w, q_s, c_w, c_s)


def _kept_ids(rerun: Rerun, kept: Bools, repeats: int) -> tuple[str, ...]:
    names = [rerun.answers.task.ids[place] for place in rerun.answers.items.tolist()]
    return tuple(name for name, has in zip(names * repeats, kept.tolist(), strict=True) if has)


def _clusters(rerun: Rerun, kept: Bools, repeats: int) -> tuple[str, ...] | None:
    """What belongs together: the task's clusters, else the repeats of an item."""
    answers = rerun.answers
    if not answers.task.cluster and repeats == 1:
        return None
    names = [
        str(answers.task.cluster_of(place) if answers.task.cluster else place)
        for place in answers.items.tolist()
    ]
    return tuple(name for name, has in zip(names * repeats, kept.tolist(), strict=True) if has)


def _doubt(policy: Policy, score: Floats) -> str:
    """Why the threshold a route is set to may have been found on the items it is now judged by."""
    if not isinstance(policy, Threshold) or not np.isclose(score, policy.at, rtol=1e-9, atol=0).any():
        return ""
    if float(policy.at).is_integer() and not isinstance(policy.by, Router):
        return ""
    return (
        f"Its threshold {policy.at:.4g} is the score of one of these very items: if their grades had a say "
        "in choosing it, this gain is optimistic, and the one chosen on other folds is to be believed."
    )
