"""The ground every picture stands on: colours that suit the theme, words that stay words, room for labels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARK = "SIMULATED: not about real models"
MARKERS = ("o", "s", "D", "^", "v", "P")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "")

# Okabe and Ito's colours, told apart by colour-blind readers, in shades that show on light and dark grounds.
_ON_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_ON_DARK = ("#56B4E9", "#FF8B4A", "#2BCB9D", "#E5A0C8", "#8FA7FF", "#F0E442")
_ALARM = {False: "#980018", True: "#FF8A80"}
_TITLE, _SMALL = 11, 9  # points
_WIDTH = 7.0  # inches
_SHEET = "llmkit sheet"
# Where a label may stand, in points from its marker; the first free place wins.
_PLACES = [
    (reach * x, reach * y)
    for reach in (1.0, 1.8, 2.8)
    for x, y in ((9, 7), (9, -7), (-9, 7), (-9, -7), (0, 14), (0, -14))
]


@dataclass(frozen=True, slots=True)
class Canvas:
    """Axes with the colours that can be seen on them.

    Attributes:
        ink: of text. muted: of lines that help the eye. alarm: of what must not be missed.
        colours: one a model, in order.
        own: whether the figure is ours to lay out.
    """

    ax: Axes
    ink: str
    muted: str
    alarm: str
    colours: tuple[str, ...]
    own: bool

    def colour(self, number: int) -> str:
        """The colour of the model of this number."""
        return self.colours[number % len(self.colours)]

    def write(self, words: str, at: tuple[float, float], *, offset: tuple[float, float], **look: Any) -> Any:
        """Words at ``offset`` points from a place, on a patch of ground that keeps lines out of them."""
        patch = {"boxstyle": "square,pad=0.1", "facecolor": self.ax.get_facecolor(), "linewidth": 0}
        usual: dict[str, Any] = {
            "color": self.ink,
            "fontsize": _SMALL,
            "zorder": 6,
            "bbox": patch | {"alpha": 0.55},
        }
        return self.ax.annotate(words, at, xytext=offset, textcoords="offset points", **(usual | look))


def canvas(
    ax: Axes | None,
    *,
    title: str,
    notes: Sequence[str] = (),
    simulated: bool,
    height: float = 4.2,
    rows: bool = False,
) -> Canvas:
    """A ground to draw on: ``ax`` or new axes, with title, notes and the mark of simulated data above it.

    ``rows`` says that the axis to the left will have words, which leave less room above the axes. New axes
    take their colours from matplotlib's style, given ones from what they stand on.
    """
    from matplotlib.colors import to_hex, to_rgb

    own = ax is None or ax.figure.get_gid() == _SHEET
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(_WIDTH, height), layout="constrained")
    elif own:
        root: Any = ax.figure
        root.set_figheight(height)
    red, green, blue = to_rgb(ax.xaxis.label.get_color())
    dark = red + green + blue > 1.5  # light ink means a dark ground
    muted = "#8E8E8E"
    ink = to_hex((red, green, blue))
    ground = Canvas(ax, ink, muted, _ALARM[dark], _ON_DARK if dark else _ON_LIGHT, own)
    ax.grid(color=muted, linewidth=0.5, alpha=0.35)
    ax.set_axisbelow(True)
    inches = _WIDTH - (2.3 if rows else 0.8) if own else ax.get_window_extent().width / ax.figure.dpi
    _head(ground, title, notes, inches, simulated=simulated)
    return ground


def sheet() -> Axes:
    """Axes on a figure that pyplot does not know, for any thread to draw on; laid out as new ones are."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(_WIDTH, 4.2), layout="constrained", facecolor=to_rgb(mpl.rcParams["figure.facecolor"])
    )
    FigureCanvasAgg(figure)
    figure.set_gid(_SHEET)
    return figure.add_subplot()


def png(ax: Axes, *, dpi: int = 110) -> bytes:
    """The picture that the axes are in."""
    from io import BytesIO

    root: Any = ax.figure
    into = BytesIO()
    root.savefig(into, format="png", dpi=dpi)
    return into.getvalue()


