"""What goes wrong with a store's file, told in words that say what to do; and setting a damaged one aside."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from .errors import StoreError


class Explained:
    """What goes wrong inside with the file, as a ``StoreError``."""

    def __init__(self, path: str, patience: float) -> None:
        self._path, self._patience = path, patience

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            words = _explanation(self._path, self._patience, error)
            raise StoreError(words, damaged=_is_damage(error)) from error
        if isinstance(error, OSError):
            raise StoreError(f"the store {self._path!r} cannot be used: {error.strerror}") from error


def set_aside(path: str | Path) -> Path:
    """Rename a store, with the files SQLite keeps beside it, so that a new one can begin; nothing is lost."""
    moved = Path(f"{path}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for end in ("-wal", "-shm", ""):  # a log left behind would be read into the new file
        file = Path(f"{path}{end}")
        if file.exists():
            file.rename(f"{moved}{end}")
    return moved


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else has the file."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _is_damage(error: sqlite3.Error) -> bool:
    return any(words in str(error) for words in ("malformed", "not a database", "unsupported file format"))


def _explanation(path: str, patience: float, error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return (
            f"the store {path!r} was held by another process for {patience:g} s; nothing was changed. "
            "Close the program that holds it, or give store= another path, and run again"
        )
    if _is_damage(error):
        return (
            f"the store {path!r} is damaged ({text}); nothing in it was changed. Move the file away, keep it "
            "(it may hold answers you paid for), and run again with a new one: kit.connect(..., "
            "set_aside=True) renames it and begins one without its ledger, recordings and ceilings"
        )
    if "full" in text:
        return f"the disk is full: {path!r} could not be written and lost nothing. Make room and run again"
    return f"the store {path!r} cannot be used: {text}"
