import ast
from datetime import UTC, datetime
from decimal import Decimal

import pytest

import llmkit as kit
from llmkit.session import current
from llmkit.widgets import asking
from tests.pages import Page, is_harmless, shown_by, text_of, until

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x02\x08\x02\x00\x00\x00\xfd\xd4\x9as"
    b"\x00\x00\x00\x12IDATx\x9cc\xf8\xcf\xc0\x00\xc4\x0c\xff\x81\x00\x00\x1c\xf0\x03\xfd\x8b\x7f\xc9\x0f"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)
MOONS = "Name the four Galilean moons."


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    yield
    kit.connect("offline")


@pytest.fixture
def make():
    made = []

    def panel(models=("sonnet", "opus"), **more):
        made.append(kit.widgets.playground(models, **more))
        assert made[-1].settle()
        return made[-1]

    yield panel
    for each in made:
        each.close()


def asked(panel, prompt=MOONS):
    panel.prompt.value = prompt
    panel.go.click()
    assert panel.settle()
    return panel


def a_task(n=3):
    items = [{"n": i, "word": f"word{i}", "target": "yes"} for i in range(n)]
    return kit.Task(
        items, prompt="Spell {word}.", target="target", grade=kit.graders.exact(), system="Short."
    )


def upload(name, content):
    return {"name": name, "type": "image/png", "size": len(content), "content": memoryview(content)} | {
        "last_modified": datetime(2026, 1, 1, tzinfo=UTC)
    }


def test_two_models_answer_side_by_side_with_their_figures(make):
    panel = asked(make(kit.models("sonnet", "opus")))
    sonnet, opus = panel.responses
    assert (sonnet.model, opus.model) == ("claude-sonnet-5-5", "claude-opus-5-5")
    for column, response in zip(panel.columns, panel.responses, strict=True):
        shown = text_of(column.pane.box.value)
        assert "Galilean" in shown
        said = text_of(column.figures.value)
        assert f"{response.usage.output:,} out" in said
        assert f"${response.cost.total.normalize():f}" in said
        assert f"first token after {response.first_token:.1f} s" in said
        assert f"{asking.rate(response):.0f} tokens/s" in said
        assert "SIMULATED" in said
    total = sonnet.cost.total + opus.cost.total
    assert panel.said == f"Done; these answers cost ${total.normalize():f}."
    assert f"Spent in this panel: ${total.normalize():f} in 2 calls" in text_of(panel.spent.value)
    assert not panel.go.disabled
    assert panel.halt.disabled


def test_the_frame_has_a_row_for_each_answer(make):
    panel = asked(asked(make()), "And of Mars?")
    assert list(panel.frame["run"]) == [1, 1, 2, 2]
    assert set(panel.frame["origin"]) == {"simulated"}
    assert panel.frame["cost"].sum() == pytest.approx(float(current().ledger.spend().certain))


def test_three_panes_can_be_had_and_one_taken_away(make):
    panel = make(["sonnet", "opus", "haiku"])
    assert len(asked(panel).responses) == 3
    panel.fewer.click()
    assert panel.settle()
    assert len(asked(panel, "Again?").responses) == 2
    for _ in range(9):
        panel.more.click()
    assert panel.settle()
    assert len(panel.columns) == 6
    assert "the most" in panel.said


def test_the_picker_offers_models_by_line_with_lifecycle_and_price(make):
    labels = [label for label, _ in make().columns[0].picker.options]
    assert "Sonnet 5.5 · active · $2 in, $10 out per M" in labels
    assert any(label.startswith("opus: Opus 5.5 · active · $") for label in labels)
    assert any("· retired ·" in label for label in labels)
    lines = [label.split(":")[0] for label in labels if ":" in label]
    assert lines == sorted(lines, key=lines.index)


def test_another_model_is_picked_in_the_panel(make):
    panel = make(["sonnet"])
    panel.columns[0].picker.value = "claude-opus-5-5"
    assert asked(panel).responses[0].model == "claude-opus-5-5"


def test_settings_reach_every_request(make):
    panel = make()
    panel.system.value, panel.effort.value, panel.most.value = "Be brief.", "low", "77"
    panel.thinking.value, panel.draw.value = "adaptive", 2
    asked(panel)
    question = panel.runs[0].question
    assert question.settings == {
        "system": "Be brief.",
        "effort": "low",
        "thinking": "adaptive",
        "max_tokens": 77,
        "repeat": 2,
    }
    assert all(response.usage.output <= 77 for response in panel.responses)


