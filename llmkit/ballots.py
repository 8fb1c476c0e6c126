"""Pairs of answers for people to vote on blind: their order and sides, the votes, and what these say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan
from typing import Any, Literal

import pandas as pd

from . import human, stats, strengths
from .calibration import JudgeErrors, judge_errors
from .errors import UsageError
from .graders_judge import mean_of
from .records import FAILED
from .stats import FEWEST_CLUSTERS, Interval

Choice = Literal["A", "B", "tie", "both bad", "skip"]
CHOICES: tuple[Choice, ...] = ("A", "B", "tie", "both bad", "skip")
COLUMNS = ("item", "repeat", "first", "second", "left", "choice", "winner", "share", "identical", "said")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models' answers to one item: ``rows`` are their places in the frame, first and second model's.

    ``swapped`` shows the second model's answer as A; ``identical`` answers are a tie nobody is asked about.
    """

    key: str
    item: str
    repeat: int
    first: str
    second: str
    rows: tuple[int, int]
    swapped: bool
    identical: bool

    @property
    def shown(self) -> tuple[int, int]:
        """The places of answers A and B."""
        return self.rows[::-1] if self.swapped else self.rows

    @property
    def sides(self) -> tuple[str, str]:
        """The models behind A and B."""
        return (self.second, self.first) if self.swapped else (self.first, self.second)


def pairs(task: str, frame: pd.DataFrame, labels: Sequence[str], *, seed: int = 0) -> tuple[list[Pair], int]:
    """All pairs of models on each item and repeat, in the seed's order; and how many lack an answer.

    Order and sides are the same for the same seed. ``first`` is the model held against an earlier one of
    ``labels``. Raises ``UsageError`` where there is no pair.
    """
    if len(labels) < 2:
        raise UsageError(f"blind votes need two models; there is {', '.join(labels) or 'none'}")
    if frame.empty:
        raise UsageError("there are no answers to vote on; the task has no rows, or nothing was answered")
    places = _places(frame)
    asked = dict.fromkeys(zip(frame["item"], frame["repeat"], strict=True))
    found, left_out = [], 0
    for item, repeat in asked:
        for second, first in combinations(labels, 2):
            one, two = places.get((item, repeat, first)), places.get((item, repeat, second))
            if one is None or two is None:
                left_out += 1
                continue
            both = sorted([(first, one[1]), (second, two[1])])  # whichever of them is the baseline
            key = human.digest("vote", task, item, repeat, *both[0], *both[1])
            side = random.Random(f"{seed}:{item}:{repeat}:{first}:{second}").random() < 0.5
            rows = (one[0], two[0])
            found.append(Pair(key, item, int(repeat), first, second, rows, side, one[1] == two[1]))
    if not found:
        raise UsageError(
            f"no item has the text of two answers; {left_out} pair(s) lack one, as in c.frame.answer"
        )
    random.Random(seed).shuffle(found)
    return found, left_out


def _places(frame: pd.DataFrame) -> dict[tuple[Any, Any, str], tuple[int, str]]:
    """Place in the frame and digest of every answer there is."""
    columns = (frame["item"], frame["repeat"], frame["model"], frame["outcome"], frame["answer"])
    return {
        (item, repeat, model): (place, human.digest(answer))
        for place, (item, repeat, model, outcome, answer) in enumerate(zip(*columns, strict=True))
        if outcome not in FAILED and not human.missing(answer)
    }


class Ballot:
    """Pairs in their order, and the votes on them; each vote is kept at once.

    Attributes:
        pairs: in the order they are shown in.
        left_out: pairs of which an answer is missing.
    """

    def __init__(self, pairs: Sequence[Pair], kept: human.Kept, *, left_out: int = 0) -> None:
        self.pairs, self.left_out, self._kept = list(pairs), left_out, kept
        words = kept.find([pair.key for pair in self.pairs])
        self._votes = dict(sorted(words.items(), key=lambda entry: entry[1].said))

    @property
    def asked(self) -> int:
        """How many pairs there are to vote on."""
        return sum(not pair.identical for pair in self.pairs)

    @property
    def done(self) -> int:
        """How many were voted on or skipped."""
        return len(self._votes)

    def pair(self) -> Pair | None:
        """The next pair to vote on; None when there is none."""
        waiting = (pair for pair in self.pairs if not pair.identical and pair.key not in self._votes)
        return next(waiting, None)

    def cast(self, pair: Pair, choice: Choice) -> None:
        """Vote on a pair; returns once the vote is kept."""
        if choice not in CHOICES:
            raise UsageError(f"the vote is {choice!r}; give one of {', '.join(map(repr, CHOICES))}")
        winner = {"A": pair.sides[0], "B": pair.sides[1]}.get(choice, choice)
        self._votes[pair.key] = self._kept.say(pair.key, winner, kind="vote")

    def undo(self) -> bool:
        """Take the last vote back; False if there is none."""
        if not self._votes:
            return False
        key = next(reversed(self._votes))
        self._kept.forget(key)
        del self._votes[key]
        return True

    def frame(self) -> pd.DataFrame:
        """One row per pair voted on, in the order shown; identical answers passed on the way are ties.

        ``share`` is 1 where ``first`` won, 0.5 for a tie or both bad, NaN where skipped; ``choice`` is the
        button, ``left`` the model shown as A.
        """
        waiting = self.pair()
        end = self.pairs.index(waiting) if waiting is not None else len(self.pairs)
        passed = [p for n, p in enumerate(self.pairs) if p.key in self._votes or (p.identical and n < end)]
        rows = [_row(pair, self._votes.get(pair.key)) for pair in passed]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(pair: Pair, word: human.Word | None) -> tuple[Any, ...]:
    # What is kept names the model, so that a vote stays right whichever side another seed shows it on.
    value = "tie" if word is None else word.value
    choice = "AB"[pair.sides.index(value)] if value in pair.sides else value
    winner = None if value == "skip" else value if value in pair.sides else "tie"
    share = {pair.first: 1.0, pair.second: 0.0, "skip": nan}.get(value, 0.5)
    said = "" if word is None else word.said
    return (
        *(pair.item, pair.repeat, pair.first, pair.second, pair.sides[0], choice, winner, share),
        *(word is None, said),
    )


