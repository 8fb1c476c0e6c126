import json
import math
from decimal import Decimal

import pytest

import llmkit as kit
from llmkit import graders
from llmkit.errors import Busy, Refused, UsageError
from llmkit.graders import PositionBias, Vote, position_bias
from llmkit.graders_judge import enclosed
from llmkit.records import Call, Cost
from tests.scripted import Scripted, answer
from tools.check_graders import injected, injections

ITEM = {"input": "What is the capital of France?", "target": "Paris"}
RUBRIC = "5 names the right city, 1 does not."


def verdict(name, value, reason="because", **more):
    text = json.dumps({"reason": reason, name: value})
    return answer(text, cost=Cost(Decimal("0.002")), **more)


def judged(said, **options):
    model = Scripted(said)
    return graders.judge(model, rubric=RUBRIC, **options)("Lyon", ITEM), model


@pytest.mark.parametrize(("score", "expected"), [(1, 0.0), (2, 0.25), (5, 1.0)])
def test_the_score_is_mapped_to_0_to_1_and_the_reason_and_cost_are_kept(score, expected):
    grade, _ = judged(verdict("score", score))
    assert grade.score == expected
    assert (grade.extracted, grade.explanation) == (f"{score} of 1 to 5", "because")
    assert grade.cost == Decimal("0.002")


def test_the_judge_is_shown_everything_between_marks_and_has_no_tools():
    def tool():
        """Nothing."""

    _, model = judged(verdict("score", 3), max_tokens=77, tools=[tool])
    (request,) = model.asked
    text = request.messages[0].content
    mark = text.split()[2]
    parts = [("QUESTION", ITEM["input"]), ("REFERENCE", "Paris"), ("ANSWER", "Lyon")]
    assert text == "\n\n".join(f"BEGIN {name} {mark}\n{part}\nEND {name} {mark}" for name, part in parts)
    assert mark in request.system and RUBRIC in request.system and "Lyon" not in request.system
    assert (request.tools, request.max_tokens) == ((), 77)
    assert request.schema.json["properties"]["score"]["enum"] == [1, 2, 3, 4, 5]
    assert request.call.label == "judge"


def test_question_and_reference_may_be_left_out():
    _, model = judged(verdict("score", 3), question=None, reference=False)
    text = model.asked[0].messages[0].content
    assert "QUESTION" not in text and "REFERENCE" not in text and "Lyon" in text


def test_the_same_question_is_the_same_request_and_the_mark_depends_on_the_answer():
    assert enclosed({"ANSWER": "a"}) == enclosed({"ANSWER": "a"})
    assert enclosed({"ANSWER": "a"})[1] != enclosed({"ANSWER": "b"})[1]
    assert enclosed({"A": "x", "B": "y"})[1] != enclosed({"A": "y", "B": "x"})[1]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("I would give it a 5.", "gave no verdict"),
        ('{"reason": "x", "score": 6}', "not as asked"),
        ('{"reason": "x", "score": true}', "not as asked"),
        ('{"reason": "x", "score": "5"}', "not as asked"),
        ('{"reason": "x", "score": 5.0}', "not as asked"),
        ('{"score": 5}', "not as asked"),
        ('{"reason": null, "score": 5}', "not as asked"),
        ('{"reason": "x", "score": 5, "also": 1}', "not as asked"),
        ('{"reason": "x", "score": 1, "score": 5}', "occurs twice"),
        ('[{"reason": "x", "score": 5}]', "not as asked"),
        ('```json\n{"reason": "x", "score": 5}\n```', "gave no verdict"),
        ("5", "not as asked"),
        ("[" * 50_000, "gave no verdict"),
        ("", "gave no verdict"),
    ],
)
def test_a_judge_that_gives_no_verdict_as_asked_leaves_the_answer_ungraded(said, words):
    grade, _ = judged(answer(said, cost=Cost(Decimal("0.001"))))
    assert math.isnan(grade.score) and grade.extracted is None
    assert words in grade.explanation and grade.cost == Decimal("0.001")


def test_a_refusal_or_a_cut_answer_is_no_verdict():
    for outcome in ("refusal", "max_tokens"):
        grade, _ = judged(verdict("score", 5, outcome=outcome))
        assert math.isnan(grade.score) and outcome in grade.explanation


def test_a_judge_that_fails_leaves_the_answer_ungraded_at_unknown_cost_and_a_refused_key_ends_the_run():
    grade, _ = judged(Busy("overloaded"))
    assert math.isnan(grade.score) and grade.cost is None and "overloaded" in grade.explanation
    with pytest.raises(Refused):
        judged(Refused("no such key"))


def test_fifty_injections_move_no_parsing():
    assert len(set(injections())) == 50
    results = list(injected())
    assert len(results) == 350
    assert [what for what, good in results if not good] == []


@pytest.mark.parametrize("scale", [(1,), (5, 1), (1, 1), (0.0, 1.0), (True, 5), (1, 200), (1, 2, 3)])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(UsageError, match="scale is"):
        graders.judge("opus", rubric="x", scale=scale)


@pytest.mark.parametrize("rubric", ["", "  ", None])
def test_a_rubric_is_needed(rubric):
    for make in (graders.judge, graders.pairwise):
        with pytest.raises(UsageError, match="rubric is"):
            make("opus", rubric=rubric)


