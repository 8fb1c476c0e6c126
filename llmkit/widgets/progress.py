"""A comparison or a batch that runs beside the notebook: how far it is, and a button that stops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import ipywidgets

from .. import render
from ..batch import Batch
from ..compare import compare
from ..errors import Interrupted, UsageError
from ..model import Model
from ..progress import Timed, shown_by
from ..task import Task
from ..workers import Cancel
from . import fields, shown
from .panel import Panel


def progress(work: Task | Batch, models: Sequence[Model] = (), **settings: Any) -> Running:
    """A panel that compares models, or waits for a batch and collects it, while the notebook stays free.

        panel = kit.widgets.progress(task, [sonnet, opus], repeats=3, budget=5)
        panel                              # press Start
        panel.value                        # the comparison, once it is there

    A cell with ``kit.compare(...)`` shows the same bar, waits, and is stopped by interrupting the kernel.

    Args:
        work: a task, with ``models`` and ``settings`` as ``kit.compare`` takes them; or a batch.

    What cannot work is said in the panel, nothing is raised.
    """
    if isinstance(work, Batch):
        return Running(f"Batch of {work.name}", partial(_batched, work), noun="batch")
    words = f"{work.name}: {len(work):,} items"
    return Running(f"Comparison of {words}", lambda _: compare(work, models, **settings))


class Running(Panel):
    """Made by ``kit.widgets.progress``.

    Attributes:
        value: the comparison, or what the batch brought; None until it has ended.
        words: how far it is, as a text.
    """

    def __init__(self, title: str, work: Callable[[Cancel], Any], *, noun: str = "comparison") -> None:
        super().__init__(title)
        self.value: Any = None
        self.words = ""
        self._work, self._noun = work, noun
        self._cancel: Cancel | None = None
        self.bar = ipywidgets.IntProgress(
            value=0, max=1, description="Done", layout={"width": "320px", "max_width": "100%"}
        )
        self.far = shown.html()
        self.go, self.halt = fields.button("Start", main=True), fields.button("Cancel")
        self.halt.disabled = True
        self.result = shown.html()
        self.on(self.go, self._run)
        # At once, on whatever thread: it must not wait behind other work.
        self.halt.on_click(lambda _: self.stop())
        self.body.children = [fields.row(self.go, self.halt, self.bar, self.far), self.result]

    def run(self) -> None:
        """Start, as the button does."""
        self.submit(self._run)

    def stop(self) -> None:
        """End it as Interrupt does: what is answered is kept, and a new start goes on from there."""
        with self.lock:
            cancel = self._cancel
        if cancel is not None:
            self.say("Stopping ...")
            cancel.set()

    def last_state(self) -> str:
        """Title, how far it came, and what came of it."""
        far = render.sentence(self.words) if self.words else ""
        return f"{super().last_state()}{far}{self.result.value}"

    def _run(self) -> None:
        with self.lock:
            if self._cancel is not None:
                raise UsageError(f"the {self._noun} is under way; cancel it first")
            self._cancel = Cancel()
        self.go.disabled, self.halt.disabled = True, False
        self.bar.bar_style, self.result.value = "", ""
        self.say("Under way ...")
        self.start(partial(self._through, self._cancel))

    def _through(self, cancel: Cancel) -> None:
        try:
            with cancel.ends(), shown_by(self._display):
                self.value = self._work(cancel)
            self.result.value = self.value._repr_html_()
            self.bar.bar_style = "success"
            self.say(f"Done: the {self._noun} is the panel's .value.", kind="good")
        except Interrupted as stopped:
            self.bar.bar_style = "warning"
            self.say(str(stopped)[:1].upper() + str(stopped)[1:])
        except Exception as error:  # noqa: BLE001 - a panel tells
            self.bar.bar_style = "danger"
            self.tell(error)
        finally:
            with self.lock:
                self._cancel = None
            self.go.description = "Go on" if self.value is None else "Run again"
            self.go.disabled, self.halt.disabled = False, True
            self.keep()

    def _display(self, total: int, **how: Any) -> _Shown:
        return _Shown(self, total, simulated=how["simulated"], words=how.get("words"))


class _Shown(Timed):
    """The run as the panel shows it."""

    def __init__(
        self, panel: Running, total: int, *, simulated: bool, words: Callable[..., str] | None
    ) -> None:
        super().__init__(total, simulated, words=words)
        self._panel = panel
        panel.bar.max, panel.bar.value = max(1, total), 0

    def _show(self) -> None:
        self._panel.words = self._text()
        self._panel.bar.value = self._last["done"]
        self._panel.far.value = shown.note(self._panel.words)


def _batched(batch: Batch, cancel: Cancel) -> Any:
    """Send what is not sent, wait, and collect."""
    batch.submit()
    try:
        batch.wait(sleep=cancel.sleep)
    except Interrupted:
        raise Interrupted(
            "stopped waiting; the batch goes on at the provider's, and Go on waits for it"
        ) from None
    return batch.collect()
