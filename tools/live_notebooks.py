"""Run the notebooks with LLMKIT_MODE=live and a key, against a stranger: python -m tools.live_notebooks

The stranger is the simulator at another address than the notebooks' own, which knows the curated tasks alone.
Nothing is written. Prints a line a notebook: seconds, or the error.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tools.offline import ROOT, guarded_kernels, offline, skip_grammars

skip_grammars()

import nbformat  # noqa: E402
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: E402

import llmkit as kit  # noqa: E402
from llmkit.simulator import Simulator  # noqa: E402
from tools.bless import run  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """1 if a cell of a notebook failed."""
    parser = argparse.ArgumentParser(prog="tools.live_notebooks", description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in notebooks/")
    paths = parser.parse_args(arguments).notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    kept = offline(os.environ)
    os.environ.clear()
    os.environ.update(kept)
    with Simulator() as stranger, tempfile.TemporaryDirectory(prefix="llmkit-live-") as folder:
        for task in sorted(path.parent for path in (ROOT / "data").glob("*/task.toml")):
            stranger.learn(kit.read_task(task).rehearsal())
        os.environ.update(guarded_kernels(Path(folder) / "ipython"))
        os.environ.update(_live(stranger.url))
        good = [_ran(path, Path(folder)) for path in paths]
    return 0 if all(good) else 1


def _live(address: str) -> dict[str, str]:
    return {
        "LLMKIT_MODE": "live",
        "ANTHROPIC_API_KEY": "sk-of-a-stranger",
        "ANTHROPIC_BASE_URL": address,
    }


def _ran(path: Path, folder: Path) -> bool:
    os.environ["LLMKIT_STORE"] = str(folder / f"{path.stem}.sqlite")
    started = time.monotonic()
    try:
        run(nbformat.read(path, as_version=4), path.resolve().parent)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{path.name}: {str(error).strip().splitlines()[-1][:300]}", flush=True)
        return False
    print(f"{path.name}: {time.monotonic() - started:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
