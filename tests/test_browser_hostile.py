"""Hostile answers in JupyterLab: shown in every panel, table and repr, nothing of them runs or loads."""

import pytest

from tests.chromium import IN_A_BROWSER
from tests.hostile import ATTACKS, TOGETHER
from tools.labs import (
    IN_KERNEL,
    RUN_ALL,
    browsing,
    open_notebook,
    picture,
    served,
    write_notebook,
)

pytestmark = IN_A_BROWSER
CELLS = [
    'import llmkit as kit\nfrom tests.hostile import TOGETHER, attacks\n\nkit.connect("offline")\n'
    "task, few = attacks(), attacks(TOGETHER)\n"
    'sonnet, opus = kit.models("haiku", "opus")',
    "c = kit.compare(task, [sonnet, opus])\nc",
    "c.disagreements()",
    "c.frame[['item', 'model', 'answer', 'explanation']]",
    "from IPython.display import display\nfor n in range(len(task) - 1):\n"
    "    display(opus(task.prompt_of(n), **task.settings))",
    "explorer = kit.widgets.explorer(c)\nexplorer",
    "arena = kit.widgets.arena(kit.compare(few, [sonnet, opus]))\narena",
    "playground = kit.widgets.playground([sonnet, opus])\nplayground",
    "switchboard = kit.widgets.switchboard(c)\nswitchboard",
    "decide = kit.widgets.decide(c)\ndecide",
    "costs = kit.widgets.costs(c)\ncosts",
    "progress = kit.widgets.progress(task, [sonnet])\nprogress",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    write_notebook(home / "hostile.ipynb", CELLS)
    with served(home) as where:
        yield where


def in_kernel(page, code):
    said = page.evaluate(IN_KERNEL, code)
    page.wait_for_timeout(60)
    return said


def test_forty_attacks_in_every_panel_and_repr_run_nothing_and_load_nothing(lab):
    assert len(ATTACKS) >= 40
    told, asked = [], []
    with browsing(height=2400) as page:
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        open_notebook(page, lab, "hostile.ipynb")
        assert page.evaluate(RUN_ALL) is True
        page.locator(".llmkit-panel").nth(6).wait_for(timeout=60_000)
        for n in range(len(ATTACKS)):
            code = f"explorer.look_at(task.ids[{n}]); print(explorer.settle())"
            assert in_kernel(page, code) == "True"
        picture(page, "hostile-explorer")
        for _ in TOGETHER:
            assert in_kernel(page, "arena.vote('tie'); print(arena.settle())") == "True"
        for n in range(len(TOGETHER)):
            ask = (
                f"playground.prompt.value = few.prompt_of({n}); playground.run(); print(playground.settle())"
            )
            assert in_kernel(page, ask) == "True"
            assert in_kernel(page, "print(sum(r is not None for r in playground.responses))") == "2"
        picture(page, "hostile-playground")
        assert page.locator(".llmkit-panel").count() == 7
        assert page.evaluate("window.ran") is None
    assert told == []
    assert [url for url in asked if "ran.png" in url or "evil" in url] == []
