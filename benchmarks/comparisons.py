"""A whole comparison of two models on the same items, as each way's users write it; runs in a worker."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .questions import KEY, LABELS, MAX_TOKENS, MODELS, SYSTEM, label, prompt, target

Right = dict[str, int]
_AT_ONCE = 8
_LABEL = r"Category: (\w+)"


class Way(ABC):
    """Asks both models every item, grades, keeps what was answered, and says how many each had right."""

    def compare(self, *, first: int, items: int) -> None:
        """Compare on so many new items. Raises ``ValueError`` where the result is not the true one."""
        numbers = range(first, first + items)
        found = self.right(numbers)
        true = {model: sum(label(model, n) == target(n) for n in numbers) for model in MODELS}
        if found != true:
            raise ValueError(f"it found {found} right, and {true} were")

    @abstractmethod
    def right(self, numbers: range) -> Right:
        """How many each model had right."""


class Llmkit(Way):
    """``kit.compare``: recorded, booked, graded, a frame, a verdict."""

    def __init__(self, *, url: str, store: str) -> None:
        import llmkit as kit

        kit.connect("live", store=store)
        self._models = [kit.model(name, system=SYSTEM, max_tokens=MAX_TOKENS) for name in MODELS]

    def right(self, numbers: range) -> Right:
        """From the frame of the comparison."""
        import pandas as pd

        import llmkit as kit

        items = {"text": [prompt(n) for n in numbers], "label": [target(n) for n in numbers]}
        grade = kit.graders.choice(LABELS)
        task = kit.Task(pd.DataFrame(items), prompt="{text}", target="label", grade=grade)
        done = kit.compare(task, self._models)
        failed = done.frame[done.frame["score"].isna()]
        if len(failed) or not done.verdict.sentence:
            raise ValueError(f"{len(failed)} answers failed: {failed.head(1).to_dict('records')}")
        scores = done.frame.groupby("model")["score"].sum()
        return {name: int(scores[model.label]) for name, model in zip(MODELS, self._models, strict=True)}


class Loop(Way):
    """A minimal loop over the official SDK: threads, a regular expression, a file of JSON lines."""

    def __init__(self, *, url: str) -> None:
        import anthropic

        self._client: Any = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)

    def right(self, numbers: range) -> Right:
        """By counting."""
        jobs = [(model, number) for number in numbers for model in MODELS]
        right = dict.fromkeys(MODELS, 0)
        with ThreadPoolExecutor(_AT_ONCE) as threads, Path("answers.jsonl").open("a") as file:
            for (model, number), text in zip(jobs, threads.map(self._ask, jobs), strict=True):
                named = re.search(_LABEL, text)
                is_right = named is not None and named[1] == target(number)
                right[model] += is_right
                file.write(
                    json.dumps({"model": model, "item": number, "answer": text, "right": is_right}) + "\n"
                )
        return right

    def _ask(self, job: tuple[str, int]) -> str:
        model, number = job
        turns = [{"role": "user", "content": prompt(number)}]
        said = self._client.messages.create(model=model, max_tokens=MAX_TOKENS, system=SYSTEM, messages=turns)
        return str(said.content[0].text)


class Inspect(Way):
    """Inspect AI's ``eval`` with its own log."""

    def __init__(self, *, url: str) -> None:
        from inspect_ai.model import GenerateConfig, get_model

        config = GenerateConfig(max_tokens=MAX_TOKENS, max_retries=0, max_connections=_AT_ONCE)
        self._models = [
            get_model(f"anthropic/{name}", config=config, api_key=KEY, base_url=url) for name in MODELS
        ]

    def right(self, numbers: range) -> Right:
        """From the scores of its logs."""
        from inspect_ai import Task, eval
        from inspect_ai.dataset import Sample
        from inspect_ai.scorer import pattern
        from inspect_ai.solver import generate, system_message

        samples = [Sample(input=prompt(n), target=target(n)) for n in numbers]
        task = Task(dataset=samples, solver=[system_message(SYSTEM), generate()], scorer=pattern(_LABEL))
        logs = eval(task, model=self._models, display="none", log_dir="logs")
        return {log.eval.model.partition("/")[2]: _right(log, len(numbers)) for log in logs}


def _right(log: Any, items: int) -> int:
    accuracy: float = log.results.scores[0].metrics["accuracy"].value
    return round(accuracy * items)
