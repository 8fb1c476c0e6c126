"""Models made of models that decide before asking, or after asking all: route, mix, vote."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from math import isnan
from typing import Any

from .accept import name_of, share
from .errors import CallError, UsageError
from .estimates import Estimate
from .hops import addressed
from .model import Model, finish
from .policy import Policy, Question, brief, dearest, draw, opening, put, together
from .records import Request, Response
from .totals import Account

By = str | Callable[[Any], Any]


def route(
    *models: Any,
    by: By | None = None,
    at: float | None = None,
    choose: Callable[[Any], Any] | None = None,
    label: str | None = None,
) -> Route:
    """Decide from the question alone who is asked.

    ``kit.route(sonnet, opus, by=len, at=1200)`` goes up to opus where ``by(prompt) >= at``.
    ``kit.route({"easy": sonnet, "hard": opus}, choose=f)`` asks the model that ``f(prompt)`` names.
    The prompt is a text; its ``.request`` is the whole request. A conversation is decided once, by its
    opening. The answer streams through.

    Args:
        by: "length" (characters), a function of the prompt, or a fitted router. It returns a number, or
            (number, response) where it asked a model, whose cost and latency then count.
        at: the least number that goes up; left out, the router's own ``.at``.
        choose: a function of the prompt that returns a name, or (name, response).
        label: what tables and plots call it.

    Raises ``UsageError`` if the arguments are of neither form, and when a name is chosen that is none.
    """
    if len(models) == 1 and isinstance(models[0], Mapping) and callable(choose) and by is None and at is None:
        return Named(models[0], choose, label)
    if len(models) == 2 and by is not None and choose is None:
        return Threshold(models[0], models[1], by=by, at=at, label=label)
    raise UsageError(
        "route takes two models with by= and at=, such as kit.route(sonnet, opus, by=len, at=1200), or a "
        'dict with choose=, such as kit.route({"easy": sonnet, "hard": opus}, choose=my_function)'
    )


def mix(a: Model, b: Model, *, p: float, seed: int = 0, label: str | None = None) -> Mix:
    """A coin for each prompt: ``b`` with chance ``p``, else ``a``; what any router has to beat.

    The coin depends on the prompt, its repeat and ``seed`` alone, so that a rerun falls the same; a larger
    ``p`` moves more prompts up and none down. The answer streams through.
    """
    return Mix(a, b, p=p, seed=seed, label=label)


def vote(
    *models: Any,
    k: int | None = None,
    extract: Callable[[str], Hashable] | None = None,
    label: str | None = None,
) -> Vote:
    """Ask all, and give the answer most of them agree on: ``kit.vote([a, b, c])``, ``kit.vote(sonnet, k=5)``.

    With ``k`` the votes are independent answers of one model, repeats 0 to k-1 of the question. Between equal
    numbers the answer given first wins. The models are asked one after another; nothing is shown before all
    have answered, and what it costs and takes is the sum of all.

    Args:
        extract: what of a text is voted on; None from it is no vote. Left out, all of the text but case and
            space.
        label: what tables and plots call it.

    Raises ``UsageError`` for fewer than two votes.
    """
    given = models[0] if len(models) == 1 and isinstance(models[0], list | tuple) else models
    return Vote(*given, k=k, extract=extract, label=label)


class Route(Policy):
    """Asks one of its models, chosen before anything is asked; see ``route`` and ``mix``."""

    @abstractmethod
    def choose(self, question: Question) -> tuple[int, tuple[Response, ...]]:
        """The place of the model to ask, and the answers that were paid for to find out."""

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Ask the chosen one; an error carries what the choice cost."""
        trip, account = self.begin(request, self._targets), Account()
        target = trip.known
        if target is None:
            place, asked = self.choose(Question.of(opening(request)))
            for response in asked:
                account.add("route", response)
            target = self._targets[place]
        try:
            response = yield from target.model.run(put(request, target, trip))
        except CallError as error:
            raise account.failure(error) from None
        account.add("answer", response)
        self.served(trip, target)
        return account.answer(response)

    def estimate(self, request: Request, answer: str) -> Estimate:
        """As the dearest, for nobody is asked yet."""
        guesses = self._guesses(request, answer)
        first = max(guesses, key=lambda guess: -1 if guess.expected is None else guess.expected)
        unknown = any(guess.expected is None for guess in guesses)
        return replace(first, expected=None if unknown else first.expected, worst=dearest(guesses))

    def _guesses(self, request: Request, answer: str) -> list[Estimate]:
        return [model.estimate(addressed(request, model), answer) for model in self.models]


