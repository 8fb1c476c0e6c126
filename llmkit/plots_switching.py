"""Pictures of switching: the curve against a coin, and the lift that policies need and have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import payoff
from .canvas import MARKERS, Canvas, canvas, legend, place_labels, rows_of, say
from .curve_tests import lift_interval
from .errors import UsageError
from .headroom import Headroom
from .model import Model
from .replay import Replay
from .tradeoff import Tradeoff

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 121  # costs at which the band of scores that know nothing is drawn


@dataclass(frozen=True, slots=True, eq=False)
class Switching:
    """Quality against USD per 1,000 items: the coin's chord, each policy, and one policy's whole curve.

    Attributes:
        data: one row a policy: dollars per 1,000 items and quality, its gain over a coin of equal cost with
            ``low`` and ``high`` (95%), and whether it is one of the two models.
        curve: of the policy that is drawn whole, or None where none decides by a score.
        band: dollars, low and high quality of scores that know nothing, (k, 3).
        ends: (dollars, quality) of the cheaper and the dearer model. oracle: of the best of both answers.
    """

    data: pd.DataFrame
    curve: Tradeoff | None
    band: np.ndarray
    ends: tuple[tuple[float, float], tuple[float, float]]
    oracle: tuple[float, float]
    title: str
    notes: tuple[str, ...]
    simulated: bool

    @classmethod
    def of(cls, r: Replay, *, policy: str | Model | None = None) -> Switching:
        """Of a replay. ``policy`` is drawn with all thresholds it could have had; else the first that can.

        Policies are held against the two models of that one, and left out where theirs are others.
        """
        line = _curve(r, policy)
        first = line.label if line else _first_policy(r)
        arms = r.arms(first)
        rows = [_point(r, label) for label in r.labels if r.between(label) == (arms.weak, arms.strong)]
        best = line.best_of_both if line else payoff.oracle(arms.q_w, arms.q_s, arms.c_w, arms.c_s)
        ends = tuple(
            (1000 * float(c.mean()), float(q.mean())) for c, q in ((arms.c_w, arms.q_w), (arms.c_s, arms.q_s))
        )
        luck = "" if best.held_out else " Oracle: partly luck"
        band, notes = np.empty((0, 3)), [f"Whiskers: 95% of the gain over a coin of equal cost.{luck}"]
        if line is not None and not line.chord.no_choice:
            band = _band(line)
            notes.append(_tested(line))
        if reason := r.pair(first).chord.no_choice:
            notes.append(f"No trade-off: {reason}")
        title = f"{r.task.name}: does switching beat a coin? ({len(arms.items):,} items)"
        place, data = (1000 * best.cost, best.quality), pd.DataFrame(rows)
        return cls(data, line, band, (ends[0], ends[1]), place, title, tuple(notes), r.simulated)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Above the straight line switching beats a coin; returns the Axes."""
        ground = canvas(ax, title=self.title, notes=self.notes, simulated=self.simulated, height=4.8)
        ax = ground.ax
        (x0, y0), (x1, y1) = self.ends
        ax.plot([x0, x1], [100 * y0, 100 * y1], color=ground.ink, linewidth=1.5, label="a coin")
        if self.curve is not None:
            self._draw_curve(ground, self.curve)
        points, labels = [], []
        for number, row in enumerate(self._in_order()):
            points.append(_drawn_point(ground, row, number))
            labels.append(short(row))
        ax.plot(self.oracle[0], 100 * self.oracle[1], "*", color=ground.ink, markersize=11, zorder=4)
        points.append((self.oracle[0], 100 * self.oracle[1]))
        labels.append("oracle")
        ax.set_xlabel("USD per 1,000 items")
        ax.set_ylabel("quality, %")
        ax.margins(x=0.14, y=0.1)
        legend(ground)
        place_labels(ground, points, labels)
        return ax

    def _in_order(self) -> list[dict[str, Any]]:
        """The policy with the curve first, whose colour is the curve's; the two models last."""
        first = self.curve.label if self.curve else ""
        return sorted(rows_of(self.data), key=lambda row: (row["model"], row["policy"] != first))

    def _draw_curve(self, ground: Canvas, line: Tradeoff) -> None:
        ax, colour = ground.ax, ground.colour(0)
        dollars, low, high = self.band.T
        if len(dollars):
            look: dict[str, Any] = {"color": ground.muted, "alpha": 0.4, "linewidth": 0, "zorder": 1}
            ax.fill_between(dollars, 100 * low, 100 * high, label="scores that know nothing, 95%", **look)
        name = say(f"every threshold of {line.by}", 44)
        ax.plot(1000 * line.line.cost, 100 * line.line.quality, color=colour, linewidth=1.5, label=name)
        cost, quality = line.hull
        ax.plot(1000 * cost, 100 * quality, ":", color=colour, linewidth=1.5, label="its hull (optimistic)")
        if line.foldable and not line.chord.no_choice:
            found = line.held_out.figures
            ring: dict[str, Any] = {"markerfacecolor": "none", "markersize": 10, "linestyle": "none"}
            name = "its best threshold, chosen on other folds"
            at = (1000 * found.cost, 100 * found.quality)
            ax.plot(*at, marker="h", color=colour, label=name, zorder=5, **ring)


