"""Grader of free text by facts: what an answer has to say, what it must not, and how long it may be."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

from .errors import TaskError
from .grades import Grade, Grader, Item

Limits = Literal["zero", "share"]


def facts(*, partial_credit: bool = True, limits: Limits = "zero") -> Grader:
    r"""The share of the required facts that the answer states; 0 if it states a forbidden one.

    The target is a mapping (or its JSON) with any of these keys:

    - ``must``: the facts, each a text or a list of spellings of which one suffices.
    - ``must_not``: statements of which none may occur, such as contradictions and inventions.
    - ``max_words``, ``min_words``, ``max_chars``: limits; words are counted between white space.
    - ``lines``: how many lines that are not empty, a number or [least, most].
    - ``starts_with``, ``lines_start_with``: how the answer, or each of its lines, begins, to the letter.

    A spelling is found as whole words, whatever the case, accents, hyphens, emphasis and quotes; "1,250",
    "1 250" and "1250" are one number, as are "12,50" and "12.5", and "12 %" is "12 percent". A single group
    after a point, "1.250", is read as a decimal, and number words are not read: list both spellings. After
    ``re:`` it is a regular expression, looked for without regard to case in the answer so simplified (lower
    case, one line) and in the answer as it is.

    Args:
        partial_credit: False scores 1 where all facts are found and 0 otherwise.
        limits: "zero" scores 0 where a limit is broken; "share" counts each limit as one more fact.
    """
    if limits not in ("zero", "share"):
        raise TaskError(f"limits is {limits!r}; it is 'zero' or 'share'")
    grade = partial(_facts, partial_credit=partial_credit, limits=limits)
    return Grader("facts", grade, check=_check_facts)


def simplified(text: str) -> str:
    """One line in lower case without accents, emphasis and typographic marks, numbers in one form."""
    plain = unicodedata.normalize("NFKD", text.translate(_MARKS)).casefold()
    plain = "".join(mark for mark in plain if not unicodedata.combining(mark)).translate(_LETTERS)
    plain = _HYPHEN.sub(" ", plain)
    for pattern, value in _NUMBERS:
        plain = pattern.sub(value, plain)
    return " ".join(plain.split())


_MARKS = str.maketrans("‐‑‒–—−‘’‚“”„«»\xa0_", '------\'\'\'"""""  ', "*`\u00ad\u200b")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"})
_HYPHEN = re.compile(r"(?<=[^\W\d])-(?=[^\W\d])")
_START, _END = r"(?<![\w.,])", r"(?!\w|[.,]\d)"
_NUMBERS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(rf"{_START}\d{{1,3}}(?:[, ']\d{{3}})+(?!\d)"), lambda match: re.sub(r"\D", "", match[0])),
    (
        re.compile(rf"{_START}(\d{{1,3}}(?:\.\d{{3}})+),(\d+){_END}"),
        lambda match: match[1].replace(".", "") + "." + match[2],
    ),
    (re.compile(rf"{_START}\d{{1,3}}(?:\.\d{{3}}){{2,}}{_END}"), lambda match: match[0].replace(".", "")),
    (re.compile(rf"{_START}(\d+),(\d+)(?!\d|[.,]\d)"), r"\1.\2"),
    (re.compile(rf"{_START}(\d+\.\d*?)0+(?!\d|[.,]\d)"), lambda match: match[1].removesuffix(".")),
    (re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)(?=[^\W\d])"), r"\1 "),
    (re.compile(r"(?<=\d)\s*(?:%|percent\b|per cent\b|prozent\b|pour cent\b|por ciento\b|per cento\b)"), "%"),
)

