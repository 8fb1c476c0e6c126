"""The playground under a reader's hands: typed into, run, streamed, stopped, and seen again without a kernel."""

import json

import pytest

from tests.chromium import IN_A_BROWSER
from tools.labs import (
    IN_KERNEL,
    RUN_ALL,
    SAVE,
    THEME,
    browsing,
    button,
    field,
    open_notebook,
    picture,
    served,
    status,
    write_notebook,
)

pytestmark = IN_A_BROWSER
CELLS = [
    'import llmkit as kit\n\nkit.connect("offline", pace=0.6, budget=1)',
    'panel = kit.widgets.playground(kit.models("sonnet", "haiku"))\npanel',
]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a73"
    + "0000001249444154789c63f8cfc000c40cff8100001cf003fd8b7fc90f"
    + "0000000049454e44ae426082"
)
ANSWERS = "() => [...document.querySelectorAll('.llmkit-answer')].map(n => n.innerText)"
SHAPE = """() => {
  const panel = document.querySelector('.llmkit-panel').closest('.widget-vbox').getBoundingClientRect();
  const cut = [...document.querySelectorAll('.jupyter-widgets button, .jupyter-widgets textarea, .llmkit-answer')]
    .map(n => n.getBoundingClientRect()).filter(b => b.width && b.right > panel.right + 2);
  return { cut: cut.length, width: panel.width };
}"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(home):
    write_notebook(home / "trial.ipynb", CELLS)
    with served(home) as where:
        yield where


def upload(page, name, content):
    with page.expect_file_chooser() as chooser:
        button(page, "Pictures").click()
    chooser.value.set_files({"name": name, "mimeType": "image/png", "buffer": content})


def wait_for_status(page, words):
    status(page).filter(has_text=words).wait_for(timeout=30_000)


def grows(page, seconds=20):
    """How many different lengths the first answer had on the page until the status says it is done."""
    lengths = []
    for _ in range(seconds * 20):
        lengths.append(len((page.evaluate(ANSWERS) or [""])[0]))
        if "Done" in status(page).inner_text():
            return len(set(lengths))
        page.wait_for_timeout(50)
    raise AssertionError("the answers did not end in time")


def test_a_playground_is_typed_into_run_streamed_stopped_and_seen_again(lab, home):
    with browsing(height=1500) as page:
        open_notebook(page, lab, "trial.ipynb")
        assert page.evaluate(RUN_ALL) is True
        page.locator(".llmkit-panel").wait_for(timeout=30_000)
        assert not page.locator(".llmkit-last").is_visible()

        field(page, "Prompt").fill("Name the four Galilean moons.")
        page.locator(".widget-html-content", has_text="Before sending: about $").wait_for(timeout=15_000)
        button(page, "Run").click()
        assert grows(page) >= 5
        texts = json.loads(
            page.evaluate(IN_KERNEL, "import json; print(json.dumps([r.text for r in panel.responses]))")
        )
        shown = page.evaluate(ANSWERS)
        assert len(texts) == 2
        for text, seen in zip(texts, shown, strict=False):
            assert text.splitlines()[-1].replace("`", "") in seen
        assert page.locator(".widget-html-content", has_text="tokens/s").count() == 2
        assert page.locator(".widget-html-content", has_text="ceiling of this session: $0.9").count() == 1

        button(page, "Differences").click()
        page.locator("ins").first.wait_for(timeout=10_000)
        assert (
            page.locator("ins").first.evaluate("n => getComputedStyle(n).textDecorationLine") == "underline"
        )
        assert (
            page.locator("del").first.evaluate("n => getComputedStyle(n).textDecorationLine")
            == "line-through"
        )
        picture(page, "playground-light")

        field(page, "Prompt").fill("Tell it as a long story.")
        button(page, "Run").focus()
        page.keyboard.press("Enter")
        page.wait_for_function(
            "() => document.querySelector('.llmkit-answer pre')?.innerText.length > 20", timeout=20_000
        )
        button(page, "Stop").click()
        wait_for_status(page, "Stopped")
        states = page.evaluate(
            IN_KERNEL, "print(any(a.stopped for a in panel.runs[-1].answers), len(panel.runs))"
        )
        assert states == "True 2"
        page.locator(".widget-html-content", has_text="at most $").last.wait_for(timeout=15_000)
        assert button(page, "Run").is_enabled()

        field(page, "History").select_option(label="1: Name the four Galilean moons.")
        wait_for_status(page, "Back at run 1")
        assert field(page, "Prompt").input_value() == "Name the four Galilean moons."
        button(page, "Copy as code").click()
        field(page, "Code").wait_for(timeout=10_000)
        assert "kit.model('claude-sonnet-5-5')" in field(page, "Code").input_value()

        upload(page, "notes.txt", b"hello")
        wait_for_status(page, "the upload 'notes.txt' cannot be sent")
        upload(page, "dot.png", PNG)
        page.locator(".widget-html-content", has_text="dot.png (image, image/png").wait_for(timeout=10_000)
        button(page, "Remove pictures").click()

        page.evaluate(THEME, "JupyterLab Dark")
        picture(page, "playground-dark")
        page.set_viewport_size({"width": 800, "height": 1500})
        picture(page, "playground-narrow")
        assert page.evaluate(SHAPE)["cut"] == 0
        button(page, "Close").click()
        page.locator(".llmkit-last").wait_for(timeout=10_000)
        assert page.locator(".llmkit-panel").count() == 0
        page.evaluate(SAVE)
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    outputs = json.loads((home / "trial.ipynb").read_text("utf-8"))["cells"][1]["outputs"]
    saved = "".join(outputs[-1]["data"]["text/html"])
    assert "SIMULATED" in saved
    assert "Name the four Galilean moons." in saved
    assert "tokens/s" in saved

    with browsing(height=1500) as page:
        open_notebook(page, lab, "trial.ipynb")
        page.locator(".llmkit-last").wait_for(timeout=30_000)
        assert "tokens/s" in page.locator(".llmkit-last").inner_text()
        page.wait_for_timeout(500)
        assert not page.get_by_text("model not found").is_visible()
        assert not page.get_by_text("Loading widget").is_visible()
        picture(page, "playground-without-kernel")
