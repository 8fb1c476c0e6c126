"""What a comparison will cost and what it can show, before anything is paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isnan
from statistics import fmean

from .caching import Caching, caching
from .catalog import Dressed, estimate
from .errors import NotSupported, UsageError
from .estimates import PROMPT_ERROR, Estimate
from .model import Model
from .policy import check_models
from .power import smallest_gap
from .prices import canonical
from .pricing import catalog_facts
from .records import Request
from .render import sentence, table
from .session import current
from .task import Task

DISCORDANCE = (0.10, 0.20)  # shares of items on which two models usually differ, lower and upper guess
SAMPLE = 50  # items whose prompts are looked at; more change the estimate little
COUNTED = 10  # of them, those the provider is asked to count
LIMITS = {
    "start": (1_000, 2_000_000, 400_000),
    "build": (5_000, 5_000_000, 1_000_000),
    "scale": (10_000, 10_000_000, 2_000_000),
}
"""Requests, input tokens and output tokens a minute for one model, by usage tier."""

_COUNTED = "Prompt tokens as the provider counts them, of a sample; output tokens are a guess."
_ESTIMATED = (
    "Prompt tokens are estimated: in recorded prompts "
    f"{PROMPT_ERROR[0]:+.0%} in the median, 9 in 10 within {PROMPT_ERROR[1]:+.0%} to {PROMPT_ERROR[2]:+.0%}; "
    "plan(..., count=True) has the provider count a sample. Output tokens are a guess."
)


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One model's share; USD, and tokens per call. ``expected`` is None where no price is known.

    Attributes:
        seconds: of all calls, one after the other.
        batch_saves: USD that a batch would save of ``expected``; None where there is none.
        caching: what a cache would cost and save; None where no cache prices are known.
    """

    label: str
    calls: int
    input_tokens: float
    output_tokens: float
    expected: Decimal | None
    worst: Decimal | None
    seconds: float
    batch_saves: Decimal | None
    caching: Caching | None

    @property
    def cache_saves(self) -> Decimal | None:
        """USD that the best cache would save in one run; 0 where none saves."""
        return None if self.caching is None else self.caching.best.saved


@dataclass(frozen=True, slots=True)
class Plan:
    """A comparison before it is run.

    Attributes:
        rows: one per model. calls: in all.
        expected, worst: USD in all; None if a price is unknown. ``worst`` is what a budget is held to.
        minutes: at the speed of the estimate, with ``workers`` calls at once, or as the limits allow; NaN
            where the speed of a model is not known.
        limited: whether it is the limits that decide.
        counted: whether the provider counted the prompt tokens (of a sample).
        smallest_gaps: discordance -> smallest true gap (share) found with 80 % power, or None if none can be.
    """

    name: str
    items: int
    repeats: int
    rows: tuple[ModelPlan, ...]
    minutes: float
    smallest_gaps: dict[float, float | None]
    simulated: bool
    limited: bool = False
    counted: bool = False

    @property
    def calls(self) -> int:
        """Calls in all."""
        return sum(row.calls for row in self.rows)

    @property
    def expected(self) -> Decimal | None:
        """USD in all, by the estimate."""
        return _total([row.expected for row in self.rows])

    @property
    def worst(self) -> Decimal | None:
        """USD in all if every answer ran to max_tokens."""
        return _total([row.worst for row in self.rows])

    def sentence(self) -> str:
        """The plan in two sentences."""
        money = "at an unknown price"
        if self.expected is not None and self.worst is not None:
            money = f"about ${self.expected:.2f}, at worst ${self.worst:.2f}"
        limits = " (as the rate limits allow)" if self.limited else ""
        time = "minutes unknown" if isnan(self.minutes) else f"about {self.minutes:.1f} min{limits}"
        start = f"{self.calls:,} calls, {money}, {time}."
        return f"{start} {_gap_words(self.items, self.smallest_gaps)}"

    def notes(self) -> list[str]:
        """What a batch and a cache would save, and how far the tokens can be trusted."""
        words = []
        saved = [row.batch_saves for row in self.rows if row.batch_saves is not None]
        if saved:
            words.append(f"kit.batch would save about ${sum(saved, Decimal(0)):.2f}, and take up to 24 h.")
        words += [row.caching.sentence() for row in self.rows if row.caching is not None]
        return [*words, _COUNTED if self.counted else _ESTIMATED]

    def __repr__(self) -> str:
        headers, rows = self._table()
        lines = [" | ".join(str(cell) for cell in line) for line in [headers, *rows]]
        return "\n".join([f"Plan for {self.name}: {self.sentence()}", *lines, *self.notes()])

    def _repr_html_(self) -> str:
        headers, rows = self._table()
        caption = f"Plan for {self.name}: nothing was asked or paid"
        notes = "".join(sentence(words, small=True) for words in self.notes())
        return f"<div>{sentence(self.sentence())}{table(headers, rows, caption=caption)}{notes}</div>"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        headers = [
            "model",
            "calls",
            "tokens in, each",
            "tokens out, each (guess)",
            "USD expected",
            "USD at worst",
            "a batch saves",
            "a cache saves",
        ]
        rows = [
            [
                *(row.label, f"{row.calls:,}", f"{row.input_tokens:,.0f}", f"{row.output_tokens:,.0f}"),
                *("unknown" if usd is None else f"{usd:.4f}" for usd in (row.expected, row.worst)),
                *("–" if usd is None else f"{usd:.4f}" for usd in (row.batch_saves, row.cache_saves)),
            ]
            for row in self.rows
        ]
        return headers, rows


