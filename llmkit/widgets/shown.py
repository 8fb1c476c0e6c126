"""What a panel shows: HTML of ``render`` only, a line of status, and text as it streams in."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from html import unescape
from typing import Literal

import ipywidgets

from .. import render

Kind = Literal["", "error", "good"]

# While it streams only the end of a long text is shown: each update sends all that is shown.
MOST_WHILE_STREAMING = 20_000
MOST_KEPT = 8_000
_HEIGHT = "26em"
_SIGNS: dict[Kind, str] = {"": "", "error": "Error: ", "good": ""}
_COLOURS: dict[Kind, str] = {
    "": "var(--jp-ui-font-color1, currentColor)",
    "error": "var(--jp-error-color1, #b00020)",
    "good": "var(--jp-success-color1, #1b7f3b)",
}


def html(markup: str = "", *, flex: str = "0 0 auto") -> ipywidgets.HTML:
    """A widget that shows HTML made by ``render``; never give it a text that was not escaped."""
    return ipywidgets.HTML(markup, layout={"width": "auto", "flex": flex, "margin": "2px 0"})


def says(text: str, *, kind: Kind = "") -> str:
    """A line of our own words that screen readers announce when it changes."""
    words = render.escape(_SIGNS[kind] + text)
    style = f"color:{_COLOURS[kind]};line-height:1.4;min-height:1.4em;white-space:pre-wrap"
    return f'<div role="status" aria-live="polite" class="llmkit-status" style="{style}">{words}</div>'


def note(text: str) -> str:
    """A small line of our own words, such as figures."""
    return f'<div style="line-height:1.4"><small>{render.escape(text)}</small></div>' if text else ""


def picture(png: bytes, alt: str) -> str:
    """A picture of our own making, with its words for who does not see it."""
    data = base64.b64encode(png).decode("ascii")
    style = "width:700px;max-width:100%;height:auto"
    look = f'class="llmkit-picture" style="{style}"'
    return f'<img {look} alt="{render.escape(alt)}" src="data:image/png;base64,{data}">'


def kept(text: str) -> str:
    """A model's text for a last state: rendered, and cut where it would make a notebook heavy."""
    if len(text) <= MOST_KEPT:
        return render.markdown(text)
    cut = render.sentence(f"Cut here: the first {MOST_KEPT:,} of {len(text):,} characters.", small=True)
    return render.plain(text[:MOST_KEPT]) + cut


def one_line(text: object, most: int = 60) -> str:
    """A text as one line without tags, for the options of a list; what hides in it is made visible."""
    words = unescape(render.escape(" ".join(str(text)[: 4 * most].split())))
    return words if len(words) <= most else words[: most - 1] + "…"


def heading(text: str, mark: str, *, live: bool = False) -> str:
    """The panel's name, and where its answers come from; ``live`` in a panel, not in its last state."""
    where = f' <span class="llmkit-origin">{render.escape(mark)}</span>' if mark else ""
    name = "llmkit-panel" if live else "llmkit-title"
    return f'<div class="{name}"><strong>{render.escape(text)}</strong>{where}</div>'


def scrolled(markup: str, *, follow: bool = False, label: str = "", height: str = _HEIGHT) -> str:
    """A box that scrolls; with ``follow`` it stands at its end, else at its top. Reached by the keyboard."""
    direction = "display:flex;flex-direction:column-reverse;" if follow else ""
    style = (
        f"{direction}max-height:{height};overflow:auto;padding:4px 8px;overflow-wrap:anywhere;"
        "border:1px solid var(--jp-border-color2, #ccc);color:var(--jp-ui-font-color1, currentColor)"
    )
    name = f' role="region" aria-label="{render.escape(label)}"' if label else ""
    return f'<div class="llmkit-answer" tabindex="0"{name} style="{style}"><div>{markup}</div></div>'


class Pane:
    """One text as it streams in: plain and following its end, then rendered as Markdown from its top.

    ``begin`` gives the function that adds a piece: cheap, from any thread, and without effect once the text
    is finished or another was begun. ``flush`` shows what came, and belongs to the panel's ticker.

    Attributes:
        box: the widget.
        updates: how often something was sent to the page.
    """

    def __init__(self, label: str, *, height: str = _HEIGHT) -> None:
        self.box = html(flex="1 1 auto")
        self.label, self._height = label, height
        self.updates = 0
        self._pieces: list[str] = []
        self._dirty, self._text_number = False, 0
        self._lock, self._showing = threading.Lock(), threading.Lock()

    @property
    def text(self) -> str:
        """All that came so far."""
        with self._lock:
            self._pieces = ["".join(self._pieces)]
            return self._pieces[0]

    def begin(self) -> Callable[[str], None]:
        """Empty it for a new text; the result adds a piece of it."""
        with self._lock:
            self._pieces, self._dirty = [], True
            self._text_number += 1
            mine = self._text_number

        def put(piece: str) -> None:
            with self._lock:
                if mine == self._text_number:
                    self._pieces.append(piece)
                    self._dirty = True

        return put

    def flush(self) -> None:
        """Show what came since the last time."""
        with self._showing:
            self._flush()

    def finish(self, text: str | None = None, *, show: Callable[[str], str] = render.markdown) -> None:
        """Show the whole text, rendered once, from its top; ``text`` replaces what came."""
        with self._showing:
            with self._lock:
                if text is not None:
                    self._pieces = [text]
                self._dirty = False
                self._text_number += 1
            self._show(scrolled(show(self.text), label=self.label, height=self._height))

    def _flush(self) -> None:
        with self._lock:
            if not self._dirty:
                return
            self._dirty = False
        text = self.text
        cut = len(text) > MOST_WHILE_STREAMING
        body = render.plain(text[-MOST_WHILE_STREAMING:])
        note = render.sentence("The beginning is shown when the answer is whole.", small=True) if cut else ""
        self._show(scrolled(note + body, follow=True, label=self.label, height=self._height))

    def _show(self, markup: str) -> None:
        self.updates += 1
        self.box.value = markup