class Threshold(Route):
    """Goes up where a number is high enough; see ``route``."""

    def __init__(self, a: Model, b: Model, *, by: By, at: float | None, label: str | None) -> None:
        super().__init__(a, b)
        at = getattr(by, "at", None) if at is None else at
        if by != "length" and not callable(by):
            raise UsageError(f'by is {by!r}; give "length", a function of the prompt, or a fitted router')
        if not isinstance(at, int | float) or isnan(at):
            raise UsageError(f"at is {at!r}; give the least number that goes up, such as by=len, at=1200")
        self.by: Callable[[Any], Any] = by if callable(by) else len
        self.at = at
        rule = "length" if self.by is len else name_of(by)
        self.name = f"route({a.name}, {b.name}, by={rule}, at={at:g})"
        self.label = label or f"route({a.label} -> {b.label}, {brief(rule)} >= {at:g})"

    def choose(self, question: Question) -> tuple[int, tuple[Response, ...]]:
        """The second where the number reaches ``at``."""
        value, asked = with_fee(self.by(question))
        return self.above(value), asked

    def above(self, value: Any) -> int:
        """1 where ``value`` goes up, else 0. Raises ``UsageError`` if it is no number."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if isnan(number):
            raise UsageError(
                f"the router gave {value!r}; it must give a number, to hold against at={self.at:g}"
            )
        return int(number >= self.at)


class Named(Route):
    """Asks the model a function names; see ``route``."""

    def __init__(self, models: Mapping[str, Model], choose: Callable[[Any], Any], label: str | None) -> None:
        super().__init__(*models.values())
        if not models:
            raise UsageError("route was given no models; give at least one name with its model")
        self.names, self.by = list(models), choose
        parts = ", ".join(f"{name}: {model.name}" for name, model in models.items())
        self.name = f"route({{{parts}}}, choose={name_of(choose)})"
        among = " | ".join(model.label for model in self.models)
        self.label = label or f"route({among}, {brief(name_of(choose))})"

    def choose(self, question: Question) -> tuple[int, tuple[Response, ...]]:
        """The one that is named."""
        name, asked = with_fee(self.by(question))
        return self.place_of(name), asked

    def place_of(self, name: Any) -> int:
        """Where a name stands. Raises ``UsageError`` if no model has it."""
        if name not in self.names:
            raise UsageError(
                f"{name_of(self.by)} chose {name!r}, which no model is called; there are {self.names}"
            )
        return self.names.index(name)


class Mix(Route):
    """Throws a coin for each prompt; see ``mix``."""

    def __init__(self, a: Model, b: Model, *, p: float, seed: int = 0, label: str | None = None) -> None:
        super().__init__(a, b)
        self.p, self.seed = share("p", p), seed
        self.name = f"mix({a.name}, {b.name}, p={p:g}, seed={seed})"
        self.label = label or f"mix({a.label}, {100 * p:.3g}% {b.label}{f', seed={seed}' if seed else ''})"

    def choose(self, question: Question) -> tuple[int, tuple[Response, ...]]:
        """The second with chance ``p``."""
        return int(draw(self.seed, question.request) < self.p), ()

    def estimate(self, request: Request, answer: str) -> Estimate:
        """The mean by chance, and at worst the dearest."""
        guesses = self._guesses(request, answer)
        return replace(together(guesses, (1 - self.p, self.p)), worst=dearest(guesses))


class Vote(Policy):
    """Gives the answer most agree on; see ``vote``.

    Attributes:
        k: repeats of the one model inside, or None where each model has one vote.
    """

    def __init__(
        self,
        *models: Model,
        k: int | None = None,
        extract: Callable[[str], Hashable] | None = None,
        label: str | None = None,
    ) -> None:
        super().__init__(*models)
        if (k is not None and len(models) != 1) or (k or len(models)) < 2:
            raise UsageError(
                f"{len(models)} model(s) with k={k!r} make no vote; give at least two models, or one model "
                "with k= the number of its votes, such as kit.vote(sonnet, k=5)"
            )
        if extract is not None and not callable(extract):
            raise UsageError(f"extract is {extract!r}; give a function from a text to what is voted on")
        self.k, self.extract = k, extract or _whole
        many = f"{models[0].name}, k={k}" if k else ", ".join(model.name for model in models)
        how = f", extract={name_of(extract)}" if extract else ""
        self.name = f"vote({many}{how})"
        who = f"{models[0].label} x {k}" if k else ", ".join(model.label for model in models)
        self.label = label or f"vote({who}{f', {brief(name_of(extract))}' if extract else ''})"

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Ask all, then give the answer with the most votes. An error carries the steps already paid."""
        trip, account = self.begin(request, self._targets), Account()
        answers = []
        try:
            for place, repeat in self.ballots(request.repeat):
                question = put(request, self._targets[place], trip, repeat=repeat, stream=False)
                with closing(self._targets[place].model.run(question)) as pieces:
                    answers.append(finish(pieces))
                account.add("draft", answers[-1])
        except CallError as error:
            raise account.failure(error) from None
        winner = self.elected([self.extract(answer.text) for answer in answers])
        account = Account()
        for n, answer in enumerate(answers):
            role, why = ("answer", None) if n == winner else ("draft", "another answer was voted for")
            account.add(role, answer, why)
        self.served(trip, self._targets[self.ballots(0)[winner][0]])
        if answers[winner].text:
            yield answers[winner].text
        return account.answer(answers[winner], held=True)

    def ballots(self, repeat: int) -> list[tuple[int, int]]:
        """(place of the model, repeat it is asked for), one for each vote."""
        if self.k:
            return [(0, repeat * self.k + n) for n in range(self.k)]
        return [
            (place, repeat * sum(m is model for m in self.models) + self._nth(place))
            for place, model in enumerate(self.models)
        ]

    def elected(self, votes: Sequence[Hashable]) -> int:
        """Which of the votes stands for the answer: the first of the most frequent; 0 if all are None."""
        counts = Counter(each for each in votes if each is not None)
        return votes.index(counts.most_common(1)[0][0]) if counts else 0

    def estimate(self, request: Request, answer: str) -> Estimate:
        """All votes together."""
        guesses = [model.estimate(addressed(request, model), answer) for model in self.models]
        return together(guesses * (self.k or 1))

    def _nth(self, place: int) -> int:
        return sum(model is self.models[place] for model in self.models[:place])


def with_fee(given: Any) -> tuple[Any, tuple[Response, ...]]:
    """What a router returned: its value, and the response of a model it asked, if any."""
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Response):
        return given[0], (given[1],)
    return given, ()


def _whole(text: str) -> str:
    return " ".join(text.split()).casefold()
