"""The simulated judge: better judges tell right from wrong more often; verdicts keep to the schema."""

from __future__ import annotations

import json

import pytest

import llmkit as kit
from llmkit.graders import position_bias
from llmkit.graders_judge import enclosed
from llmkit.simulator import Simulator
from llmkit.simulator.answers import Book
from llmkit.simulator.chance import Chance
from llmkit.simulator.judging import verdict
from tests.simulated import ask, visible

SCORE = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]}},
    "required": ["reason", "score"],
    "additionalProperties": False,
}
MANY = 200


def choice(name, *options):
    return {"type": "object", "properties": {name: {"enum": list(options)}}, "required": [name]}


BETTER = choice("better", "first", "second", "tie")


@pytest.fixture(scope="module")
def book():
    made = Book()
    made.learn(
        {
            "id": str(n),
            "input": f"case {n}.",
            "prompt": f"Decide case {n}.",
            "right": [f"Yes, in case {n}", f"Case {n} holds"],
            "wrong": [f"No, not in case {n}", f"Case {n} falls"],
            "difficulty": n / 50 - 1,
        }
        for n in range(MANY)
    )
    return made


def said(book, schema, parts, *, ability=2.0, seed="0"):
    question, _ = enclosed(parts)
    chance = Chance.of("judge", {"question": question}, seed)
    return verdict(schema, question=question, book=book, ability=ability, chance=chance)


def scores(book, text, ability):
    shown = [{"QUESTION": f"case {n}.", "ANSWER": text.format(n)} for n in range(MANY)]
    return [said(book, SCORE, parts, ability=ability)["score"] for parts in shown]


def winners(book, first, second, **options):
    shown = [{"FIRST ANSWER": first.format(n), "SECOND ANSWER": second.format(n)} for n in range(MANY)]
    return [said(book, BETTER, parts, **options)["better"] for parts in shown]


def share_right(book, ability):
    said = winners(book, "No, not in case {}", "Yes, in case {}", ability=ability)
    return said.count("second") / (MANY - said.count("tie"))


def test_a_better_judge_tells_right_from_wrong_more_often(book):
    shares = [share_right(book, ability) for ability in (-3.0, 0.0, 3.0)]
    assert shares[0] < shares[1] - 0.08 < shares[2] - 0.16
    assert 0.4 < shares[0] < 0.65
    assert shares[2] > 0.85


def test_right_answers_score_higher_and_by_more_from_a_better_judge(book):
    gaps = [
        sum(scores(book, "Case {} holds", ability)) - sum(scores(book, "Case {} falls", ability))
        for ability in (-3.0, 0.0, 3.0)
    ]
    assert 0 < gaps[0] < gaps[1] < gaps[2]
    assert gaps[2] > 2 * MANY
    assert set(scores(book, "Case {} holds", -1.0)) == {1, 2, 3, 4, 5}


def test_the_place_decides_little_between_answers_alike_and_hardly_between_right_and_wrong(book):
    one, other = "Yes, in case {}", "Case {} holds"
    alike = winners(book, one, other) + winners(book, other, one)
    assert 0 < (alike.count("first") - alike.count("second")) / len(alike) < 0.2
    one = winners(book, "Yes, in case {}", "No, not in case {}", ability=3.0).count("first")
    other = winners(book, "No, not in case {}", "Yes, in case {}", ability=3.0).count("second")
    assert abs(one - other) < 0.05 * MANY


def test_the_same_answer_twice_is_a_tie_where_that_may_be_said(book):
    same = {"FIRST ANSWER": "Yes, in case 1", "SECOND ANSWER": "Yes, in case 1"}
    assert said(book, BETTER, same)["better"] == "tie"
    assert said(book, choice("better", "first", "second"), same)["better"] in ("first", "second")


def test_the_longer_of_two_unknown_answers_wins_a_little_more_often(book):
    short, long = "Word {}.", "Word {}." + " And one more word." * 20
    gained = winners(book, long, short).count("first") - winners(book, short, "Other {}.").count("first")
    assert 0 < gained / MANY < 0.25


def test_an_unknown_answer_lies_between_and_the_reference_itself_is_right(book):
    def mean(text):
        shown = [{"REFERENCE": f"Ref {n}", "ANSWER": text.format(n)} for n in range(MANY)]
        return sum(said(book, SCORE, parts)["score"] for parts in shown) / MANY

    assert mean("No, not in case {}") + 0.5 < mean("Never seen {}") < mean("Yes, in case {}") - 0.5
    assert mean("Ref {}") > mean("Never seen {}") + 0.5


def test_the_same_label_is_right_for_one_item_and_wrong_for_another():
    labels = Book()
    raw = {"prompt": None, "difficulty": -9.0}
    labels.learn(
        {
            **raw,
            "id": f"{n}",
            "input": f"item {n}.",
            "right": [["x"], ["y"]][n % 2],
            "wrong": [["y"], ["x"]][n % 2],
        }
        for n in range(60)
    )
    given = [said(labels, SCORE, {"QUESTION": f"item {n}.", "ANSWER": "x"})["score"] for n in range(60)]
    assert sum(given[0::2]) > 1.8 * sum(given[1::2])


