"""What every way is asked, and what the local server answers; each question has a number of its own."""

from __future__ import annotations

import re
from zlib import crc32

MODEL = "claude-sonnet-5-5"
MODELS = ("claude-sonnet-5-5", "claude-opus-5-5")
KEY = "no-key-at-all"
MAX_TOKENS = 1024
SYSTEM = "You sort the letters of a shop's customers. Say what you found, then name the category. " * 4
_LETTER = "I ordered three lamps, one came broken, and nobody answers the telephone in your shop. " * 8

LABELS = ("billing", "delivery", "returns", "other")
TOKENS = 500
PIECES = 118
# No two pieces are alike: LiteLLM takes a hundred equal ones for a model that has lost its way.
_PIECES = tuple(f"word {number:03d} and more " for number in range(PIECES - 1))
BODY = "".join(_PIECES)


def prompt(number: int) -> str:
    """The question of that number."""
    return f"{_LETTER}\nThis is letter number {number}. Which category is it?"


def target(number: int) -> str:
    """The right label of a question."""
    return LABELS[number % len(LABELS)]


def number_in(text: bytes) -> int:
    """The number of the question that a request holds; 0 where there is none."""
    found = re.search(rb"letter number (\d+)", text)
    return int(found[1]) if found else 0


def label(model: str, number: int) -> str:
    """What a model answers: right in some 85 of 100 questions, each model in others."""
    wrong = crc32(f"{model} {number}".encode()) % 100 >= 85
    return LABELS[(number + wrong) % len(LABELS)]


def answer(model: str, number: int) -> str:
    """The whole text of an answer; its last piece is its last line."""
    return f"{BODY}{last_piece(model, number)}"


def last_piece(model: str, number: int) -> str:
    """The line with the label."""
    return f"\nCategory: {label(model, number)}"


def pieces(model: str, number: int) -> list[str]:
    """The same text as it is streamed."""
    return [*_PIECES, last_piece(model, number)]


def check(number: int, text: str, tokens: int | None, *, model: str = MODEL) -> None:
    """Raise ``ValueError`` unless this is the whole answer; ``tokens`` None is not looked at."""
    if text != answer(model, number):
        raise ValueError(f"question {number} was answered with {len(text)} characters: {text[-40:]!r}")
    if tokens not in (None, TOKENS):
        raise ValueError(f"question {number} was answered with {tokens} tokens, not {TOKENS}")
