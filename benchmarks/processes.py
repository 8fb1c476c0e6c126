"""Processes of a benchmark as its parent sees them: workers in environments, and the local server."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
# All that a worker is told of this machine: no key, no proxy, no file of settings.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")
_QUIET = {
    "DO_NOT_TRACK": "1",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_TELEMETRY": "False",
}
_SECONDS = 300.0


class Failed(Exception):
    """A process did not do what it was asked; the message is its own last words."""


@dataclass(frozen=True)
class Done:
    """What a worker gave back.

    Attributes:
        cpu: seconds, of all its threads.
        wall: seconds.
        held: MB it held afterwards.
        peak: MB it held at most so far.
    """

    value: Any
    cpu: float
    wall: float
    held: float
    peak: float


def told(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a process that measures; it finds llmkit and this package in this tree."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(home), "PYTHONPATH": str(ROOT)}
    return passed | _QUIET | own | dict(more or {})


class Process:
    """A process that speaks JSON lines, ended with this object or when it is silent for too long."""

    def __init__(self, python: Path, module: str, *, more: Mapping[str, str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="llmkit-bench-")
        home = Path(self._folder.name)
        self._words = home / "stderr.txt"
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                [str(python), "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                cwd=home,
                env=told(home, more),
                text=True,
            )

    def hear(self, seconds: float = _SECONDS) -> dict[str, Any]:
        """The next line it says. Raises ``Failed`` where it ends, or says nothing for so long."""
        assert self._process.stdout is not None
        end = threading.Timer(seconds, self._process.kill)
        end.start()
        try:
            line = self._process.stdout.readline()
        finally:
            end.cancel()
        if not line:
            self._process.wait()
            last = self._words.read_text("utf-8", "replace")[-2_000:]
            raise Failed(f"it ended with {self._process.returncode}, or was silent for {seconds:g} s\n{last}")
        said: dict[str, Any] = json.loads(line)
        return said

    def say(self, command: Mapping[str, Any]) -> None:
        """Send a line. Raises ``Failed`` where it has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self._words.read_text("utf-8", "replace")[-2_000:] or "it has ended") from None

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Worker(Process):
    """A process in an environment that does what it is asked, and says what that cost."""

    def __init__(self, python: Path, *, more: Mapping[str, str] | None = None) -> None:
        super().__init__(python, "benchmarks.worker", more=more)

    def make(self, place: str, **given: Any) -> None:
        """Make the object of ``module:Class`` whose methods ``do`` names. Raises ``Failed``."""
        self._ask({"make": place, "given": given})

    def do(self, work: str, **given: Any) -> Done:
        """Run ``module:function``, or a method of what was made. Raises ``Failed`` with its trace."""
        return Done(**self._ask({"do": work, "given": given}))

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        self.say(command)
        said = self.hear()
        if "error" in said:
            raise Failed(said["error"])
        return said


class Server(Process):
    """The local server.

    Attributes:
        address: where it is.
    """

    def __init__(self) -> None:
        super().__init__(Path(sys.executable), "benchmarks.server")
        self._port = self.hear()["port"]
        self.address = f"http://127.0.0.1:{self._port}"

    def answer(self, *, delay: float = 0.0, pause: float = 0.0) -> dict[str, int]:
        """From now on with so many seconds before an answer, and after a first piece. Returns its counts."""
        return self._asked("POST", "/settings", json.dumps({"delay": delay, "pause": pause}))

    def counts(self) -> dict[str, int]:
        """Connections and requests so far."""
        return self._asked("GET", "/counts")

    def _asked(self, verb: str, path: str, body: str = "") -> dict[str, int]:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            line.request(verb, path, body)
            said: dict[str, int] = json.loads(line.getresponse().read())
            return said
        finally:
            line.close()
