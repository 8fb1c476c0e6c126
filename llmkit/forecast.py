"""A comparison, or tokens a task -> what a month of it costs: by model and mix, with error bars."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import stats
from .breakeven import money, price_set
from .canvas import MARKERS, canvas, legend, say
from .comparison import Comparison
from .errors import UsageError
from .model import Model
from .pairs import difference
from .prices import canonical
from .pricing import PriceBook, catalog_facts
from .pricing import price as billed
from .records import Usage
from .render import sentence, table
from .scores import Scores, item_scores
from .session import prices_now

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
DRAWS = 4_000
LEVEL = 0.95
_AT_ONCE = 2_000_000  # draws times items in memory at once


@dataclass(frozen=True, slots=True)
class Row:
    """One model or mix: USD of the first month, the last and all together, each with a 95 % interval."""

    label: str
    first: stats.Interval
    last: stats.Interval
    total: stats.Interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a task would cost in use.

    Attributes:
        rows: one per model, and one for the mix.
        volumes: tasks in each month.
        items: measured ones, on which the intervals stand; 0 for tokens that were only said.
        assumed: growth, cache and batch, in words.
    """

    name: str
    rows: tuple[Row, ...]
    volumes: tuple[float, ...]
    items: int
    assumed: str
    simulated: bool

    def sentence(self) -> str:
        """The forecast in words."""
        mark = "SIMULATED, so nothing here is about real models. " if self.simulated else ""
        what = "; ".join(f"{row.label} ${_usd(row.first)} a month" for row in self.rows)
        months = len(self.volumes)
        totals = "; ".join(f"{row.label} ${row.total.estimate:,.0f}" for row in self.rows)
        later = f" Over {months} months: {totals}." if months > 1 else ""
        return f"{mark}{self.volumes[0]:,.0f} tasks a month{self.assumed}: {what}.{later}"

    @property
    def frame(self) -> pd.DataFrame:
        """One row per model or mix and month: tasks, USD, and the bounds of the interval."""
        import pandas as pd

        lines = []
        for row in self.rows:
            for month, volume in enumerate(self.volumes, start=1):
                share = volume / self.volumes[0]
                usd = [bound * share for bound in (row.first.estimate, row.first.low, row.first.high)]
                lines.append((row.label, month, volume, *usd))
        return pd.DataFrame(lines, columns=["model", "month", "tasks", "usd", "low", "high"])

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """USD by month, with bands; draws on ``ax`` or a new figure, and returns the Axes."""
        stands_on = f"from {self.items:,} items, 95% intervals" if self.items else "from tokens as said"
        title = f"{self.name}: forecast {stands_on}"
        ground = canvas(ax, title=title, simulated=self.simulated)
        for number, (label, part) in enumerate(self.frame.groupby("model", sort=False)):
            colour, marker = ground.colour(number), MARKERS[number % len(MARKERS)]
            ground.ax.plot(part["month"], part["usd"], color=colour, marker=marker, label=say(label))
            band = (part["month"], part["low"], part["high"])
            if not self.items:
                continue
            ground.ax.fill_between(*band, color=colour, alpha=0.2, linewidth=0)
        ground.ax.set_xlabel("month")
        ground.ax.set_ylabel("USD a month")
        ground.ax.set_ylim(bottom=0)
        legend(ground)
        return ground.ax

    def __repr__(self) -> str:
        headers, rows = self._table()
        return "\n".join([self.sentence(), *(" | ".join(line) for line in [headers, *rows])])

    def _repr_html_(self) -> str:
        headers, rows = self._table()
        mark = "SIMULATED answers: " if self.simulated else ""
        measured = (
            f", measured on {self.items:,} items; 95% intervals" if self.items else ", from tokens as said"
        )
        caption = f"{mark}{self.name}{measured}"
        return f"<div>{sentence(self.sentence(), strong=True)}{table(headers, rows, caption=caption)}</div>"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        months = len(self.volumes)
        headers = ["model", "USD, month 1", f"USD, month {months}", f"USD, {months} months"]
        rows = [[row.label, _usd(row.first), _usd(row.last), _usd(row.total)] for row in self.rows]
        return headers, rows


