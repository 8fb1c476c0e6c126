import warnings
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.accept import (
    Check,
    Finding,
    as_check,
    at_least,
    confidence,
    finished,
    has,
    is_json,
    not_refused,
    shorter_than,
    verbal_confidence,
)
from llmkit.errors import BudgetExceeded, Busy, UsageError
from llmkit.records import Cost
from tests.scripted import answer


def of(found: bool | None, seen: list[object] | None = None) -> Check:
    """A check that finds this, and notes that it was looked at; None raises."""

    def look(prompt, response):
        if seen is not None:
            seen.append(found)
        if found is None:
            raise ValueError("no idea")
        return found

    return as_check(look)


def look(check, text="yes", **more):
    return check("the prompt", answer(text, **more))


def quiet(check, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return check(*arguments)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (is_json, '{"a": [1, 2]}', '```json\n{"a": 1}\n```'),
        (has(r"^#### -?\d+$"), "so it is\n#### 42", "so it is 42"),
        (shorter_than(5), "four", "fives"),
        (shorter_than(3, "words"), "two words", "now three words"),
        (~shorter_than(5), "fives", "four"),
        (verbal_confidence(at=0.8), "B\nConfidence: 80%", "B\nConfidence: 79%"),
        (not_refused, "I'm sorry to hear that. Category: refund", "I'm sorry, but I can't help with that."),
        (not_refused, "I can do that.", "I cannot do that."),
    ],
)
def test_a_check_of_the_text_keeps_what_is_good_and_says_why_not(check, good, bad):
    assert look(check, good).good is True
    found = look(check, bad)
    assert found.good is False
    assert found.reason


def test_the_provider_says_what_was_refused_or_cut_off():
    assert look(not_refused, "", outcome="refusal") == Finding(False, "the model refused")
    assert look(finished, "and so", outcome="max_tokens").reason == "the answer ended with 'max_tokens'"
    assert look(finished).good


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("Confidence: 85%", 0.85),
        ("confidence = 0.9", 0.9),
        ("Confidence: 7/10", 0.7),
        ("I am confident: 85 / 100", 0.85),
        ("Confidence: 90", 0.9),
        ("Confidence: 20%\nthen again\nConfidence: 60 %", 0.6),
        ("Confidence: 400%", None),
        ("I am confident", None),
        ("Category: refund 90%", None),
    ],
)
def test_a_stated_confidence_is_read_in_every_usual_form(text, stated):
    assert confidence(text) == pytest.approx(stated)


def test_an_answer_that_states_no_confidence_is_not_accepted_nor_is_its_opposite():
    assert look(verbal_confidence()).good is None
    assert look(~verbal_confidence()).good is None


@pytest.mark.parametrize("given", [True, (True, "why"), (True, "", answer()), np.bool_(True), (1 > 0,)])
def test_a_function_may_return_a_truth_a_reason_and_what_it_asked(given):
    assert look(as_check(lambda prompt, response: given)).good is True


def test_a_function_that_says_no_gives_its_reason_or_its_name():
    def polite(prompt, response):
        return "please" in response.text

    assert look(as_check(polite)).reason == "polite does not hold"
    assert look(as_check(lambda p, r: (False, "too short"))).reason == "too short"


def test_what_a_function_asked_is_counted_also_of_several():
    calls = [answer(cost=Cost(Decimal(1))), answer(cost=Cost(Decimal(2)))]
    assert look(as_check(lambda p, r: (False, "no", calls))).calls == tuple(calls)


@pytest.mark.parametrize("given", ["yes", None, 1, (True, "a", "b"), (True, "a", None, None), ("no", "why")])
def test_what_is_no_truth_is_no_yes(given):
    with pytest.warns(RuntimeWarning, match="expected|asked"):
        assert look(as_check(lambda p, r: given)).good is None


def test_a_check_that_raises_is_a_no_with_the_error_as_reason_and_is_told_once():
    check = of(None)
    with pytest.warns(RuntimeWarning, match="said once") as told:
        found = [look(check) for _ in range(3)]
    assert len(told) == 1
    assert {each.reason for each in found} == {"the check look failed with ValueError: no idea"}
    assert found[0].good is None


