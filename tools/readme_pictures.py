"""Make the two pictures of the README, both SIMULATED: python -m tools.readme_pictures

docs/frontier.png   the scores and costs of a comparison, with its verdict
docs/playground.png the playground in JupyterLab, after a question to two models
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from textwrap import fill

from tools.labs import ROOT, RUN_ALL, browsing, button, field, open_notebook, served, status, write_notebook

FOLDER = ROOT / "docs"
QUESTION = "Name the four Galilean moons, and who saw them first."
CELLS = [
    'import llmkit as kit\n\nkit.connect("offline")\nsonnet, opus = kit.models("sonnet", "opus")',
    "kit.widgets.playground([sonnet, opus])",
]


def main() -> int:
    """Write both."""
    os.environ["LLMKIT_MODE"] = "offline"
    FOLDER.mkdir(exist_ok=True)
    frontier(FOLDER / "frontier.png")
    playground(FOLDER / "playground.png")
    return 0


def frontier(path: Path) -> None:
    """The frontier of support_triage, its verdict above it."""
    import matplotlib

    matplotlib.use("Agg")
    import llmkit as kit

    kit.connect("offline")
    c = kit.compare(kit.read_task("support_triage"), [*kit.models("sonnet", "opus")])
    ax = kit.plots.frontier(c)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.text(0.01, 1.0, fill(c.verdict.sentence, 92), va="bottom", fontsize=9)
    figure.savefig(path, dpi=110, bbox_inches="tight", facecolor="white")


def playground(path: Path) -> None:
    """The panel alone, as JupyterLab shows it."""
    with tempfile.TemporaryDirectory(prefix="llmkit-readme-") as folder:
        write_notebook(Path(folder) / "playground.ipynb", CELLS)
        with served(Path(folder)) as lab, browsing(width=1100, height=1300) as page:
            open_notebook(page, lab, "playground.ipynb")
            page.evaluate(RUN_ALL)
            page.locator(".llmkit-panel").wait_for(timeout=60_000)
            field(page, "Prompt").fill(QUESTION)
            button(page, "Run").click()
            status(page).filter(has_text="Done").wait_for(timeout=30_000)
            page.wait_for_timeout(500)
            panel = page.locator(".jp-OutputArea-child", has=page.locator(".llmkit-panel")).first
            panel.screenshot(path=path)


if __name__ == "__main__":
    sys.exit(main())
