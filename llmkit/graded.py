"""What a recorded answer was graded, kept: a comparison run again reads and grades nothing twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType
from typing import Any

from . import shares
from .grades import Grader
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS graded(
  recording TEXT NOT NULL, rubric TEXT NOT NULL, score REAL NOT NULL, extracted TEXT,
  explanation TEXT NOT NULL, outcome TEXT NOT NULL, cost REAL, input_tokens INTEGER,
  output_tokens INTEGER, latency REAL, first_token REAL, simulated INTEGER NOT NULL,
  served TEXT, request_id TEXT, tier TEXT, endpoint TEXT,
  cost_input REAL, cost_cache REAL, cost_output REAL, cost_thinking REAL, cost_failed REAL, cost_other REAL,
  price_rows TEXT,
  PRIMARY KEY(recording, rubric)) WITHOUT ROWID;
"""
FIELDS = (
    *("score", "extracted", "explanation", "outcome", "cost", "input_tokens", "output_tokens", "latency"),
    *("first_token", "simulated", "served", "request_id", "tier", "endpoint", *shares.COLUMNS),
)
_PACKAGES = ("jsonschema", "math-verify", "nltk", "python-dateutil", "sacrebleu")
_AT_ONCE = 500  # keys in one query: what they bring is worked on while it is in the processor's cache


def rubrics(grader: object, items: Iterable[Mapping[str, Any]]) -> list[str] | None:
    """For each item, 32 hex digits that change with anything its grade depends on besides the answer.

    None for a grader nobody can vouch for, such as a function of the user's: it may have changed.
    """
    known = _identity(grader)
    if known is None:
        return None
    start = hashlib.sha256(known.encode("utf-8", "surrogatepass"))
    return [_with(start, _plain_json(item)) for item in items]


def find(
    store: Store, wanted: Sequence[tuple[str, str]]
) -> Iterator[tuple[list[int], dict[str, tuple[Any, ...]]]]:
    """Of pairs of recording and rubric those that are kept, so many at a time, in no order.

    Yields their places in ``wanted``, and the ``FIELDS`` as columns.
    """
    columns = ", ".join(f"graded.{name}" for name in ("rubric", *FIELDS))
    sql = f"SELECT wanted.key, {columns} FROM json_each(?) AS wanted JOIN graded ON recording = wanted.value"
    keys = [key for key, _ in wanted]
    order = sorted(range(len(wanted)), key=keys.__getitem__)  # as they lie on disk, side by side
    for start in range(0, len(wanted), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        found = store.read(sql, (json.dumps([keys[place] for place in part]),))
        kept = [row for row in found if row[1] == wanted[part[row[0]]][1]]
        if kept:
            places, _, *fields = zip(*kept, strict=True)
            yield [part[place] for place in places], dict(zip(FIELDS, fields, strict=True))


def keep(store: Store, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep rows of (recording, rubric, *FIELDS); returns once they are durable."""
    marks = ", ".join("?" * (len(FIELDS) + 2))
    store.write(
        lambda connection: connection.executemany(f"INSERT OR REPLACE INTO graded VALUES({marks})", rows)
    )


def _identity(grader: object) -> str | None:
    try:
        return None if not isinstance(grader, Grader) else f"{_described(grader.grade)} {_source()}"
    except _Unknown:
        return None


class _Unknown(Exception):
    """A part of a grader of which nobody can say whether it is the same as before."""


def _described(part: Any) -> str:
    if part is None or isinstance(part, str | int | float):
        return repr(part)
    if isinstance(part, re.Pattern):
        return repr((part.pattern, part.flags))
    if isinstance(part, Mapping):
        return f"{{{', '.join(f'{_described(name)}: {_described(value)}' for name, value in part.items())}}}"
    if isinstance(part, list | tuple):
        return f"[{', '.join(map(_described, part))}]"
    if isinstance(part, partial):
        return f"{_described(part.func)}{_described(part.args)}{_described(part.keywords)}"
    if (
        isinstance(part, FunctionType)
        and part.__module__.startswith(f"{__package__}.")
        and not part.__closure__
    ):
        return f"{part.__module__}.{part.__qualname__}"
    raise _Unknown


@cache
def _source() -> str:
    """Changes with the text of every room that grades, and with the packages they grade by."""
    here = Path(__file__).parent
    rooms = sorted(path for start in ("grade", "sandbox", "benchmark") for path in here.glob(f"{start}*.py"))
    installed = " ".join(f"{package} {_version(package)}" for package in _PACKAGES)
    return hashlib.sha256(b"".join(room.read_bytes() for room in rooms) + installed.encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _with(start: Any, text: str) -> str:
    digest = start.copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return str(digest.hexdigest()[:32])


def _plain_json(item: Mapping[str, Any]) -> str:
    return _json(item)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else repr(value)


_json = json.JSONEncoder(ensure_ascii=False, default=_plain).encode
