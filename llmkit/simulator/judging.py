"""A judge's verdict: a score for one answer or the better of two, for requests that ask for just that.

All of it is invented. Each answer of the book has a quality between 0 and 1, high if it is right and low if
it is wrong, with a draw of its own text. A judge of ability a tells the best answer from the worst with the
probability 1/2 + 1/2 P, where P is the Rasch probability of ability a + EASE at the item's difficulty (a
guess of 1/2 as in Birnbaum 1968, the three-parameter logistic model); answers nearer to each other are told
apart less often (Bradley & Terry 1952, with that much discernment). Half of the luck lies in the texts, the
same for every judge and order; half is the draw's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import NormalDist
from typing import Any

from .answers import Book, Entry, p_right
from .chance import Chance
from .prose import SIMULATED
from .schemas import resolved, satisfies, value

EASE = 1.0
"""How much easier judging is than answering, in logits."""

POSITION_LEAN = 0.15
"""Towards the answer shown first, in logits."""

LENGTH_LEAN = 0.1
"""Towards the longer of two answers, in logits for each factor e of length; at most twice that."""

TIE_WITHIN = 0.25
"""Two answers this near to each other, in logits, or the same text twice, tie where that may be said."""

_RIGHT, _WRONG, _UNKNOWN = (0.7, 1.0), (0.0, 0.35), (0.35, 0.65)
_NORMAL = NormalDist()
_FIRST = frozenset({"first", "a", "1", "left", "answer a", "answer 1"})
_SECOND = frozenset({"second", "b", "2", "right", "answer b", "answer 2"})
_TIE = frozenset({"tie", "draw", "equal", "neither", "both", "same"})
_PRAISE = ("It does what the rubric asks.", "It meets the main points and stays with them.")
_BLAME = ("It misses what the rubric asks for.", "A point that decides is wrong or missing.")
_EVEN = ("There is little between them.", "Each has what the other lacks.")
_BETTER = ("The {} one comes closer to the rubric.", "The {} one has more of what was asked.")


@dataclass(frozen=True, slots=True)
class _Seen:
    """One answer as judges see it: its quality, its text's share of the luck, its item's difficulty."""

    text: str
    quality: float
    luck: float
    difficulty: float


def verdict(schema: Any, *, question: str, book: Book, ability: float, chance: Chance) -> Any:
    """A value of ``schema`` that judges what ``question`` shows; None if that is no request to a judge.

    It is one if answers stand between lines ``BEGIN <name> <mark>`` and ``END <name> <mark>`` with ANSWER
    or RESPONSE in the name, and the schema has a place for a verdict: with one answer whole numbers in an
    enumeration or between bounds, or a boolean; with two an enumeration that names first and second.
    """
    shown, places = _blocks(question), _places(schema)
    texts = [text for name, text in shown if "ANSWER" in name or "RESPONSE" in name]
    seen = [_seen(text, dict(shown), book, question) for text in texts]
    if len(seen) == 1:
        said, reason = _scored(seen[0], places, ability, chance)
    elif len(seen) == 2:
        said, reason = _compared(seen, places, ability, chance)
    else:
        return None
    made = value(schema, chance) if said else None
    if not isinstance(made, dict):
        return None
    free = [name for name, part in places.items() if part == {"type": "string"}]
    told = made | said | dict.fromkeys(free[:1], f"{SIMULATED} {reason}")
    return told if satisfies(told, schema) else None


def _blocks(question: str) -> list[tuple[str, str]]:
    """What stands between marks; a mark inside of what another encloses is a part of that."""
    found: list[tuple[str, str]] = []
    opened: tuple[str, str, list[str]] | None = None
    for line in question.split("\n"):
        if opened is None:
            word, _, rest = line.partition(" ")
            name, _, mark = rest.rpartition(" ")
            opened = (name, mark, []) if word == "BEGIN" and name and mark else None
        elif line == f"END {opened[0]} {opened[1]}":
            found.append((opened[0], "\n".join(opened[2])))
            opened = None
        else:
            opened[2].append(line)
    return found


def _places(schema: Any) -> dict[str, Any]:
    """The properties of an object, references resolved; without what only describes them."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    parts: dict[str, Any] = {}
    for name, part in properties.items() if isinstance(properties, dict) else ():
        whole = resolved(part, schema) if isinstance(part, dict) and "$ref" in part else part
        if isinstance(whole, dict):
            parts[name] = {key: one for key, one in whole.items() if key not in ("description", "title")}
    return parts


