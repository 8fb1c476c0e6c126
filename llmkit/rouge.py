"""ROUGE (Lin 2004): words, word pairs or the longest common sequence that two texts share.

As the field's reference program counts them: lower case, words of ASCII letters and digits only; with a
stemmer, words of more than three letters are reduced to their stem (Porter 1980, by nltk).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Literal

Variant = Literal["1", "2", "L", "Lsum"]

_WORD = re.compile(r"[a-z0-9]+")


def rouge(
    found: str, wanted: str, *, variant: Variant = "L", stemmer: bool = False
) -> tuple[float, float, float]:
    """(precision, recall, f1) of a text against a reference, each from 0 to 1.

    "1" and "2" share n-grams, repetitions counted (eq. 1); "L" the longest common subsequence of the whole
    texts (eq. 2-4 with beta 1); "Lsum" the union of those of each line of the reference with every line of
    the text (eq. 5-7), no word counted more often than both texts have it.
    """
    if variant == "Lsum":
        lines = [[words(line, stemmer) for line in text.splitlines()] for text in (found, wanted)]
        return _union([line for line in lines[0] if line], [line for line in lines[1] if line])
    one, other = words(found, stemmer), words(wanted, stemmer)
    if variant == "L":
        return _measures(len(common(other, one)), len(one), len(other))
    size = int(variant)
    ours, theirs = _grams(one, size), _grams(other, size)
    return _measures((ours & theirs).total(), ours.total(), theirs.total())


def words(text: str, stemmer: bool = False) -> list[str]:
    """The words that are compared."""
    plain = _WORD.findall(text.lower())
    return [_stem(word) if len(word) > 3 else word for word in plain] if stemmer else plain


def common(one: Sequence[str], other: Sequence[str]) -> list[int]:
    """Places in ``one`` of a longest common subsequence; O(len(one) * len(other))."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, word in enumerate(one):
        above, row = table[i], table[i + 1]
        for j, match in enumerate(other):
            row[j + 1] = above[j] + 1 if word == match else max(above[j + 1], row[j])
    places, i, j = [], len(one), len(other)
    while i and j:
        if one[i - 1] == other[j - 1]:
            places.append(i - 1)
            i, j = i - 1, j - 1
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return places[::-1]


def _union(found: list[list[str]], wanted: list[list[str]]) -> tuple[float, float, float]:
    left = Counter(word for line in found for word in line)
    also = Counter(word for line in wanted for word in line)
    sizes = left.total(), also.total()
    shared = 0
    for line in wanted:
        for place in sorted({place for each in found for place in common(line, each)}):
            word = line[place]
            if left[word] > 0 and also[word] > 0:
                shared, left[word], also[word] = shared + 1, left[word] - 1, also[word] - 1
    return _measures(shared, *sizes)


def _grams(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[place : place + size]) for place in range(len(tokens) - size + 1))


def _measures(shared: int, found: int, wanted: int) -> tuple[float, float, float]:
    precision, recall = shared / max(found, 1), shared / max(wanted, 1)
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


@cache
def _stem(word: str) -> str:
    return str(_porter().stem(word))


@cache
def _porter() -> Any:
    stem: Any = import_module("nltk.stem.porter")
    return stem.PorterStemmer()
