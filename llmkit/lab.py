"""JupyterLab on the first notebook, quick to start and quiet."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .errors import NotSupported


def serve(*, mode: str | None = None, browser: bool = True, port: int | None = None) -> int:
    """Run JupyterLab on this machine only, until it is stopped; returns its exit status.

    Opens the first notebook of ``notebooks/`` here or in a folder above. ``mode`` sets LLMKIT_MODE.
    Raises ``NotSupported`` when JupyterLab is not installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise NotSupported('JupyterLab is not installed; install it with: pip install "llmkit[lab]"')
    # jsonschema builds 35 parsers at import for a format nobody checks here; without them the server is
    # ready in a third of the CPU time (python-jsonschema/jsonschema#1428).
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    if mode is not None:
        os.environ["LLMKIT_MODE"] = mode
    from jupyterlab.labapp import LabApp

    launch: Callable[[list[str]], object] = LabApp.launch_instance
    return int(bool(launch(_arguments(browser=browser, port=port))))


def _arguments(*, browser: bool, port: int | None) -> list[str]:
    root, first = _first_notebook()
    arguments = [
        f"--ServerApp.root_dir={root}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url=/lab/tree/{first}" if first else "--LabApp.default_url=/lab",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",  # lets a test ask the page what it is doing
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    if not browser:
        arguments.append("--no-browser")
    if port is not None:
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    return arguments


def _first_notebook() -> tuple[Path, str]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        notebooks = sorted((folder / "notebooks").glob("*.ipynb"))
        if notebooks:
            return folder, f"notebooks/{notebooks[0].name}"
    return here, ""