@dataclass(frozen=True, slots=True)
class Tally:
    """Votes between two models; ``rate`` is the share for ``first``, a tie being half (95 %)."""

    first: str
    second: str
    won: int
    lost: int
    ties: int
    both_bad: int
    identical: int
    rate: Interval


def tallies(votes: pd.DataFrame, clusters: dict[str, Any] | None = None) -> list[Tally]:
    """One for each pair of models that was voted on; ``clusters``: those of the items, if they have any."""
    counted = votes.dropna(subset=["share"])
    result = []
    for (first, second), part in counted.groupby(["first", "second"], sort=False):
        rate = _rate(part.groupby("item", sort=False)["share"].mean(), clusters)
        won, lost = int((part["share"] == 1).sum()), int((part["share"] == 0).sum())
        bad, same = int((part["choice"] == "both bad").sum()), int(part["identical"].sum())
        ties = len(part) - won - lost - bad - same
        result.append(Tally(str(first), str(second), won, lost, ties, bad, same, rate))
    return result


def _rate(means: pd.Series, clusters: dict[str, Any] | None) -> Interval:
    if clusters is None:
        return mean_of(means.tolist())
    groups = [clusters[str(item)] for item in means.index]
    if len(set(groups)) < FEWEST_CLUSTERS:
        return Interval(float(means.mean()), nan, nan, 0.95, "too few clusters", len(means))
    found = stats.clustered(means.to_numpy() - 0.5, groups)
    return Interval(found.estimate + 0.5, found.low + 0.5, found.high + 0.5, 0.95, found.method, len(means))


def strongest(
    votes: pd.DataFrame, labels: Sequence[str], clusters: dict[str, Any] | None = None
) -> list[strengths.Strength]:
    """Bradley and Terry's strengths over the first label. Raises ``UsageError`` where none fit."""
    counted = votes.dropna(subset=["share"])
    names = [label for label in labels if label in {*counted["first"], *counted["second"]}]
    if len(names) < 2:
        raise UsageError("there are no votes yet, so there are no strengths")
    items = [str(item if clusters is None else clusters[str(item)]) for item in counted["item"]]
    columns = (items, counted["first"], counted["second"], counted["share"])
    return strengths.strengths([strengths.Vote(*row) for row in zip(*columns, strict=True)], names)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a judge's preferences go with people's.

    Attributes:
        frame: one row per vote the judge has a word on: item, repeat, first, second, ``human`` and ``judge``
            (a label or "tie").
        share: of the votes where both prefer one, those where it is the same (Wilson, 95 %); None without.
        errors: the same by who won, first or second; None unless both did.
    """

    frame: pd.DataFrame
    share: Interval | None
    errors: JudgeErrors | None


def agreement(votes: pd.DataFrame, judged: pd.DataFrame) -> Agreement:
    """``judged`` has item, repeat, first, second and winner (a label, "tie" or None): see ``by_scores``."""
    place = ["item", "repeat", "first", "second"]
    asked = votes[~votes["identical"].astype(bool)].dropna(subset=["share"])
    said = judged.dropna(subset=["winner"])[[*place, "winner"]].rename(columns={"winner": "judge"})
    both = asked[[*place, "winner"]].rename(columns={"winner": "human"}).merge(said, on=place)
    clear = both[(both["human"] != "tie") & (both["judge"] != "tie")]
    truth, told = clear["human"] == clear["first"], clear["judge"] == clear["first"]
    share = stats.wilson(int((truth == told).sum()), len(clear)) if len(clear) else None
    errors = judge_errors(truth.astype(float), told.astype(float)) if truth.nunique() == 2 else None
    return Agreement(both, share, errors)


def by_scores(frame: pd.DataFrame, votes: pd.DataFrame) -> pd.DataFrame:
    """Whom the grades prefer in each pair voted on: the higher score; None where one is missing."""
    scores = frame.set_index(["item", "repeat", "model"])["score"].astype(float).to_dict()
    rows = []
    for item, repeat, first, second in votes[["item", "repeat", "first", "second"]].itertuples(index=False):
        one, two = scores[item, repeat, first], scores[item, repeat, second]
        winner = "tie" if one == two else first if one > two else second if two > one else None
        rows.append((item, repeat, first, second, winner))
    return pd.DataFrame(rows, columns=["item", "repeat", "first", "second", "winner"])


def by_judge(frame: pd.DataFrame, *, a: str, b: str) -> pd.DataFrame:
    """The same of a judge's own votes between two models, as ``Comparison.votes`` gives them."""
    straight = frame[["item", "repeat", "winner"]].assign(first=a, second=b)
    return pd.concat([straight, straight.assign(first=b, second=a)], ignore_index=True)
