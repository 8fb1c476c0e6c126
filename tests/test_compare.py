import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import llmkit as kit
from llmkit.compare import COLUMNS, plan_order
from llmkit.progress import shown_by
from llmkit.session import current
from tests.scripted import Scripted

ROOT = Path(__file__).parent.parent


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    return kit.models("sonnet", "opus")


def make(n=30):
    frame = pd.DataFrame(
        {"text": [f"message number {i}" for i in range(n)], "label": ["yes", "no", "maybe"] * (n // 3)}
    )
    labels = kit.graders.choice(["yes", "no", "maybe"])
    return kit.Task(
        frame, prompt="Classify: {text}", target="label", grade=labels, settings={"max_tokens": 500}
    )


def test_every_item_is_asked_of_every_model_and_graded(offline):
    c = kit.compare(make(), offline, repeats=2)
    assert len(c.frame) == 30 * 2 * 2
    assert list(c.frame.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert {"text", "label"} <= set(c.frame.columns)
    assert set(c.frame["score"]) <= {0.0, 1.0}
    assert c.frame["simulated"].all()
    assert c.verdict.sentence.startswith("SIMULATED")


def test_running_it_again_asks_nothing_and_pays_nothing(offline):
    first = kit.compare(make(), offline)
    spent = current().ledger.spend()
    again = kit.compare(make(), offline)
    assert current().ledger.spend() == spent
    assert set(again.frame["origin"]) == {"replay"}
    same = ["item", "model", "repeat", "score", "answer", "cost", "latency"]
    pd.testing.assert_frame_equal(first.frame[same], again.frame[same])
    assert first.verdict.sentence == again.verdict.sentence


class Heard:
    """A display that keeps what it was told."""

    def __init__(self, total, **how):
        self.total, self.told = total, []

    def update(self, *, done, dollars, failed):
        self.told.append((done, float(dollars)))

    def close(self):
        pass


def test_a_run_with_nothing_left_to_ask_shows_all_of_it_as_done(offline):
    first = kit.compare(make(), offline)
    shown = []
    with shown_by(lambda total, **how: shown.append(Heard(total)) or shown[-1]):
        kit.compare(make(), offline)
    assert shown[0].told == [(shown[0].total, pytest.approx(first.frame["cost"].sum()))]


def test_the_order_is_shuffled_and_every_prefix_is_paired():
    order = list(plan_order(50, 2, 3, seed=1))
    assert len(set(order)) == 300
    assert [job.index for job in order[:6]] == [order[0].index] * 6
    assert [job.index for job in order[::6]] != sorted(job.index for job in order[::6])
    assert order == list(plan_order(50, 2, 3, seed=1))


def test_a_ceiling_too_low_for_one_call_says_so_and_sends_nothing(offline):
    with pytest.raises(kit.BudgetExceeded, match="not sent"):
        kit.compare(make(), offline, budget="0.0001")
    assert current().ledger.spend().attempts == 0


def test_a_ceiling_reached_on_the_way_stops_and_the_rest_can_follow(offline):
    c = kit.compare(make(), offline, budget="0.03")
    assert 0 < len(c.frame) < 60
    assert "Stopped at the ceiling" in repr(c)
    assert current().ledger.spend().worst <= 0.03
    whole = kit.compare(make(), offline, budget=5)
    assert len(whole.frame) == 60
    assert whole.note == ""


def test_the_ceiling_is_the_comparisons_own_over_all_its_runs(offline):
    kit.compare(make(), offline, budget="0.03")
    before = current().ledger.spend().worst
    kit.compare(make(), offline, budget="0.03")
    assert current().ledger.spend().worst <= max(before, 0.03)


def test_failed_calls_are_rows_and_are_asked_again_next_time(offline):
    from llmkit.errors import Busy

    flaky = Scripted(*[Busy("overloaded")] * 3, "yes", name="flaky")
    steady = Scripted("yes", name="steady")
    c = kit.compare(make(), [steady, flaky], workers=1)
    failed = c.frame[c.frame["outcome"] == "error"]
    assert len(failed) == 3
    assert failed["score"].isna().all()
    assert "Busy: overloaded" in failed["error"].iloc[0]
    assert c.verdict.dropped == 3


def test_an_answer_cut_off_is_a_failure_that_keeps_its_text(offline):
    from llmkit.errors import Partial

    cut = Scripted(Partial("cut off", partial="Category: ye"), "yes", name="cut")
    c = kit.compare(make(), [Scripted("yes", name="steady"), cut], workers=1)
    lost = c.frame[c.frame["outcome"] == "truncated"]
    assert list(lost["answer"]) == ["Category: ye"]
    assert lost["score"].isna().all()
    assert c.verdict.dropped == 1


def test_the_policy_for_errors_is_the_callers(offline):
    from llmkit.errors import Busy

    models = [Scripted("yes", name="steady"), Scripted(Busy("no"), name="broken")]
    wrong = kit.compare(make(), models, errors="wrong")
    assert wrong.frame.loc[wrong.frame["model"] == "broken", "score"].sum() == 0
    with pytest.raises(Busy):
        kit.compare(make(), models, errors="raise")


def test_a_useless_key_ends_the_run_at_once(offline):
    from llmkit.errors import Refused

    dead = Scripted(Refused("invalid x-api-key"), name="dead")
    with pytest.raises(Refused):
        kit.compare(make(300), [dead, Scripted("yes", name="fine")], workers=2)
    assert len(dead.asked) < 20


def test_an_unknown_cost_stays_unknown(offline):
    c = kit.compare(make(), [Scripted("yes", name="a"), Scripted("no", name="b")])
    assert c.frame["cost"].isna().all()
    assert math.isnan(c.verdict.rows[0].cost)


@pytest.mark.parametrize(
    ("models", "options", "words"),
    [
        ([], {}, "list of models"),
        ("twice", {}, "same label"),
        (None, {"repeats": 0}, "repeats is 0"),
        (None, {"errors": "skip"}, "drop_pair"),
    ],
)
def test_what_cannot_be_compared_is_explained(offline, models, options, words):
    chosen = offline if models is None else [offline[0], offline[0]] if models == "twice" else models
    with pytest.raises(kit.UsageError, match=words):
        kit.compare(make(), chosen, **options)


def test_ctrl_c_in_the_middle_keeps_what_was_answered(offline):
    slow = Scripted("yes", name="slow")
    real = slow.run

    def run(request):
        asked.append(request)
        if len(asked) == 20:
            timer.start()
        time.sleep(0.01)
        return (yield from real(request))

    slow.run, asked = run, []
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    gc.collect()
    gc.disable()  # an interrupt that falls into a finalizer is swallowed by Python itself
    try:
        with pytest.raises(kit.Interrupted, match=r"answers are kept; run the same comparison again"):
            kit.compare(make(3000), [slow], workers=2)
    finally:
        gc.enable()
    timer.join()


CHILD = """
import sys
import pandas as pd
import llmkit as kit
kit.connect("offline", store=sys.argv[1])
frame = pd.DataFrame({"text": [f"message number {i}" for i in range(300)], "label": ["yes", "no", "maybe"] * 100})
task = kit.Task(frame, prompt="Classify: {text}", target="label", grade=kit.graders.choice(["yes", "no", "maybe"]))
c = kit.compare(task, kit.models("sonnet", "opus"))
print("ended", len(c.frame), kit.ledger().spend().attempts, flush=True)
"""


def test_a_killed_run_resumes_with_nothing_lost_and_nothing_paid_twice(tmp_path):
    store = tmp_path / "s.sqlite"
    command = [sys.executable, "-c", CHILD, str(store)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    import sqlite3

    answered = 0
    end = time.monotonic() + 60
    while answered < 100 and time.monotonic() < end:
        time.sleep(0.05)
        try:
            with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as look:
                answered = look.execute("SELECT count(*) FROM recording").fetchone()[0]
        except sqlite3.OperationalError:
            continue
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    look = sqlite3.connect(store)
    settled, keys = look.execute(
        "SELECT count(*), count(DISTINCT request_key) FROM attempt WHERE state = 'settled'"
    ).fetchone()
    lost = look.execute("SELECT count(*) FROM attempt WHERE state = 'unknown'").fetchone()[0]
    recorded = look.execute("SELECT count(*) FROM recording").fetchone()[0]
    look.close()
    assert "ended 600" in done.stdout
    assert settled == keys == recorded == 600
    assert lost <= 8


def raises_on_731(answer, item):
    if item["text"].endswith(" 731"):
        raise ZeroDivisionError("no points to divide by")
    return float(answer == item["label"])


@pytest.mark.parametrize("threads", [0, 2])
def test_a_grader_that_raises_on_item_731_is_named_and_the_rest_goes_on(offline, threads):
    from concurrent.futures import ThreadPoolExecutor

    task = make(900)
    task.grade = raises_on_731
    models = [Scripted("yes", name="a"), Scripted("no", name="b")]
    with ThreadPoolExecutor(2) as pool:
        c = kit.compare(task, models, executor=pool if threads else None)
    assert len(c.frame) == 1800
    assert list(c.frame.loc[c.frame["score"].isna(), "item"]) == ["731", "731"]
    said = repr(c)
    assert "2 answer(s) could not be graded. First: item '731', a: the grader raised" in said
    assert "ZeroDivisionError: no points to divide by" in said
    assert c.verdict.items == 899


def counting(task):
    """The task with its grader counted: how often it graded."""
    from dataclasses import replace

    calls = []
    inner = task.grade.grade

    def grade(answer, item):
        calls.append(item["text"])
        return inner(answer, item)

    task.grade = replace(task.grade, grade=grade)
    return calls


def test_a_recorded_answer_is_not_graded_twice_but_by_another_grader_it_is(offline):
    from llmkit import graded

    task = make()
    first = kit.compare(task, offline)
    kept = current().store.read("SELECT count(*) FROM graded")[0][0]
    assert kept == 60
    rubrics = graded.rubrics(task.grade, [task.item(0)])
    current().store.write(
        lambda connection: connection.execute("UPDATE graded SET score = 0.5 WHERE rubric = ?", rubrics)
    )
    again = kit.compare(task, offline)
    assert list(again.frame.loc[again.frame["item"] == "0", "score"]) == [0.5, 0.5]
    assert first.frame["score"].isin([0.0, 1.0]).all()
    other = make()
    other.grade = kit.graders.exact()
    assert set(kit.compare(other, offline).frame["score"]) <= {0.0, 1.0}


def test_a_grader_of_the_users_own_grades_every_time(offline):
    task = make()
    calls = counting(task)
    kit.compare(task, offline)
    kit.compare(task, offline)
    assert len(calls) == 120


def test_only_what_is_new_is_asked_and_graded(offline):
    kit.compare(make(15), offline)
    c = kit.compare(make(30), offline)
    assert current().store.read("SELECT count(*) FROM recording")[0][0] == 60
    assert (c.frame["origin"] == "replay").sum() == 30
    assert list(c.frame["item"]) == [str(n) for n in range(30) for _ in range(2)]


def test_ungraded_answers_are_graded_again_next_time(offline):
    task = make()
    broken = task.grade
    task.grade = raises_on_731
    task.frame.loc[0, "text"] = task._items[0]["text"] = "message 731"
    assert kit.compare(task, offline).frame["score"].isna().sum() == 2
    task.grade = broken
    assert kit.compare(task, offline).frame["score"].notna().all()


def test_replay_takes_grades_of_simulated_answers_until_real_ones_are_recorded(
    offline, tmp_path, monkeypatch
):
    from dataclasses import replace

    from llmkit import recordings

    store = tmp_path / "s.sqlite"
    kit.connect("offline", store=store)
    task, opus = make(), kit.model("opus")
    kit.compare(task, [opus])
    kit.connect("replay", store=store)
    opus = kit.model("opus")
    assert list(kit.compare(task, [opus]).frame["simulated"]) == [True] * 30
    request = opus.request(task.prompt_of(0), **task.request_settings)
    real = replace(opus(task.prompt_of(0), **task.request_settings), text="maybe")
    values = (request.key("anthropic", opus.name), "anthropic", opus.name, "now")
    body = recordings.pack(replace(real, simulated=False), request.content_text())
    current().store.write(
        lambda connection: connection.execute("INSERT INTO recording VALUES(?, ?, ?, ?, ?)", (*values, body))
    )
    for _ in range(2):
        c = kit.compare(task, [opus])
        assert list(c.frame["simulated"]) == [False] + [True] * 29
        assert c.frame["answer"].iloc[0] == "maybe"


@pytest.mark.parametrize("in_memory", [True, False])
def test_of_thousands_the_texts_stay_on_disk_until_they_are_read(tmp_path, monkeypatch, in_memory):
    from llmkit import rows
    from llmkit.texts import Texts

    monkeypatch.setattr(rows, "FROM_DISK", 60)
    kit.connect("offline", store=None if in_memory else tmp_path / "s.sqlite")
    models = kit.models("sonnet", "opus")
    first = kit.compare(make(30), models)
    again = kit.compare(make(30), models)
    plain = kit.compare(make(27), models)
    for c in (first, again):
        assert isinstance(c.frame["answer"].array, Texts)
        assert list(c.frame["answer"])[:54] == list(plain.frame["answer"])
        pd.testing.assert_series_equal(
            c.frame["extracted"][:54].astype(object), plain.frame["extracted"].astype(object)
        )
        assert c.verdict.sentence == first.verdict.sentence
        assert list(c.disagreements()["Opus 5.5: answer"]) != []
    assert not isinstance(plain.frame["answer"].array, Texts)
    if not in_memory:
        kit.connect("offline")
        assert list(again.frame["answer"]) == list(first.frame["answer"])


def test_a_grader_that_raises_on_one_item_leaves_that_one_ungraded_and_named(offline):
    def grader(answer, item):
        if item["text"] == "message number 731":
            raise ZeroDivisionError("a division by nothing")
        return 1.0 if answer == item["target"] else 0.0

    frame = pd.DataFrame({"text": [f"message number {i}" for i in range(725, 740)], "label": "yes"})
    task = kit.Task(frame, prompt="Classify: {text}", target="label", grade=grader, id="text")
    c = kit.compare(task, offline)
    ungraded = c.frame[c.frame["score"].isna()]
    assert len(c.frame) == 30 and set(ungraded["item"]) == {"message number 731"}
    assert (ungraded["explanation"] == "the grader raised ZeroDivisionError: a division by nothing").all()
    assert "2 answer(s) could not be graded. First: item 'message number 731', Sonnet" in repr(c)
    assert c.verdict.items == 14 and c.verdict.dropped == 1
    assert (c.frame["grading_cost"] == 0).all()


def test_a_comparison_stopped_early_stops_at_the_same_item_when_it_is_run_again(offline):
    models = [Scripted("yes", name="a"), Scripted("no", name="b")]
    task = make(900)
    task.grade = lambda answer, item: float(answer == "yes")
    alone = kit.compare(task, models, stop="clear")
    assert len(alone.frame) < 1800
    task = make(300)
    first = kit.compare(task, offline, stop="clear")
    whole = kit.compare(task, offline)
    again = kit.compare(task, offline, stop="clear")
    assert len(whole.frame) == 600
    assert list(again.frame["item"]) == list(first.frame["item"])
    assert again.early.items == first.early.items


def test_an_executor_grades_a_comparison_as_the_calling_threads_do(offline):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        far = kit.compare(make(), offline, executor=pool)
        stopped = kit.compare(make(300), offline, executor=pool, stop="clear")
    kit.connect("offline")
    here = kit.compare(make(), kit.models("sonnet", "opus"))
    pd.testing.assert_series_equal(far.frame["score"], here.frame["score"])
    assert stopped.frame.groupby("item").size().eq(2).all()


def curated(*, long_are_hard):
    """Items of which a third are hard; the hard ones are longer, or all are alike."""
    rows = []
    for k in range(240):
        hard = k % 3 == 0
        filler = "Long and winding. " * 20 if hard and long_are_hard else "Short. "
        rows.append(
            {
                "id": k,
                "text": f"{filler}{k:03d}",
                "answer": "ABCD"[k % 4],
                "difficulty": 3.0 if hard else -4.0,
            }
        )
    task = f"hard ones {'longer' if long_are_hard else 'alike'}"
    grade = kit.graders.exact()
    return kit.Task(pd.DataFrame(rows), prompt="{text}", target="answer", grade=grade, id="id", name=task)


@pytest.mark.parametrize("pays", [True, False])
def test_a_comparison_with_policies_in_it_says_whether_switching_pays(offline, pays):
    haiku, opus = kit.models("haiku", "opus")
    policies = [
        kit.cascade(haiku, opus, accept=kit.checks.finished & kit.checks.has("[ABCD]")),
        kit.route(haiku, opus, by=len, at=200)
        if pays
        else kit.route(haiku, opus, by=lambda p: int(p[-1]), at=5),
    ]
    c = kit.compare(curated(long_are_hard=pays), [haiku, opus, *policies], repeats=2)
    assert ("Switching pays here." in c.verdict.sentence) is pays
    assert ("Switching is not shown to pay here." in repr(c)) is not pays
    found = c.switching[policies[1].label]
    assert found.pays is pays
    same = kit.replay(c, [haiku, opus, *policies]).verdicts[policies[1].label]
    assert (same.figures.gain, same.p) == pytest.approx((found.figures.gain, found.p), abs=1e-9)


def test_a_retry_of_one_model_asks_it_anew_and_replays_alike(offline):
    haiku, opus = kit.models("haiku", "opus")
    again = kit.cascade(haiku, haiku, accept=kit.checks.has("[AB]"))
    c = kit.compare(curated(long_are_hard=True), [haiku, opus, again], repeats=2)
    mine = c.frame[c.frame["model"] == again.label]
    once = c.frame[(c.frame["model"] == haiku.label) & (c.frame["repeat"] == 0)].set_index("item")
    retried = ~once["answer"].str.contains("[AB]")
    first = mine[mine["repeat"] == 0].set_index("item")
    assert (first["cost"] > once["cost"]).equals(retried)
    assert (first.loc[retried, "answer"] != once.loc[retried, "answer"]).any()
    replayed = kit.replay(c, [again]).frame.set_index("item")
    assert replayed["cost"].tolist() == pytest.approx(first.loc[replayed.index, "cost"].tolist())
    assert replayed["score"].tolist() == first.loc[replayed.index, "score"].tolist()
    assert f"(a retry of {haiku.label}, no switch)" in c.headroom().sentence
