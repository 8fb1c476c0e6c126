import time
from html.parser import HTMLParser

import pytest

from llmkit.records import Response
from llmkit.render import escape, markdown, plain, sentence, table

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<iframe srcdoc='x'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<b>)",
    "[x](vbscript:x)",
    "![x](https://evil.example/leak.png)",
    "![x](javascript:alert(1))",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=//evil'>",
    "<!-- <b> -->",
    "<form action=//evil><input>",
    "<b style='x'>y</b>",
    "$$\\href{javascript:alert(1)}{x}$$",
    "\\(\\unicode{x}\\)",
    "`<b>`",
    "```html\n<script>\n```",
    "| a | b |\n|:--|--:|\n| <b> | y |",
    "\x1b[31mred\x1b[0m",
    "abc\u202edcba",
    "nul\x00l",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "<details open ontoggle=alert(1)>",
    "<https://ok.example>",
    "<javascript:alert(1)>",
    "&lt;script&gt;",
    "\ud800",
]
TAGS = {
    "div",
    "p",
    "pre",
    "code",
    "em",
    "strong",
    "a",
    "ul",
    "ol",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "br",
    "hr",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "del",
    "small",
    "caption",
}
ATTRIBUTES = {"class", "href", "rel", "style", "scope", "start"}


class Strict(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.links = []

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            if name == "href":
                assert value.startswith(("https://", "http://"))
            if name == "style":
                assert "url" not in value
                assert "position" not in value

    def handle_comment(self, data):
        raise AssertionError(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_model_writes_becomes_active(text):
    for html in (
        plain(text),
        markdown(text),
        table([text], [[text]], caption=text),
        Response(text, text)._repr_html_(),
    ):
        Strict().feed(html)
        assert "mathjax_ignore" in html
        assert not set("\x00\x1b\u202e\ud800") & set(html)


def test_markdown_is_still_markdown_and_links_show_where_they_go():
    html = markdown("# Title\n\n* **bold** [docs](https://ok.example/a)\n")
    assert "<h1>Title</h1>" in html
    assert '<a href="https://ok.example/a" rel="noopener noreferrer">docs</a> [https://ok.example/a]' in html


def test_images_become_words():
    assert "[image: chart, https://x.example/leak]" in markdown("![chart](https://x.example/leak)")


def test_what_hides_or_reorders_is_made_visible():
    assert escape("a\u202eb\x00") == "a\N{REPLACEMENT CHARACTER}U+202Eb\N{REPLACEMENT CHARACTER}U+0000"


def test_dollars_in_our_own_sentences_are_no_mathematics():
    html = sentence("costs $1 more, <b>worth $2</b>", strong=True)
    assert 'class="tex2jax_ignore mathjax_ignore"' in html
    assert "&lt;b&gt;" in html


def test_line_ends_of_other_systems_are_line_ends():
    assert escape("a\r\nb") == "a\nb"
    assert "U+000D" not in markdown("a\r\nb")


def test_numbers_stand_to_the_right():
    html = table(["a", "b"], [["x", "1,234.5"]])
    assert "text-align:right" in html
    assert html.count('scope="col"') == 2


def test_a_megabyte_is_shown_quickly():
    started = time.process_time()
    plain("word <b> " * 120_000)
    assert time.process_time() - started < 2