def _seen(text: str, shown: Mapping[str, str], book: Book, question: str) -> _Seen:
    own = Chance(sha256(text.strip().encode("utf-8", "surrogatepass")).digest())
    entry = book.answered(text, question)
    about = entry or book.find(shown.get("QUESTION", question))
    low, high = _range(text.strip(), entry, shown)
    quality = low + (high - low) * own.uniform("quality")
    return _Seen(text, quality, own.normal("luck"), about.difficulty if about else 0.0)


def _range(text: str, entry: Entry | None, shown: Mapping[str, str]) -> tuple[float, float]:
    if entry is None:
        return _RIGHT if text == shown.get("REFERENCE", "").strip() else _UNKNOWN
    return _RIGHT if text in map(str.strip, entry.right) else _WRONG


def _discernment(ability: float, difficulty: float) -> float:
    """In logits, between the best and the worst answer."""
    knows = p_right(ability + EASE, difficulty)
    return math.log((1 + knows) / max(1 - knows, 1e-9))


def _noise(shared: float, chance: Chance) -> float:
    """A standard logistic deviate, half of it shared."""
    p = _NORMAL.cdf((shared + chance.normal("verdict")) / math.sqrt(2))
    return math.log(p / max(1 - p, 1e-9))


def _scored(
    seen: _Seen, places: Mapping[str, Any], ability: float, chance: Chance
) -> tuple[dict[str, Any], str]:
    """A mark for each place that takes one, all of the same merit, and the reason."""
    merit = _discernment(ability, seen.difficulty) * (2 * seen.quality - 1) + _noise(seen.luck, chance)
    share = 1 / (1 + math.exp(-merit))
    said: dict[str, Any] = {}
    for name, part in places.items():
        scale = _scale(part)
        if part.get("type") == "boolean":
            said[name] = share > 0.5
        elif scale:
            said[name] = scale[min(int(share * len(scale)), len(scale) - 1)]
    return said, chance.pick("reason", _PRAISE if share > 0.5 else _BLAME)


def _scale(part: Mapping[str, Any]) -> Sequence[int]:
    """The whole numbers that a property may hold, lowest first; none if they are not bounded."""
    options = part.get("enum")
    if isinstance(options, list) and options:
        return sorted(options) if all(type(option) is int for option in options) else ()
    low, high = part.get("minimum"), part.get("maximum")
    if part.get("type") in ("integer", "number") and isinstance(low, int) and isinstance(high, int):
        return range(low, high + 1)
    return ()


def _compared(
    seen: Sequence[_Seen], places: Mapping[str, Any], ability: float, chance: Chance
) -> tuple[dict[str, Any], str]:
    """The better of two for each place that names them, and the reason."""
    first, second = seen
    longer = math.log((1 + len(first.text)) / (1 + len(second.text)))
    lead = (
        _discernment(ability, max(first.difficulty, second.difficulty)) * (first.quality - second.quality)
        + _noise((first.luck - second.luck) / math.sqrt(2), chance)
        + POSITION_LEAN
        + LENGTH_LEAN * max(-2.0, min(2.0, longer))
    )
    even = abs(lead) < TIE_WITHIN or first.text == second.text
    chosen = {name: _choice(part.get("enum"), lead, even=even) for name, part in places.items()}
    better = chance.pick("reason", _BETTER).format("first" if lead > 0 else "second")
    reason = chance.pick("reason", _EVEN) if even else better
    return {name: one for name, one in chosen.items() if one is not None}, reason


def _choice(options: Any, lead: float, *, even: bool) -> str | None:
    """The option that says so; None if they do not name a first and a second."""
    texts = [option for option in options if isinstance(option, str)] if isinstance(options, list) else []
    first, second, tie = (
        next((text for text in texts if text.casefold().replace("_", " ") in words), None)
        for words in (_FIRST, _SECOND, _TIE)
    )
    if first is None or second is None:
        return None
    if tie is not None and even:
        return tie
    return first if lead > 0 else second
