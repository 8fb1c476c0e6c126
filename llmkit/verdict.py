"""A frame -> the table and the sentence: who is better, how sure that is, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from . import stats
from .pairs import LEVEL, Pair, weigh_pairs
from .power import items_for_half_width
from .records import FAILED
from .scores import Scores, item_scores, rows_of
from .stats import COUNTS_ONLY, EXPLORATORY, FEWEST_CLUSTERS, Difference, Interval

SETTLED = 0.03  # half-width that "n more items would settle"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model in the table; cost and latency are means per task (USD, seconds), NaN if unknown."""

    label: str
    score: Interval | None
    right: float
    cost: float
    total_cost: float
    latency: float
    calls: int
    failed: int
    unusual: int
    settings: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The table, the pairs and the sentence of one comparison."""

    rows: tuple[ModelRow, ...]
    pairs: tuple[Pair, ...]
    items: int
    dropped: int
    simulated: bool
    sentence: str


def judge(
    frame: pd.DataFrame,
    labels: Sequence[str],
    *,
    cluster: str | None = None,
    settings: dict[str, str] | None = None,
    looked_early: bool = False,
) -> Verdict:
    """Weigh every model against the first, by the methods of ``stats.compare_pairs``.

    ``looked_early``: the run was free to stop when it liked what it saw, so that only intervals and p that
    hold at any time count.
    """
    of = rows_of(frame, labels)
    scores = item_scores(frame, labels, cluster=cluster, of=of)
    told = frame[["outcome", "cost", "latency"]]
    rows = tuple(_row(told[of[label]], label, scores, (settings or {}).get(label, "")) for label in labels)
    enough = len(scores.items) >= COUNTS_ONLY
    pairs = tuple(weigh_pairs(scores, labels, looked_early=looked_early)) if enough else ()
    simulated = bool((frame["simulated"] == True).any())  # noqa: E712 - the column holds None too
    sentence = " ".join(_sentences(rows, pairs, scores, simulated=simulated))
    return Verdict(rows, pairs, len(scores.items), scores.dropped, simulated, sentence)


def _row(mine: pd.DataFrame, label: str, scores: Scores, settings: str) -> ModelRow:
    counts = mine["outcome"].value_counts(dropna=False)
    failed = sum(int(counts.get(outcome, 0)) for outcome in FAILED)
    # What a failed call cost is in the ledger.
    costs = mine["cost"][~mine["outcome"].isin(list(FAILED))] if failed else mine["cost"]
    means = scores.means(label) if len(scores.items) else np.array([])
    return ModelRow(
        label=label,
        score=_interval(means, scores, single=scores.values[label].shape[1] == 1),
        right=float(means.sum()),
        cost=float(np.mean(scores.costs[label])) if len(means) else float("nan"),
        total_cost=float(costs.sum(skipna=False)),
        latency=float(mine["latency"].astype(float).median()),
        calls=len(mine),
        failed=failed,
        unusual=len(mine) - failed - int(counts.get("ok", 0)),
        settings=settings,
    )


def _interval(means: np.ndarray, scores: Scores, *, single: bool) -> Interval | None:
    n = len(means)
    if not n:
        return None
    if scores.clusters is not None:
        return _clustered_interval(means, scores.clusters)
    if scores.binary and single:
        return stats.wilson(int(means.sum()), n, LEVEL)
    if n > 1:
        return stats.mean_interval(means, LEVEL, binary=scores.binary)
    return Interval(float(means[0]), np.nan, np.nan, LEVEL, "t", n)


def _clustered_interval(means: np.ndarray, clusters: np.ndarray) -> Interval:
    if len(set(stats.cluster_index(clusters).tolist())) < FEWEST_CLUSTERS:
        return Interval(float(means.mean()), np.nan, np.nan, LEVEL, "CR1", len(means))
    found = stats.clustered(means, clusters, LEVEL)
    return Interval(found.estimate, found.low, found.high, LEVEL, "CR1", found.n)


def _sentences(
    rows: Sequence[ModelRow], pairs: Sequence[Pair], scores: Scores, *, simulated: bool
) -> list[str]:
    said = ["SIMULATED, so nothing here is about real models."] if simulated else []
    n = len(scores.items)
    if n == 0:
        return [*said, "No item has a graded answer of every model, so there is no verdict."]
    if n < COUNTS_ONLY:
        counts = ", ".join(f"{row.label} {row.right:g}" for row in rows)
        return [*said, f"Only {n} item{'s' * (n > 1)}, too few for a verdict. Right: {counts} of {n}."]
    if len(rows) == 1:
        score = rows[0].score
        share = f"{score.estimate:.1%} [{_bounds(score, ', ')}]" if score else "unknown"
        price = "at an unknown cost" if isnan(rows[0].cost) else f"${rows[0].cost:.6f} a task"
        return [*said, f"{rows[0].label} scores {share} on {n} items, {price}."]
    if n < EXPLORATORY:
        said.append(f"Exploratory, with only {n} items:")
    for pair in pairs:
        said.append(_better(pair, scores) + _price(pair, binary=scores.binary))
    return said


def _better(pair: Pair, scores: Scores) -> str:
    found, n = pair.difference, len(scores.items)
    if isnan(found.low):
        return _nothing_known(pair)
    bounds = f"[{_points(found.low)}, {_points(found.high)}]"
    if pair.fixed is not None:
        bounds = _early_bounds(pair.fixed, found, bounds)
    size = f"{_points(found.estimate)} points {bounds} on {n:,} items"
    split = ""
    if found.only_a is not None:
        split = f" (only {pair.label} right {found.only_a:,}, only {pair.baseline} right {found.only_b:,})"
    holm = f", p {pair.adjusted_p:.3g} by Holm" if pair.adjusted_p > found.p else ""
    if found.low > 0 and pair.adjusted_p < 1 - LEVEL:
        return f"{pair.label} better than {pair.baseline}: {size}{split}{holm}"
    if found.high < 0 and pair.adjusted_p < 1 - LEVEL:
        return f"{pair.baseline} better than {pair.label}: {size}{split}{holm}"
    more = _more_items(pair, scores)
    return f"{pair.label} or {pair.baseline}: too close to call, {size}{split}{holm}{more}"


def _nothing_known(pair: Pair) -> str:
    note = pair.difference.note
    if "equal" in note and pair.difference.estimate == 0:
        return f"{pair.label} and {pair.baseline} scored the same on every item: no information"
    return f"{pair.label} and {pair.baseline} differ by {_points(pair.difference.estimate)} points; {note}"


def _early_bounds(fixed: Difference, found: Difference, bounds: str) -> str:
    """Both intervals of a run that looked early, each with its label."""
    usual = f"[{_points(fixed.low)}, {_points(fixed.high)}]"
    if found.method != "any time":
        return f"{usual} (as of a fixed size; too narrow after looking early)"
    if isnan(fixed.low):
        return f"{bounds} at any time"
    return f"{bounds} at any time (as of a fixed size, too narrow after looking early: {usual})"


def _more_items(pair: Pair, scores: Scores) -> str:
    gaps = scores.means(pair.label) - scores.means(pair.baseline)
    needed = items_for_half_width(float(np.mean(gaps**2)), pair.difference.estimate, SETTLED)
    more = needed - len(gaps)
    return f"; about {more:,} more items would settle ±{SETTLED * 100:g} points" if more > 0 else ""


def _price(pair: Pair, *, binary: bool) -> str:
    if isnan(pair.extra_cost):
        return ". What it costs more is unknown."
    dearer = "more" if pair.extra_cost >= 0 else "less"
    start = f"; {pair.label} costs ${abs(pair.extra_cost):.6f} {dearer} a task"
    if pair.break_even is None:
        return start + "."
    what = "an error" if binary else "a whole point of score"
    return start + ", " + pair.break_even.sentence(pair.label, pair.baseline, what) + "."


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"


def table(verdict: Verdict) -> tuple[list[str], list[list[Any]]]:
    """Headers and cells of the one-row-a-model table, as a person reads them."""
    headers = [
        "model",
        "score",
        "95% interval",
        "USD a task",
        "USD in all",
        "median s",
        "calls",
        "not ok",
        "ran with",
    ]
    cells = []
    for row in verdict.rows:
        score = row.score
        cells.append(
            [
                row.label,
                f"{score.estimate:.1%}" if score else "–",
                _bounds(score, " to ") if score else "–",
                _money(row.cost),
                _money(row.total_cost, 4),
                "–" if isnan(row.latency) else f"{row.latency:.1f}",
                f"{row.calls:,}",
                _not_ok(row),
                row.settings,
            ]
        )
    return headers, cells


def _bounds(score: Interval, between: str) -> str:
    if isnan(score.low):
        return "no information"
    return f"{score.low:.1%}{between}{score.high:.1%}"


def _not_ok(row: ModelRow) -> str:
    parts = [f"{row.failed:,} failed"] * (row.failed > 0) + [f"{row.unusual:,} cut or refused"] * (
        row.unusual > 0
    )
    return ", ".join(parts) or "none"


def _money(value: float, digits: int = 6) -> str:
    return "unknown" if isnan(value) else f"{value:.{digits}f}"
