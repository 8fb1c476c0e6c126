"""The answer book, and who gets an answer right: item response theory.

A model of ability a answers an item of difficulty d rightly with probability 1 / (1 + exp(-(a - d)))
(Rasch 1960, the one-parameter logistic model; both in logits), taken over items of that difficulty. Two
models, or two repeats, are often right and wrong together, as real ones are: they share the difficulty of
an item, and half of the luck (a Gaussian copula of correlation 1/2), which leaves the probability as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from statistics import NormalDist
from threading import Lock
from typing import Any

from .chance import Chance

ABILITIES: Mapping[str, float] = {
    "claude-3-haiku-20240307": -1.2,
    "claude-3-5-haiku-20241022": -0.5,
    "claude-haiku-4-5-20251001": 0.5,
    "claude-haiku-5-5": 1.5,
    "claude-3-sonnet-20240229": -0.7,
    "claude-3-5-sonnet-20240620": 0.0,
    "claude-3-5-sonnet-20241022": 0.2,
    "claude-3-7-sonnet-20250219": 0.5,
    "claude-sonnet-4-20250514": 0.8,
    "claude-sonnet-4-5-20250929": 1.2,
    "claude-sonnet-4-6": 1.5,
    "claude-sonnet-5": 1.9,
    "claude-sonnet-5-5": 2.2,
    "claude-3-opus-20240229": -0.1,
    "claude-opus-4-20250514": 1.1,
    "claude-opus-4-1-20250805": 1.3,
    "claude-opus-4-5-20251101": 1.7,
    "claude-opus-4-6": 2.0,
    "claude-opus-4-7": 2.2,
    "claude-opus-4-8": 2.4,
    "claude-opus-5": 2.7,
    "claude-opus-5-5": 3.0,
    "claude-fable-5": 2.9,
    "claude-fable-5-1": 3.2,
    "claude-fable-5-2": 3.4,
    "claude-mythos-preview": 2.8,
    "claude-mythos-5": 3.0,
    "claude-mythos-5-1": 3.3,
    "claude-mythos-5-2": 3.5,
}
"""Invented, in logits; they follow no measurement. Newer and larger is better, and that is all they say."""

OTHER_ABILITIES: Mapping[str, float] = {
    "gpt-5-2025-08-07": 2.3,
    "gpt-5-mini-2025-08-07": 1.4,
    "gpt-4.1-2025-04-14": 1.1,
    "gpt-4o-2024-08-06": 0.4,
    "gpt-4o-mini-2024-07-18": -0.4,
    "o4-mini-2025-04-16": 1.6,
    "deepseek-chat": 1.0,
    "deepseek-reasoner": 1.5,
    "mistral-large-latest": 0.6,
    "mistral-small-latest": -0.2,
    "magistral-medium-latest": 0.8,
    "sonar": 0.1,
    "gpt-oss-120b": 0.9,
    "llama-3.3-70b-versatile": 0.1,
    "llama3.2": -1.5,
    "qwen3": -0.6,
}
"""Of models of other vendors, which the chat-completions wire serves; invented in the same way."""

AVERAGE_ABILITY = 0.0
"""Of a model that is in neither table."""

EFFORT_SHIFT: Mapping[str | None, float] = {
    None: 0.0,
    "low": -0.5,
    "medium": -0.2,
    "high": 0.0,
    "xhigh": 0.2,
    "max": 0.4,
}
"""What effort adds to ability, in logits; invented as well."""

Asked = tuple[str, tuple[str, ...]]

_REMEMBERED = 10_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the book.

    Attributes:
        input: what the item is about; found inside a prompt that is not known word for word.
        prompt: the whole text of the user's turn, or None where only ``input`` is known.
        pictures: SHA-256 of each picture shown with it, in hex; none for an entry that needs none.
        right, wrong: answers in the form the prompt asks for; one of them is given.
        difficulty: in logits; 0 is average, more is harder.
        refuse: True for a refusal before a word is said, "mid" for one after half of the answer.
    """

    id: str
    input: str
    prompt: str | None
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    difficulty: float = 0.0
    refuse: bool | str = False
    pictures: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Entry:
        """From a plain mapping.

        Raises:
            ValueError: a field is missing or of the wrong kind; the message names the entry.
        """
        id, input, prompt = raw.get("id"), raw.get("input"), raw.get("prompt")
        if not (isinstance(id, str) and isinstance(input, str) and isinstance(prompt, str | None)):
            raise ValueError(f"entry {id!r}: id and input must be texts, prompt a text or None")
        if not (input.strip() or prompt):
            raise ValueError(f"entry {id!r} can never be found: give a prompt, or an input with words in it")
        difficulty = raw.get("difficulty", 0.0)
        if not isinstance(difficulty, int | float) or not math.isfinite(difficulty):
            raise ValueError(f"entry {id!r}: difficulty is {difficulty!r}; give a finite number of logits")
        refuse = raw.get("refuse", False)
        if refuse not in (True, False, "mid"):
            raise ValueError(f"entry {id!r}: refuse is {refuse!r}; give true, false or 'mid'")
        pictures = raw.get("pictures", ())
        if not isinstance(pictures, list | tuple) or not all(isinstance(one, str) for one in pictures):
            raise ValueError(f"entry {id!r}: pictures is {pictures!r}; give a list of digests, in hex")
        answers = _texts(raw, "right"), _texts(raw, "wrong")
        return cls(id, input, prompt, *answers, float(difficulty), refuse, tuple(pictures))

    def answer(self, ability: float, chance: Chance) -> str:
        """A right answer with the probability of the module's formula, else a wrong one.

        Half of the luck is the item's own, the same for every model and repeat, and half is the draw's.
        """
        shared = Chance(sha256(f"{self.id}\0{self.input}".encode()).digest()).normal("luck")
        luck = (shared + chance.normal("luck")) / math.sqrt(2)
        right = _NORMAL.cdf(luck) < p_right(ability, self.difficulty)
        return chance.pick("answer", self.right if right else self.wrong)


