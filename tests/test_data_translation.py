"""The translation folder: many pairs, checks that mean something, placeholders to the letter."""

import re
from collections import Counter
from pathlib import Path

import pytest

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "translation"
PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}|\$\{\w+\}|%\d\$s|%d|</?[abi]\b[^>]*>|(?<![{$])\{\w+\}(?!\})")


@pytest.fixture(scope="module")
def task():
    return kit.read_task(FOLDER)


@pytest.fixture(scope="module")
def rendered(task):
    """Each item with its right translations."""
    return [
        (task.item(index), entry["right"])
        for index, entry in zip(range(len(task)), task.rehearsal(), strict=True)
    ]


def test_kinds_and_pairs_of_languages_are_spread(task):
    kinds = Counter(task.frame["kind"])
    assert len(task) >= 60
    assert len(kinds) >= 10
    assert min(kinds.values()) >= 3
    assert task.frame["pair"].nunique() >= 15
    assert (task.frame["source"] == "English").mean() < 0.6
    assert 0.1 < (task.frame["difficulty"] >= 2).mean() < 0.3


def test_what_is_left_untranslated_is_wrong(task):
    assert not any(
        task.grade(task.item(index)["input"], task.item(index)).score for index in range(len(task))
    )


def test_a_translation_with_remarks_is_wrong(rendered, task):
    remark = "\n\nNote: " + "I chose this wording because it is the usual one here. " * 12
    assert not any(task.grade(texts[0] + remark, item).score for item, texts in rendered)


def test_half_of_the_items_have_a_second_rendering(rendered):
    assert sum(len(texts) == 2 for _, texts in rendered) >= len(rendered) / 2


def test_each_glossary_term_is_demanded(task):
    for index in range(len(task)):
        item = task.item(index)
        if item["kind"] == "glossary":
            assert item["glossary"].count("=") >= 3
            assert len(item["target"]["must"]) >= item["glossary"].count("=")


def test_placeholders_are_in_every_right_translation_and_lacking_one_is_wrong(task, rendered):
    seen = 0
    for item, texts in rendered:
        if item["kind"] != "placeholder":
            continue
        for mark in dict.fromkeys(PLACEHOLDER.findall(item["input"])):
            if "plural" in item["input"]:
                continue
            assert all(mark in text for text in texts), (item["id"], mark)
            spoiled = task.grade(texts[0].replace(mark, "", 1), item).score
            assert spoiled == 0.0, (item["id"], mark)
            seen += 1
    assert seen >= 12


def test_the_prompt_shows_placeholders_as_they_are_written(task):
    assert "such as {{name}}, {count}, ${x} or %d" in task.prompt_of(0)
