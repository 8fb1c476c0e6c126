"""Who is moved up to the dearer model, and what that earns, while you move the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from .. import render
from ..canvas import rows_of
from ..comparison import Comparison
from ..errors import UsageError
from ..headroom import Headroom
from ..model import Model
from ..plots_switching import Switching
from ..tradeoff import Choice, Tradeoff
from . import fields, routes
from .knobs import Dial, View
from .routes import Board

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10
_LONGEST = 90  # characters of a prompt in a table
_NONE = "none"


def switchboard(c: Comparison, policies: Model | Sequence[Model] = ()) -> Switchboard:
    """A panel that moves the threshold of a route or cascade over answers that are already paid.

        panel = kit.widgets.switchboard(c)  # or with policies of your own: switchboard(c, [careful])
        panel                               # move the slider
        panel.policy                        # the policy as chosen; panel.moved is who moves up

    Args:
        policies: routes or cascades of two models of the comparison, before what the panel offers itself.

    What cannot work is said in the panel, nothing is raised.
    """
    return Switchboard(c, [policies] if isinstance(policies, Model) else list(policies))


class Switchboard(Dial):
    """Made by ``kit.widgets.switchboard``.

    Attributes:
        which, threshold: the knobs. best, copy: the buttons.
        choice: what the policy earns as chosen; None where there is none.
    """

    def __init__(self, c: Comparison, policies: Sequence[Model]) -> None:
        super().__init__(f"Switchboard: {c.task.name}", simulated=c.simulated)
        self.choice: Choice | None = None
        self._c, self._policies = c, policies
        self._offers: list[routes.Offer] = []
        self._notes: list[str] = []
        self._boards: dict[str, Board] = {}
        self._shown: Board | None = None
        self._headroom: Headroom | None = None
        self._filling = False
        self.which = fields.choice("Policy", [_NONE])
        self.threshold = ipywidgets.SelectionSlider(
            options=_options([float("inf")], [_NONE]),
            description="Threshold",
            style={"description_width": "initial"},
            layout={"width": "520px", "max_width": "100%"},
        )
        self.best = fields.button("Best threshold", hint="The greatest gain over a coin")
        self.copy = fields.button("Copy as code")
        self.code = fields.area("Code", rows=6)
        self.code.layout.display = "none"
        self.which.observe(self._moved, names="value")
        self.threshold.observe(self._moved, names="value")
        self.on(self.best, self._take_best)
        self.on(self.copy, self._copy)
        self.lay_out(fields.row(self.which, self.threshold), fields.row(self.best, self.copy), self.code)

    @property
    def policy(self) -> Model:
        """The policy as chosen, ready to use. Raises ``UsageError`` where there is none."""
        return self._board().set_to(self.threshold.value)

    @property
    def frame(self) -> pd.DataFrame:
        """Both models, the policy as chosen, its best threshold here and on other folds, and the oracle.

        The columns are those of ``Tradeoff.table``: USD an item, and gains over a coin of equal cost.
        """
        board = self._board()
        return _figures(board, float(self.threshold.value))

    @property
    def moved(self) -> pd.DataFrame:
        """One row an item (and repeat) that moves up: why, and what came of it."""
        return _movers(self._board(), float(self.threshold.value))

    def look(self) -> View:
        """What the policy earns at its threshold."""
        self.choice = None
        if not self._offers:
            self._begin()
        name = str(self.which.value)
        if name not in self._boards:
            self._shown = None
            self._boards[name] = Board.of(self._c, dict(self._offers)[name]())
        board = self._boards[name]
        if board is not self._shown:
            self._fill(board)
        threshold = float(self.threshold.value)
        self.choice = board.line.at(threshold)
        sentence = _sentence(board, threshold, self.choice)
        picture = _pictured(board, threshold, self.choice)
        return View(sentence, self._below(board, threshold), lambda ax: picture.plot(ax=ax))

    def _begin(self) -> None:
        self._offers, self._notes = routes.offers(self._c, self._policies)
        self._headroom = self._c.headroom()
        self._filling = True
        self.which.options = [name for name, _ in self._offers]
        self._filling = False

    def _fill(self, board: Board) -> None:
        """Give the slider this policy's thresholds, at the one it is set to."""
        self._filling = True
        marks = [_NONE if stop == float("inf") else routes.said(board.limit(stop)) for stop in board.stops]
        self.threshold.options = _options(board.stops, marks)
        share = board.line.own.moved.mean()
        gaps = [abs(float((board.line.score >= stop).mean()) - share) for stop in board.stops]
        self.threshold.index = int(np.argmin(gaps))
        self._filling = False
        self._shown = board

    def _moved(self, _: Any) -> None:
        if not self._filling:
            self.redraw()

    def _take_best(self) -> None:
        board = self._board()
        best = board.line.best_threshold
        nearest = min(board.stops, key=lambda stop: 0.0 if stop == best else abs(stop - best))
        self.threshold.value = nearest

    def _copy(self) -> None:
        self.code.value = self._board().cell(self._c, float(self.threshold.value))
        self.code.layout.display = ""
        self.say("The code below makes this policy.", kind="good")

    def _board(self) -> Board:
        if self._shown is None:
            raise UsageError(f"there is no policy to show: {self.said or 'wait for the panel'}")
        return self._shown

    def _below(self, board: Board, threshold: float) -> str:
        mark = "SIMULATED answers: " if self._c.simulated else ""
        words = [_caution(board.line)]
        if self._headroom is not None:
            words.append(f"{'Go' if self._headroom.go else 'No-go'}: {self._headroom.sentence}")
        parts = [render.sentence(each) for each in words]
        parts.append(_shown_figures(_figures(board, threshold), mark))
        parts.append(_shown_movers(self._c, board, threshold, mark))
        return "".join([*parts, *(render.sentence(note, small=True) for note in self._notes)])


