"""The strategy folder: sums that add up, memos of the length asked for, and decisive figures in the right ones."""

import ast
import json
import operator
from collections import Counter
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "data" / "strategy"
DOES = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
FIRST = {"en": "Recommendation: ", "de": "Empfehlung: ", "fr": "Recommandation : "}


def lines(name):
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


ITEMS, BOOK = lines("items.jsonl"), lines("answers.jsonl")


def value(node):
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp):
        return -value(node.operand)
    return DOES[type(node.op)](value(node.left), value(node.right))


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["id"])
def test_the_sums_behind_each_reference_add_up(item):
    for line in item["sums"].split("; "):
        left, right = line.split("=")
        digits = len(right.partition(".")[2])
        assert value(ast.parse(left.strip(), mode="eval").body) == pytest.approx(
            float(right), abs=0.501 * 10**-digits
        ), line


@pytest.mark.parametrize("entry", BOOK, ids=lambda entry: entry["id"])
def test_each_file_has_two_good_memos_and_two_flawed_ones_of_the_length_asked_for(entry):
    language = next(item["language"] for item in ITEMS if item["id"] == entry["id"])
    memos = entry["right"] + entry["wrong"]
    assert len(set(memos)) == 4
    assert len(set(entry["flaws"])) == len(entry["wrong"]) == 2
    for memo in memos:
        assert memo.startswith(FIRST[language])
        assert 120 <= len(memo.split()) <= 200


def test_good_and_flawed_memos_are_of_like_length_so_that_length_tells_nothing():
    good, flawed = (
        sum(len(memo.split()) for entry in BOOK for memo in entry[kind]) for kind in ("right", "wrong")
    )
    assert 0.9 < flawed / good < 1.1


def test_kinds_languages_and_difficulties_are_spread():
    assert len(ITEMS) >= 24
    assert min(Counter(item["kind"] for item in ITEMS).values()) >= 6
    assert {"en", "de", "fr"} == {item["language"] for item in ITEMS}
    assert 0.08 < sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) < 0.3
    assert min(len(item["input"].split()) for item in ITEMS) >= 140
