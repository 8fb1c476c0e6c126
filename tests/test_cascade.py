from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit import checks
from llmkit.cascade import cascade
from llmkit.errors import BudgetExceeded, Busy, UsageError
from llmkit.policies import mix, vote
from llmkit.records import Call, Cost, Message, Request, Thought
from llmkit.routing import fallback
from llmkit.workers import concurrently
from tests.scripted import Scripted, answer

ends_well = checks.has(r"\.$")


def priced(text, cost, model="m", **more):
    return answer(text, model=model, cost=Cost(Decimal(cost)), **more)


def pair(draft="draft", final="final.", **options):
    weak = Scripted(priced(draft, "0.01", "weak"), name="weak")
    strong = Scripted(priced(final, "0.05", "strong"), name="strong")
    return weak, strong, cascade(weak, strong, **({"accept": ends_well} | options))


def test_an_accepted_draft_is_the_answer_and_nobody_else_is_asked():
    _, strong, model = pair("done.")
    response = model("hi")
    assert (response.text, response.model, response.cost.total) == ("done.", "weak", Decimal("0.01"))
    assert (strong.asked, response.steps) == ([], ())


def test_what_is_not_accepted_is_asked_of_the_next_and_all_is_counted():
    _, strong, model = pair()
    response = model("hi")
    assert (response.text, response.model) == ("final.", "strong")
    assert response.cost.total == Decimal("0.06")
    assert (response.latency, response.usage.output) == (2.0, 10)
    assert [(step.role, step.model, step.cost) for step in response.steps] == [
        ("draft", "weak", Decimal("0.01")),
        ("answer", "strong", Decimal("0.05")),
    ]
    assert "nothing in the answer matches" in response.steps[0].error
    assert response.attempts == (f"weak: not accepted: {response.steps[0].error}",)
    assert strong.asked[0].messages == (Message("user", "hi"),)


def test_three_stages_each_with_a_check_of_its_own():
    stages = [Scripted(priced(text, "1", text), name=text) for text in ("one", "two.", "three")]
    model = cascade(*stages, accept=[checks.is_json, ends_well])
    response = model("hi")
    assert (response.text, response.cost.total) == ("two.", 2)
    assert [step.role for step in response.steps] == ["draft", "answer"]


def test_a_billed_check_is_a_step_and_part_of_the_cost():
    def judged(prompt, response):
        return False, "not good", priced("FAIL", "0.002", "judge")

    _, _, model = pair(accept=judged)
    response = model("hi")
    assert [step.role for step in response.steps] == ["draft", "check", "answer"]
    assert response.cost.total == Decimal("0.062")
    assert response.latency == 3.0


def test_an_accepted_draft_pays_for_its_check_too_and_comes_when_the_check_is_over():
    _, _, model = pair(accept=lambda p, r: (True, "", priced("PASS", "0.002", "judge")))
    response = model("hi")
    assert (response.text, response.cost.total) == ("draft", Decimal("0.012"))
    assert [step.role for step in response.steps] == ["answer", "check"]
    assert response.first_token == response.latency == 2.0


def test_an_unknown_cost_on_the_way_leaves_the_whole_unknown():
    weak, strong = Scripted("draft", name="weak"), Scripted(priced("final.", "1"), name="strong")
    assert cascade(weak, strong, accept=ends_well)("hi").cost.total is None


def test_a_check_that_raises_escalates_with_the_error_as_reason():
    def broken(prompt, response):
        return 1 / 0

    _, _, model = pair("done.", accept=broken)
    with pytest.warns(RuntimeWarning, match="division by zero"):
        response = model("hi")
    assert response.text == "final."
    assert "ZeroDivisionError" in response.steps[0].error


def test_a_judge_that_fails_escalates_and_what_it_may_have_charged_is_said():
    def down(prompt, response):
        raise Busy("overloaded", maybe_paid=True)

    _, _, model = pair("done.", accept=down)
    with pytest.warns(RuntimeWarning, match="overloaded"):
        response = model("hi")
    assert [(step.role, step.cost) for step in response.steps][1] == ("check", None)
    assert response.cost.total == Decimal("0.06")
    assert "without what down may have charged" in response.cost.note


def test_a_spent_budget_is_no_reason_to_ask_a_dearer_model():
    def spent(prompt, response):
        raise BudgetExceeded("no money")

    _, strong, model = pair(accept=spent)
    with pytest.raises(BudgetExceeded):
        model("hi")
    assert strong.asked == []


# Streaming


