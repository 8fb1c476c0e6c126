"""Blind votes on pairs of answers: sides by chance, names hidden to the end, every vote kept at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import ballots, human, render, votes
from ..ballots import CHOICES, Ballot, Choice, Pair
from ..catalog import model as named
from ..comparison import Comparison
from ..errors import LLMKitError, NotConnected, UsageError
from ..model import Model
from ..records import FAILED
from ..session import current
from ..store import Store
from ..task import Task
from . import fields, shown, tallied
from .answering import Answering, task_of
from .opened import prompt_of
from .panel import Panel, mark_of, origin_now

if TYPE_CHECKING:
    import pandas as pd

_WORDS: dict[Choice, str] = {
    "A": "A is better",
    "B": "B is better",
    "tie": "Tie",
    "both bad": "Both bad",
    "skip": "Skip",
}
_LETTERS: dict[Choice, str] = {"A": "a", "B": "b", "tie": "t", "both bad": "x", "skip": "s"}


def arena(
    what: Comparison | Sequence[Model | str],
    items: Task | Sequence[str] | None = None,
    *,
    judge: votes.Votes | None = None,
    seed: int = 0,
    store: str | None = None,
) -> Arena:
    """A panel to vote on answers without knowing whose they are.

        panel = kit.widgets.arena(c)                        # recorded answers: nothing is asked
        panel = kit.widgets.arena([sonnet, opus], task)     # or a list of prompts: press Ask first
        panel.votes                                         # one row a vote

    Votes are kept as they are given, and found again by the answers they are about: run the cell again, also
    after a restart, and go on. Buttons are reached by Tab; in the field Keys, a and b prefer an answer, t is
    a tie, x both bad, s skips and u takes the last vote back.

    Args:
        what: a comparison, or models, which then answer ``items``.
        judge: what ``c.votes(...)`` gave, to be held against your votes; else the grades of ``c`` are.
        seed: of the order of the pairs and of the sides.
        store: a file for the votes; else they are in the store in force, which offline is in memory.

    What cannot work is said in the panel, nothing is raised.
    """
    return Arena(what, items, judge=judge, seed=seed, store=store)


class Arena(Panel):
    """Made by ``kit.widgets.arena``.

    Attributes:
        comparison: whose answers are voted on; None before there are any.
        ended: whether names and results are shown.
    """

    def __init__(
        self,
        what: Comparison | Sequence[Model | str],
        items: Task | Sequence[str] | None,
        *,
        judge: votes.Votes | None,
        seed: int,
        store: str | None,
    ) -> None:
        mark = mark_of(what.frame) if isinstance(what, Comparison) else origin_now()
        super().__init__("Arena", mark=mark)
        self.comparison: Comparison | None = None
        self.ended = False
        self._judge, self._seed, self._path = judge, seed, store
        self._ballot: Ballot | None = None
        self._pair: Pair | None = None
        self._asking: Answering | None = None
        self._texts = ("", "")
        self._build()
        try:
            if not isinstance(what, Comparison):
                self._ask_first(what, items)
            elif items is not None:
                raise UsageError("a comparison has its own items; leave the others out, or give models")
            else:
                self.submit(partial(self._open, what))
        except LLMKitError as error:
            self.tell(error)
        self._lay_out()

    @property
    def votes(self) -> pd.DataFrame:
        """One row per vote, for Bradley and Terry or a judge's calibration; see ``ballots.Ballot.frame``."""
        return (
            Ballot([], human.Kept(human.own_store())).frame()
            if self._ballot is None
            else self._ballot.frame()
        )

    @property
    def agreement(self) -> ballots.Agreement:
        """How the judge's votes, or the task's grades, go with the votes. Raises before there are answers."""
        if self.comparison is None:
            raise UsageError("there are no answers yet, so nobody can agree; press Ask first")
        given, judge = self.votes, self._judge
        if judge is None:
            judged = ballots.by_scores(self.comparison.frame, given)
        else:
            judged = ballots.by_judge(judge.frame, a=judge.a, b=judge.b)
        return ballots.agreement(given, judged)

    def vote(self, choice: Choice) -> None:
        """Vote on the pair shown, as the buttons do."""
        self.submit(partial(self._vote, self._pair, choice))

    def undo(self) -> None:
        """Take the last vote back, as the button does."""
        self.submit(self._undo)

    def stop(self) -> None:
        """Stop asking; what is answered is kept."""
        if self._asking is not None:
            self._asking.stop()

    def last_state(self) -> str:
        """How far the votes are, and once it is ended what they say."""
        return f"{super().last_state()}{self.far.value}{self.result.value}"

    def __repr__(self) -> str:
        done, asked = (0, 0) if self._ballot is None else (self._ballot.done, self._ballot.asked)
        return f"<Arena: {done} of {asked} pairs voted on>"

    def _build(self) -> None:
        self.far, self.task, self.result, self.changes = (shown.html() for _ in range(4))
        self.sides = [shown.html(flex="1 1 auto"), shown.html(flex="1 1 auto")]
        self.buttons = {choice: fields.button(_WORDS[choice]) for choice in CHOICES}
        for choice, each in self.buttons.items():
            # The pair is noted as the click comes: no vote may fall on one that was not seen.
            each.on_click(lambda _, choice=choice: self._guarded(partial(self.vote, choice)))
        self.back, self.end = fields.button("Undo"), fields.button("Finish", hint="Show names and results")
        self.differences = fields.toggle("Differences")
        actions = {_LETTERS[choice]: partial(self.vote, choice) for choice in CHOICES}
        hint = "a, b, t tie, x both bad, s skip, u undo"
        self.letters = fields.Keys(actions | {"u": self.undo}, label="Keys", hint=hint)
        self.letters.box.layout.width = "330px"
        self._both = fields.columns(*self.sides)
        row = fields.row(*self.buttons.values(), self.back, self.differences, self.end)
        # Made once and never laid out anew: what has the focus must keep it from vote to vote.
        self._voting = [self.far, self.task, self._both, row, self.letters.box, self.changes, self.result]
        self.on(self.back, self._undo)
        self.on(self.end, self._finish)
        self.on(self.differences, self._show_differences)

    def _lay_out(self) -> None:
        asking = [self._asking.box] if self._asking is not None and self._ballot is None else []
        self.body.children = asking if self._ballot is None else self._voting

    def _ask_first(self, models: Sequence[Model | str], items: Task | Sequence[str] | None) -> None:
        if isinstance(models, Model | str) or not isinstance(models, Sequence):
            raise UsageError("give a comparison, or a list of models and a task: arena([sonnet, opus], task)")
        made = [each if isinstance(each, Model) else named(each) for each in models]
        if len(made) < 2:
            raise UsageError(f"blind votes need two models; {len(made)} was given")
        if items is None:
            raise UsageError("models need something to answer: kit.widgets.arena([sonnet, opus], task)")
        task = task_of(items)
        self._asking = Answering(self, task, made, self._open)
        self.say(f"{len(task):,} items for {len(made)} models; press Ask.")

    def _open(self, c: Comparison) -> None:
        found, left_out = ballots.pairs(c.task.name, c.frame, c.labels, seed=self._seed)
        self._ballot = Ballot(found, human.Kept(self._store()), left_out=left_out)
        self.comparison = c
        if self._ballot.done:
            self.say(f"Went on from {self._ballot.done:,} votes given before.")
        elif (c.frame["outcome"].isin(list(FAILED))).any():
            self.say("Some calls failed; their pairs are left out.")
        else:
            self.say("")
        self._next()

    def _store(self) -> Store:
        if self._path is not None:
            return Store(self._path, schema=human.SCHEMA)
        try:
            return current().store
        except NotConnected:
            return human.own_store()

    def _opened(self) -> Ballot:
        if self._ballot is None:
            raise UsageError("there are no answers to vote on yet")
        return self._ballot

    def _vote(self, pair: Pair | None, choice: Choice) -> None:
        ballot = self._opened()
        if pair is None or pair != self._pair or self.ended:
            return
        ballot.cast(pair, choice)
        self.say(f"{_WORDS[choice]}: kept." if choice != "skip" else "Skipped.")
        self._next()
        if self.ended:
            self._say_finished(ballot)

    def _undo(self) -> None:
        if not self._opened().undo():
            raise UsageError("there is no vote to take back")
        self.ended = False
        self.say("The last vote is taken back.")
        self._next()

    def _finish(self) -> None:
        ballot = self._opened()
        self.ended = not self.ended or ballot.pair() is None
        self._next()
        if self.ended:
            self._say_finished(ballot)
        else:
            self.say("")

    def _say_finished(self, ballot: Ballot) -> None:
        self.say(f"Finished after {ballot.done:,} of {ballot.asked:,} pairs.", kind="good")

    def _next(self) -> None:
        ballot = self._opened()
        self._pair = ballot.pair()
        self.ended = self.ended or self._pair is None
        self.far.value = shown.note(self._words(ballot))
        self.result.value = self._result() if self.ended else ""
        for each in self.buttons.values():
            each.disabled = self.ended
        self.end.description = "Go on voting" if self.ended else "Finish"
        self.end.disabled = self._pair is None
        self.back.disabled = not ballot.done
        for each in (self.task, self._both, self.changes):
            each.layout.display = "none" if self.ended else "flex" if each is self._both else None
        if self._pair is not None and not self.ended:
            self._show(self._pair)
        self._lay_out()
        self.keep()

    def _words(self, ballot: Ballot) -> str:
        same = len(ballot.pairs) - ballot.asked
        words = [f"{ballot.done:,} of {ballot.asked:,} pairs voted on"]
        words += [f"{same:,} with identical answers are ties nobody is asked about"] if same else []
        words += [f"{ballot.left_out:,} left out, an answer is missing"] if ballot.left_out else []
        kept = self._path is not None or not self._in_memory()
        return " · ".join([*words, "votes are kept" if kept else "votes are kept until the kernel ends"])

    def _in_memory(self) -> bool:
        try:
            return current().store.in_memory
        except NotConnected:
            return True

    def _show(self, pair: Pair) -> None:
        assert self.comparison is not None
        frame = self.comparison.frame
        self.task.value = shown.scrolled(prompt_of(self.comparison, pair.item), label="Prompt", height="14em")
        one, two = (str(frame["answer"].iloc[place]) for place in pair.shown)
        self._texts = (one, two)
        for name, side, text in zip("AB", self.sides, self._texts, strict=True):
            title = render.sentence(f"Answer {name}", strong=True)
            side.value = title + shown.scrolled(render.markdown(text), label=f"Answer {name}")
        self._show_differences()

    def _show_differences(self) -> None:
        if not self.differences.value or self._pair is None:
            self.changes.value = ""
            return
        said = shown.note("Answer A struck out where answer B, underlined, differs")
        self.changes.value = said + shown.scrolled(render.difference(*self._texts), label="Differences")

    def _result(self) -> str:
        c = self.comparison
        assert c is not None
        judge = "The judge's votes" if self._judge is not None else "The grades"
        clusters: dict[str, Any] | None = None
        if c.task.cluster is not None:
            once = c.frame.drop_duplicates("item")
            clusters = dict(zip(once["item"].astype(str), once[c.task.cluster], strict=True))
        said = tallied.result(self.votes, c.labels, self.agreement, judge=judge, clusters=clusters)
        return (render.sentence(mark_of(c.frame)) if mark_of(c.frame) else "") + said
