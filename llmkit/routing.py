"""Models made of models: ask another when one fails, or share the questions out among several."""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from math import inf
from typing import Any, NoReturn, Self

from .errors import BudgetExceeded, CallError, NotRecorded, UsageError
from .estimates import Estimate
from .hops import Decision, Target, Trip, addressed, as_partial, in_words, watched
from .model import Model
from .policy import Policy, dearest, opening, put, together
from .records import Call, Request, Response


def fallback(
    *models: Model,
    patience: float = 60.0,
    label: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Fallback:
    """The first of ``models`` that is able to answers: ``kit.fallback(opus, sonnet)``.

    A key or account that is of no use is left out from then on (see ``.out``), one that is busy rests for a
    while, a request that is wrong is asked of nobody else. Each is asked once a round, within one deadline;
    a conversation stays with the model that began it. The answer names the model that served it.

    Args:
        patience: seconds one call may wait in all, when every model rests.
        label: what tables and plots call it.
        clock: seconds, on the scale of ``Call.deadline``; sleep: both passed in for tests.

    Raises ``UsageError`` for fewer than two models.
    """
    return Fallback(*models, patience=patience, label=label, clock=clock, sleep=sleep)


def balance(
    *models: Model,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    patience: float = 60.0,
    label: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Balance:
    """Questions shared out among ``models`` by weight: ``kit.balance(opus, sonnet, weights=[0.3, 0.7])``.

    Which model gets a question depends on the question, its repeat and ``seed`` alone, so that a rerun
    makes the same choice. The others, the heaviest first, stand in for a model that fails, as in
    ``fallback``.

    Args:
        weights: one number a model, 0 for one that only stands in; equal if left out.
        patience, label, clock, sleep: as for ``fallback``.

    Raises ``UsageError`` for fewer than two models, or weights that share nothing out.
    """
    return Balance(
        *models, weights=weights, seed=seed, patience=patience, label=label, clock=clock, sleep=sleep
    )


class Composite(Policy):
    """Several models behind one name, each left out or resting after it failed.

    What one thread learns of a model, the others know. Who answered is noted beside the recordings, so that
    a rerun replays that answer, whoever rests or is back by then.

    Attributes:
        patience: seconds one call may wait in all, when every model rests.
    """

    def __init__(
        self,
        *models: Model,
        patience: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        super().__init__(*models)
        _check(models, patience)
        self.patience = patience
        self._clock, self._sleep = clock, sleep

    @abstractmethod
    def order(self, request: Request) -> list[int]:
        """The places of the models in the order in which they are to be asked."""

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Ask until one answers. Raises the last error, with the attempts and steps of all."""
        call = request.call or Call()
        trip = self.begin(request, [self._targets[place] for place in self.order(request)])
        if trip.known is not None:
            trip.order.sort(key=lambda target: target is not trip.known)
        key = self.decision_key(request) if self.journal else ""
        response = yield from self._as_decided(request, trip, key)
        while response is None:
            target = self._next(trip, call)
            question = put(request, target, trip, call={"tries": 1})
            trip.began = self._clock()
            try:
                response = yield from watched(target.model.run(question), trip.shown)
            except NotRecorded as error:
                trip.unrecorded.append((target, error))
            except BudgetExceeded as error:
                error.attempts = (*trip.attempts, *error.attempts)
                error.steps = (*trip.steps, *error.steps)
                raise
            except CallError as error:
                self._failed(trip, target, error)
            else:
                self._answered(trip, target, key)
        return trip.complete(response)

    def _as_decided(self, request: Request, trip: Trip, key: str) -> Generator[str, None, Response | None]:
        """The answer of a run before, replayed from the recordings of the model that gave it then."""
        noted = self.journal.recall(key) if self.journal else None
        decision = Decision.read(noted) if noted else None
        target = next((each for each in trip.order if decision and each.name == decision.model), None)
        if target is None or decision is None:
            return None
        question = put(request, target, trip, call={"recorded": True})
        try:
            response = yield from target.model.run(question)
        except NotRecorded:
            return None
        trip.attempts, trip.steps = list(decision.attempts), list(decision.steps)
        trip.waited = decision.waited
        self.served(trip, target)
        return response

    def swapped(self, swap: Callable[[Model], Model]) -> Self:
        """The same over other models; recorded ones fail in no time."""
        other = super().swapped(swap)
        other._clock = lambda: 0.0
        return other

    @property
    def out(self) -> dict[str, str]:
        """The models left out for good, each with the reason."""
        with self._lock:
            return {target.name: target.out for target in self._targets if target.out}

    def status(self) -> list[dict[str, Any]]:
        """One dict a model: ``model``, ``state`` ("ready", "resting" or "out"), ``seconds`` until it returns
        (None unless it rests) and ``why`` ("" if ready)."""
        now = self._clock()
        with self._lock:
            return [target.status(now) for target in self._targets]

    def __repr__(self) -> str:
        states = []
        for row in self.status():
            rest = "" if row["seconds"] is None else f" {in_words(row['seconds'])}"
            states.append(f"{row['model']} {row['state']}{rest}" + (f" ({row['why']})" if row["why"] else ""))
        return f"<{type(self).__name__} {self.name}: {'; '.join(states)}>"

    def _next(self, trip: Trip, call: Call) -> Target:
        """The first model that is able to; sleeps until one returns, or raises."""
        asked = [target for target, _ in trip.unrecorded]
        while True:
            now = self._clock()
            with self._lock:
                able = [target for target in trip.order if not target.out and target not in asked]
                ready = [target for target in able if target.until <= now]
                first = min(able, key=lambda target: target.until, default=None)
            late = call.deadline is not None and now >= call.deadline and trip.error is not None
            if ready and not late:
                return ready[0]
            wait = first.until - now if first else 0.0
            if first is None or late or not self._may_wait(wait, now, trip, call):
                self._give_up(trip, first, max(0.0, wait))
            trip.waited += wait
            self._sleep(wait)

    def _may_wait(self, wait: float, now: float, trip: Trip, call: Call) -> bool:
        # One try means: be quick. A composite round this one has others to ask meanwhile.
        patient = call.tries != 1 and trip.waited + wait <= self.patience
        return patient and (call.deadline is None or now + wait < call.deadline)

    def _give_up(self, trip: Trip, first: Target | None, wait: float) -> NoReturn:
        if trip.error is None and trip.unrecorded:
            raise trip.unrecorded[0][1]
        error = trip.error
        # While one only rests, the whole is not of no use: its error says so, and says when to come back.
        if first is not None and wait and (error is None or error.verdict == "skip"):
            error = first.error or error
        error = error or next(target.error for target in reversed(trip.order) if target.error)
        if first is None:
            hint = "no other model is left to ask; see .out"
        elif wait:
            hint = f"nobody else can be asked now: {first.name} is the first to return, in {in_words(wait)}"
        else:
            hint = "the time for this call is over, so no other model was asked"
        raise trip.failure(error, hint, wait) from None

    def _failed(self, trip: Trip, target: Target, error: CallError) -> None:
        """Note what the error means for the model; raises it unless another may be asked."""
        if trip.shown and error.verdict != "stop":
            error = as_partial(error, "".join(trip.shown))
        now = self._clock()
        with self._lock:
            then = target.note(error, now)
        trip.add(target, error, then, now - trip.began)
        if error.verdict in ("stop", "partial"):
            raise trip.failure(error) from None

    def _answered(self, trip: Trip, target: Target, key: str) -> None:
        with self._lock:
            target.failures = 0
        self.served(trip, target)
        if self.journal and not trip.unrecorded:
            self.journal.note(key, Decision(target.name, trip.attempts, trip.steps, trip.waited).written())


class Fallback(Composite):
    """Asks its models in the order given; see ``fallback``."""

    def __init__(
        self,
        *models: Model,
        patience: float = 60.0,
        label: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(*models, patience=patience, clock=clock, sleep=sleep)
        self.name = f"fallback({', '.join(model.name for model in models)})"
        self.label = label or ", else ".join(model.label for model in models)

    def estimate(self, request: Request, answer: str) -> Estimate:
        """As the first model, but at worst the dearest."""
        guesses = [model.estimate(addressed(request, model), answer) for model in self.models]
        return replace(guesses[0], worst=dearest(guesses))

    def order(self, request: Request) -> list[int]:
        """As given."""
        return list(range(len(self._targets)))


class Balance(Composite):
    """Shares questions out among its models by weight; see ``balance``.

    Attributes:
        shares: of the questions, one number a model, together 1.
        seed: another one shares the same questions out differently.
    """

    def __init__(
        self,
        *models: Model,
        weights: Sequence[float] | None = None,
        seed: int = 0,
        patience: float = 60.0,
        label: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(*models, patience=patience, clock=clock, sleep=sleep)
        self.shares, self.seed = _shares(weights, len(models)), seed
        percents = [f"{100 * share:.3g}%" for share in self.shares]
        parts = list(zip(percents, models, strict=True))
        self.name = f"balance({', '.join(f'{percent} {model.name}' for percent, model in parts)})"
        self.label = label or ", ".join(f"{percent} {model.label}" for percent, model in parts)

    def estimate(self, request: Request, answer: str) -> Estimate:
        """The mean of its models by weight, and at worst the dearest."""
        guesses = [model.estimate(addressed(request, model), answer) for model in self.models]
        return replace(together(guesses, self.shares), worst=dearest(guesses))

    def order(self, request: Request) -> list[int]:
        """The one the question is dealt to, then the others, the heaviest first."""
        chosen = self._choice(request)
        others = [place for place in range(len(self.shares)) if place != chosen]
        return [chosen, *sorted(others, key=lambda place: -self.shares[place])]

    def _choice(self, request: Request) -> int:
        # By the opening alone, so that a later turn chooses as the first did, also in another process.
        text = f"{self.seed}:{opening(request).key('balance', self.name)}"
        draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2**56
        asked = [place for place, share in enumerate(self.shares) if share]
        for place in asked:
            draw -= self.shares[place]
            if draw < 0:
                return place
        return asked[-1]


def _check(models: Sequence[Model], patience: float) -> None:
    if len(models) < 2:
        raise UsageError(
            f"{len(models)} model(s) given, so there is none to stand in; give at least two, such as "
            'kit.fallback(kit.model("opus"), kit.model("sonnet"))'
        )
    if len({id(model) for model in models}) < len(models):
        names = [model.name for model in models]
        raise UsageError(f"the same model is given twice, {names!r}; give each once")
    if not isinstance(patience, int | float) or not 0 <= patience < inf:
        raise UsageError(f"patience is {patience!r}; give seconds, 0 or more")


def _shares(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    given = [1.0] * count if weights is None else list(weights)
    if len(given) != count:
        raise UsageError(f"weights has {len(given)} numbers for {count} models; give one each")
    fit = all(isinstance(weight, int | float) and 0 <= weight < inf for weight in given)
    if not fit or not 0 < sum(given) < inf:
        raise UsageError(f"weights is {weights!r}; give numbers of at least 0, one of them above 0")
    return tuple(weight / sum(given) for weight in given)