def test_what_it_costs_is_said_before_it_is_sent_and_follows_the_prompt(make):
    panel = make()
    assert "No estimate: the prompt is empty" in text_of(panel.estimated.value)
    panel.prompt.value = "word " * 10
    assert panel.settle()
    first = text_of(panel.estimated.value)
    assert "Before sending: about $0." in first
    panel.prompt.value = "word " * 10_000
    assert panel.settle()
    assert text_of(panel.estimated.value) != first
    assert current().ledger.spend().attempts == 0


def test_the_ceiling_in_force_is_shown_as_it_shrinks(make):
    kit.connect("offline", budget=1)
    with kit.budget("0.5"):
        panel = make()
    asked(panel)
    left = Decimal("0.5") - current().ledger.spend().certain
    assert f"the ceiling of this block: ${left.normalize():f} of $0.5 left" in text_of(panel.spent.value)


def test_the_same_question_again_is_a_replay_and_another_draw_is_not(make):
    panel = asked(asked(make()))
    assert all(response.cached for response in panel.responses)
    assert "nothing paid" in text_of(panel.columns[0].figures.value)
    panel.draw.value = 1
    assert not any(response.cached for response in asked(panel).responses)


def test_a_prompt_is_filled_from_the_row_of_a_task(make):
    panel = make(task=a_task())
    assert panel.prompt.value == "Spell {word}."
    assert panel.system.value == "Short."
    panel.row.value = 2
    assert panel.settle()
    assert "Spell word2." in text_of(panel.filled.value)
    panel.go.click()
    assert panel.settle()
    assert panel.runs[0].question.prompt == "Spell word2."
    panel.prompt.value = "Spell {wrod}."
    panel.go.click()
    assert panel.settle()
    assert "['wrod']" in panel.said
    assert "'word'" in panel.said


def test_without_a_task_braces_are_braces(make):
    assert asked(make(), 'Is {"a": 1} JSON?').runs[0].question.prompt == 'Is {"a": 1} JSON?'


def test_differences_between_the_answers_are_shown(make):
    panel = make()
    panel.differences.value = True
    asked(panel)
    page = Page(panel.changes.value)
    assert {"ins", "del"} <= {tag for tag, _ in page.tags}
    panel.differences.value = False
    assert panel.settle()
    assert panel.changes.value == ""


def test_one_can_go_back_in_the_history(make):
    panel = make()
    panel.effort.value = "low"
    asked(panel, "First?")
    first = [response.text for response in panel.responses]
    panel.effort.value = "high"
    panel.fewer.click()
    asked(panel, "Second?")
    panel.history.value = 0
    assert panel.settle()
    assert (panel.prompt.value, panel.effort.value, len(panel.columns)) == ("First?", "low", 2)
    assert [column.pane.text for column in panel.columns] == first
    assert current().ledger.spend().attempts == 3


def test_the_code_asks_the_same_and_pays_nothing(make):
    sonnet = kit.model("sonnet", label="mine", max_tokens=300)
    panel = make([sonnet, "opus"])
    panel.system.value, panel.effort.value = "Say \"no\" and\nmean 'it'.", "low"
    asked(panel, "Line one\nline two {with} braces \\n and a tab\t.")
    paid = current().ledger.spend()
    panel.copy.click()
    assert panel.settle()
    names = {}
    exec(compile(ast.parse(panel.code.value), "cell", "exec"), names)
    assert [answer.text for answer in names["answers"]] == [answer.text for answer in panel.responses]
    assert [model.label for model in names["models"]] == ["mine", "Opus 5.5"]
    assert current().ledger.spend() == paid


def test_the_code_for_a_model_made_of_models_uses_its_name(make, monkeypatch):
    careful = kit.cascade(*kit.models("sonnet", "opus"), accept=kit.checks.is_json)
    panel = asked(make([careful]))
    panel.copy.click()
    assert panel.settle()
    assert "give it a name" in panel.said
    import __main__

    monkeypatch.setattr(__main__, "careful", careful, raising=False)
    panel.copy.click()
    assert panel.settle()
    assert "models = [careful]" in panel.code.value


def test_a_question_becomes_a_task_and_its_code_makes_the_same(make):
    panel = make()
    with pytest.raises(kit.UsageError, match="no task was made"):
        _ = panel.task
    panel.system.value, panel.most.value, panel.prompt.value = "One word.", "50", MOONS
    panel.tasking.make.click()
    assert panel.settle()
    assert "what counts as right" in panel.said
    for prompt, target in ((MOONS, "Io"), ("And of Mars?", "Phobos"), (MOONS, "Europa")):
        panel.prompt.value, panel.tasking.target.value = prompt, target
        panel.tasking.make.click()
        assert panel.settle()
    assert len(panel.task) == 2
    assert panel.task.item(1)["target"] == "Europa"
    names = {}
    exec(panel.code.value, names)
    assert names["task"].fingerprint() == panel.task.fingerprint()
    c = kit.compare(panel.task, kit.models("sonnet", "opus"))
    assert len(c.frame) == 4


