"""Votes and a comparison under a reader's hands: voted by mouse and keys, gone on with, filtered, graded."""

import json

import pytest

from tests.chromium import IN_A_BROWSER
from tools.labs import (
    IN_KERNEL,
    RUN_ALL,
    SAVE,
    THEME,
    browsing,
    button,
    field,
    open_notebook,
    picture,
    served,
    status,
    write_notebook,
)

pytestmark = IN_A_BROWSER
SETUP = """
import pandas as pd
import llmkit as kit

kit.connect("offline", store="store.sqlite")
HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>[x](javascript:window.hurt=1)'
text = "{} thinks of **ticket {}**:\\n\\n* one\\n* two {}\\n\\n" + HOSTILE
rows = [
    {"item": f"t{i}", "model": m, "score": float(m == "Opus" or i % 3 > 0), "cost": 0.01 * (1 + j),
     "answer": text.format(("Left", "Right")[j], i, "three" * j), "input": f"What of ticket {i}?",
     "explanation": "found" if m == "Opus" else "missed", "kind": ("refund", "login")[i % 2], "simulated": True}
    for i in range(14) for j, m in enumerate(("Sonnet", "Opus"))
]
c = kit.Comparison(pd.DataFrame(rows), slices=["kind"], name="tickets")
"""
SHAPE = """() => {
  const panel = document.querySelector('.llmkit-panel').closest('.widget-vbox').getBoundingClientRect();
  const all = '.jupyter-widgets button, .jupyter-widgets input, .jupyter-widgets select, .llmkit-answer';
  return [...document.querySelectorAll(all)].map(n => n.getBoundingClientRect())
    .filter(b => b.width && b.right > panel.right + 2).length;
}"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(home):
    write_notebook(home / "vote.ipynb", [SETUP, "panel = kit.widgets.arena(c)\npanel"])
    write_notebook(home / "look.ipynb", [SETUP, "panel = kit.widgets.explorer(c)\npanel"])
    with served(home) as where:
        yield where


def shows(page, words):
    page.locator(".widget-html-content", has_text=words).first.wait_for(timeout=20_000)


def option(page, words):
    return page.locator("select[size] option", has_text=words)


def test_pairs_are_voted_on_by_mouse_and_keys_and_gone_on_with(lab, home):
    with browsing(height=1300) as page:
        open_notebook(page, lab, "vote.ipynb")
        assert page.evaluate(RUN_ALL) is True
        shows(page, "0 of 14 pairs voted on")
        seen = page.locator(".jp-OutputArea").last.inner_text()
        assert "Opus" not in seen
        assert "Sonnet" not in seen
        assert "<script>" in seen
        picture(page, "arena-light")

        button(page, "A is better").click()
        shows(page, "1 of 14 pairs voted on")
        field(page, "Keys").focus()
        for number, letter in enumerate("btxs", start=2):
            page.keyboard.press(letter)
            shows(page, f"{number} of 14 pairs voted on")
        assert field(page, "Keys").input_value() == ""
        page.keyboard.press("u")
        shows(page, "4 of 14 pairs voted on")
        page.keyboard.press("Shift+Tab")
        order = page.evaluate("() => document.activeElement.innerText")
        assert order == "Finish"
        button(page, "Tie").focus()
        page.keyboard.press("Enter")
        shows(page, "5 of 14 pairs voted on")
        choices = page.evaluate(IN_KERNEL, "print(panel.votes['choice'].tolist())")
        assert choices == "['A', 'B', 'tie', 'both bad', 'tie']"

        button(page, "Differences").click()
        page.locator("ins").first.wait_for(timeout=10_000)
        page.evaluate(THEME, "JupyterLab Dark")
        picture(page, "arena-dark")
        page.set_viewport_size({"width": 800, "height": 1500})
        picture(page, "arena-narrow")
        assert page.evaluate(SHAPE) == 0
        page.set_viewport_size({"width": 1280, "height": 1300})
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        assert page.evaluate(RUN_ALL) is True
        shows(page, "5 of 14 pairs voted on")
        status(page).filter(has_text="Went on from 5 votes").wait_for(timeout=10_000)
        for number in range(6, 15):
            button(page, "A is better").click()
            shows(page, "Opus over Sonnet" if number == 14 else f"{number} of 14 pairs voted on")
        assert (
            "SIMULATED" in page.locator("table caption >> xpath=../preceding-sibling::p").first.inner_text()
        )
        picture(page, "arena-end")
        assert page.evaluate(IN_KERNEL, "print(len(panel.votes), panel.ended)") == "14 True"
        assert page.evaluate("() => window.hurt") is None
        page.evaluate(SAVE)
    saved = json.loads((home / "vote.ipynb").read_text("utf-8"))["cells"][1]["outputs"][-1]["data"]
    assert "Opus over Sonnet" in "".join(saved["text/html"])


def test_items_are_filtered_opened_by_keys_and_graded_by_hand(lab):
    with browsing(height=1500) as page:
        open_notebook(page, lab, "look.ipynb")
        page.evaluate(THEME, "JupyterLab Light")
        assert page.evaluate(RUN_ALL) is True
        shows(page, "14 of 14 items · page 1 of 2")
        assert option(page, "t0 ·").count() == 1
        picture(page, "explorer-light")

        field(page, "Score").select_option(label="disagree")
        shows(page, "5 of 14 items")
        field(page, "Slice").select_option(label="kind")
        page.locator("option", has_text="refund").wait_for(state="attached", timeout=10_000)
        field(page, "Value").select_option(label="refund")
        shows(page, "3 of 14 items")
        assert page.evaluate(IN_KERNEL, "print(panel.found)") == "['t0', 't6', 't12']"
        field(page, "Find").fill("ticket 6")
        page.keyboard.press("Enter")
        shows(page, "1 of 14 items")
        field(page, "Find").fill("")
        page.keyboard.press("Enter")
        shows(page, "3 of 14 items")

        option(page, "t6 ·").click()
        shows(page, "Item t6")
        field(page, "Keys").focus()
        page.keyboard.press("n")
        shows(page, "Item t12")
        assert page.evaluate(IN_KERNEL, "print(panel.item)") == "t12"
        assert field(page, "Items").evaluate("n => n.selectedOptions[0].innerText").startswith("t12")

        field(page, "Grade by hand").fill("1")
        field(page, "Note").fill("good enough")
        button(page, "Keep grade").click()
        shows(page, "By hand: 1 · good enough")
        kept = page.evaluate(
            IN_KERNEL, "print(c.human()[['item', 'model', 'score', 'human']].values.tolist())"
        )
        assert kept == "[['t12', 'Sonnet', 0.0, 1.0]]"
        button(page, "Differences").click()
        page.locator("ins").first.wait_for(timeout=10_000)
        page.evaluate(THEME, "JupyterLab Dark")
        picture(page, "explorer-dark")
        page.set_viewport_size({"width": 800, "height": 1700})
        picture(page, "explorer-narrow")
        assert page.evaluate(SHAPE) == 0
        assert page.evaluate("() => window.hurt") is None
