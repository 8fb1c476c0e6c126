"""The pictures of a task's items: found before anything is sent, read when they are asked about."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import parts
from .errors import TaskError
from .parts import Part

Source = str | Path | bytes


def sources(item: Mapping[str, Any], column: str, folder: Path | None) -> list[Source]:
    """Where an item's pictures are: one or a list of paths, addresses or bytes; none for an empty cell.

    Raises ``TaskError`` for anything else in the cell.
    """
    cell = item[column]
    if cell is None or (isinstance(cell, float) and cell != cell):
        return []
    given = list(cell) if isinstance(cell, list | tuple) else [cell]
    wrong = [one for one in given if not isinstance(one, str | Path | bytes) or not one]
    if wrong:
        raise TaskError(
            f"its {column!r} holds {wrong[0]!r}; give a file name, an http(s) address, the bytes of a "
            "picture, or a list of these"
        )
    return [_within(folder, one) for one in given]


def check(items: Sequence[Mapping[str, Any]], ids: Sequence[str], column: str, folder: Path | None) -> None:
    """Raise ``TaskError`` naming the files that are not there, and the first item that needs one."""
    missing: dict[str, str] = {}
    for item, id in zip(items, ids, strict=True):
        try:
            places = sources(item, column, folder)
        except TaskError as error:
            raise TaskError(f"item {id!r}: {error}") from None
        for place in places:
            if isinstance(place, Path) and not place.is_file():
                missing.setdefault(str(place), id)
    if missing:
        path, id = next(iter(missing.items()))
        where = "the folder the task was read from" if folder else "where this program was started"
        raise TaskError(
            f"{len(missing)} picture(s) named by {column!r} are missing, such as {path!r} of item {id!r}; "
            f"names are looked up from {where}"
        )


def read(item: Mapping[str, Any], column: str, folder: Path | None) -> list[Part]:
    """An item's pictures as parts of a message."""
    return [parts.image(source) for source in sources(item, column, folder)]


def digest(picture: Part) -> str:
    """64 hex digits that change with a picture's bytes, or with its address."""
    source = picture["source"]
    data = source["url"].encode() if source["type"] == "url" else base64.b64decode(source["data"])
    return hashlib.sha256(data).hexdigest()


def summary(item: Mapping[str, Any], column: str, folder: Path | None) -> str:
    """An item's pictures in a few words: name, kind and size of each."""
    told = []
    for source in sources(item, column, folder):
        name = f"{source.name}: " if isinstance(source, Path) else ""
        told.append(name + parts.image(source).summary())
    return "; ".join(told)


def _within(folder: Path | None, source: Source) -> Source:
    if isinstance(source, bytes) or (isinstance(source, str) and parts.is_address(source)):
        return source
    path = Path(source).expanduser()
    return path if folder is None else folder / path
