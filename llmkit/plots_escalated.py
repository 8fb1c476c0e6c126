"""A picture of whom a policy moved up, why, and what came of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .canvas import HATCHES, canvas, legend, rows_axis, rows_of, say
from .errors import UsageError
from .model import Model
from .plots_switching import short
from .replay import Replay

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 0.55  # inches of height for each row
_MOST_ROWS = 12
_NUMBER = re.compile(r"\d[\d,.]*")
_FATES = {"rescued": "dearer scored higher", "worse": "dearer scored lower", "same": "no difference"}


@dataclass(frozen=True, slots=True, eq=False)
class Escalated:
    """Whom a policy moved up, and what came of it.

    Attributes:
        data: one row a group of items: items, ``moved``, and of these ``rescued`` (the dearer model scored
            higher), ``same`` and ``worse``, as counts of answers; ``gain`` the mean gain of the moved, and
            ``extra`` their mean extra USD.
        by: "reason", or the column of the slices.
    """

    data: pd.DataFrame
    by: str
    title: str
    notes: tuple[str, ...]
    simulated: bool

    @classmethod
    def of(cls, r: Replay, policy: str | Model, *, by: str | None = None) -> Escalated:
        """Of one policy of a replay, by a column of the task, or by why drafts were not taken.

        Numbers within reasons are left out, so that alike reasons count together; a route gives no reasons.
        """
        arms = r.arms(policy)
        label = policy.label if isinstance(policy, Model) else policy
        if not arms.items:
            raise UsageError(f"no item has a grade and a known cost of {label!r} and both models")
        group = _reasons(r, label, arms.items) if by is None else _slices(r, by, arms.items)
        gain = np.where(arms.moved, arms.q_s - arms.q_w, np.nan)
        extra = np.where(arms.moved, arms.c - arms.c_w, np.nan)
        frame = pd.DataFrame({"group": group, "moved": arms.moved, "gain": gain, "extra": extra})
        told = [(str(name), *_counts(part)) for name, part in frame.groupby("group", sort=True)]
        columns = ["group", "items", "moved", "rescued", "same", "worse", "gain", "extra"]
        data = pd.DataFrame(told, columns=columns).set_index("group")
        if by is None:
            data = data[data["moved"] > 0].sort_values("moved", ascending=False, kind="stable")
        notes = [f"{int(arms.moved.sum()):,} of {len(arms.items):,} items moved up to {arms.strong}"]
        if len(data) > _MOST_ROWS:
            notes.append(f"The {_MOST_ROWS} largest of {len(data):,} groups are drawn; .data has all")
        name = short({"policy": label, "between": (arms.weak, arms.strong)})
        title = f"{r.task.name}: whom {name} moved up"
        return cls(data, by or "reason", title, tuple(notes), r.simulated)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """One bar a group, as long as items were moved; returns the Axes."""
        data = self.data
        if len(data) > _MOST_ROWS:
            data = data.sort_values("moved", ascending=False, kind="stable").head(_MOST_ROWS)
        height = 1.8 + _ROW * max(len(data), 1)
        ground = canvas(
            ax, title=self.title, notes=self.notes, simulated=self.simulated, height=height, rows=True
        )
        ax, left = ground.ax, np.zeros(len(data))
        for number, (name, words) in enumerate(_FATES.items()):
            look: dict[str, Any] = {
                "facecolor": ground.muted if name == "same" else ground.colour(number),
                "hatch": HATCHES[number],
                "edgecolor": ground.ink,
                "linewidth": 0.6,
            }
            ax.barh(range(len(data)), data[name], left=left, height=0.5, label=words, **look)
            left += data[name].to_numpy(dtype=float)
        rows_axis(ground, list(data.index))
        for row, found in enumerate(rows_of(data)):
            ground.write(say(self._words(found)), (left[row], row), offset=(5, 0), va="center")
        ax.set_xlim(0, 1.75 * max(float(left.max(initial=0.0)), 1.0))
        ax.set_xlabel("items moved up")
        legend(ground)
        return ax

    def _words(self, found: Mapping[str, Any]) -> str:
        """The numbers of one bar."""
        moved, items = found["moved"], found["items"]
        of = "" if self.by == "reason" else f" of {items:,} ({moved / items:.0%})"
        gain = "" if math.isnan(found["gain"]) else f", gain {100 * found['gain']:+.0f} points each"
        return f"{moved:,}{of}{gain}"


def _reasons(r: Replay, label: str, items: tuple[str, ...]) -> list[str]:
    """Why the first draft that was not taken was not, an item."""
    mine = r.frame[(r.frame["policy"] == label) & (r.frame["why"] != "")]
    why = mine.drop_duplicates("item").set_index("item")["why"].to_dict()
    return [_NUMBER.sub("…", str(why.get(item, "decided before any answer"))) for item in items]


def _slices(r: Replay, column: str, items: tuple[str, ...]) -> list[str]:
    frame = r.task.frame
    if column not in frame.columns:
        raise UsageError(f"the task has no column {column!r}; it has {list(frame.columns)}")
    values = dict(zip(r.task.ids, frame[column].tolist(), strict=True))
    return [str(values[item]) for item in items]


def _counts(part: pd.DataFrame) -> tuple[int, int, int, int, int, float, float]:
    gain = part["gain"].dropna()
    fates = (int((gain > 0).sum()), int((gain == 0).sum()), int((gain < 0).sum()))
    means = [float(part[name].mean()) if len(gain) else math.nan for name in ("gain", "extra")]
    return (len(part), len(gain), *fates, means[0], means[1])
