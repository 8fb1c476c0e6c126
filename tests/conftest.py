"""What holds for every test: offline, no keys, no strangers, no store but in a temporary folder."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tools.offline import go_offline, refuse_strangers

go_offline()
refuse_strangers()


def _refuse_stores_of_the_user(event: str, arguments: tuple[object, ...]) -> None:
    if event != "sqlite3.connect":
        return
    name = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes, os.PathLike)) else ""
    path = unquote(urlsplit(name).path) if name.startswith("file:") else name
    if path in ("", ":memory:") or Path(path).name.startswith(".coverage"):
        return
    if not Path(path).resolve().is_relative_to(Path(tempfile.gettempdir()).resolve()):
        raise RuntimeError(f"a test opened the database {name!r}; give it one under tmp_path")


sys.addaudithook(_refuse_stores_of_the_user)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nobody watches, on CI, a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"on CI nothing is skipped: {reason}"
    return report
