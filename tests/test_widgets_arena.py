import pytest

import llmkit as kit
from llmkit.session import current
from tests.batches import a_task
from tests.pages import is_harmless, shown_by, text_of, until
from tests.spoken import HOSTILE, spoken


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
        made.append(kit.widgets.arena(*arguments, **more))
        assert made[-1].settle()
        return made[-1]

    yield panel
    for each in made:
        each.close()


def click(panel, choice):
    panel.buttons[choice].click()
    assert panel.settle()


def attempts():
    return current().ledger.spend().attempts


def test_pairs_are_voted_on_blind_until_the_end(make):
    panel = make(spoken(4))
    assert attempts() == 0
    for done, choice in enumerate(("A", "tie", "both bad", "skip"), start=1):
        seen = text_of(shown_by(panel)) + panel.last_state() + repr(panel)
        assert "Opus" not in seen
        assert "Sonnet" not in seen
        click(panel, choice)
        assert panel.votes["choice"].tolist()[-1] == choice
        assert f"{done} of 4 pairs voted on" in text_of(panel.far.value)
    assert panel.ended
    assert panel.said == "Finished after 4 of 4 pairs."
    said = text_of(panel.result.value)
    assert "Opus over Sonnet" in said
    assert "strength" in said
    assert all(each.disabled for each in panel.buttons.values())
    assert "Opus over Sonnet" in text_of(panel.last_state())


def test_what_is_shown_as_a_is_what_a_vote_for_a_prefers(make):
    panel = make(spoken(6))
    for _ in range(6):
        label = "Opus" if "supo" in panel.sides[0].value else "Sonnet"
        click(panel, "A")
        assert panel.votes["winner"].tolist()[-1] == label
        assert panel.votes["left"].tolist()[-1] == label
    assert set(panel.votes["left"]) == {"Opus", "Sonnet"}


def test_letters_vote_and_undo_takes_back(make):
    panel = make(spoken(6))
    for letter in "abtxs":
        panel.letters.box.value = letter
        assert panel.settle()
    assert panel.votes["choice"].tolist() == ["A", "B", "tie", "both bad", "skip"]
    panel.letters.box.value = "u"
    assert panel.settle()
    assert len(panel.votes) == 4
    panel.back.click()
    assert panel.settle()
    assert len(panel.votes) == 3
    assert panel.said == "The last vote is taken back."


def test_two_letters_at_once_vote_once_since_the_second_pair_was_not_seen(make):
    panel = make(spoken(6))
    with panel.lock:
        panel.letters.box.value = "aab"
    assert panel.settle()
    assert len(panel.votes) == 1


def test_undo_without_a_vote_is_told(make):
    panel = make(spoken(2))
    assert panel.back.disabled
    panel.undo()
    assert panel.settle()
    assert "there is no vote to take back" in panel.said


def test_the_next_panel_goes_on_where_the_last_one_was_left(make, tmp_path):
    c = spoken(5)
    first = make(c)
    click(first, "A")
    click(first, "B")
    first.close()
    again = make(c, seed=3)
    assert again.said == "Went on from 2 votes given before."
    assert sorted(again.votes["winner"]) == sorted(first.votes["winner"])
    own = make(c, store=str(tmp_path / "votes.sqlite"))
    assert len(own.votes) == 0
    click(own, "tie")
    kit.connect("offline")
    assert make(c).votes.empty
    assert make(c, store=str(tmp_path / "votes.sqlite")).votes["choice"].tolist() == ["tie"]


def test_finish_shows_the_names_early_and_voting_goes_on(make):
    panel = make(spoken(4))
    click(panel, "A")
    panel.end.click()
    assert panel.settle()
    assert panel.ended
    assert "Opus over Sonnet" in text_of(panel.result.value)
    panel.letters.box.value = "a"
    assert panel.settle()
    assert len(panel.votes) == 1
    panel.end.click()
    assert panel.settle()
    assert (panel.ended, panel.result.value) == (False, "")
    click(panel, "B")
    assert len(panel.votes) == 2


def test_the_end_says_how_often_grades_or_a_judge_agree(make):
    c = spoken(8, score=lambda i, label, _: float(label == "Opus"))
    panel = make(c)
    while not panel.ended:
        click(panel, "A" if "supo" in panel.sides[0].value else "B")
    said = text_of(panel.result.value)
    assert "The grades agree with you in 100.0%" in said
    assert "of 8 votes both decide" in said
    assert panel.agreement.share.estimate == 1


