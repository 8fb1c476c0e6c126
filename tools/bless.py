"""Run the notebooks offline and write their outputs in the one form that is committed.

python -m tools.bless                   run and rewrite every notebook in notebooks/
python -m tools.bless FILE.ipynb ...    only these
python -m tools.bless --check           write nothing; exit 1 if a notebook is not as it would be written

The form: cells counted 1, 2, ...; a readable id on every cell; no metadata but kernel, language and tags; no
widget views, since their state is not kept (text/html stays); no path in a traceback; an old picture kept
where nothing else of its cell changed.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tools.offline import ROOT, go_offline, guarded_kernels, skip_grammars

# Here, before nbformat is loaded.
skip_grammars()

import nbformat  # noqa: E402
from ipykernel.kernelspec import RESOURCES, get_kernel_dict  # noqa: E402
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: E402

Node = Any

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# The same picture comes out in other bytes with another build of the library that draws it.
PICTURES = frozenset({"image/png", "image/jpeg"})
READABLE_ID = re.compile(r"[a-z][a-z0-9-]{0,39}")
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]*)?")
CELL_SECONDS = 120


def main(arguments: list[str] | None = None) -> int:
    """Bless, or with ``--check`` compare; 1 if a cell failed or a file is not as it would be written."""
    parser = argparse.ArgumentParser(
        prog="tools.bless", description="Run the notebooks, write their outputs."
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in notebooks/")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    go_offline()
    with tempfile.TemporaryDirectory(prefix="llmkit-ipython-") as folder:
        os.environ.update(guarded_kernels(Path(folder) / "ipython"))
        paths = options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
        good = [bless(path, check=options.check) for path in paths]
    return 0 if all(good) else 1


def bless(path: Path, *, check: bool = False) -> bool:
    """Run a notebook and write it; with ``check`` only compare. Prints a line; False on a fault."""
    before = path.read_text("utf-8")
    old = nbformat.reads(before, as_version=4)
    try:
        after = text_of(normalised(run(old, path.resolve().parent), old))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{path.name}: a cell failed\n{error}", file=sys.stderr)
        return False
    if after == before:
        print(f"{path.name}: unchanged")
    elif check:
        print(
            f"{path.name}: not as it would be written; run make bless, look at the difference",
            file=sys.stderr,
        )
        return False
    else:
        path.write_text(after, "utf-8", newline="\n")
        print(f"{path.name}: written")
    return True


class _ThisInterpreter(KernelSpecManager):
    """Knows one kernel, this Python, whatever the user has installed under the name python3."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def run(notebook: Node, folder: Path) -> Node:
    """A copy of ``notebook`` with the outputs of a fresh kernel started in ``folder``.

    Raises:
        CellExecutionError: a cell failed that is not tagged raises-exception.
        CellTimeoutError: a cell took more than two minutes.
        DeadKernelError: the kernel died.
    """
    result = copy.deepcopy(notebook)
    client = NotebookClient(
        result,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_ThisInterpreter()),
        timeout=CELL_SECONDS,
        coalesce_streams=True,
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(cleanup_kc=True)
    return result


def normalised(notebook: Node, old: Node) -> Node:
    """``notebook``, just run, in the form that is committed; ``old`` lends its pictures."""
    result = copy.deepcopy(notebook)
    result["metadata"] = nbformat.from_dict(METADATA)
    result["nbformat"], result["nbformat_minor"] = 4, 5
    old_cells = {cell.get("id"): cell for cell in old["cells"]}
    counts = itertools.count(1)
    for cell in result["cells"]:
        cell["metadata"] = {"tags": cell["metadata"]["tags"]} if cell["metadata"].get("tags") else {}
        cell.pop("attachments", None)
        if cell["cell_type"] == "code":
            _normalise_outputs(cell, next(counts))
            _keep_pictures(cell, old_cells.get(cell.get("id"), {}))
    _name_cells(result["cells"])
    return result


def text_of(notebook: Node) -> str:
    """The file's text, valid by nbformat's schema, with a last line end."""
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook, version=nbformat.NO_CONVERT)).rstrip("\n") + "\n"


def _normalise_outputs(cell: Node, count: int) -> None:
    cell["execution_count"] = count
    for output in cell["outputs"]:
        if "execution_count" in output:
            output["execution_count"] = count
        output.get("data", {}).pop(WIDGET_VIEW, None)
        if output["output_type"] == "error":
            output["traceback"] = [f"{output['ename']}: {output['evalue']}"]


def _keep_pictures(cell: Node, old: Node) -> None:
    if old.get("source") == cell["source"] and _without_pictures(old["outputs"]) == _without_pictures(
        cell["outputs"]
    ):
        for output, old_output in zip(cell["outputs"], old["outputs"], strict=True):
            kinds = PICTURES & output.get("data", {}).keys()
            output.get("data", {}).update({kind: old_output["data"][kind] for kind in kinds})


def _without_pictures(outputs: Iterable[Node]) -> list[Any]:
    """What of the outputs must agree before an old picture may stand for a new one."""
    return [
        (
            output["output_type"],
            output.get("text"),
            output.get("evalue"),
            {
                kind: None if kind in PICTURES else data
                for kind, data in output.get("data", {}).items()
                if kind != WIDGET_VIEW
            },
        )
        for output in outputs
    ]


def _name_cells(cells: list[Node]) -> None:
    """Give each cell without a readable id of its own the name of its section and a number."""
    taken: set[str] = set()
    section = "top"
    for cell in cells:
        heading = (
            re.search(r"^#+ +(.+)", cell["source"], re.MULTILINE) if cell["cell_type"] == "markdown" else None
        )
        if heading:
            section = re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-0123456789")[:30] or "section"
        name = str(cell.get("id", ""))
        if not is_readable(name) or name in taken:
            name = next(new for n in itertools.count(1) if (new := f"{section}-{n}") not in taken)
            cell["id"] = name
        taken.add(name)


def is_readable(name: str) -> bool:
    """Whether a cell's id was given by a person; JupyterLab and nbformat make up hexadecimal ones."""
    return bool(READABLE_ID.fullmatch(name)) and not RANDOM_ID.fullmatch(name)


if __name__ == "__main__":
    sys.exit(main())
