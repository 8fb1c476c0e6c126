"""How far a run has come: a bar in a notebook, a line in a terminal, silence elsewhere."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Protocol, TextIO

PERIOD = 0.1  # seconds between two updates; more often only costs


class Progress(Protocol):
    """Shows a run; ``update`` is cheap and may be called for every answer."""

    def update(self, *, done: int, dollars: Decimal, failed: int) -> None:
        """Answers had so far (replayed ones too), USD they cost, and how many calls failed."""

    def close(self) -> None:
        """Show the last state and let go."""


def progress(total: int, *, title: str, simulated: bool, words: Callable[..., str] | None = None) -> Progress:
    """The right display for where this program runs; ``words`` says how far it is, as ``describe`` does.

    Within ``shown_by`` it is the one given there.
    """
    make = _maker.get()
    if make is not None:
        return make(total, title=title, simulated=simulated, words=words)
    if _in_notebook():
        return _Bar(total, title, simulated, words=words)
    if sys.stderr.isatty():
        return _Line(total, title, simulated, sys.stderr, words=words)
    return _Silent()


@contextmanager
def shown_by(make: Callable[..., Progress]) -> Iterator[None]:
    """Runs begun in this block show themselves by what ``make`` gives, called as ``progress`` is."""
    token = _maker.set(make)
    try:
        yield
    finally:
        _maker.reset(token)


_maker: ContextVar[Callable[..., Progress] | None] = ContextVar("llmkit_progress", default=None)


def describe(done: int, total: int, dollars: Decimal, failed: int, elapsed: float, *, simulated: bool) -> str:
    """One line: answers, dollars, failures, and the time left at this speed (seconds)."""
    kind = "SIMULATED $" if simulated else "$"
    parts = [f"{done:,} of {total:,}", f"{kind}{dollars:.4f}"]
    if failed:
        parts.append(f"{failed:,} failed")
    if 0 < done < total and elapsed > 1:
        parts.append(f"{_span(elapsed / done * (total - done))} left")
    return " · ".join(parts)


class _Silent:
    def update(self, *, done: int, dollars: Decimal, failed: int) -> None:
        pass

    def close(self) -> None:
        pass


class Timed:
    """A display that is renewed a few times a second; what it shows up to ``_show``."""

    def __init__(
        self,
        total: int,
        simulated: bool,
        clock: Callable[[], float] = time.monotonic,
        *,
        words: Callable[..., str] | None = None,
    ) -> None:
        self._total, self._simulated, self._clock, self._words = total, simulated, clock, words or describe
        self._started, self._shown = clock(), -PERIOD
        self._last: dict[str, Any] = {"done": 0, "dollars": Decimal(0), "failed": 0}

    def update(self, *, done: int, dollars: Decimal, failed: int) -> None:
        """See ``Progress``."""
        self._last = {"done": done, "dollars": dollars, "failed": failed}
        now = self._clock()
        if now - self._shown >= PERIOD:
            self._shown = now
            self._show()

    def close(self) -> None:
        """See ``Progress``."""
        self._show()

    def _text(self) -> str:
        elapsed = self._clock() - self._started
        return self._words(total=self._total, elapsed=elapsed, simulated=self._simulated, **self._last)

    def _show(self) -> None:
        raise AssertionError("each display shows itself")


class _Line(Timed):
    def __init__(
        self,
        total: int,
        title: str,
        simulated: bool,
        out: TextIO,
        *,
        words: Callable[..., str] | None = None,
    ) -> None:
        super().__init__(total, simulated, words=words)
        self._title, self._out, self._width = title, out, 0

    def _show(self) -> None:
        text = f"{self._title}: {self._text()}"
        self._out.write("\r" + text.ljust(self._width))
        self._out.flush()
        self._width = len(text)

    def close(self) -> None:
        self._show()
        self._out.write("\n")
        self._out.flush()


class _Bar(Timed):
    def __init__(
        self, total: int, title: str, simulated: bool, *, words: Callable[..., str] | None = None
    ) -> None:
        widgets: Any = importlib.import_module("ipywidgets")
        display: Any = importlib.import_module("IPython.display").display

        super().__init__(total, simulated, words=words)
        self._bar = widgets.IntProgress(max=total, description="", layout={"width": "240px"})
        self._label = widgets.Label(value=title)
        self._hint = widgets.Label(value="Interrupt (\u25a0) stops it; run the cell again to go on")
        box = widgets.HBox([self._bar, self._label, self._hint], layout={"flex_flow": "row wrap"})
        data = {
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": box.model_id,
            },
            "text/plain": f"{title}: the bar shows how far it is while it runs",
        }
        display(data, raw=True)

    def _show(self) -> None:
        self._bar.value = self._last["done"]
        self._label.value = self._text()

    def close(self) -> None:
        self._bar.bar_style = "success" if self._last["done"] == self._total else "warning"
        self._hint.value = ""
        self._show()


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
