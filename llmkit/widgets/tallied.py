"""What an arena's votes say, as HTML: win rates, strengths, and how often a judge agrees."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

import pandas as pd

from .. import render
from ..ballots import Agreement, Tally, strongest, tallies
from ..errors import UsageError
from ..stats import Interval


def result(
    votes: pd.DataFrame,
    labels: Sequence[str],
    agreed: Agreement,
    *,
    judge: str,
    clusters: dict[str, Any] | None,
) -> str:
    """The end of an arena, names and all."""
    if not votes["share"].notna().any():
        return render.sentence("No votes yet; nothing can be said.")
    found = tallies(votes, clusters)
    headers = ["held against", "share preferred", "95 %", "won", "lost", "tie", "both bad", "identical"]
    rows = [
        [f"{t.first} over {t.second}", f"{t.rate.estimate:.1%}", _bounds(t.rate), *_counts(t)] for t in found
    ]
    caption = "Win rates; a tie, both bad and identical answers count half"
    parts = [render.table(headers, rows, caption=caption), _strengths(votes, labels, clusters)]
    parts += [render.sentence(_sides(votes), small=True), render.sentence(_agreed(agreed, judge))]
    return "".join(parts)


def _strengths(votes: pd.DataFrame, labels: Sequence[str], clusters: dict[str, Any] | None) -> str:
    try:
        found = strongest(votes, labels, clusters)
    except UsageError as error:
        return render.sentence(f"No strengths: {error}")
    bounds = ["reference", *(_range(s.low, s.high, "{:+.2f}") for s in found[1:])]
    rows = [[s.label, f"{s.estimate:+.2f}", width] for s, width in zip(found, bounds, strict=True)]
    caption = f"Strengths (Bradley-Terry, logits over {found[0].label}; resampled by item)"
    return render.table(["model", "strength", "95 %"], rows, caption=caption)


def _sides(votes: pd.DataFrame) -> str:
    decided = votes["choice"].isin(["A", "B"]) & ~votes["identical"].astype(bool)
    left = int((votes["choice"] == "A").sum())
    return f"Answer A, whoever it was, won {left:,} of {int(decided.sum()):,} decided votes."


def _agreed(agreed: Agreement, judge: str) -> str:
    if not len(agreed.frame):
        return f"{judge} say nothing of these pairs."
    ties = len(agreed.frame) - (agreed.share.n if agreed.share else 0)
    rest = f"; in {ties:,} more one of you has a tie" if ties else ""
    if agreed.share is None:
        return f"{judge} and your votes never both prefer an answer{rest}."
    share = agreed.share
    words = (
        f"{judge} agree with you in {share.estimate:.1%} {_bounds(share)} of {share.n:,} votes both decide"
    )
    if agreed.errors is not None:
        e, first = agreed.errors, agreed.frame.iloc[0]
        if agreed.frame[["first", "second"]].drop_duplicates().shape[0] == 1:
            words += (
                f" ({e.sensitivity:.0%} of {e.right} you gave to {first['first']}, "
                f"{e.specificity:.0%} of {e.wrong} you gave to {first['second']})"
            )
    return f"{words}{rest}."


def _counts(tally: Tally) -> list[int]:
    return [tally.won, tally.lost, tally.ties, tally.both_bad, tally.identical]


def _bounds(found: Interval) -> str:
    return _range(found.low, found.high, "{:.1%}")


def _range(low: float, high: float, form: str) -> str:
    return "without" if isnan(low) else f"[{form.format(low)}, {form.format(high)}]"
