"""How sure a policy's gain over a coin is: paired bootstrap, permutation tests, and the items needed.

Items that share a document or a repository are resampled together. A curve or a best threshold looks better
than a coin even for a score that knows nothing, so a curve is tested against its own permutations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .curves import Axis, Curve, Floats, Pair, concave, hull_gain
from .distributions import normal_quantile
from .errors import UsageError
from .payoff import Outcome
from .stats import Interval

DRAWS = 2_000
PERMUTATIONS = 1_999
BLOCK = 1_000_000  # numbers held at once while resampling
FEWEST_FLIPPED = 10  # clusters whose signs are turned; fewer leave too few ways
CLOSE = 1e-12  # equal gains may differ by rounding, since sums run in another order


def gain_intervals(
    pair: Pair,
    outcomes: Sequence[Outcome],
    *,
    clusters: Sequence[Any] | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Interval]:
    """Percentile intervals for the gain over a coin of each policy, all means recomputed in each draw.

    The policies share their draws, so that fifty take hardly longer than one. Both ends are NaN for a pair
    that leaves nothing to choose. clusters: (n,) labels of what belongs together, or None.
    """
    both = [pair.weak_cost, pair.weak_quality, pair.strong_cost, pair.strong_quality]
    columns = np.column_stack([*both, *(x for o in outcomes for x in (o.cost, o.quality))])
    observed = gains(columns.mean(axis=0, keepdims=True))[0]
    sampled = np.vstack(
        [gains(weights @ columns) for weights in resampled(pair.n, draws, seed=seed, clusters=clusters)]
    )
    names = "bootstrap" if clusters is None else "cluster bootstrap"
    if pair.chord.no_choice:
        return [Interval(math.nan, math.nan, math.nan, level, names, pair.n) for _ in outcomes]
    low, high = np.quantile(sampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    bounds = zip(observed, low, high, strict=True)
    return [Interval(float(a), float(b), float(c), level, names, pair.n) for a, b, c in bounds]


def gain_interval(pair: Pair, outcome: Outcome, **options: Any) -> Interval:
    """``gain_intervals`` of one policy."""
    return gain_intervals(pair, [outcome], **options)[0]


def gains(means: Floats) -> Floats:
    """Gains over a coin (draws, policies) from means (draws, 4 + 2 * policies): cost and quality of the weak
    model, of the strong one, then of each policy."""
    c0, q0, c1, q1 = (means[:, [place]] for place in range(4))
    cost, quality = means[:, 4::2], means[:, 5::2]
    # A draw in which the two cost the same has no coin between them; it counts as all weak.
    spread = np.where(c1 > c0, c1 - c0, math.inf)
    return quality - (q0 + np.clip((cost - c0) / spread, 0, 1) * (q1 - q0))


def resampled(
    n: int, draws: int, *, seed: int = 0, clusters: Sequence[Any] | None = None
) -> Iterator[Floats]:
    """Blocks of weights (b, n), each row summing to 1: bootstrap draws of n items, or of whole clusters."""
    random = np.random.default_rng(seed)
    groups, group = n, np.arange(n)
    if clusters is not None:
        group = _numbered(clusters, n)
        groups = int(group.max()) + 1
        if groups < 2:
            raise UsageError("all items are in one cluster, so nothing can be resampled; give two or more")
    block = max(1, BLOCK // n)
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        picked = random.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, None]
        counts = np.bincount(picked.ravel(), minlength=rows * groups).reshape(rows, groups)
        weights = counts[:, group].astype(float)
        yield weights / weights.sum(axis=1, keepdims=True)


def permutation_p(
    pair: Pair, outcomes: Sequence[Outcome], *, permutations: int = PERMUTATIONS, seed: int = 0
) -> list[tuple[float, float]]:
    """Two one-sided p a policy, from dealing its decisions to the items at random, each at its own dollars.

    The first is (1 + #{D* >= D}) / (1 + permutations), D the gain over a coin: does the decision know
    anything? For a route that is the test against a coin. A cascade that knows nothing does worse than a
    coin, since it pays for first attempts, so it may know something and lose all the same; the second p
    takes from D* what a decision that knows nothing earns, and so asks for a gain over the coin. NaN for kind
    "other" and where there is nothing to choose.
    """
    chord, n = pair.chord, pair.n
    able = [place for place, o in enumerate(outcomes) if o.kind != "other"]
    found = [(math.nan, math.nan)] * len(outcomes)
    if chord.no_choice or not able:
        return found
    asked = [outcomes[place] for place in able]
    moved = np.array([o.moved for o in asked])
    late = np.array([o.kind == "cascade" for o in asked])[:, None]
    own = np.where(late, pair.strong_cost, pair.extra)
    base = np.array([o.cost.mean() for o in asked]) - (moved * own).mean(axis=1)
    facts = np.column_stack([pair.gain, pair.extra, pair.strong_cost])

    def gain(dealt: Floats) -> Floats:
        sums = moved @ dealt / n
        cost = base + np.where(late[:, 0], sums[:, 2], sums[:, 1])
        part = np.clip((cost - chord.weak_cost) / (chord.strong_cost - chord.weak_cost), 0, 1)
        return np.asarray(sums[:, 0] - part * (chord.strong_quality - chord.weak_quality))

    random = np.random.default_rng(seed)
    observed = gain(facts) - CLOSE
    null = np.array([gain(facts[random.permutation(n)]) for _ in range(permutations)])
    centred = null - gain(np.tile(facts.mean(axis=0), (n, 1)))
    for place, knows, pays in zip(able, _p(null >= observed), _p(centred >= observed), strict=True):
        found[place] = (float(knows), float(pays))
    return found


def flipped_p(
    pair: Pair,
    outcome: Outcome,
    *,
    clusters: Sequence[Any] | None = None,
    flips: int = PERMUTATIONS,
    seed: int = 0,
) -> float:
    """One-sided p that a policy of any kind earns no more than a coin, by turning signs of whole clusters.

    The gain over a coin is, to first order, a mean of one term an item; under no gain the terms' sums in the
    clusters are as likely turned round (Canay, Romano and Shaikh 2017). NaN under 10 clusters, or items, and
    where there is nothing to choose.
    """
    group = np.arange(pair.n) if clusters is None else _numbered(clusters, pair.n)
    sums = np.bincount(group, weights=_terms(pair, outcome))
    if pair.chord.no_choice or len(sums) < FEWEST_FLIPPED:
        return math.nan
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // len(sums))
    rows = [min(block, flips - start) for start in range(0, flips, block)]
    null = np.concatenate([random.choice([-1.0, 1.0], (count, len(sums))) @ sums for count in rows])
    return float(_p(null >= sums.sum() - CLOSE * pair.n))


def lift_interval(
    pair: Pair, outcome: Outcome, *, clusters: Sequence[Any] | None = None, level: float = 0.95, seed: int = 0
) -> Interval:
    """A percentile interval for the lift: mean gain of the moved over the mean gain of all.

    Its bounds are NaN where draws without a gap are too many, as for ``apgr_interval``.
    """
    columns = np.column_stack([outcome.moved * pair.gain, outcome.moved, pair.gain])

    def lifts(means: Floats) -> Floats:
        base = np.where((means[:, 1] > 0) & (means[:, 2] > 0), means[:, 1] * means[:, 2], math.nan)
        return np.asarray(means[:, 0] / base)

    estimate = float(lifts(columns.mean(axis=0, keepdims=True))[0])
    blocks = resampled(pair.n, DRAWS, seed=seed, clusters=clusters)
    drawn = np.concatenate([lifts(weights @ columns) for weights in blocks])
    low = high = math.nan
    if np.isnan(drawn).mean() <= (1 - level) / 2:
        low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()
    name = "bootstrap" if clusters is None else "cluster bootstrap"
    return Interval(estimate, low, high, level, name, pair.n)


def curve_p(
    line: Curve, pair: Pair, *, kind: str = "route", permutations: int = 499, seed: int = 0
) -> tuple[float, float]:
    """One-sided p of a curve's hull above the chord, and that height's mean under permuted scores.

    The hull of a score that knows nothing is above the chord too (by 0.6 points at 1,307 items of one
    benchmark); permuting cancels that. kind: "route", or "cascade" as ``curves.cascade_curve`` draws it.
    """
    if pair.chord.no_choice:
        return math.nan, math.nan
    dealt = _dealt(line, pair, kind, permutations, seed)
    null = np.concatenate([_hull_gains(line, pair, costs, qualities) for costs, qualities in dealt])
    return float(_p(null >= hull_gain(line, pair.chord) - CLOSE)), float(null.mean())


def null_band(
    line: Curve,
    pair: Pair,
    *,
    at: npt.ArrayLike,
    kind: str = "route",
    level: float = 0.95,
    permutations: int = 499,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Between which qualities a score that knows nothing draws such a curve, at costs ``at`` (m,), USD.

    NaN below the least cost. Pointwise: leaving the band somewhere proves nothing; see ``curve_p``.
    """
    asked, heights = np.asarray(at, dtype=float), []
    for costs, qualities in _dealt(line, pair, kind, permutations, seed):
        for cost, quality in zip(costs, qualities, strict=True):
            x, y = np.append(line.cost[0], cost), np.append(line.quality[0], quality)
            order = np.argsort(x, kind="stable")
            heights.append(np.interp(asked, x[order], y[order], left=math.nan))
    low, high = np.quantile(heights, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.asarray(low), np.asarray(high)


def apgr_interval(
    score: npt.ArrayLike,
    pair: Pair,
    *,
    by: Axis = "dollars",
    clusters: Sequence[Any] | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """A percentile interval for a free router's APGR (no fee).

    Its bounds are NaN where too many draws have no gap to recover: when the gap's own interval holds 0.
    """
    scores = np.asarray(score, dtype=float)
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), pair.n - 1)
    gain, extra = pair.gain[order], pair.extra[order] if by == "dollars" else np.ones(pair.n)

    def figure(weights: Floats) -> Floats:
        up = weights[:, order]
        y = np.pad(np.cumsum(up * gain, axis=1)[:, ends], ((0, 0), (1, 0)))
        x = np.pad(np.cumsum(up * extra, axis=1)[:, ends], ((0, 0), (1, 0)))
        sums = ((y[:, 1:] + y[:, :-1]) * np.diff(x, axis=1)).sum(axis=1) / 2
        whole = np.where((y[:, -1] > 0) & (x[:, -1] > 0), y[:, -1] * x[:, -1], math.nan)
        return np.asarray(sums / whole)

    estimate = float(figure(np.full((1, pair.n), 1 / pair.n))[0])
    blocks = resampled(pair.n, draws, seed=seed, clusters=clusters)
    drawn = np.concatenate([figure(weights) for weights in blocks])
    low = high = math.nan
    if np.isnan(drawn).mean() <= (1 - level) / 2:
        low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()
    name = "bootstrap" if clusters is None else "cluster bootstrap"
    return Interval(estimate, low, high, level, name, pair.n)


def held_out(
    pair: Pair,
    choose: Callable[[Pair, Floats], float],
    score: npt.ArrayLike,
    *,
    clusters: Sequence[Any] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> npt.NDArray[np.bool_]:
    """Which items (n,) move when each fold's threshold was chosen on the others.

    choose(pair, score) gives the threshold; items of at least that score move. Clusters, (n,) labels of what
    belongs together, are never split. Choosing and reporting on the same items makes even a random score
    beat the strong model about one time in four.
    """
    scores = np.asarray(score, dtype=float)
    group = np.arange(pair.n) if clusters is None else _numbered(clusters, pair.n)
    groups = int(group.max()) + 1
    if not 2 <= folds <= groups:
        raise UsageError(
            f"folds is {folds!r}; give 2 or more, up to the {groups} items or clusters there are"
        )
    fold = (np.random.default_rng(seed).permutation(groups) % folds)[group]
    moved = np.zeros(pair.n, dtype=bool)
    for k in range(folds):
        rest, here = fold != k, fold == k
        moved[here] = scores[here] >= choose(part(pair, rest), scores[rest])
    return moved


def part(pair: Pair, kept: npt.NDArray[np.bool_]) -> Pair:
    """The items of a pair that are kept, (n,) bool."""
    whole = (pair.weak_quality, pair.strong_quality, pair.weak_cost, pair.strong_cost)
    return Pair(*(values[kept] for values in whole))


def gain_error(n: int, *, spent: float, disagreement: float) -> float:
    """The planned standard error of a gain over a coin: sqrt(p (1 - p) d / n).

    spent: p, the share of the extra dollars. disagreement: d = E[(strong - weak)^2] of the qualities.
    """
    return math.sqrt(spent * (1 - spent) * disagreement / n)


def items_needed(
    gain: float, *, spent: float, disagreement: float, power: float = 0.8, level: float = 0.95
) -> int:
    """Items, to the nearest one, at which a gain is found with this power by a two-sided test."""
    if not gain > 0:
        raise UsageError(f"gain is {gain!r}; give the smallest gain worth finding, above 0")
    z = normal_quantile(0.5 + level / 2) + normal_quantile(power)
    return round(z * z * spent * (1 - spent) * disagreement / gain**2)


def _dealt(
    line: Curve, pair: Pair, kind: str, permutations: int, seed: int
) -> Iterator[tuple[Floats, Floats]]:
    """Blocks of costs and qualities (b, m) of the curve's points but the first, its scores permuted."""
    ends = np.rint(line.moved[1:] * pair.n).astype(int) - 1
    paid = pair.strong_cost if kind == "cascade" else pair.extra
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // pair.n)
    for start in range(0, permutations, block):
        orders = random.permuted(np.tile(np.arange(pair.n), (min(block, permutations - start), 1)), axis=1)
        costs = line.cost[0] + np.cumsum(paid[orders], axis=1)[:, ends] / pair.n
        yield costs, line.quality[0] + np.cumsum(pair.gain[orders], axis=1)[:, ends] / pair.n


def _hull_gains(line: Curve, pair: Pair, costs: Floats, qualities: Floats) -> Floats:
    """``curves.hull_gain`` of many curves (b, m) that begin where ``line`` does."""
    chord, rows = pair.chord, len(costs)
    fixed = np.tile([chord.weak_cost, line.cost[0], chord.strong_cost], (rows, 1))
    x = np.hstack([fixed[:, :2], costs, fixed[:, 2:]])
    heights = np.tile([chord.weak_quality, line.quality[0], chord.strong_quality], (rows, 1))
    y = np.hstack([heights[:, :2], qualities, heights[:, 2:]])
    if (np.diff(x, axis=1) < 0).any():
        order = np.argsort(x, axis=1, kind="stable")
        x, y = np.take_along_axis(x, order, axis=1), np.take_along_axis(y, order, axis=1)
    x, y, row = concave(x.ravel(), y.ravel(), np.repeat(np.arange(rows), x.shape[1]))
    same = row[1:] == row[:-1]
    best = np.maximum.reduceat(y, np.append(0, np.flatnonzero(~same) + 1))[row]
    y = np.where(np.append(False, same & (np.diff(y) < 0)), best, y)
    low, high = chord.weak_cost, chord.strong_cost
    x0, x1 = np.clip(x[:-1], low, high), np.clip(x[1:], low, high)
    slope = np.where(np.diff(x) > 0, np.diff(y) / np.where(np.diff(x) > 0, np.diff(x), 1), 0)
    middle = y[:-1] + slope * ((x0 + x1) / 2 - x[:-1])
    area = np.bincount(row[:-1], weights=np.where(same, middle * (x1 - x0), 0), minlength=rows)
    return area / (high - low) - (chord.weak_quality + chord.strong_quality) / 2


def _terms(pair: Pair, outcome: Outcome) -> Floats:
    """What each item adds to the gain over a coin, to first order, (n,); their mean is the gain."""
    chord = pair.chord
    if pair.chord.no_choice:
        return np.full(pair.n, math.nan)
    spent = chord.spent(float(outcome.cost.mean()))
    part = min(max(spent, 0.0), 1.0)
    terms = outcome.quality - pair.weak_quality - part * pair.gain
    if 0 < spent < 1:
        slope = float(pair.gain.mean() / pair.extra.mean())
        terms = terms - slope * (outcome.cost - pair.weak_cost - part * pair.extra)
    return terms


def _p(beaten: npt.NDArray[np.bool_]) -> Floats:
    return np.asarray((1 + beaten.sum(axis=0)) / (1 + len(beaten)))


def _numbered(labels: Sequence[Any], n: int) -> npt.NDArray[np.int_]:
    if len(labels) != n:
        raise UsageError(f"clusters has {len(labels)} labels for {n} items; give one an item")
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels])
