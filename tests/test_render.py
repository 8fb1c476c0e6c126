import re
import sys
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import render
from llmkit.records import Response
from llmkit.render import escape, markdown, plain, sentence, table

SIDE = re.compile(r"text-align:(left|center|right)")
BARE = (
    *("em", "strong", "del", "blockquote", "ul", "li", "hr", "br", "code", "span", "pre"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr"),
)
ALLOWED: dict[str, dict[str, re.Pattern[str]]] = {
    **{tag: {} for tag in BARE},
    "ol": {"start": re.compile(r"\d+")},
    "p": {"class": re.compile("tex2jax_ignore mathjax_ignore")},
    "small": {},
    "a": {
        "href": re.compile(r"https?://[^\s<>\"'\\]+", re.IGNORECASE),
        "rel": re.compile("noopener noreferrer"),
    },
    "th": {"scope": re.compile("col"), "style": SIDE},
    "td": {"style": SIDE},
    "div": {"class": re.compile("llmkit-text tex2jax_ignore mathjax_ignore")},
}
PRE = {
    "class": re.compile("llmkit-text tex2jax_ignore mathjax_ignore"),
    "style": re.compile("white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"),
}
EMPTY = {"br", "hr"}


class Strict(HTMLParser):
    """Fails on any element or attribute that is not allowed, and keeps the text."""

    def __init__(self, allowed):
        super().__init__(convert_charrefs=True)
        self.allowed, self.open, self.tags, self.text, self.links = allowed, [], [], [], []

    def handle_starttag(self, tag, attrs):
        assert tag in self.allowed, f"<{tag}> in the output"
        for name, value in attrs:
            pattern = self.allowed[tag].get(name)
            assert pattern is not None, f"{name}= on <{tag}>"
            assert pattern.fullmatch(value or ""), f"{name}={value!r} on <{tag}>"
        self.links += [value for name, value in attrs if name == "href"]
        self.tags.append(tag)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in EMPTY, f"<{tag}/> ends nothing"
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def read(html: str, allowed=None) -> Strict:
    strict = Strict({**ALLOWED, "pre": PRE} if allowed is None else allowed)
    strict.feed(html)
    strict.close()
    assert not strict.open
    return strict


def words(html: str) -> str:
    return "".join(read(html).text).removesuffix("\n")


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "script in capitals": "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "script over lines": "text\n\n<script\n>alert(1)</script\n>\n\ntext",
    "onerror": "<img src=x onerror=alert(1)>",
    "onload": "<body onload=alert(1)>",
    "svg": "<svg onload=alert(1)><a xlink:href='javascript:1'>x</a></svg>",
    "style": "<style>*{display:none}</style>",
    "style attribute": '<p style="background:url(//evil.example)">x</p>',
    "meta refresh": '<meta http-equiv="refresh" content="0;url=//evil.example">',
    "iframe": "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "object": "<object data='data:text/html,x'></object><embed src=x>",
    "form": "<form action=//evil.example><button formaction=javascript:alert(1)>x</button></form>",
    "base and link": "<base href=//evil.example><link rel=stylesheet href=x>",
    "comment": "a <!-- hidden --> b <!--[if IE]><script>x</script><![endif]-->",
    "declaration": "<!DOCTYPE html><?php x ?><![CDATA[x]]>",
    "unclosed tag": "<img src=x onerror=alert(1) //",
    "quote breaking out": "\"><script>alert(1)</script> '><b>",
    "entities": "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62;",
    "javascript link": "[click](javascript:alert(1))",
    "javascript link in entities": "[click](&#106;avascript:alert(1)) [x](java&#10;script:alert(1))",
    "javascript link, percent": "[click](javascript%3Aalert(1)) [x](JaVaScRiPt:alert(1))",
    "data link": "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "vbscript, file": "[a](vbscript:x) [b](file:///etc/passwd) [c](//evil.example) [d](#x) [e](/api)",
    "autolink": "<javascript:alert(1)> <http://good.example/?a=1&b=2> <mailto:a@b.example>",
    "reference link": "[a][1]\n\n[1]: javascript:alert(1) 'title'",
    "link with handlers": '[x](http://a.example "onclick=alert(1)") [y](http://a.b/" onclick=x ")',
    "link that cannot be parsed": "[x](http://[) [y](https://]/) [z](http://)",
    "remote image": "![alt](https://evil.example/pixel.png?q=secret)",
    "image of javascript": '![a](javascript:alert(1) "t") ![<b>](x onerror=1)',
    "image in a link": "[![a](http://x.example/i.png)](http://y.example)",
    "link in a link": "[a [b](http://x.example) c](http://y.example)",
    "latex link": r"$\href{javascript:alert(1)}{x}$ and \(\style{x}{y}\) and \[z\]",
    "latex display": "$$\\require{html}\\class{x}{y}$$ \\begin{align}x\\end{align} \\ref{x}",
    "code that closes": '`</code><script>` and\n```html"><script>\n</pre><script>alert(1)</script>\n```',
    "table": "| <b>a</b> | b |\n|:--|--:|\n| <script>x</script> | $1$ |",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x1b[2J",
    "bidi": "user\u202etxt.exe \u2066x\u2069 \u200fx &#x202e;y",
    "nul": "a\x00b<scr\x00ipt>alert(1)</scr\x00ipt>",
    "invisible": "a\u200bb\ufeffc\U000e0041\U000e0042\u2028d\u2029e",
    "half a pair": "a\ud800b",
    "widget": '<div class="jp-Cell" data-commandlinker-command="x" data-commandlinker-args="{}">x</div>',
    "template": "{{constructor.constructor('alert(1)')()}} <%= x %> ${alert(1)}",
    "mathml": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "deep quotes": ">" * 3000 + " <script>x</script>",
    "deep lists": "\n".join("  " * n + "- <b>x" for n in range(200)),
    "deep emphasis": "**_" * 2000 + "x" + "_**" * 2000,
    "deep links": "[" * 2000 + "x" + "](http://a.example)" * 2000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("show", [plain, markdown, lambda text: Response(text, text)._repr_html_()])
def test_hostile_text_becomes_nothing_but_harmless_elements(show, text):
    found = read(show(text))
    assert not {"a"} & set(found.tags) or all(
        link.startswith(("http://", "https://")) for link in found.links
    )
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", show(text))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_in_a_table_becomes_harmless_elements(text):
    cell = re.compile("padding:[^;]+;border-bottom:[^;]+;text-align:(left|right)")
    allowed = {
        "table": {"class": re.compile("tex2jax_ignore mathjax_ignore"), "style": re.compile("[^<>]+")},
        "caption": {"style": re.compile("text-align:left")},
        "th": {"scope": re.compile("col"), "style": cell},
        "td": {"style": cell},
        **{tag: {} for tag in ("thead", "tbody", "tr")},
    }
    read(table([text], [[text]], caption=text), allowed)
    assert read(escape(text)).tags == []


@given(st.text(st.sampled_from("ab <>[]()!`*_|\\$&;:#/\"'=-\n\t1~\x00\u202e{}"), max_size=60))
def test_any_text_becomes_harmless_elements(text):
    read(markdown(text))
    read(plain(text))


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_plain_and_escape_lose_nothing_of_ordinary_text(text):
    assert words(plain(text)) == words(escape(text)) == text


def test_plain_keeps_lines_and_says_what_it_is():
    quiet = "llmkit-text tex2jax_ignore mathjax_ignore"
    kind = f'class="{quiet}" style="white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"'
    assert plain("a < b\n  c") == f"<pre {kind}>a &lt; b\n  c</pre>"


def test_what_hides_or_reorders_text_is_made_visible():
    assert words(plain("a\x00\u202eb\u200b\U000e0041")) == "a�U+0000�U+202Eb�U+200B�U+E0041"
    assert words(markdown("&#x202e;a&#0;")) == "�U+202Ea�"


def test_terminal_commands_are_removed_and_line_ends_made_one():
    assert words(plain("\x1b[1;31mred\x1b[0m\r\nnext\rlast\x1b")) == "red\nnext\nlast�U+001B"


def test_joiners_that_writing_needs_are_kept():
    text = "👩\u200d💻 می\u200cخواهم"
    assert words(plain(text)) == text


def test_markdown_is_shown_as_markdown():
    html = markdown(
        "# T\n\nsome *words*, **bold**, ~~gone~~ and `x < 1`\n\n3. a\n4. b\n\n- c\n\n> q\n\n---\n"
    )
    for part in (
        "<h1>T</h1>",
        "<em>words</em>",
        "<strong>bold</strong>",
        "<del>gone</del>",
        "<code>x &lt; 1</code>",
        '<ol start="3"><li>a</li><li>b</li></ol>',
        "<ul><li>c</li></ul>",
        "<blockquote><p>q</p>\n</blockquote>",
        "<hr>",
    ):
        assert part in html


def test_a_code_block_keeps_its_text_and_drops_its_label():
    assert "<pre><code>x = &lt;b&gt;\n</code></pre>" in markdown("```python\nx = <b>\n```")


def test_a_markdown_table_keeps_its_alignment():
    html = markdown("| a | b | c |\n|---|--:|:-:|\n| 1 | 2 | *3* |")
    assert '<th scope="col" style="text-align:right">b</th>' in html
    assert '<td style="text-align:center"><em>3</em></td>' in html


def test_a_link_says_where_it_goes():
    html = markdown("[the bank](https://evil.example/?a=1&b=2)")
    assert html.count("<a ") == 1
    assert (
        '<a href="https://evil.example/?a=1&amp;b=2" rel="noopener noreferrer">the bank</a>'
        " [https://evil.example/?a=1&amp;b=2]"
    ) in html


def test_an_address_shown_already_is_not_repeated():
    assert words(markdown("<https://a.example/x>")) == "https://a.example/x"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "mailto:a@b.c"])
def test_a_link_elsewhere_is_text(url):
    html = markdown(f"[click]({url})")
    assert "<a" not in html and words(html) == f"click [{url}]"


def test_an_image_is_text_and_loads_nothing():
    html = markdown("![a *cat*](https://evil.example/p.png 'title')")
    assert words(html) == "[image: a cat, https://evil.example/p.png]"
    assert "href" not in html and "src" not in html


def test_no_mathematics_is_begun():
    text = r"costs $5 and $6 and $$y$$ \begin{z}"
    html = markdown(text + r" [$x$](https://a.example/$y$) <b $z$>")
    assert words(html).startswith(text)
    shown = re.sub(r"<span>[$\\]</span>|href=\"[^\"]*\"", "", html)
    assert not re.search(r"[$\\]", shown)


def test_dollars_in_our_own_sentences_are_no_mathematics():
    html = sentence("costs $1 more, <b>worth $2</b>", strong=True, small=True)
    inner = "costs $1 more, &lt;b&gt;worth $2&lt;/b&gt;"
    quiet = 'class="tex2jax_ignore mathjax_ignore"'
    assert html == f"<p {quiet}><small><strong>{inner}</strong></small></p>"
    assert sentence("x") == f"<p {quiet}>x</p>"


def test_lines_of_markdown_stay_lines():
    assert "<p>a<br />\nb</p>" in markdown("a\nb")


def test_every_kind_of_text_is_marked_for_mathjax_to_leave_alone():
    for html in (plain("x"), markdown("x"), sentence("x"), table(["x"], [])):
        assert "tex2jax_ignore mathjax_ignore" in html.split(">")[0]


def test_a_block_of_html_is_a_paragraph_of_text():
    assert "<p>&lt;div&gt;\nx\n&lt;/div&gt;" in markdown("before\n\n<div>\nx\n</div>")


def test_an_address_that_only_begins_like_one_is_no_link():
    # No parser is trusted to have cleaned an address.
    token = {"type": "link", "attrs": {"url": 'http://a.example/" onclick="x'}, "children": []}
    assert "<a" not in render._element(token)


def test_an_element_nobody_has_heard_of_is_text():
    assert render._element({"type": "blink", "raw": "<blink>"}) == "&lt;blink&gt;"


def test_text_nested_too_deep_for_the_parser_is_plain(monkeypatch):
    def exhausted(text):
        raise RecursionError(text)

    monkeypatch.setattr(render, "_parser", lambda: exhausted)
    assert markdown("*x*") == plain("*x*")


def test_without_mistune_markdown_is_plain(monkeypatch):
    render._parser.cache_clear()
    monkeypatch.setitem(sys.modules, "mistune", None)
    try:
        assert markdown("*x* <b>") == plain("*x* <b>")
    finally:
        render._parser.cache_clear()


@pytest.mark.parametrize(
    "piece", ["word *x* ", "[", "**a", "<b>", "[a](", "$", "\x1b]8;;", "&#x202e;", "\x00", "|a|\n"]
)
def test_a_megabyte_is_shown_in_under_two_seconds(piece):
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    started = time.process_time()
    assert markdown(text) == plain(text)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("piece", ["word *x* ", "[", "**a", "<b>", "[a](", "![", "> \n", "| a |\n", "`` ` "])
def test_the_longest_markdown_is_shown_in_under_three_seconds(piece):
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    started = time.process_time()
    read(markdown(text))
    assert time.process_time() - started < 3


def test_numbers_stand_to_the_right():
    html = table(["a", "b"], [["x", "1,234.5"]])
    assert "text-align:right" in html
    assert html.count('scope="col"') == 2
