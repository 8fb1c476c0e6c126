"""A pytest plugin for the notebooks: -p tests.notebook_plugin, beside --nbval.

A plugin, since a conftest comes after the imports it would speed up.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tools.offline import go_offline, guarded_kernels, skip_grammars

# Here, before nbval is loaded.
skip_grammars()
_folder = tempfile.TemporaryDirectory(prefix="llmkit-ipython-")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give the kernels, which inherit this environment, no keys and no way out, and nbval its rules."""
    go_offline()
    os.environ.update(guarded_kernels(Path(_folder.name) / "ipython"))
    # A relative path is read against the directory pytest was started in.
    config.option.nbval_sanitize_with = str(Path(__file__).with_name("notebook_sanitizer.cfg"))


def pytest_unconfigure() -> None:
    """Remove the kernels' folder."""
    _folder.cleanup()
