"""Reading panels in tests: their HTML as a page would have it, and waiting for what threads do."""

from __future__ import annotations

import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

HARMFUL = {
    "script",
    "iframe",
    "object",
    "embed",
    "img",
    "svg",
    "link",
    "meta",
    "base",
    "form",
    "video",
    "style",
}


class Page(HTMLParser):
    """The elements, attributes and text of some HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.inside: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("br", "hr"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        self.inside.append((self._open[-1] if self._open else "", data))

    @property
    def text(self) -> str:
        return "".join(self.words)

    def within(self, tag: str) -> str:
        return "".join(data for where, data in self.inside if where == tag)


def text_of(markup: str) -> str:
    return Page(markup).text


def is_harmless(markup: str) -> bool:
    """No element that loads or runs, no handler, no link but to the web."""
    for tag, attributes in Page(markup).tags:
        if tag in HARMFUL or any(name.startswith("on") for name in attributes):
            return False
        if not all(attributes.get(name, "http").startswith("http") for name in ("href", "src")):
            return False
    return True


def everything(box: Any) -> list[Any]:
    """A widget and all inside it."""
    return [box, *(inner for child in getattr(box, "children", ()) for inner in everything(child))]


def shown_by(panel: Any) -> str:
    """All HTML of a panel."""
    return "".join(w.value for w in everything(panel) if type(w).__name__ == "HTML")


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
