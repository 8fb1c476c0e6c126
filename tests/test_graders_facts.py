import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import graders
from llmkit.errors import TaskError
from llmkit.graders_facts import simplified


def grade(answer, target, **options):
    return graders.facts(**options)(answer, {"target": target})


@pytest.mark.parametrize(
    ("answer", "spelling", "found"),
    [
        ("Sales rose to 1,250 units", "1250", True),
        ("Sales rose to 1 250 units", "1,250", True),
        ("Umsatz: 1.250,50 Euro", "1250.5", True),
        ("1.234.567 people", "1,234,567", True),
        ("12,5 Prozent", "12.5%", True),
        ("**12** per cent", "12 %", True),
        ("12.50 EUR", "12.5", True),
        ("3.0 points", "3", True),
        ("112 or 12.5 or 3.12", "12", False),
        ("up 4%.", "4%", True),
        ("paid on 12.10.2026", "12.10.2026", True),
        ("paid on 12.10.2026", "12.1", False),
        ("a 5km run", "5 km", True),
        ("Café Müller", "cafe muller", True),
        ("the follow-up is due", "follow up", True),
        ("Søren and Łódź", "soren and lodz", True),
        ("“so-called”  success", '"so called" success', True),
        ("concatenate", "cat", False),
        ("Q3 was weak", "q3", True),
        ("it fell by −3", "-3", True),
    ],
)
def test_a_fact_is_found_however_it_is_written_but_not_within_another(answer, spelling, found):
    assert grade(answer, {"must": [spelling]}).score == float(found)


def test_the_score_is_the_share_of_facts_and_the_explanation_names_what_is_missing():
    target = {"must": [["three", "3"], "Ivo", ["re:clos(ed|ing)", "shut"]]}
    assert grade("The 3 shops of Ivo are closing.", target).score == 1.0
    partly = grade("The three shops stay.", target)
    assert partly.score == pytest.approx(1 / 3)
    assert partly.explanation == "missing: Ivo; missing: re:clos(ed|ing) | shut"
    assert grade("The three shops stay.", target, partial_credit=False).score == 0.0


def test_a_forbidden_statement_scores_nothing_whatever_else_is_said():
    target = {"must": ["42"], "must_not": ["re:approved by the (board|council)", "43"]}
    assert grade("It is 42.", target).score == 1.0
    bad = grade("It is 42, approved by the board.", target)
    assert (bad.score, bad.explanation) == (0.0, "forbidden: re:approved by the (board|council)")


@pytest.mark.parametrize(
    ("limit", "good", "bad", "why"),
    [
        ({"max_words": 3}, "- one two three", "one two three four", "max_words is 3; the answer has 4 words"),
        ({"min_words": 2}, "one two", "one", "min_words is 2"),
        ({"max_chars": 5}, " one \n", "one two", "max_chars is 5"),
        ({"lines": 2}, "one\n\ntwo", "one", "lines is (2, 2)"),
        ({"lines": [1, 2]}, "one", "one\na\nb", "lines is [1, 2]"),
        ({"starts_with": "o"}, " one", "None", "starts_with is 'o'"),
        ({"lines_start_with": "- "}, "- one\n- two", "- one\ntwo", "lines_start_with is '- '"),
    ],
)
def test_a_broken_limit_scores_nothing_or_counts_as_one_more_fact(limit, good, bad, why):
    target = {"must": ["one"]} | limit
    assert grade(good, target).score == 1.0
    assert why in grade(bad, target).explanation
    assert grade(bad, target).score == 0.0
    assert grade("one", {"must": ["one"], "max_chars": 1}, limits="share").score == 0.5


def test_an_empty_answer_is_wrong_even_where_nothing_is_required():
    assert grade(" ", {"must_not": ["no"]}).score == 0.0
    assert grade("fine", {"must_not": ["no"]}).score == 1.0


def test_a_pattern_sees_the_answer_as_it_is_as_well():
    assert grade("Really?\n", {"must": [r"re:\?\s*\Z"]}).score == 1.0
    assert grade("ABC", {"must": ["re:(?-i:AB)C"]}).score == 1.0
    assert grade("Zürich", {"must": ["re:zur.ch"]}).score == 1.0


def test_a_target_may_be_json():
    assert grade("yes", json.dumps({"must": ["yes"]})).score == 1.0


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({}, "asks for nothing"),
        ({"must": []}, "asks for nothing"),
        ({"must": "yes"}, "it is a list"),
        ({"must": [[]]}, "without a spelling"),
        ({"must": [" * "]}, "not empty"),
        ({"must": [3]}, "it is a list"),
        ({"must": ["re:("]}, "no regular expression"),
        ({"must": ["re:a*"]}, "matches every text"),
        ({"mustnt": ["a"]}, "it knows must, must_not"),
        ({"max_words": "80"}, "a whole number"),
        ({"lines": [3, 1]}, "least, most"),
        ({"starts_with": 3}, "it is a text"),
        ("{", "is no JSON"),
        ("[1]", "it is a mapping"),
    ],
)
def test_a_target_that_cannot_be_held_is_refused_before_anything_is_sent(target, words):
    with pytest.raises(TaskError, match=words):
        graders.facts().check(target)


def test_limits_are_of_two_kinds():
    with pytest.raises(TaskError, match="'zero' or 'share'"):
        graders.facts(limits="none")


@given(st.text())
def test_simplifying_twice_changes_little_and_any_word_is_found_in_itself(text):
    if simplified(text):
        assert grade(text, {"must": [text]}).score == 1.0
