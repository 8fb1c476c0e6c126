"""Answers that attack whoever reads them, as a task that the simulator answers with nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import llmkit as kit
from tests.test_render import HOSTILE

ATTACKS = {name: text for name, text in HOSTILE.items() if name != "half a pair"} | {
    "script that marks": "</script><script>window.ran=1</script>",
    "image that marks": '"><img src="/ran.png" onerror="window.ran=1">',
    "markdown image here": "![x](/ran.png) ![x](/files/ran.png)",
    "details that open": "<details open ontoggle=window.ran=1><summary>x</summary></details>",
    "focus that comes": "<input autofocus onfocus=window.ran=1><a href=x onfocus=window.ran=1 autofocus>x</a>",
    "animation": "<style>@keyframes x{}</style><b style='animation:x 1s' onanimationstart=window.ran=1>x</b>",
    "mathematics": r"$$\unicode{x3C}\href{javascript:window.ran=1}{x}\includegraphics{/ran.png}$$",
    "a megabyte": "<img src=/ran.png onerror=window.ran=1> " * 25_000,
}


_SINGLE = list(ATTACKS.values())
TOGETHER = ["\n\n".join(_SINGLE[start:-1:6]) for start in range(6)] + _SINGLE[-1:]
"""All of them in few texts, for panels that show one after the other."""


def attacks(texts: Sequence[str] = tuple(_SINGLE)) -> kit.Task:
    """One item a text; every answer is it, with a word before it if it is wrong."""
    items = [{"id": f"{len(texts)}-{n:02d}", "target": text} for n, text in enumerate(texts)]
    answers = {
        item["id"]: {"right": [item["target"]], "wrong": [f"no {item['target']}", f"not {item['target']}"]}
        for item in items
    }
    return kit.Task(
        items,
        prompt="Answer number {id}.",
        target="target",
        grade=kit.graders.exact(),
        id="id",
        name="attacks",
        settings={"max_tokens": 8000},
        answers=answers,
    )