@pytest.mark.parametrize(
    ("schema", "allowed"),
    [
        (choice("winner", "A", "B"), {"A", "B"}),
        (choice("preferred", "answer_1", "answer_2", "both"), {"answer_1", "answer_2", "both"}),
    ],
)
def test_other_words_for_the_sides_are_read(book, schema, allowed):
    shown = [{"ANSWER A": f"Yes, in case {n}", "ANSWER B": f"No, not in case {n}"} for n in range(MANY)]
    given = [next(iter(said(book, schema, parts).values())) for parts in shown]
    assert set(given) <= allowed
    assert given.count(sorted(allowed)[0]) > 0.7 * MANY


def test_scales_of_bounds_several_marks_and_a_boolean_are_filled(book):
    marks = {
        "tone": {"type": "integer", "minimum": 0, "maximum": 10, "description": "how it sounds"},
        "facts": {"$ref": "#/$defs/mark"},
        "passed": {"type": "boolean"},
        "why": {"type": "string", "title": "Why"},
    }
    mark = {"type": "integer", "enum": [0, 50, 100]}
    schema = {"type": "object", "properties": marks, "required": list(marks), "$defs": {"mark": mark}}
    for n in range(50):
        given = said(book, schema, {"RESPONSE": f"Yes, in case {n}"}, ability=1.0)
        assert 0 <= given["tone"] <= 10
        assert given["facts"] in (0, 50, 100)
        assert given["passed"] == (given["tone"] > 5) or given["tone"] == 5
        assert given["why"].startswith("(simulated)")


@pytest.mark.parametrize(
    ("schema", "parts"),
    [
        (SCORE, {"QUESTION": "case 1."}),
        (SCORE, {"FIRST ANSWER": "x", "SECOND ANSWER": "y"}),
        (SCORE, {"ANSWER 1": "x", "ANSWER 2": "y", "ANSWER 3": "z"}),
        (BETTER, {"ANSWER": "x"}),
        (choice("colour", "red", "blue"), {"FIRST ANSWER": "x", "SECOND ANSWER": "y"}),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"ANSWER": "x"}),
        ({"type": "string"}, {"ANSWER": "x"}),
        (True, {"ANSWER": "x"}),
    ],
)
def test_what_asks_for_no_verdict_is_none(book, schema, parts):
    assert said(book, schema, parts) is None


def test_marks_inside_an_answer_belong_to_it(book):
    inner, _ = enclosed({"ANSWER": "Yes, in case 1"})
    assert said(book, SCORE, {"ANSWER": inner}) is not None
    assert said(book, BETTER, {"ANSWER": f"{inner}\n{inner}"}) is None


def test_over_the_wire_a_forced_tool_and_a_schema_both_get_a_verdict_and_reruns_are_alike():
    question, _ = enclosed({"QUESTION": "case 1.", "ANSWER": "Yes, in case 1"})
    entry = {"id": "1", "input": "case 1.", "prompt": None, "right": ["Yes, in case 1"], "wrong": ["No"]}
    tool = {"name": "grade", "input_schema": SCORE}
    forced = {"tools": [tool], "tool_choice": {"type": "tool", "name": "grade"}}
    form = {"output_config": {"format": {"type": "json_schema", "schema": SCORE}}}
    with Simulator() as sim:
        sim.learn([{**entry, "difficulty": -20.0, "refuse": True}])
        called = visible(sim, ask(question, model="claude-sonnet-4-6", **forced))[0]["content"][-1]
        text = visible(sim, ask(question, **form))[0]["content"][-1]["text"]
        assert visible(sim, ask(question, **form))[0]["content"][-1]["text"] == text
    assert called["type"] == "tool_use"
    assert called["input"]["score"] >= 4
    assert json.loads(text)["score"] >= 4


@pytest.fixture(scope="module")
def triage():
    kit.connect("offline", store=":memory:")
    return kit.read_task("data/support_triage").head(40)


def answers_of(task, kind):
    return [entry[kind][0] for entry in task.rehearsal()]


def test_the_kits_judge_and_pairwise_prefer_right_answers_with_little_position_bias(triage):
    rights, wrongs = answers_of(triage, "right"), answers_of(triage, "wrong")
    grade = kit.graders.judge("opus", rubric="The team is right.")
    compare = kit.graders.pairwise("opus", rubric="The team is right.")
    scored = {"right": [], "wrong": []}
    votes = []
    for index in range(len(triage)):
        item = triage.item(index)
        scored["right"].append(grade(rights[index], item).score)
        scored["wrong"].append(grade(wrongs[index], item).score)
        votes.append(compare(rights[index], wrongs[index], item))
    assert sum(scored["right"]) > sum(scored["wrong"]) + 0.5 * len(triage)
    named = [vote.winner for vote in votes]
    assert named.count("a") > 0.7 * len(triage) > 10 * named.count("b")
    bias = position_bias(votes)
    assert (bias.votes, bias.unread) == (len(triage), 0)
    assert bias.flip_rate.estimate < 0.3
    assert abs(bias.first_lean.estimate) < 0.2
