"""The functions of data/code: tests sharper than the examples, wrong answers that the examples mostly show."""

import ast
import json
from pathlib import Path

import pytest

from llmkit import graders_code

FOLDER = Path(__file__).parent.parent / "data" / "code"


def lines(name):
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


ITEMS = lines("items.jsonl")
ANSWERS = {entry["id"]: entry for entry in lines("answers.jsonl")}


def asserts(source):
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]


def test_hidden_tests_hold_the_examples_and_at_least_four_more():
    for item in ITEMS:
        name = item["entry_point"]
        hidden = asserts(item["target"])
        shown = [text.replace(f"{name}(", "candidate(") for text in asserts(item["visible_tests"])]
        assert 2 <= len(shown) <= 3, item["id"]
        assert set(shown) <= set(hidden), item["id"]
        assert len(hidden) >= len(shown) + 4, item["id"]
        assert item["tests"] == len(hidden) == len(set(hidden)), item["id"]


def test_there_are_enough_of_every_kind():
    kinds = [item["kind"] for item in ITEMS]
    assert set(kinds) == {"boilerplate", "algorithm", "hard", "debugging"}
    assert min(kinds.count(kind) for kind in set(kinds)) >= 12


def test_what_is_to_be_mended_stands_in_the_task_and_is_a_wrong_answer():
    for item in ITEMS:
        if item["kind"] == "debugging":
            broken = graders_code.read_code(item["input"], function=item["entry_point"]).strip()
            wrong = [graders_code.read_code(text).strip() for text in ANSWERS[item["id"]]["wrong"]]
            assert broken in wrong, item["id"]


def test_two_right_answers_are_written_differently():
    for entry in ANSWERS.values():
        one, two = (ast.dump(ast.parse(graders_code.read_code(text))) for text in entry["right"])
        assert one != two, entry["id"]


@pytest.mark.parametrize("part", range(3))
def test_examples_let_right_answers_pass_and_stop_most_wrong_ones(part):
    grade, stopped = graders_code.code(), []
    for item in ITEMS[part::9]:
        shown = {"target": item["visible_tests"], "entry_point": item["entry_point"]}
        assert grade(ANSWERS[item["id"]]["right"][0], shown).score == 1.0, item["id"]
        stopped += [grade(text, shown).score == 0.0 for text in ANSWERS[item["id"]]["wrong"]]
    assert 0.5 <= sum(stopped) / len(stopped) < 1