def forecast(
    c: Comparison | Sequence[Model],
    *,
    per_month: float,
    growth: float = 0.0,
    months: int = 12,
    mix: Mapping[str, float] | None = None,
    cache_share: float = 0.0,
    batch_share: float = 0.0,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
) -> Forecast:
    """Project a measured comparison, or models with a guess of their tokens, to months of use.

    The cost of a task is the mean over the items, at direct prices (what a batch answered is taken at twice
    what it cost). Its interval is the percentile bootstrap over items, or over clusters where the task has
    them; that future tasks are like the measured ones, and as many as said, is assumed. In month k there are
    ``per_month * (1 + growth) ** (k - 1)`` tasks. Of models there are prices but no items, so no interval.

    Args:
        c: a comparison; or models, with ``input_tokens`` and ``output_tokens`` a task.
        per_month: tasks in the first month.
        growth: from one month to the next, as a share.
        mix: label or line -> share of the tasks; what is left goes to the one model that is not named.
        cache_share: of the prompt tokens, what will be read from the cache; writes are not counted.
        batch_share: of the tasks, what can wait for a batch.

    Raises ``UsageError`` for shares and volumes that cannot be, or where costs are unknown.
    """
    _check(per_month, growth, months, {"cache_share": cache_share, "batch_share": batch_share})
    if isinstance(c, Comparison):
        if input_tokens is not None or output_tokens is not None:
            raise UsageError("a comparison knows its tokens; leave input_tokens and output_tokens out")
        name, simulated, scores = c.task.name, c.simulated, scores_at(c, cache_share, batch_share)
        costs = dict(scores.costs)
        groups = np.arange(len(scores.items)) if scores.clusters is None else scores.clusters
        groups, items = np.unique(groups, return_inverse=True)[1], len(scores.items)
    else:
        costs = _said(c, input_tokens, output_tokens, cache_share, batch_share)
        name, simulated = f"{input_tokens:,} tokens in and {output_tokens:,} out a task", False
        groups, items = np.zeros(1, dtype=np.int64), 0
    labels = list(costs)
    if mix is not None:
        shares = _shares(mix, labels)
        words = " + ".join(f"{share:.0%} {label}" for label, share in shares.items() if share)
        costs[words] = sum((costs[label] * share for label, share in shares.items()), np.zeros(1))
    volumes = per_month * (1 + growth) ** np.arange(months)
    rows = []
    for label, each in _intervals(costs, groups, measured=items > 0).items():
        first, last, total = (
            _times(each, float(volume)) for volume in (volumes[0], volumes[-1], volumes.sum())
        )
        rows.append(Row(label, first, last, total))
    words = _assumed(growth, cache_share, batch_share)
    return Forecast(name, tuple(rows), tuple(volumes.tolist()), items, words, simulated)


def _check(per_month: float, growth: float, months: int, shares: Mapping[str, float]) -> None:
    if not 0 < per_month < float("inf") or months < 1 or not -1 < growth < 10:
        raise UsageError(
            f"per_month is {per_month!r}, months {months!r} and growth {growth!r}; give tasks above 0, at "
            "least 1 month, and growth as a share a month, such as 0.05"
        )
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UsageError(f"{name} is {share!r}; give a share from 0 to 1")


def break_evens(c: Comparison, *, cache_share: float = 0.0, batch_share: float = 0.0) -> list[str]:
    """Each model against the first at these shares: what it costs more a task, and when that is worth it."""
    scores, first = scores_at(c, cache_share, batch_share), c.labels[0]
    what, said = "an error" if scores.binary else "a whole point of score", []
    for label in c.labels[1:]:
        extra, gains = scores.costs[label] - scores.costs[first], scores.means(label) - scores.means(first)
        even = price_set(difference(scores, label, first), extra, gains, clusters=scores.clusters)
        mean = float(extra.mean())
        more = f"{label} costs ${money(abs(mean))} {'more' if mean >= 0 else 'less'} a task than {first}"
        said.append(f"{more}, {even.sentence(label, first, what)}.")
    return said


def scores_at(c: Comparison, cache_share: float, batch_share: float) -> Scores:
    """The scores of a comparison with what each task would cost at these shares, in USD.

    Raises ``UsageError`` where a cost, or the price of a cache, is unknown.
    """
    frame = c.frame.copy()
    columns = (frame[name] for name in ("cost", "tier", "served", "endpoint", "input_tokens"))
    book, day = prices_now()
    frame["cost"] = [
        _direct(cost, tier, name, tokens, cache_share, book, day) * (1 - batch_share * (1 - _half(name)))
        for cost, tier, served, endpoint, tokens in zip(*columns, strict=True)
        for name in (_priced_as(served, endpoint, book),)
    ]
    scores = item_scores(frame, c.labels, cluster=c.task.cluster)
    if any(np.isnan(costs).any() for costs in scores.costs.values()) or not len(scores.items):
        raise UsageError(
            "the cost of some answers is unknown, so no month of them is known; see c.frame.cost"
        )
    return scores


def _said(
    models: Sequence[Model], tokens: int | None, out: int | None, cache_share: float, batch_share: float
) -> dict[str, Floats]:
    """Label -> (1,) USD of a task with so many tokens in and out."""
    if not models or tokens is None or out is None or min(tokens, out) < 0:
        raise UsageError(
            f"there are {len(models)} models, {tokens} tokens in and {out} out; give models, and how many "
            "tokens a task has: kit.forecast([sonnet, opus], input_tokens=1_200, output_tokens=300, ...)"
        )
    book, day = prices_now()
    cached = round(cache_share * tokens)
    usage, costs = Usage(input=tokens - cached, cache_read=cached, output=out), {}
    for model in models:
        target = getattr(model, "target", None)
        if target is None:
            raise UsageError(f"{model.label!r} is made of other models; compare it, and forecast from that")
        name = _priced_as(target.id, target.endpoint.name, book) or model.name
        total = billed(usage, name, day, book=book)
        if total.total is None:
            raise UsageError(f"no month of {model.label!r} is known: {total.note}; see kit.price")
        costs[model.label] = np.array([float(total.total) * (1 - batch_share * (1 - _half(name)))])
    return costs


