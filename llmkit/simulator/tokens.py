"""Tokens and seconds that look like the real ones, from counts anybody can repeat."""

from __future__ import annotations

import hashlib
import math
import random
from typing import Any

# Characters per token in recorded traffic, by tokenizer.
_CHARACTERS = {"v1": 3.7, "v2": 2.8}
# Milliseconds to begin and a token, as recorded on servers for the 4 and 4.5 models; newer ones are guessed.
_SPEED = {"haiku": (627.0, 6.8), "sonnet": (1849.0, 16.1), "opus": (2639.0, 20.0)}
_OTHER_SPEED = (3000.0, 24.0)
_THINKING = {"low": 15, "medium": 60, "high": 130, "xhigh": 260, "max": 480}


def count(text: str, tokenizer: str) -> int:
    """About how many tokens a text makes; 0 for none."""
    return math.ceil(len(text) / _CHARACTERS[tokenizer])


def seed(*parts: str) -> random.Random:
    """A generator that depends on the parts only."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def thinking(chance: random.Random, effort: str, difficulty: float) -> int:
    """Thinking tokens: more with effort and difficulty, and never twice quite the same."""
    middle = _THINKING.get(effort, _THINKING["high"]) * math.exp(0.25 * difficulty)
    return round(middle * chance.lognormvariate(0.0, 0.4))


def latency(chance: random.Random, facts: dict[str, Any], output: int, hidden: int) -> tuple[float, float]:
    """Virtual milliseconds to the first text and to the end; ``hidden`` tokens come before the text."""
    begin, each = _SPEED.get(facts["line"], _OTHER_SPEED)
    noise = chance.lognormvariate(0.0, 0.2)
    first = (begin + each * (hidden + 1)) * noise
    return round(first, 1), round(first + each * max(output - hidden - 1, 0) * noise, 1)
