"""The answer book: right and wrong answers, drawn by item response theory.

P(right) = 1 / (1 + exp(-(ability - difficulty))), the Rasch model. The abilities are invented; they order the
models as their makers do and mean nothing else. Half of the luck of a draw belongs to the question and half
to the model, so that models are often right and wrong together, as real ones are.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from .tokens import seed

_LINES = {"haiku": 0.3, "sonnet": 1.0, "opus": 1.8, "fable": 2.3, "mythos": 2.5}
_EFFORT = {"low": -0.5, "medium": -0.2, "high": 0.0, "xhigh": 0.2, "max": 0.4}

_OPENERS = (
    "There are several ways to look at this, and the short one comes first.",
    "Here is how one might begin.",
    "Let me put the main point first and the details after it.",
)
_MIDDLES = (
    "The first thing to settle is what is being asked, and for whom.",
    "A careful reader would check the numbers before trusting the story they tell.",
    "What looks like one question is often two, and the second is the harder one.",
    "It helps to write down what is known, what is guessed, and what would change the answer.",
    "An example says more than a rule: take the simplest case and see what happens.",
    "Where two sources disagree, the difference is usually in what they counted.",
    "None of this is settled, but the direction is clear enough to act on.",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a book; ``difficulty`` in logits, 0 is average."""

    text: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    difficulty: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and how hard the question was."""

    text: str
    difficulty: float


class Book:
    """Questions that were taught, found by their exact text or by the item's text inside it."""

    def __init__(self) -> None:
        self._by_prompt: dict[str, Entry] = {}
        self._by_input: dict[str, Entry] = {}
        self._lock = threading.Lock()

    def learn(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add entries; a later one with the same prompt or input replaces the earlier."""
        with self._lock:
            for raw in entries:
                right, wrong = tuple(map(str, raw["right"])), tuple(map(str, raw["wrong"]))
                if not right or not wrong:
                    raise ValueError(f"entry {raw.get('id')!r} needs right and wrong answers")
                entry = Entry(str(raw["input"]), right, wrong, float(raw.get("difficulty", 0.0)))
                if raw.get("prompt"):
                    self._by_prompt[str(raw["prompt"])] = entry
                self._by_input[entry.text] = entry

    def find(self, question: str) -> Entry | None:
        """The entry asked about, or None."""
        found = self._by_prompt.get(question)
        if found is not None:
            return found
        inside = [entry for text, entry in list(self._by_input.items()) if len(text) > 3 and text in question]
        return max(inside, key=lambda entry: len(entry.text), default=None)

    def answer(self, facts: Mapping[str, Any], effort: str, question: str, draw: str) -> Answer:
        """The model's answer to a question; ``draw`` names the request and its repeat."""
        chance = seed("answer", str(facts["id"]), draw)
        entry = self.find(question)
        if entry is None:
            return Answer(_made_up(question, draw), 0.0)
        luck = (seed("item", question).gauss() + chance.gauss()) / math.sqrt(2)
        right = NormalDist().cdf(luck) < probability(facts, effort, entry.difficulty)
        return Answer(chance.choice(entry.right if right else entry.wrong), entry.difficulty)


def probability(facts: Mapping[str, Any], effort: str, difficulty: float) -> float:
    """P(right) of a model on an item."""
    return 1 / (1 + math.exp(difficulty - ability(facts, effort)))


def ability(facts: Mapping[str, Any], effort: str) -> float:
    """The invented ability of a model, in logits: its line's, and a little more the newer it is."""
    years = int(str(facts["released"])[:4]) - 2024 + int(str(facts["released"])[5:7]) / 12
    return _LINES.get(str(facts["line"]), 1.0) + 0.45 * years + _EFFORT.get(effort, 0.0)


def _made_up(question: str, draw: str) -> str:
    chance = seed("made up", draw)
    words = question.split()
    topic = " ".join(words[:12]) + (" ..." if len(words) > 12 else "")
    middles = chance.sample(_MIDDLES, k=chance.randint(3, 6))
    return f'(simulated) About "{topic}"\n\n{chance.choice(_OPENERS)} {" ".join(middles)}'
