"""A block of questions put to one peer in its worker: what each took, and every answer looked at.

Each begins with one more question, the ``first``, that is not measured: connections may have been closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from statistics import median
from typing import TypedDict

from .peers import Peer
from .questions import check, prompt
from .worker import named


class Taken(TypedDict):
    """Seconds a question, CPU of all threads and wall; of a first piece, the median of its block."""

    cpu: float
    wall: float


class Block:
    """One peer, made in its worker from ``module:Class``."""

    def __init__(self, *, peer: str, **given: str) -> None:
        self._peer: Peer = named(peer)(**given)

    def call(self, *, first: int, questions: int) -> Taken:
        """One after the other, whole answers."""
        return _taken(partial(map, self._peer.call), first, questions)

    def stream(self, *, first: int, questions: int) -> Taken:
        """One after the other, streamed and read to the end."""
        return _taken(partial(map, self._streamed), first, questions)

    def many(self, *, first: int, questions: int, at_once: int) -> Taken:
        """So many at once."""
        return _taken(partial(self._peer.many, at_once=at_once), first, questions)

    def first_piece(self, *, first: int, questions: int) -> Taken:
        """One after the other, each until its first piece; the rest is read unmeasured."""
        _, *each = [self._begun(number) for number in range(first, first + 1 + questions)]
        return {"cpu": median(one["cpu"] for one in each), "wall": median(one["wall"] for one in each)}

    def _begun(self, number: int) -> Taken:
        asked = prompt(number)
        cpu, wall = time.process_time(), time.perf_counter()
        pieces = iter(self._peer.stream(asked))
        piece = next(pieces)
        taken: Taken = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        check(number, piece + "".join(pieces), None)
        return taken

    def _streamed(self, asked: str) -> tuple[str, None]:
        return "".join(self._peer.stream(asked)), None


def _taken(ask: Callable[[list[str]], Iterable[tuple[str, int | None]]], first: int, questions: int) -> Taken:
    list(ask([prompt(first)]))
    numbers = range(first + 1, first + 1 + questions)
    prompts = [prompt(number) for number in numbers]
    cpu, wall = time.process_time(), time.perf_counter()
    answers = list(ask(prompts))
    taken: Taken = {
        "cpu": (time.process_time() - cpu) / questions,
        "wall": (time.perf_counter() - wall) / questions,
    }
    for number, (text, tokens) in zip(numbers, answers, strict=True):
        check(number, text, tokens)
    return taken
