"""JupyterLab in a real headless Chromium: every notebook runs whole, and nothing leaves this machine."""

import shutil
from pathlib import Path

import pytest

from tests.chromium import IN_A_BROWSER
from tools.labs import ROOT, RUN_ALL, browsing, open_notebook, picture, served

NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Gives (url, token) of a server on a copy of the notebooks."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    shutil.copytree(ROOT / "data", home / "data")
    with served(home) as where:
        yield where


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_whole_in_jupyterlab(lab, name):
    with browsing() as page:
        open_notebook(page, lab, f"notebooks/{name}")
        assert page.evaluate(RUN_ALL) is True
        for kind in ("error", "stderr"):
            assert page.locator(f'[data-mime-type="application/vnd.jupyter.{kind}"]').count() == 0
        picture(page, Path(name).stem)
