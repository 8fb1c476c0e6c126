"""What came of a batch: lines of results -> bookings, and bookings -> a summary that names every loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from . import catalog, recordings
from .batch_file import Part
from .batch_jobs import Question
from .bookings import Booking
from .providers import messages_batch
from .providers.messages_batch import Line
from .render import sentence, table
from .session import Session

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20
_COLUMNS = ("custom_id", "item", "model", "repeat", "outcome", "paid", "why")
_PAID = {True: "nothing", False: "unknown"}


@dataclass(frozen=True, slots=True)
class Loss:
    """A request without an answer. ``free``: it certainly cost nothing."""

    custom_id: str
    item: str
    model: str
    repeat: int
    outcome: str
    why: str
    free: bool


@dataclass(frozen=True, slots=True)
class Collected:
    """What a batch brought.

    Attributes:
        succeeded: answers recorded, by this ``collect`` or an earlier one.
        recorded: answers there were before, which were not asked for.
        running: requests whose batch has not ended.
        cost: USD of the answers; None if the price of one is unknown.
        losses: every request without an answer, and why.
        notes: what else is odd about the results.
    """

    name: str
    succeeded: int
    recorded: int
    running: int
    cost: Decimal | None
    losses: tuple[Loss, ...]
    notes: tuple[str, ...]
    simulated: bool

    @property
    def frame(self) -> pd.DataFrame:
        """The losses, one row each."""
        import pandas as pd

        return pd.DataFrame(self._rows(self.losses), columns=list(_COLUMNS))

    def sentence(self) -> str:
        """All of it in words."""
        money = "unknown" if self.cost is None else f"${self.cost.normalize():f}"
        mark = "SIMULATED " if self.simulated else ""
        words = [f"{self.succeeded:,} {mark}answers collected, at batch prices {money}."]
        if self.recorded:
            words.append(f"{self.recorded:,} were recorded before and not asked.")
        if self.running:
            words.append(f"{self.running:,} requests are still under way; call .wait() and collect again.")
        if self.losses:
            counts = Counter(loss.outcome for loss in self.losses)
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
            words.append(f"{len(self.losses):,} brought no answer: {kinds}; submit() asks those again.")
        return " ".join([*words, *self.notes])

    def __repr__(self) -> str:
        lines = [" | ".join(str(cell) for cell in row) for row in self._rows(self.losses[:_SHOWN])]
        head = [" | ".join(_COLUMNS)] if lines else []
        return "\n".join([f"{self.name}: {self.sentence()}", *head, *lines, *self._more()])

    def _repr_html_(self) -> str:
        rows = self._rows(self.losses[:_SHOWN])
        shown = table(list(_COLUMNS), rows, caption="Without an answer") if rows else ""
        more = "".join(sentence(words) for words in self._more())
        return f"<div>{sentence(self.sentence(), strong=True)}{shown}{more}</div>"

    def _more(self) -> list[str]:
        left = len(self.losses) - _SHOWN
        return [f"and {left:,} more; see .frame"] if left > 0 else []

    @staticmethod
    def _rows(losses: tuple[Loss, ...]) -> list[list[Any]]:
        return [
            [loss.custom_id, loss.item, loss.model, loss.repeat, loss.outcome, _PAID[loss.free], loss.why]
            for loss in losses
        ]


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One batch of the provider's; ``state`` is ours where it was not sent or is collected, else its own."""

    id: str | None
    endpoint: str
    state: str
    requests: int
    counts: Mapping[str, int]
    expires: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """How far it is: one entry per batch of the provider's."""

    name: str
    parts: tuple[PartStatus, ...]

    @property
    def ended(self) -> bool:
        """Whether every batch that was sent has ended."""
        return all(part.state in ("ended", "collected") for part in self.parts)

    @property
    def done(self) -> int:
        """Requests whose batch has ended; the provider counts no others."""
        return sum(part.requests for part in self.parts if part.state in ("ended", "collected"))

    @property
    def failed(self) -> int:
        """Requests that brought no answer, as far as the provider says."""
        kinds = ("errored", "expired", "canceled")
        return sum(part.counts.get(kind, 0) for part in self.parts for kind in kinds)

    def __repr__(self) -> str:
        headers, rows = self._table()
        lines = [" | ".join(map(str, line)) for line in [headers, *rows]]
        return "\n".join([f"Batch of {self.name}", *lines])

    def _repr_html_(self) -> str:
        headers, rows = self._table()
        return table(headers, rows, caption=f"Batch of {self.name}")

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        rows = [
            [
                *(part.id or "not sent", part.endpoint, part.state, f"{part.requests:,}"),
                ", ".join(f"{count:,} {kind}" for kind, count in part.counts.items() if count),
                part.expires or "",
            ]
            for part in self.parts
        ]
        return ["batch", "endpoint", "state", "requests", "of them", "expires"], rows