def _intervals(
    costs: Mapping[str, Floats], groups: npt.NDArray[np.int64], *, measured: bool
) -> dict[str, stats.Interval]:
    """Label -> USD a task, by the bootstrap where items were measured."""
    if not measured:
        none = (math.nan, math.nan, LEVEL, "none", 0)
        return {label: stats.Interval(float(values[0]), *none) for label, values in costs.items()}
    means, found = _means(costs, groups), {}
    for label, values in costs.items():
        low, high = np.quantile(means[label], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        mean = float(values.mean())
        method = "bootstrap over items"
        found[label] = stats.Interval(mean, float(low), float(high), LEVEL, method, len(values))
    return found


def _direct(
    cost: float,
    tier: str | None,
    name: str | None,
    tokens: float,
    cache_share: float,
    book: PriceBook,
    day: date,
) -> float:
    """USD of one answer asked directly, with so much of its prompt read from the cache."""
    full = cost / _half(name) if tier == "batch" else cost
    if not cache_share or name is None:
        return full
    row = book.row([name], day, prompt_tokens=int(tokens))
    if row is None or row.cache_read is None:
        raise UsageError(f"no cache price is known for {name!r}; leave cache_share out")
    return full - cache_share * tokens * float(row.input - row.cache_read) / 1e6


def _half(name: str | None) -> float:
    known = catalog_facts(name) if name else None
    return float(known.batch_multiplier) if known and known.batch else 1.0


def _priced_as(served: str | None, endpoint: str | None, book: PriceBook) -> str | None:
    """Under which name an answer's price is known, the user's own first; None without an answer."""
    if not isinstance(served, str):
        return None
    own = canonical(f"{endpoint}/{served}")
    return own if own in book.rows else served


def _shares(mix: Mapping[str, float], labels: list[str]) -> dict[str, float]:
    shares = dict.fromkeys(labels, 0.0)
    for name, share in mix.items():
        shares[_label(name, labels)] += share
    left = 1 - sum(mix.values())
    if min(mix.values(), default=0) < 0 or left < -1e-9:
        raise UsageError(f"mix is {dict(mix)!r}; give shares of 0 or more that make no more than 1 together")
    if left > 1e-9:
        named = {_label(name, labels) for name in mix}
        others = [label for label in labels if label not in named]
        if len(others) != 1:
            raise UsageError(
                f"mix leaves {left:.0%} to none of {others}; name a share for each model but one"
            )
        shares[others[0]] = left
    return shares


def _label(name: str, labels: list[str]) -> str:
    found = [label for label in labels if label == name] or [
        label for label in labels if name.casefold() in label.casefold()
    ]
    if len(found) != 1:
        raise UsageError(f"mix names {name!r}, which is {len(found)} of the models {labels}; name one")
    return found[0]


def _means(costs: Mapping[str, Floats], groups: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """Label -> (DRAWS,) means over items drawn anew; the same draws for every model."""
    seed = hashlib.sha256(b"".join(np.ascontiguousarray(values).tobytes() for values in costs.values()))
    random = np.random.default_rng(int.from_bytes(seed.digest()[:8], "big"))
    sizes = np.bincount(groups)
    sums = {label: np.bincount(groups, weights=values) for label, values in costs.items()}
    n, drawn = len(sizes), {label: list[Floats]() for label in costs}
    step = max(1, min(DRAWS, _AT_ONCE // n))
    for start in range(0, DRAWS, step):
        times = random.multinomial(n, np.full(n, 1 / n), size=min(step, DRAWS - start))
        for label in costs:
            drawn[label].append(times @ sums[label] / (times @ sizes))
    return {label: np.concatenate(parts) for label, parts in drawn.items()}


def _times(each: stats.Interval, volume: float) -> stats.Interval:
    return replace(each, estimate=each.estimate * volume, low=each.low * volume, high=each.high * volume)


def _usd(bounds: stats.Interval) -> str:
    known = "" if math.isnan(bounds.low) else f" [{bounds.low:,.0f} to {bounds.high:,.0f}]"
    return f"{bounds.estimate:,.0f}{known}"


def _assumed(growth: float, cache_share: float, batch_share: float) -> str:
    words = [f"{growth:+.1%} a month"] if growth else []
    words += [f"{cache_share:.0%} of the prompt from the cache"] if cache_share else []
    words += [f"{batch_share:.0%} in batches"] if batch_share else []
    return f" ({', '.join(words)})" if words else ""