def vote(*said, **options):
    model = Scripted(*[one if not isinstance(one, str) else verdict("better", one) for one in said])
    return graders.pairwise(model, rubric="Which is right?", **options)("Paris", "Lyon", ITEM), model


@pytest.mark.parametrize(
    ("said", "winner", "score", "orders", "flipped"),
    [
        (("first", "second"), "a", 1.0, ("a", "a"), False),
        (("second", "first"), "b", 0.0, ("b", "b"), False),
        (("first", "first"), "tie", 0.5, ("a", "b"), True),
        (("second", "second"), "tie", 0.5, ("b", "a"), True),
        (("tie", "tie"), "tie", 0.5, ("tie", "tie"), False),
        (("first", "tie"), "tie", 0.5, ("a", "tie"), False),
    ],
)
def test_a_winner_has_to_win_in_both_orders(said, winner, score, orders, flipped):
    found, model = vote(*said)
    assert (found.winner, found.score, found.orders, found.flipped) == (winner, score, orders, flipped)
    assert found.cost == Decimal("0.004")
    first, second = (request.messages[0].content for request in model.asked)
    assert first.index("Paris", first.index("FIRST")) < first.index("Lyon")
    assert second.index("Lyon") < second.index("Paris", second.index("SECOND"))


def test_one_order_is_half_the_price_and_tells_no_flip():
    found, model = vote("second", both_orders=False)
    assert (found.winner, found.orders, found.flipped, len(model.asked)) == ("b", ("b",), None, 1)


def test_a_vote_with_a_missing_verdict_has_no_winner():
    found, _ = vote("first", answer("Both are fine.", cost=Cost(None)))
    assert found.winner is None and math.isnan(found.score) and found.flipped is None
    assert found.orders == ("a", None) and found.cost is None
    assert found.reasons[0] == "because" and "gave no verdict" in found.reasons[1]


def test_the_bias_of_a_judge_is_its_flips_and_its_lean_to_the_first():
    def made(*orders):
        flipped = None if None in orders else set(orders) == {"a", "b"}
        return Vote("tie", 0.5, orders, flipped, ("", ""), Decimal(0))

    votes = [
        made("a", "a"),
        made("a", "b"),
        made("a", "b"),
        made("b", "a"),
        made("a", "tie"),
        made("a", None),
    ]
    bias = position_bias(votes)
    assert (bias.votes, bias.unread, bias.flip_rate.estimate) == (5, 1, 0.6)
    # Of ten verdicts six named the first answer, three the second.
    assert bias.first_lean.estimate == pytest.approx(0.3)
    assert position_bias([]) == PositionBias(0, 0, None, None)
    alike = position_bias(votes[:1]).first_lean
    assert alike.estimate == 0 and math.isnan(alike.low) and math.isnan(alike.high)


def test_an_answer_may_be_held_against_its_target():
    model = Scripted(verdict("better", "first"), verdict("better", "first"))
    grade = graders.pairwise(model, rubric="Which is kinder?").against_target()("Lyon", ITEM)
    assert grade.score == 0.5 and grade.extracted == "as good as the target (it turned with the order)"
    assert "REFERENCE" not in model.asked[0].messages[0].content and grade.cost == Decimal("0.004")


def test_judging_is_counted_in_grade_comparison_and_budget(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    rows = [{"input": f"What is {i} + {i}?", "label": str(2 * i)} for i in range(6)]
    grader = graders.judge("haiku", rubric="Is the number right?")
    task = kit.Task(rows, prompt="{input}", target="label", grade=grader, name="sums")
    sonnet = kit.model("sonnet")
    c = kit.compare(task, [sonnet], budget=1)
    costs = c.frame["grading_cost"]
    assert (costs > 0).all() and f"Judging cost ${costs.sum():.6f}" in repr(c)
    assert c.frame["explanation"].str.startswith("SIMULATED: ").all()
    paid = kit.ledger().frame()
    assert paid["label"].value_counts().to_dict() == {"sums": 6, "sums (judge)": 6}
    again = kit.compare(task, [sonnet], budget=1)
    assert again.frame["grading_cost"].tolist() == costs.tolist()
    assert len(kit.ledger().frame()) == 12


def test_a_ceiling_reached_while_judging_stops_the_run_and_keeps_the_answers(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    rows = [{"input": f"Is {i} even?", "label": "yes"} for i in range(4)]
    grader = graders.judge("opus", rubric="Is it right?", max_tokens=60_000)
    task = kit.Task(rows, prompt="{input}", target="label", grade=grader, settings={"max_tokens": 100})
    with pytest.raises(kit.BudgetExceeded):
        kit.compare(task, [kit.model("haiku")], budget="0.05")


def test_a_call_brings_its_budgets_and_label_to_the_judge():
    model = Scripted(verdict("score", 3))
    grader = graders.judge(model, rubric=RUBRIC)
    grader("Lyon", ITEM, call=Call(budgets=("b",), label="task"))
    assert (model.asked[0].call.budgets, model.asked[0].call.label) == (("b",), "task (judge)")


def test_the_rubric_can_be_read_from_the_grader_and_given_to_another_judge():
    first = graders.judge(Scripted(verdict("score", 3)), rubric=f" {RUBRIC}\n")
    beside = graders.pairwise(Scripted(verdict("better", "tie")), rubric=first.rubric)
    assert first.rubric == RUBRIC == beside.against_target().rubric
    assert graders.exact().rubric == ""
