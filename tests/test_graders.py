import math
import pickle
from decimal import Decimal

import numpy as np
import pytest

from llmkit import graders
from llmkit.errors import BudgetExceeded, TaskError
from llmkit.graders import Grade, grade_with


@pytest.mark.parametrize(
    ("result", "expected"),
    [(True, 1.0), (0.25, 0.25), (np.float64(0.5), 0.5), (np.bool_(True), 1.0), (Grade(0.75), 0.75)],
)
def test_a_function_may_return_a_bool_a_number_or_a_grade(result, expected):
    assert grade_with(lambda answer, item: result, "x", {}).score == expected


@pytest.mark.parametrize("result", ["yes", None, [1]])
def test_a_function_that_returns_something_else_leaves_the_answer_ungraded(result):
    grade = grade_with(lambda answer, item: result, "x", {})
    assert math.isnan(grade.score)
    assert "should return" in grade.explanation


def test_a_function_that_raises_leaves_the_answer_ungraded_and_says_why():
    grade = grade_with(lambda answer, item: item["nothing"], "x", {})
    assert math.isnan(grade.score)
    assert "KeyError: 'nothing'" in grade.explanation


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "kind is None"),
        ({"kind": "magic"}, "one of bleu, choice"),
        ({"kind": ["exact"]}, "kind is"),
        ({"kind": "from_table"}, "kind is"),
        ({"kind": "choice"}, "missing 1 required"),
        ({"kind": "exact", "loud": True}, "unexpected keyword"),
    ],
)
def test_a_grader_described_wrongly_is_explained(table, words):
    with pytest.raises(TaskError, match=words):
        graders.from_table(table)


def test_a_grader_is_made_from_a_table():
    grader = graders.from_table({"kind": "choice", "choices": ["a", "b"]})
    assert (grader.kind, grader.choices) == ("choice", ("a", "b"))
    assert graders.from_table({"kind": "number", "tolerance": 0.5})("7.4", {"target": 7}).score == 1.0


@pytest.mark.parametrize("result", [np.array([1, 2]), math.inf, -math.inf])
def test_what_is_no_finite_score_leaves_the_answer_ungraded(result):
    assert math.isnan(grade_with(lambda answer, item: result, "x", {}).score)


def test_even_an_exit_in_a_grader_does_not_end_the_run():
    def leaves(answer, item):
        raise SystemExit(3)

    assert "SystemExit: 3" in grade_with(leaves, "x", {}).explanation


def test_a_ceiling_that_is_reached_while_grading_does_end_it():
    def dear(answer, item):
        raise BudgetExceeded("no more")

    with pytest.raises(BudgetExceeded):
        grade_with(dear, "x", {})


TABLES = [
    {"kind": "exact"},
    {"kind": "contains"},
    {"kind": "choice", "choices": ["a", "b"]},
    {"kind": "regex", "pattern": "(.)$"},
    {"kind": "number", "tolerance": 0.5},
    {"kind": "date", "day_first": True},
    {"kind": "set_f1"},
    {"kind": "token_f1"},
    {"kind": "squad_exact"},
    {"kind": "rouge", "variant": "2"},
    {"kind": "bleu"},
    {"kind": "chrf", "word_order": 2},
    {"kind": "json_fields", "fields": {"total": {"kind": "number", "tolerance": 0.01}}, "only": ["total"]},
    {"kind": "json_schema", "schema": {"type": "object"}},
    {"kind": "math_equal"},
    {"kind": "code", "seconds": 2.0},
    {"kind": "facts", "limits": "share"},
]
TARGETS = {"code": "assert f(1) == 1", "facts": {"must": ["total"]}}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["kind"])
def test_every_kind_is_made_from_a_table_and_travels_to_another_process(table):
    grader = pickle.loads(pickle.dumps(graders.from_table(table)))
    assert grader.kind == table["kind"]
    same = '{"total": 1}'
    item = {"target": TARGETS.get(table["kind"], same)}
    grade = grader("" if table["kind"] == "code" else same, item)
    assert not grader.asks and grade.cost == Decimal(0) and grade.explanation


@pytest.mark.parametrize("kind", ["judge", "pairwise"])
def test_a_judge_is_made_from_a_table_before_anything_is_connected(kind):
    grader = graders.from_table({"kind": kind, "model": "opus", "rubric": "Is it polite?"})
    assert (grader.kind, grader.asks) == (kind, True)


def test_all_is_sorted_and_names_what_is_there():
    assert graders.__all__ == sorted(graders.__all__) == dir(graders)
    assert all(getattr(graders, name) is not None for name in graders.__all__)
    with pytest.raises(AttributeError, match="has no 'magic'"):
        graders.magic  # noqa: B018
