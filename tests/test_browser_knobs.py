"""The panels of decision, costs and switching under a reader's hands: sliders moved, picked, copied."""

import pytest

from tests.chromium import IN_A_BROWSER
from tools.labs import (
    IN_KERNEL,
    RUN_ALL,
    THEME,
    browsing,
    button,
    field,
    open_notebook,
    picture,
    served,
    write_notebook,
)

pytestmark = IN_A_BROWSER
TASK = """
items = [{"n": i, "more": "and so on " * (i % 9), "target": "ab"[i % 2]} for i in range(60)]
task = kit.Task(items, prompt="Say a or b. {n} {more}", target="target", grade=kit.graders.exact(), name="ab")
sonnet, opus = kit.models("sonnet", "opus")
c = kit.compare(task, [sonnet, opus])
"""
CELLS = [
    f'import llmkit as kit\n\nkit.connect("offline"){TASK}',
    "chosen = kit.widgets.decide(c)\nchosen",
    "spent = kit.widgets.costs(c)\nspent",
    "board = kit.widgets.switchboard(c)\nboard",
]
PICTURES = "() => [...document.querySelectorAll('img.llmkit-picture')].map(n => [n.naturalWidth, n.alt])"
SHAPE = """() => [...document.querySelectorAll('.llmkit-panel')].map(title => {
  const panel = title.closest('.widget-vbox').getBoundingClientRect();
  return [...title.closest('.lm-Panel.jp-OutputArea-output, .jp-OutputArea-output')
    .querySelectorAll('button, input, select, img.llmkit-picture, .widget-slider')]
    .map(n => n.getBoundingClientRect()).filter(b => b.width && b.right > panel.right + 2).length;
})"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    write_notebook(home / "knobs.ipynb", CELLS)
    with served(home) as where:
        yield where


def handle(page, label):
    """The handle of the slider that a panel calls so."""
    box = f'.widget-slider:has(> label.widget-label:text-is("{label}"))'
    return page.locator(f"{box} .noUi-handle").last


def move(page, label, keys):
    handle(page, label).focus()
    for key in keys:
        page.keyboard.press(key)


def wait_for_picture(page, number, words):
    page.wait_for_function(
        "([n, words]) => document.querySelectorAll('img.llmkit-picture')[n]?.alt.includes(words)",
        arg=[number, words],
        timeout=30_000,
    )


def test_sliders_are_moved_and_sentence_table_and_picture_follow(lab):
    with browsing(height=4600) as page:
        open_notebook(page, lab, "knobs.ipynb")
        assert page.evaluate(RUN_ALL) is True
        page.wait_for_function(f"() => ({PICTURES})().length === 3", timeout=60_000)
        assert all(width > 500 and "SIMULATED" in alt for width, alt in page.evaluate(PICTURES))

        before = page.evaluate(PICTURES)[0][1]
        move(page, "Cost of an error, USD", ["ArrowRight"] * 20)
        price = page.evaluate(IN_KERNEL, "chosen.settle(); print(f'{chosen.value.cost_of_error:,.2f}')")
        assert price == "10.00"
        wait_for_picture(page, 0, "At $10.00 an error")
        assert page.evaluate(PICTURES)[0][1] != before
        move(page, "Cost of a minute, USD", ["ArrowRight"] * 3)
        said = page.evaluate(IN_KERNEL, "chosen.settle(); print(chosen.value.sentence)")
        assert page.evaluate(IN_KERNEL, "print(round(chosen.minute.value, 9))") == "0.03"
        wait_for_picture(page, 0, said)
        assert page.get_by_text(said).first.is_visible()

        move(page, "In batches, %", ["ArrowRight"] * 10)
        move(page, "Growth a month, %", ["ArrowRight"] * 5)
        wait_for_picture(page, 1, "(+5.0% a month, 10% in batches)")
        assert page.evaluate(IN_KERNEL, "print(spent.frame.tasks[0])") == "50000.0"  # no page rounds it
        last = page.evaluate(IN_KERNEL, "spent.settle(); print(f'{spent.value.rows[0].last.estimate:,.2f}')")
        assert page.get_by_role("cell", name=last, exact=True).count() == 1

        before = page.evaluate(IN_KERNEL, "print(board.threshold.index)")
        move(page, "Threshold", ["ArrowLeft"] * 2)
        page.wait_for_timeout(200)
        now = page.evaluate(IN_KERNEL, "board.settle(); print(board.threshold.index, board.view.sentence)")
        index, _, said = now.partition(" ")
        assert int(index) == int(before) - 2
        wait_for_picture(page, 2, said)
        button(page, "Best threshold").click()
        page.wait_for_timeout(200)
        said = page.evaluate(IN_KERNEL, "board.settle(); print(board.view.sentence)")
        wait_for_picture(page, 2, said)
        assert page.get_by_role("cell", name="as chosen").count() == 1
        button(page, "Copy as code").click()
        field(page, "Code").wait_for(timeout=10_000)
        page.wait_for_function("() => document.querySelector('textarea').value.length > 0")
        code = field(page, "Code").input_value()
        ran = page.evaluate(IN_KERNEL, f"exec({code!r}); print(policy.label == board.policy.label)")
        assert ran == "True"
        picture(page, "knobs-light")

        page.evaluate(THEME, "JupyterLab Dark")
        picture(page, "knobs-dark")
        page.set_viewport_size({"width": 800, "height": 5200})
        picture(page, "knobs-narrow")
        assert page.evaluate(SHAPE) == [0, 0, 0]
