"""JupyterLab in a real headless Chromium: served from a folder, opened, and asked what it shows."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
# The toolbar says "idle" before a kernel exists, so ask the kernel itself.
READY = """async () => {
  const app = window.jupyterapp; await app.restored;
  const panel = app.shell.currentWidget;
  if (!panel?.sessionContext) throw new Error('no notebook in front');
  await panel.context.ready; await panel.revealed; await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel; if (!kernel) throw new Error('no kernel');
  await kernel.info; while (kernel.status !== 'idle') await new Promise(r => setTimeout(r, 50));
}"""
_PLACES = (
    *("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR"),
    *("JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"),
)
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
IN_KERNEL = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let said = '';
  future.onIOPub = message => {
    const content = message.content;
    if (message.header.msg_type === 'stream') said += content.text;
    if (message.header.msg_type === 'error') said += `${content.ename}: ${content.evalue}`;
  };
  await future.done;
  return said.trim();
}"""


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path) -> Iterator[tuple[str, str]]:
    """`llmkit lab` in a folder, with a configuration of its own; gives (url, token)."""
    environment = os.environ | {name: str(home / name.lower()) for name in _PLACES}
    settings = home / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    port = free_port()
    environment |= {"JUPYTER_TOKEN": "test-token", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "llmkit.cli", "lab", "--no-browser", "--port", str(port)]
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _await_answer(f"http://127.0.0.1:{port}/api/status?token=test-token", server, home / "lab.log")
            yield f"http://127.0.0.1:{port}", "test-token"
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextmanager
def browsing(*, width: int = 1280, height: int = 5600) -> Iterator[Any]:
    """A page; at its end no error was raised in it, and nothing was asked of another machine."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "Chromium is needed to test what a person sees; install it"
    troubles: list[str] = []
    hosts: set[str] = set()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
        yield page
        browser.close()
    assert troubles == []
    assert hosts - {""} == {"127.0.0.1"}


def open_notebook(page: Any, lab: tuple[str, str], path: str) -> None:
    """Show a notebook alone, its kernel ready."""
    url, token = lab
    page.goto(f"{url}/doc/workspaces/test/tree/{path}?reset&token={token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.evaluate(READY)


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of code cells that never ran."""

    def cell(number: int, source: str) -> Mapping[str, Any]:
        head = {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "outputs": []}
        return head | {"execution_count": None, "source": source}

    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(about | {"cells": [cell(*each) for each in enumerate(cells)]}), "utf-8")


def field(page: Any, label: str) -> Any:
    """The input that a panel calls so."""
    box = f'.jupyter-widgets:has(> label.widget-label:text-is("{label}"))'
    return page.locator(f"{box} :is(input, textarea, select)").last


def button(page: Any, label: str) -> Any:
    """The button that a panel calls so."""
    return page.locator("button.jupyter-button", has_text=label).first


def status(page: Any) -> Any:
    """The line in which a panel says what happens."""
    return page.locator(".llmkit-status").last


def picture(page: Any, name: str) -> None:
    """Keep what is to be seen, for people to look at."""
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)
    page.evaluate(
        "() => document.querySelectorAll('.jp-WindowedPanel-outer').forEach(n => { n.scrollTop = 0; })"
    )
    page.wait_for_timeout(1000)
    page.screenshot(path=folder / f"{name}.png")


def _await_answer(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                assert reply.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}: {log.read_text()}")
