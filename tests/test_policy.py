from threading import Event

import pytest

import llmkit as kit
from llmkit.cascade import cascade
from llmkit.checks import has
from llmkit.compare import compare
from llmkit.errors import Busy, NotRecorded, RateLimited, Stopped
from llmkit.model import finish
from llmkit.policies import route
from llmkit.policy import draw, leaves
from llmkit.recordings import SCHEMA, Recorded
from llmkit.records import Call, Cost, Request
from llmkit.routing import balance, fallback
from llmkit.store import Store
from llmkit.workers import concurrently
from tests.scripted import Clock, Scripted, answer


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "s.sqlite", schema=SCHEMA)
    yield made
    made.close()


def recorded(store, *script, name):
    """A model whose answers are recorded, and what was really asked of it."""
    inner = Scripted(*script, name=name)
    return inner, Recorded(inner, store, endpoint="e")


def priced(text):
    return answer(text, cost=Cost(0))


def test_a_rerun_replays_the_stand_in_although_the_first_is_back(store):
    first, one = recorded(store, Busy("overloaded"), priced("first"), name="first")
    second, two = recorded(store, priced("second"), name="second")
    clock = Clock()
    before = fallback(one, two, clock=clock, sleep=clock.sleep)("hi")
    again = fallback(one, two, clock=clock, sleep=clock.sleep)("hi")
    assert (before.text, again.text, again.origin) == ("second", "second", "replay")
    assert (len(first.asked), len(second.asked)) == (1, 1)
    assert again.attempts == before.attempts
    assert [(s.role, s.model, s.cost, s.error) for s in again.steps] == [
        (s.role, s.model, s.cost, s.error) for s in before.steps
    ]


def test_the_seconds_of_failures_drafts_and_waits_are_those_of_the_answer_in_a_rerun_too(store):
    clock = Clock()

    def late(request):
        clock.now += 3
        raise Busy("overloaded")

    def limited(request):
        clock.now += 1
        raise RateLimited("wait", retry_after=6)

    _, draft = recorded(store, answer("draft", cost=Cost(0), latency=2.0), name="draft")
    _, one = recorded(store, late, name="one")
    _, two = recorded(store, limited, answer("two", cost=Cost(0), latency=1.5), name="two")
    responses = []
    for _ in range(2):
        model = fallback(cascade(draft, one, accept=has("x")), two, clock=clock, sleep=clock.sleep)
        responses.append(model("hi"))
    assert [step.role for step in responses[0].steps] == [
        "draft",
        "failed",
        "failed",
        "draft",
        "failed",
        "answer",
    ]
    assert responses[0].latency == sum(step.latency for step in responses[0].steps) + sum(clock.slept)
    assert [responses[1].latency, responses[1].steps[-1]] == [responses[0].latency, responses[0].steps[-1]]


def test_a_rerun_replays_a_model_that_rests_by_then(store):
    first, one = recorded(store, priced("first"), Busy("overloaded"), name="first")
    second, two = recorded(store, priced("second"), name="second")
    clock = Clock()
    model = fallback(one, two, clock=clock, sleep=clock.sleep)
    assert [model(prompt).text for prompt in ("a", "b", "a", "b")] == ["first", "second", "first", "second"]
    assert (len(first.asked), len(second.asked)) == (2, 1)


def test_a_decision_holds_for_the_same_settings_only(store):
    _, one = recorded(store, Busy("overloaded"), priced("first"), name="first")
    _, two = recorded(store, priced("second"), name="second")
    clock = Clock()
    assert fallback(one, two, clock=clock, sleep=clock.sleep)("hi").text == "second"
    assert fallback(one, two, clock=clock, sleep=clock.sleep)("hi", max_tokens=9).text == "first"


def test_what_a_user_gave_is_part_of_what_a_decision_is_kept_under(store):
    _, one = recorded(store, "a", name="a")
    _, two = recorded(store, "b", name="b")
    one.defaults, two.defaults = Request(max_tokens=5), Request(max_tokens=6)
    model = balance(one, two)
    plain, given = model.request("hi"), model.request("hi", max_tokens=1024)
    assert plain.content() == given.content()
    assert model.decision_key(plain) != model.decision_key(given)


