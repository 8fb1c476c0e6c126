"""JupyterLab in a real headless Chromium: every notebook runs whole, and nothing leaves this machine."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
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
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI") != "true", reason="there is no Chromium here"
    ),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """`llmkit lab` on a copy of the notebooks, with a configuration of its own; gives (url, token)."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    shutil.copytree(ROOT / "data", home / "data")
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
    places += ("JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    environment = os.environ | {name: str(home / name.lower()) for name in places}
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
            answers(f"http://127.0.0.1:{port}/api/status?token=test-token", server, home / "lab.log")
            yield f"http://127.0.0.1:{port}", "test-token"
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def answers(url, server, log):
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


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_whole_in_jupyterlab(lab, name):
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "Chromium is needed to test what a person sees; install it"
    url, token = lab
    troubles: list[str] = []
    hosts: set[str] = set()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 5600})
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
        page.goto(f"{url}/doc/workspaces/test/tree/notebooks/{name}?reset&token={token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.evaluate(READY)
        assert page.evaluate(RUN_ALL) is True
        for kind in ("error", "stderr"):
            assert page.locator(f'[data-mime-type="application/vnd.jupyter.{kind}"]').count() == 0
        take_pictures(page, name)
        browser.close()
    assert troubles == []
    assert hosts - {""} == {"127.0.0.1"}


def take_pictures(page, name):
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)
    page.evaluate(
        "() => document.querySelectorAll('.jp-WindowedPanel-outer').forEach(n => { n.scrollTop = 0; })"
    )
    page.wait_for_timeout(1000)
    page.screenshot(path=folder / f"{Path(name).stem}.png")
