"""A model's text -> HTML that can do nothing: no script, no handler, nothing fetched, no mathematics."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

# MathJax, as JupyterLab sets it up, leaves elements of these classes alone.
_QUIET = "tex2jax_ignore mathjax_ignore"

# Beyond this many characters Markdown is shown as it was written: no text may keep a notebook busy.
_LONGEST_MARKDOWN = 100_000

# Words of both texts together, beyond which a comparison takes seconds; then lines are compared.
_MOST_WORDS = 6_000
_MOST_LINES = 10_000
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_TINT = "background:color-mix(in srgb, var({}) 18%, transparent)"
_DELETED = "text-decoration:line-through;" + _TINT.format("--jp-error-color1, #b00020")
_INSERTED = "text-decoration:underline;" + _TINT.format("--jp-success-color1, #1b7f3b")

# Terminal commands are removed: colours, and titles or links that end in BEL or ST.
_ANSI = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\n]{0,2000}(?:\x07|\x1b\\\\)")
# What hides or reorders text: controls, direction marks, zero-width spaces, tags, halves of a pair.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINE_END = re.compile("\r\n?")
_MATH = re.compile(r"[$\\]")

_WEB = re.compile(r"https?://[^\s<>\"'\\^`{|}]+", re.IGNORECASE)
_CELL = "padding:2px 8px;border-bottom:1px solid var(--jp-border-color2, #ccc)"
_TAGS = {
    "emphasis": "em",
    "strong": "strong",
    "strikethrough": "del",
    "block_quote": "blockquote",
    "list_item": "li",
    "table": "table",
    "table_body": "tbody",
    "table_row": "tr",
}
_ALONE = {"linebreak": "<br />\n", "softbreak": "\n", "thematic_break": "<hr>", "blank_line": ""}


def escape(text: object) -> str:
    """``str(text)`` as HTML, with what hides or reorders other text made visible."""
    return html.escape(_visible(str(text)))


def plain(text: str) -> str:
    """Text as it is, in a ``<pre>`` that wraps; never read as Markdown or mathematics."""
    return _pre(escape(text))


def markdown(text: str) -> str:
    """Markdown in tags from a short list, all else escaped; images become text, links say where they go.

    Only http(s) links can be followed. Text of more than 100,000 characters, or nested too deep, is shown
    ``plain``, and so is all text where mistune is not installed.
    """
    parse = _parser()
    if parse is None or len(text) > _LONGEST_MARKDOWN:
        return plain(text)
    try:
        body = _render(parse(_visible(text)))
    except RecursionError:
        return plain(text)
    return f'<div class="llmkit-text {_QUIET}">{body}</div>'


def difference(before: str, after: str) -> str:
    """Both texts in one: what only ``before`` has is struck out, what only ``after`` has underlined.

    Compared word by word; beyond some thousand words line by line, and beyond that not at all.
    """
    first, second = _visible(before), _visible(after)
    ours, theirs = _WORD.findall(first), _WORD.findall(second)
    if len(ours) + len(theirs) > _MOST_WORDS:
        ours, theirs = first.splitlines(keepends=True), second.splitlines(keepends=True)
    if len(ours) + len(theirs) > _MOST_LINES:
        return sentence("The texts are too long to compare.")
    return _pre("".join(_changes(ours, theirs)))


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


def _pre(inner: str) -> str:
    style = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
    return f'<pre class="llmkit-text {_QUIET}" style="{style}">{inner}</pre>'


def _changes(ours: list[str], theirs: list[str]) -> Iterator[str]:
    struck = added = ""
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=len(ours) + len(theirs) > 2_000)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        old, new = "".join(ours[start:end]), "".join(theirs[other_start:other_end])
        if kind == "equal" and (re.search(r"\w", old) or not (struck or added)):
            yield from _changed(struck, added)
            yield html.escape(old)
            struck = added = ""
        else:  # a space or comma both have is no island in a changed passage
            struck, added = struck + old, added + new
    yield from _changed(struck, added)


def _changed(old: str, new: str) -> Iterator[str]:
    tail = 0
    while tail < min(len(old), len(new)) and old[~tail] == new[~tail] and not old[~tail].isalnum():
        tail += 1
    kept, old, new = old[len(old) - tail :], old[: len(old) - tail], new[: len(new) - tail]
    if old:
        yield f'<del style="{_DELETED}">{html.escape(old)}</del>'
    if new:
        yield f'<ins style="{_INSERTED}">{html.escape(new)}</ins>'
    yield html.escape(kept)


def _visible(text: str) -> str:
    return _HIDDEN.sub(_code_point, _LINE_END.sub("\n", _ANSI.sub("", text)))


def _code_point(match: re.Match[str]) -> str:
    return f"\N{REPLACEMENT CHARACTER}U+{ord(match[0]):04X}"


@cache
def _parser() -> Any:
    """Markdown -> mistune's tokens, or None where it is not installed."""
    try:
        import mistune
    except ImportError:
        return None
    return mistune.create_markdown(renderer=None, hard_wrap=True, plugins=["table", "strikethrough"])


