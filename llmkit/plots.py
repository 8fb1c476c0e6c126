"""A comparison -> an Axes: numbers first, and every picture of simulated answers says so.

Each picture is a record that holds its numbers (``Forest.of(c).data``) and draws itself (``.plot(ax=)``); the
functions here do both at once and return the Axes. Colours follow matplotlib's style.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from .compared import Compared
from .headroom import Headroom
from .model import Model
from .plots_escalated import Escalated
from .plots_money import Costs, Frontier, WorthIt
from .plots_quality import Forest, Judge, Slices
from .plots_switching import NeededLift, Switching
from .plots_time import Latency, What
from .replay import Replay

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Costs",
    "Escalated",
    "Forest",
    "Frontier",
    "Judge",
    "Latency",
    "NeededLift",
    "Slices",
    "Switching",
    "WorthIt",
    "costs",
    "escalated",
    "forest",
    "frontier",
    "judge",
    "latency",
    "needed_lift",
    "slices",
    "switching",
    "worth",
]


def frontier(c: Compared, *, ax: Axes | None = None) -> Axes:
    """Score against USD per 1,000 tasks, with joint 95 % regions; up and to the left is better.

    Draws on ``ax`` or a new figure. Raises ``UsageError`` if a cost is unknown.
    """
    return Frontier.of(c).plot(ax=ax)


def forest(c: Compared, *, by: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Differences to the baseline with 95 % intervals, over all items and in each slice of ``by``.

    Without ``by`` the slices are the task's own.
    """
    return Forest.of(c, by=by).plot(ax=ax)


def worth(
    c: Compared, *, model: str | None = None, cost_of_error: float | None = None, ax: Axes | None = None
) -> Axes:
    """The probability that the dearer model is worth it, over what an error costs, with the break-even.

    ``cost_of_error`` (USD) is marked on the curve. ``model`` is needed with more than two models.
    """
    return WorthIt.of(c, model=model, cost_of_error=cost_of_error).plot(ax=ax)


def latency(c: Compared, *, what: What = "latency", ax: Axes | None = None) -> Axes:
    """The distribution of ``what``: "latency" or "first_token" in seconds, or "tokens_per_second"."""
    return Latency.of(c, what=what).plot(ax=ax)


def costs(c: Compared, *, ax: Axes | None = None) -> Axes:
    """USD per 1,000 calls by kind: input, cache, output, thinking, failed attempts, the rest."""
    return Costs.of(c).plot(ax=ax)


def slices(c: Compared, column: str, *, ax: Axes | None = None) -> Axes:
    """Every model's mean score in each slice of one column, with the last model's lead."""
    return Slices.of(c, column).plot(ax=ax)


def switching(r: Replay, *, policy: str | Model | None = None, ax: Axes | None = None) -> Axes:
    """Quality against cost of ``kit.replay``'s policies, with the line of a coin between the two models.

    ``policy`` is drawn with every threshold it could have had and what scores that know nothing draw; the
    first that decides by a score if left out.
    """
    return Switching.of(r, policy=policy).plot(ax=ax)


def needed_lift(r: Replay | Headroom, *, ax: Axes | None = None) -> Axes:
    """The lift each policy of a replay has and the one it needs to meet a coin, over the cost ratio.

    Of ``c.headroom()``, before any is built: what the best check thinkable would have.
    """
    return NeededLift.of(r).plot(ax=ax)


def escalated(r: Replay, policy: str | Model, *, by: str | None = None, ax: Axes | None = None) -> Axes:
    """Whom a policy moved up and what came of it: by reason, or by a column of the task."""
    return Escalated.of(r, policy, by=by).plot(ax=ax)


def judge(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    names: tuple[str, str] = ("first", "second"),
    title: str = "Can the judge be trusted?",
    simulated: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """How far two gradings of the same answers agree, flip, and lean; see ``Judge.of``."""
    return Judge.of(first, second, names=names, title=title, simulated=simulated).plot(ax=ax)
