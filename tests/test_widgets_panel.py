import subprocess
import sys
import threading
import time

import pytest

import llmkit as kit
from llmkit import render
from llmkit.errors import UsageError
from llmkit.widgets import fields, shown
from llmkit.widgets.panel import Panel
from tests.pages import Page, everything, is_harmless, text_of, until

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>[x](javascript:alert(3))\x1b[31m\u202e$x$'


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")


@pytest.fixture
def panel():
    made = Panel("Trial")
    yield made
    made.close()


def fails():
    raise ValueError("<b>no</b> such thing")


def test_widgets_cost_nothing_until_one_is_asked_for():
    code = "import sys, llmkit as kit; kit.widgets; print('ipywidgets' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "False", said.stderr


def test_a_name_that_is_no_panel_is_answered_with_those_there_are():
    with pytest.raises(AttributeError, match="playground"):
        kit.widgets.playgruond  # noqa: B018
    assert "playground" in dir(kit.widgets)


def test_importing_a_panels_room_leaves_the_panel_callable():
    code = "import llmkit as kit, llmkit.widgets.playground; print(callable(kit.widgets.playground))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "True", said.stderr


def test_an_error_in_a_callback_is_told_in_the_panel_in_words(panel):
    button = fields.button("Go")
    panel.on(button, fails)
    button.click()
    assert panel.settle()
    page = Page(panel.status.value)
    assert page.text == "Error: ValueError: <b>no</b> such thing"
    assert page.tags[0][1]["role"] == "status"
    assert page.tags[0][1]["aria-live"] == "polite"


def test_an_error_of_ours_is_told_without_its_kind(panel):
    panel.tell(UsageError("give a number"))
    assert panel.said == "Error: give a number"


def test_errors_of_workers_and_of_the_ticker_are_told_too(panel):
    panel.start(fails)
    assert panel.settle()
    assert "no</b> such thing" in panel.said
    panel.say("")
    panel.every_tick(fails)
    assert panel.settle()
    assert "no</b> such thing" in panel.said


def test_a_callback_only_submits_and_the_work_is_done_elsewhere_in_order(panel):
    button, threads, gate = fields.button("Go"), [], threading.Event()

    def work():
        gate.wait(10)
        threads.append(threading.current_thread())

    panel.on(button, work)
    started = time.monotonic()
    for _ in range(5):
        button.click()
    assert time.monotonic() - started < 1
    gate.set()
    assert panel.settle()
    assert len(threads) == 5
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon


def test_labels_and_ceilings_around_a_panel_hold_for_what_it_does_later():
    from llmkit.scope import here

    with kit.label("trying"):
        made = Panel("Trial")
    found = []
    made.submit(lambda: found.append(here().label))
    made.start(lambda: found.append(here().label))
    assert made.settle()
    made.close()
    assert found == ["trying", "trying"]


def test_a_closed_panel_does_nothing_more_and_its_widgets_are_gone():
    made = Panel("Trial")
    inside = everything(made)
    made.close()
    done = []
    made.submit(lambda: done.append(1))
    made.start(lambda: done.append(1))
    assert made.settle()
    assert done == []
    assert all(widget.comm is None for widget in inside)
    made.close()


def test_the_close_button_closes_and_keeps_the_last_state():
    made = Panel("Trial")
    kept = []
    made.keep = lambda: kept.append(made.said)
    made.say("later")
    next(w for w in everything(made) if getattr(w, "description", "") == "Close").click()
    assert made.closed.is_set()
    assert kept == ["later"]


def test_a_last_state_keeps_a_notebook_light():
    assert Page(shown.kept("**short**")).within("strong") == "short"
    long = shown.kept("<b>" * 100_000)
    assert len(long) < 100_000
    assert "8,000 of 300,000" in text_of(long)
    assert is_harmless(long)


def test_a_text_streams_in_as_it_is_and_is_rendered_once_at_its_end(panel):
    pane = shown.Pane("Answer")
    put = pane.begin()
    done = panel.stream(pane)
    for piece in ("**bold** ", HOSTILE):
        put(piece)
    until(lambda: "bold" in pane.box.value)
    assert "**bold**" in text_of(pane.box.value)
    assert "column-reverse" in pane.box.value
    assert is_harmless(pane.box.value)
    done()
    pane.finish()
    assert panel.settle()
    assert "column-reverse" not in pane.box.value
    assert Page(pane.box.value).within("strong") == "bold"
    assert is_harmless(pane.box.value)


def test_a_thousand_pieces_a_second_are_shown_a_dozen_times_a_second(panel):
    pane = shown.Pane("Answer")
    put = pane.begin()
    done = panel.stream(pane)
    end = time.monotonic() + 0.5
    sent = 0
    while time.monotonic() < end:
        put("word ")
        sent += 1
        time.sleep(0.001)
    done()
    assert panel.settle()
    assert sent > 50
    assert 1 <= pane.updates <= 8


def test_pieces_that_come_late_are_not_shown():
    pane = shown.Pane("Answer")
    put = pane.begin()
    put("early")
    pane.finish()
    put(" late")
    pane.flush()
    assert pane.text == "early"
    pane.begin()
    put(" later")
    assert pane.text == ""


def test_a_text_of_a_megabyte_is_shown_by_its_end_while_it_streams():
    pane = shown.Pane("Answer")
    pane.begin()("x" * 1_000_000 + "the end")
    pane.flush()
    assert len(pane.box.value) < 30_000
    assert "the end" in pane.box.value
    pane.finish()
    assert len(pane.text) == 1_000_007


def test_a_panel_stands_in_for_itself_where_there_is_no_kernel(panel):
    panel.say(f"Done {HOSTILE}")
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == "<Panel panel>"
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    markup = bundle["text/html"].split("</style>")[1]
    assert is_harmless(markup)
    assert "SIMULATED" in text_of(markup)
    assert "Done <img" in text_of(markup)


def test_the_last_state_is_kept_beside_the_panel_and_renewed(panel, monkeypatch):
    shown_there = []

    class Handle:
        def update(self, bundle, **_):
            shown_there.append(bundle["text/html"])

    def display(bundle, **how):
        shown_there.append(bundle)
        return Handle() if how.get("display_id") else None

    monkeypatch.setattr("llmkit.widgets.panel.display", display)
    panel._ipython_display_()
    assert "text/html" not in shown_there[0]
    assert "llmkit-last" in shown_there[1]["text/html"]
    panel.say("later")
    panel.keep()
    assert "later" in shown_there[2]


def test_every_input_has_a_label_and_every_button_a_text():
    made = [
        fields.button("A"),
        fields.toggle("B"),
        fields.line("C"),
        fields.area("D"),
        fields.choice("E", [1, 2]),
        fields.number("F", 1, least=0, most=5),
        fields.slider("G", 0.5, least=0.0, most=1.0, step=0.1),
    ]
    assert "".join(widget.description for widget in made) == "ABCDEFG"
    assert fields.number("F", 0.5, least=0.0, most=1.0).value == 0.5


def test_columns_wrap_where_the_page_is_narrow():
    box = fields.columns(fields.button("A"), fields.button("B"))
    assert box.layout.flex_flow == "row wrap"


def test_a_letter_typed_into_the_keys_does_its_work_once_and_goes_away():
    heard = []
    keys = fields.Keys(
        {"a": lambda: heard.append("a"), "b": lambda: heard.append("b")}, label="Keys", hint="a, b"
    )
    for typed in ("a", "a", "x", "B"):
        keys.box.value = typed
        assert keys.box.value == ""
    assert heard == ["a", "a", "b"]
    # The page had not yet emptied the field when the next letter was typed.
    keys.box.value = "a"
    keys.box.value = "ab"
    assert heard == ["a", "a", "b", "a", "b"]


def test_differences_are_struck_out_and_underlined_and_escaped():
    page = Page(render.difference("the <b>red</b> fox", "the <b>blue</b> fox runs"))
    assert page.within("del") == "red"
    assert page.within("ins") == "blue runs"
    styles = {tag: attributes["style"] for tag, attributes in page.tags if tag in ("ins", "del")}
    assert "underline" in styles["ins"]
    assert "line-through" in styles["del"]
    assert page.text == "the <b>redblue</b> fox runs"
    assert is_harmless(render.difference(HOSTILE, HOSTILE[::-1]))


@pytest.mark.parametrize(
    ("before", "after", "struck", "added"),
    [
        ("one two three", "six ten three", "one two", "six ten"),
        ("a, b", "c, d", "a, b", "c, d"),
        ("same", "same", "", ""),
        ("", "new", "", "new"),
        ("old", "", "old", ""),
    ],
)
def test_a_changed_passage_is_one_piece(before, after, struck, added):
    page = Page(render.difference(before, after))
    assert (page.within("del"), page.within("ins")) == (struck, added)
    assert [tag for tag, _ in page.tags].count("ins") <= 1


def test_long_texts_are_compared_by_lines_and_longer_ones_not_at_all():
    first = "\n".join(f"line {n} of many words" for n in range(1_000))
    page = Page(render.difference(first, first.replace("line 500 ", "row 500 ")))
    assert page.within("del") == "line 500 of many words"
    started = time.monotonic()
    assert "too long" in render.difference("a\n" * 10_000, "b\n" * 10_000)
    assert time.monotonic() - started < 2
