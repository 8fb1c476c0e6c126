"""A panel whose words, table and picture follow its knobs, drawn beside the kernel and not too often."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets

from .. import render
from ..canvas import png, sheet
from . import fields, shown
from .panel import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EVERY = 0.2
"""Seconds from one drawing to the next while a knob moves."""

_STEP = 0.05  # powers of ten
_SIMULATED = "SIMULATED: every answer is made up and says nothing about real models"
_RECORDED = "from recorded answers: nothing is asked or paid"


@dataclass(frozen=True, slots=True)
class View:
    """What a panel shows for one setting of its knobs.

    Attributes:
        sentence: what it says, also in place of the picture for who does not see it.
        below: HTML made by ``render``. draw: the picture, onto Axes; None where there is none.
    """

    sentence: str
    below: str = ""
    draw: Callable[[Axes], Any] | None = None


class Dial(Panel):
    """A panel that computes a ``View`` anew when a knob moves, on its own thread.

    However fast a knob moves, what is drawn last is its last place, and no more than some times a second.

    Attributes:
        view: what is shown, or None before the first one and after an error.
        drawings: how often something was drawn.
    """

    def __init__(self, title: str, *, simulated: bool | None) -> None:
        marks = {True: _SIMULATED, False: _RECORDED, None: ""}
        super().__init__(title, mark=marks[simulated])
        self.view: View | None = None
        self.drawings = 0
        self._asked, self._drawn = False, 0.0
        self.words, self.below, self.picture = shown.html(), shown.html(), shown.html()

    @abstractmethod
    def look(self) -> View:
        """What the knobs say now; an error of it is told in the panel."""

    def lay_out(self, *rows: Any) -> None:
        """Put rows of knobs above what follows them, and show it for the first time."""
        self.body.children = [*rows, self.words, self.picture, self.below]
        self.redraw()

    def follow(self, *knobs: Any) -> None:
        """Draw anew whenever one of these changes."""
        for knob in knobs:
            knob.observe(lambda _: self.redraw(), names="value")

    def redraw(self) -> None:
        """Draw soon; what is asked for while a drawing waits is one drawing."""
        with self.lock:
            if self._asked:
                return
            self._asked = True
        self.submit(self._redraw)

    def last_state(self) -> str:
        """Title, status, sentence and tables; the picture stays out, for it would make a notebook heavy."""
        return f"{super().last_state()}{self.words.value}{self.below.value}"

    def _redraw(self) -> None:
        self.closed.wait(max(0.0, self._drawn + EVERY - time.monotonic()))
        with self.lock:
            self._asked = False
        if self.closed.is_set():
            return
        try:
            self._show(self.look())
        except Exception as error:  # noqa: BLE001 - a panel tells
            self.view = None
            self.words.value = self.below.value = self.picture.value = ""
            self.tell(error)
        self._drawn = time.monotonic()
        if not self._asked:
            self.keep()

    def _show(self, view: View) -> None:
        if self.said.startswith("Error"):
            self.say("")
        self.words.value, self.below.value = render.sentence(view.sentence, strong=True), view.below
        self.picture.value = "" if view.draw is None else shown.picture(_drawn(view.draw), view.sentence)
        self.view = view
        self.drawings += 1


def log_slider(label: str, value: float, *, powers: tuple[int, int], shown_as: str) -> Any:
    """A number over powers of ten, by mouse or arrow keys."""
    least, most = map(float, powers)
    start = min(max(math.log10(value) if value > 0 else least, least), most)
    # The page rounds to whole steps from the least on, so the number given must be one of them.
    least = start - math.floor((start - least) / _STEP) * _STEP
    return ipywidgets.FloatLogSlider(
        value=value if 10 ** powers[0] <= value <= 10 ** powers[1] else 10**start,
        base=10,
        min=least,
        max=most,
        step=_STEP,
        description=label,
        readout_format=shown_as,
        style={"description_width": "initial"},
        layout={"width": "420px", "max_width": "100%"},
    )


def percent(label: str, value: int, *, least: int = 0, most: int = 100) -> Any:
    """A share in percent."""
    return fields.slider(label, value, least=least, most=most, step=1)


def _drawn(draw: Callable[[Axes], Any]) -> bytes:
    ax = sheet()
    draw(ax)
    return png(ax)
