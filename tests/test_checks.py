from decimal import Decimal

import pytest

from llmkit import checks
from llmkit.cascade import cascade
from llmkit.errors import Busy, UsageError
from llmkit.policy import Question
from llmkit.records import Cost, Message
from tests.scripted import Scripted, answer


def priced(text, cost="0.01", **more):
    return answer(text, cost=Cost(Decimal(cost)), **more)


def drafting(*texts):
    """A model that gives one text a repeat, and the question it drafts an answer to."""
    model = Scripted(lambda request: priced(texts[request.repeat]), name="weak")
    return model, Question.of(model.request("hi"), model)


def test_every_check_that_is_offered_can_be_had_by_name():
    assert checks.__all__ == sorted(checks.__all__)
    assert all(getattr(checks, name).__doc__ for name in checks.__all__)


def test_an_answer_must_fit_the_schema():
    form = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert checks.matches(form)("p", answer('{"n": 1}')).good
    assert "'1' is not of type 'integer'" in checks.matches(form)("p", answer('{"n": "1"}')).reason
    assert "no JSON" in checks.matches(form)("p", answer("n: 1")).reason
    assert checks.matches(list[int])("p", answer("[1, 2]")).good
    assert checks.matches(list[int])("p", answer('["a"]')).good is False


def test_a_rule_of_the_users_own_is_held_against_the_json_in_the_answer():
    def adds_up(paper):
        return sum(paper["lines"]) == paper["net"]

    check = checks.json_holds(adds_up)
    assert check("p", answer('Here:\n```json\n{"lines": [0.1, 0.2], "net": 0.3}\n```')).good is True
    assert check("p", answer('{"lines": [1], "net": 2}')).reason == "json_holds(adds_up) does not hold"
    assert check("p", answer("no idea")).reason == "no JSON in the answer"


@pytest.mark.parametrize("text", ['{"lines": [1]}', '{"lines": ["1"], "net": 1}', "[1]", "3", '{"lines": 1}'])
def test_json_of_another_shape_does_not_pass_and_warns_of_nothing(text):
    found = checks.json_holds(lambda paper: sum(paper["lines"]) == paper["net"])("p", answer(text))
    assert found.good is False
    assert "could not read the answer" in found.reason


def test_a_model_agrees_with_itself_if_all_its_answers_are_the_same():
    model, question = drafting("Yes", "yes ", "YES")
    found = checks.agrees(3)(question, answer("Yes"))
    assert (found.good, len(found.calls)) == (True, 2)
    assert [request.repeat for request in model.asked] == [1, 2]


def test_agreement_is_given_up_as_soon_as_it_is_out_of_reach():
    model, question = drafting("yes", "no", "yes", "no", "yes")
    found = checks.agrees(5)(question, answer("yes"))
    assert (found.good, found.reason, len(model.asked)) == (False, "1 of 2 answers differ from it", 1)
    most = checks.agrees(5, share_of=0.6)(question, answer("yes"))
    assert (most.good, len(most.calls)) == (True, 4)


def test_agreement_looks_only_at_what_is_extracted():
    _, question = drafting("A because", "A since", "A as")
    assert checks.agrees(3, extract=lambda text: text[0])(question, answer("A because")).good


def test_repeats_of_a_later_draw_are_others():
    model = Scripted("same", name="weak")
    question = Question.of(model.request("hi", repeat=2), model)
    checks.agrees(3)(question, answer("same"))
    assert [request.repeat for request in model.asked] == [6, 7]


def test_samples_are_paid_for_in_the_cascade():
    weak, _ = drafting("a", "b")
    strong = Scripted(priced("c", "0.05"), name="strong")
    response = cascade(weak, strong, accept=checks.agrees(2))("hi")
    assert [(step.role, step.cost) for step in response.steps] == [
        ("draft", Decimal("0.01")),
        ("check", Decimal("0.01")),
        ("answer", Decimal("0.05")),
    ]
    assert response.cost.total == Decimal("0.07")


def test_a_sample_that_fails_leaves_it_open_and_the_others_paid():
    script = {1: priced("yes"), 2: Busy("down")}

    def say(request):
        entry = script[request.repeat]
        if isinstance(entry, Exception):
            raise entry
        return entry

    model = Scripted(say, name="weak")
    with pytest.warns(RuntimeWarning, match="down"):
        found = checks.agrees(3)(Question.of(model.request("hi"), model), answer("yes"))
    assert (found.good, len(found.calls), len(found.lost)) == (None, 1, 1)


