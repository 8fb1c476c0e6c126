"""Parts of a message: a picture, a document or a text, from a path, from bytes or by address."""

from __future__ import annotations

import base64
import struct
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import UsageError
from .render import escape

MOST_IMAGE_BYTES = 5 * 1024 * 1024
"""Of one picture; the API takes no larger one."""

MOST_PIXELS = 8000
"""On a picture's longer side."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


class Part(dict[str, Any]):
    """A content block of the Messages API; shown by its kind and size, not by its bytes."""

    def __repr__(self) -> str:
        return f"<{self.summary()}>"

    def _repr_html_(self) -> str:
        return f"<code>{escape(self.summary())}</code>"

    def summary(self) -> str:
        """Kind, form and size in a few words."""
        if self["type"] == "text":
            return f"text, {len(self['text']):,} characters"
        source = self["source"]
        if source["type"] == "url":
            return f"{self['type']} at {source['url']}"
        size = len(source["data"]) * 3 // 4 if source["type"] == "base64" else len(source["data"])
        return f"{self['type']}, {source['media_type']}, {size:,} bytes"


def text(words: str, *, cache: bool | str = False) -> Part:
    """A text; ``cache`` (True, "5m" or "1h") keeps the prompt up to its end in the provider's cache."""
    if not isinstance(words, str) or not words.strip():
        raise UsageError(f"a text part needs words; it has {words!r}")
    return _cached(Part(type="text", text=words), cache)


def image(source: str | Path | bytes, *, cache: bool | str = False) -> Part:
    """A PNG, JPEG, GIF or WebP picture.

    Args:
        source: a path, the bytes, or an http(s) address the provider fetches itself.
        cache: see ``text``.

    Raises ``UsageError`` if it is of another type, over 5 MB, or over 8,000 pixels wide or high.
    """
    if is_address(source):
        return _cached(Part(type="image", source={"type": "url", "url": str(source)}), cache)
    data, where = _bytes(source)
    kind = image_type(data)
    if kind is None:
        raise UsageError(f"{where} is no PNG, JPEG, GIF or WebP picture; convert it to one of these")
    if len(data) > MOST_IMAGE_BYTES:
        raise UsageError(
            f"{where} has {len(data):,} bytes; a picture may have {MOST_IMAGE_BYTES:,}. Make it smaller: "
            "details beyond some 2,500 pixels are not seen anyway"
        )
    size = image_size(data)
    if size is None:
        raise UsageError(f"{where} is cut off or damaged: it does not say how large it is")
    if max(size) > MOST_PIXELS:
        raise UsageError(
            f"{where} has {size[0]} x {size[1]} pixels; at most {MOST_PIXELS} on a side are taken"
        )
    return _cached(Part(type="image", source=_base64(kind, data)), cache)


def document(source: str | Path | bytes, *, title: str | None = None, cache: bool | str = False) -> Part:
    """A PDF or a plain text file.

    Args:
        source: a path, the bytes of a PDF, or an http(s) address of a PDF the provider fetches itself.
        title: what the model may call it.
        cache: see ``text``.

    Raises ``UsageError`` if it is neither, or is empty.
    """
    if is_address(source):
        part = Part(type="document", source={"type": "url", "url": str(source)})
    else:
        data, where = _bytes(source)
        part = Part(type="document", source=_document(data, where))
    if title is not None:
        part["title"] = title
    return _cached(part, cache)


def image_type(data: bytes) -> str | None:
    """The media type of a picture by its first bytes, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _MAGIC if data.startswith(mark)), None)


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from a picture's head, or None if it cannot be read."""
    try:
        kind = image_type(data)
        if kind == "image/png":
            width, height = struct.unpack(">II", data[16:24])
        elif kind == "image/gif":
            width, height = struct.unpack("<HH", data[6:10])
        elif kind == "image/webp":
            width, height = _webp_size(data)
        elif kind == "image/jpeg":
            width, height = _jpeg_size(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def pdf_pages(data: bytes) -> tuple[int, int] | None:
    """Pages of a PDF and the bytes of the text on them, or None if it cannot be read."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        pages = PdfReader(BytesIO(data)).pages
        return len(pages), sum(len(page.extract_text().encode("utf-8", "replace")) for page in pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
        return None


def _document(data: bytes, where: str) -> dict[str, Any]:
    if data.startswith(b"%PDF-"):
        return _base64("application/pdf", data)
    try:
        words = data.decode("utf-8")
    except UnicodeDecodeError:
        words = ""
    if not words.strip() or "\x00" in words:
        raise UsageError(f"{where} is neither a PDF nor a text in UTF-8; convert it to one of these")
    return {"type": "text", "media_type": "text/plain", "data": words}


def _jpeg_size(data: bytes) -> tuple[int, int]:
    place = 2
    while True:
        while data[place + 1] == 0xFF:
            place += 1
        mark = data[place + 1]
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]


def _webp_size(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width = int.from_bytes(data[24:27], "little") + 1
    return width, int.from_bytes(data[27:30], "little") + 1


def is_address(source: object) -> bool:
    """Whether a source is an http(s) address, which the provider fetches itself."""
    return isinstance(source, str) and urlsplit(source).scheme in ("http", "https")


def _bytes(source: str | Path | bytes) -> tuple[bytes, str]:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "the data"
    if not isinstance(source, str | Path):
        raise UsageError(f"the source is a {type(source).__name__}; give a path, bytes or an http(s) address")
    try:
        return Path(source).expanduser().read_bytes(), repr(str(source))
    except OSError as error:
        raise UsageError(f"{str(source)!r} cannot be read ({error.strerror or error})") from None


def _base64(kind: str, data: bytes) -> dict[str, Any]:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}


def _cached(part: Part, cache: bool | str) -> Part:
    if cache:
        if cache not in (True, "5m", "1h"):
            raise UsageError(f'cache is {cache!r}; give True, "5m" or "1h"')
        part["cache_control"] = {"type": "ephemeral"} | ({"ttl": "1h"} if cache == "1h" else {})
    return part
