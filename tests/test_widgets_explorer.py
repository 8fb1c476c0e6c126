import numpy as np
import pytest

import llmkit as kit
from llmkit.session import current
from tests.batches import a_task
from tests.pages import is_harmless, shown_by, text_of
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
        made.append(kit.widgets.explorer(*arguments, **more))
        assert made[-1].settle()
        return made[-1]

    yield panel
    for each in made:
        each.close()


def put(panel, **values):
    for name, value in values.items():
        getattr(panel, name).value = value
        assert panel.settle()


def press(panel, button):
    button.click()
    assert panel.settle()


def scores(i, label, repeat):
    return {0: float(label == "Opus"), 1: 0.0, 2: float(repeat == 0)}.get(i, 1.0)


def test_repeats_are_one_line_with_how_many_passed(make):
    panel = make(spoken(12, repeats=3, score=scores))
    lines = [line for line, _ in panel.list.options]
    assert len(lines) == 10
    assert lines[0] == "0 · Sonnet 0 of 3 · Opus 3 of 3 · $0.0600 · Read ticket 0."
    assert "Sonnet 1 of 3" in lines[2]
    assert "12 of 12 items · page 1 of 2" in text_of(panel.count.value)
    press(panel, panel.after)
    assert [item for _, item in panel.list.options] == ["10", "11"]
    assert panel.item == "10"
    assert panel.after.disabled
    press(panel, panel.before)
    assert panel.item == "0"


def test_items_are_found_by_score_model_slice_and_text(make):
    panel = make(spoken(6, repeats=2, score=scores))
    put(panel, score="disagree")
    assert panel.found == ["0"]
    put(panel, score="failed")
    assert panel.found == ["0", "1", "2"]
    put(panel, model="Opus")
    assert panel.found == ["1", "2"]
    put(panel, score="passed")
    assert panel.found == ["0", "3", "4", "5"]
    put(panel, column="kind", value="odd")
    assert panel.found == ["3", "5"]
    put(panel, text="SONNET"[::-1] + " says **5.1")
    assert panel.found == ["5"]
    put(panel, text="no such words")
    assert (panel.found, panel.item) == ([], None)
    assert panel.said == "No item is like that; widen the filter."
    assert {box.value for box in panel.answers.children} == {""}
    put(panel, text="", column="", score="all", order="widest gap")
    assert panel.found[0] == "0"
    put(panel, order="random")
    assert sorted(panel.found) == list("012345")


def test_what_is_ungraded_is_found_and_counts_as_neither(make):
    c = spoken(3, score=lambda i, label, _: np.nan if (i, label) == (1, "Opus") else 1.0)
    panel = make(c)
    put(panel, score="no grade")
    assert panel.found == ["1"]
    put(panel, score="failed")
    assert panel.found == []
    put(panel, score="passed")
    assert panel.found == ["0", "2"]


def test_an_open_item_shows_prompt_answers_grades_and_figures(make):
    panel = make(spoken(3, repeats=2, score=scores))
    panel.look_at("2")
    assert panel.settle()
    assert "Read ticket 2." in text_of(panel.prompt.value)
    assert "Target: x" in text_of(panel.prompt.value)
    sonnet, opus = (text_of(box.value) for box in panel.answers.children)
    assert "tennos says 2.0" in sonnet
    assert "supo says 2.0" in opus
    assert "Grade: 1 · because 2" in opus
    assert "$0.010000 · 10 tokens in, 20 out · 1.5 s" in opus
    put(panel, repeat=1)
    assert "supo says 2.1" in text_of(panel.answers.children[1].value)
    assert "Grade: 0" in text_of(panel.answers.children[1].value)
    put(panel, differences=True, json=True)
    assert "Sonnet struck out where Opus" in text_of(panel.changes.value)
    assert '"explanation": "because 2"' in text_of(panel.raw.value)


def test_letters_and_buttons_go_through_all_that_is_found(make):
    panel = make(spoken(12))
    for _ in range(10):
        panel.letters.box.value = "n"
        assert panel.settle()
    assert (panel.item, panel.list.value) == ("10", "10")
    assert "page 2 of 2" in text_of(panel.count.value)
    press(panel, panel.next)
    press(panel, panel.next)
    assert panel.item == "11"
    assert panel.said == "That was the last item."
    panel.letters.box.value = "b"
    assert panel.settle()
    assert panel.item == "0"
    press(panel, panel.previous)
    assert panel.said == "That was the first item."
    panel.list.value = "4"
    assert panel.settle()
    assert panel.item == "4"
    assert "Read ticket 4." in text_of(panel.prompt.value)


