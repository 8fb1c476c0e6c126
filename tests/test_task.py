import json
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import graders
from llmkit.errors import TaskError
from llmkit.task import Task, fill, read_task

FRAME = pd.DataFrame({"text": ["a {b}", "c"], "label": ["x", "y"], "who": ["p", "p"]})


def make(frame=FRAME, **changes):
    values = {"prompt": "Classify: {text}", "target": "label", "grade": graders.choice(["x", "y"])}
    return Task(frame, **values | changes)


def test_a_prompt_is_filled_from_the_row_and_its_braces_stay_as_they_are():
    assert make().prompt_of(0) == "Classify: a {b}"
    assert (
        make(prompt='{text} as {{"label": ...}} and {"a": 1}').prompt_of(1)
        == 'c as {"label": ...} and {"a": 1}'
    )


def test_a_prompt_may_be_a_function():
    assert make(prompt=lambda item: item["text"].upper()).prompt_of(1) == "C"


def test_items_carry_their_target_under_that_name():
    assert make().item(1) == {"text": "c", "label": "y", "who": "p", "target": "y"}


def test_ids_number_the_rows_or_come_from_a_column():
    assert make().ids == ["0", "1"]
    assert make(id="text").ids == ["a {b}", "c"]


def test_a_list_of_mappings_will_do():
    assert len(make([{"text": "a", "label": "x"}])) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"target": "answer"},
            r"lacks the column\(s\) \['answer'\] named by target; it has \['text', 'label', 'who'\]",
        ),
        ({"prompt": "{body}"}, r"\['body'\] named by prompt.*\{\{\.\.\.\}\} for literal"),
        ({"prompt": "same for all"}, "names no column"),
        ({"cluster": "doc"}, r"\['doc'\] named by cluster"),
        ({"slices": ["lang"]}, r"\['lang'\] named by slices"),
        ({"id": "who"}, r"1 id\(s\) occur more than once, such as \['p'\]"),
        ({"grade": "exact"}, "give a grader"),
        ({"grade": graders.choice(["x", "z"])}, r"item '1': the target 'y' is none of the choices"),
        ({"frame": FRAME.iloc[:0]}, "no items"),
        ({"frame": FRAME.assign(label=["x", None])}, r"1 item\(s\) have no target, such as '1'"),
    ],
)
def test_what_does_not_fit_together_is_said_before_anything_is_sent(changes, words):
    with pytest.raises(TaskError, match=words):
        make(**changes)


def test_parts_keep_ids_and_are_drawn_the_same_each_time():
    frame = pd.DataFrame({"text": [str(n) for n in range(100)], "label": ["x", "y"] * 50})
    task = make(frame)
    assert task.head(3).ids == ["0", "1", "2"]
    drawn = task.sample(10, seed=1)
    assert drawn.ids == task.sample(10, seed=1).ids != task.sample(10, seed=2).ids
    assert [drawn.item(i)["text"] for i in range(10)] == drawn.ids
    assert len(task) == 100


def test_the_fingerprint_changes_with_what_is_asked_only():
    assert make().fingerprint() == make(name="other", grade=graders.exact()).fingerprint()
    assert (
        len(
            {
                make(**c).fingerprint()
                for c in ({}, {"system": "s"}, {"prompt": "{text}"}, {"settings": {"a": 1}})
            }
        )
        == 4
    )


def test_a_rehearsal_has_right_and_wrong_answers_for_every_item():
    first, second = make().rehearsal()
    assert (first["right"], first["wrong"], first["prompt"]) == (["x"], ["y"], "Classify: a {b}")
    assert (second["right"], second["wrong"]) == (["y"], ["x"])


def test_a_rehearsal_uses_the_answer_book_where_there_is_one():
    book = {"0": {"right": ["It is x"], "wrong": ["It is y"]}}
    first, second = make(answers=book).rehearsal()
    assert first["right"] == ["It is x"]
    assert second["right"] == ["y"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    home = tmp_path / "data" / "small"
    home.mkdir(parents=True)
    (home / "task.toml").write_text(
        'name = "small"\nquestion = "Which?"\nprompt = "{input}?"\nslices = ["lang"]\n'
        '[grade]\nkind = "choice"\nchoices = ["x", "y"]\n[settings]\nmax_tokens = 50\n'
    )
    items = [
        {"id": "i1", "input": "a", "target": "x", "lang": "en"},
        {"id": "i2", "input": "b", "target": "y", "lang": "de"},
    ]
    (home / "items.jsonl").write_text("\n".join(json.dumps(item) for item in items) + "\n\n")
    monkeypatch.chdir(tmp_path)
    return home


@pytest.mark.parametrize("where", ["small", "data/small"])
@pytest.mark.parametrize("below", [".", "notebooks/deep"])
def test_a_task_is_found_by_name_from_here_and_from_folders_below(
    folder, tmp_path, monkeypatch, where, below
):
    place = tmp_path / below
    place.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(place)
    task = read_task("small" if where == "data/small" and below != "." else where)
    assert (task.name, task.ids, task.slices, task.settings) == (
        "small",
        ["i1", "i2"],
        ("lang",),
        {"max_tokens": 50},
    )


def test_a_task_is_read_from_any_path(folder):
    assert read_task(folder).question == "Which?"


def test_a_missing_task_names_those_there_are(folder):
    with pytest.raises(TaskError, match=r"no task 'big'.*data/ holds \['small'\]"):
        read_task("big")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("items.jsonl", '{"id": 1}\n{oops', r"small/items.jsonl, line 2, is no JSON"),
        ("task.toml", "prompt = ", "small/task.toml is no TOML"),
        ("task.toml", 'prompt = "{input}"', r"needs a prompt and a \[grade\] table"),
    ],
)
def test_a_broken_file_is_named(folder, name, text, words):
    (folder / name).write_text(text)
    with pytest.raises(TaskError, match=words):
        read_task("small")


def test_a_task_without_items_file_says_so(folder):
    (folder / "items.jsonl").unlink()
    with pytest.raises(TaskError, match=r"items\.jsonl is missing"):
        read_task("small")


@given(
    st.lists(st.sampled_from(["{a}", "{b c}", "{{", "}}", "{", "}", "{}", "x", "{x:y}", " ", "\n", "é"])),
    st.text(max_size=5),
)
def test_a_prompt_is_filled_as_by_replacing_each_mark_in_turn(marks, text):
    template, item = "".join(marks), {"a": text, "b c": 7}
    mark = re.compile(r"\{\{|\}\}|\{([^{}\n\"':,]+)\}")
    slowly = mark.sub(lambda m: str(item.get(m[1], "")) if m[1] else m[0][0], template)
    lacking = [m[1] for m in mark.finditer(template) if m[1] and m[1] not in item]
    if lacking:
        with pytest.raises(TaskError, match=re.escape(lacking[0])):
            fill(template, item)
    else:
        assert fill(template, item) == slowly
