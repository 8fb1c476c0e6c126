"""Pictures of dollars: score against cost, when the dearer model is worth it, and what the money went to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import worth
from .breakeven import BreakEven, money, price_set
from .canvas import HATCHES, MARKERS, canvas, legend, place_labels, rows_axis, rows_of, say
from .compared import Compared
from .decision import waiting
from .errors import UsageError
from .pairs import difference
from .records import FAILED
from .scores import Scores, item_scores
from .shares import KINDS
from .stats import clustered, critical

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RADIUS = math.sqrt(-2 * math.log(0.05))  # of the 95 % region of two normal variables, in standard errors
_TURN = np.linspace(0, 2 * np.pi, 121)
_DECADES = 1.5  # the worth-it curve reaches this far beyond the break-even
_NAMES = {
    "input": "input",
    "cache": "cache",
    "output": "output",
    "thinking": "thinking",
    "failed": "failed attempts",
    "other": "other, or not told by kind",
}


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """Score against USD per 1,000 tasks, with a joint 95 % region for each model.

    Attributes:
        data: one row a model: score and dollars with bounds, and whether no other model beats it in both.
        regions: model -> (k, 2) dollars and scores along the edge of its region.
    """

    data: pd.DataFrame
    regions: Mapping[str, np.ndarray]
    title: str
    simulated: bool

    @classmethod
    def of(cls, c: Compared) -> Frontier:
        """Raises ``UsageError`` if a score or cost is unknown."""
        rows = [row for row in c.verdict.rows if row.score is not None]
        if not rows or any(math.isnan(row.cost) for row in rows):
            raise UsageError(
                "a frontier needs a score and a known cost for every model; see c and c.frame.cost"
            )
        scores = item_scores(c.frame, c.labels, cluster=c.task.cluster)
        data = pd.DataFrame(
            {
                "model": [row.label for row in rows],
                "dollars": [1000 * row.cost for row in rows],
                "score": [row.score.estimate for row in rows if row.score],
                "low": [row.score.low for row in rows if row.score],
                "high": [row.score.high for row in rows if row.score],
            }
        )
        data["efficient"] = _efficient(data)
        regions = {row.label: _region(scores, row.label) for row in rows}
        title = f"{c.task.name}: what a better score costs ({c.verdict.items:,} items)"
        return cls(data, regions, title, c.simulated)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Up and to the left is better; returns the Axes."""
        note = "95% joint regions. The items are the same, so regions that overlap are no tie: see the forest"
        ground = canvas(ax, title=self.title, notes=[note], simulated=self.simulated)
        ax = ground.ax
        for number, row in enumerate(rows_of(self.data)):
            colour, region = ground.colour(number), self.regions[row["model"]]
            ax.fill(region[:, 0], 100 * region[:, 1], color=colour, alpha=0.18, linewidth=0)
            ax.plot(region[:, 0], 100 * region[:, 1], color=colour, linewidth=1)
            marker = MARKERS[number % len(MARKERS)]
            ax.plot(row["dollars"], 100 * row["score"], marker, color=colour, markersize=8, zorder=4)
        best = self.data[self.data["efficient"]].sort_values("dollars")
        if len(best) > 1:
            ax.plot(best["dollars"], 100 * best["score"], "--", color=ground.muted, linewidth=1, zorder=1)
        ax.set_xlabel("USD per 1,000 tasks")
        ax.set_ylabel("score, %")
        ax.margins(x=0.12, y=0.12)
        ax.set_xlim(left=0)
        points = list(zip(self.data["dollars"], 100 * self.data["score"], strict=True))
        place_labels(ground, points, list(self.data["model"]))
        return ax