_KEYS = (
    *("must", "must_not", "max_words", "min_words", "max_chars", "lines", "starts_with", "lines_start_with"),
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    must: tuple[tuple[str, ...], ...]
    must_not: tuple[str, ...]
    limits: Mapping[str, Any]


def _facts(answer: str, item: Item, *, partial_credit: bool, limits: Limits) -> Grade:
    wanted = _wanted(item["target"])
    plain = simplified(answer)
    missing = [each for each in wanted.must if not any(_occurs(one, answer, plain) for one in each)]
    forbidden = [each for each in wanted.must_not if _occurs(each, answer, plain)]
    broken = _broken(answer, wanted.limits)
    size = len(wanted.must) + (len(wanted.limits) if limits == "share" else 0)
    lost = len(missing) + (len(broken) if limits == "share" else 0)
    score = 1.0 - lost / size if size else 1.0
    if forbidden or not plain or (broken and limits == "zero") or (lost and not partial_credit):
        score = 0.0
    said = [f"missing: {' | '.join(each)}" for each in missing]
    said += [f"forbidden: {each}" for each in forbidden] + broken
    found = len(wanted.must) - len(missing)
    return Grade(
        score, f"{found} of {len(wanted.must)} facts", "; ".join(said) or "states all that is required"
    )


def _occurs(spelling: str, answer: str, plain: str) -> bool:
    if spelling.startswith("re:"):
        pattern = _compiled(spelling)
        return bool(pattern.search(plain) or pattern.search(unicodedata.normalize("NFKC", answer)))
    return _whole(spelling).search(plain) is not None


@lru_cache(maxsize=10_000)
def _whole(spelling: str) -> re.Pattern[str]:
    """The simplified spelling, not within a longer word or number."""
    words = simplified(spelling)
    before = r"(?<!\w)(?<!\d[.,])" if words[:1].isdigit() else r"(?<!\w)" if words[:1].isalpha() else ""
    after = r"(?!\w|[.,]\d)" if words[-1:].isdigit() else r"(?!\w)" if words[-1:].isalpha() else ""
    return re.compile(before + re.escape(words) + after)


@lru_cache(maxsize=10_000)
def _compiled(spelling: str) -> re.Pattern[str]:
    try:
        return re.compile(spelling.removeprefix("re:"), re.IGNORECASE | re.MULTILINE)
    except re.error as error:
        raise TaskError(f"{spelling!r} is no regular expression: {error}") from None


def _broken(answer: str, limits: Mapping[str, Any]) -> list[str]:
    text = answer.strip()
    words = sum(any(mark.isalnum() for mark in word) for word in text.split())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    checks: dict[str, Callable[[Any], bool]] = {
        "max_words": lambda most: words <= most,
        "min_words": lambda least: words >= least,
        "max_chars": lambda most: len(text) <= most,
        "lines": lambda span: bool(span[0] <= len(lines) <= span[1]),
        "starts_with": text.startswith,
        "lines_start_with": lambda start: all(line.startswith(start) for line in lines),
    }
    has = f"{words} words, {len(lines)} lines, {len(text)} characters"
    return [
        f"{name} is {value!r}; the answer has {has}"
        for name, value in limits.items()
        if not checks[name](value)
    ]


def _check_facts(target: Any) -> None:
    _wanted(target)


def _wanted(target: Any) -> _Wanted:
    value = _mapping(target)
    must = tuple(_spellings("must", each) for each in _list("must", value.get("must")))
    must_not = tuple(
        each for one in _list("must_not", value.get("must_not")) for each in _spellings("must_not", one)
    )
    limits = {name: _limit(name, value[name]) for name in _KEYS[2:] if value.get(name) not in (None, "")}
    if value.get("min_words") == 0:
        del limits["min_words"]
    if not (must or must_not or limits):
        raise TaskError("the target asks for nothing; give it facts under 'must', or a limit")
    return _Wanted(must, must_not, limits)


def _mapping(target: Any) -> Mapping[str, Any]:
    try:
        value = json.loads(target) if isinstance(target, str) else target
    except ValueError as error:
        raise TaskError(f"the target {target[:60]!r} is no JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise TaskError(f"the target is {value!r}; it is a mapping with {', '.join(_KEYS)}")
    unknown = [name for name in value if name not in _KEYS]
    if unknown:
        raise TaskError(f"the target has the key(s) {unknown}; it knows {', '.join(_KEYS)}")
    return value


def _list(name: str, value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TaskError(f"{name} is {value!r}; it is a list")
    return value


def _spellings(name: str, value: Any) -> tuple[str, ...]:
    """The spellings of one fact, each of which can be looked for."""
    given = (value,) if isinstance(value, str) else tuple(_list(name, value))
    for each in given:
        if not isinstance(each, str) or not (each.startswith("re:") or simplified(each)):
            raise TaskError(f"{name} has {each!r}; a spelling is a text that is not empty")
        if each.startswith("re:") and _compiled(each).search(""):
            raise TaskError(f"{name} has {each!r}, which matches every text; let it require something")
    if not given:
        raise TaskError(f"{name} has a fact without a spelling; give at least one")
    return given


def _limit(name: str, value: Any) -> Any:
    if name in ("starts_with", "lines_start_with"):
        good = isinstance(value, str)
    elif name == "lines":
        value = (value, value) if isinstance(value, int) else value
        good = not isinstance(value, str) and len(value) == 2 and 0 <= value[0] <= value[1]
    else:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not good:
        raise TaskError(f"{name} is {value!r}; it is {_FORMS.get(name, 'a whole number from 0')}")
    return value


_FORMS = {
    "starts_with": "a text",
    "lines_start_with": "a text",
    "lines": "a whole number or [least, most]",
}
