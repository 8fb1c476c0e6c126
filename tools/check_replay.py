"""GSM8K's outcomes as a comparison on which policies are replayed: do they earn what the columns say?"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import llmkit as kit
from llmkit.compare import COLUMNS
from llmkit.comparison import Comparison
from llmkit.curves import Pair
from llmkit.payoff import cascade, judge, route
from llmkit.recordings import OnlyRecorded
from llmkit.records import Request
from tools.routing_data import MARKER, PREFIX, Checks, Rows, gsm8k, weak_answers


def replayed(checks: Checks, table: Rows, prompts: list[str] | None, answers: Path | None) -> None:
    """The rule, the cascade and a router again, as policies that are replayed on a comparison."""
    if prompts is None:
        return
    print("\ngsm8k: the same as policies, by kit.replay")
    pair = gsm8k(table, PREFIX)
    c = recorded(pair, prompts, weak_answers(table, answers))
    weak, strong = (OnlyRecorded(name, name, Request()) for name in c.labels)
    marked = kit.cascade(weak, strong, accept=kit.checks.has(MARKER), label="marker")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        router = kit.fit_router(c)
    policies = [
        kit.route(weak, strong, by=len, at=300, label="length"),
        marked,
        kit.fallback(marked, strong, label="safe"),
        kit.cascade(weak, strong, accept=lambda prompt, answer: answer.text.startswith("no"), label="wrong"),
        kit.route(weak, strong, by=router, at=router.cut(prompts, 0.3), label="learned"),
        kit.mix(weak, strong, p=0.3, label="coin"),
    ]
    r = kit.replay(c, policies)
    found = {verdict.label: verdict for verdict in r.verdicts.verdicts}
    up = np.array([not re.search(MARKER, text) for text in weak_answers(table, answers)])
    for name, outcome in (
        ("length", route(pair, np.array([len(text) for text in prompts]) >= 300)),
        ("marker", cascade(pair, up)),
        ("wrong", cascade(pair, ~up)),
    ):
        stated, ours = judge(pair, outcome), found[name].figures
        for figure in ("quality", "cost", "gain", "lift", "needed"):
            title = f"replay of {name}: {figure}, as computed from the columns"
            checks.same(title, getattr(ours, figure), getattr(stated, figure), within=1e-9)
    checks.same("replay of length: gain over a coin", found["length"].figures.gain, 0.011840906868887835)
    checks.between(
        "replay of marker: gain over a coin, points", 100 * found["marker"].figures.gain, 1.75, 2.1
    )
    checks.between("replay of marker: p among six policies (Holm)", found["marker"].p, 0.0, 0.02)
    rows = [r.frame[r.frame["policy"] == name].drop(columns="policy") for name in ("marker", "safe")]
    same = rows[0].reset_index(drop=True).equals(rows[1].reset_index(drop=True))
    checks.same("fallback around the cascade, 1,307 items", str(same), "True")
    for name in ("marker", "learned"):
        checks.same(f"{name} pays", str(found[name].pays), "True")
    for name in ("wrong", "coin"):
        checks.same(f"{name} pays", str(found[name].pays), "False")
    print(r.verdicts)


def recorded(pair: Pair, prompts: list[str], weak: list[str]) -> Comparison:
    """GSM8K's outcomes as a comparison of two models; the strong one's answers are stand-ins."""
    grade = kit.graders.exact()
    items = pd.DataFrame({"text": prompts, "target": "x"})
    task = kit.Task(items, prompt="{text}", target="target", grade=grade, name="gsm8k")
    parts = []
    for name, quality, cost, texts in (
        ("weak", pair.weak_quality, pair.weak_cost, weak),
        ("strong", pair.strong_quality, pair.strong_cost, ["#### 2"] * pair.n),
    ):
        part = pd.DataFrame({column: [None] * pair.n for column in COLUMNS}, dtype=object)
        part = part.assign(item=task.ids, model=name, served=name, repeat=0, outcome="ok", origin="live")
        parts.append(part.assign(simulated=False, score=quality, cost=cost, latency=1.0, answer=texts))
    return Comparison(task, ["weak", "strong"], pd.concat(parts, ignore_index=True))