def test_a_judge_that_is_down_is_a_no_but_a_spent_budget_ends_the_run():
    def down(prompt, response):
        raise Busy("overloaded", maybe_paid=True)

    def spent(prompt, response):
        raise BudgetExceeded("no money")

    with pytest.warns(RuntimeWarning, match="overloaded"):
        found = look(as_check(down))
    assert (found.good, found.lost[0][0]) == (None, "down")
    with pytest.raises(BudgetExceeded):
        look(as_check(spent))


@pytest.mark.parametrize(("one", "looked"), [(False, 1), (True, 2)])
def test_and_looks_at_the_second_only_where_the_first_holds(one, looked):
    seen = []
    look(of(one, seen) & of(True, seen))
    assert len(seen) == looked


@pytest.mark.parametrize(("one", "looked"), [(True, 1), (False, 2)])
def test_or_looks_at_the_second_only_where_the_first_does_not(one, looked):
    seen = []
    look(of(one, seen) | of(True, seen))
    assert len(seen) == looked


TRUTHS = st.sampled_from([True, False, None])


@given(TRUTHS, TRUTHS)
def test_checks_combine_like_truths_of_which_some_are_unknown(a, b):
    def found(check):
        return quiet(check, "p", answer()).good

    both = False if False in (a, b) and a is not None else None if None in (a, b) else True
    assert found(of(a) & of(b)) is both
    either = True if True in (a, b) else None if None in (a, b) else False
    assert found(of(a) | of(b)) is either
    assert found(~of(a)) is (None if a is None else not a)
    assert found(~~of(a)) is a
    assert (found(~(of(a) & of(b))) is True) == (both is False)


def test_a_combined_check_is_named_after_its_parts_and_costs_what_they_cost():
    first = as_check(lambda p, r: (True, "", answer(cost=Cost(Decimal(1)))))
    second = as_check(lambda p, r: (False, "worse", answer(cost=Cost(Decimal(2)))))
    both = look(first & second)
    assert [call.cost.total for call in both.calls] == [1, 2]
    assert both.reason == "worse"
    assert repr(is_json & ~has("x") | shorter_than(9)) == "((is_json & ~has('x')) | shorter_than(9))"


def test_a_plain_function_combines_with_a_check_from_either_side():
    def long(prompt, response):
        return len(response.text) > 3

    assert look(long & is_json, "12345").good
    assert look(is_json & long, "12").good is False
    assert look(long | is_json, "1").good


@pytest.mark.parametrize("wrong", ["is_json", None, 0.8, [is_json]])
def test_what_cannot_be_called_is_no_check(wrong):
    with pytest.raises(UsageError, match="cannot be called"):
        as_check(wrong)


def test_a_wrong_pattern_length_or_confidence_is_said_at_once():
    for make in (lambda: has("("), lambda: shorter_than(0), lambda: shorter_than(3, "tokens")):
        with pytest.raises(UsageError):
            make()
    for at in (80, -0.1, float("nan"), "0.8"):
        with pytest.raises(UsageError, match="from 0 to 1"):
            verbal_confidence(at=at)


def test_a_number_is_held_against_a_limit_and_kept_as_the_score():
    check = at_least(lambda prompt, response: len(response.text), 3)
    assert [(found.good, found.score) for found in (look(check, "yes"), look(check, "no"))] == [
        (True, 3),
        (False, 2),
    ]
    assert look(check, "no").reason == "<lambda> is 2, under 3"
    judged = at_least(lambda prompt, response: (0.4, answer("I say 0.4")), 0.5)
    assert look(judged).calls[0].text == "I say 0.4"
    unsure = look(at_least(lambda prompt, response: float("nan"), 1))
    assert (unsure.good, unsure.score) == (None, None)
    for wrong in ("no function", 1), (len, "x"), (len, True):
        with pytest.raises(UsageError, match="give a function of"):
            at_least(*wrong)


def test_combined_checks_have_no_score_for_it_would_be_of_one_alone():
    scored = at_least(lambda prompt, response: len(response.text), 3)
    assert look(scored | of(True)).score is None
    assert look(of(True) & scored).score is None
    assert look(~scored).score is None
    assert look(verbal_confidence(at=0.5), "Confidence: 80%").score == 0.8
    assert look(shorter_than(10), "four").score == -4
