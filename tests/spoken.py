"""A comparison whose answers all differ, for votes and grades by hand."""

import pandas as pd

import llmkit as kit
from llmkit.compare import COLUMNS
from llmkit.comparison import Comparison

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>[x](javascript:alert(3))\x1b[31m\u202e$x$'


def spoken(n=12, *, models=("Sonnet", "Opus"), repeats=1, score=None, answer=None, simulated=False, **more):
    """``score`` and ``answer`` are functions of (index, label, repeat)."""
    score = score or (lambda i, label, _: float(label == "Opus" or i % 2))
    answer = answer or (lambda i, label, repeat: f"{label.lower()[::-1]} says **{i}.{repeat}**")
    rows = []
    for index in range(n):
        for repeat in range(repeats):
            for label in models:
                row = dict.fromkeys(COLUMNS) | {"item": str(index), "model": label, "repeat": repeat}
                row |= {"score": score(index, label, repeat), "answer": answer(index, label, repeat)}
                row |= {"outcome": "ok", "cost": 0.01, "latency": 1.5, "simulated": simulated}
                row |= {"input_tokens": 10.0, "output_tokens": 20.0, "explanation": f"because {index}"}
                rows.append(
                    row | {"text": f"ticket {index}", "label": "x", "kind": "odd" if index % 2 else "even"}
                )
    frame = pd.DataFrame(rows)
    items = frame.drop_duplicates("item")[["item", "text", "label", "kind"]].reset_index(drop=True)
    given = {"prompt": "Read {text}.", "target": "label", "grade": kit.graders.exact(), "id": "item"}
    task = kit.Task(items, slices=["kind"], name="spoken", **given, **more)
    return Comparison(task, list(models), frame)
