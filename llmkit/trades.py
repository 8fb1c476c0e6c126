"""A comparison -> the pair of two of its models, what that leaves to gain, and a router learned from it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import headroom as headrooms
from . import learned
from .compared import Compared
from .curves import Pair
from .errors import UsageError
from .headroom import Headroom
from .payoff import Oracle, oracle
from .scores import Scores, item_scores


@dataclass(frozen=True, slots=True, eq=False)
class Trade:
    """Two models of a comparison on the items that both have graded and priced, (n,).

    Attributes:
        weak, strong: labels; the cheaper on average, and the dearer.
        pair: item means. places: of the items in the task. clusters: (n,), or None.
        best: the oracle, on repeats of its own where every item has them.
    """

    weak: str
    strong: str
    pair: Pair
    places: tuple[int, ...]
    clusters: tuple[Hashable, ...] | None
    best: Oracle


def trade(c: Compared, labels: Sequence[str] | None = None) -> Trade:
    """The two ``labels`` of a comparison; its cheapest and its dearest model where they are left out.

    Raises ``UsageError`` for fewer than two models, or no item with a grade and a cost of both.
    """
    chosen = list(labels or c.labels)
    strange = sorted(set(chosen) - set(c.labels))
    if strange or len(set(chosen)) < 2 or (labels is not None and len(labels) != 2):
        raise UsageError(f"models is {chosen!r}; give two of {c.labels}, or none with two or more compared")
    scores = item_scores(c.frame, chosen)
    ranked = sorted(chosen, key=lambda label: _mean_cost(scores, label))
    weak, strong = ranked[0], ranked[-1]
    if labels is None and len(chosen) > 2:
        scores = item_scores(c.frame, [weak, strong])
    columns = [scores.means(weak), scores.means(strong), scores.costs[weak], scores.costs[strong]]
    kept = np.isfinite(np.column_stack(columns)).all(axis=1)
    if not kept.any():
        raise UsageError(f"no item has a grade and a known cost of both {weak!r} and {strong!r}")
    pair = Pair(*(values[kept] for values in columns))
    place = {item: n for n, item in enumerate(c.task.ids)}
    places = tuple(place[item] for item in scores.items[kept].tolist())
    clusters = tuple(str(c.task.cluster_of(n)) for n in places) if c.task.cluster else None
    values = [scores.values[label][kept] for label in (weak, strong)]
    return Trade(weak, strong, pair, places, clusters, _oracle(pair, *values))


def headroom(c: Compared, labels: Sequence[str] | None = None) -> Headroom:
    """What switching between two models of a comparison could earn at most; see ``trade`` for ``labels``."""
    found = trade(c, labels)
    names = (found.weak, found.strong)
    result = headrooms.headroom(found.pair, clusters=found.clusters, best=found.best, names=names)
    if not c.simulated:
        return result
    return replace(result, sentence=f"SIMULATED answers: {result.sentence}", simulated=True)


def fit_router(
    c: Compared,
    *,
    models: Sequence[str] | None = None,
    folds: int = 5,
    groups: str | Sequence[Hashable] | None = None,
    categories: str | None = None,
    words: bool = True,
    seed: int = 0,
) -> learned.Router:
    """Learn from a comparison which prompts to move up: ``kit.route(sonnet, opus, by=router, at=...)``.

    Asked about a prompt of the comparison, it answers from the fold that had not seen that prompt, so that
    ``kit.replay`` on the same comparison is honest. It returns expected gain per extra dollar;
    ``router.cut(prompts, share)`` is the ``at`` that moves a share of prompts up.

    Args:
        models: two labels; the cheapest and the dearest where left out.
        groups: what is never split between folds: a column of the task, or a label for each of its items; its
            cluster where left out.
        categories: a column of the task with a category an item.
        words: learn words and length; else categories alone.

    Raises ``UsageError`` under 200 items that both models have graded. Warns under 500.
    """
    found = trade(c, models)
    texts = [c.task.prompt_of(place) for place in found.places]
    named = _column(c, categories, found.places) if categories else None
    router = learned.fit(
        texts,
        found.pair.gain,
        found.pair.extra,
        categories=None if named is None else [str(name) for name in named],
        groups=_groups(c, groups, found),
        words=words,
        folds=folds,
        seed=seed,
    )
    notes = filter(None, ("learned from SIMULATED answers" if c.simulated else "", router.note))
    return replace(router, note="; ".join(notes))


def _groups(c: Compared, groups: str | Sequence[Hashable] | None, found: Trade) -> Sequence[Hashable] | None:
    if groups is None:
        return found.clusters
    if isinstance(groups, str):
        return _column(c, groups, found.places)
    if len(groups) != len(c.task):
        raise UsageError(f"groups has {len(groups)} labels for {len(c.task)} items; give one an item")
    return [groups[place] for place in found.places]


def _column(c: Compared, name: str, places: Sequence[int]) -> list[Hashable]:
    if name not in c.task.frame.columns:
        raise UsageError(f"the task has no column {name!r}; it has {list(c.task.frame.columns)}")
    values = c.task.frame[name].tolist()
    return [values[place] for place in places]


def _mean_cost(scores: Scores, label: str) -> float:
    costs = scores.costs[label]
    known = costs[np.isfinite(costs)]
    return float(known.mean()) if len(known) else float("inf")


def _oracle(pair: Pair, weak: np.ndarray, strong: np.ndarray) -> Oracle:
    """On repeats where all of them are graded; their costs are the item's mean."""
    costs = (pair.weak_cost, pair.strong_cost)
    if weak.shape[1] < 2 or not np.isfinite(np.hstack([weak, strong])).all():
        return oracle(pair.weak_quality, pair.strong_quality, *costs)
    return oracle(weak, strong, *(np.repeat(cost[:, None], weak.shape[1], axis=1) for cost in costs))
