"""Policies on paired outcomes, each held against a coin that spends as much -> a table and a sentence each.

The vocabulary is that of ``curves``: costs in USD, gains in the unit of quality, NaN where undefined.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .curve_tests import flipped_p, gain_interval, gain_intervals, permutation_p
from .curves import Pair
from .multiplicity import holm
from .payoff import Judgement, Kind, Outcome, judge
from .records import Request
from .render import sentence as paragraph
from .render import table
from .settings import EFFORTS
from .stats import Interval, compare_pairs

CLEAR = 0.05  # p, and the complement of the interval's level


@dataclass(frozen=True, slots=True, eq=False)
class Toss:
    """One policy with the pair it is held against, on the items all three have.

    clusters: (n,) labels of items that belong together, or None.
    rival: what it does instead of switching, such as "more effort on Sonnet"; "" for a policy that switches.
    """

    label: str
    weak: str
    strong: str
    pair: Pair
    outcome: Outcome
    clusters: Sequence[Any] | None = None
    rival: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """Of which models a policy is made, by their labels, and when it decides."""

    kind: Kind
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one policy's gain over a coin.

    Attributes:
        figures: cost, quality, gain and saving. gain: the gain with its 95% interval.
        p: one-sided, that it earns no more than a coin, as adjusted by Holm for all policies judged together.
            By dealing its decisions anew; by turning signs (``curve_tests.flipped_p``) for items in clusters
            and for a policy that does more than move items up. NaN with under 10 of them.
        pays: clear in the interval and by p; without a p, in an interval as wide as Bonferroni asks.
        sentence: the same in words.
        rival: as in ``Toss``.
    """

    label: str
    figures: Judgement
    gain: Interval
    p: float
    pays: bool
    sentence: str
    rival: str = ""


class Verdicts:
    """The verdicts on several policies.

    Attributes:
        verdicts: one each. outdone: a sentence for each policy and rival that does as well for less.
        simulated: any answer was made up by the simulator.
    """

    def __init__(
        self, verdicts: Sequence[Verdict], *, outdone: Sequence[str] = (), simulated: bool = False
    ) -> None:
        self.verdicts, self.outdone, self.simulated = tuple(verdicts), tuple(outdone), simulated

    @property
    def sentences(self) -> list[str]:
        """All that is to be said: whether switching pays at all, then policy by policy, then the rivals."""
        switches = [v for v in self.verdicts if not v.rival and not math.isnan(v.figures.gain)]
        lead = (
            "Switching pays here." if any(v.pays for v in switches) else "Switching is not shown to pay here."
        )
        return [*[lead] * bool(switches), *(verdict.sentence for verdict in self.verdicts), *self.outdone]

    def __getitem__(self, label: str) -> Verdict:
        return {verdict.label: verdict for verdict in self.verdicts}[label]

    def __len__(self) -> int:
        return len(self.verdicts)

    @property
    def table(self) -> pd.DataFrame:
        """One row a policy: ``n`` items, ``gain`` in ``low``..``high`` (95%), ``p``, ``saving``, ``pays``."""
        rows = [
            {
                "policy": v.label,
                "n": v.gain.n,
                "gain": v.figures.gain,
                "low": v.gain.low,
                "high": v.gain.high,
                "p": v.p,
                "saving": v.figures.saving,
                "pays": v.pays,
            }
            for v in self.verdicts
        ]
        columns = ["policy", "n", "gain", "low", "high", "p", "saving", "pays"]
        return pd.DataFrame(rows, columns=columns).set_index("policy")

    def __repr__(self) -> str:
        return "\n".join(["SIMULATED answers:"] * self.simulated + self.sentences)

    def _repr_html_(self) -> str:
        shown = self.table.reset_index()
        rows = [[f"{v:.4g}" if isinstance(v, float) else v for v in row] for row in shown.to_numpy().tolist()]
        caption = "SIMULATED answers: " * self.simulated + "policies against a coin that spends as much"
        said = "".join(paragraph(each) for each in self.sentences)
        return f"<div>{said}{table(list(shown.columns), rows, caption=caption)}</div>"


def judged(tosses: Sequence[Toss], *, simulated: bool = False) -> Verdicts:
    """Hold each policy against a coin; what is clear allows for how many are judged together."""
    raw, gains = [math.nan] * len(tosses), dict[int, Interval]()
    for places in _alike(tosses):
        first, outcomes = tosses[places[0]], [tosses[place].outcome for place in places]
        intervals = gain_intervals(first.pair, outcomes, clusters=first.clusters)
        for place, gain, p in zip(places, intervals, _ps(first, outcomes), strict=True):
            gains[place], raw[place] = gain, p
    ps = holm(raw).tolist() if tosses else []
    found = [
        _verdict(toss, p, gains[n], len(tosses)) for n, (toss, p) in enumerate(zip(tosses, ps, strict=True))
    ]
    outdone = [
        words
        for toss in tosses
        for other in tosses
        if not toss.rival and other.rival and (words := _outdone(toss, other))
    ]
    return Verdicts(found, outdone=outdone, simulated=simulated)