def test_a_stream_shows_only_text_of_the_accepted_answer():
    def thinking(request):
        return priced("secret draft", "0.01")

    weak = Scripted(thinking, name="weak", shown=[Thought("hm"), "secret "])
    strong = Scripted(priced("the final answer.", "0.05"), name="strong")
    stream = cascade(weak, strong, accept=ends_well).stream("hi", thoughts=True)
    assert list(stream) == ["the", "final", "answer."]
    assert stream.response.cost.total == Decimal("0.06")


def test_an_accepted_draft_comes_in_one_piece():
    assert list(pair("it is done.")[2].stream("hi")) == ["it is done."]


def test_a_stream_left_early_closes_the_model_that_writes():
    _, strong, model = pair(final="one two three.")
    stream = model.stream("hi")
    assert next(stream) == "one"
    stream.close()
    assert strong.closed_early == 1


# What is passed on


def test_the_draft_is_passed_on_with_the_reason_when_asked_for():
    _, strong, model = pair("half an answer", pass_draft=True)
    model("Why is the sky blue?")
    (message,) = strong.asked[0].messages
    assert message.content.startswith("Why is the sky blue?\n\n<handover>")
    assert "First line could not solve it: nothing in the answer matches" in message.content
    assert "<draft>\nhalf an answer\n</draft>" in message.content


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            "The help desk gave up because {why}!",
            "The help desk gave up because nothing in the answer matches",
        ),
        (lambda prompt, response, why: f"{prompt} -> {response.text}", "hi -> {draft}"),
    ],
)
def test_a_reason_alone_can_be_passed_on_in_words_of_ones_own(reason, told):
    _, strong, model = pair("{draft}", reason=reason)
    model("hi")
    content = strong.asked[0].messages[0].content
    assert told in content
    assert "<draft>" not in content


def test_braces_in_a_draft_are_left_as_they_are():
    _, strong, model = pair("{reason} {draft} {why}", pass_draft=True)
    model("hi {why}")
    assert "<draft>\n{reason} {draft} {why}\n</draft>" in strong.asked[0].messages[0].content


def test_parts_of_a_message_stay_parts_when_a_draft_is_passed_on():
    _, strong, model = pair("half", pass_draft=True)
    model(["look", {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}])
    content = strong.asked[0].messages[0].content
    assert [block["type"] for block in content] == ["text", "image", "text"]
    assert "half" in content[-1]["text"]


# Settings, conversations, nesting


def test_each_model_keeps_its_own_settings_and_gets_those_the_user_gave():
    weak, strong, model = pair()
    weak.defaults, strong.defaults = (
        Request(effort="low", max_tokens=10),
        Request(effort="high", max_tokens=99),
    )
    model("hi", system="Be brief.")
    asked = [*weak.asked, *strong.asked]
    assert [(each.effort, each.max_tokens, each.system) for each in asked] == [
        ("low", 10, "Be brief."),
        ("high", 99, "Be brief."),
    ]


def test_a_conversation_stays_with_who_served_it_unchecked_and_without_foreign_thinking():
    weak, strong, model = pair()
    first = model("one")
    thought = ({"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": first.text})
    later = [Message("user", "one"), Message("assistant", thought), Message("user", "two")]
    assert model(later).model == "strong"
    assert len(weak.asked) == 1
    assert strong.asked[1].messages[1].content == thought
    unknown = [Message("user", "other"), Message("assistant", thought), Message("user", "two")]
    model(unknown)
    assert weak.asked[1].messages[1].content == thought[1:]  # nobody known wrote it: it could be foreign
    assert strong.asked[2].messages[1].content == thought[1:]


def test_the_same_model_again_is_another_draw():
    weak = Scripted(lambda request: priced(f"draw {request.repeat}", "1"), name="weak")
    model = cascade(weak, weak, weak, accept=checks.has("2"))
    assert model("hi").text == "draw 2"
    assert [request.repeat for request in weak.asked] == [0, 1, 2]
    model("hi", repeat=1)
    assert [request.repeat for request in weak.asked[3:]] == [3, 4, 5]


def test_two_objects_of_one_model_and_settings_draw_anew_and_other_settings_do_not():
    first, second, other = (Scripted("an answer", name="weak") for _ in range(3))
    other.defaults = Request(effort="low")
    cascade(first, other, second, accept=lambda prompt, response: False)("hi")
    assert [model.asked[0].repeat for model in (first, other, second)] == [0, 0, 1]
    vote(first, second, other)("hi", repeat=1)
    assert [model.asked[1].repeat for model in (first, other, second)] == [2, 1, 3]


def test_a_cascade_in_a_fallback_keeps_what_its_first_hop_cost():
    weak = Scripted(priced("draft", "0.01", "weak"), name="weak")
    down = Scripted(Busy("overloaded"), name="strong")
    other = Scripted(priced("other.", "0.03", "other"), name="other")
    response = fallback(cascade(weak, down, accept=ends_well), other)("hi")
    assert (response.text, response.cost.total) == ("other.", Decimal("0.04"))
    assert [step.role for step in response.steps] == ["draft", "failed", "answer"]


