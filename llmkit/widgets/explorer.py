"""A comparison to look through: filtered, item by item, answers side by side, graded anew by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from .. import human, render
from ..comparison import Comparison
from ..errors import NotConnected, UsageError
from ..session import current
from ..store import Store
from . import fields, opened, shown
from .findings import ORDERS, SCORES, Filter, Findings
from .panel import Panel, mark_of

if TYPE_CHECKING:
    import pandas as pd

ROWS = 10
_ANY = ""


def explorer(c: Comparison, *, passes: float = 0.5, store: str | None = None) -> Explorer:
    """A panel to find items of a comparison and lay them open.

        panel = kit.widgets.explorer(c)
        panel                              # show it
        panel.grades                       # what was graded by hand; c.with_human(panel.grades) uses it

    In the field Keys, n and p open the next and the previous item, f and b turn the page; JupyterLab keeps
    the arrow keys for itself. A grade by hand is kept in the store beside the answer and leaves ``c`` alone:
    ``c.human()`` reads it, and ``c.with_human()`` is the comparison by people's grades, where there are any.

    Args:
        passes: the score from which an answer counts as passed.
        store: a file for the grades; else they are in the store in force, which offline is in memory.

    What cannot work is said in the panel, nothing is raised.
    """
    return Explorer(c, passes=passes, store=store)


class Explorer(Panel):
    """Made by ``kit.widgets.explorer``.

    Attributes:
        comparison: what is looked through.
        found: the items the filter finds, in order.
        item: the one that is open, or None.
    """

    def __init__(self, c: Comparison, *, passes: float, store: str | None) -> None:
        super().__init__(f"Explorer of {c.task.name}", mark=mark_of(c.frame))
        self.comparison, self.found = c, list[str]()
        self.item: str | None = None
        self._path, self._passes = store, passes
        self._findings: Findings | None = None
        self._kept: human.Kept | None = None
        self._by_hand: set[str] = set()
        self._page = 0
        self._build()
        self._connect()
        self.submit(self._begin)

    @property
    def grades(self) -> pd.DataFrame:
        """One row per answer graded by hand: ``score`` is the machine's, ``human`` yours; see ``c.human``."""
        return human.grades(self.comparison.task.name, self.comparison.frame, self._people())

    def grade(self, model: str, score: float | str, *, note: str = "", repeat: int = 0) -> None:
        """Grade an answer of the open item, as the button does."""
        self.submit(partial(self._grade, model, str(score), note, repeat))

    def look_at(self, item: str) -> None:
        """Lay an item open, as a click on its line does."""
        self.submit(partial(self._open, str(item)))

    def move(self, by: int) -> None:
        """Open the item so many further on."""
        self.submit(partial(self._move, by))

    def last_state(self) -> str:
        """How many were found, and the item that is open."""
        parts = [super().last_state(), self.count.value]
        if self.item is not None:
            parts += [render.sentence(f"Item {self.item}", strong=True), self.prompt.value]
            parts += [opened.kept(row) for row in self._rows().values()]
        return "".join(parts)

    def __repr__(self) -> str:
        return f"<Explorer: {len(self.found)} of {len(self._findings.items) if self._findings else 0} items>"

    def _build(self) -> None:
        labels = self.comparison.labels
        self.model = fields.choice("Model", [("any", _ANY), *((shown.one_line(x), x) for x in labels)])
        self.score = fields.choice("Score", SCORES)
        self.column = fields.choice("Slice", [("none", _ANY)])
        self.value = fields.choice("Value", [("any", _ANY)])
        self.text = fields.line("Find", hint="in prompts and answers; Enter", live=False)
        self.order = fields.choice("Order", ORDERS)
        self.list = fields.listing("Items", rows=ROWS)
        self.count, self.prompt, self.raw, self.changes = (shown.html() for _ in range(4))
        self.before, self.after = fields.button("Previous page"), fields.button("Next page")
        self.previous, self.next = fields.button("Previous item"), fields.button("Next item")
        keys = {"n": partial(self.move, 1), "p": partial(self.move, -1)}
        keys |= {
            "f": partial(self.submit, partial(self._turn, 1)),
            "b": partial(self.submit, partial(self._turn, -1)),
        }
        self.letters = fields.Keys(keys, label="Keys", hint="n next, p previous, f and b pages")
        self.letters.box.layout.width = "330px"
        self.repeat = fields.choice("Repeat", [("0", 0)])
        self.differences, self.json = fields.toggle("Differences"), fields.toggle("Raw JSON")
        self.pictures = ipywidgets.VBox([])
        self.answers = fields.columns(*(shown.html(flex="1 1 auto") for _ in labels))
        self.whom = fields.choice("Grade of", [(shown.one_line(x), x) for x in labels])
        self.typed = fields.line("Grade by hand", hint="1 right, 0 wrong")
        self.note = fields.line("Note")
        self.keep_it, self.remove = fields.button("Keep grade"), fields.button("Remove grade")
        pages = fields.row(self.before, self.after, self.previous, self.next, self.letters.box)
        self.body.children = [
            fields.row(self.model, self.score, self.column, self.value, self.text, self.order),
            self.count,
            self.list,
            pages,
            self.prompt,
            self.pictures,
            fields.row(self.repeat, self.differences, self.json),
            self.answers,
            self.changes,
            self.raw,
            fields.row(self.whom, self.typed, self.note, self.keep_it, self.remove),
        ]

    def _connect(self) -> None:
        for field in (self.model, self.score, self.value, self.text, self.order):
            self.on(field, self._filter)
        self.on(self.column, self._pick_column)
        self.on(self.list, self._chosen)
        self.on(self.before, partial(self._turn, -1))
        self.on(self.after, partial(self._turn, 1))
        self.on(self.previous, partial(self._move, -1))
        self.on(self.next, partial(self._move, 1))
        for field in (self.repeat, self.differences, self.json):
            self.on(field, self._show)
        self.on(self.keep_it, self._keep_grade)
        self.on(self.remove, self._remove_grade)

    def _begin(self) -> None:
        c = self.comparison
        if c.frame.empty:
            raise UsageError("the comparison has no rows, so there is nothing to look through")
        self._findings = Findings(c, passes=self._passes)
        self.column.options = [("none", _ANY), *((shown.one_line(x), x) for x in self._findings.columns())]
        repeats = sorted(int(repeat) for repeat in c.frame["repeat"].unique())
        self.repeat.options = [(str(repeat), repeat) for repeat in repeats]
        try:
            self._by_hand = set(self.grades["item"])
        finally:
            self._filter()

    def _people(self) -> human.Kept:
        if self._path is None:
            try:
                return human.Kept(current().store)
            except NotConnected:
                pass
        if self._kept is None:
            own = human.own_store() if self._path is None else Store(self._path, schema=human.SCHEMA)
            self._kept = human.Kept(own)
        return self._kept

    def _pick_column(self) -> None:
        column = self.column.value
        values = self._known().values(column) if column else []
        self.value.options = [("any", _ANY), *((shown.one_line(value), value) for value in values)]
        self._filter()

    def _known(self) -> Findings:
        if self._findings is None:
            raise UsageError("there is nothing to look through")
        return self._findings

    def _filter(self) -> None:
        what = Filter(
            model=self.model.value or _ANY,
            score=self.score.value,
            column=self.column.value or _ANY,
            value=self.value.value or _ANY,
            text=self.text.value,
            order=self.order.value,
        )
        self.found = self._known().matching(what, self._by_hand)
        self._page = 0
        self._list(self.found[0] if self.found else None)

    def _list(self, item: str | None) -> None:
        """Show the page, and ``item`` open."""
        findings, start = self._known(), self._page * ROWS
        page = self.found[start : start + ROWS]
        pages = max(1, -(-len(self.found) // ROWS))
        self.item = item
        self.list.options = [(findings.line(each), each) for each in page]
        if item is not None:
            self.list.value = item
        words = f"{len(self.found):,} of {len(findings.items):,} items · page {self._page + 1} of {pages:,}"
        self.count.value = shown.note(words + "; passed: k of n repeats" * bool(page))
        self.before.disabled, self.after.disabled = self._page == 0, self._page + 1 >= pages
        self.say("" if self.found else "No item is like that; widen the filter.")
        self._show()

    def _turn(self, by: int) -> None:
        start = (self._page + by) * ROWS
        if 0 <= start < len(self.found):
            self._page += by
            self._list(self.found[start])

    def _move(self, by: int) -> None:
        if self.item is None:
            raise UsageError("no item is open")
        place = self.found.index(self.item) + by
        if not 0 <= place < len(self.found):
            self.say("That was the last item." if by > 0 else "That was the first item.")
            return
        self._open(self.found[place])

    def _open(self, item: str) -> None:
        if item not in self.found:
            raise UsageError(f"the filter finds no item {item!r}; set Score to all and empty Find")
        page = self.found.index(item) // ROWS
        if page != self._page:
            self._page = page
            self._list(item)
            return
        self.item = item
        self.list.value = item
        self.say("")
        self._show()

    def _chosen(self) -> None:
        if self.list.value is not None and self.list.value != self.item and self.list.value in self.found:
            self._open(self.list.value)

    def _rows(self) -> dict[str, dict[str, Any]]:
        """The open item's answers of the repeat chosen, by model."""
        frame = self.comparison.frame
        part = frame[(frame["item"] == self.item) & (frame["repeat"] == (self.repeat.value or 0))]
        by_model = {str(row["model"]): _named(row) for row in part.to_dict("records")}
        return {label: by_model[label] for label in self.comparison.labels if label in by_model}

    def _show(self) -> None:
        rows = {} if self.item is None else self._rows()
        self.prompt.value = self._prompt(rows)
        for old in self.pictures.children:
            old.close()
        self.pictures.children = [] if self.item is None else opened.pictures_of(self.comparison, self.item)
        words = self._words(rows)
        for label, box in zip(self.comparison.labels, self.answers.children, strict=True):
            box.value = opened.answer(rows[label], words.get(label)) if label in rows else ""
        first, others = next(iter(rows.values()), {}), list(rows.values())[1:]
        parts = [opened.difference(first, other) for other in others] if self.differences.value else []
        self.changes.value = shown.scrolled("".join(parts), label="Differences") if parts else ""
        frame = self.comparison.frame
        raw = opened.raw(frame[frame["item"] == self.item]) if self.json.value and rows else ""
        self.raw.value = shown.scrolled(raw, label="Raw JSON") if raw else ""
        self.keep()

    def _prompt(self, rows: dict[str, dict[str, Any]]) -> str:
        if self.item is None or not rows:
            return ""
        body = shown.scrolled(opened.prompt_of(self.comparison, self.item), label="Prompt", height="14em")
        return (
            shown.note(f"Item {self.item}")
            + body
            + opened.target_of(self.comparison, next(iter(rows.values())))
        )

    def _words(self, rows: dict[str, dict[str, Any]]) -> dict[str, human.Word]:
        name = self.comparison.task.name
        keys = {label: human.answer_key(name, row) for label, row in rows.items()}
        found = self._people().find(list(keys.values()))
        return {label: found[key] for label, key in keys.items() if key in found}

    def _keep_grade(self) -> None:
        self._grade(self.whom.value, self.typed.value, self.note.value, self.repeat.value)
        self.typed.value = self.note.value = ""

    def _answered(self, model: str, repeat: int) -> dict[str, Any]:
        if self.item is None:
            raise UsageError("no item is open")
        frame = self.comparison.frame
        same = (frame["item"] == self.item) & (frame["model"] == model) & (frame["repeat"] == repeat)
        if not same.any():
            raise UsageError(f"{model!r} has no answer to item {self.item!r}, repeat {repeat}")
        return _named(frame[same].iloc[0].to_dict())

    def _grade(self, model: str, typed: str, note: str, repeat: int) -> None:
        row, score = self._answered(model, repeat), human.score_of(typed)
        key = human.answer_key(self.comparison.task.name, row)
        self._people().say(key, f"{score:g}", kind="grade", note=note.strip())
        self._by_hand.add(str(row["item"]))
        self._show()
        self.say(f"Kept: {model} has {score:g} by hand; the machine's grade stays beside it.", kind="good")

    def _remove_grade(self) -> None:
        row = self._answered(self.whom.value, self.repeat.value)
        self._people().forget(human.answer_key(self.comparison.task.name, row))
        self._by_hand = set(self.grades["item"])
        self._show()
        self.say(f"The grade by hand of {self.whom.value} is removed.")


def _named(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