@dataclass(frozen=True, slots=True, eq=False)
class NeededLift:
    """The lift at which a policy meets a coin, over the cost ratio, beside the lift it has.

    Attributes:
        data: one row a policy: kind, moved, lift with ``low`` and ``high`` (95%), the lift ``needed``, and
            ``kappa`` and ``check`` of a cascade (see ``payoff.Escalation``).
        ratio: the measured cost of the cheaper model over that of the dearer, by the first policy's items.
    """

    data: pd.DataFrame
    ratio: float
    title: str
    notes: tuple[str, ...]
    simulated: bool

    @classmethod
    def of(cls, r: Replay | Headroom) -> NeededLift:
        """Of the routes and cascades of a replay between the same two models; or of a headroom.

        Raises ``UsageError`` where none moves anything up, or there is nothing to choose.
        """
        if isinstance(r, Headroom):
            return cls._planned(r)
        rows = [row for row in (_lift(r, label) for label in r.verdict_labels) if row is not None]
        rows = [row for row in rows if row["between"] == rows[0]["between"]]
        if not rows:
            raise UsageError(
                f"none of {r.labels} is a route or cascade that moves items up between two models with a gap "
                "to recover; replay one, such as kit.cascade(sonnet, opus, accept=...)"
            )
        notes = ("Lift: mean gain of the items moved up over that of all; 95% intervals",)
        title = f"{r.task.name}: how sharp must switching be?"
        return cls(pd.DataFrame(rows), rows[0]["ratio"], title, notes, r.simulated)

    @classmethod
    def _planned(cls, found: Headroom) -> NeededLift:
        """What a check that knows the grades would have: the most any cascade can."""
        if found.no_choice or math.isnan(found.perfect.lift):
            raise UsageError(f"there is no lift to show: {found.sentence}")
        figures, terms = found.perfect, found.perfect_terms
        row: dict[str, Any] = {"policy": "a check that knows the grades", "between": (), "kind": "cascade"}
        row |= {"moved": figures.moved, "lift": figures.lift, "needed": figures.needed}
        row |= {"low": math.nan, "high": math.nan, "kappa": terms.moved_strong, "check": terms.check}
        notes = ("Lift: mean gain of the items moved up over that of all",)
        title = f"How sharp must switching be? ({found.n:,} items)"
        return cls(pd.DataFrame([row]), found.cost_ratio, title, notes, found.simulated)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """A marker above the line of its colour pays; returns the Axes."""
        ground = canvas(ax, title=self.title, notes=self.notes, simulated=self.simulated, height=4.8)
        ax, ratios = ground.ax, np.linspace(0, 0.95, 96)
        top = 1.25 * max(float(np.nanmax(self.data[["high", "lift", "needed"]].to_numpy())), 2.0)
        free = 1 / (1 - ratios)
        ax.plot(ratios, free, "--", color=ground.muted, label="needed with a free check, in planning")
        span = 0.018 * (np.arange(len(self.data)) - (len(self.data) - 1) / 2)
        for number, row in enumerate(rows_of(self.data)):
            colour, marker = ground.colour(number), MARKERS[number % len(MARKERS)]
            needed = _needed(row, ratios)
            shape = "-" if row["kind"] == "cascade" else "-."
            name = f"needed by {say(short(row), 50)}"
            ax.plot(ratios, needed, shape, color=colour, linewidth=1.5, label=name)
            x = self.ratio + float(span[number])
            if not math.isnan(row["low"]):
                ax.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=2, zorder=3)
            ax.plot(x, row["lift"], marker, color=colour, markersize=8, zorder=4)
        ax.axvline(self.ratio, color=ground.ink, linewidth=1, zorder=1)
        ax.set_xlim(0, 1)
        ax.set_ylim(min(0.0, 1.1 * float(np.nanmin(self.data[["low", "lift"]].to_numpy()))), top)
        ax.set_xlabel(f"cost of the cheaper model over the dearer (measured: {self.ratio:.2f})")
        ax.set_ylabel("lift")
        legend(ground)
        self._tell(ground, span)
        return ax

    def _tell(self, ground: Canvas, span: np.ndarray) -> None:
        """What each has and needs, in a column beside the markers, in its colour."""
        low, high = ground.ax.get_ylim()
        step, right = 0.12 * (high - low), self.ratio < 0.5
        side, level = (0.6, "left") if right else (0.4, "right"), math.inf
        patch = {"boxstyle": "square,pad=0.1", "facecolor": ground.ax.get_facecolor(), "linewidth": 0}
        for number in np.argsort(-self.data["lift"].to_numpy(), kind="stable").tolist():
            row = rows_of(self.data)[number]
            level = min(level - step, row["lift"])
            words = f"has {row['lift']:.1f}, needs {row['needed']:.1f}\n{say(short(row)[:34])}"
            ends = ([self.ratio + float(span[number]), side[0]], [row["lift"], level])
            ground.ax.plot(*ends, color=ground.muted, linewidth=0.6, zorder=2)
            look: dict[str, Any] = {"ha": side[1], "va": "center", "color": ground.colour(number)}
            ground.write(words, (side[0], level), offset=(0, 0), bbox=patch, **look)


