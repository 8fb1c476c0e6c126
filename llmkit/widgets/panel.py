"""What every panel is: it tells and never raises, works beside the kernel, and leaves its last state."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython.display import display

from .. import render
from ..errors import LLMKitError
from ..session import current
from . import fields, shown
from .shown import Kind, Pane

if TYPE_CHECKING:
    import pandas as pd

TICK = 1 / 12
"""Seconds between two updates of what streams."""

_VIEW = "application/vnd.jupyter.widget-view+json"
# The last state stands in an output of its own after the panel's. While the panel lives it is hidden; where
# there is none any more, the message that it is gone is. Only a widget's output has no mime type there.
_INSTEAD = (
    "<style>.jp-OutputArea-child:has(.llmkit-panel) + .jp-OutputArea-child .llmkit-last,"
    ".jp-OutputArea-child:not(:has(.llmkit-panel)):has(+ .jp-OutputArea-child .llmkit-last)"
    ":has(> .jp-OutputArea-output:not([data-mime-type])){display:none}</style>"
)
_MARKS = {
    "offline": "SIMULATED: every answer is made up and says nothing about real models",
    "replay": "from recordings: nothing is paid",
    "live": "live: calls are paid for",
}


class Panel(ipywidgets.VBox):  # type: ignore[misc]
    """A box of widgets with a line that tells what happens, errors included.

    What a callback does is done on a thread of the panel's own, one thing after the other; calls to models
    each run on a further one. A subclass puts its widgets into ``self.body`` and connects them by ``on``.

    Attributes:
        status: the line, as a widget; ``said`` is its text.
        body: the box with all the rest.
        lock: guards what threads share; a subclass's own state too.
        closed: set when the panel is closed; calls under way then end at their next piece.
    """

    def __init__(self, title: str, *, mark: str | None = None) -> None:
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self.title, self.mark = title, origin_now() if mark is None else mark
        self.said = ""
        self.status = shown.html(shown.says(""))
        self.body = ipywidgets.VBox([], layout={"width": "100%"})
        self._context = copy_context()
        self._waiting: deque[Callable[[], None]] = deque()
        self._hand: threading.Thread | None = None
        self._ticker: threading.Thread | None = None
        self._threads: set[threading.Thread] = set()
        self._ticking: list[Callable[[], bool]] = []
        self._handles: list[Any] = []
        leave = fields.button("Close", hint="Stop what is under way and take the panel away")
        # At once, on whatever thread: it must not wait behind other work.
        leave.on_click(lambda _: self._guarded(self.close))
        head = fields.row(shown.html(shown.heading(title, self.mark, live=True)), leave)
        super().__init__([head, self.status, self.body], layout={"width": "100%"})

    def last_state(self) -> str:
        """HTML of what is to be seen without a kernel; a subclass adds its own below the title."""
        said = render.sentence(self.said) if self.said else ""
        return shown.heading(self.title, self.mark) + said

    def say(self, text: str, *, kind: Kind = "") -> None:
        """Put words into the status line."""
        with self.lock:
            self.said = text if kind != "error" else f"Error: {text}"
            self.status.value = shown.says(text, kind=kind)

    def tell(self, error: BaseException) -> None:
        """Put an error into the status line, in words."""
        self.say(in_words(error), kind="error")

    def on(self, widget: Any, work: Callable[[], None]) -> None:
        """Do ``work`` when a button is clicked or a value changes, on the panel's thread."""
        if isinstance(widget, ipywidgets.Button):
            widget.on_click(lambda _: self.submit(work))
        else:
            widget.observe(lambda _: self.submit(work), names="value")

    def submit(self, work: Callable[[], None]) -> None:
        """Do ``work`` after all that was submitted before; returns at once, and its error is told."""
        with self.lock:
            if self.closed.is_set():
                return
            self._waiting.append(work)
            if self._hand is None:
                self._hand = self._thread(self._work_off, "hand")

    def start(self, work: Callable[[], None]) -> None:
        """Do ``work`` on a thread of its own, for what takes long; its error is told."""
        with self.lock:
            if not self.closed.is_set():
                self._threads.add(self._thread(lambda: self._alone(work), "work"))

    def stream(self, *panes: Pane) -> Callable[[], None]:
        """Show what comes into the panes, by the panel's one ticker, until the result is called."""
        done = threading.Event()

        def tick() -> bool:
            for pane in panes:
                pane.flush()
            return done.is_set()

        self.every_tick(tick)
        return done.set

    def every_tick(self, work: Callable[[], bool]) -> None:
        """Call ``work`` some twelve times a second until it returns True."""
        with self.lock:
            if self.closed.is_set():
                return
            self._ticking.append(work)
            if self._ticker is None:
                self._ticker = self._thread(self._tick, "ticker")

    def keep(self) -> None:
        """Let the saved notebook show the state as it is now."""
        if self._handles:
            last = self._last()
            for handle in self._handles:
                handle.update(last, raw=True)

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing is under way; False if something still is after so many seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self.lock:
                busy = [t for t in (self._hand, self._ticker, *self._threads) if t is not None]
            if not busy:
                return True
            busy[0].join(min(0.5, max(0.0, end - time.monotonic())))
        return False

    def close(self) -> None:
        """Stop what is under way and take the panel away; what was answered stays booked and kept."""
        if not self.closed.is_set():
            self.closed.set()
            self.stop()
            self.keep()
        for child in _all_children(self):
            child.close()
        super().close()

    def stop(self) -> None:
        """End what is under way; a subclass with calls does."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} panel>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {_VIEW: view, **self._last()}

    def _ipython_display_(self, **_: Any) -> None:
        """The panel, and after it its last state, hidden while the panel lives, for the saved notebook."""
        bundle = self._repr_mimebundle_()
        display({name: bundle[name] for name in (_VIEW, "text/plain")}, raw=True)
        handle = display(self._last(), raw=True, display_id=True)
        if handle is not None:
            self._handles.append(handle)

    def _last(self) -> dict[str, str]:
        html = f'{_INSTEAD}<div class="llmkit-last">{self.last_state()}</div>'
        return {"text/plain": repr(self), "text/html": html}

    def _thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        """Started in a copy of the context the panel was made in: its labels and ceilings hold."""
        run = self._context.copy().run
        thread = threading.Thread(target=run, args=(work,), daemon=True, name=f"llmkit-panel-{name}")
        thread.start()
        return thread

    def _work_off(self) -> None:
        while True:
            with self.lock:
                if not self._waiting:
                    self._hand = None
                    return
                work = self._waiting.popleft()
            self._guarded(work)

    def _alone(self, work: Callable[[], None]) -> None:
        try:
            self._guarded(work)
        finally:
            with self.lock:
                self._threads.discard(threading.current_thread())

    def _tick(self) -> None:
        while True:
            with self.lock:
                if not self._ticking or self.closed.is_set():
                    self._ticking, self._ticker = [], None
                    return
                works = list(self._ticking)
            ended = [work for work in works if self._over(work)]
            with self.lock:
                self._ticking = [work for work in self._ticking if work not in ended]
            time.sleep(TICK)

    def _over(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - a panel tells
            self.tell(error)
            return True

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a panel tells
            self.tell(error)


def origin_now() -> str:
    """Where answers come from in this session, in words; empty before anything is connected."""
    try:
        return _MARKS[current().mode]
    except LLMKitError:
        return ""


def mark_of(frame: pd.DataFrame) -> str:
    """Where answers of a frame come from, in words, if any of them is made up."""
    return _MARKS["offline"] if (frame["simulated"] == True).any() else ""  # noqa: E712 - unknown is not True


def in_words(error: BaseException) -> str:
    """An error for people: our own say it all, another has its kind in front."""
    if isinstance(error, LLMKitError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _all_children(box: Any) -> Sequence[Any]:
    found: list[Any] = []
    for child in getattr(box, "children", ()):
        found += [*_all_children(child), child]
    return found