def _render(tokens: Sequence[Mapping[str, Any]]) -> str:
    return "".join(_element(token) for token in tokens)


def _element(token: Mapping[str, Any]) -> str:
    """One token in its tag; what is not on the list is shown as escaped text."""
    kind = token["type"]
    if kind in _ALONE:
        return _ALONE[kind]
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(token)
    content = _render(token["children"]) if "children" in token else _words(token.get("raw", ""))
    tag = _TAGS.get(kind)
    return f"<{tag}>{content}</{tag}>" if tag else content


def _words(text: str) -> str:
    """Escaped, with an element round each delimiter, so that no page begins mathematics there."""
    return _MATH.sub(r"<span>\g<0></span>", escape(text))


def _text(token: Mapping[str, Any]) -> str:
    return _words(html.unescape(token["raw"]))


def _heading(token: Mapping[str, Any]) -> str:
    tag = f"h{int(token['attrs']['level'])}"
    return f"<{tag}>{_render(token['children'])}</{tag}>"


def _list(token: Mapping[str, Any]) -> str:
    attributes = token["attrs"]
    start = f' start="{int(attributes["start"])}"' if "start" in attributes else ""
    opening, closing = (f"<ol{start}>", "</ol>") if attributes["ordered"] else ("<ul>", "</ul>")
    return opening + _render(token["children"]) + closing


def _code(token: Mapping[str, Any]) -> str:
    return f"<code>{escape(token['raw'])}</code>"


def _block_code(token: Mapping[str, Any]) -> str:
    return f"<pre>{_code(token)}</pre>"


def _paragraph(token: Mapping[str, Any]) -> str:
    return f"<p>{_render(token['children'])}</p>\n"


def _block_html(token: Mapping[str, Any]) -> str:
    return f"<p>{_words(token['raw'])}</p>"


def _table_head(token: Mapping[str, Any]) -> str:
    return f"<thead><tr>{_render(token['children'])}</tr></thead>"


def _table_cell(token: Mapping[str, Any]) -> str:
    attributes = token["attrs"]
    tag, scope = ("th", ' scope="col"') if attributes["head"] else ("td", "")
    side = attributes["align"] if attributes["align"] in ("center", "right") else "left"
    return f'<{tag}{scope} style="text-align:{side}">{_render(token["children"])}</{tag}>'


def _image(token: Mapping[str, Any]) -> str:
    return f"[image: {_label(token)}, {_words(token['attrs']['url'])}]"


def _link(token: Mapping[str, Any]) -> str:
    url, label = token["attrs"]["url"], _label(token)
    shown = _words(url)
    if not _WEB.fullmatch(url):
        return f"{label} [{shown}]"
    where = "" if label == shown else f" [{shown}]"
    return f'<a href="{html.escape(url)}" rel="noopener noreferrer">{label}</a>{where}'


def _label(token: Mapping[str, Any]) -> str:
    """The text of a link or image without elements of its own: links in links are not HTML."""
    return _words(html.unescape("".join(_raw(child) for child in token.get("children", ()))))


def _raw(token: Mapping[str, Any]) -> str:
    if "children" in token:
        return "".join(_raw(child) for child in token["children"])
    return str(token.get("raw", " "))


_SPECIAL = {
    "text": _text,
    "paragraph": _paragraph,
    "heading": _heading,
    "list": _list,
    "codespan": _code,
    "block_code": _block_code,
    "block_html": _block_html,
    "table_head": _table_head,
    "table_cell": _table_cell,
    "image": _image,
    "link": _link,
}


def _side(cell: object) -> str:
    return "right" if re.fullmatch(r"[-+$]?[\d.,]+%?", str(cell).strip()) else "left"
