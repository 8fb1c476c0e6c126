"""(prompt, answer) -> good enough to keep? What an answer's own text tells, and how such checks combine."""

from __future__ import annotations

import json
import math
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from .errors import CallError, LLMKitError, UsageError
from .records import Response

Looked = Callable[[str, Response], Any]

_CANNOT = r"(?:cannot|can['\u2019]?t|won['\u2019]?t|am unable to|am not able to|must decline|have to decline)"
_REFUSES = re.compile(
    rf"\W*(?:i {_CANNOT}\b|as an ai\b|(?:i['\u2019]m |i am )?(?:sorry|afraid|unfortunately|regrettably)\b"
    rf"[^.\n]{{0,40}}\bi {_CANNOT}\b)",
    re.IGNORECASE,
)
_CONFIDENCE = re.compile(
    r"\bconfiden(?:ce|t)\b[^\d\n%]{0,40}?(\d+(?:\.\d+)?)\s*(%|/\s*100?\b|out of 100?\b)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        good: keep the answer; None where it could not be told, which counts as no.
        reason: why, in words that can be passed on.
        calls: answers of models that were asked to find out; their cost is the check's.
        lost: (model, error) of such calls that failed.
        score: how good the answer seems, if the check holds a number against a limit; the higher the better.
    """

    good: bool | None
    reason: str = ""
    calls: tuple[Response, ...] = ()
    lost: tuple[tuple[str, CallError], ...] = ()
    score: float | None = None


class Check(ABC):
    """Says whether an answer is good enough to keep. Combine with ``&``, ``|`` and ``~``.

    The second of two is looked at only where the first leaves it open. A check that raises could not tell:
    that is no yes, also not under ``~``; the error is the reason, and is warned of once.

    Attributes:
        name: what reasons and tables call it.
    """

    name: str

    def __init__(self) -> None:
        self._warned: dict[str, object] = {}

    @abstractmethod
    def look(self, prompt: str, response: Response) -> Finding:
        """Look at one answer; may raise."""

    def __call__(self, prompt: str, response: Response) -> Finding:
        """Look at one answer. Raises only what concerns the whole run, such as ``BudgetExceeded``."""
        try:
            return self.look(prompt, response)
        except CallError as error:
            lost = ((self.name, error),)
            return Finding(None, self._say(error), lost=lost)
        except LLMKitError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            return Finding(None, self._say(error))

    def swapped(self, swap: Callable[[Any], Any]) -> Check:
        """The same check, asking other models; ``swap`` is asked for each."""
        return self

    def __and__(self, other: object) -> Check:
        return Pair("&", self, as_check(other))

    def __rand__(self, other: object) -> Check:
        return Pair("&", as_check(other), self)

    def __or__(self, other: object) -> Check:
        return Pair("|", self, as_check(other))

    def __ror__(self, other: object) -> Check:
        return Pair("|", as_check(other), self)

    def __invert__(self) -> Check:
        return Not(self)

    def __repr__(self) -> str:
        return self.name

    def _say(self, error: Exception) -> str:
        what = f"the check {self.name} failed with {type(error).__name__}: {error}"
        mark = object()
        if self._warned.setdefault("once", mark) is mark:
            warnings.warn(f"{what}; such answers are not accepted (said once)", RuntimeWarning, stacklevel=4)
        return what


class Told(Check):
    """A function of (prompt, response) as a check; see ``as_check`` for what it may return."""

    def __init__(self, looked: Looked, name: str) -> None:
        super().__init__()
        self.looked, self.name = looked, name
        self.__doc__ = looked.__doc__ or type(self).__doc__

    def look(self, prompt: str, response: Response) -> Finding:
        """What the function says."""
        return _read(self.looked(prompt, response), self.name)


class Pair(Check):
    """Two checks of which both must hold, or one."""

    def __init__(self, sign: Literal["&", "|"], one: Check, two: Check) -> None:
        super().__init__()
        self.sign, self.one, self.two = sign, one, two
        self.name = f"({one.name} {sign} {two.name})"

    def look(self, prompt: str, response: Response) -> Finding:
        """The first; and the second where it still matters."""
        first = self.one(prompt, response)
        if first.good is (self.sign == "|") or (self.sign == "&" and first.good is None):
            return replace(first, score=None)
        second = self.two(prompt, response)
        calls, lost = first.calls + second.calls, first.lost + second.lost
        if self.sign == "&":
            return Finding(second.good, second.reason, calls, lost)
        good = second.good if second.good or first.good is False else None
        reason = second.reason if second.good else " and ".join(filter(None, (first.reason, second.reason)))
        return Finding(good, reason, calls, lost)

    def swapped(self, swap: Callable[[Any], Any]) -> Check:
        """Both, asking other models."""
        return Pair(self.sign, self.one.swapped(swap), self.two.swapped(swap))


class Not(Check):
    """The opposite of a check; what could not be told stays untold."""

    def __init__(self, inner: Check) -> None:
        super().__init__()
        self.inner, self.name = inner, f"~{inner.name}"

    def look(self, prompt: str, response: Response) -> Finding:
        """The opposite."""
        found = self.inner(prompt, response)
        if found.good is None:
            return found
        return Finding(not found.good, found.reason or f"{self.inner.name} holds", found.calls, found.lost)

    def swapped(self, swap: Callable[[Any], Any]) -> Check:
        """The same, asking other models."""
        return Not(self.inner.swapped(swap))


def as_check(accept: object) -> Check:
    """A check, or any function of (prompt, response), as a check.

    The function returns True or False, or (True or False, reason), or (True or False, reason, response) with
    the response of a model it asked, whose cost then counts; several responses as a list.

    Raises ``UsageError`` for what cannot be called.
    """
    if isinstance(accept, Check):
        return accept
    if not callable(accept):
        raise UsageError(
            f"accept is {accept!r}, which cannot be called; give a check such as kit.checks.is_json, or a "
            "function of (prompt, response) that returns True to keep the answer"
        )
    return Told(accept, name_of(accept))


def name_of(function: object) -> str:
    """What a function is called in tables."""
    return str(getattr(function, "name", "") or getattr(function, "__name__", "") or type(function).__name__)


def has(pattern: str, *, flags: int = re.MULTILINE) -> Check:
    """The regular expression is found in the answer."""
    try:
        found = re.compile(pattern, flags)
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from None
    missing = f"nothing in the answer matches {pattern!r}"
    return Told(lambda _, response: _because(found.search(response.text), missing), f"has({pattern!r})")


def shorter_than(most: int, unit: Literal["characters", "words"] = "characters") -> Check:
    """The answer has fewer than ``most`` characters or words; ``~shorter_than(...)`` asks for more."""
    if unit not in ("characters", "words") or most < 1:
        raise UsageError(f'{most!r} {unit!r} is no length; give a number above 0 of "characters" or "words"')

    def look(_: str, response: Response) -> Finding:
        length = len(response.text if unit == "characters" else response.text.split())
        why = f"the answer has {length:,} {unit}, {most:,} or more" * (length >= most)
        return Finding(length < most, why, score=-length)

    return Told(look, f"shorter_than({most})" if unit == "characters" else f"shorter_than({most}, {unit!r})")


def verbal_confidence(*, at: float = 0.8) -> Check:
    """The answer states a confidence ("Confidence: 85%") of at least ``at``, a share of 1; the last counts.

    Ask for the line in your prompt; an answer without it is not accepted. To ask in a call of its own, use
    ``kit.checks.asked_confidence``.
    """
    share("at", at)

    def look(_: str, response: Response) -> Finding:
        stated = confidence(response.text)
        if stated is None:
            return Finding(None, "the answer states no confidence")
        return Finding(stated >= at, f"it is only {stated:.0%} confident" * (stated < at), score=stated)

    return Told(look, f"verbal_confidence(at={at:g})")


def at_least(score: Callable[[str, Response], Any], at: float) -> Check:
    """``score(prompt, response)`` is ``at`` or more: a number, or (number, response of a model it asked).

    Replayed, such a cascade has a curve of all limits it could have had: ``kit.replay(...).curve(policy)``.
    """
    if not callable(score) or isinstance(at, bool) or not isinstance(at, int | float) or math.isnan(at):
        raise UsageError(
            f"score is {score!r} and at {at!r}; give a function of (prompt, response) and a number"
        )
    name = name_of(score)

    def look(prompt: str, response: Response) -> Finding:
        given = score(prompt, response)
        number, asked = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
        found = float(number)
        if math.isnan(found):
            return Finding(None, f"{name} gave no number", _responses(asked))
        why = f"{name} is {found:g}, under {at:g}" * (found < at)
        return Finding(found >= at, why, _responses(asked), score=found)

    return Told(look, f"{name} >= {at:g}")


def confidence(text: str) -> float | None:
    """The confidence a text states last, as a share of 1; None if it states none that makes sense."""
    found = list(_CONFIDENCE.finditer(text))
    if not found:
        return None
    number, unit = float(found[-1][1]), re.sub(r"\s+", "", found[-1][2] or "").lower()
    if unit in ("/10", "outof10"):
        number /= 10
    elif unit or number > 1:
        number /= 100
    return number if 0 <= number <= 1 else None


def share(name: str, value: float) -> float:
    """``value`` if it is between 0 and 1. Raises ``UsageError`` otherwise."""
    fit = isinstance(value, int | float) and not math.isnan(value) and 0 <= value <= 1
    if not fit or isinstance(value, bool):
        raise UsageError(f"{name} is {value!r}; give a number from 0 to 1")
    return value


def _is_json(_: str, response: Response) -> tuple[bool, str]:
    """The whole answer is JSON, as ``json.loads`` reads it."""
    try:
        json.loads(response.text)
    except (ValueError, RecursionError) as error:
        return False, f"the answer is no JSON ({error})"
    return True, ""


def _not_refused(_: str, response: Response) -> tuple[bool, str]:
    """The answer is no refusal: neither marked as one by the provider nor begun like one."""
    if response.outcome == "refusal":
        return False, "the model refused"
    return _because(not _REFUSES.match(response.text), "the answer begins like a refusal")


def _finished(_: str, response: Response) -> tuple[bool, str]:
    """The answer came to its own end: not cut off by max_tokens, not refused."""
    return _because(response.outcome == "ok", f"the answer ended with {response.outcome!r}")


is_json = Told(_is_json, "is_json")
not_refused = Told(_not_refused, "not_refused")
finished = Told(_finished, "finished")


def _because(holds: object, otherwise: str) -> tuple[bool, str]:
    return bool(holds), "" if holds else otherwise


def _read(found: Any, name: str) -> Finding:
    if isinstance(found, Finding):
        return found if found.good or found.reason else replace(found, reason=f"{name} does not hold")
    parts = found if isinstance(found, tuple) else (found,)
    if not 1 <= len(parts) <= 3 or not _is_truth(parts[0]):
        raise TypeError(
            f"it returned {found!r}; expected True or False, or (True or False, reason, response)"
        )
    good = bool(parts[0])
    reason = str(parts[1]) if len(parts) > 1 and parts[1] else ""
    calls = _responses(parts[2]) if len(parts) == 3 else ()
    return Finding(good, reason or ("" if good else f"{name} does not hold"), calls)


def _is_truth(value: object) -> bool:
    # numpy's own booleans are none of Python's, but say so by their name.
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _responses(given: Any) -> tuple[Response, ...]:
    calls: Sequence[Any] = given if isinstance(given, list | tuple) else [given] * (given is not None)
    if not all(isinstance(call, Response) for call in calls):
        raise TypeError(f"it returned {given!r} as what it asked; expected a Response, or a list of them")
    return tuple(calls)