def say(text: object, width: int = 0) -> str:
    """Words for a picture: on one line, or wrapped at ``width``; a dollar sign is never mathematics."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    if width:
        line = "\n".join(textwrap.wrap(line, width, max_lines=2, placeholder=" …"))
    line = f" {line}" if line.startswith("_") else line  # legends leave out names that begin so
    return line.replace("$", r"\$")


def legend(ground: Canvas) -> None:
    """What the colours mean: below the axes, in as many columns as have room, or within given axes."""
    handles, labels = ground.ax.get_legend_handles_labels()
    if not handles:
        return
    longest = max(len(label) for label in labels)
    columns = int(np.clip(80 // (longest + 8), 1, 3))
    if not ground.own:
        ground.ax.legend(handles, labels, loc="best", fontsize=_SMALL)
        return
    root: Any = ground.ax.figure
    root.set_figheight(root.get_figheight() + 0.22 * math.ceil(len(labels) / columns))
    root.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=_SMALL)


def log_ticks(ground: Canvas) -> None:
    """A logarithmic axis along the bottom whose ticks are plain numbers that never touch."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax = ground.ax
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    steps = (1, 2, 5) if high / low < 300 else (1,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter("{x:g}")


def place_labels(ground: Canvas, points: Sequence[tuple[float, float]], labels: Sequence[str]) -> None:
    """Write each label beside its point where it covers no other label or point and stays inside."""
    ax = ground.ax
    root: Any = ax.figure.figure  # of a subfigure, the whole
    root.draw_without_rendering()  # positions are only known after the layout
    taken = [_around(ax, point) for point in points]
    frame = ax.get_window_extent()
    for point, label in zip(points, labels, strict=True):
        text = ground.write(say(label, 30), point, offset=_PLACES[0], fontsize=10)
        boxes = [_moved(text, place) for place in _PLACES]
        costs = [_overlap(box, taken, frame) for box in boxes]
        best = int(np.argmin(costs))
        taken.append(_moved(text, _PLACES[best]))


def numbers_above(ground: Canvas, x: float, y: float, text: str) -> None:
    """Small numbers above a marker, kept within the axes from side to side."""
    low, high = ground.ax.get_xlim()
    share = (x - low) / (high - low)
    side = "left" if share < 0.3 else "right" if share > 0.7 else "center"
    at = low if side == "left" else high if side == "right" else x
    shift = {"left": 4, "right": -4, "center": 0}[side]
    ground.write(say(text), (at, y), offset=(shift, 7), ha=side, va="bottom")


def rows_of(data: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, to be drawn one by one."""
    return [{str(name): value for name, value in row.items()} for row in data.to_dict("records")]


def rows_axis(ground: Canvas, labels: Sequence[str]) -> None:
    """One row a label, the first on top, with room for numbers above each."""
    ax = ground.ax
    ax.set_yticks(range(len(labels)), [say(label, 24) for label in labels])
    ax.set_ylim(len(labels) - 0.5, -0.75)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)


def _head(ground: Canvas, title: str, notes: Sequence[str], inches: float, *, simulated: bool) -> None:
    ax = ground.ax
    lines = [(MARK, ground.alarm, "bold")] if simulated else []
    for note in notes:
        wrapped = textwrap.wrap(note, max(int(inches * 72 / (_SMALL * 0.52)), 20))
        lines += [(line, ground.ink, "normal") for line in wrapped]
    if ground.own:
        root: Any = ax.figure
        root.set_figheight(root.get_figheight() + 0.18 * max(len(lines) - 1, 0))
    for number, (line, colour, weight) in enumerate(reversed(lines)):
        look = {
            "va": "bottom",
            "color": colour,
            "fontweight": weight,
            "xycoords": "axes fraction",
            "bbox": None,
        }
        ground.write(say(line), (0, 1), offset=(0, 5 + 13 * number), **look)
    wrapped = textwrap.wrap(" ".join(title.split()), max(int(inches * 72 / (_TITLE * 0.55)), 20))
    heading = "\n".join(say(line) for line in wrapped)
    ax.set_title(heading, loc="left", fontsize=_TITLE, pad=7 + 13 * len(lines), color=ground.ink)


def _around(ax: Any, point: tuple[float, float]) -> Any:
    from matplotlib.transforms import Bbox

    x, y = ax.transData.transform(point)
    return Bbox.from_extents(x - 7, y - 7, x + 7, y + 7)


def _moved(text: Any, place: tuple[float, float]) -> Any:
    x, y = place
    text.set_position(place)
    text.set_ha("left" if x > 0 else "right" if x < 0 else "center")
    text.set_va("bottom" if y > 0 else "top")
    return text.get_window_extent()


def _overlap(box: Any, taken: Sequence[Any], frame: Any) -> float:
    """Pixels of a label that lie on something else, or outside."""
    inside = _common(box, frame)
    outside = float(box.width * box.height) - inside
    return sum(_common(box, other) for other in taken) + 2 * outside


def _common(one: Any, two: Any) -> float:
    wide = min(one.x1, two.x1) - max(one.x0, two.x0)
    high = min(one.y1, two.y1) - max(one.y0, two.y0)
    return float(max(wide, 0.0) * max(high, 0.0))