def test_a_target_that_does_not_fit_the_grader_is_told_and_not_taken(make):
    panel = make()
    panel.prompt.value, panel.tasking.target.value, panel.tasking.grader.value = "2+2?", "four", "number"
    panel.tasking.make.click()
    assert panel.settle()
    assert panel.said.startswith("Error:")
    assert panel.tasking.items == []


def test_an_uploaded_picture_is_sent_and_is_in_the_code(make):
    panel = make()
    panel.pictures.upload.value = (upload("dot.png", PNG),)
    asked(panel, "What is this?")
    assert all(response.outcome == "ok" for response in panel.responses)
    assert panel.runs[0].question.content[0]["type"] == "image"
    panel.copy.click()
    assert panel.settle()
    names = {}
    exec(panel.code.value, names)
    assert [answer.text for answer in names["answers"]] == [answer.text for answer in panel.responses]
    assert all(answer.cached for answer in names["answers"])
    panel.pictures.clear.click()
    assert panel.settle()
    assert panel.pictures.read() == ()


def test_an_upload_that_is_no_picture_is_told_and_nothing_is_sent(make):
    panel = make()
    panel.pictures.upload.value = (upload("notes<b>.txt", b"hello"),)
    assert panel.settle()
    assert "notes<b>.txt" in panel.said
    assert "no PNG, JPEG, GIF or WebP" in panel.said
    asked(panel)
    assert panel.runs == []
    assert is_harmless(shown_by(panel))
    panel.pictures.clear.click()
    assert panel.settle()
    assert panel.said == ""
    assert len(asked(panel).responses) == 2


def test_without_models_the_panel_says_so_and_lets_one_pick(make):
    panel = make([])
    assert "no model was given" in panel.said
    asked(panel)
    assert "add a pane" in panel.said
    panel.more.click()
    assert panel.settle()
    assert len(asked(panel).responses) == 1


def test_a_name_that_is_no_model_is_told_and_the_others_are_there(make):
    panel = make(["sonnte", "opus"])
    assert "'sonnte'" in panel.said
    assert len(asked(panel).responses) == 1


def test_before_anything_is_connected_the_panel_says_what_to_do(make, monkeypatch):
    monkeypatch.setattr("llmkit.session._current", None)
    panel = make(["opus"])
    assert "kit.connect" in panel.said
    panel.more.click()
    asked(panel)
    assert panel.responses == []


def test_a_task_without_rows_is_told(make):
    panel = make(task=a_task().head(0))
    assert "no rows" in panel.said
    panel.go.click()
    assert panel.settle()
    assert "no rows" in panel.said
    assert panel.runs == []


@pytest.mark.parametrize(
    ("field", "typed", "said"), [("most", "many", "max tokens is 'many'"), ("prompt", " ", "empty")]
)
def test_what_cannot_be_asked_is_told(make, field, typed, said):
    panel = make()
    panel.prompt.value = MOONS
    getattr(panel, field).value = typed
    panel.go.click()
    assert panel.settle()
    assert said in panel.said
    assert not panel.go.disabled


def test_a_call_that_fails_is_told_in_its_pane_and_the_other_is_unharmed(make):
    kit.connect("offline", faults=["400@1"])
    panel = asked(make())
    failed, good = sorted(panel.responses, key=lambda response: response is not None)
    assert failed is None
    assert "Galilean" in good.text
    assert panel.said.startswith("Done; 1 of 2 failed")
    at = panel.responses.index(None)
    assert text_of(panel.columns[at].figures.value).startswith("Error: ")
    assert panel.frame["error"].notna().sum() == 1


def test_a_setting_that_one_model_lacks_fails_there_only(make):
    panel = make(["claude-haiku-4-5", "opus"])
    panel.effort.value = "low"
    haiku, opus = asked(panel).responses
    assert haiku is None
    assert opus.outcome == "ok"
    assert "effort" in text_of(panel.columns[0].figures.value)


def test_a_reached_ceiling_is_told_and_the_cheaper_model_still_answers(make):
    sonnet, opus = kit.models("sonnet", "opus")
    worst = [m.estimate(m.request(MOONS), "").worst for m in (sonnet, opus)]
    kit.connect("offline", budget=(worst[0] + worst[1]) / 2)
    panel = asked(make())
    assert panel.responses[0] is not None
    assert panel.responses[1] is None
    assert "ceiling" in text_of(panel.columns[1].figures.value)


