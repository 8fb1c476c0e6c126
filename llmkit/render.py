"""A model's text -> HTML that can do nothing: no script, no handler, no style, nothing fetched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape as _escape
from typing import Any
from urllib.parse import urlsplit

_QUIET = "tex2jax_ignore mathjax_ignore"  # MathJax leaves such elements alone
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ANSI = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]")
_CELL = "padding:2px 8px;border-bottom:1px solid var(--jp-border-color2, #ccc)"


def escape(text: object) -> str:
    """Text as HTML, with characters that hide or reorder others made visible."""
    clean = _ANSI.sub("", str(text)).replace("\r\n", "\n")
    return _escape(_CONTROLS.sub(lambda match: f"\N{REPLACEMENT CHARACTER}U+{ord(match[0]):04X}", clean))


def plain(text: str) -> str:
    """Text as it is, in a ``<pre>`` that wraps; never read as Markdown or mathematics."""
    return f'<pre class="llmkit-text {_QUIET}" style="white-space:pre-wrap">{escape(text)}</pre>'


def markdown(text: str) -> str:
    """Markdown with every HTML tag escaped; images become text, links go to http(s) only and show where.

    Falls back to ``plain`` where mistune is not installed.
    """
    try:
        import mistune
    except ImportError:
        return plain(text)
    clean = _ANSI.sub("", text).replace("\r\n", "\n")
    clean = _CONTROLS.sub(lambda match: f"\N{REPLACEMENT CHARACTER}U+{ord(match[0]):04X}", clean)

    class Inert(mistune.HTMLRenderer):  # type: ignore[misc, name-defined, unused-ignore]
        def image(self, text: str, url: str, title: str | None = None) -> str:
            return f"[image: {_escape(text)}, {_escape(url)}]"

        def link(self, text: str, url: str, title: str | None = None) -> str:
            shown = _escape(url)
            if urlsplit(url).scheme not in ("http", "https"):
                return f"{text} [{shown}]"
            return f'<a href="{shown}" rel="noopener noreferrer">{text}</a> [{shown}]'

        def block_code(self, code: str, info: str | None = None) -> str:
            return f"<pre><code>{_escape(code)}</code></pre>\n"

    render = mistune.create_markdown(
        renderer=Inert(escape=True), hard_wrap=True, plugins=["table", "strikethrough"]
    )
    body = re.sub(r' style="text-align:\w+"', "", str(render(clean)))
    return f'<div class="llmkit-text {_QUIET}">{body}</div>'


def sentence(text: str, *, strong: bool = False, small: bool = False) -> str:
    """A paragraph of our own words, escaped; dollars in it are never read as mathematics."""
    inner = escape(text)
    inner = f"<strong>{inner}</strong>" if strong else inner
    inner = f"<small>{inner}</small>" if small else inner
    return f'<p class="{_QUIET}">{inner}</p>'


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> str:
    """A table, escaped, with numbers to the right and the page's own colours."""
    head = "".join(f'<th scope="col" style="{_CELL};text-align:left">{escape(name)}</th>' for name in headers)
    lines = []
    for row in rows:
        cells = "".join(f'<td style="{_CELL};text-align:{_side(cell)}">{escape(cell)}</td>' for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    title = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    return (
        f'<table class="{_QUIET}" style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f"{title}<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


def _side(cell: object) -> str:
    return "right" if re.fullmatch(r"[-+$]?[\d.,]+%?", str(cell).strip()) else "left"
