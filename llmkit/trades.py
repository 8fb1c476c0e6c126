"""A comparison -> the pair of two of its models, what that leaves to gain, and a router learned from it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from . import coin, learned, payoff
from . import headroom as headrooms
from .compared import Compared
from .curves import Pair
from .errors import UsageError
from .headroom import Headroom
from .payoff import Oracle, oracle
from .scores import Scores, item_scores
from .stats import compare_pairs


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
    """The two ``labels`` of a comparison; the cheapest and the dearest single model if left out.

    Raises ``UsageError`` for fewer than two models, or no item with a grade and a cost of both.
    """
    chosen = list(labels or _singles(c))
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
    tosses = [_toss(c, label, names, rival) for label, rival in _rivals(c, names)]
    if not result.no_choice and (said := [_rival_in_words(toss) for toss in tosses if toss is not None]):
        result = replace(result, sentence=" ".join([result.sentence, *said]))
    if not c.simulated:
        return result
    return replace(result, sentence=f"SIMULATED answers: {result.sentence}", simulated=True)


def switching(c: Compared) -> coin.Verdicts:
    """Each policy of a comparison against a coin between its own two models, and the rivals of switching.

    Policies of other numbers of models are held against the cheapest and the dearest one. What has models
    that were not compared, or no item with all grades and costs, is left out.
    """
    tosses, pairs = [], dict[tuple[str, str], None]()
    for label, made in c.policies.items():
        inside = made.models if len(made.models) == 2 else tuple(_singles(c))
        if len(made.models) < 2 or len(inside) < 2 or not set(inside) <= set(c.labels):
            continue
        between = _ends(c, inside)
        toss = _toss(c, label, between, "")
        if toss is not None:
            tosses.append(toss)
            pairs |= {} if toss.pair.chord.no_choice else {between: None}
    for between in pairs:
        for label, rival in _rivals(c, between):
            toss = _toss(c, label, between, rival)
            tosses += [toss] if toss is not None and label not in {each.label for each in tosses} else []
    return coin.judged(tosses, simulated=c.simulated)


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


def _singles(c: Compared) -> list[str]:
    """The labels that are models, and no policies."""
    return [label for label in c.labels if label not in c.policies]


def _ends(c: Compared, labels: Sequence[str]) -> tuple[str, str]:
    """The cheapest and the dearest on the items they share."""
    scores = item_scores(c.frame, list(labels))
    ranked = sorted(labels, key=lambda label: _mean_cost(scores, label))
    return ranked[0], ranked[-1]


def _rivals(c: Compared, between: tuple[str, str]) -> list[tuple[str, str]]:
    """(label, in words) of what does without switching: another effort, or the same model asked again."""
    names = {label: _served(c, label) for label in _singles(c)}
    found = [(label, coin.same_model(label, between, names, c.defaults)) for label in _singles(c)]
    found = [(label, rival) for label, rival in found if rival and label not in between]
    once = [(label, made.models[0]) for label, made in c.policies.items() if len(made.models) == 1]
    return found + [(label, f"a retry of {model}") for label, model in once]


def _served(c: Compared, label: str) -> str | None:
    """What the provider calls the one model that answered; None if unknown."""
    known = set(c.frame.loc[c.frame["model"] == label, "served"].dropna()) if "served" in c.frame else set()
    return str(known.pop()) if len(known) == 1 else None


def _toss(c: Compared, label: str, between: tuple[str, str], rival: str) -> coin.Toss | None:
    """A policy beside two models on the items all three have in full; None where there are none."""
    weak, strong = between
    scores = item_scores(c.frame, [weak, strong, label], cluster=c.task.cluster)
    columns = [*(scores.means(name) for name in (weak, strong)), *(scores.costs[n] for n in (weak, strong))]
    q, cost = scores.means(label), scores.costs[label]
    kept = np.isfinite(np.column_stack([*columns, cost])).all(axis=1)
    if not kept.any():
        return None
    pair = Pair(*(values[kept] for values in columns))
    kind = c.policies[label].kind if label in c.policies and not rival else "other"
    moved = _moved(c, label, weak, scores.items[kept])
    did = payoff.told(pair, q[kept], cost[kept], moved, kind=kind)
    clusters = None if scores.clusters is None else scores.clusters[kept].tolist()
    return coin.Toss(label, weak, strong, pair, did, clusters, rival)


def _moved(c: Compared, label: str, weak: str, items: np.ndarray) -> npt.NDArray[np.bool_]:
    """Whether another than the weak model answered, (n,), told by who served most of an item's repeats."""
    if "served" not in c.frame:
        return np.zeros(len(items), dtype=bool)
    frame = c.frame[["model", "item", "served"]]
    own = set(frame.loc[frame["model"] == weak, "served"])
    mine = frame[frame["model"] == label]
    shares = (~mine["served"].isin(own)).groupby(mine["item"]).mean()
    return np.asarray(shares.reindex(items).to_numpy() > 0.5)


def _rival_in_words(toss: coin.Toss) -> str:
    found = coin.judged([toss])[toss.label]
    strong = compare_pairs(toss.outcome.quality, toss.pair.strong_quality, _array(toss.clusters))
    part = found.figures.cost / toss.pair.chord.strong_cost
    less = strong.estimate >= 0 and part <= 1
    end = f" It is no worse than {toss.strong} at {part:.2f} of its cost, so there is nothing to switch for."
    return found.sentence + end * less


def _array(labels: Sequence[Any] | None) -> npt.NDArray[Any] | None:
    return None if labels is None else np.asarray(labels)


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