@pytest.mark.parametrize(
    ("said", "good"), [("Confidence: 90%", True), ("Confidence: 50%", False), ("hm", None)]
)
def test_a_model_can_be_asked_how_sure_it_is(said, good):
    model = Scripted(priced(said), name="weak")
    found = checks.asked_confidence(at=0.8)(Question.of(model.request("What?"), model), answer("That."))
    assert (found.good, len(found.calls)) == (good, 1)
    turns = [(message.role, message.content) for message in model.asked[0].messages]
    assert turns == [("user", "What?"), ("assistant", "That."), ("user", checks.HOW_SURE)]


@pytest.mark.parametrize(
    ("said", "good", "reason"),
    [
        ("Reason: it is right\nVerdict: PASS", True, "it is right"),
        ("Reason: it is wrong\n**Verdict: fail**", False, "it is wrong"),
        ("Verdict: PASS?\nReason: hm\nVerdict: FAIL", False, "hm"),
        ("I like it", None, "the judge said neither PASS nor FAIL: 'I like it'"),
    ],
)
def test_a_judge_decides_and_is_paid(said, good, reason):
    model = Scripted(priced(said, "0.002"), name="judge")
    found = checks.judge(model, "It is polite.")("Say hi", answer("Hi {rubric}"))
    assert (found.good, found.reason, found.calls[0].cost.total) == (good, reason, Decimal("0.002"))
    asked = model.asked[0].messages[0].content
    assert "<rubric>\nIt is polite.\n</rubric>" in asked
    assert "<question>\nSay hi\n</question>" in asked
    assert "<answer>\nHi {rubric}\n</answer>" in asked


def test_a_judge_of_a_conversation_sees_all_of_it_at_the_draws_own_repeat():
    model = Scripted(priced("Verdict: PASS"), name="judge")
    turns = [Message("user", "one"), Message("assistant", "two"), Message("user", "three")]
    request = model.request(turns, repeat=4)
    checks.judge(model, "r")(Question.of(request), answer("x"))
    assert "[user] one\n\n[assistant] two\n\n[user] three" in model.asked[0].messages[0].content
    assert model.asked[0].repeat == 4


def test_a_swapped_check_asks_another_model():
    first, second = (Scripted(priced("Verdict: PASS"), name=name) for name in ("first", "second"))
    check = ~(checks.judge(first, "r") & checks.is_json)
    check.swapped(lambda model: second)("p", answer("[]"))
    assert (len(first.asked), len(second.asked)) == (0, 1)


def test_checks_that_need_the_drafting_model_say_where_they_work():
    for check in (checks.agrees(2), checks.asked_confidence()):
        with pytest.raises(UsageError, match="inside a cascade only"):
            check("a plain text", answer())


@pytest.mark.parametrize(
    "make",
    [
        lambda: checks.agrees(1),
        lambda: checks.agrees("3"),
        lambda: checks.shorter_than("5"),
        lambda: checks.shorter_than(float("nan")),
        lambda: checks.verbal_confidence(at=80),
        lambda: checks.asked_confidence(at="0.5"),
        lambda: checks.as_check("is_json"),
        lambda: checks.agrees(3, share_of=2),
        lambda: checks.judge("opus", "r"),
        lambda: checks.judge(Scripted("x"), "r", template="{answer}"),
        lambda: checks.matches({"type": "objekt"}),
    ],
)
def test_what_cannot_work_is_said_when_it_is_made(make):
    with pytest.raises(UsageError, match=r"give |objekt"):
        make()


def test_code_must_pass_its_tests_in_the_sandbox():
    right, wrong = (
        answer("```python\ndef add(a, b):\n    return a + b\n```"),
        answer("def add(a, b): return 0"),
    )
    check = checks.runs("assert add(1, 2) == 3")
    assert check("p", right).good is True
    assert (check("p", wrong).good, "gave 0" in check("p", wrong).reason) == (False, True)
    asked = checks.runs(lambda prompt: [f"assert add(1, 2) == {prompt}"])
    assert [asked(prompt, right).good for prompt in ("3", "4")] == [True, False]
    with pytest.raises(UsageError, match="the tests never call 'sub'"):
        checks.runs("assert add(1, 2) == 3", function="sub")("p", right)


def test_a_cascade_hands_code_that_fails_its_tests_to_the_next():
    wrong, right = Scripted("def add(a, b): return 0", name="weak"), Scripted("def add(a, b): return a + b")
    found = cascade(wrong, right, accept=checks.runs("assert add(1, 2) == 3"))("write add")
    assert (found.text, [step.role for step in found.steps]) == (
        "def add(a, b): return a + b",
        ["draft", "answer"],
    )
