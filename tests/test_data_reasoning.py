"""The problems of data/reasoning: every number is computed again, letters are balanced, options differ."""

import itertools
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import sympy

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "reasoning"
ITEMS = [json.loads(line) for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]
BOOK = [json.loads(line) for line in (FOLDER / "answers.jsonl").read_text("utf-8").splitlines()]
OPTION = re.compile(r"^([A-D])\) (.+)$", re.MULTILINE)
WORDS = vars(sympy) | {"itertools": itertools, "x": sympy.Symbol("x"), "y": sympy.Symbol("y")}
CHECKED = [item for item in ITEMS if item["form"] in ("math", "gsm8k")]
CHOSEN = [item for item in ITEMS if item["form"] in ("mmlu", "gpqa")]


@pytest.mark.parametrize("item", CHECKED, ids=lambda item: item["id"])
def test_the_check_of_an_item_computes_its_target(item):
    value = sympy.sympify(eval(item["check"], dict(WORDS)))
    exact = sympy.nsimplify(value) if value.is_number else value
    assert kit.graders.math_equal()(rf"\boxed{{{sympy.latex(exact)}}}", item).score == 1.0


def test_options_are_four_that_differ_and_the_right_letters_are_balanced():
    letters = Counter(item["target"] for item in CHOSEN)
    assert max(letters.values()) - min(letters.values()) <= 1
    for item in CHOSEN:
        options = OPTION.findall(item["input"])
        assert [letter for letter, _ in options] == list("ABCD"), item["id"]
        assert len({text for _, text in options}) == 4, item["id"]
        assert item["check"] is None


def test_every_right_answer_ends_in_the_line_the_prompt_asks_for():
    for entry in BOOK:
        for text in entry["right"]:
            assert re.fullmatch(r"Answer: \\boxed\{.+\}", text.splitlines()[-1]), entry["id"]
            assert len(text.splitlines()) >= 2, entry["id"]


def test_forms_fields_steps_and_difficulties_are_spread():
    forms = Counter(item["form"] for item in ITEMS)
    assert set(forms) == {"mmlu", "gpqa", "math", "gsm8k"}
    assert min(forms.values()) >= 25
    fields = Counter(item["field"] for item in ITEMS)
    assert len(fields) == 9
    assert min(fields.values()) >= 7
    assert len({item["topic"] for item in ITEMS}) >= 30
    assert {1, 2, 3, 4, 5, 6} == {item["steps"] for item in ITEMS}
    assert 0.08 < sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) < 0.3
