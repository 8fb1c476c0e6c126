"""The result of a comparison: one tidy frame, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import calibration, decision, elsewhere, human, logs, report, trades, verdict, votes, worth
from .coin import Made, Verdicts
from .errors import UsageError
from .graders_judge import Pairwise
from .headroom import Headroom
from .multiplicity import benjamini_hochberg, interaction_p
from .pairs import difference
from .records import FAILED, Request
from .render import sentence, table
from .scores import Scores, item_scores
from .session import current
from .stopping import Early
from .task import Task

SMALLEST_SLICE = 15  # items; below, a slice gets counts but no interval


class Comparison:
    """Answers, grades and costs of several models on one task.

    ``kit.compare`` makes one. Results from elsewhere make one too: ``Comparison(frame)`` of a tidy frame with
    the columns item, model and score (and those ``elsewhere.from_frame`` lists), or ``from_series``,
    ``from_inspect``, ``from_lm_eval`` and ``from_promptfoo``.

    Attributes:
        task: what was asked.
        labels: the models, the baseline first.
        frame: one row per item, model and repeat, with the columns of ``compare.COLUMNS`` and the item's own.
            ``score`` is NaN where nothing could be graded; ``cost`` is USD as float (exact in the ledger).
        note: what a reader must know, such as a stop at the ceiling; "" if nothing.
        early: how a run that looked early ended, or None; the verdict's intervals then hold at any time.
        defaults: label -> the settings a model was asked with, where it is one model; for ``kit.replay``.
        names: label -> the exact model, where it is one; for ``kit.replay``.
        policies: label -> what a policy is made of.
    """

    def __init__(
        self,
        task: Task | pd.DataFrame,
        labels: Sequence[str] = (),
        frame: pd.DataFrame | None = None,
        *,
        settings: dict[str, str] | None = None,
        note: str = "",
        early: Early | None = None,
        defaults: Mapping[str, Request] | None = None,
        names: Mapping[str, str] | None = None,
        policies: Mapping[str, Made] | None = None,
        **about: Any,
    ) -> None:
        """A task with its labels and frame; or a frame of results, and ``about`` it cluster, slices, name."""
        if not isinstance(task, Task):
            found = elsewhere.from_frame(task, labels=labels, **about)
            task, labels, frame = found.task, found.labels, found.frame
        elif frame is None or about:
            raise UsageError(
                f"a task comes with labels and a frame, and without {sorted(about)}; to ask models, call "
                "kit.compare(task, [sonnet, opus])"
            )
        self.task, self.labels, self.frame = task, list(labels), frame
        self.settings, self.note, self.early = dict(settings or {}), note, early
        self.defaults, self.names = dict(defaults or {}), dict(names or {})
        self.policies = dict(policies or {})

    @classmethod
    def from_series(cls, *scores: pd.Series, cluster: pd.Series | None = None, **about: Any) -> Comparison:
        """Of a Series of scores a model, named by it and indexed by item; the first is the baseline."""
        about |= {} if cluster is None else {"cluster": "cluster"}
        return cls(elsewhere.from_series(scores, cluster=cluster), **about)

    @classmethod
    def from_inspect(cls, paths: logs.Paths, *, scorer: str | None = None, **about: Any) -> Comparison:
        """Of logs of Inspect AI, one a model; see ``logs.read_inspect``. ``about``: labels, cluster, name."""
        return cls(logs.read_inspect(paths, scorer=scorer), **about)

    @classmethod
    def from_lm_eval(
        cls, paths: logs.Paths, *, metric: str | None = None, filter: str | None = None, **about: Any
    ) -> Comparison:
        """Of samples of lm-evaluation-harness, one folder a model; see ``logs.read_lm_eval``."""
        return cls(logs.read_lm_eval(paths, metric=metric, filter=filter), **about)

    @classmethod
    def from_promptfoo(cls, paths: logs.Paths, **about: Any) -> Comparison:
        """Of promptfoo's results.json; see ``logs.read_promptfoo``."""
        return cls(logs.read_promptfoo(paths), **about)

    @cached_property
    def verdict(self) -> verdict.Verdict:
        """The table, the paired differences and the sentence, which says of policies whether they pay."""
        found = verdict.judge(
            *(self.frame, self.labels),
            cluster=self.task.cluster,
            settings=self.settings,
            looked_early=self.early is not None,
        )
        said = self.switching.sentences if self.policies and found.pairs else []
        return replace(found, sentence=" ".join([found.sentence, *said]))

    @cached_property
    def switching(self) -> Verdicts:
        """Each policy against a coin between its two models that spends as much, and their rivals.

        Rivals are what may make a switch needless: the same model at another effort, and asking it again.
        """
        return trades.switching(self)

    @property
    def simulated(self) -> bool:
        """True if any answer was made up by the simulator."""
        return bool((self.frame["simulated"] == True).any())  # noqa: E712 - the column holds None too

    def worth(
        self,
        *,
        cost_of_error: float,
        cost_of_minute: float = 0.0,
        horizon: int = 1,
        model: str | None = None,
        item_price: float = 0.0,
        label_price: float = 0.0,
        human: pd.DataFrame | None = None,
    ) -> worth.Worth:
        """Is the dearer model worth its price, when a wrong answer costs ``cost_of_error`` USD?

        Args:
            cost_of_minute: USD that a minute of waiting for an answer costs.
            horizon: how many tasks the decision is for.
            model: the label held against the baseline; needed with more than two models.
            item_price: USD of writing and labelling one more item, its calls not counted.
            label_price: USD of one more human label, where a judge graded.
            human: scores by people of items drawn at random, to correct a judge; see ``corrected``.

        Raises ``UsageError`` with fewer than two models, or where a cost is unknown.
        """
        pair = (self._scores(), self._challenger(model), self.labels[0])
        corrected = None if human is None else decision.corrected(*pair, human)
        return decision.weigh(
            *pair,
            cost_of_error=cost_of_error,
            cost_of_minute=cost_of_minute,
            horizon=horizon,
            item_price=item_price,
            label_price=label_price,
            corrected=corrected,
            simulated=self.simulated,
        )

    def corrected(self, human: pd.DataFrame, *, model: str | None = None) -> calibration.Corrected:
        """The difference as people would have found it, from a judge's grades and some labels of people.

        Args:
            human: one row an item, by its id, one column a model, by its label; items drawn at random.

        Raises ``UsageError`` for fewer than 30 labelled items.
        """
        return decision.corrected(self._scores(), self._challenger(model), self.labels[0], human)

    def tests(self, *, model: str | None = None) -> pd.DataFrame:
        """Other published intervals and tests of the difference, to hold the verdict against.

        One row a method with ``low``, ``high`` and ``p``, NaN where it has none. For right and wrong
        answers of one run, Tango's and McNemar's relatives; the verdict's own method always comes first.
        """
        return decision.other_methods(self._scores(), self._challenger(model), self.labels[0])

    def repeats(self, *, item_price: float, model: str | None = None) -> pd.DataFrame:
        """What the difference's variance is made of, and how many repeats an item are best.

        One row: ``items`` and ``repeats`` are the shares of the variance of one item's difference that
        more items or more repeats would average away; ``best`` the repeats an item that make the interval
        narrowest for the money, when a new item costs ``item_price`` USD to write and label.
        """
        scores, label = self._scores(), self._challenger(model)
        return decision.items_or_repeats(scores, label, self.labels[0], item_price=item_price)

    def headroom(self, models: Sequence[str] | None = None) -> Headroom:
        """Before a router or cascade is built: what switching could earn at most, and what it would need.

        ``models`` are two labels; the cheapest and the dearest where left out.
        """
        return trades.headroom(self, models)

    def by(self, column: str) -> pd.DataFrame:
        """One row per value of a column: items, each model's mean score, and the last model's lead.

        ``low`` and ``high`` bound the lead of the last model over the baseline (95 %); slices under 15 items
        have none. ``flag`` marks slices that differ by Benjamini-Hochberg at 5 %. Whether the lead depends on
        the column at all is one test, in ``.attrs["interaction_p"]`` (NaN where it cannot be made).
        """
        if column not in self.frame.columns:
            raise UsageError(f"there is no column {column!r}; there are {sorted(self.frame.columns)}")
        rows = [self._slice(column, value, part) for value, part in self.frame.groupby(column, sort=True)]
        result = pd.DataFrame(rows)
        if "p" in result:
            tested = result["p"].notna()
            flags = np.zeros(len(result), dtype=bool)
            flags[tested] = benjamini_hochberg(result["p"][tested].to_numpy()) < 0.05
            result["flag"] = flags
            result.attrs["interaction_p"] = self._interaction(column)
        return result.set_index(column)

    def disagreements(self) -> pd.DataFrame:
        """Items on which the models' scores differ, the widest gap first; answers side by side."""
        scores = self.frame.pivot_table(index="item", columns="model", values="score", sort=False)
        scores = scores.reindex(columns=self.labels).dropna()
        gap = scores.max(axis=1) - scores.min(axis=1)
        chosen = gap[gap > 0].sort_values(ascending=False, kind="stable").index
        once = self.frame[self.frame["repeat"] == 0].set_index("item")
        columns: dict[str, pd.Series] = {}
        for name in dict.fromkeys(["input", self.task.target]):
            if name in once.columns:
                columns[name] = once[~once.index.duplicated()].loc[chosen, name]
        if self.task.images is not None:
            places = {id: index for index, id in enumerate(self.task.ids)}
            shown = {item: self.task.pictures(places[str(item)]) for item in chosen}
            columns["pictures"] = pd.Series(shown, dtype=object)
        for label in self.labels:
            mine = once[once["model"] == label]
            columns[f"{label}: score"] = scores.loc[chosen, label]
            columns[f"{label}: answer"] = mine["answer"].reindex(chosen)
        return pd.DataFrame(columns)

    def votes(
        self,
        judge: Pairwise,
        *,
        model: str | None = None,
        budget: float | str | Decimal | None = None,
        workers: int = 8,
    ) -> votes.Votes:
        """Have a judge of ``kit.graders.pairwise`` say whose answers are better, a model's or the baseline's.

        Each item and repeat that both answered is voted on. Run it again to resume: what is recorded is not
        paid twice.

        Args:
            model: the label held against the baseline; needed with more than two models.
            budget: USD that judging may cost in all, over all its runs on this store.
            workers: votes at once.
        """
        a = self._challenger(model)
        return votes.cast(self.task, self.frame, judge, a=a, b=self.labels[0], budget=budget, workers=workers)

    def human(self) -> pd.DataFrame:
        """One row per answer that was graded by hand, in ``kit.widgets.explorer``, and is kept in the store.

        ``score`` is the machine's grade, ``human`` that of the person. Where the items were drawn at random,
        ``pivot_table(index="item", columns="model", values="human")`` of it is what ``corrected`` takes.
        """
        return human.grades(self.task.name, self.frame, human.Kept(current().store))

    def with_human(self, grades: pd.DataFrame | None = None) -> Comparison:
        """The same comparison by people's grades where there are any, the machine's as ``machine_score``.

        ``grades`` has the columns item, model, repeat and human; ``human()`` if left out.
        """
        given = self.human() if grades is None else grades
        note = f"{len(given):,} of {len(self.frame):,} grades are by people; the machine's: machine_score."
        return Comparison(
            *(self.task, self.labels, human.with_grades(self.frame, given)),
            settings=self.settings,
            note=f"{self.note} {note}".strip(),
            early=self.early,
            defaults=self.defaults,
        )

    def to_html(
        self,
        path: str | Path,
        *,
        cost_of_error: float | None = None,
        horizon: int = 1,
        worst: int = 50,
        pictures: bool = True,
    ) -> Path:
        """Write a report into one HTML file that loads and runs nothing else, and return its path.

        It holds the verdict, the table, pictures, slices, cost and price rows, settings, and the ``worst``
        disagreements side by side, to be filtered; what was too long is cut and says so.

        Args:
            cost_of_error: USD; with it the report says whether the dearer model is worth its price.
            horizon: how many tasks that decision is for.
            pictures: False leaves them out, for a small file.
        """
        return report.write(
            *(self, path), cost_of_error=cost_of_error, horizon=horizon, worst=worst, pictures=pictures
        )

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        headers, rows = verdict.table(self.verdict)
        widths = [max(len(str(line[i])) for line in [headers, *rows]) for i in range(len(headers))]
        lines = [
            "  ".join(str(cell).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in [headers, *rows]
        ]
        return "\n".join([self.verdict.sentence, "", *lines, *self.notes])

    def _repr_html_(self) -> str:
        headers, rows = verdict.table(self.verdict)
        mark = "SIMULATED answers: " if self.simulated else ""
        caption = f"{mark}{self.task.name}, {self.verdict.items:,} items"
        notes = "".join(sentence(note) for note in self.notes)
        said = sentence(self.verdict.sentence, strong=True)
        return f"<div>{said}{table(headers, rows, caption=caption)}{notes}</div>"

    @property
    def notes(self) -> list[str]:
        """What a reader must know besides the verdict: calls that failed, items left out, an early stop."""
        notes = [self.note] if self.note else []
        if self.early is not None:
            notes.append(self.early.sentence())
        lost = self.frame["outcome"].isin(list(FAILED))
        failed = int(lost.sum())
        if failed:
            first = self.frame.loc[lost, "error"].iloc[0]
            notes.append(
                f"{failed:,} call(s) failed; run the comparison again to ask only those. First: {first}"
            )
        notes += self._grading_notes()
        if self.verdict.dropped:
            notes.append(
                f"{self.verdict.dropped:,} item(s) are left out for every model, because some model has no "
                "graded answer to them"
            )
        return notes

    def _grading_notes(self) -> list[str]:
        """Answers that could not be graded, the first by name, and what judging cost."""
        notes = []
        ungraded = self.frame["score"].isna() & ~self.frame["outcome"].isin(list(FAILED))
        if ungraded.any():
            first = self.frame.loc[ungraded].iloc[0]
            notes.append(
                f"{int(ungraded.sum()):,} answer(s) could not be graded. First: item {first['item']!r}, "
                f"{first['model']}: {first['explanation']}"
            )
        if getattr(self.task.grade, "asks", False) and "grading_cost" in self.frame:
            costs = self.frame["grading_cost"].astype(float)
            unknown = int(costs.isna().sum())
            more = f", and what {unknown:,} judgement(s) cost is unknown" if unknown else ""
            notes.append(f"Judging cost ${costs.sum():.6f} beside what the models cost{more}.")
        return notes

    def _challenger(self, model: str | None) -> str:
        if len(self.labels) < 2:
            raise UsageError("that needs two models; this comparison has one")
        others = self.labels[1:]
        if model is None and len(others) > 1:
            raise UsageError(f"name the model to hold against {self.labels[0]!r}: model= one of {others}")
        if model is not None and model not in others:
            raise UsageError(f"model is {model!r}; it is one of {others}")
        return model or others[0]

    def _scores(self) -> Scores:
        return item_scores(self.frame, self.labels, cluster=self.task.cluster)

    def _interaction(self, column: str) -> float:
        scores = self._scores()
        of_item = self.frame.drop_duplicates("item").set_index("item")[column].reindex(scores.items)
        if of_item.isna().any() or self.frame.groupby("item")[column].nunique().gt(1).any():
            return float("nan")
        gaps = scores.means(self.labels[-1]) - scores.means(self.labels[0])
        return interaction_p(gaps, of_item.to_numpy(), clusters=scores.clusters)

    def _slice(self, column: str, value: object, part: pd.DataFrame) -> dict[str, object]:
        scores = item_scores(part, self.labels, cluster=self.task.cluster)
        row: dict[str, object] = {column: value, "items": len(scores.items)}
        for label in self.labels:
            row[label] = float(scores.means(label).mean()) if len(scores.items) else float("nan")
        if len(self.labels) > 1:
            row |= {"lead": float("nan"), "low": float("nan"), "high": float("nan"), "p": float("nan")}
            if len(scores.items) >= SMALLEST_SLICE:
                found = difference(scores, self.labels[-1], self.labels[0])
                row |= {"lead": found.estimate, "low": found.low, "high": found.high, "p": found.p}
        return row
