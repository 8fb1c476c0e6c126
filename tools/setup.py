"""Set up .venv in this tree: python tools/setup.py lab|test

Installs the pinned requirements/lab.txt, or requirements/test.txt (lab and its makers' tools), each file
checked by its hash, then the project itself from this tree. Once done, it is left alone until the pins,
pyproject.toml or the Python change. It needs the standard library only.
"""

# Nothing above main() may need a new Python: an old one must get as far as being told that it is old.
from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
# What a set-up for one purpose also serves: test.txt holds every pin of lab.txt.
SERVES = {"lab": ["lab"], "test": ["lab", "test"]}


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Bring .venv up to date for the purpose named; 0 when it is, 1 when that cannot be done."""
    parser = argparse.ArgumentParser(prog="tools/setup.py", description="Set up .venv in this tree.")
    parser.add_argument("purpose", choices=sorted(SERVES), help="lab: to use it; test: to work on it")
    purpose = parser.parse_args(arguments).purpose
    try:
        check_python(sys.version_info[:2])
        set_up(ROOT, purpose)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that is too old, or that lacks the modules which make environments.

    Raises:
        SetupError: with the way out.
    """
    if version < OLDEST:
        raise SetupError(
            f"This is Python {version[0]}.{version[1]}; llmkit needs {OLDEST[0]}.{OLDEST[1]} or newer. "
            "Name a newer one: make PYTHON=python3.13 ..., or python3.13 tools/setup.py ..."
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise SetupError(
            f"This Python lacks the module {error.name!r}, which makes environments. "
            "On Debian and Ubuntu: apt install python3-venv; elsewhere use the installer of python.org."
        ) from error


def set_up(root: Path, purpose: str) -> None:
    """Make .venv under ``root`` serve ``purpose``; nothing is done when its stamp says that it does.

    Raises:
        SetupError: a step failed.
    """
    wanted, found = stamp(root, purpose), read_stamp(root)
    same_python = found.get("made_by") == wanted["made_by"] and interpreter(root).exists()
    if same_python and covers(found, wanted):
        return
    if not same_python:
        make_environment(root)
    # Until every step is done, the environment serves nothing.
    write_stamp(root, {**wanted, "serves": {}})
    install(root, purpose)
    write_stamp(root, wanted)


def make_environment(root: Path) -> None:
    """Make .venv anew, in place of one made here before; anybody else's is left alone.

    Raises:
        SetupError: .venv is somebody else's, or is the one running this.
    """
    folder = root / ".venv"
    if folder.exists() and not stamp_path(root).exists():
        raise SetupError(f"{folder} was not made by tools/setup.py; move or remove it, then try again.")
    if Path(sys.prefix).resolve() == folder.resolve():
        raise SetupError("This Python is the one in .venv; run it with the Python that .venv came from.")
    print(f"Making .venv with Python {platform.python_version()} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    # First of all, so that one interrupted half way is known as ours and made again.
    write_stamp(root, {})
    run([sys.executable, "-m", "venv", str(folder)], root)


def install(root: Path, purpose: str) -> None:
    """Put the pins and the project into .venv.

    Raises:
        SetupError: a step failed; its own message is on the screen.
    """
    pip = [
        str(interpreter(root)),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-deps",
    ]
    pins = root / "requirements" / f"{purpose}.txt"
    print(f"Installing requirements/{pins.name} into .venv ...", flush=True)
    # No source is built: what would build it is not pinned.
    run([*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", str(pins)], root)
    # The project is built by the pinned flit_core that has just been installed, asking no index.
    run([*pip, "--no-index", "--no-build-isolation", "--editable", str(root)], root)


def run(command: list[str], root: Path) -> None:
    """Run one step in ``root``, showing what it prints.

    Raises:
        SetupError: it failed.
    """
    # These would let packages of another environment stand in for the pinned ones, or go elsewhere.
    strangers = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    clean = {name: value for name, value in os.environ.items() if name not in strangers}
    if subprocess.run(command, cwd=root, env=clean).returncode != 0:
        raise SetupError(f"The set-up stopped at: {' '.join(command[1:])}\nIts own message is above.")


def stamp(root: Path, purpose: str) -> dict[str, Any]:
    """What an environment for ``purpose`` is made of, to tell whether one still fits.

    Raises:
        SetupError: a file of pins is missing.
    """
    try:
        serves = {name: fingerprint(root, name) for name in SERVES[purpose]}
    except FileNotFoundError as error:
        raise SetupError(
            f"{error.filename} is missing; it is part of the tree. Check it out again."
        ) from error
    return {"made_by": [platform.python_version(), platform.machine(), str(root)], "serves": serves}


def fingerprint(root: Path, purpose: str) -> str:
    """64 hex digits over the pins for ``purpose`` and pyproject.toml."""
    digest = hashlib.sha256()
    for path in (root / "requirements" / f"{purpose}.txt", root / "pyproject.toml"):
        # Read as text, since a checkout with other line ends asks for nothing else.
        digest.update(path.read_text("utf-8").encode() + b"\0")
    return digest.hexdigest()


def covers(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether the stamp ``found`` serves all that ``wanted`` does."""
    return bool(wanted["serves"].items() <= found.get("serves", {}).items())


def interpreter(root: Path) -> Path:
    """The Python of .venv, there or not."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stamp_path(root: Path) -> Path:
    """The file in .venv that says what it was made of."""
    return root / ".venv" / "llmkit-setup.json"


def read_stamp(root: Path) -> dict[str, Any]:
    """What the stamp says; empty when there is none to read."""
    try:
        found = json.loads(stamp_path(root).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_stamp(root: Path, content: dict[str, Any]) -> None:
    """Replace the stamp by ``content``."""
    stamp_path(root).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
