"""One item of a comparison laid open: prompt and pictures, every model's answer, its grade and its cost."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets

from .. import render
from ..comparison import Comparison
from ..human import Word, missing
from . import shown

if TYPE_CHECKING:
    import pandas as pd

_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_MOST_JSON = 50_000


def prompt_of(c: Comparison, item: str) -> str:
    """The text an item was asked with, as HTML."""
    return render.plain(prompt_text(c, item))


def prompt_text(c: Comparison, item: str) -> str:
    """The text an item was asked with; in place of one that cannot be made, why."""
    index = _index(c, item)
    if index is None:
        return f"[item {item!r} is not in the task]"
    try:
        return str(c.task.prompt_of(index))
    except Exception as error:  # noqa: BLE001 - a prompt may be a function of the user's
        return f"[no prompt: {type(error).__name__}: {error}]"


def pictures_of(c: Comparison, item: str) -> list[Any]:
    """The item's pictures as widgets, where the task has any; an address is said, never loaded."""
    index, asked = _index(c, item), getattr(c.task, "asked", None)
    content = asked(index) if asked is not None and index is not None else ""
    found = []
    for part in content if isinstance(content, list | tuple) else ():
        source = part.get("source", {}) if isinstance(part, Mapping) else {}
        form = _FORMATS.get(source.get("media_type", ""))
        if form is not None and source.get("type") == "base64":
            data = base64.b64decode(source["data"])
            found.append(ipywidgets.Image(value=data, format=form, layout={"max_width": "420px"}))
        elif source.get("type") == "url":
            found.append(shown.html(shown.note(f"Picture at {source.get('url')}, not loaded")))
    return found


def target_of(c: Comparison, row: Mapping[str, Any]) -> str:
    """What counts as right, as a line of HTML."""
    target = row.get(c.task.target)
    return "" if missing(target) or target == "" else shown.note(f"Target: {target}")


def answer(row: Mapping[str, Any], word: Word | None) -> str:
    """One answer as HTML: whose, its grade and why, the text, and its figures."""
    text = None if missing(row["answer"]) else str(row["answer"])
    body = "[no text of this answer]" if text is None else text
    graded = shown.note(f"Grade: {_grade(row['score'])}{_reason(row)}")
    by_hand = (
        "" if word is None else shown.note(f"By hand: {word.value}" + f" · {word.note}" * bool(word.note))
    )
    error = "" if missing(row.get("error")) else shown.note(f"Failed: {row['error']}")
    title = render.sentence(str(row["model"]), strong=True)
    box = shown.scrolled(render.markdown(body), label=f"Answer of {row['model']}")
    return title + graded + by_hand + error + box + shown.note(_figures(row))


def kept(row: Mapping[str, Any]) -> str:
    """The same for a last state, cut where it would make a notebook heavy."""
    text = "[no text of this answer]" if missing(row["answer"]) else str(row["answer"])
    title = render.sentence(f"{row['model']} · grade {_grade(row['score'])}", strong=True)
    return title + shown.kept(text) + render.sentence(_figures(row), small=True)


def difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    """What two answers have not in common, as HTML."""
    said = f"{one['model']} struck out where {two['model']}, underlined, differs"
    texts = ["" if missing(row["answer"]) else str(row["answer"]) for row in (one, two)]
    return shown.note(said) + render.difference(*texts)


def raw(rows: pd.DataFrame) -> str:
    """Everything the frame has of an item, as JSON, as HTML."""
    entries = [
        {name: None if missing(value) else value for name, value in row.items()}
        for row in rows.to_dict("records")
    ]
    text = json.dumps(entries, default=str, ensure_ascii=False, indent=1)
    cut = f"\n... cut here: {len(text):,} characters in all" if len(text) > _MOST_JSON else ""
    return render.plain(text[:_MOST_JSON] + cut)


def _index(c: Comparison, item: str) -> int | None:
    try:
        return c.task.ids.index(str(item))
    except ValueError:
        return None


def _grade(score: Any) -> str:
    return "none" if missing(score) else f"{float(score):g}"


def _reason(row: Mapping[str, Any]) -> str:
    machine = row.get("machine_score")
    words = [] if missing(machine) or machine == row["score"] else [f"by the machine {_grade(machine)}"]
    words += [] if missing(row.get("explanation")) else [str(row["explanation"])]
    return "".join(f" · {word}" for word in words if word)


def _figures(row: Mapping[str, Any]) -> str:
    cost, seconds = row.get("cost"), row.get("latency")
    tokens = [row.get("input_tokens"), row.get("output_tokens")]
    parts = ["cost unknown" if missing(cost) else f"${float(cost or 0):.6f}"]
    known = not any(missing(count) for count in tokens)
    parts.append(
        f"{int(tokens[0] or 0):,} tokens in, {int(tokens[1] or 0):,} out" if known else "tokens unknown"
    )
    parts += [] if missing(seconds) else [f"{float(seconds or 0):.1f} s"]
    parts += [str(row["outcome"])] if row["outcome"] != "ok" else []
    parts += ["SIMULATED"] if row.get("simulated") is True else []
    return " · ".join(parts)
