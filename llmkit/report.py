"""A comparison -> one HTML file that needs nothing else, runs nothing of a model's and loads nothing."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from . import verdict
from .compared import Compared
from .errors import UsageError
from .models import all_models
from .plots_money import Costs, Frontier, WorthIt
from .plots_quality import Forest, Slices
from .plots_time import Latency, What
from .render import escape, plain, sentence, table
from .shares import KINDS

LONGEST = 4_000  # characters of one text that are shown
ROOM = 2_000_000  # characters of all disagreements together
CURVES = 3  # models whose worth-it curve is drawn
SLICES = 30  # values of a column beyond which it is no slice to look at

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --ground: #ffffff; --line: #cccccc; --quiet: #f4f4f4;
  --alarm: #b00020; --jp-border-color2: var(--line); }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --ground: #1b1b1b; --line: #555555;
  --quiet: #262626; --alarm: #ff8a80; } }
body { color: var(--ink); background: var(--ground); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 75rem; padding: 1rem 1.5rem 4rem; }
.mark { border: 2px solid var(--alarm); color: var(--alarm); font-weight: bold; padding: .4rem .8rem; }
.wide, .llmkit-text { overflow-x: auto; }
.pictures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); }
.pictures img { width: 100%; height: auto; }
article { border: 1px solid var(--line); border-radius: 6px; margin: 1rem 0; padding: .6rem 1rem; }
.answers { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.answers > div { background: var(--quiet); border-radius: 6px; padding: .2rem .8rem; min-width: 0; }
pre { font: 13px/1.45 ui-monospace, monospace; margin: .4rem 0; overflow-wrap: anywhere; }
h3, h4 { margin: .4rem 0; } label { margin-right: 1.2rem; } [hidden] { display: none !important; }
"""

_SCRIPT = """
(() => {
  const cards = [...document.querySelectorAll("article")];
  const choices = [...document.querySelectorAll("select")];
  const told = document.getElementById("shown");
  const show = () => {
    let shown = 0;
    for (const card of cards) {
      const on = choices.every(one => !one.value || card.getAttribute("data-" + one.id) === one.value);
      card.hidden = !on;
      shown += on;
    }
    told.textContent = shown + " of " + cards.length + " shown";
  };
  for (const one of choices) one.addEventListener("change", show);
  const form = document.getElementById("choose");
  if (form) { form.hidden = false; show(); }
})();
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script>{script}</script>
</body>
</html>
"""


def write(
    c: Compared,
    path: str | Path,
    *,
    cost_of_error: float | None = None,
    horizon: int = 1,
    worst: int = 50,
    pictures: bool = True,
) -> Path:
    """Write the report, see ``Comparison.to_html``; returns where it is."""
    if worst < 0:
        raise UsageError(f"worst is {worst!r}; give how many disagreements to show, 0 or more")
    where = Path(path)
    text = page(c, cost_of_error=cost_of_error, horizon=horizon, worst=worst, pictures=pictures)
    where.write_text(text, "utf-8")
    return where


def page(
    c: Compared,
    *,
    cost_of_error: float | None = None,
    horizon: int = 1,
    worst: int = 50,
    pictures: bool = True,
) -> str:
    """The whole report as HTML."""
    sections = [
        _opening(c),
        *([_worth(c, cost_of_error, horizon)] if cost_of_error is not None else []),
        *([_pictures(c, cost_of_error)] if pictures else []),
        *_slices(c),
        _money(c),
        _disagreements(c, worst),
    ]
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        f"script-src 'sha256-{digest}'"
    )
    title = escape(f"{'SIMULATED: ' * c.simulated}{c.task.name}")
    return _PAGE.format(
        policy=policy, title=title, style=_STYLE, body="\n".join(filter(None, sections)), script=_SCRIPT
    )


def _opening(c: Compared) -> str:
    headers, rows = verdict.table(c.verdict)
    mark = "SIMULATED answers: nothing on this page is about real models."
    parts = [f"<h1>{escape(c.task.name)}</h1>"]
    parts += [f'<p class="mark" role="note">{mark}</p>'] if c.simulated else []
    parts += [sentence(c.task.question)] if c.task.question else []
    parts += [sentence(c.verdict.sentence, strong=True), *(sentence(note) for note in c.notes)]
    parts.append(_wide(table(headers, rows, caption=f"{c.verdict.items:,} items answered by every model")))
    return "\n".join(parts)


