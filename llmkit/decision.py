"""Item scores and prices -> what to decide: the worth of the dearer model, and what the other methods say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import calibration, intervals, stats, worth
from .buying import Prices, Unknowns
from .errors import UsageError
from .pairs import difference
from .repeats import best_repeats, variance_split
from .scores import Scores


def weigh(
    scores: Scores,
    label: str,
    baseline: str,
    *,
    cost_of_error: float,
    cost_of_minute: float = 0.0,
    horizon: int = 1,
    item_price: float = 0.0,
    label_price: float = 0.0,
    corrected: calibration.Corrected | None = None,
    simulated: bool = False,
) -> worth.Worth:
    """``worth.decide`` for two models of a comparison; the arguments are those of ``Comparison.worth``.

    Raises ``UsageError`` where a cost, or a latency that has a price, is unknown.
    """
    extra = scores.costs[label] - scores.costs[baseline]
    if np.isnan(extra).any():
        raise UsageError("the cost of some answers is unknown, so their worth is too; see c.frame.cost")
    calls = _call_price(scores, label, baseline)
    prices = Prices(calls * scores.values[label].shape[1] + item_price, calls, label_price)
    found, unknowns = difference(scores, label, baseline), _unknowns(scores, label, baseline)
    gains: np.ndarray | None = scores.means(label) - scores.means(baseline)
    if corrected is not None:
        found, gains = corrected.difference, None
        unknowns = Unknowns(labels=corrected.labels, label_noise=corrected.noise)
    return worth.decide(
        found,
        extra + waiting(scores, label, baseline, cost_of_minute),
        cost_of_error=cost_of_error,
        horizon=horizon,
        names=(label, baseline),
        prices=prices,
        unknowns=unknowns,
        simulated=simulated,
        gains=gains,
        clusters=scores.clusters,
    )


def corrected(scores: Scores, label: str, baseline: str, human: pd.DataFrame) -> calibration.Corrected:
    """A judge's difference corrected by people's scores of some items; see ``Comparison.corrected``."""
    missing = {label, baseline} - set(human.columns)
    if missing:
        raise UsageError(f"human lacks the column(s) {sorted(missing)}; name them as the models' labels")
    judged = pd.Series(scores.means(label) - scores.means(baseline), index=scores.items)
    people = (human[label] - human[baseline]).astype(float).dropna()
    both = people.index.intersection(judged.index)
    return calibration.corrected_difference(
        judged.drop(both).to_numpy(), people.loc[both].to_numpy(), judged.loc[both].to_numpy()
    )


def other_methods(scores: Scores, label: str, baseline: str) -> pd.DataFrame:
    """One row a method, the verdict's own first; see ``Comparison.tests``."""
    found = difference(scores, label, baseline)
    rows: list[tuple[str, float, float, float]] = [(found.method, found.low, found.high, found.p)]
    a, b = scores.means(label), scores.means(baseline)
    if found.only_a is not None and found.only_b is not None and scores.values[label].shape[1] == 1:
        both = int(((a == 1) & (b == 1)).sum())
        neither = found.n - both - found.only_a - found.only_b
        rows += _relatives(intervals.Table(both, found.only_a, found.only_b, neither))
    if found.n > 1 and scores.clusters is None:
        t = stats.paired_t(a - b)
        rows.append((t.method, t.low, t.high, t.p))
    return pd.DataFrame(rows, columns=["method", "low", "high", "p"]).drop_duplicates("method")


def items_or_repeats(scores: Scores, label: str, baseline: str, *, item_price: float) -> pd.DataFrame:
    """What the difference's variance is made of, and the best repeats; see ``Comparison.repeats``."""
    split = variance_split(scores.values[label], scores.values[baseline])
    had = scores.values[label].shape[1]
    whole = split.per_item(had)
    share = split.omega2 / whole if whole else float("nan")
    best = best_repeats(split, item_price, _call_price(scores, label, baseline))
    return pd.DataFrame([{"had": had, "items": share, "repeats": 1 - share, "best": best}])


def _call_price(scores: Scores, label: str, baseline: str) -> float:
    """USD of one call to each of the two."""
    return float(scores.costs[label].mean() + scores.costs[baseline].mean())


def waiting(scores: Scores, label: str, baseline: str, cost_of_minute: float) -> np.ndarray | float:
    """USD of the extra time to wait, per item."""
    if cost_of_minute < 0:
        raise UsageError(f"cost_of_minute is {cost_of_minute!r}; give USD, 0 or more")
    if cost_of_minute == 0:
        return 0.0
    seconds = scores.seconds[label] - scores.seconds[baseline]
    if np.isnan(seconds).any():
        raise UsageError("the latency of some answers is unknown, so waiting has no price; see c.frame")
    return np.asarray(seconds * cost_of_minute / 60)


def _unknowns(scores: Scores, label: str, baseline: str) -> Unknowns | None:
    a, b = scores.values[label], scores.values[baseline]
    if min(a.shape) < 2 or np.isnan(a).any() or np.isnan(b).any():
        return None
    split = variance_split(a, b)
    return Unknowns(repeats=a.shape[1], repeat_noise=split.sigma2_a + split.sigma2_b)


def _relatives(cells: intervals.Table) -> list[tuple[str, float, float, float]]:
    tests = stats.mcnemar(cells.only_a, cells.only_b)
    nan = float("nan")
    rows = [
        (name, nan, nan, p)
        for name, p in (
            ("McNemar, corrected", tests.corrected),
            ("McNemar, exact", tests.exact),
            ("McNemar, mid-p", tests.mid_p),
        )
    ]
    others = (intervals.wald, intervals.agresti_min, intervals.bonett_price, intervals.newcombe_paired)
    return rows + [(found.method, found.low, found.high, nan) for found in (f(cells) for f in others)]
