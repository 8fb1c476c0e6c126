"""A frame of answers -> item scores that are paired: what every statistic of a comparison stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import stats
from .errors import UsageError


@dataclass(frozen=True, slots=True)
class Scores:
    """Item scores of each model over the items that all of them answered.

    Attributes:
        items: ids, (n,). values: label -> (n, k) scores, NaN where a repeat failed.
        costs, seconds: label -> (n,) mean USD and latency per task, NaN where unknown.
        clusters: (n,) or None. binary: every score is 0 or 1.
        dropped: items left out because some model has no graded answer to them.
    """

    items: np.ndarray
    values: dict[str, np.ndarray]
    costs: dict[str, np.ndarray]
    seconds: dict[str, np.ndarray]
    clusters: np.ndarray | None
    binary: bool
    dropped: int

    @property
    def groups(self) -> int | None:
        """How many clusters there are; raises ``UsageError`` where an item has none."""
        return None if self.clusters is None else len(set(stats.cluster_index(self.clusters).tolist()))

    def means(self, label: str) -> np.ndarray:
        """Item means over the repeats that were graded, (n,)."""
        return np.asarray(np.nanmean(self.values[label], axis=1))


def rows_of(frame: pd.DataFrame, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Which rows of a comparison's frame are of which model, (rows,) each. Raises ``UsageError`` for none."""
    if frame.empty:
        raise UsageError("there are no answers to judge")
    models, names = pd.factorize(frame["model"])
    places = {name: place for place, name in enumerate(names)}
    return {label: models == places.get(label, -2) for label in labels}


def item_scores(
    frame: pd.DataFrame,
    labels: Sequence[str],
    *,
    cluster: str | None = None,
    of: Mapping[str, np.ndarray] | None = None,
) -> Scores:
    """The paired scores a verdict stands on: only items with a graded answer of every model.

    ``of`` is ``rows_of``, where it is known already.
    """
    of = rows_of(frame, labels) if of is None else of
    items, names = pd.factorize(frame["item"])
    shape = (len(names), int(frame["repeat"].max()) + 1)
    values, costs, seconds = {}, {}, {}
    for label in labels:
        mine = of[label]
        where = (items[mine], frame["repeat"].to_numpy()[mine])
        values[label], money, waits = (
            _laid_out(frame[column].to_numpy(dtype=float)[mine], where, shape)
            for column in ("score", "cost", "latency")
        )
        costs[label], seconds[label] = _row_means(money), _row_means(waits)
    have = np.all([~np.isnan(values[label]).all(axis=1) for label in labels], axis=0)
    present = np.concatenate([values[label][have].ravel() for label in labels])
    groups = None
    if cluster is not None:
        first = frame.drop_duplicates("item")
        groups = first[cluster].to_numpy()[have]
    return Scores(
        items=np.asarray(names)[have],
        values={label: values[label][have] for label in labels},
        costs={label: costs[label][have] for label in labels},
        seconds={label: seconds[label][have] for label in labels},
        clusters=groups,
        binary=bool(np.isin(present[~np.isnan(present)], (0.0, 1.0)).all()),
        dropped=int((~have).sum()),
    )


def _laid_out(column: np.ndarray, where: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    laid = np.full(shape, np.nan)
    laid[where] = column
    return laid


def _row_means(values: np.ndarray) -> np.ndarray:
    present = ~np.isnan(values)
    counts = present.sum(axis=1)
    sums = np.where(present, values, 0.0).sum(axis=1)
    return np.asarray(np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0))
