"""One virtual environment a peer: what it holds, making it, and where its Python is.

python -m benchmarks.environments [NAME ...]
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".bench"
SDK = "anthropic>=2.12,<3"
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "core": ("httpx>=0.28,<1", "httpx2>=2,<3", SDK, "genai-prices>=0.2.3,<1", "numpy>=1.26,<3"),
    # Never 1.82.7 or 1.82.8, which were tampered with.
    "litellm": ("litellm>=1.100,<2",),
    "any-llm": ("any-llm-sdk[anthropic]>=1.40,<2",),
    "pydantic-ai": ("pydantic-ai-slim[anthropic]>=2.60,<3",),
    "langchain": ("langchain-anthropic>=1.7,<2",),
    "inspect": ("inspect-ai>=0.3.280,<0.4", SDK),
}
OURS = "llmkit"
_STAMP, _WHY = "stamp.json", "why-not.txt"
# What an installer needs to know; no key that lies in this shell is handed to a package's own code.
_PASSED_ON = (
    "PATH",
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "SYSTEMROOT",
    "TMPDIR",
    "TEMP",
    "LANG",
)
_PREFIXES = (
    "PIP_",
    "UV_",
    "SSL_CERT",
    "REQUESTS_CA",
    "CURL_CA",
    "http_",
    "https_",
    "HTTP_",
    "HTTPS_",
    "NO_PROXY",
)


class NotInstalled(Exception):
    """An environment is not there, or cannot be made; the message says why."""


def names() -> list[str]:
    """Every environment; the last holds what this tree's llmkit needs, which itself is read from the tree."""
    return [*PACKAGES, OURS]


def packages(name: str) -> tuple[str, ...]:
    """What is asked for in an environment."""
    if name != OURS:
        return PACKAGES[name]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return tuple(project["dependencies"])


def python(name: str, folder: Path = FOLDER) -> Path:
    """Its interpreter. Raises ``NotInstalled`` where it was not made for what is asked for now."""
    home = folder / name
    if _read(home / _STAMP) == _stamp(name):
        return _interpreter(home)
    why = _read(home / _WHY)
    raise NotInstalled(why or f"there is no environment {name!r} for what it should hold; run make bench")


def make(name: str, folder: Path = FOLDER) -> Path:
    """Its interpreter, made first where it is missing or was made for something else.

    Raises:
        NotInstalled: with the installer's last words.
    """
    try:
        return python(name, folder)
    except NotInstalled:
        home = folder / name
        shutil.rmtree(home, ignore_errors=True)
        try:
            for step in _steps(home, packages(name)):
                _run(step)
        except NotInstalled as error:
            home.mkdir(parents=True, exist_ok=True)
            (home / _WHY).write_text(f"it could not be made: {error}", "utf-8")
            raise
        (home / _STAMP).write_text(_stamp(name), "utf-8")
        return _interpreter(home)


def make_all(chosen: list[str], folder: Path = FOLDER) -> dict[str, str]:
    """Make those named; why not, by name, for those that cannot be made."""
    failed = {}
    for name in chosen:
        try:
            make(name, folder)
        except NotInstalled as error:
            failed[name] = str(error)
    return failed


def missing(folder: Path = FOLDER) -> dict[str, str]:
    """Why, by name, for the environments that are not there."""
    found = {}
    for name in names():
        try:
            python(name, folder)
        except NotInstalled as error:
            found[name] = str(error)
    return found


def versions(name: str, folder: Path = FOLDER) -> dict[str, str]:
    """The version of each package asked for in an environment, as installed."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
    )
    plain = [_plain(package) for package in packages(name)]
    done = subprocess.run(
        [python(name, folder), "-I", "-c", code, *plain],
        env=told(),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _plain(package: str) -> str:
    for number, letter in enumerate(package):
        if letter in "[<>=!~ ":
            return package[:number]
    return package


def _stamp(name: str) -> str:
    return json.dumps({"python": platform.python_version(), "packages": packages(name)})


def _steps(home: Path, wanted: tuple[str, ...]) -> list[list[str]]:
    here, inside = sys.executable, str(_interpreter(home))
    # No source is built: that would run code of whoever wrote it.
    wheels = ["--quiet", "--only-binary", ":all:"]
    if shutil.which("uv"):
        return [
            ["uv", "venv", "--quiet", "--python", here, str(home)],
            ["uv", "pip", "install", *wheels, "--python", inside, *wanted],
        ]
    return [[here, "-m", "venv", str(home)], [inside, "-m", "pip", "install", *wheels, *wanted]]


def _run(step: list[str]) -> None:
    try:
        done = subprocess.run(step, env=told(), capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired as late:
        raise NotInstalled(f"{step[0]} took longer than {late.timeout:g} s") from None
    if done.returncode:
        raise NotInstalled((done.stderr or done.stdout).strip()[-600:])


def told() -> dict[str, str]:
    """What an installer is told of this shell: where to look and what to trust, and no key."""
    return {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PREFIXES)
    }


def _interpreter(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(arguments: list[str] | None = None) -> int:
    """Make those named, or all; say which could not be made. Returns the exit status."""
    chosen = (sys.argv[1:] if arguments is None else arguments) or names()
    unknown = [name for name in chosen if name not in names()]
    if unknown:
        print(f"no environment {unknown}; there are {names()}", file=sys.stderr)
        return 2
    failed = make_all(chosen)
    for name, why in failed.items():
        print(f"{name}: not installed: {why}", file=sys.stderr)
    return 0 if len(failed) < len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
