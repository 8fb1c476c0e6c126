"""What a task costs in use, while you move volume, growth, mix, cache and batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import render
from ..caching import LIVES, break_even
from ..comparison import Comparison
from ..errors import UsageError
from ..forecast import Forecast, break_evens, forecast
from ..model import Model
from ..prices import canonical
from ..session import prices_now
from . import fields
from .knobs import Dial, View, log_slider, percent

if TYPE_CHECKING:
    import pandas as pd

_MOST_TOKENS = 10_000_000


def costs(c: Comparison | Model | Sequence[Model] = (), *, per_month: int = 50_000) -> Costs:
    """A panel that forecasts what a task costs in use, by model and by mix of two.

        panel = kit.widgets.costs(c)       # of a comparison; or of models, with tokens you type
        panel                              # move the sliders
        panel.frame                        # USD by model and month, as kit.forecast gives them

    What cannot work is said in the panel, nothing is raised.
    """
    return Costs([c] if isinstance(c, Model) else c, per_month)


class Costs(Dial):
    """Made by ``kit.widgets.costs``.

    Attributes:
        value: the ``Forecast`` on show; None where there is none.
        volume, growth, months, cache, batch: the knobs. share: of ``dear`` in a mix with ``cheap``.
        tokens: the fields for tokens in and out of a task, of models without a comparison.
    """

    def __init__(self, of: Comparison | Sequence[Model], per_month: int) -> None:
        measured = isinstance(of, Comparison)
        title = f"Costs: {of.task.name}" if isinstance(of, Comparison) else "Costs"
        super().__init__(title, simulated=of.simulated if isinstance(of, Comparison) else None)
        self.value: Forecast | None = None
        self._of = of if isinstance(of, Comparison) else list(of)
        labels = of.labels if isinstance(of, Comparison) else [model.label for model in of]
        self.volume = log_slider("Tasks a month", per_month, powers=(0, 9), shown_as=",.0f")
        self.growth = percent("Growth a month, %", 0, least=-50, most=50)
        self.months = fields.slider("Months", 12, least=1, most=60, step=1)
        self.cache = percent("Prompt from the cache, %", 0)
        self.batch = percent("In batches, %", 0)
        picks = labels if len(labels) > 1 else [*labels, "no other model"]
        self.cheap, self.dear = fields.choice("Mix of", picks), fields.choice("with", picks, picks[-1])
        self.share = percent("Share of the second, %", 30)
        self.tokens = [
            fields.number("Tokens in", 1_000, least=0, most=_MOST_TOKENS, step=100),
            fields.number("Tokens out", 300, least=0, most=_MOST_TOKENS, step=50),
        ]
        self._labels = labels
        knobs = [self.volume, self.growth, self.months, self.cache, self.batch]
        self.follow(*knobs, self.share, self.cheap, self.dear, *self.tokens)
        typed = [] if measured else [fields.row(*self.tokens)]
        mixing = [fields.row(self.share, self.cheap, self.dear)] if len(labels) > 1 else []
        self.lay_out(*typed, fields.row(*knobs), *mixing)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per model or mix and month: tasks, USD, and its bounds, NaN without a comparison.

        Raises ``UsageError`` while there is no forecast.
        """
        if self.value is None:
            raise UsageError(f"there is no forecast: {self.said or 'wait for the panel'}")
        return self.value.frame

    def look(self) -> View:
        """The forecast at what the knobs say, and when the dearer model and a cache pay."""
        self.value = None
        shares = {"cache_share": self.cache.value / 100, "batch_share": self.batch.value / 100}
        found = forecast(
            self._of,
            per_month=round(self.volume.value),
            growth=self.growth.value / 100,
            months=int(self.months.value),
            mix=self._mix(),
            **shares,
            **self._typed(),
        )
        if isinstance(self._of, Comparison):
            notes = [*break_evens(self._of, **shares), *_cache_notes(_served(self._of))]
        else:
            notes = [*_differences(found), *_cache_notes(self._of)]
        self.value = found
        below = _table(found, self._tokens_of()) + "".join(render.sentence(note) for note in notes)
        return View(found.sentence(), below, partial(_plot, found))

    def _mix(self) -> dict[str, float] | None:
        one, two = str(self.cheap.value), str(self.dear.value)
        if len(self._labels) < 2:
            return None
        if one == two:
            raise UsageError(f"a mix of {one!r} with itself is none; pick two models")
        return {one: 1 - self.share.value / 100, two: self.share.value / 100}

    def _typed(self) -> dict[str, Any]:
        if isinstance(self._of, Comparison):
            return {}
        return {"input_tokens": self.tokens[0].value, "output_tokens": self.tokens[1].value}

    def _tokens_of(self) -> dict[str, tuple[float, float]]:
        """Label -> mean tokens in and out of a task."""
        if not isinstance(self._of, Comparison):
            both = (float(self.tokens[0].value), float(self.tokens[1].value))
            return dict.fromkeys(self._labels, both)
        both_kinds = self._of.frame[["input_tokens", "output_tokens"]].astype(float)
        parts = both_kinds.groupby(self._of.frame["model"], sort=False)
        means = parts.mean()
        return {str(label): (float(row.iloc[0]), float(row.iloc[1])) for label, row in means.iterrows()}


def _plot(found: Forecast, ax: Any) -> Any:
    return found.plot(ax=ax)


def _table(found: Forecast, tokens: dict[str, tuple[float, float]]) -> str:
    months = len(found.volumes)
    headers = ["model", "tokens in", "tokens out", "USD, 1,000 tasks", "USD, month 1"]
    headers += [f"USD, month {months}", f"USD, {months} months"] if months > 1 else []
    rows = []
    for row in found.rows:
        used = [f"{n:,.0f}" for n in tokens.get(row.label, ()) if n == n]
        each = 1000 * row.first.estimate / found.volumes[0]
        later = [f"{part.estimate:,.2f}" for part in (row.first, row.last, row.total)]
        rows.append([row.label, *(used or ["", ""]), f"{each:,.4f}", *later[: len(headers) - 4]])
    mark = "SIMULATED answers: " if found.simulated else ""
    return render.table(headers, rows, caption=f"{mark}{found.name}")


def _differences(found: Forecast) -> list[str]:
    """What the dearest of some models costs more than the cheapest, where no score says what it gains."""
    ranked = sorted(found.rows, key=lambda row: row.first.estimate)
    low, high = ranked[0], ranked[-1]
    more = (high.first.estimate - low.first.estimate) / found.volumes[0]
    if len(ranked) < 2 or not more:
        return []
    return [
        f"{high.label} costs ${1000 * more:,.4f} more in 1,000 tasks than {low.label}: it breaks even where "
        "the errors it avoids in them cost that much. How many those are, kit.compare tells."
    ]


def _served(c: Comparison) -> list[str]:
    """The models that answered, as their prices are named."""
    return sorted({str(name) for name in c.frame["served"].dropna()})


def _cache_notes(models: Sequence[Model] | Sequence[str]) -> list[str]:
    """From how many reuses of a written cache on it pays, a sentence for each model with such prices."""
    (book, day), said = prices_now(), []
    for model in models:
        target = getattr(model, "target", None)
        name = model if isinstance(model, str) else (target.id if target else model.name)
        own = [canonical(target.name)] if target else []
        row = book.row([*own, name], day)
        known = [(life, break_even(row, life)) for life in LIVES if row is not None]
        words = [f"{life} from {reads} reuse(s) a write on" for life, reads in known if reads is not None]
        if words:
            said.append(f"A cache for {name} pays: {', '.join(words)}.")
    return said