def _worth(c: Compared, cost_of_error: float, horizon: int) -> str:
    found = [c.worth(cost_of_error=cost_of_error, horizon=horizon, model=label) for label in c.labels[1:]]
    return _section("Is it worth it?", *(sentence(one.sentence) for one in found))


def _pictures(c: Compared, cost_of_error: float | None) -> str:
    if find_spec("matplotlib") is None:
        return _section("Pictures", sentence("There are none: matplotlib is not installed."))
    shown: list[str] = []
    rest = c.labels[1 + CURVES :]
    missing = [f"Worth-it curves of {len(rest):,} more models are left out."] if rest else []
    for name, make in _displays(c, cost_of_error):
        try:
            display = make()
        except UsageError as error:
            missing.append(f"No {name}: {error}.")
            continue
        shown.append(_picture(display, name))
    grid = f'<div class="pictures">{"".join(shown)}</div>'
    return _section("Pictures", grid, *(sentence(line, small=True) for line in missing))


def _displays(c: Compared, cost_of_error: float | None) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The name of each picture, and how to make it."""
    yield "forest of differences", partial(Forest.of, c)
    yield "frontier", partial(Frontier.of, c)
    for label in c.labels[1 : 1 + CURVES]:
        yield f"worth-it curve of {label}", partial(WorthIt.of, c, model=label, cost_of_error=cost_of_error)
    yield "cost by kind", partial(Costs.of, c)
    times: tuple[What, ...] = ("latency", "first_token", "tokens_per_second")
    for what in times:
        yield f"distribution of {what.replace('_', ' ')}", partial(Latency.of, c, what=what)
    for column in c.task.slices:
        if _few(c.frame, column):
            yield f"scores by {column}", partial(Slices.of, c, column)


def _picture(display: Any, name: str) -> str:
    """Drawn twice, for light and dark pages; as an image, SVG can neither run nor load anything."""
    light = _svg(display, "default", "white")
    dark = _svg(display, "dark_background", "#1b1b1b")
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escape(name)}"></picture>'
    )


def _svg(display: Any, style: str, ground: str) -> str:
    import matplotlib.pyplot as plt

    fixed = {"svg.hashsalt": "llmkit", "figure.facecolor": ground, "axes.facecolor": ground}
    buffer = io.BytesIO()
    with plt.style.context([style, fixed | {"savefig.facecolor": ground}]):
        figure = display.plot().figure
        try:
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        finally:
            plt.close(figure)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _slices(c: Compared) -> Iterator[str]:
    for column in c.task.slices:
        if not _few(c.frame, column):
            yield _section(
                f"By {column}", sentence(f"More than {SLICES} values, left out; see c.by({column!r}).")
            )
            continue
        found = c.by(column).reset_index()
        rows = [[_cell(name, value) for name, value in row.items()] for row in found.to_dict("records")]
        yield _section(f"By {column}", _wide(table([str(name) for name in found.columns], rows)))


def _money(c: Compared) -> str:
    columns = [f"cost_{kind}" for kind in KINDS if f"cost_{kind}" in c.frame]
    rows = []
    for label in c.labels:
        mine = c.frame[c.frame["model"] == label]
        sums = [_dollars(mine[name].astype(float).sum(min_count=1)) for name in columns]
        blind = int(mine["cost"].isna().sum())
        rows.append([label, *sums, _dollars(mine["cost"].astype(float).sum(min_count=1)), f"{blind:,}"])
    headers = [
        "model",
        *(name.removeprefix("cost_") + ", USD" for name in columns),
        "all, USD",
        "of unknown cost",
    ]
    settings = [[label, words] for label, words in c.settings.items() if words]
    parts = [_wide(table(headers, rows, caption="What the answers cost"))]
    parts += [_wide(table(["model", "ran with"], settings, caption="Settings"))] if settings else []
    prices = _price_rows(c.frame)
    parts += [_wide(prices)] if prices else []
    return _section("Money and settings", *parts)


def _price_rows(frame: pd.DataFrame) -> str:
    if "price_rows" not in frame:
        return ""
    names = dict.fromkeys(
        name for told in frame["price_rows"].dropna().unique() for name in str(told).split(", ") if name
    )
    known = {row.id: row for facts in all_models() for row in facts.prices}
    headers = ["price row", "from (UTC)", "until", "input", "cache read", "cache write 5 min", "output"]
    rows = []
    for name in names:
        row = known.get(name)
        if row is None:
            rows.append([name, *["–"] * 6])
            continue
        rates = (row.input, row.cache_read, row.cache_write_5m, row.output)
        days = [str(row.start), str(row.until or "–")]
        rows.append([name, *days, *("–" if rate is None else str(rate) for rate in rates)])
    return table(headers, rows, caption="Price rows used, USD per 1,000,000 tokens") if rows else ""


def _disagreements(c: Compared, worst: int) -> str:
    if len(c.labels) < 2:
        return ""
    found = c.disagreements()
    chosen = found.head(worst)
    columns = [column for column in c.task.slices if _few(c.frame, column)]
    first = c.frame.drop_duplicates("item").set_index("item")
    winners = pd.Series(
        [_winner(row, c.labels) for _, row in chosen.iterrows()], index=chosen.index, dtype=object
    )
    keys = {"better": winners} | {column: first[column].reindex(chosen.index) for column in columns}
    cards: list[str] = []
    room = ROOM
    for item, row in chosen.iterrows():
        card = _card(c, str(item), row, {name: str(values[item]) for name, values in keys.items()}, keys)
        room -= len(card)
        if room < 0:
            break
        cards.append(card)
    about = (
        f"{len(cards):,} of {len(found):,} items on which the models' scores differ, the widest gap first."
    )
    if len(cards) < len(found):
        about += " The others are left out; see c.disagreements()."
    if len(c.frame) and c.frame["repeat"].max() > 0:
        about += " Scores are means over the repeats; the answers shown are the first."
    return _section("Disagreements", sentence(about), _choices(keys) if cards else "", *cards)


def _choices(keys: dict[str, pd.Series]) -> str:
    parts = []
    for number, (name, values) in enumerate(keys.items()):
        options = "".join(
            f'<option value="{place}">{escape(value)}</option>'
            for place, value in enumerate(_values(values), 1)
        )
        parts.append(
            f'<label>{escape(name)} <select id="k{number}">'
            f'<option value="">all</option>{options}</select></label>'
        )
    return f'<form id="choose" hidden>{"".join(parts)}<span id="shown" role="status"></span></form>'


def _card(c: Compared, item: str, row: pd.Series, own: dict[str, str], keys: dict[str, pd.Series]) -> str:
    marks = " ".join(
        f'data-k{number}="{_values(keys[name]).index(value) + 1}"'
        for number, (name, value) in enumerate(own.items())
    )
    told = " · ".join(escape(f"{name}: {value}") for name, value in own.items())
    parts = [f"<h3>{escape(item)}</h3><p>{told}</p>"]
    for name in ("pictures", "input", c.task.target):
        if name in row.index and row[name] is not None:
            parts.append(f"<h4>{escape(name)}</h4>{_text(row[name])}")
    answers = "".join(
        f"<div><h4>{escape(label)}: {row[f'{label}: score']:.3g}</h4>{_text(row[f'{label}: answer'])}</div>"
        for label in c.labels
    )
    return f'<article {marks}>{"".join(parts)}<div class="answers">{answers}</div></article>'


def _values(values: pd.Series) -> list[str]:
    return sorted({str(value) for value in values})


def _winner(row: pd.Series, labels: list[str]) -> str:
    scores = {label: float(row[f"{label}: score"]) for label in labels}
    return " and ".join(label for label, score in scores.items() if score == max(scores.values()))


def _text(value: Any) -> str:
    if value is None or value != value:
        return sentence("no answer", small=True)
    text = str(value)
    left = len(text) - LONGEST
    return plain(text[:LONGEST]) + (
        sentence(f"{left:,} more characters left out", small=True) if left > 0 else ""
    )


def _few(frame: pd.DataFrame, column: str) -> bool:
    return bool(frame[column].nunique() <= SLICES)


def _cell(name: object, value: Any) -> str:
    if isinstance(value, bool):
        return "*" if value else ""
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "–"
    return f"{value:.3g}" if name == "p" else f"{100 * value:.1f}%"


def _dollars(value: float) -> str:
    return "unknown" if value != value else f"{value:.6f}"


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def _wide(inner: str) -> str:
    return f'<div class="wide">{inner}</div>'