def test_models_answer_first_once_ask_is_pressed(make):
    models, task = kit.models("sonnet", "opus"), a_task(6)
    panel = make(models, task)
    assert attempts() == 0
    assert "Before sending: 12 calls, about $" in text_of(shown_by(panel))
    assert "press Ask" in panel.said
    panel.vote("A")
    assert panel.settle()
    assert "no answers to vote on yet" in panel.said
    panel._asking.go.click()
    assert panel.settle(60)
    assert attempts() == 12
    assert "SIMULATED" in text_of(panel.result.value + shown_by(panel))
    assert panel.comparison.labels == [model.label for model in models]


def test_a_budget_too_small_is_told_and_a_larger_one_goes_on(make):
    panel = make(kit.models("sonnet", "opus"), a_task(3))
    panel._asking.budget.value = "$0.00001"
    panel._asking.go.click()
    assert panel.settle(60)
    assert "ceiling" in panel.said
    panel._asking.budget.value = "five"
    panel._asking.go.click()
    assert panel.settle(60)
    assert "five" in panel.said
    panel._asking.budget.value = ""
    panel._asking.go.click()
    assert panel.settle(60)
    assert panel.comparison is not None


def test_asking_can_be_stopped_and_gone_on_with(make):
    kit.connect("offline", pace=0.05)
    panel = make(kit.models("haiku", "sonnet"), a_task(40))
    panel._asking.go.click()
    until(lambda: panel._asking.bar.value >= 2)
    panel._asking.halt.click()
    assert panel.settle(30)
    assert "answers are kept" in panel.said
    assert panel.comparison is None
    assert not panel._asking.go.disabled


def test_prompts_alone_are_asked_and_voted_on(make):
    panel = make(["sonnet", "opus"], [f"Describe moon {n}." for n in range(8)])
    panel._asking.go.click()
    assert panel.settle(60)
    assert not panel.ended
    assert "Describe moon" in text_of(panel.task.value)
    click(panel, "A")
    asked = panel.votes[~panel.votes["identical"].astype(bool)]
    assert asked["winner"].tolist() == asked["left"].tolist()
    assert set(asked["winner"]) <= set(panel.comparison.labels)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((spoken(2, models=("Opus",)),), "blind votes need two models; there is Opus"),
        ((spoken(2, answer=lambda *_: None),), "no item has the text of two answers"),
        ((spoken(2), ["a prompt"]), "a comparison has its own items"),
        ((["opus"], ["a prompt"]), "need two models; 1 was given"),
        ((["opus", "sonnet"],), "models need something to answer"),
        ((["opus", "sonnet"], []), "the list of prompts is empty"),
        ((["opus", "sonnet"], "a prompt"), "give a task or a list of prompts"),
        ((["opus", "sonnet"], a_task(2).head(0)), "the task has no rows"),
        ((["opus", "sonett"], ["a prompt"]), "sonett"),
        ((7,), "give a comparison, or a list of models"),
    ],
)
def test_what_cannot_work_is_told_in_the_panel(make, arguments, said):
    panel = make(*arguments)
    assert said in panel.said
    assert panel.votes.empty
    assert said in text_of(panel.last_state())


def test_a_closed_store_is_told_and_the_vote_does_not_count(make):
    panel = make(spoken(4))
    click(panel, "A")
    current().store.close()
    click(panel, "B")
    assert "is closed; call kit.connect" in panel.said
    assert len(panel.votes) == 1


def test_without_a_connection_votes_are_held_in_the_panel(make, monkeypatch):
    monkeypatch.setattr("llmkit.session._current", None)
    panel = make(spoken(3))
    click(panel, "A")
    assert len(panel.votes) == 1
    assert "until the kernel ends" in text_of(panel.far.value)


def test_answers_do_nothing_but_be_read(make):
    panel = make(spoken(3, answer=lambda i, label, _: f"{HOSTILE} {label} {i}"))
    panel.differences.value = True
    assert panel.settle()
    assert "<script>" in text_of(panel.sides[0].value)
    assert is_harmless(shown_by(panel))
    assert "Answer A struck out" in text_of(panel.changes.value)
    click(panel, "A")
    panel.end.click()
    assert panel.settle()
    assert is_harmless(panel._repr_mimebundle_()["text/html"].split("</style>")[1])


def test_every_button_has_a_text_and_closing_takes_all_away(make):
    panel = make(spoken(2))
    words = [each.description for each in panel.buttons.values()]
    assert words == ["A is better", "B is better", "Tie", "Both bad", "Skip"]
    assert panel.letters.box.description == "Keys"
    assert repr(panel) == "<Arena: 0 of 2 pairs voted on>"
    panel.close()
    panel.vote("A")
    assert panel.settle()
    assert panel.votes.empty
