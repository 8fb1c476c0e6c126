"""The nuance folder: four different readings an item, letters that tell nothing, and a spread of kinds."""

import json
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "data" / "nuance"


def lines(name):
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


ITEMS = lines("items.jsonl")


def test_every_item_has_four_different_readings_and_a_question():
    for item in ITEMS:
        assert len({item[letter].casefold() for letter in "abcd"}) == 4, item["id"]
        assert item["question"].endswith("?"), item["id"]


def test_neither_letter_nor_length_tells_the_right_reading():
    letters = Counter(item["target"] for item in ITEMS)
    assert set(letters) == set("ABCD")
    assert max(letters.values()) - min(letters.values()) <= 1
    longest = [max("abcd", key=lambda letter: len(item[letter])).upper() == item["target"] for item in ITEMS]
    assert 0.15 < sum(longest) / len(ITEMS) < 0.35


def test_kinds_languages_and_difficulties_are_spread():
    assert len(ITEMS) >= 100
    kinds = Counter(item["kind"] for item in ITEMS)
    assert len(kinds) == 8
    assert min(kinds.values()) >= 10
    languages = Counter(item["language"] for item in ITEMS)
    assert min(languages[language] for language in ("de", "fr", "es", "it")) >= 8
    assert 0.4 < languages["en"] / len(ITEMS) < 0.7
    assert 0.08 < sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) < 0.3


def test_wrong_answers_name_readings_that_are_not_the_right_one_and_none_reason_by_letter():
    targets = {item["id"]: item["target"] for item in ITEMS}
    broken = 0
    for entry in lines("answers.jsonl"):
        named = [text.rpartition("Reading: ")[2] for text in entry["wrong"]]
        assert targets[entry["id"]] not in named
        broken += any(name not in set("ABCD") for name in named)
        for text in entry["right"] + entry["wrong"]:
            assert text.startswith("Reason: ") and text.count("\n") == 1, entry["id"]
    assert 1 <= broken <= 5