def slow(make, **more):
    """Streaming in real time, some of it already there."""
    kit.connect("offline", pace=0.5, **more)
    panel = make(["haiku", "haiku"])
    panel.draw.value = 1
    panel.prompt.value = "Tell me much about " + "moons and " * 20
    panel.go.click()
    until(lambda: all(len(column.pane.text) > 5 for column in panel.columns))
    return panel


def states():
    return sorted(current().ledger.frame()["state"])


def test_stopping_is_felt_at_once_and_what_was_asked_is_booked(make):
    panel = slow(make)
    seen = [column.pane.text for column in panel.columns]
    assert panel.go.disabled
    panel.halt.click()
    assert [answer.stopped for answer in panel.runs[0].answers] == [True, True]
    assert all(answer.text.startswith(text) for answer, text in zip(panel.runs[0].answers, seen, strict=True))
    assert panel.settle()
    assert "reserved" not in states()
    assert panel.said == "Stopped."
    assert "at most $" in text_of(panel.spent.value)
    assert panel.responses == [None, None]
    assert set(panel.frame["outcome"]) == {"stopped"}
    assert not panel.go.disabled


def test_an_answer_stopped_before_its_first_piece_is_not_shown_later(make):
    kit.connect("offline", pace=0.5)
    panel = make(["opus"])
    panel.prompt.value = MOONS
    panel.go.click()
    until(lambda: "reserved" in states())
    panel.halt.click()
    until(lambda: panel.runs)
    assert panel.settle()
    assert panel.columns[0].pane.text == ""
    assert "stopped" in text_of(panel.columns[0].figures.value)
    assert "reserved" not in states()


def test_closing_a_panel_stops_its_calls_and_they_stay_booked(make):
    panel = slow(make)
    panel.close()
    assert panel.settle()
    assert states() == ["unknown", "unknown"]
    assert len(panel.runs) == 1


def test_losing_the_server_in_the_middle_is_told_and_keeps_what_came(make):
    panel = slow(make)
    current().simulator.stop()
    assert panel.settle()
    assert panel.responses == [None, None]
    assert panel.said.startswith("Error: Done; 2 of 2 failed")
    for column, answer in zip(panel.columns, panel.runs[0].answers, strict=True):
        assert answer.text
        assert answer.text[:5] in text_of(column.pane.box.value)
        assert text_of(column.figures.value).startswith("Error: ")
    assert not panel.go.disabled


def test_nothing_can_be_changed_while_answers_are_under_way(make):
    panel = slow(make)
    panel.fewer.click()
    until(lambda: "under way" in panel.said)
    assert len(panel.columns) == 2
    panel.stop()


def test_what_models_say_can_do_nothing_in_the_panel_nor_in_its_last_state(make):
    hostile = "<img src=x onerror=alert(1)>\n\n<script>alert(2)</script> [x](javascript:alert(3)) ![y](http://z/t.png)"
    items = [{"input": "Say it.", "target": "x"}]
    task = kit.Task(
        items,
        prompt="{input}",
        target="target",
        grade=kit.graders.exact(),
        answers={"0": {"right": [hostile], "wrong": [hostile]}},
    )
    kit.compare(task, kit.models("haiku"))
    panel = make()
    panel.differences.value = True
    asked(panel, "Say it.")
    assert panel.responses[0].text == hostile
    assert is_harmless(shown_by(panel))
    markup = panel._repr_mimebundle_()["text/html"].split("</style>")[1]
    assert is_harmless(markup)
    assert "<script>alert(2)</script>" in text_of(markup)
    assert "alert" not in repr(panel)


def test_the_last_state_shows_prompt_answers_and_figures(make):
    panel = asked(make())
    said = text_of(panel._repr_mimebundle_()["text/html"].split("</style>")[1])
    for words in ("SIMULATED", MOONS, "Sonnet 5.5", "Opus 5.5", "tokens/s", "Done; these answers cost"):
        assert words in said
    assert repr(panel) == "<Playground: Sonnet 5.5, Opus 5.5>"


def test_the_page_can_be_told_apart_by_labels(make):
    panel = make(task=a_task())
    labels = [w.description for w in (panel.effort, panel.thinking, panel.most, panel.draw, panel.system)]
    labels += [w.description for w in (panel.prompt, panel.row, panel.history, panel.code)]
    labels += [column.picker.description for column in panel.columns]
    assert all(labels)
    asked(panel, "Spell {word}.")
    regions = [a for _, a in Page(shown_by(panel)).tags if a.get("role") == "region"]
    assert {a["aria-label"] for a in regions} >= {"Answer of Sonnet 5.5", "Answer of Opus 5.5"}
