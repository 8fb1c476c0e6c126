"""A comparison beside the notebook: started, cancelled, gone on with, and the bar of a cell that waits."""

import pytest

from tests.chromium import IN_A_BROWSER
from tools.labs import (
    IN_KERNEL,
    RUN_ALL,
    browsing,
    button,
    open_notebook,
    picture,
    served,
    status,
    write_notebook,
)

pytestmark = IN_A_BROWSER
TASK = """
items = [{"n": i, "target": "ab"[i % 2]} for i in range(40)]
task = kit.Task(items, prompt="Say a or b. {n}", target="target", grade=kit.graders.exact(), name="ab")
"""
CELLS = [
    f'import llmkit as kit\n\nkit.connect("offline", pace=0.3){TASK}',
    'panel = kit.widgets.progress(task, kit.models("haiku"), workers=2)\npanel',
    'few = kit.compare(task.head(16), kit.models("claude-haiku-4-5"))',
]
BAR = "() => Number(document.querySelector('.widget-hprogress .progress-bar').style.width.replace('%', ''))"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    write_notebook(home / "run.ipynb", CELLS)
    with served(home) as where:
        yield where


def test_a_comparison_is_started_cancelled_and_gone_on_with(lab):
    with browsing(height=1100) as page:
        open_notebook(page, lab, "run.ipynb")
        assert page.evaluate(RUN_ALL) is True
        page.locator(".widget-label", has_text="16 of 16 · SIMULATED $").wait_for(timeout=30_000)
        assert page.evaluate(IN_KERNEL, "print(panel.value)") == "None"

        button(page, "Start").click()
        page.wait_for_function(f"() => ({BAR})() > 5", timeout=30_000)
        button(page, "Cancel").click()
        status(page).filter(has_text="answers are kept").wait_for(timeout=30_000)
        had = int(
            page.evaluate(IN_KERNEL, "print(kit.ledger().spend('model = ?', ['claude-haiku-5-5']).attempts)")
        )
        assert 0 < had < 40
        picture(page, "progress-cancelled")

        button(page, "Go on").click()
        status(page).filter(has_text="Done").wait_for(timeout=60_000)
        assert page.evaluate(IN_KERNEL, "print(len(panel.value.frame))") == "40"
        said = page.locator(".widget-html-content", has_text="40 of 40 · SIMULATED $")
        assert said.count() == 1
        assert page.evaluate(BAR) == 100
        picture(page, "progress-done")
