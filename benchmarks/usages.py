"""What is priced: pseudo-random usages, always the same, and what they cost by nothing but Decimals."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, Inexact, localcontext
from typing import Any

KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-4-5-20251101")

Usages = Sequence[tuple[str, Mapping[str, Any]]]
"""Model and counts, one after the other."""


def pseudo_random(many: int, *, seed: int = 20261122) -> Usages:
    """Usages with and without caches, some beyond the size at which a prompt costs more; always the same."""
    chance = random.Random(seed)
    made: list[tuple[str, Mapping[str, int]]] = []
    for _ in range(many):
        counts = {
            kind: chance.choice((0, chance.randrange(2_000), chance.randrange(120_000))) for kind in KINDS
        }
        counts |= {"input": 1 + chance.randrange(10_000), "output": 1 + chance.randrange(4_000)}
        made.append((chance.choice(MODELS), counts))
    return made


def truth(usages: Usages, on: date) -> list[Decimal]:
    """USD of each, from the rows of the catalog with nothing but Decimals."""
    with localcontext() as context:
        context.traps[Inexact] = True
        return [_by_hand(model, counts, on) for model, counts in usages]


def _by_hand(model: str, counts: Mapping[str, int], on: date) -> Decimal:
    from llmkit.models import find  # not there where a peer is measured

    row = find(model).price_row(on, prompt_tokens=sum(counts[kind] for kind in KINDS[:4]))
    assert row is not None
    rates: Mapping[str, Any] = {kind: getattr(row, kind) for kind in KINDS}
    return sum((counts[kind] * rates[kind] for kind in KINDS), Decimal(0)).scaleb(-6)
