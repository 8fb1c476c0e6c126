"""A user's own prices, from a file or from the notebook, checked whole before any of them holds."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from .errors import UnknownModel, UsageError
from .models import PriceRow, find, known, read_day, read_rate, read_tokens
from .pricing import PriceBook

FILE_NAMES = ("llmkit-prices.toml", "llmkit-prices.json")

_SPEEDS = ("standard", "fast")
_MODEL = re.compile(r"[^\s/]+(/[^\s/]+)*")
_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*price[ \t]*\]\]", re.MULTILINE)


def book_of(path: str | Path) -> PriceBook:
    """The rows of a price file: ``[[price]]`` tables in TOML, or ``{"price": [{...}]}`` in JSON.

    Each has ``model``, ``input`` and ``output``, and may have what ``kit.price`` takes. Numbers are read as
    they are written, never through a float.

    Raises ``UsageError``, with the place in the file, for what cannot be read: then no row of it holds.
    """
    path = Path(path)
    entries, places = _entries(path)
    read = [(place, *read_row(entry, place)) for entry, place in zip(entries, places, strict=True)]
    _refuse_overlaps(read)
    rows: dict[str, tuple[PriceRow, ...]] = {}
    for _, name, row in read:
        rows[name] = (*rows.get(name, ()), row)
    return PriceBook(rows)


def find_file(folder: Path, named: str | None) -> Path | None:
    """The price file: the one the environment names, else the project folder's own, else None.

    Raises ``UsageError`` where the folder has both, since nobody could say which one holds.
    """
    if named:
        return Path(named)
    found = [folder / name for name in FILE_NAMES if (folder / name).exists()]
    if len(found) > 1:
        raise UsageError(f"there are two price files, {' and '.join(FILE_NAMES)}; keep one of them")
    return found[0] if found else None


def read_row(entry: Mapping[str, Any], place: str) -> tuple[str, PriceRow]:
    """The name a row is kept under, and the row; ``place`` says in errors where it was written.

    Raises ``UsageError`` naming the key at fault, its value and what it should be.
    """
    unknown, missing = sorted(entry.keys() - _KEYS.keys()), sorted(_NEEDED - entry.keys())
    if unknown or missing:
        raise UsageError(
            f"{place}: a price has the unknown keys {unknown} and lacks {missing}; it "
            f"needs {', '.join(sorted(_NEEDED))} and may have {', '.join(sorted(_KEYS.keys() - _NEEDED))}"
        )
    values = {key: _value(key, value, place) for key, value in entry.items() if value is not None}
    if None in (entry["model"], entry["input"], entry["output"]):
        raise UsageError(f"{place}: model, input and output cannot be None; give a name and two rates")
    name, start, until = values.pop("model"), values.pop("since", None), values.get("until")
    if until is not None and start is not None and until <= start:
        raise UsageError(f"{place}: the price ends on {until}, which is not after it starts on {start}")
    absent = dict.fromkeys(("until", "cache_write_5m", "cache_write_1h", "cache_read", "image_tokens"))
    plain = {"speed": "standard", "prompt_tokens_over": 0, "note": ""}
    row = PriceRow(
        **{**absent, **plain, **values}, id="", start=start or date.min, source=(place,), confidence="yours"
    )
    return name, replace(row, id=_row_id(name, row))


def with_row(book: PriceBook, name: str, row: PriceRow) -> PriceBook:
    """The book with one more row; older rows of its kind (speed and threshold) end where its days begin."""
    older = [part for other in book.rows.get(name, ()) for part in _beside(name, other, row)]
    return PriceBook({**book.rows, name: (*older, row)})


def canonical(model: str) -> str:
    """The name rows of a model are kept under: ids for aliases, and Anthropic's own without its name."""
    before, slash, rest = model.rpartition("/")
    facts = known(rest)
    if facts is None or "/" in before:
        return model
    return facts.id if before in ("", "anthropic") else f"{before}{slash}{facts.id}"


def summary(book: PriceBook) -> str:
    """How many rows for how many models, for the line that says what is connected."""
    rows, models = sum(len(rows) for rows in book.rows.values()), len(book.rows)
    return f"{rows} row{'s' * (rows != 1)} for {models} model{'s' * (models != 1)}"