def collected(
    name: str,
    asked: Mapping[str, Question],
    parts: Sequence[tuple[Part, Mapping[str, tuple[Any, ...]]]],
    notes: Sequence[str],
) -> Collected:
    """The summary of parts whose custom_ids have these rows in the ledger (see ``Ledger.rows_of``)."""
    answers: dict[str, tuple[Any, ...]] = {}
    losses: dict[str, Loss] = {}
    running: set[str] = set()
    for part, rows in parts:
        for custom_id in part.custom_ids:
            place, row = custom_id.removeprefix(part.prefix), rows.get(custom_id)
            losses.pop(place, None)  # an earlier part may have failed at it
            if part.state != "collected" or row is None:
                running.add(place)
            elif row[2] in ("settled", "over"):
                answers[place] = row
            else:
                losses[place] = _loss(custom_id, asked[place], row)
    costs = [None if row[5] is None else Decimal(row[5]) for row in answers.values()]
    known = [cost for cost in costs if cost is not None]
    return Collected(
        name,
        succeeded=len(answers),
        recorded=len(asked) - len(answers) - len(losses) - len(running),
        running=len(running),
        cost=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        losses=tuple(losses.values()),
        notes=tuple(notes),
        simulated=any(row[7] == "simulated" for row in answers.values()),
    )


@dataclass(slots=True)
class Reading:
    """The results of one batch, as they are read.

    Attributes:
        asked: custom_id -> its question.
        rows: custom_id -> the ledger's row, for those not yet booked.
        on: the day whose prices hold: the one on which the provider took the batch.
    """

    asked: Mapping[str, Question]
    rows: Mapping[str, int]
    on: date
    session: Session
    seen: set[str] = field(default_factory=set)
    twice: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def booking(self, line: Line) -> Booking | None:
        """What a line means for the ledger; None for one that is nobody's or was booked before."""
        if line.custom_id not in self.asked:
            self.strange.append(line.custom_id or line.error)
            return None
        if line.custom_id in self.seen:
            self.twice.append(line.custom_id)
            return None
        self.seen.add(line.custom_id)
        row = self.rows.get(line.custom_id)
        return None if row is None else self._booked(row, line, self.asked[line.custom_id])

    def missing(self) -> list[Booking]:
        """Of requests the results do not speak of; they may have been paid."""
        return [
            Booking(row, outcome="missing", error="the results hold no line with its custom_id")
            for custom_id, row in self.rows.items()
            if custom_id not in self.seen
        ]

    def notes(self) -> list[str]:
        """What is odd, in words."""
        words = []
        if self.twice:
            words.append(
                f"{len(self.twice):,} custom_id(s) came twice, such as {self.twice[0]!r}; the first counts."
            )
        if self.strange:
            words.append(
                f"{len(self.strange):,} line(s) belong to no request of this batch, such as "
                f"{self.strange[0]!r}; they are not used."
            )
        return words

    def _booked(self, row: int, line: Line, question: Question) -> Booking:
        if line.outcome != "succeeded":
            free = line.outcome != "unreadable"
            return Booking(row, outcome=line.outcome, error=line.error, free=free)
        target = question.model.target
        try:
            whole = messages_batch.answer(line, question.request, target.id)
        except ValueError as error:
            return Booking(row, outcome="unreadable", error=f"the answer cannot be used: {error}")
        whole = replace(
            whole,
            endpoint=target.endpoint.name,
            origin="simulated" if line.simulated else "live",
            simulated=line.simulated,
        )
        whole = replace(whole, cost=catalog.price(whole, target=target, session=self.session, on=self.on))
        return Booking(row, whole, partial(_keep, question))


def _loss(custom_id: str, question: Question, row: tuple[Any, ...]) -> Loss:
    _, _, state, outcome, error, *_ = row
    free, label = state == "released", question.model.label
    return Loss(custom_id, question.item, label, question.repeat, outcome or "unknown", error or "", free)


def _keep(question: Question, connection: Any, response: Any) -> None:
    recordings.write(connection, question.source, question.model.name, question.request, response)
