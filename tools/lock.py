"""Pin what the project needs, every file by its hash, in requirements/lab.txt and requirements/test.txt.

python -m tools.lock             keep the pins that still fit, add what is missing
python -m tools.lock --upgrade   the newest versions that pyproject.toml allows

One file serves Python 3.11 to 3.13 on Linux, macOS and Windows. It needs uv (``pip install uv``).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Written by `make lock` from pyproject.toml; do not edit.\n"


def main(arguments: list[str] | None = None) -> int:
    """Write both files; the exit status of uv if it fails."""
    parser = argparse.ArgumentParser(prog="tools.lock", description="Pin the requirements by hash.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    options = parser.parse_args(arguments)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        print("uv was not found on the PATH; it writes the pins: pip install uv", file=sys.stderr)
        return 1
    (ROOT / "requirements").mkdir(exist_ok=True)
    upgrade = ["--upgrade"] if options.upgrade else []
    # lab is held to the pins of test, so that a set-up for either is a set-up for both.
    return _compile(uv, "test", ["--extra", "lab", "--extra", "test", *upgrade]) or _compile(
        uv, "lab", ["--extra", "lab", "--constraint", "requirements/test.txt", *upgrade]
    )


def _compile(uv: str, name: str, arguments: list[str]) -> int:
    target = ROOT / "requirements" / f"{name}.txt"
    command = [
        *(uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-header", "--no-annotate"),
        *("--no-emit-index-url", "--no-emit-find-links"),
        *("--output-file", f"requirements/{name}.txt", *arguments, "pyproject.toml", "-"),
    ]
    done = subprocess.run(command, cwd=ROOT, input=build_requirements(), text=True, stdout=subprocess.DEVNULL)
    if done.returncode == 0:
        target.write_text(HEADER + target.read_text("utf-8"), "utf-8", newline="\n")
    return done.returncode


def build_requirements() -> str:
    """What builds the project, one requirement a line: the set-up installs it without build isolation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return "\n".join(project["build-system"]["requires"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
