"""Task x models -> answers -> grades -> one tidy frame; run again to resume."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from math import nan
from typing import Any, Literal

from . import rows
from .amounts import dollars
from .coin import made_of
from .comparison import Comparison
from .errors import BudgetExceeded, CallError, Interrupted, LLMKitError, NotRecorded, Refused, UsageError
from .grades import Grade, grade_with
from .grading import Grading
from .model import Model, finish
from .policy import Policy, check_models
from .progress import Progress, progress
from .records import Call, Response
from .resume import Resume
from .rows import COLUMNS, Job, Rows
from .scope import Scope, here, within
from .session import Session, current, teach
from .stopping import Clear, NotWorthMore, Rule, Stop, Watch
from .task import Task
from .workers import concurrently, left

Errors = Literal["drop_pair", "wrong", "raise"]

__all__ = ["COLUMNS", "Errors", "Job", "compare", "plan_order"]


def compare(
    task: Task,
    models: Sequence[Model],
    *,
    repeats: int = 1,
    budget: float | str | Decimal | None = None,
    errors: Errors = "drop_pair",
    workers: int = 8,
    executor: Executor | None = None,
    seed: int = 0,
    stop: Stop | None = None,
    cost_of_error: float | None = None,
    horizon: int = 1,
    item_price: float = 0.0,
) -> Comparison:
    """Ask every model every item, grade the answers, and weigh them against each other.

    Run it again to resume: what is recorded is not asked, and not paid, a second time, nor graded again by
    a grader of ``kit.graders``. The first model is the baseline the others are held against. From some
    thousand answers on, their texts stay on disk and are read when looked at.

    Args:
        repeats: independent answers per item and model.
        budget: USD this comparison may cost in all, worst cases included, over all its runs on this store.
        errors: what a failed call counts as: "drop_pair" leaves the item out for every model and says so,
            "wrong" scores it 0, "raise" ends the run with the error.
        workers: calls at once.
        executor: where answers are graded, for graders that need a processor: any of ``concurrent.futures``,
            or a Dask client's (``client.get_executor()``). None grades beside the calls, and so does a
            grader that asks a model. It stays open.
        seed: of the order in which items are asked.
        stop: "clear" stops as soon as the difference is clear, with the chance of a false one held to 5 %
            however often one looks; "worth" stops when no further sample is expected to be worth its price,
            given ``cost_of_error`` (USD), ``horizon`` (tasks the decision is for) and ``item_price`` (USD of
            writing and labelling one item, its calls not counted). Intervals of the result then say so.

    Raises ``UsageError`` for models it cannot tell apart, ``BudgetExceeded`` if not even the first call fits
    (later it stops, and the result says so), ``Refused`` when a key or model turns out to be of no use, and
    ``Interrupted`` on ctrl-C; in each case what was answered is kept.
    """
    _check(models, repeats, errors)
    session = current()
    labels = [model.label for model in models]
    resume, kept = Resume(session.store, task, models, repeats), Rows(task, labels, repeats, session.store)
    resume.fill(kept)
    jobs = list(plan_order(len(task), len(models), repeats, seed=seed))
    rule = _rule(stop, task, len(models), repeats, cost_of_error, horizon, item_price)
    scope = here().deeper(task.name, _ceiling(session, task, models, budget))
    run = _Run(task, models, kept, resume, errors, scope, _watch(rule, task, jobs, repeats))
    if len(kept) < kept.total:
        teach(task.rehearsal())
    with within(scope):  # what graders ask of models counts too
        run.ask(jobs, workers=workers, executor=executor, simulated=session.mode == "offline")
    early = run.watch.early() if run.watch else None
    return Comparison(task, labels, kept.frame(), note=run.note, early=early, **_about(models))


def plan_order(items: int, models: int, repeats: int, *, seed: int = 0) -> Iterator[Job]:
    """Items shuffled, and interleaved so that every prefix holds each item for all models or none."""
    order = list(range(items))
    random.Random(seed).shuffle(order)
    for index in order:
        for repeat in range(repeats):
            for model in range(models):
                yield Job(index, model, repeat)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one job: a response, graded already or not, or the error of its call."""

    response: Response | None = None
    grade: Grade | None = None
    error: LLMKitError | None = None