def test_a_grade_by_hand_is_kept_and_the_machines_stays(make):
    c = spoken(4, repeats=2, score=scores)
    panel = make(c)
    put(panel, whom="Sonnet", typed="1", note="meant well", repeat=1)
    press(panel, panel.keep_it)
    assert "the machine's grade stays beside it" in panel.said
    assert "By hand: 1 · meant well" in text_of(panel.answers.children[0].value)
    assert "Grade: 0" in text_of(panel.answers.children[0].value)
    columns = ["item", "model", "repeat", "score", "human", "note"]
    expected = [["0", "Sonnet", 1, 0.0, 1.0, "meant well"]]
    assert panel.grades[columns].to_numpy().tolist() == expected
    assert c.human()[columns].to_numpy().tolist() == expected
    assert c.frame["score"].tolist() == spoken(4, repeats=2, score=scores).frame["score"].tolist()
    mine = c.with_human().frame.query("item == '0' and model == 'Sonnet' and repeat == 1").iloc[0]
    assert (mine["score"], mine["machine_score"]) == (1.0, 0.0)
    again = make(c)
    put(again, score="by hand")
    assert again.found == ["0"]
    put(again, whom="Sonnet", repeat=1)
    press(again, again.remove)
    assert again.grades.empty
    again.grade("Opus", 0.25, note="n", repeat=1)
    assert again.settle()
    assert c.human()["human"].tolist() == [0.25]


@pytest.mark.parametrize(
    ("typed", "model", "said"),
    [("good", "Opus", "1 for right and 0 for wrong"), ("1", "Haiku", "'Haiku' has no answer to item '0'")],
)
def test_a_wrong_grade_is_told_and_not_kept(make, typed, model, said):
    panel = make(spoken(2))
    panel.grade(model, typed)
    assert panel.settle()
    assert said in panel.said
    assert panel.grades.empty


def test_one_model_missing_texts_and_an_unknown_item_are_no_trouble(make):
    panel = make(spoken(2, models=("Opus",), answer=lambda *_: None))
    assert "[no text of this answer]" in text_of(panel.answers.children[0].value)
    put(panel, score="disagree")
    assert panel.found == []
    panel.look_at("7")
    assert panel.settle()
    assert "finds no item '7'" in panel.said


def test_a_comparison_without_rows_is_told(make):
    c = spoken(2)
    c.frame = c.frame.head(0)
    panel = make(c)
    assert "no rows" in panel.said
    put(panel, score="failed")
    assert "nothing to look through" in panel.said


def test_results_from_elsewhere_are_looked_through(make):
    frame = spoken(3).frame[["item", "model", "score"]]
    panel = make(kit.Comparison(frame))
    assert "cost unknown" in panel.list.options[0][0]
    assert "tokens unknown" in text_of(panel.answers.children[0].value)


def test_a_closed_store_is_told(make):
    panel = make(spoken(2))
    current().store.close()
    panel.grade("Opus", 1)
    assert panel.settle()
    assert "is closed; call kit.connect" in panel.said


def test_without_a_connection_grades_are_held_in_the_panel(make, monkeypatch):
    monkeypatch.setattr("llmkit.session._current", None)
    panel = make(spoken(2))
    panel.grade("Opus", 1)
    assert panel.settle()
    assert panel.grades["human"].tolist() == [1.0]


def test_a_prompt_that_cannot_be_made_is_said_in_its_place(make):
    c = spoken(2)

    def broken(item):
        raise ValueError("no prompt today")

    c.task.prompt = broken
    panel = make(c)
    assert "[no prompt: ValueError: no prompt today]" in text_of(panel.prompt.value)


def test_pictures_of_a_task_are_shown_and_addresses_only_said(make):
    c = spoken(2)
    inside = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    away = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    c.task.asked = lambda index: [inside, away, "text"]
    panel = make(c)
    shown, said = panel.pictures.children
    assert (shown.value, shown.format) == (b"\x89PNG", "png")
    assert "https://example.org/a.png, not loaded" in text_of(said.value)


def test_a_comparison_of_the_simulator_is_marked(make):
    panel = make(kit.compare(a_task(4), kit.models("haiku", "sonnet")))
    assert "SIMULATED" in text_of(panel.last_state())
    assert "SIMULATED" in text_of(panel.answers.children[0].value)


def test_answers_do_nothing_but_be_read(make):
    c = spoken(2, answer=lambda i, label, _: f"{HOSTILE} {label}", score=scores)
    c.frame["explanation"] = HOSTILE
    c.frame["kind"] = [HOSTILE, HOSTILE, "b", "b"]
    panel = make(c)
    put(panel, differences=True, json=True)
    assert is_harmless(shown_by(panel))
    assert is_harmless(panel._repr_mimebundle_()["text/html"].split("</style>")[1])
    assert all("\u202e" not in str(label) for label, _ in panel.column.options)
    assert repr(panel) == "<Explorer: 2 of 2 items>"


def test_every_input_has_a_label(make):
    panel = make(spoken(2))
    inputs = [panel.model, panel.score, panel.column, panel.value, panel.text, panel.order, panel.list]
    inputs += [panel.repeat, panel.whom, panel.typed, panel.note, panel.letters.box]
    assert all(field.description for field in inputs)
