"""What a person at JupyterLab waits for: each notebook run whole, and the lab until it answers."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from tools.labs import free_port

from .figures import Scope, Series, Target
from .processes import ROOT, told

NOTEBOOK, LAB = "a notebook run whole, kernel included", "JupyterLab by `llmkit lab` until it answers"
SLOWEST, ALL = "the slowest", "all of them"
CPU, MORE, WALL = "CPU", "CPU of node, where it is installed", "wall"
TARGETS = (
    Target(NOTEBOOK, SLOWEST, 20.0),
    Target(NOTEBOOK, ALL, 300.0),
    Target(LAB, CPU, 1.5),
)
_SHARE = 1 / 3
_SECONDS = 60.0


def run(scope: Scope) -> Iterator[Series]:
    """Every notebook once, and the lab a few times."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))[: scope.block(1000)]
    seconds = {path.stem: _run(path, scope.folder) for path in paths}
    for name, each in seconds.items():
        yield Series(NOTEBOOK, name, "s", (each,))
    yield Series(NOTEBOOK, SLOWEST, "s", (max(seconds.values()),))
    yield Series(NOTEBOOK, ALL, "s", (sum(seconds.values()),))
    # The first start compiles what was not compiled yet.
    starts = [_start(scope.folder / f"lab-{number}") for number in range(1 + scope.part(_SHARE))][1:]
    for way, values in zip((CPU, MORE, WALL), zip(*starts, strict=True), strict=True):
        yield Series(LAB, way, "s", values)


def _run(path: Path, home: Path) -> float:
    """Seconds until a notebook has run and its outputs were compared with those it has."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "tools.bless", "--check", str(path)]
    done = subprocess.run(command, cwd=ROOT, env=told(home), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{path.name} did not run as it is written: {done.stderr.strip()[-500:]}")
    return time.perf_counter() - began


def _start(home: Path) -> tuple[float, float, float]:
    """CPU seconds of the server and of what it started, and wall seconds, at its first answer."""
    home.mkdir()
    port = free_port()
    places = {name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    environment = told(home, {**places, "JUPYTER_RUNTIME_DIR": str(home), "JUPYTER_TOKEN": "token"})
    command = [sys.executable, "-m", "llmkit.cli", "lab", "--no-browser", "--port", str(port)]
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _await(f"http://127.0.0.1:{port}/api/status?token=token", server)
            wall, used = time.perf_counter() - began, psutil.Process(server.pid).cpu_times()
            return used.user + used.system, used.children_user + used.children_system, wall
        finally:
            server.terminate()


def _await(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()
            return
        time.sleep(0.02)
    raise RuntimeError(f"no lab answered within {_SECONDS:g} s (status {server.poll()})")