def same_model(
    label: str, between: tuple[str, str], names: Mapping[str, Any], settings: Mapping[str, Request]
) -> str:
    """In words, how a model differs from the one of two that it is at other settings; "" for none.

    names: label -> what the provider calls the model. settings: label -> what it was asked with.
    """
    base = next((each for each in between if each != label and names.get(each) == names.get(label)), None)
    if base is None or names.get(label) is None or not {label, base} <= settings.keys():
        return ""
    mine, its = (settings[each].effort for each in (label, base))
    if settings[label] == settings[base]:
        return ""
    if mine == its or mine not in EFFORTS or its not in EFFORTS:
        return f"other settings of {base}"
    return f"{'more' if EFFORTS.index(mine) > EFFORTS.index(its) else 'less'} effort on {base}"


def _outdone(toss: Toss, rival: Toss) -> str:
    """That a rival does as well as a policy for less; "" if it does not."""
    same = (toss.weak, toss.strong, toss.pair.n) == (rival.weak, rival.strong, rival.pair.n)
    mine, its = toss.outcome, rival.outcome
    costs = (float(its.cost.mean()), float(mine.cost.mean()))
    if not same or its.quality.mean() < mine.quality.mean() or costs[0] > costs[1] or costs[1] <= 0:
        return ""
    labels = None if toss.clusters is None else np.asarray(toss.clusters)
    lead = compare_pairs(its.quality, mine.quality, labels)
    bounds = "" if math.isnan(lead.low) else f" [{_points(lead.low)}, {_points(lead.high)}]"
    return (
        f"{rival.label}, {rival.rival}, outdoes {toss.label}: {_points(lead.estimate)} points{bounds} at "
        f"{costs[0] / costs[1]:.2f} of its cost."
    )


def _alike(tosses: Sequence[Toss]) -> list[list[int]]:
    """Places of tosses on the same pair and items, which can share their draws."""
    groups: list[list[int]] = []
    for place, toss in enumerate(tosses):
        mine = next((group for group in groups if _same_items(tosses[group[0]], toss)), None)
        if mine is None:
            groups.append([place])
        else:
            mine.append(place)
    return groups


def _same_items(one: Toss, other: Toss) -> bool:
    columns = ("weak_quality", "strong_quality", "weak_cost", "strong_cost")
    same = all(np.array_equal(getattr(one.pair, name), getattr(other.pair, name)) for name in columns)
    if one.clusters is None or other.clusters is None:
        return same and one.clusters is other.clusters
    return same and list(one.clusters) == list(other.clusters)


def _ps(toss: Toss, outcomes: Sequence[Outcome]) -> list[float]:
    """One p an outcome, on the pair and clusters of a toss."""
    # Items of one cluster cannot be dealt singly, nor can what does more than move items up.
    dealt = (
        permutation_p(toss.pair, outcomes)
        if toss.clusters is None
        else [(math.nan, math.nan)] * len(outcomes)
    )
    turned = [toss.clusters is not None or outcome.kind == "other" for outcome in outcomes]
    return [
        flipped_p(toss.pair, outcome, clusters=toss.clusters) if turn else p
        for outcome, turn, (_, p) in zip(outcomes, turned, dealt, strict=True)
    ]


def _verdict(toss: Toss, p: float, gain: Interval, judged: int) -> Verdict:
    figures = judge(toss.pair, toss.outcome)
    pays = gain.low > 0 and (p < CLEAR or (math.isnan(p) and _wide(toss, judged).low > 0))
    return Verdict(toss.label, figures, gain, p, pays, _in_words(toss, figures, gain, p, pays), toss.rival)


def _wide(toss: Toss, judged: int) -> Interval:
    """The interval at Bonferroni's level, for policies that have no p to adjust."""
    return gain_interval(toss.pair, toss.outcome, clusters=toss.clusters, level=1 - CLEAR / judged)


def _in_words(toss: Toss, figures: Judgement, gain: Interval, p: float, pays: bool) -> str:
    who = f"{toss.label} ({toss.rival}, no switch)" if toss.rival else toss.label
    if reason := toss.pair.chord.no_choice:
        return f"{who}: no trade-off between {toss.weak} and {toss.strong}: {reason}."
    ends = f"[{_points(gain.low)}, {_points(gain.high)}]"
    sure = ", too few for a p" if math.isnan(p) else f", p = {p:.2g}"
    found = f"{_points(figures.gain)} points {ends}, {gain.n:,} items{sure}"
    if pays:
        saving = figures.saving
        dear = figures.cost / toss.pair.chord.strong_cost
        saved = f", at {dear:.2f} times the cost of {toss.strong} alone" if dear > 1 else ""
        saved = f", {saving:.0%} cheaper than it at equal quality" if saving > 0 else saved
        return f"{who} pays: it beats a coin that spends as much by {found}{saved}."
    if gain.high < 0:
        return f"{who} does not beat a coin that spends as much; it loses to it: {found}."
    gap = "" if figures.gain > 0 and gain.low > 0 else no_gap(toss)
    return f"{who} does not beat a coin that spends as much, as far as these data tell: {found}.{gap}"


def no_gap(toss: Toss) -> str:
    """A sentence where the dearer model may be no better at all, so that nothing may be there to recover."""
    labels = None if toss.clusters is None else np.asarray(toss.clusters)
    gap = compare_pairs(toss.pair.strong_quality, toss.pair.weak_quality, labels)
    if gap.low > 0:
        return ""
    bounds = f"[{_points(gap.low)}, {_points(gap.high)}]" if not math.isnan(gap.low) else "no interval"
    return (
        f" There may be no gap to recover: {toss.strong} is better than {toss.weak} by "
        f"{_points(gap.estimate)} points, {bounds}."
    )


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