@dataclass(frozen=True, slots=True, eq=False)
class WorthIt:
    """The probability that the dearer model is worth it, over what an error costs.

    Attributes:
        data: price of an error (USD) and probability, row by row.
        break_even: where the two are worth the same; see ``breakeven.BreakEven``.
        at: the price of an error that is asked about, or None.
    """

    data: pd.DataFrame
    break_even: BreakEven
    at: float | None
    names: tuple[str, str]
    title: str
    note: str
    simulated: bool

    @classmethod
    def of(
        cls,
        c: Compared,
        *,
        model: str | None = None,
        cost_of_error: float | None = None,
        cost_of_minute: float = 0.0,
    ) -> WorthIt:
        """The one other model, or ``model``, against the baseline; raises ``UsageError`` as worth does."""
        label, baseline = challenger(c, model), c.labels[0]
        scores = item_scores(c.frame, c.labels, cluster=c.task.cluster)
        extra = scores.costs[label] - scores.costs[baseline]
        if np.isnan(extra).any():
            raise UsageError("the cost of some answers is unknown, so their worth is too; see c.frame.cost")
        extra = extra + waiting(scores, label, baseline, cost_of_minute)
        found, gains = difference(scores, label, baseline), scores.means(label) - scores.means(baseline)
        even = price_set(found, extra, gains, clusters=scores.clusters)
        prices = _prices(even, float(extra.mean()), cost_of_error)
        chances = worth.probabilities(found, extra, prices, gains=gains, clusters=scores.clusters)
        what = "an error" if scores.binary else "a whole point of score"
        dearer = "more" if extra.mean() >= 0 else "less"
        timed = f", waiting at ${money(cost_of_minute)} a minute included" if cost_of_minute else ""
        note = f"{label} costs ${money(abs(float(extra.mean())))} {dearer} a task{timed}, "
        return cls(
            *(
                pd.DataFrame({"price": prices, "probability": chances}),
                even,
                cost_of_error,
                (label, baseline),
            ),
            title=f"{c.task.name}: is {label} worth its price over {baseline}?",
            note=note + even.sentence(label, baseline, what),
            simulated=c.simulated,
        )

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """The curve over a logarithmic axis, the break-even's 95 % interval shaded; returns the Axes."""
        ground = canvas(ax, title=self.title, notes=[self.note], simulated=self.simulated)
        ax, low, high = ground.ax, self.data["price"].min(), self.data["price"].max()
        ax.set_xscale("log")
        even = self.break_even
        bounded = even.shape in ("interval", "at least", "at most")
        if bounded:
            band = (max(even.low, low), min(even.high, high))
            ax.axvspan(*band, color=ground.colour(1), alpha=0.15, linewidth=0, label="break-even, 95%")
        ax.axhline(0.5, color=ground.muted, linewidth=0.8, linestyle="--")
        ax.plot(self.data["price"], self.data["probability"], color=ground.colour(0), linewidth=2)
        if self.at is not None:
            chance = float(np.interp(math.log(self.at), np.log(self.data["price"]), self.data["probability"]))
            ax.plot(self.at, chance, "o", color=ground.colour(0), markersize=8)
            place_labels(ground, [(self.at, chance)], [f"${money(self.at)}: {chance:.0%}"])
        ax.set_xlim(low, high)
        ax.set_ylim(-0.03, 1.03)
        ax.yaxis.set_major_formatter("{x:.0%}")
        ax.xaxis.set_major_formatter(lambda price, _: say(f"${money(price)}"))
        ax.set_xlabel("what one error costs, USD (logarithmic)")
        ax.set_ylabel("probability of being worth it")
        if bounded:
            ax.legend(loc="best", fontsize=9)
        return ax


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What the money went to: USD per 1,000 calls by kind.

    Attributes:
        data: one row a model, one column a kind; NaN where no cost is known.
        notes: what is not in it.
    """

    data: pd.DataFrame
    title: str
    notes: tuple[str, ...]
    simulated: bool

    @classmethod
    def of(cls, c: Compared) -> Costs:
        """Calls whose cost is unknown are left out, and counted in ``notes``."""
        data = pd.DataFrame({label: _mean_costs(c.frame, label) for label in c.labels}).T
        notes = []
        for label in c.labels:
            mine = c.frame[c.frame["model"] == label]
            lost = mine["outcome"].isin(list(FAILED))
            blind = int((mine["cost"].isna() & ~lost).sum())
            if blind:
                notes.append(f"Without {blind:,} answer(s) of {label} whose cost is unknown")
            if lost.any():
                notes.append(f"{int(lost.sum()):,} call(s) of {label} failed; the ledger has what they cost")
        return cls(data, f"{c.task.name}: what the money goes to", tuple(notes), c.simulated)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """One bar a model, stacked by kind; returns the Axes."""
        height = 1.6 + 0.5 * len(self.data)
        ground = canvas(
            ax, title=self.title, notes=self.notes, simulated=self.simulated, height=height, rows=True
        )
        ax = ground.ax
        known = self.data.fillna(0.0)
        left = np.zeros(len(known))
        for number, kind in enumerate(known.columns):
            if not (known[kind] > 0).any():
                continue
            look: dict[str, Any] = {
                "facecolor": ground.muted if kind == "other" else ground.colour(number),
                "hatch": HATCHES[number],
                "edgecolor": ground.ink,
            }
            name = _NAMES.get(kind, kind)
            ax.barh(range(len(known)), known[kind], left=left, height=0.55, label=name, linewidth=0.6, **look)
            left += known[kind].to_numpy()
        rows_axis(ground, list(known.index))
        for row, total in enumerate(self.data.sum(axis=1, min_count=1)):
            said = "unknown" if math.isnan(total) else f"${money(total)}"
            ground.write(say(said), (left[row], row), offset=(5, 0), va="center", fontsize=10)
        ax.set_xlim(0, 1.18 * max(left.max(), 1e-12))
        ax.set_xlabel("USD per 1,000 calls")
        legend(ground)
        return ax


def challenger(c: Compared, model: str | None) -> str:
    """The model to hold against the baseline: ``model``, or the only other one."""
    others = c.labels[1:]
    if model is None and len(others) == 1:
        return others[0]
    if model not in others:
        raise UsageError(
            f"model is {model!r}; name the model to hold against {c.labels[0]!r}: one of {others}"
        )
    return model


def _efficient(data: pd.DataFrame) -> list[bool]:
    """Which models no other beats in one of score and dollars without losing in the other."""
    pairs = list(zip(data["dollars"], data["score"], strict=True))
    return [not any(d <= x and s >= y and (d, s) != (x, y) for d, s in pairs) for x, y in pairs]


def _region(scores: Scores, label: str) -> np.ndarray:
    """The edge of the joint 95 % region of mean dollars (per 1,000) and mean score, (k, 2).

    An ellipse in standard errors, with the correlation of the items. For right and wrong answers its height
    follows Wilson's interval, so that it never leaves 0 to 1 and has a height where all answers are alike.
    """
    means, dollars = scores.means(label), 1000 * scores.costs[label]
    n = len(means)
    if n < 2 or (scores.groups is not None and scores.groups < 5):
        return np.array([[dollars.mean(), means.mean()]])
    spread = [_standard_error(values, scores.clusters) for values in (dollars, means)]
    tied = np.corrcoef(dollars, means)[0, 1] if min(dollars.std(), means.std()) > 1e-12 else 0.0
    radius = _RADIUS * critical(0.95, (scores.groups or n) - 1) / critical(0.95)
    u, v = radius * np.cos(_TURN), radius * np.sin(_TURN)
    across = u * math.sqrt(1 - tied**2) + tied * v
    x = np.maximum(dollars.mean() + spread[0] * across, 0.0)
    if scores.binary and scores.values[label].shape[1] == 1 and scores.clusters is None:
        return np.column_stack([x, _wilson_at(float(means.mean()), n, v)])
    return np.column_stack([x, means.mean() + spread[1] * v])


def _wilson_at(p: float, n: int, z: np.ndarray) -> np.ndarray:
    """Wilson's upper bound for z > 0 and lower for z < 0."""
    root = np.sqrt(p * (1 - p) / n + z**2 / (4 * n * n))
    return np.asarray((p + z**2 / (2 * n) + z * root) / (1 + z**2 / n))


def _standard_error(values: np.ndarray, clusters: np.ndarray | None) -> float:
    if clusters is not None:
        return clustered(values, clusters).se or 0.0
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _prices(even: BreakEven, extra: float, asked: float | None) -> np.ndarray:
    """Prices of an error that show where the curve turns, evenly spaced on a logarithmic axis."""
    turning = [x for x in (even.estimate, even.low, even.high, asked) if x and 0 < x < math.inf]
    if not turning:
        turning = [abs(extra) * 10, abs(extra) * 1000] if extra else [0.01, 10.0]
    low, high = math.log10(min(turning)) - _DECADES, math.log10(max(turning)) + _DECADES
    return np.logspace(low, high, 201)


def _mean_costs(frame: pd.DataFrame, label: str) -> pd.Series:
    mine = frame[frame["model"] == label]
    columns = [f"cost_{kind}" for kind in KINDS]
    split = mine.reindex(columns=columns).astype(float)
    split.columns = list(KINDS)
    whole = mine["cost"].astype(float)
    split.loc[split.isna().all(axis=1) & whole.notna(), "other"] = whole
    known = split.notna().any(axis=1)
    return 1000 * split[known].fillna(0.0).mean()
