"""Server-sent events: bytes in any cut -> the events in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_value = json.JSONDecoder().decode


def events(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The JSON value of each event's data, in order, up to ``[DONE]`` or the end; comments are passed over.

    Raises ``ValueError`` on data that is not JSON or not UTF-8. An event not closed by an empty line is
    not an event (WHATWG HTML, section 9.2.6).
    """
    data: list[bytes | bytearray] = []
    for line in _lines(chunks):
        if line.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line and data:
            text = b"\n".join(data)
            data = []
            if text.strip() == b"[DONE]":
                return
            yield _value(text.decode("utf-8", "surrogatepass"))


def twice(pieces: Sequence[str], tokens: int | None) -> bool:
    """Whether every piece came twice, as from a proxy that replays.

    A piece is a token of output or more, so twice the pieces are more than ``tokens``; where these are not
    known, only a long answer is called doubled.
    """
    if len(pieces) < 2 or pieces[::2] != pieces[1::2]:
        return False
    return len(pieces) > tokens if tokens is not None else len(pieces) >= 16 and len(set(pieces)) >= 4


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes | bytearray]:
    rest = bytearray()  # grows in place, where bytes would be copied with every piece of a long line
    for chunk in chunks:
        rest += chunk
        if b"\n" not in chunk and not rest.endswith(b"\r"):
            continue
        held = b""
        if rest.endswith(b"\r"):  # its \n may be the next chunk's first byte
            rest, held = rest[:-1], b"\r"
        lines = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = lines.pop() + held
        yield from lines
    if rest.endswith(b"\r"):
        yield rest[:-1]