def test_a_failure_after_a_paid_draft_tells_of_it():
    weak, down = Scripted(priced("draft", "0.01", "weak"), name="weak"), Scripted(Busy("no"), name="strong")
    with pytest.raises(Busy) as caught:
        cascade(weak, down, accept=ends_well)("hi")
    assert [(step.role, step.cost) for step in caught.value.steps] == [("draft", Decimal("0.01"))]


def test_a_nested_policy_tells_all_its_calls():
    _, _, inner = pair("draft", "second")
    last = Scripted(priced("third.", "1", "last"), name="last")
    response = cascade(inner, last, accept=ends_well)("hi")
    assert [step.role for step in response.steps] == ["draft", "draft", "answer"]
    assert response.cost.total == Decimal("1.06")


def test_many_threads_may_ask_at_once():
    weak = Scripted(lambda request: priced(request.messages[0].content + "!", "1"), name="weak")
    strong = Scripted(lambda request: priced(request.messages[0].content + ".", "2"), name="strong")
    model = cascade(weak, strong, accept=lambda p, r: int(p) % 2 == 0)
    answers = dict(concurrently(lambda n: model(str(n)), range(200), workers=8))
    assert all(r.text == (f"{n}!" if n % 2 == 0 else f"{n}.") for n, r in answers.items())
    assert all(r.cost.total == (1 if n % 2 == 0 else 3) for n, r in answers.items())


def test_a_check_knows_the_whole_request_and_who_drafted():
    seen = []

    def look(prompt, response):
        seen.append((str(prompt), prompt.request.system, prompt.model.name))
        return True

    pair(accept=look)[2]("hi", system="s")
    assert seen == [("hi", "s", "weak")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"accept": "is_json"}, "cannot be called"),
        ({"accept": None}, "cannot be called"),
        ({"accept": [checks.is_json, checks.is_json]}, "2 checks for 2 models"),
        ({"reason": 3}, "reason is 3"),
    ],
)
def test_what_cannot_work_is_said_when_it_is_made(options, words):
    with pytest.raises(UsageError, match=words):
        pair(**options)


def test_one_model_or_none_is_no_cascade():
    for models in ((), (Scripted("x"),), (Scripted("x"), "opus")):
        with pytest.raises(UsageError):
            cascade(*models, accept=checks.is_json)


def test_a_cycle_of_models_is_refused():
    weak, strong, inner = pair()
    inner.models = (weak, inner)
    with pytest.raises(UsageError, match="cycle of models"):
        cascade(inner, strong, accept=ends_well)


STAGE = st.tuples(st.booleans(), st.integers(0, 1000), st.integers(1, 100))


@settings(max_examples=150, deadline=None)
@given(st.lists(STAGE, min_size=2, max_size=4), st.booleans(), st.booleans())
def test_cost_latency_and_steps_add_up_and_one_answer_is_shown(stages, billed, nested):
    models = []
    for n, (good, cents, seconds) in enumerate(stages):
        text = f"{n} good" if good else f"{n} bad"
        models.append(Scripted(priced(text, Decimal(cents) / 100, f"m{n}", latency=seconds), name=f"m{n}"))

    def accept(prompt, response):
        fee = (priced("v", Decimal("0.001"), "judge", latency=1.0),) if billed else ()
        return "good" in response.text, "", *fee

    model = cascade(*models, accept=accept)
    if nested:
        model = fallback(model, mix(Scripted("x", name="x"), Scripted("y", name="y"), p=0.5))
    served = next((n for n, stage in enumerate(stages[:-1]) if stage[0]), len(stages) - 1)
    asked = served + 1
    looked = min(asked, len(stages) - 1)
    pieces = []
    response = _all(model.run(model.request("hi").with_call(Call())), pieces)
    assert response.model == f"m{served}"
    assert "".join(pieces).replace(" ", "") == response.text.replace(" ", "")
    fees = looked if billed else 0
    assert response.cost.total == Decimal(sum(c for _, c, _ in stages[:asked])) / 100 + fees * Decimal(
        "0.001"
    )
    assert response.latency == sum(s for _, _, s in stages[:asked]) + fees
    if response.steps:
        assert sum(step.cost for step in response.steps) == response.cost.total
        assert [step.role for step in response.steps].count("answer") == 1
    else:
        assert asked == 1


def _all(pieces, shown):
    def watched():
        response = yield from pieces
        return response

    generator = watched()
    while True:
        try:
            shown.append(next(generator))
        except StopIteration as stop:
            return stop.value