def _entries(path: Path) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The price tables of a file, and where each stands."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        parsed = _toml(text) if path.suffix == ".toml" else _json(text)
    except OSError as error:
        raise UsageError(f"the price file {str(path)!r} cannot be read: {error.strerror}") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UsageError(
            f"the price file {str(path)!r} is not {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}; "
            "correct it, or move it away; none of its prices is in force"
        ) from None
    found = parsed.get("price") if isinstance(parsed, Mapping) and parsed.keys() == {"price"} else None
    if not isinstance(found, list) or not found or not all(isinstance(each, Mapping) for each in found):
        raise UsageError(
            f"the price file {str(path)!r} should hold [[price]] tables (in JSON a list of objects under "
            '"price") and nothing else; correct it, or move it away; none of its prices is in force'
        )
    lines = [text.count("\n", 0, match.start()) + 1 for match in _TABLE.finditer(text)]
    where = [f", line {line}" for line in lines] if len(lines) == len(found) else [""] * len(found)
    return found, [f"{path.name}, price {n}{line}" for n, line in enumerate(where, start=1)]


def _toml(text: str) -> Any:
    return tomllib.loads(text, parse_float=Decimal)


def _json(text: str) -> Any:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number")

    return json.loads(text, parse_float=Decimal, parse_constant=refuse, object_pairs_hook=_once)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _value(key: str, value: Any, place: str) -> Any:
    try:
        return _KEYS[key](value)
    except ValueError as error:
        raise UsageError(f"{place}: {key} is {value!r}: {error}") from None


def _model(value: object) -> str:
    if not isinstance(value, str) or not _MODEL.fullmatch(value):
        raise ValueError('give a name such as "xroute/gpt-5" or "claude-opus-5-5"')
    name = canonical(value)
    if "/" not in name:
        try:
            find(name)
        except UnknownModel as error:
            raise ValueError(f'{error}; for a model elsewhere write "endpoint/model"') from None
    return name


def _speed(value: object) -> str:
    if value not in _SPEEDS:
        raise ValueError(f"give one of {', '.join(_SPEEDS)}")
    return str(value)


def _note(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("give text")
    return value


_RATES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "model": _model,
    **dict.fromkeys(_RATES, read_rate),
    **dict.fromkeys(("since", "until"), read_day),
    **dict.fromkeys(("prompt_tokens_over", "image_tokens"), read_tokens),
    "speed": _speed,
    "note": _note,
}
_NEEDED = {"model", "input", "output"}


def _refuse_overlaps(read: Iterable[tuple[str, str, PriceRow]]) -> None:
    def kind(entry: tuple[str, str, PriceRow]) -> tuple[Any, ...]:
        _, name, row = entry
        return name, row.speed, row.prompt_tokens_over, row.start

    for (one, name, before), (two, other, after) in pairwise(sorted(read, key=kind)):
        same = kind((one, name, before))[:3] == kind((two, other, after))[:3]
        if same and (before.until is None or before.until > after.start):
            raise UsageError(
                f"{two}: the price of {name!r} there and that of {one} overlap, since that one holds from "
                f"{before.start} until {before.until or 'further notice'}; give it until = {after.start}, or "
                "remove one; none of the file's prices is in force"
            )


def _beside(name: str, other: PriceRow, row: PriceRow) -> list[PriceRow]:
    """What is left of an older row on the days that are not the new one's."""
    if (other.speed, other.prompt_tokens_over) != (row.speed, row.prompt_tokens_over):
        return [other]
    last = date.max
    parts = []
    if other.start < row.start:
        parts.append(replace(other, until=min(other.until or last, row.start)))
    if row.until is not None and row.until < (other.until or last):
        later = replace(other, start=max(other.start, row.until))
        parts.append(replace(later, id=_row_id(name, later)))
    return parts


def _row_id(name: str, row: PriceRow) -> str:
    since = "" if row.start == date.min else f"/{row.start}"
    over = f"/over-{row.prompt_tokens_over}" if row.prompt_tokens_over else ""
    return f"own/{name}{since}/{row.speed}{over}"