class _Run:
    """One run of a comparison: what is answered, what is spent, and why it stopped."""

    def __init__(
        self,
        task: Task,
        models: Sequence[Model],
        rows: Rows,
        resume: Resume,
        errors: Errors,
        scope: Scope,
        watch: Watch | None,
    ) -> None:
        self.task, self.models, self.rows, self.resume, self.errors = task, models, rows, resume, errors
        self.scope, self.watch = scope, watch
        self.stopped: Callable[[float], bool] | None = None
        self.spent = Decimal(str(rows.spent))
        self.failed = 0
        self.note = ""

    def ask(self, jobs: list[Job], *, workers: int, executor: Executor | None, simulated: bool) -> None:
        """Do what is to be done, showing how far it is. Raises ``Interrupted`` on ctrl-C."""
        repeats = f" x {self.rows.repeats}" * (self.rows.repeats > 1)
        title = f"{self.task.name}: {len(self.task):,} items x {len(self.models)} models{repeats}"
        show = progress(self.rows.total, title=title, simulated=simulated)
        if len(self.rows):
            self._show(show)
        try:
            self._through(jobs, workers=workers, executor=executor, show=show)
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped: {len(self.rows):,} of {self.rows.total:,} answers are kept; run the same "
                "comparison again to go on from there (calls under way are still booked)"
            ) from None
        finally:
            show.close()

    def _through(self, jobs: list[Job], *, workers: int, executor: Executor | None, show: Progress) -> None:
        """Ask and grade until all is done, clear or too dear; what is graded is kept in any case."""
        if any(self._enough(job) for job in jobs if self.watch is not None and self.rows.has(job)):
            return
        missing = self.rows.missing(jobs)
        away = executor is not None and not getattr(self.task.grade, "asks", False)
        grading = Grading[tuple[Job, Response]](self.task.grade, executor) if executor and away else None
        work = partial(self._answer, grade=grading is None)
        with left() as stopped, closing(concurrently(work, missing, workers=workers)) as results:
            self.stopped = stopped
            try:
                self._take_all(results, grading, show)
            finally:
                self.resume.flush()
                if grading is not None:
                    grading.cancel()

    def _take_all(
        self, results: Iterable[tuple[Job, Any]], grading: Grading[Any] | None, show: Progress
    ) -> None:
        for job, result in results:
            if isinstance(result, BudgetExceeded) and len(self.rows):
                had = f"{len(self.rows):,} of {self.rows.total:,}"
                self.note = f"Stopped at the ceiling after {had} answers: {result}"
                break
            if isinstance(result, Exception):
                raise result
            if any(self._enough(done) for done in self._take(job, result, grading, show)):
                return
        for (job, response), grade in grading.rest() if grading else ():
            self._put(job, response, grade, show)
            if self._enough(job):
                return

    def _enough(self, job: Job) -> bool:
        """Whether the run may stop; then only the items looked at are left, so that arrival has no say."""
        if self.watch is None:
            return False
        score, cost = self.rows.score_and_cost(job)
        if not self.watch.heard(job.index, job.model, job.repeat, score=score, cost=cost):
            return False
        self.rows.keep_only(self.watch.order[: self.watch.items])
        return True

    def _answer(self, job: Job, *, grade: bool) -> _Answer:
        model = self.models[job.model]
        request = self.task.request(model, job.index, repeat=job.repeat)
        call = Call(self.scope.budgets, self.scope.label, stopped=self.stopped)
        try:
            response = finish(model.run(request.with_call(call)))
        except Refused:
            raise
        except (CallError, NotRecorded) as error:
            if self.errors == "raise":
                raise
            return _Answer(error=error)
        if not grade:
            return _Answer(response)
        item = self.task.item(job.index)
        return _Answer(response, grade_with(self.task.grade, response.text, item, call=call))

    def _take(self, job: Job, answer: _Answer, grading: Grading[Any] | None, show: Progress) -> Iterator[Job]:
        """Put what came in its place, and yield the jobs that are done by it."""
        if answer.error is not None:
            self.failed += 1
            self.rows.add(job, rows.failed(answer.error, 0.0 if self.errors == "wrong" else nan))
            self._show(show)
            yield job
        elif answer.response is not None and answer.grade is not None:
            self._put(job, answer.response, answer.grade, show)
            yield job
        elif answer.response is not None and grading is not None:
            item = self.task.item(job.index)
            for (done, response), grade in grading.put((job, answer.response), answer.response.text, item):
                self._put(done, response, grade, show)
                yield done

    def _put(self, job: Job, response: Response, grade: Grade, show: Progress) -> None:
        row = rows.answered(response, grade)
        self.rows.add(job, row, key=self.resume.key(job, simulated=response.simulated))
        self.resume.keep(job, row)
        self.spent += (response.cost.total or Decimal(0)) + (grade.cost or Decimal(0))
        self._show(show)

    def _show(self, show: Progress) -> None:
        show.update(done=len(self.rows), dollars=self.spent, failed=self.failed)


