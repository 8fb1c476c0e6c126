"""Numbers in, estimates with error bars out: paired, and honest about clusters and repeats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .distributions import Floats, binomial_cdf, normal_quantile, t_quantile, t_two_sided
from .errors import UsageError

COUNTS_ONLY = 15  # items below which a difference is no more than its counts
EXPLORATORY = 30
FEWEST_CLUSTERS = 5
FEW_CLUSTERS = 20
_MISSING = ("None", "nan", "NaT", "<NA>")
ROUNDING = 1e-12  # a spread below this share of the values is an artefact of binary fractions


@dataclass(frozen=True, slots=True)
class Interval:
    """One quantity with its bounds, NaN where there is no information; ``n`` counts items."""

    estimate: float
    low: float
    high: float
    level: float
    method: str
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference A - B with its bounds and two-sided p.

    ``only_a`` and ``only_b`` are the discordant counts of 0/1 data, else None; ``se`` and ``df`` belong to
    the t methods; ``groups`` and ``design_effect`` to clusters. Bounds are NaN where there is no information.
    """

    estimate: float
    low: float
    high: float
    level: float
    method: str
    n: int
    p: float
    only_a: int | None = None
    only_b: int | None = None
    se: float | None = None
    df: float | None = None
    groups: int | None = None
    design_effect: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two-sided p values of McNemar's test in four forms; ``score`` is dual to Tango's interval."""

    score: float
    corrected: float
    exact: float
    mid_p: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two totals on the same items can mean, by how many items both got right.

    ``most``, ``independent`` and ``least`` are the paired differences if the two share as many right answers
    as they can, as many as by chance, and as few as they can.
    """

    most: Difference
    independent: Difference
    least: Difference

    @property
    def reading(self) -> str:
        """ "clear" at any overlap; "likely", unless they overlap less than by chance; "open"; or "none"."""
        if _leaves_out_zero(self.least):
            return "clear"
        if _leaves_out_zero(self.independent):
            return "likely"
        return "open" if _leaves_out_zero(self.most) else "none"


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for one proportion (Wilson 1927; Newcombe 1998a, method 3)."""
    if not 0 <= successes <= n or n < 1:
        raise UsageError(f"{successes} successes in {n} trials cannot be; give 0 <= successes <= n, n >= 1")
    z, p = critical(level), successes / n
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (middle - half) / scale
    high = 1.0 if successes == n else (middle + half) / scale
    return Interval(p, low, high, level, "Wilson", n)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that at least one of ``k`` answers passes, when ``c`` of ``n`` did; unbiased.

    1 - C(n - c, k) / C(n, k) (Chen et al. 2021, "Evaluating large language models trained on code", eq. 1).
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise UsageError(
            f"pass@{k} of {c} passing in {n} answers cannot be; give 0 <= c <= n and 1 <= k <= n"
        )
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def mean_interval(scores: npt.ArrayLike, level: float = 0.95, *, binary: bool = False) -> Interval:
    """Student's t interval for the mean of ``scores`` (n,), n >= 2.

    Equal scores tell nothing of their spread: bounds are NaN then. But item means of right and wrong
    answers (``binary``) that are all 0 or all 1 have Wilson's interval, the widest a mean within 0 and 1
    can ask for.
    """
    values = clean(scores)
    n = len(values)
    if n < 2:
        raise UsageError(f"an interval for a mean needs at least 2 items; there are {n}")
    mean, se = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n)
    if se <= ROUNDING * float(np.abs(values).max()):
        if binary and mean in (0.0, 1.0):
            return wilson(round(mean) * n, n, level)
        return Interval(mean, math.nan, math.nan, level, "t", n)
    half = critical(level, n - 1) * se
    return Interval(mean, mean - half, mean + half, level, "t", n)


def tango(only_a: int, only_b: int, n: int, level: float = 0.95) -> Difference:
    """Tango's score interval for a paired difference of proportions (Tango 1998), with McNemar's score p.

    The two are exact duals: the interval leaves out 0 just when p < 1 - level.
    """
    check_counts(only_a, only_b)
    if only_a + only_b > n or n < 1:
        raise UsageError(
            f"{only_a} + {only_b} discordant of {n} items cannot be; give n >= only_a + only_b, n >= 1"
        )
    z, d = critical(level), (only_a - only_b) / n
    low = _tango_bound(only_a, only_b, n, z)
    high = -_tango_bound(only_b, only_a, n, z)
    p = mcnemar(only_a, only_b).score
    return Difference(d, low, high, level, "Tango", n, p, only_a, only_b, note=_note(n))


def _tango_bound(b: int, c: int, n: int, z: float) -> float:
    """The lower bound; the upper one is its mirror image with the counts exchanged."""
    low, high = -1.0, (b - c) / n
    if _tango_statistic(b, c, n, math.nextafter(low, 0)) <= z:
        return low
    for _ in range(100):
        middle = (low + high) / 2
        if _tango_statistic(b, c, n, middle) > z:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _tango_statistic(b: int, c: int, n: int, trial: float) -> float:
    top = b - c - n * trial
    if abs(top) < 1e-12:
        return 0.0
    p, r = 2 * n, -c * trial * (1 - trial)
    q = -(b + c) + (2 * n - b + c) * trial
    only_b = (math.sqrt(max(q * q - 4 * p * r, 0.0)) - q) / (2 * p)
    variance = n * (2 * only_b + trial * (1 - trial))
    return top / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, top)


def overlap(right_a: int, right_b: int, n: int, *, level: float = 0.95) -> Overlap:
    """What the difference can be where only the two totals were published, not the pairs.

    The estimate is A - B in any case; only the interval depends on the items that both got right. Models
    mostly fail on the same hard items, so the truth lies as a rule between ``most`` and ``independent``.
    """
    check_counts(right_a, right_b)
    if max(right_a, right_b) > n or n < 1:
        raise UsageError(f"{right_a} and {right_b} right of {n} items cannot be; give totals up to n, n >= 1")
    shared = (min(right_a, right_b), round(right_a * right_b / n), max(right_a + right_b - n, 0))
    return Overlap(*(tango(right_a - both, right_b - both, n, level) for both in shared))


@lru_cache(maxsize=4096)
def mcnemar(only_a: int, only_b: int) -> McNemar:
    """McNemar's test on the discordant counts (McNemar 1947; mid-p by Fagerland et al. 2013)."""
    check_counts(only_a, only_b)
    m, gap, k = only_a + only_b, abs(only_a - only_b), min(only_a, only_b)
    if m == 0:
        return McNemar(1.0, 1.0, 1.0, 1.0)
    score = math.erfc(gap / math.sqrt(2 * m))
    corrected = math.erfc(max(gap - 1, 0) / math.sqrt(2 * m))
    below, upto = (float(share) for share in binomial_cdf([k - 1, k], m, 0.5))
    mid = 1 - (upto - below) / 2 if gap == 0 else upto + below
    return McNemar(score, corrected, min(1.0, 2 * upto), mid)