def test_a_cascade_inside_is_replayed_by_the_recordings_of_its_leaves(store):
    weak, one = recorded(store, priced("draft"), name="weak")
    strong, two = recorded(store, priced("final."), name="strong")
    other, three = recorded(store, priced("other"), name="other")
    for _ in range(2):
        model = fallback(cascade(one, two, accept=has(r"\.$")), three)
        response = model("hi")
    assert [len(each.asked) for each in (weak, strong, other)] == [1, 1, 0]
    assert [step.role for step in response.steps] == ["draft", "answer"]
    assert [leaf.name for leaf in leaves(model)] == ["weak", "strong", "other"]


def test_a_call_for_recordings_only_sends_nothing(store):
    inner, model = recorded(store, "x", name="m")
    with pytest.raises(NotRecorded):
        finish(model.run(model.request("hi").with_call(Call(recorded=True))))
    assert inner.asked == []


def test_what_many_threads_ask_at_a_time_is_asked_once(store):
    def slow(request):
        Event().wait(0.05)
        return priced("x")

    inner, model = recorded(store, slow, name="m")
    answers = [r for _, r in concurrently(lambda n: model("hi"), range(16), workers=8)]
    assert [r.text for r in answers] == ["x"] * 16
    assert len(inner.asked) == 1


def test_nobody_waits_for_himself_or_for_a_first_that_fails(store):
    _, model = recorded(store, Busy("no"), "x", "y", name="m")
    with pytest.raises(Busy):
        model("hi")
    pieces = model.run(model.request("hi"))
    assert next(pieces) == "x"
    assert model("hi").text == "y"
    pieces.close()


def test_a_draw_depends_on_the_opening_alone():
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    first, later = Scripted("x").request("a"), Scripted("x").request([*turns, turns[0]])
    assert draw(0, first) == draw(0, later) != draw(1, first)


def test_policies_are_compared_and_a_second_run_pays_nothing(capsys):
    kit.connect("offline")
    sonnet, opus = kit.models("sonnet", "opus")
    task = kit.read_task("support_triage").head(30)
    careful = cascade(sonnet, opus, accept=has(r"^Category: (billing|refund)"), label="careful")
    by_length = route(sonnet, opus, by=len, at=2500, label="by length")
    models = [sonnet, opus, careful, by_length, fallback(careful, opus, label="safe")]
    c = compare(task, models)
    attempts = kit.ledger().spend().attempts
    assert attempts == 60
    compare(task, models)
    assert kit.ledger().spend().attempts == attempts
    r = kit.replay(c, [careful, by_length, models[-1]])
    for label in r.labels:
        ran = c.frame[c.frame["model"] == label].set_index("item")
        again = r.frame[r.frame["policy"] == label].set_index("item")
        for column in ("score", "cost", "latency"):
            assert again[column].to_numpy() == pytest.approx(ran[column].to_numpy(dtype=float))
    assert "SIMULATED" in repr(r)


def test_label_ceilings_and_a_stop_travel_into_every_model_inside():
    for make in (
        lambda a, b: kit.cascade(a, b, accept=lambda prompt, response: False),
        lambda a, b: kit.route(a, b, by=len, at=0),
        lambda a, b: kit.mix(a, b, p=1),
        lambda a, b: kit.vote(a, b),
        lambda a, b: kit.fallback(a, b),
        lambda a, b: kit.balance(a, b),
    ):
        a, b = Scripted("one", name="a"), Scripted("two", name="b")
        with kit.label("draft 2"):
            [answered] = make(a, b).map(["hello"])
        assert answered.text in ("one", "two")
        calls = [request.call for request in (*a.asked, *b.asked)]
        assert calls
        assert {call.label for call in calls} == {"draft 2"}
        assert all(call.stopped is not None for call in calls)


def test_a_run_that_was_left_asks_no_other_model():
    a, b = Scripted(Stopped("left"), name="a"), Scripted("two", name="b")
    for model in (kit.fallback(a, b), kit.cascade(a, b, accept=lambda prompt, response: True)):
        with pytest.raises(Stopped):
            model("hello")
    assert b.asked == []


def test_how_often_an_error_may_be_retried_survives_the_models_around_it():
    for make in (
        lambda a, b: kit.cascade(a, b, accept=lambda prompt, response: False),
        lambda a, b: kit.route(a, b, by=len, at=99),
        lambda a, b: kit.vote(a, b),
    ):
        with pytest.raises(Busy) as raised:
            make(Scripted(Busy("busy", again=1), name="a"), Scripted("b", name="b"))("hello")
        assert raised.value.again == 1
