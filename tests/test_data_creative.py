"""The creative folder: stronger texts keep to the limits of their brief; weaker ones differ, and say why."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "data" / "creative"


def lines(name):
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


ITEMS, BOOK = lines("items.jsonl"), lines("answers.jsonl")


def broken(text, item):
    words = [word for word in text.split() if re.search(r"\w", word)]
    found = [
        word for word in item["without"].split(", ") if word and re.search(rf"\b{word}", text.casefold())
    ]
    if not item["words_min"] <= len(words) <= item["words_max"]:
        found.append(f"{len(words)} words")
    if item["lines"] and len(text.splitlines()) != item["lines"]:
        found.append("lines")
    return found


@pytest.mark.parametrize(("item", "entry"), list(zip(ITEMS, BOOK, strict=True)), ids=lambda one: one["id"])
def test_stronger_texts_keep_to_the_limits_and_weaker_ones_have_a_named_flaw(item, entry):
    assert [broken(text, item) for text in entry["right"]] == [[], []]
    assert len(set(entry["right"] + entry["wrong"])) == 4
    assert len(set(entry["flaws"])) == len(entry["wrong"]) == 2


def test_many_weaker_texts_break_a_limit_and_many_do_not():
    found = [
        bool(broken(text, item)) for item, entry in zip(ITEMS, BOOK, strict=True) for text in entry["wrong"]
    ]
    assert 0.3 < sum(found) / len(found) < 0.7


def test_stronger_and_weaker_texts_are_of_like_length():
    strong, weak = (sum(len(t.split()) for entry in BOOK for t in entry[kind]) for kind in ("right", "wrong"))
    assert 0.85 < weak / strong < 1.15


def test_kinds_languages_and_difficulties_are_spread():
    assert len(ITEMS) >= 24
    assert len(Counter(item["kind"] for item in ITEMS)) >= 20
    assert {"en", "de", "fr", "es", "it"} == {item["language"] for item in ITEMS}
    assert 0.08 < sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) < 0.3