def p_right(ability: float, difficulty: float) -> float:
    """The chance of a right answer (Rasch 1960); both in logits."""
    return 1.0 / (1.0 + math.exp(min(difficulty - ability, 700.0)))


def ability(model: str, effort: str | None) -> float:
    """Of the model with that id at that effort, in logits."""
    known = ABILITIES.get(model, OTHER_ABILITIES.get(model, AVERAGE_ABILITY))
    return known + EFFORT_SHIFT[effort]


class Book:
    """The entries known so far; any thread may add to them or look one up."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: dict[tuple[str, str | None], Entry] = {}
        self._exact: dict[Asked, Entry] = {}
        self._longest_first: list[Entry] | None = None
        self._by_answer: dict[str, list[Entry]] | None = None
        self._remembered: dict[Asked, Entry | None] = {}

    def learn(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add entries; one of the same id and prompt is replaced.

        Raises:
            ValueError: an entry is malformed; then none of them is added.
        """
        fresh = [Entry.of(raw) for raw in entries]
        with self._lock:
            for entry in fresh:
                # Taken out first, so that the newest comes last and wins among inputs of one length.
                old = self._entries.pop((entry.id, entry.prompt), None)
                if old is not None and self._exact.get(_key(old)) is old:
                    del self._exact[_key(old)]
                self._entries[entry.id, entry.prompt] = entry
                self._exact[_key(entry)] = entry
            self._longest_first = self._by_answer = None
            self._remembered.clear()

    def find(self, text: str, pictures: tuple[str, ...] = ()) -> Entry | None:
        """The entry asked about: of exactly this prompt, else of the longest input within ``text``.

        An entry with pictures is found with just these; one without is found whatever is shown.
        """
        asked = (text, pictures)
        with self._lock:
            exact = self._exact.get(asked) or self._exact.get((text, ()))
            if exact is not None:
                return exact
            if asked not in self._remembered:
                if len(self._remembered) >= _REMEMBERED:
                    self._remembered.clear()
                self._remembered[asked] = self._longest_within(text, pictures)
            return self._remembered[asked]

    def answered(self, answer: str, text: str) -> Entry | None:
        """The entry with this answer, right or wrong; of several the one whose input is in ``text``."""
        with self._lock:
            if self._by_answer is None:
                self._by_answer = _by_answer(self._entries.values())
            known = self._by_answer.get(answer.strip(), ())
        return max(known, key=lambda entry: len(entry.input) if entry.input in text else -1, default=None)

    def _longest_within(self, text: str, pictures: tuple[str, ...]) -> Entry | None:
        if self._longest_first is None:
            with_words = [entry for entry in reversed(self._entries.values()) if entry.input.strip()]
            self._longest_first = sorted(with_words, key=lambda entry: -len(entry.input))
        fitting = (entry for entry in self._longest_first if entry.pictures in ((), pictures))
        return next((entry for entry in fitting if entry.input in text), None)


def _by_answer(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """The entries of each answer, the newest first."""
    known: dict[str, list[Entry]] = {}
    for entry in reversed(list(entries)):
        for answer in {text.strip() for text in (*entry.right, *entry.wrong)}:
            known.setdefault(answer, []).append(entry)
    return known


def _key(entry: Entry) -> Asked:
    return (entry.input if entry.prompt is None else entry.prompt, entry.pictures)


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = raw.get(name)
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(t, str) for t in texts):
        raise ValueError(f"entry {raw.get('id')!r}: {name} is {texts!r}; give a list of one answer or more")
    return tuple(texts)