def _options(stops: Sequence[float], marks: Sequence[str]) -> list[tuple[str, float]]:
    """What the slider has; at least two, for the page shows no slider of one."""
    found = list(zip(marks, stops, strict=True))
    return found if len(found) > 1 else found * 2


def _sentence(board: Board, threshold: float, choice: Choice) -> str:
    mark = "SIMULATED answers: " if board.line.simulated else ""
    found, gain = choice.figures, choice.gain
    start = (
        f"{mark}{board.rule(threshold)}: {found.moved:.0%} of {board.line.pair.n:,} answers, quality "
        f"{found.quality:.1%} for ${1000 * found.cost:,.4g} per 1,000"
    )
    if reason := board.line.chord.no_choice:
        return f"{start}. No trade-off: {reason}."
    bounds = "" if np.isnan(gain.low) else f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    return (
        f"{start}; {100 * found.gain:+.1f} points{bounds} against a coin that spends as much, "
        f"{_saved(found.saving_over_strong)} than {board.line.strong} alone."
    )


def _saved(share: float) -> str:
    return f"{share:.0%} less" if share >= 0 else f"{-share:.0%} more"


def _caution(line: Tradeoff) -> str:
    """That a threshold chosen here flatters, and what the rule earns where it does not."""
    start = "A threshold chosen by looking at these items looks better on them than it is."
    if line.chord.no_choice:
        return start
    if not line.foldable:
        return f"{start} {line.pair.n:,} answers are too few to choose it on some and judge it on others."
    held = line.held_out
    known = "" if np.isnan(held.p) else f", p = {held.p:.2g}"
    bounds = f"[{100 * held.gain.low:+.1f}, {100 * held.gain.high:+.1f}]"
    return (
        f"{start} Chosen for the greatest gain on other folds than it is judged on, it gains "
        f"{100 * held.figures.gain:+.1f} points {bounds} over a coin{known}."
    )


def _figures(board: Board, threshold: float) -> pd.DataFrame:
    line, found = board.line, board.line.at(threshold)
    table = line.table.copy()
    chosen = [found.figures.cost, found.figures.quality, found.figures.moved, found.figures.gain]
    rest = [found.figures.saving, found.figures.saving_over_strong, found.figures.recovered]
    table.loc[line.label] = [*chosen, found.gain.low, found.gain.high, *rest]
    return table.rename(index={line.label: "as chosen"})


def _shown_figures(figures: pd.DataFrame, mark: str) -> str:
    headers = ["", "USD, 1,000 items", "quality", "moved up", "points over a coin", "95%"]
    rows = []
    for name, row in zip(figures.index, rows_of(figures), strict=True):
        bounds = "" if np.isnan(row["low"]) else f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        gain = "" if np.isnan(row["gain"]) else f"{100 * row['gain']:+.1f}"
        shares = [f"{row['quality']:.1%}", f"{row['moved']:.0%}"]
        rows.append([str(name), f"{1000 * row['cost']:,.4g}", *shares, gain, bounds])
    return render.table(headers, rows, caption=f"{mark}what it earns")


def _movers(board: Board, threshold: float) -> pd.DataFrame:
    import pandas as pd

    line = board.line
    up = np.flatnonzero(line.score >= threshold)
    up = up[np.argsort(-line.score[up], kind="stable")]
    score = line.score[up] if line.kind == "route" else -line.score[up]
    pair = line.pair
    return pd.DataFrame(
        {
            "item": [line.items[place] for place in up.tolist()],
            "why": [f"{board.line.by}: {routes.said(value)}" for value in score.tolist()],
            line.weak: pair.weak_quality[up],
            line.strong: pair.strong_quality[up],
            "gain": pair.gain[up],
            "extra": pair.strong_cost[up] if line.kind == "cascade" else pair.extra[up],
        }
    )


def _shown_movers(c: Comparison, board: Board, threshold: float, mark: str) -> str:
    line, movers = board.line, _movers(board, threshold)
    places = {item: place for place, item in enumerate(c.task.ids)}
    rows = []
    for row in rows_of(movers.head(SHOWN)):
        prompt = " ".join(c.task.prompt_of(places[row["item"]]).split())
        short = prompt if len(prompt) <= _LONGEST else f"{prompt[: _LONGEST - 1]}…"
        grades = [f"{row[line.weak]:.2g}", f"{row[line.strong]:.2g}"]
        rows.append([row["item"], short, row["why"], *grades, _became(row["gain"]), f"{row['extra']:.6f}"])
    better, worse = int((movers["gain"] > 0).sum()), int((movers["gain"] < 0).sum())
    counted = f"{better:,} better, {worse:,} worse, {len(movers) - better - worse:,} neither"
    first = f"; the first {SHOWN}" if len(movers) > SHOWN else ""
    caption = f"{mark}who moves up: {len(movers):,} of {line.pair.n:,}, {counted}{first}"
    headers = ["item", "prompt", "why", line.weak, line.strong, "became", "USD more"]
    return render.table(headers, rows, caption=caption)


def _became(gain: float) -> str:
    return "better" if gain > 0 else "worse" if gain < 0 else "neither"


def _pictured(board: Board, threshold: float, choice: Choice) -> Switching:
    """The picture with the policy's marker where it is now."""
    data, found = board.picture.data.copy(), choice.figures
    mine = data["policy"] == board.line.label
    now: dict[str, float | str] = {
        "policy": "chosen",
        "dollars": 1000 * found.cost,
        "quality": found.quality,
        "gain": found.gain,
    }
    now |= {"low": choice.gain.low, "high": choice.gain.high}
    for name, value in now.items():
        data.loc[mine, name] = value
    return replace(board.picture, data=data)
