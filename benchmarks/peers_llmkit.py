"""llmkit as its users ask: ``model(...)``, ``model.stream(...)``, ``model.map(...)``, all layers included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import llmkit as kit

from .peers import Answer, Peer
from .questions import MAX_TOKENS, MODEL, SYSTEM


class Llmkit(Peer):
    """Live, with its store in memory or in a file; the address and the key are in the environment."""

    def __init__(self, *, url: str, store: str) -> None:
        kit.connect("live", store=store)
        self._model = kit.model(MODEL)

    def call(self, prompt: str) -> Answer:
        """One call."""
        return _said(self._model(prompt, system=SYSTEM, max_tokens=MAX_TOKENS))

    def stream(self, prompt: str) -> Iterator[str]:
        """One stream."""
        yield from self._model.stream(prompt, system=SYSTEM, max_tokens=MAX_TOKENS)

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Its own threads."""
        asked = self._model.map(prompts, workers=at_once, system=SYSTEM, max_tokens=MAX_TOKENS)
        return [_said(answer) for answer in asked]


def _said(answer: kit.Response) -> Answer:
    return answer.text, answer.usage.output if answer.usage else 0
