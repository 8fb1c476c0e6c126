import threading
from decimal import Decimal

import pytest

import llmkit as kit
from llmkit.progress import Timed, progress, shown_by
from llmkit.session import current
from llmkit.workers import Cancel, concurrently
from tests.batches import a_task, asked_directly, made
from tests.pages import is_harmless, text_of, until
from tests.pages import shown_by as all_shown_by


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    yield
    kit.connect("offline")


@pytest.fixture
def make():
    made = []

    def panel(*arguments, **more):
        made.append(kit.widgets.progress(*arguments, **more))
        return made[-1]

    yield panel
    for each in made:
        each.close()


def attempts():
    return current().ledger.spend().attempts


def test_a_comparison_runs_beside_the_notebook_and_is_the_panels_value(make):
    models = kit.models("sonnet", "opus")
    panel = make(a_task(), models)
    assert (attempts(), panel.value) == (0, None)
    panel.go.click()
    assert panel.settle()
    paid = current().ledger.spend().certain
    assert (panel.bar.value, panel.bar.max, panel.bar.bar_style) == (24, 24, "success")
    assert panel.words == f"24 of 24 · SIMULATED ${paid:.4f}"
    assert panel.said == "Done: the comparison is the panel's .value."
    again = kit.compare(a_task(), models)
    assert set(again.frame["origin"]) == {"replay"}
    assert list(again.frame["answer"]) == list(panel.value.frame["answer"])
    assert "SIMULATED" in text_of(panel.result.value)
    assert is_harmless(panel.result.value)


def test_settings_are_those_of_compare_and_a_wrong_one_is_told(make):
    panel = make(a_task(4), kit.models("sonnet"), repeats=2)
    panel.run()
    assert panel.settle()
    assert len(panel.value.frame) == 8
    wrong = make(a_task(4), kit.models("sonnet"), repeats=0)
    wrong.run()
    assert wrong.settle()
    assert "repeats is 0" in wrong.said
    assert not wrong.go.disabled


def test_without_models_the_panel_says_what_is_missing(make):
    panel = make(a_task(4))
    panel.run()
    assert panel.settle()
    assert "needs a list of models" in panel.said


def test_cancel_ends_it_as_interrupt_does_and_a_new_start_goes_on(make):
    kit.connect("offline", pace=0.05)
    panel = make(a_task(60), kit.models("haiku"), workers=2)
    panel.run()
    until(lambda: panel.bar.value >= 2)
    panel.halt.click()
    assert panel.settle()
    assert "answers are kept" in panel.said
    assert panel.bar.bar_style == "warning"
    assert (panel.value, panel.go.description) == (None, "Go on")
    until(lambda: "reserved" not in set(current().ledger.frame()["state"]))
    had = attempts()
    assert 2 <= had < 60
    panel.go.click()
    assert panel.settle(60)
    assert len(panel.value.frame) == 60
    assert attempts() == 60


def test_closing_the_panel_ends_the_run(make):
    kit.connect("offline", pace=0.05)
    panel = make(a_task(60), kit.models("haiku"), workers=2)
    panel.run()
    until(lambda: panel.bar.value >= 1)
    panel.close()
    assert panel.settle()
    assert attempts() < 60


def test_failures_are_counted(make):
    kit.connect("offline", faults=["400*2"])
    panel = make(a_task(6), kit.models("haiku"))
    panel.run()
    assert panel.settle()
    assert "2 failed" in panel.words


def test_a_reached_ceiling_is_told(make):
    panel = make(a_task(6), kit.models("opus"), budget="0.0001")
    panel.run()
    assert panel.settle()
    assert "ceiling" in panel.said


def test_a_batch_is_sent_waited_for_and_collected(make):
    task, models = a_task(), kit.models("sonnet", "opus")
    panel = make(kit.batch(task, models))
    assert made() == 0
    panel.run()
    assert panel.settle(60)
    assert panel.value.succeeded == 24
    assert panel.bar.value == panel.bar.max == 24
    kit.compare(task, models)
    assert asked_directly() == 0


def test_cancelling_a_batch_stops_waiting_and_the_batch_goes_on(make):
    batch = kit.batch(a_task(), kit.models("sonnet"))
    waiting = threading.Event()
    wait = batch.wait

    def patient(*, sleep):
        def pause(_):
            waiting.set()
            sleep(30)

        return wait(sleep=pause)

    batch.wait = patient
    panel = make(batch)
    panel.run()
    assert waiting.wait(10)
    panel.halt.click()
    assert panel.settle(5)
    assert "the batch goes on at the provider" in panel.said
    batch.wait = wait
    panel.go.click()
    assert panel.settle(60)
    assert panel.value.succeeded == 12


def test_the_last_state_says_how_far_it_came(make):
    panel = make(a_task(4), kit.models("haiku"))
    panel.run()
    assert panel.settle()
    said = text_of(panel._repr_mimebundle_()["text/html"].split("</style>")[1])
    assert "4 of 4" in said
    assert is_harmless(all_shown_by(panel))
    assert [panel.bar.description, panel.go.description, panel.halt.description] == [
        "Done",
        "Run again",
        "Cancel",
    ]


def test_a_run_within_shown_by_shows_itself_there():
    seen = []

    class Kept(Timed):
        def _show(self):
            seen.append(self._text())

    with shown_by(lambda total, **how: Kept(total, how["simulated"])):
        display = progress(3, title="x", simulated=True)
        display.update(done=2, dollars=Decimal(1), failed=1)
        display.close()
    assert seen == ["2 of 3 · SIMULATED $1.0000 · 1 failed"] * 2
    assert not isinstance(progress(3, title="x", simulated=True), Kept)


def test_a_cancel_ends_a_run_that_waits_and_runs_that_begin_after_it():
    cancel, gate, begun = Cancel(), threading.Event(), threading.Event()
    ended = []

    def work(job):
        begun.set()
        gate.wait(10)
        return job

    def run():
        try:
            with cancel.ends():
                list(concurrently(work, range(4), workers=2))
        except KeyboardInterrupt:
            ended.append(True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert begun.wait(10)
    cancel.set()
    thread.join(5)
    assert ended == [True]
    run()
    assert ended == [True, True]
    gate.set()
    with pytest.raises(KeyboardInterrupt):
        cancel.sleep(10)
    assert [result for _, result in concurrently(lambda job: job, [1])] == [1]