def short(row: Mapping[str, Any]) -> str:
    """A policy's label without the two models it is ``between``, which the picture has anyway."""
    label, between = str(row["policy"]), row["between"]
    for inside in (" -> ".join(between), between[0]) if between else ():
        kind, opened, rest = label.partition(f"({inside}, ")
        if opened and rest.endswith(")"):
            return f"{kind}: {rest[:-1]}"
    return label


def _drawn_point(ground: Canvas, row: Mapping[str, Any], number: int) -> tuple[float, float]:
    """A policy with its whiskers, or a model."""
    at = (row["dollars"], 100 * row["quality"])
    colour = ground.ink if row["model"] else ground.colour(number)
    if not math.isnan(row["low"]) and not row["model"]:
        coin = 100 * (row["quality"] - row["gain"])
        ends = [coin + 100 * row["low"], coin + 100 * row["high"]]
        ground.ax.plot([at[0]] * 2, ends, color=colour, linewidth=2, zorder=3)
    marker = MARKERS[0] if row["model"] else MARKERS[1 + number % (len(MARKERS) - 1)]
    ground.ax.plot(*at, marker, color=colour, markersize=8, zorder=4)
    return at


def _first_policy(r: Replay) -> str:
    return next((label for label in r.labels if label in r.verdict_labels), r.labels[0])


def _curve(r: Replay, policy: str | Model | None) -> Tradeoff | None:
    if policy is not None:
        return r.curve(policy)
    for label in r.verdict_labels:
        try:
            return r.curve(label)
        except UsageError:
            continue
    return None


def _point(r: Replay, label: str) -> dict[str, Any]:
    between, found = r.between(label), payoff.judge(r.pair(label), r.outcome(label))
    judged = r.verdicts[label].gain if label in r.verdict_labels else None
    return {
        "policy": label,
        "between": between,
        "dollars": 1000 * found.cost,
        "quality": found.quality,
        "gain": found.gain,
        "low": judged.low if judged else math.nan,
        "high": judged.high if judged else math.nan,
        "model": label in between,
    }


def _band(line: Tradeoff) -> np.ndarray:
    costs = np.linspace(float(line.line.cost.min()), float(line.line.cost.max()), _GRID)
    low, high = line.band(costs)
    return np.column_stack([1000 * costs, low, high])


def _tested(line: Tradeoff) -> str:
    if math.isnan(line.p):
        return "Items come in clusters: the band is too narrow, and there is no p for the curve"
    height, luck = 100 * line.hull_gain, 100 * line.luck
    return f"Hull above the coin: {height:.1f} points, by luck {luck:.1f}, p = {line.p:.2g}"


def _lift(r: Replay, label: str) -> dict[str, Any] | None:
    """One policy's row, or None where it has no lift to show."""
    if label not in r.verdict_labels:
        return None
    pair, outcome, arms = r.pair(label), r.outcome(label), r.arms(label)
    found = payoff.judge(pair, outcome)
    if outcome.kind == "other" or math.isnan(found.lift):
        return None
    fee = outcome.cost - pair.weak_cost - outcome.moved * pair.strong_cost
    terms = payoff.escalation(pair, outcome.moved, fee=fee if outcome.kind == "cascade" else 0.0)
    lift = lift_interval(pair, outcome, clusters=arms.clusters)
    return {
        "policy": label,
        "between": (arms.weak, arms.strong),
        "kind": outcome.kind,
        "moved": found.moved,
        "lift": found.lift,
        "low": lift.low,
        "high": lift.high,
        "needed": found.needed,
        "kappa": terms.moved_strong,
        "check": terms.check,
        "ratio": terms.weak,
    }


def _needed(row: Mapping[str, Any], ratios: np.ndarray) -> np.ndarray:
    """The lift needed over cost ratios: of a cascade it grows with them, of a route it does not."""
    if row["kind"] == "cascade":
        return np.asarray((row["kappa"] + row["check"] / row["moved"]) / (1 - ratios))
    return np.full(len(ratios), row["needed"])
