"""Draw the pictures of this task and write its items and answers: python data/charts/make.py [folder]"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, MultipleLocator, ScalarFormatter
from PIL import Image, ImageDraw, ImageFilter, ImageFont

sys.path.insert(0, str(Path(__file__).parent))
from scenes import SCENES

DPI, SIZE = 84, (6.4, 4.4)
COLOURS = ("#1f5fa8", "#e08a1e", "#4a9a5c", "#8a4f9e", "#b8433f", "#7a7a7a")
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "text.parse_math": False,
    "hatch.linewidth": 0.6,
}


def bars(
    axes: Any,
    *,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    step: float,
    form: str = "side by side",
    low: float | None = None,
    marked: bool = False,
    unit: str = "",
) -> None:
    """Bars side by side, stacked, or lying."""
    places, base = np.arange(len(labels)), np.zeros(len(labels))
    width = 0.8 / len(series) if form == "side by side" else 0.7
    for number, (name, values) in enumerate(series.items()):
        shift = (number - (len(series) - 1) / 2) * width if form == "side by side" else 0.0
        look = {"color": COLOURS[number], "label": name}
        if form == "lying":
            drawn = axes.barh(places, values, 0.7, **look)
        else:
            drawn = axes.bar(places + shift, values, width, bottom=base, **look)
        if form == "stacked":
            base = base + np.asarray(values)
        if marked:
            axes.bar_label(drawn, label_type="center" if form == "stacked" else "edge", fontsize=8)
    across, up = (axes.yaxis, axes.xaxis) if form == "lying" else (axes.xaxis, axes.yaxis)
    across.set_ticks(places, labels)
    _scale(axes, up, step, unit, low)
    if form == "lying":
        axes.invert_yaxis()
    if len(series) > 1:
        axes.legend(frameon=False, ncols=len(series), loc="upper center", bbox_to_anchor=(0.5, -0.08))


def lines(
    axes: Any,
    *,
    x: Sequence[Any],
    series: Mapping[str, Sequence[float]],
    step: float,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    right: Mapping[str, Sequence[float]] | None = None,
    right_step: float = 1.0,
    right_unit: str = "",
    powers: bool = False,
) -> None:
    """Lines with a mark on each value; some may belong to an axis on the right."""
    for number, (name, values) in enumerate(series.items()):
        axes.plot(x, values, "o-", color=COLOURS[number], label=name, markersize=4)
    _scale(axes, axes.yaxis, step, unit, low)
    if high is not None:
        axes.set_ylim(top=high)
    if powers:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.grid(axis="y", which="minor", color="0.93")
    handles = list(axes.get_lines())
    if right:
        other = axes.twinx()
        for number, (name, values) in enumerate(right.items(), start=len(series)):
            handles += other.plot(x, values, "s--", color=COLOURS[number], label=name, markersize=4)
        _scale(other, other.yaxis, right_step, right_unit, 0)
        other.grid(visible=False)
        other.spines["right"].set_visible(True)
    if len(handles) > 1:
        names = [str(line.get_label()) for line in handles]
        axes.legend(
            handles, names, frameon=False, ncols=len(names), loc="upper center", bbox_to_anchor=(0.5, -0.08)
        )


def pie(axes: Any, *, parts: Mapping[str, float], printed: str) -> None:
    """A pie whose slices say their share, their value, or nothing."""
    told = {"share": "%.0f%%", "nothing": None}[printed]
    axes.pie(
        list(parts.values()),
        labels=list(parts),
        autopct=told,
        colors=COLOURS,
        startangle=90,
        counterclock=False,
    )


def scatter(
    axes: Any,
    *,
    groups: Mapping[str, Mapping[str, tuple[float, float]]],
    across: str,
    up: str,
    step: tuple[float, float],
    named: bool,
) -> None:
    """Points in groups, with their names beside them or not."""
    for number, (name, points) in enumerate(groups.items()):
        found = np.array(list(points.values()))
        axes.scatter(found[:, 0], found[:, 1], color=COLOURS[number], marker="os^"[number], label=name, s=30)
        for label, (right, high) in points.items() if named else ():
            axes.annotate(label, (right, high), xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel(across)
    axes.margins(0.12)
    _scale(axes, axes.yaxis, step[1], up, 0)
    axes.xaxis.set_major_locator(MultipleLocator(step[0]))
    axes.grid(axis="x", color="0.9")
    if len(groups) > 1:
        axes.legend(frameon=True, fontsize=8)


def histogram(axes: Any, *, edges: Sequence[float], counts: Sequence[int], across: str, step: float) -> None:
    """Bars over classes."""
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=COLOURS[0], edgecolor="white")
    axes.xaxis.set_major_locator(FixedLocator(list(edges)))
    axes.set_xlabel(across)
    _scale(axes, axes.yaxis, step, "", 0)


def heat(
    axes: Any, *, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[int]], unit: str
) -> None:
    """A grid of cells with their values printed."""
    axes.imshow(values, cmap="Blues", aspect="auto", vmax=max(map(max, values)) * 1.6)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            axes.text(c, r, str(value), ha="center", va="center", fontsize=9)
    axes.set_xlabel(unit)


def plan(axes: Any, *, tasks: Sequence[tuple[str, int, int]], across: str) -> None:
    """Lying bars from a start to an end."""
    for place, (_, start, end) in enumerate(tasks):
        axes.barh(place, end - start, left=start, height=0.5, color=COLOURS[place % 3])
    axes.set_yticks(range(len(tasks)), [name for name, _, _ in tasks])
    axes.invert_yaxis()
    axes.set_xlabel(across)
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.grid(axis="x", color="0.88")
    axes.set_axisbelow(True)


def table(
    *, title: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str, widths: Sequence[int]
) -> Image.Image:
    """A printed table, as a sheet."""
    sheet, pen = _sheet(sum(widths) + 60, 96 + 26 * len(rows) + 22 * len(note.splitlines()))
    pen.text((30, 18), title, fill=20, font=_font("DejaVuSans-Bold", 15))
    for place, cells in enumerate([header, *rows]):
        y, x = 52 + 26 * place, 30
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            font = _font("DejaVuSans-Bold" if not place else "DejaVuSans", 12)
            at = (x + 4, y) if not column else (x + width - 8 - pen.textlength(cell, font=font), y)
            pen.text(at, cell, fill=30, font=font)
            x += width
        pen.line([(30, y + 20), (30 + sum(widths), y + 20)], fill=60 if not place else 175, width=1)
    pen.multiline_text(
        (34, 62 + 26 * (len(rows) + 1)), note, fill=50, font=_font("DejaVuSans", 10), spacing=5
    )
    return sheet


def form(
    *, title: str, fields: Sequence[tuple[str, str, str]], boxes: Sequence[tuple[str, bool]], note: str
) -> Image.Image:
    """A form filled in by hand; an entry may be struck out and written anew (old, new)."""
    hand = _font("DejaVuSerif-Italic", 15)
    sheet, pen = _sheet(470, 70 + 36 * len(fields) + 28 * len(boxes) + 20 + 18 * len(note.splitlines()))
    pen.text((24, 16), title, fill=15, font=_font("DejaVuSans-Bold", 16))
    for place, (label, struck, written) in enumerate(fields):
        y = 56 + 36 * place
        pen.text((24, y), label, fill=60, font=_font("DejaVuSans", 11))
        pen.line([(170, y + 18), (446, y + 18)], fill=140)
        pen.text((176, y - 3), struck, fill=45, font=hand)
        width = pen.textlength(struck, font=hand)
        if struck:
            pen.line([(172, y + 8), (180 + width, y + 5)], fill=30, width=2)
        pen.text((176 + width + (16 if struck else 0), y - 3), written, fill=25, font=hand)
    for place, (label, ticked) in enumerate(boxes):
        y = 62 + 36 * len(fields) + 28 * place
        pen.rectangle([(26, y), (40, y + 14)], outline=40)
        if ticked:
            pen.line([(23, y - 1), (43, y + 16)], fill=20, width=2)
            pen.line([(42, y - 3), (25, y + 17)], fill=20, width=2)
        pen.text((52, y), label, fill=40, font=_font("DejaVuSans", 11))
    pen.multiline_text(
        (26, sheet.height - 14 - 18 * len(note.splitlines())), note, fill=60, font=_font("DejaVuSans", 10)
    )
    return sheet


def receipt(*, head: Sequence[str], rows: Sequence[tuple[str, str]], foot: Sequence[str]) -> Image.Image:
    """A till receipt; a row without an amount is a line of words, one of "-" a rule."""
    font, wide = _font("DejaVuSansMono", 13), 34
    texts = [line.center(wide) for line in head] + [""]
    for name, amount in rows:
        texts.append(
            "-" * wide if name == "-" else name if not amount else name.ljust(wide - len(amount)) + amount
        )
    texts += ["", *(line.center(wide) for line in foot)]
    sheet, pen = _sheet(320, 28 + 19 * len(texts))
    for place, line in enumerate(texts):
        pen.text((22, 14 + 19 * place), line, fill=40, font=font)
    return sheet


def photographed(sheet: Image.Image, *, turn: float, dirt: float, dark: float, seed: int) -> Image.Image:
    """A sheet on a desk: turned, in uneven light, a little out of focus, with specks."""
    random = np.random.default_rng(seed)
    desk = sheet.convert("L").rotate(turn, expand=True, fillcolor=118, resample=Image.Resampling.BICUBIC)
    desk = desk.filter(ImageFilter.GaussianBlur(0.35 + dirt * 8))
    grey = np.asarray(desk, dtype=float)
    across = np.linspace(0, 1, grey.shape[1])[None, :] + np.linspace(0, 0.6, grey.shape[0])[:, None]
    grey = grey * (1 - dark * across / 1.6)
    specks = random.random(grey.shape) < dirt
    grey[specks] -= random.uniform(30, 110, int(specks.sum()))
    levels = np.clip(np.round(grey / 17), 0, 15) * 17
    return Image.fromarray(levels.astype(np.uint8)).quantize(16)


def picture(scene: Mapping[str, Any], seed: int) -> Image.Image:
    """The picture of one scene."""
    draw: Callable[..., Any] = globals()[scene["draw"]]
    if scene["draw"] in ("table", "form", "receipt"):
        return photographed(draw(**scene["shown"]), **scene["taken"], seed=seed)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=SIZE, dpi=DPI)
        draw(axes, **scene["shown"])
        axes.set_title(scene["title"], loc="left")
        figure.tight_layout()
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
        plt.close(figure)
    return Image.fromarray(pixels).quantize(48)


def item(number: int, scene: Mapping[str, Any]) -> dict[str, Any]:
    """One line of items.jsonl; the target is worked out from what is drawn."""
    id = f"ch{number:02d}"
    return {
        "id": id,
        "input": scene["question"],
        "image": f"images/{id}.png",
        "target": str(scene["target"](scene["shown"])),
        "form": scene["form"],
        "kind": {"plan": "gantt"}.get(scene["draw"], scene["draw"]),
        "skill": scene["skill"],
        "language": scene["language"],
        "difficulty": scene["difficulty"],
    }


def answer(number: int, scene: Mapping[str, Any]) -> dict[str, Any]:
    """One line of answers.jsonl."""
    right = [(scene["reading"], str(scene["target"](scene["shown"])))]
    told = {
        name: [f"Reading: {r}\nAnswer: {a}" for r, a in pairs]
        for name, pairs in (("right", right), ("wrong", scene["wrong"]))
    }
    return {"id": f"ch{number:02d}", **told}


def main(where: str | Path) -> None:
    """Write everything into a folder."""
    folder = Path(where)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    numbered = list(enumerate(SCENES, start=1))
    for name, make in (("items", item), ("answers", answer)):
        lines = [json.dumps(make(number, scene), ensure_ascii=False) + "\n" for number, scene in numbered]
        (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
    for number, scene in numbered:
        picture(scene, number).save(folder / "images" / f"ch{number:02d}.png", optimize=True)


def _scale(axes: Any, axis: Any, step: float, unit: str, low: float | None) -> None:
    axis.set_major_locator(MultipleLocator(step))
    (axes.set_ylabel if axis is axes.yaxis else axes.set_xlabel)(unit)
    axes.grid(axis="y" if axis is axes.yaxis else "x", color="0.85")
    axes.set_axisbelow(True)
    if low is not None:
        (axes.set_ylim if axis is axes.yaxis else axes.set_xlim)(low)


def _sheet(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    sheet = Image.new("L", (width, height), 246)
    return sheet, ImageDraw.Draw(sheet)


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{name}.ttf"), size)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
