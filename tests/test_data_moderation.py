"""The moderation folder: spread over labels and languages, mild, and in the form its prompt asks for."""

from collections import Counter
from pathlib import Path

import pytest

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "moderation"


@pytest.fixture(scope="module")
def task():
    return kit.read_task(FOLDER)


def test_the_labels_are_spread_and_two_in_five_are_ok(task):
    counts = Counter(task.frame["target"])
    assert len(task) >= 150
    assert set(counts) == set(task.grade.choices)
    assert 0.35 < counts["ok"] / len(task) < 0.45
    assert min(counts.values()) >= 10


def test_it_speaks_several_languages_and_some_texts_are_hard(task):
    assert task.frame["language"].nunique() >= 6
    assert 0.2 < (task.frame["language"] != "en").mean() < 0.5
    assert 0.1 < (task.frame["difficulty"] >= 2).mean() < 0.3


@pytest.mark.parametrize("word", ["paper twins", "bus people", "lamp-lighters", "garden party favours"])
def test_each_code_word_occurs_in_its_coded_and_in_its_harmless_sense(task, word):
    lower = task.frame["input"].str.lower().str.replace("gartenparty-geschenke", "garden party favours")
    assert task.frame["target"][lower.str.contains(word)].map(lambda label: label == "ok").nunique() == 2


def test_every_trait_but_the_plain_has_both_ok_and_forbidden_texts_or_is_a_disguise(task):
    both = task.frame.groupby("trait")["target"].agg(lambda labels: (labels == "ok").nunique())
    assert set(both.index[both == 1]) <= {"disguised advert", "injection", "two labels", "veiled"}


def test_the_order_of_the_labels_in_the_prompt_is_the_order_of_the_rules(task):
    prompt = task.prompt_of(0)
    places = [prompt.index(f"\n- {label}:") for label in ("self-harm", "private-data", "hate", "harassment")]
    assert places == sorted(places)
