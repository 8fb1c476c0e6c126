import pytest

import llmkit as kit
from llmkit import estimates
from llmkit.session import current


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")


def test_a_plan_asks_nothing_and_bounds_what_the_run_then_costs():
    task, models = kit.read_task("support_triage").head(60), kit.models("sonnet", "opus")
    plan = kit.plan(task, models)
    assert current().ledger.spend().attempts == 0
    assert plan.calls == 120
    kit.compare(task, models)
    spent = current().ledger.spend().certain
    assert spent < plan.worst
    assert plan.expected / 2 < spent < plan.expected * 2


def test_repeats_multiply_calls_and_money_but_not_power():
    task, models = kit.read_task("support_triage"), kit.models("sonnet", "opus")
    one, three = kit.plan(task, models), kit.plan(task, models, repeats=3)
    assert three.calls == 3 * one.calls
    assert float(three.expected) == pytest.approx(3 * float(one.expected))
    assert three.smallest_gaps == one.smallest_gaps


def test_it_says_the_smallest_gap_or_that_there_is_none():
    task, models = kit.read_task("support_triage"), kit.models("sonnet", "opus")
    assert "a gap of" in kit.plan(task, models).sentence()
    assert "no gap can be shown" in kit.plan(task.head(20), models).sentence()
    assert "<table" in kit.plan(task.head(20), models)._repr_html_()
    assert "USD at worst" in repr(kit.plan(task.head(20), models))


@pytest.mark.parametrize(("models", "repeats"), [([], 1), ("one", 0)])
def test_a_plan_needs_models_and_repeats(models, repeats):
    chosen = kit.models("opus") if models == "one" else models
    with pytest.raises(kit.UsageError):
        kit.plan(kit.read_task("support_triage"), chosen, repeats=repeats)


def test_guesses_grow_with_what_they_are_made_of():
    assert estimates.tokens("x" * 280, "v2") == 100
    assert estimates.tokens("", "v1") == 0
    assert estimates.thinking_tokens("disabled", "max") == 0
    assert estimates.thinking_tokens("adaptive", "max") > estimates.thinking_tokens("adaptive", "low")
    assert estimates.seconds("opus", 500) > estimates.seconds("haiku", 500)