def plan(
    task: Task,
    models: Sequence[Model],
    *,
    repeats: int = 1,
    workers: int = 8,
    tier: str | None = None,
    count: bool = False,
) -> Plan:
    """Estimate a comparison's price, time and power, and what a batch or a cache would save.

    Tokens are estimated from characters: against recorded prompts of text the estimate is in the median 8 %
    too high, and 9 times in 10 between 63 % too low and 44 % too high; short prompts are the worst. Answers
    are guessed to be as long as the task's rehearsal answers plus usual thinking. The worst case takes every
    byte of a prompt for a token and every answer to ``max_tokens``, as a budget does.

    Args:
        workers: calls at once.
        tier: "start", "build" or "scale", the account's usage tier, whose limits are then reckoned with.
        count: let the provider count the prompt tokens of a sample, which is free; else nothing is asked.
    """
    _check(models, repeats, tier)
    rows = [_row(task, model, repeats, workers, count=count) for model in models]
    gaps = {psi: smallest_gap(len(task), psi) for psi in DISCORDANCE}
    simulated = current().mode == "offline"
    working = sum(row.seconds for row in rows) / workers / 60
    allowed = _minutes_allowed(rows, LIMITS[tier]) if tier else 0.0
    return Plan(
        *(task.name, len(task), repeats, tuple(rows), max(working, allowed), gaps, simulated),
        limited=allowed > working,
        counted=count,
    )


def _check(models: Sequence[Model], repeats: int, tier: str | None) -> None:
    if isinstance(models, Model) or not models:
        raise UsageError("plan needs a list of models: kit.plan(task, [sonnet, opus])")
    check_models(models)
    if repeats < 1:
        raise UsageError(f"repeats is {repeats!r}; give at least 1")
    if tier is not None and tier not in LIMITS:
        raise UsageError(f"tier is {tier!r}; give one of {', '.join(map(repr, LIMITS))}, or None")


def _row(task: Task, model: Model, repeats: int, workers: int, *, count: bool) -> ModelPlan:
    calls, pairs = len(task) * repeats, _requests(task, model)
    guesses = [model.estimate(request, answer) for request, answer in pairs]
    if count:
        guesses = _counted(model, pairs)
    expected = _scaled([guess.expected for guess in guesses], calls)
    return ModelPlan(
        label=model.label,
        calls=calls,
        input_tokens=fmean(guess.input_tokens for guess in guesses),
        output_tokens=fmean(guess.output_tokens for guess in guesses),
        expected=expected,
        worst=_scaled([guess.worst for guess in guesses], calls),
        seconds=fmean(guess.seconds for guess in guesses) * calls,
        batch_saves=_batch_saves(model, expected),
        caching=_caching(task, model, repeats, workers),
    )


def _counted(model: Model, pairs: Sequence[tuple[Request, str]]) -> list[Estimate]:
    """Estimates with the provider's own count of the prompt, of every few requests."""
    if not isinstance(model, Dressed):
        raise NotSupported(f"{model.name} has no service that counts tokens; leave count out")
    some = pairs[:: max(1, len(pairs) // COUNTED)]
    session = current()
    return [
        estimate(request, answer, target=model.target, session=session, prompt=model.count(request))
        for request, answer in some
    ]


def _batch_saves(model: Model, expected: Decimal | None) -> Decimal | None:
    if expected is None or not isinstance(model, Dressed):
        return None
    target, session = model.target, current()
    own = canonical(target.name)
    # Only of the catalog's models is it known what a batch costs.
    elsewhere = own in session.book.rows and catalog_facts(own) is None
    if target.facts is None or not target.facts.batch or elsewhere:
        return None
    return expected * (1 - target.facts.batch_multiplier)


def _caching(task: Task, model: Model, repeats: int, workers: int) -> Caching | None:
    try:
        return caching(task, model, repeats=repeats, workers=workers)
    except NotSupported:
        return None


def _minutes_allowed(rows: Sequence[ModelPlan], limits: tuple[int, int, int]) -> float:
    """Minutes at so many requests, input and output tokens a minute, each counted for every model apart."""
    requests, prompt, output = limits
    return max(
        row.calls * max(1 / requests, row.input_tokens / prompt, row.output_tokens / output) for row in rows
    )


def _requests(task: Task, model: Model) -> list[tuple[Request, str]]:
    """A sample of the task's requests, each with an answer of the length to expect."""
    step = max(1, len(task) // SAMPLE)
    answers = [entry["right"][0] for entry in task.rehearsal()]
    return [(task.request(model, index), answers[index]) for index in range(0, len(task), step)]


def _scaled(values: list[Decimal | None], calls: int) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) / len(known) * calls if len(known) == len(values) else None


def _total(values: list[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if len(known) == len(values) else None


def _gap_words(items: int, gaps: dict[float, float | None]) -> str:
    words = []
    for psi, gap in gaps.items():
        size = "no gap can be shown" if gap is None else f"a gap of {gap * 100:.1f} points"
        words.append(f"{size} if they differ on {psi:.0%} of the items")
    return f"{items:,} items can show, 4 times in 5, {'; '.join(words)}."
