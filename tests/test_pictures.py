import re
import struct
import zlib

import pandas as pd
import pytest

import llmkit as kit
from llmkit.errors import TaskError, UsageError

QUESTION = "How high is the bar?"


def png(colour=0, *, width=56, height=28):
    """A picture of one grey."""
    rows = b"".join(b"\0" + bytes([colour]) * width for _ in range(height))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    return kit.models("sonnet", "opus")


@pytest.fixture
def folder(tmp_path):
    for number in range(8):
        (tmp_path / f"bar{number}.png").write_bytes(png(number))
    return tmp_path


def make(folder, **changes):
    """Eight items with one question; only the pictures tell them apart."""
    rows = [
        {"image": f"bar{n}.png", "question": QUESTION, "height": 10 * n, "difficulty": -9.0} for n in range(8)
    ]
    values = {
        "prompt": "{question} Answer with a number.",
        "target": "height",
        "grade": kit.graders.number(),
        "images": "image",
        "folder": folder,
        "settings": {"max_tokens": 600},
    }
    return kit.Task(changes.pop("frame", pd.DataFrame(rows)), **values | changes)


def test_a_picture_stands_before_the_prompt(folder, offline):
    task = make(folder)
    [message] = task.request(offline[0], 3).messages
    assert message.content == (
        kit.image(folder / "bar3.png"),
        {"type": "text", "text": f"{QUESTION} Answer with a number."},
    )
    assert task.prompt_of(3) == f"{QUESTION} Answer with a number."
    assert task.asked(3) == [kit.image(folder / "bar3.png"), task.prompt_of(3)]


def test_several_pictures_addresses_bytes_and_none_at_all_will_do(folder, offline):
    cells = [["bar1.png", "bar2.png"], "https://example.org/a.png", png(9), None, float("nan")]
    frame = pd.DataFrame({"image": pd.Series(cells, dtype=object), "height": range(5), "question": QUESTION})
    task = make(folder, frame=frame)
    assert [len(task.request(offline[0], n).messages[0].content) for n in range(3)] == [3, 2, 2]
    assert isinstance(task.request(offline[0], 3).messages[0].content, str)
    assert task.asked(4) == task.prompt_of(4)
    told = r"bar1\.png: image, image/png, \d+ bytes; bar2\.png: image, image/png, \d+ bytes"
    assert re.fullmatch(told, task.pictures(0))
    assert [task.pictures(n) for n in (1, 3)] == ["image at https://example.org/a.png", ""]


def test_the_same_question_about_other_pictures_gets_other_answers(folder, offline):
    task = make(folder)
    c = kit.compare(task, offline)
    assert (c.frame["score"] == 1.0).all() and len(c.frame) == 16
    assert set(c.frame["answer"]) == {str(10 * n) for n in range(8)}


def test_a_picture_that_nobody_taught_is_answered_by_no_entry(folder, offline):
    list(kit.compare(make(folder), offline).frame["answer"])
    other = offline[0]([kit.image(png(99)), f"{QUESTION} Answer with a number."])
    bare = offline[0](f"{QUESTION} Answer with a number.")
    known = offline[0]([kit.image(folder / "bar4.png"), f"{QUESTION} Answer with a number."])
    assert known.text == "40"
    assert "(simulated)" in other.text and "(simulated)" in bare.text


def test_chat_completions_tell_pictures_apart_too(folder, offline):
    other = kit.model("openai/gpt-4.1")
    c = kit.compare(make(folder), [offline[0], other])
    assert (c.frame["score"] == 1.0).all()


def test_a_second_run_asks_and_grades_nothing(folder, offline):
    task, session = make(folder), kit.session.current()
    kit.compare(task, offline)
    before = session.ledger.frame()
    again = kit.compare(task, offline)
    assert len(session.ledger.frame()) == len(before)
    assert set(again.frame["origin"]) == {"replay"} and (again.frame["score"] == 1.0).all()


def test_a_changed_picture_is_another_task_and_is_asked_anew(folder, offline):
    task = make(folder)
    kit.compare(task, offline)
    known, print_before = len(kit.session.current().ledger.frame()), task.fingerprint()
    (folder / "bar0.png").write_bytes(png(200))
    assert task.fingerprint() != print_before
    kit.compare(task, offline)
    assert len(kit.session.current().ledger.frame()) == known + 2


def test_the_plan_counts_a_pictures_tokens(folder, offline):
    with_pictures, without = (
        kit.plan(make(folder, images=name), offline).rows[0] for name in ("image", None)
    )
    assert with_pictures.input_tokens == without.input_tokens + 2  # 56 x 28 pixels are two patches
    assert with_pictures.worst > without.worst


def test_what_stands_behind_a_picture_is_not_shared(folder, offline):
    shared = kit.caching(make(folder), offline[0]).tokens
    assert shared < kit.caching(make(folder, images=None), offline[0]).tokens


def test_a_policy_is_replayed_on_pictures(folder, offline):
    sonnet, opus = offline
    c = kit.compare(make(folder), offline)
    cascade = kit.cascade(sonnet, opus, accept=kit.checks.has(r"\d"))
    found = kit.replay(c, [sonnet, opus, cascade])
    assert (found.arms(cascade).q == 1.0).all() and len(found.arms(cascade).q) == 8


def test_missing_files_are_named_before_anything_is_asked(folder):
    (folder / "bar5.png").unlink()
    with pytest.raises(TaskError, match=r"1 picture\(s\) named by 'image' are missing.*bar5\.png.*item '5'"):
        make(folder)


def test_a_file_that_is_no_picture_is_named(folder):
    (folder / "bar5.png").write_text("not at all")
    with pytest.raises(UsageError, match=r"bar5\.png' is no PNG"):
        make(folder).fingerprint()


@pytest.mark.parametrize(
    ("cell", "words"), [(3, "item '0': its 'image' holds 3; give"), (["bar1.png", ""], "holds ''")]
)
def test_a_cell_that_names_no_picture_is_refused(folder, cell, words):
    frame = pd.DataFrame([{"image": cell, "question": QUESTION, "height": 1}])
    with pytest.raises(TaskError, match=words):
        make(folder, frame=frame)


def test_a_column_that_is_not_there_is_refused(folder):
    with pytest.raises(TaskError, match=r"lacks the column\(s\) \['photo'\] named by images"):
        make(folder, images="photo")


def test_a_folder_names_its_pictures_relative_to_itself(folder, offline):
    (folder / "task.toml").write_text(
        'prompt = "What is shown?"\nimages = "image"\n[grade]\nkind = "contains"\n', "utf-8"
    )
    (folder / "items.jsonl").write_text('{"id": "a", "image": "bar1.png", "target": "grey"}\n', "utf-8")
    task = kit.read_task(folder)
    assert task.asked(0) == [kit.image(folder / "bar1.png"), "What is shown?"]
    assert task.head(1).pictures(0).startswith("bar1.png: image")


def test_disagreements_and_report_say_what_was_shown(folder, offline):
    frame = make(folder).frame.assign(difficulty=2.5)
    c = kit.compare(make(folder, frame=frame), offline, repeats=3)
    found = c.disagreements()
    assert len(found)
    assert found["pictures"].str.fullmatch(r"bar\d\.png: image, image/png, \d+ bytes").all()
    page = c.to_html(folder / "page.html").read_text("utf-8")
    assert re.search(r"bar\d\.png: image, image/png, \d+ bytes", page)
