"""Where a program's files are: the project around it, and the store of ledger and recordings."""

from __future__ import annotations

import os
from pathlib import Path

from . import store_errors
from .errors import NotConnected, StoreError
from .graded import SCHEMA as GRADED_SCHEMA
from .human import SCHEMA as HUMAN_SCHEMA
from .ledger import SCHEMA as LEDGER_SCHEMA
from .recordings import SCHEMA as RECORDING_SCHEMA
from .store import Store


def store_path(mode: str, store: str | Path | None) -> str:
    """The store's file by the user's word, else LLMKIT_STORE, else the mode's own; ":memory:" is no file.

    Raises ``NotConnected`` for a replay of recordings that are not there.
    """
    given = store or os.environ.get("LLMKIT_STORE")
    if given:
        path = str(given)
    elif mode == "offline":
        path = ":memory:"
    else:
        path = str(project() / ".llmkit" / "store.sqlite")
    if mode == "replay" and path != ":memory:" and not Path(path).exists():
        raise NotConnected(
            f'nothing is recorded yet: there is no store {path!r}. Run kit.connect("live") first, or give '
            "store= the file of the recordings"
        )
    return path


def open_store(path: str, *, set_aside: bool) -> tuple[Store, str]:
    """The store, and what to say where a damaged one was renamed first."""
    schema = LEDGER_SCHEMA + RECORDING_SCHEMA + GRADED_SCHEMA + HUMAN_SCHEMA
    try:
        return Store(path, schema=schema), ""
    except StoreError as error:
        if not (set_aside and error.damaged):
            raise
    moved = store_errors.set_aside(path)
    said = f" · the damaged store is kept as {moved.name}; ledger, recordings and ceilings begin anew"
    return Store(path, schema=schema), said


def project() -> Path:
    """The folder of the project around: the nearest with a store, a repository or a pyproject.toml."""
    here = Path.cwd()
    for mark in (".llmkit", ".git", "pyproject.toml"):
        for folder in (here, *here.parents):
            if (folder / mark).exists():
                return folder
    return here
