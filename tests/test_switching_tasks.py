"""Two curated tasks end to end: one on which switching between two models pays, one on which it does not."""

import pytest

import llmkit as kit
from llmkit import session
from llmkit.session import current


@pytest.fixture(autouse=True)
def connected(monkeypatch, tmp_path):
    monkeypatch.setattr(session, "_current", None)
    kit.connect("offline", store=tmp_path / "s.sqlite")
    yield
    current().close()


def examples(prompt):
    return prompt.split("<examples>\n")[1].split("\n</examples>")[0]


def longest(task, models, share=0.3):
    lengths = sorted(len(task.prompt_of(n)) for n in range(len(task)))
    return kit.route(*models, by=len, at=lengths[-round(share * len(task))], label="longest up")


def test_on_code_a_cascade_that_runs_the_visible_tests_pays_and_the_verdict_says_so():
    task, models = kit.read_task("code"), kit.models("sonnet", "opus")
    tests_first = kit.cascade(*models, accept=kit.checks.runs(examples), label="tests first")
    c = kit.compare(task, [*models, tests_first, longest(task, models)], budget=5.00)
    assert "SIMULATED" in c.verdict.sentence
    assert "Switching pays here. tests first pays: it beats a coin that spends as much" in c.verdict.sentence
    found = c.switching["tests first"]
    assert found.pays and found.gain.low > 0 and found.p < 0.05
    assert not c.switching["longest up"].pays
    paid = kit.ledger().spend()
    replayed = kit.replay(c, [*models, tests_first])
    assert kit.ledger().spend() == paid
    again = replayed.verdicts["tests first"].figures
    assert (again.gain, again.cost) == pytest.approx((found.figures.gain, found.figures.cost))
    assert replayed.table.loc["tests first", "quality"] > replayed.table.loc["Opus 5.5", "quality"]


def test_the_examples_in_the_prompt_are_the_tests_of_the_item_and_not_all_of_its_grader():
    task = kit.read_task("code")
    for n in range(len(task)):
        shown = examples(task.prompt_of(n))
        assert shown == task.frame["visible_tests"].iloc[n]
        assert shown.count("assert") < task.frame["tests"].iloc[n]


def test_on_support_triage_neither_a_check_nor_a_router_pays_and_the_verdict_says_so():
    task, models = kit.read_task("support_triage"), kit.models("sonnet", "opus")
    form = kit.checks.has(r"^Category: \w+$") & kit.checks.finished
    form_first = kit.cascade(*models, accept=form, label="form first")
    c = kit.compare(task, [*models, form_first, longest(task, models)], budget=10.00)
    assert c.headroom().go  # it would let one hope
    assert "Switching is not shown to pay here." in c.verdict.sentence
    assert "Switching pays" not in c.verdict.sentence
    assert not any(found.pays for found in c.switching.verdicts)
    for label in ("form first", "longest up"):
        assert f"{label} does not beat a coin that spends as much" in c.verdict.sentence
