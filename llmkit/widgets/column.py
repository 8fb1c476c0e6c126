"""One model in a playground: who it is, its answer as it streams in, and what the answer cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing

import ipywidgets

from .. import catalog
from ..errors import CallError
from ..model import Model
from ..scope import Scope
from . import fields, shown
from .asking import STOPPED, Answer, Question
from .panel import in_words
from .picker import Pick


class Turn:
    """One run of all columns; ``over`` is set when it was stopped, and waits within calls then end.

    Args:
        ended: called once, by whoever brings the last answer.
    """

    def __init__(self, question: Question, number: int, ended: Callable[[Turn], None]) -> None:
        self.question, self.over = question, threading.Event()
        self.answers: list[Answer | None] = [None] * number
        self._ended, self._lock = ended, threading.Lock()

    def put(self, index: int, answer: Answer) -> bool:
        """Bring an answer; False if there is one already: the first counts."""
        with self._lock:
            if self.answers[index] is not None:
                return False
            self.answers[index] = answer
            last = all(each is not None for each in self.answers)
        if last:
            self._ended(self)
        return True


class Column:
    """A model picker, a pane and a line of figures.

    Attributes:
        box: the widgets.
        pane: where the answer streams in.
    """

    def __init__(self, options: Sequence[tuple[str, Pick]], pick: Pick) -> None:
        self.picker = fields.choice("Model", options, pick)
        self.picker.layout.width = "auto"
        self.pane = shown.Pane("Answer")
        self.figures = shown.html(shown.note("Not asked yet."))
        self.box = ipywidgets.VBox([self.picker, self.pane.box, self.figures])
        self._made: dict[str, Model] = {}

    @property
    def label(self) -> str:
        """Who answers, for people."""
        pick = self.picker.value
        return pick.label if isinstance(pick, Model) else str(pick)

    def model(self) -> Model:
        """The model picked. Raises what ``kit.model`` does."""
        pick: Pick = self.picker.value
        if isinstance(pick, Model):
            return pick
        if pick not in self._made:
            self._made[pick] = catalog.model(pick)
        return self._made[pick]

    def begin(self) -> Callable[[str], None]:
        """Empty the pane for an answer; the result adds a piece of it."""
        self.pane.label = f"Answer of {self.label}"
        self.figures.value = shown.note("Asking ...")
        return self.pane.begin()

    def work(self, turn: Turn, index: int, scope: Scope, put: Callable[[str], None]) -> None:
        """Ask and show, until the answer is whole, the turn is over, or it fails."""
        if turn.over.is_set():
            return
        try:
            model = self.model()
            with closing(turn.question.ask(model, scope, turn.over.wait)) as stream:
                for piece in stream:
                    if turn.over.is_set():
                        return
                    put(piece)
                response = stream.response
            self._put(turn, index, Answer(model.label, response.text, response))
        except Exception as error:  # noqa: BLE001 - told in this pane, and the others go on
            partial = error.partial if isinstance(error, CallError) else ""
            self._put(turn, index, Answer(self.label, partial or "", error=in_words(error)))

    def leave(self, turn: Turn, index: int) -> None:
        """Show what came so far and wait no longer; what comes later is booked, not shown."""
        self._put(turn, index, Answer(self.label, self.pane.text, error=STOPPED))

    def show(self, answer: Answer) -> None:
        """Show an answer, whole, with its figures or with what went wrong."""
        self.pane.label = f"Answer of {answer.label}"
        self.pane.finish(answer.text)
        if answer.response is not None or answer.stopped:
            self.figures.value = shown.note(answer.words())
        else:
            self.figures.value = shown.says(answer.error, kind="error")

    def _put(self, turn: Turn, index: int, answer: Answer) -> None:
        # Shown before it counts: when the turn is over, all of it is to be seen.
        if turn.answers[index] is None:
            self.show(answer)
            turn.put(index, answer)
