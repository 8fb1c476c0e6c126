"""A policy that decides by a score -> its curve of cost and quality, held against a coin and against luck.

Whatever is picked by looking at a curve looks better than it is. So a curve is tested against permuted
scores, and its best threshold is also chosen on some folds of the items and reported on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import curves, payoff
from .curve_tests import (
    apgr_interval,
    curve_p,
    flipped_p,
    gain_interval,
    held_out,
    null_band,
    permutation_p,
)
from .curves import Axis, Chord, Curve, Floats, Pair
from .errors import UsageError
from .payoff import Escalation, Judgement, Oracle, Outcome
from .render import sentence as paragraph
from .render import table
from .stats import Interval

FOLDS = 5
_COLUMNS = ["cost", "quality", "moved", "gain", "low", "high", "saving", "saving_over_strong", "recovered"]

Choose = Callable[[Pair, Floats], float]
"""A function of a pair and the scores (n,) of its items that returns the score from which on they move up."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A policy with its gain over a coin, the 95% interval, and a one-sided p.

    figures: see ``payoff.Judgement``. p: NaN where it cannot be had, or would flatter.
    """

    figures: Judgement
    gain: Interval
    p: float


@dataclass(frozen=True, eq=False, repr=False)
class Tradeoff:
    """The curve of one policy on recorded answers: every threshold it could have had.

    Attributes:
        label: of the policy. weak, strong: of its two models, as it has them. by: what it decides by.
        kind: "route" decides before an answer, "cascade" after the weak one.
        pair: both models' scores and costs (USD), (n,), a row each item and repeat.
        score: the highest move up first, (n,). fee: USD of the check or router, (n,).
        own: what the policy did as it is set. best_of_both: the oracle.
        clusters: (n,) labels of rows that belong together, or None.
        items: (n,) ids of what the rows are about, or none.
        doubt: why the threshold it is set to may flatter it, or "".
        simulated: any answer was made up by the simulator.
    """

    label: str
    weak: str
    strong: str
    by: str
    kind: payoff.Kind
    pair: Pair
    score: Floats
    fee: Floats
    own: Outcome
    best_of_both: Oracle
    clusters: Sequence[Any] | None = None
    doubt: str = ""
    simulated: bool = False
    items: tuple[str, ...] = ()

    @property
    def chord(self) -> Chord:
        """What a coin between the two models earns."""
        return self.pair.chord

    @cached_property
    def line(self) -> Curve:
        """The exact curve: mean cost (USD), quality and threshold, from none moved to all."""
        if self.kind == "cascade":
            return curves.cascade_curve(self.score, self.pair, fee=self.fee)
        return _with_fee(curves.route_curve(self.score, self.pair), float(self.fee.mean()))

    @cached_property
    def hull(self) -> tuple[Floats, Floats]:
        """Cost (USD) and quality of the corners of the best that curve and both models offer by a coin."""
        chord = self.chord
        cost = np.append(self.line.cost, [chord.weak_cost, chord.strong_cost])
        return curves.hull(cost, np.append(self.line.quality, [chord.weak_quality, chord.strong_quality]))

    @property
    def limits(self) -> tuple[float, float]:
        """Between which mean costs (USD) ``aiq`` is taken: those of the two models."""
        return self.chord.weak_cost, self.chord.strong_cost

    @property
    def aiq(self) -> float:
        """Mean height of the hull between ``limits``."""
        low, high = self.limits
        return curves.aiq(*self.hull, low=low, high=high)

    @property
    def hull_gain(self) -> float:
        """Mean height of the hull above a coin; above 0 also for a score that knows nothing: see ``p``."""
        return curves.hull_gain(self.line, self.chord)

    @property
    def p(self) -> float:
        """One-sided p of ``hull_gain``, by permuting the scores; NaN for rows in clusters."""
        return math.nan if self.clusters is not None else self._tested[0]

    @property
    def luck(self) -> float:
        """What ``hull_gain`` is on average for a score that knows nothing."""
        return self._tested[1]

    def apgr(self, *, by: Axis = "dollars") -> float:
        """Average share of the gap recovered, by dollars, or by calls as papers have it; a coin has 0.5.

        NaN by dollars for a policy that pays more than its two models do, as a cascade does.
        """
        return curves.apgr(self.line, self.chord, by=by)

    def apgr_interval(self, *, by: Axis = "dollars") -> Interval:
        """``apgr`` with its 95% interval; no bounds for a cascade, a fee, or an unsure gap."""
        if self.kind == "cascade" or self.fee.any():
            return Interval(self.apgr(by=by), math.nan, math.nan, 0.95, "none", self.pair.n)
        return apgr_interval(self.score, self.pair, by=by, clusters=self.clusters)

    def cpt(self, part: float, *, by: Axis = "dollars") -> float:
        """The share of the extra dollars (or calls) that first recovers ``part`` of the gap; NaN if never."""
        return curves.cpt(self.line, self.chord, part, by=by)

    def band(self, costs: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Between which qualities 95% of scores that know nothing are, at mean costs (m,), USD."""
        return null_band(self.line, self.pair, at=costs, kind=self.kind)

    @property
    def terms(self) -> Escalation:
        """Cost ratio, check, and break-even share of a cascade, as measured; see ``payoff.Escalation``."""
        return payoff.escalation(self.pair, self.own.moved, fee=self.fee)

    @cached_property
    def as_set(self) -> Choice:
        """The policy at the threshold it is set to."""
        return self._choice(self.own)

    @cached_property
    def best(self) -> Choice:
        """The threshold with the greatest gain on these very items: optimistic, so it has no p."""
        return self.at(self.best_threshold)

    def at(self, threshold: float) -> Choice:
        """Any threshold on these very items: optimistic if it was chosen by them, so it has no p."""
        outcome = self._moving(self.score >= threshold)
        gain = gain_interval(self.pair, outcome, clusters=self.clusters)
        return Choice(payoff.judge(self.pair, outcome), gain, math.nan)

    @property
    def best_threshold(self) -> float:
        """The score of ``best``; inf where moving nothing up is best."""
        return _greatest_gain(self.line, self.chord)

    @cached_property
    def held_out(self) -> Choice:
        """The best threshold, chosen on other folds than it is reported on; see ``choose``."""
        return self.choose()

    def choose(self, rule: Choose | None = None, *, folds: int = FOLDS, seed: int = 0) -> Choice:
        """A threshold chosen by ``rule`` on all folds but one and reported on that one, in turn.

        The rule is the greatest gain over a coin, if left out. Rows of one cluster share their fold.
        """
        chosen = rule or self._greatest
        groups = None if self.clusters is None else len(set(self.clusters))
        most = self.pair.n if groups is None else groups
        if most < folds:
            raise UsageError(f"{most} items or clusters make no {folds} folds; compare more, or give folds=")
        up = held_out(self.pair, chosen, self.score, clusters=self.clusters, folds=folds, seed=seed)
        return self._choice(self._moving(up))

    @cached_property
    def table(self) -> pd.DataFrame:
        """Both models, the policy as set, its best threshold here and on other folds, and the oracle.

        ``cost`` USD an item; ``gain`` over a coin of equal cost in ``low``..``high`` (95%); ``saving`` of a
        coin's dollars at equal quality; ``recovered`` the share of the gap. NaN where undefined.
        """
        pair, best = self.pair, self.best_of_both
        rows = {self.weak: _row(payoff.judge(pair, payoff.route(pair, 0.0)))}
        rows[self.strong] = _row(payoff.judge(pair, payoff.route(pair, 1.0)))
        rows[self.label] = _row(self.as_set.figures, self.as_set.gain)
        rows["best here (optimistic)"] = _row(self.best.figures, self.best.gain)
        if self.foldable:
            rows["chosen on other folds"] = _row(self.held_out.figures, self.held_out.gain)
        chord = self.chord
        spent, saved = chord.gain(best.cost, best.quality), chord.saving(best.cost, best.quality)
        over = 1 - best.cost / chord.strong_cost if chord.strong_cost > 0 else math.nan
        told = [best.cost, best.quality, best.moved, spent, math.nan, math.nan, saved, over]
        rows["oracle"] = [*told, chord.recovered(best.quality)]
        return pd.DataFrame.from_dict(rows, orient="index", columns=_COLUMNS)

    @property
    def sentence(self) -> str:
        """What the curve says."""
        mark = "SIMULATED answers: " if self.simulated else ""
        if reason := self.chord.no_choice:
            return f"{mark}{self.label}: no trade-off between {self.weak} and {self.strong}: {reason}."
        said = [f"{mark}{self.label}, by {self.by}: {self._curve_in_words()}", self._apgr_in_words()]
        said.append(f"As set it gains {_told(self.as_set)} over a coin.")
        said += [self.doubt] if self.doubt else []
        best = f"{100 * self.best.figures.gain:+.1f} on these very items"
        if self.foldable:
            said.append(f"Its best threshold gains {_told(self.held_out)} chosen on other folds, {best}.")
        else:
            said.append(f"Its best threshold gains {best}, and there are too few for other folds.")
        return " ".join(filter(None, said))

    def __repr__(self) -> str:
        return f"{self.sentence}\n\n{self.table.to_string(float_format=lambda value: f'{value:.4g}')}"

    def _repr_html_(self) -> str:
        shown = self.table.reset_index(names="policy")
        rows = [[f"{v:.4g}" if isinstance(v, float) else v for v in row] for row in shown.to_numpy().tolist()]
        caption = f"{'SIMULATED answers: ' * self.simulated}{self.label}, n = {self.pair.n:,}"
        return f"<div>{paragraph(self.sentence)}{table(list(shown.columns), rows, caption=caption)}</div>"

    @cached_property
    def _tested(self) -> tuple[float, float]:
        return curve_p(self.line, self.pair, kind=self.kind)

    @property
    def foldable(self) -> bool:
        """Whether there are items or clusters enough for ``held_out``."""
        return (self.pair.n if self.clusters is None else len(set(self.clusters))) >= FOLDS

    def _greatest(self, pair: Pair, score: Floats) -> float:
        if self.kind == "cascade":
            return _greatest_gain(curves.cascade_curve(score, pair, fee=float(self.fee.mean())), pair.chord)
        return _greatest_gain(_with_fee(curves.route_curve(score, pair), float(self.fee.mean())), pair.chord)

    def _moving(self, up: npt.ArrayLike) -> Outcome:
        made = payoff.cascade if self.kind == "cascade" else payoff.route
        return made(self.pair, up, fee=self.fee)

    def _choice(self, outcome: Outcome) -> Choice:
        gain = gain_interval(self.pair, outcome, clusters=self.clusters)
        if self.clusters is None and outcome.kind != "other":
            p = permutation_p(self.pair, [outcome])[0][1]
        else:
            p = flipped_p(self.pair, outcome, clusters=self.clusters)
        return Choice(payoff.judge(self.pair, outcome), gain, p)

    def _curve_in_words(self) -> str:
        height, luck = 100 * self.hull_gain, 100 * self.luck
        known = f"p = {self.p:.2g}" if not math.isnan(self.p) else "no p, as items come in clusters"
        return (
            f"the curve's hull is {height:.1f} points above a coin between {self.weak} and {self.strong}, "
            f"where a score that knows nothing has {luck:.1f} ({known}, {self.pair.n:,} answers of each)."
        )

    def _apgr_in_words(self) -> str:
        found = self.apgr_interval()
        if math.isnan(found.estimate):
            even = self.terms.break_even
            return f"It costs as much as {self.strong} alone from {max(even, 0.0):.0%} moved up on."
        ends = "" if math.isnan(found.low) else f" [{found.low:.2f}, {found.high:.2f}]"
        calls = self.apgr(by="calls")
        return f"APGR {found.estimate:.2f}{ends} in dollars, {calls:.2f} by calls (a coin has 0.50)."


def _with_fee(line: Curve, fee: float) -> Curve:
    return Curve(line.moved, line.cost + fee, line.quality, line.threshold)


def _greatest_gain(line: Curve, chord: Chord) -> float:
    if chord.no_choice:
        return math.inf
    points = zip(line.cost.tolist(), line.quality.tolist(), strict=True)
    return float(line.threshold[int(np.argmax([chord.gain(cost, quality) for cost, quality in points]))])


def _row(found: Judgement, gain: Interval | None = None) -> list[float]:
    low, high = (math.nan, math.nan) if gain is None else (gain.low, gain.high)
    told = [found.cost, found.quality, found.moved, found.gain, low, high]
    return [*told, found.saving, found.saving_over_strong, found.recovered]


def _told(choice: Choice) -> str:
    gain = choice.gain
    known = "" if math.isnan(choice.p) else f", p = {choice.p:.2g}"
    points = f"{100 * choice.figures.gain:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    return f"{points}{known}"