def paired_t(differences: npt.ArrayLike, level: float = 0.95) -> Difference:
    """Student's paired t on the item differences (n,), n >= 2, with n - 1 degrees of freedom.

    Equal differences have no spread to go by: bounds, p and se are then NaN, and ``note`` says so.
    """
    values = clean(differences)
    n = len(values)
    if n < 2:
        raise UsageError(f"a paired difference needs at least 2 items; there are {n}")
    se = float(values.std(ddof=1)) / math.sqrt(n)
    return _t_difference(values, se, n - 1, level, "paired t", note=_note(n))


def clustered(differences: npt.ArrayLike, clusters: npt.ArrayLike, level: float = 0.95) -> Difference:
    """Cluster-robust (CR1) standard error of the mean difference, with t(G - 1) (Liang & Zeger 1986).

    ``clusters`` (n,) are any labels, none missing. Raises ``UsageError`` for fewer than 5 of them, where no
    such error bar can be trusted.
    """
    values, index = clean(differences), cluster_index(clusters)
    n, groups = len(values), int(index.max(initial=-1)) + 1
    if len(index) != n:
        raise UsageError(f"there are {n} differences but {len(index)} cluster labels; give one label an item")
    if groups < FEWEST_CLUSTERS:
        raise UsageError(
            f"{groups} clusters are too few for an error bar; at least {FEWEST_CLUSTERS} are needed; "
            "add items from others, or leave the clusters out if the items are independent"
        )
    sums = np.bincount(index, weights=values - values.mean(), minlength=groups)
    se = math.sqrt(groups / (groups - 1) * float(sums @ sums)) / n
    plain = float(values.var(ddof=1)) / n
    effect = se * se / plain if plain > 0 else None
    more = {"groups": groups, "design_effect": effect, "note": _note(n, groups)}
    return _t_difference(values, se, groups - 1, level, "CR1", **more)