def _check(models: Sequence[Model], repeats: int, errors: str) -> None:
    if isinstance(models, Model) or not models:
        raise UsageError("compare needs a list of models: kit.compare(task, [sonnet, opus])")
    check_models(models)
    labels = [model.label for model in models]
    if len(set(labels)) < len(labels):
        raise UsageError(
            f"two models have the same label, {labels!r}; give one another: kit.model(..., label=...)"
        )
    if repeats < 1:
        raise UsageError(f"repeats is {repeats!r}; give at least 1")
    if errors not in ("drop_pair", "wrong", "raise"):
        raise UsageError(f'errors is {errors!r}; it is "drop_pair", "wrong" or "raise"')


def _rule(
    stop: Stop | None,
    task: Task,
    models: int,
    repeats: int,
    cost_of_error: float | None,
    horizon: int,
    item_price: float,
) -> Rule | None:
    if stop is None:
        return None
    if stop == "clear":
        if task.cluster is not None:
            raise UsageError(
                f'stop="clear" needs independent items, and those of {task.name!r} are clustered by '
                f"{task.cluster!r}; run it without stop="
            )
        return Clear(models)
    if stop == "worth":
        price = nan if cost_of_error is None else cost_of_error
        return NotWorthMore(
            models, cost_of_error=price, horizon=horizon, item_price=item_price, repeats=repeats
        )
    raise UsageError(f'stop is {stop!r}; it is "clear", "worth" or None')


def _watch(rule: Rule | None, task: Task, jobs: Sequence[Job], repeats: int) -> Watch | None:
    if rule is None:
        return None
    order = list(dict.fromkeys(job.index for job in jobs))
    clusters = None if task.cluster is None else task.frame[task.cluster].tolist()
    models = len(jobs) // (len(order) * repeats)
    of = None if clusters is None else clusters.__getitem__
    return Watch(order, rule, models=models, repeats=repeats, cluster_of=of)


def _ceiling(
    session: Session, task: Task, models: Sequence[Model], budget: float | str | Decimal | None
) -> tuple[str, ...]:
    if budget is None:
        return ()
    # The same comparison keeps its ceiling over restarts: its name is made of what is asked of whom.
    name = f"{session.mode}:compare:{task.fingerprint()}:" + ",".join(model.label for model in models)
    session.ledger.set_ceiling(name, dollars(budget))
    return (name,)


def _about(models: Sequence[Model]) -> dict[str, Any]:
    single = {model.label: model for model in models if not isinstance(model, Policy)}
    return {
        "settings": _settings(models),
        "defaults": {label: model.defaults for label, model in single.items()},
        "names": {label: model.name for label, model in single.items()},
        "policies": {model.label: made_of(model) for model in models if isinstance(model, Policy)},
    }


def _settings(models: Sequence[Model]) -> dict[str, str]:
    """What each model ran with, in words, for the table: vendors' defaults differ."""
    words = {}
    for model in models:
        if hasattr(model, "models"):
            words[model.label] = "each of its models at its own settings"
            continue
        request = model.defaults
        parts = [
            f"effort {request.effort}" if request.effort else "",
            f"thinking {request.thinking or 'none'}",
        ]
        words[model.label] = ", ".join(part for part in parts if part)
    return words
