"""A task, models that answer it at once, and a store that holds their answers already."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import sqlite3
from collections.abc import Generator, Sequence
from decimal import Decimal
from pathlib import Path

import pandas as pd

import llmkit as kit
from llmkit import recordings, rows
from llmkit.compare import plan_order
from llmkit.dialogue import Dialogue
from llmkit.estimates import UNKNOWN
from llmkit.grades import grade_with
from llmkit.meter import Metered
from llmkit.model import Model, finish
from llmkit.recordings import Recorded
from llmkit.records import Cost, Request, Response, Usage
from llmkit.resume import Resume
from llmkit.session import current

ENDPOINT = "bench"
LENGTH = 1_000  # characters of an answer
SKILLS = {"first": 0.80, "second": 0.82}
_LABELS = ("billing", "delivery", "returns", "other")
_FILLER = "The customer writes about an order, and the words before the last line say why. "


class Scripted(Model):
    """Right as often as its skill says, by a hash of the prompt; ``asked`` counts its answers."""

    def __init__(self, name: str, skill: float) -> None:
        self.name = self.label = name
        self._skill, self.asked = skill, 0

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Answer at once."""
        self.asked += 1
        prompt = str(request.messages[0].content)
        draw = int.from_bytes(hashlib.sha256(f"{self.name}{prompt}".encode()).digest()[:4], "big") / 2**32
        number = int(prompt.rsplit(" ", 1)[-1])
        label = _LABELS[(number + (draw > self._skill)) % len(_LABELS)]
        text = _FILLER * (LENGTH // len(_FILLER)) + f"{number}.\nCategory: {label}"
        yield text
        usage = Usage(input=40, output=len(text) // 4, raw={"input_tokens": 40})
        price = Cost(Decimal("0.000125"))
        return Response(
            text, self.name, usage=usage, cost=price, latency=1.0 + draw, simulated=True, origin="simulated"
        )


def dressed(scripted: Scripted) -> Model:
    """A scripted model in the layers of a real one, on the store of the session."""
    session = current()
    metered = Metered(
        scripted,
        session.ledger,
        endpoint=ENDPOINT,
        price=lambda response: response.cost,
        worst=lambda request: Decimal("0.001"),
        budgets=tuple,
        timeout=600.0,
    )
    recorded = Recorded(metered, session.store, endpoint=ENDPOINT)
    return Dialogue(recorded, check=lambda request: None, guess=lambda request, answer: UNKNOWN)


def make_task(items: int) -> kit.Task:
    """A task of so many items with a label each."""
    texts = [f"Customer's message number {number}" for number in range(items)]
    frame = pd.DataFrame({"text": texts, "label": [_LABELS[n % len(_LABELS)] for n in range(items)]})
    return kit.Task(frame, prompt="Classify: {text}", target="label", grade=kit.graders.choice(_LABELS))


def scripted() -> list[Scripted]:
    """The two models of every comparison here."""
    return [Scripted(name, skill) for name, skill in SKILLS.items()]


def fill(path: Path, items: int) -> None:
    """Put all answers into a store in one go, as a comparison of the same task leaves them; closes it."""
    with contextlib.redirect_stdout(io.StringIO()):
        kit.connect("offline", store=path)
    task, plain = make_task(items), scripted()
    models = [dressed(each) for each in plain]
    _record(task, models, plain, list(plan_order(items, len(models), 1)))
    current().store.close()


def without(path: Path, copy: Path, *, share: float) -> int:
    """Copy a store that ``fill`` made, without some share of its answers; returns how many it lacks."""
    shutil.copy(path, copy)
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        lacks = int(share * connection.execute("SELECT count(*) FROM recording").fetchone()[0])
        gone = "(SELECT key FROM recording ORDER BY key LIMIT ?)"
        connection.execute(f"DELETE FROM graded WHERE recording IN {gone}", (lacks,))
        connection.execute(f"DELETE FROM recording WHERE key IN {gone}", (lacks,))
        connection.commit()
    return lacks


def _record(
    task: kit.Task, models: Sequence[Model], plain: Sequence[Scripted], jobs: Sequence[rows.Job]
) -> None:
    store = current().store
    resume = Resume(store, task, models, 1)
    answers = []
    for job in jobs:
        request = task.request(models[job.model], job.index, repeat=0)
        response = finish(plain[job.model].run(request))
        answers.append((plain[job.model].name, request, response))
        grade = grade_with(task.grade, response.text, task.item(job.index))
        resume.keep(job, rows.answered(response, grade))

    def write(connection: sqlite3.Connection) -> None:
        for answer in answers:
            recordings.write(connection, ENDPOINT, *answer)

    store.write(write)
    resume.flush()