def cluster_index(clusters: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Labels (n,) as whole numbers 0 ... G - 1 in order of appearance; ``UsageError`` if any is missing."""
    labels = np.asarray(clusters)
    if labels.ndim != 1:
        raise UsageError(f"clusters have the shape {labels.shape}; give one label an item, (n,)")
    seen: dict[Any, int] = {}
    index = [seen.setdefault(label, len(seen)) for label in labels.tolist()]
    # Told by their names, since pandas' own missing values refuse to be compared.
    missing = [not isinstance(label, str) and str(label) in _MISSING for label in seen]
    if any(missing):
        raise UsageError("some items have no cluster; label them all, or leave them out for both models")
    return np.asarray(index, dtype=np.intp)


def _t_difference(values: Floats, se: float, df: float, level: float, method: str, **more: Any) -> Difference:
    mean, n, tolerance = float(values.mean()), len(values), ROUNDING * float(np.abs(values).max())
    half = critical(level, df) * se
    if se <= tolerance:
        equal = np.ptp(values) <= tolerance
        more["note"] = f"no information: {'all differences are equal' if equal else 'no cluster differs'}"
        return Difference(mean, math.nan, math.nan, level, method, n, math.nan, se=math.nan, df=df, **more)
    p = t_two_sided(mean / se, df)
    return Difference(mean, mean - half, mean + half, level, method, n, p, se=se, df=df, **more)


def compare_pairs(
    a: npt.ArrayLike, b: npt.ArrayLike, clusters: npt.ArrayLike | None = None, level: float = 0.95
) -> Difference:
    """A - B over the same items, by the method that suits the data.

    ``a`` and ``b`` are (n,) or (n, k) with k repeats. One run of 0/1 scores without clusters: Tango. Else
    item means first, then paired t, or CR1 with clusters; but where 0/1 repeats all agree and every item
    differs alike, t has no spread to go by, and Tango answers for the items. Raises ``UsageError`` on NaN:
    drop pairs before.
    """
    one, two = (np.asarray(x, dtype=float) for x in (a, b))
    if one.shape != two.shape or one.ndim not in (1, 2) or not one.size:
        raise UsageError(
            f"the scores have the shapes {one.shape} and {two.shape}; give both as (n,) or (n, k)"
        )
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise UsageError("some scores are NaN or infinite; leave those items out for both models first")
    means = [x.reshape(len(x), -1).mean(axis=1) for x in (one, two)]
    gaps = means[0] - means[1]
    scale = max(float(np.abs(one).max()), float(np.abs(two).max()))
    alike = float(np.ptp(gaps)) <= ROUNDING * scale
    if clusters is None and (one.size == len(one) or alike) and all(_binary(x) for x in (one, two, *means)):
        return tango(int((gaps == 1).sum()), int((gaps == -1).sum()), len(gaps), level)
    if alike:
        gaps = np.full(len(gaps), round(float(gaps.mean()) / scale, 12) * scale if scale else 0.0)
    return paired_t(gaps, level) if clusters is None else clustered(gaps, clusters, level)


def critical(level: float, df: float | None = None) -> float:
    """The two-sided quantile of a level: normal, or Student's t with ``df``."""
    if not 0 < level < 1:
        raise UsageError(f"level is {level!r}; give a share between 0 and 1, such as 0.95")
    return normal_quantile(0.5 + level / 2) if df is None else t_quantile(0.5 + level / 2, df)


def _note(n: int, groups: int | None = None) -> str:
    notes = []
    if n < EXPLORATORY:
        few = n < COUNTS_ONLY
        notes.append(
            f"counts only: fewer than {COUNTS_ONLY} items"
            if few
            else f"exploratory: fewer than {EXPLORATORY} items"
        )
    if groups is not None and groups < FEW_CLUSTERS:
        notes.append(f"fewer than {FEW_CLUSTERS} clusters: treat with care")
    return "; ".join(notes)


def _binary(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _leaves_out_zero(found: Difference) -> bool:
    return found.low > 0 or found.high < 0


def check_counts(only_a: int, only_b: int) -> None:
    """Raise ``UsageError`` for counts below 0."""
    if min(only_a, only_b) < 0:
        raise UsageError(f"only_a is {only_a!r} and only_b {only_b!r}; counts are 0 or more")


def clean(values: npt.ArrayLike) -> Floats:
    """Finite numbers of shape (n,), n >= 1, or ``UsageError``."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise UsageError(
            f"give finite numbers of shape (n,), n >= 1; got the shape {array.shape}, or NaN among them"
        )
    return array
