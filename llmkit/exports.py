"""The ledger as a file for other programs: CSV and Parquet, amounts exact."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from .attempts import COLUMNS, RAW, plain, select
from .errors import UsageError
from .store import Store
from .tables import BUCKETS

_NAMES = (*COLUMNS, *RAW)
_WHOLE = frozenset({"id", "n", *BUCKETS})
_DOLLARS = frozenset({"charged", "estimate", "worst"})
_SECONDS = frozenset({"latency", "first_token"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(store: Store, path: str | Path) -> None:
    """Every attempt, oldest first. Text that a spreadsheet would run as a formula gets a ' before it."""
    with _whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_NAMES)
        for rows in store.chunks(select(_NAMES)):
            writer.writerows([_cell(value) for value in row] for row in plain(rows, _NAMES))


def to_parquet(store: Store, path: str | Path) -> None:
    """Every attempt, oldest first. Raises ``UsageError`` where pyarrow is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError(
            "Parquet needs the package pyarrow, which is not installed; run pip install pyarrow, or use "
            ".to_csv(path)"
        ) from None
    schema = pa.schema([(name, _type(pa, name, store)) for name in _NAMES])
    as_decimal = schema.field("cost").type != pa.string()
    at = _NAMES.index("cost")
    with _whole(path) as part, pq.ParquetWriter(part, schema) as writer:
        for rows in store.chunks(select(_NAMES)):
            columns = [list(column) for column in zip(*plain(rows, _NAMES), strict=True)]
            if as_decimal:
                columns[at] = [None if value is None else Decimal(value) for value in columns[at]]
            writer.write_table(pa.table(dict(zip(_NAMES, columns, strict=True)), schema=schema))


def _type(pa: Any, name: str, store: Store) -> Any:
    if name == "cost":  # a decimal of Parquet has a fixed number of digits; finer amounts stay text
        finer = store.read("SELECT count(*) FROM attempt WHERE cost_nano IS NOT NULL AND cost_rest IS NULL")[
            0
        ][0]
        return pa.string() if finer else pa.decimal128(38, 18)
    if name in _DOLLARS:
        return pa.decimal128(38, 9)
    if name in _WHOLE:
        return pa.int64()
    return pa.float64() if name in _SECONDS else pa.string()


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


@contextmanager
def _whole(path: str | Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its place once it is written to the end."""
    target = Path(path)
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {str(target.parent)!r}; make it first, or give another path")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
