import re
import threading
import time
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf, isnan, nan

import anthropic
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmkit as kit
from llmkit import guard, session
from llmkit.errors import (
    BudgetExceeded,
    Busy,
    CallError,
    NotRecorded,
    NotSupported,
    Partial,
    RateLimited,
    Refused,
    Rejected,
    UsageError,
)
from llmkit.estimates import Estimate
from llmkit.hops import SHORTEST_REST
from llmkit.model import Model, finish
from llmkit.models import find
from llmkit.providers.errors import from_status
from llmkit.providers.messages import Messages
from llmkit.recordings import OnlyRecorded
from llmkit.records import Call, Cost, Message, Request, Response, Step, Thought
from llmkit.retry import Retry
from llmkit.routing import Balance, Fallback, balance, fallback
from llmkit.workers import concurrently
from tests.scripted import Clock, Scripted, answer


def error(status, kind, message="no", **headers):
    """As the provider's answer is read: from status, type and headers."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return from_status(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def overloaded():
    return error(529, "overloaded_error")


def limited(seconds):
    return error(429, "rate_limit_error", retry_after=str(seconds))


def pair(first, second, **options):
    """Two models by their scripts, a fallback of both, and its clock."""
    clock = Clock()
    a, b = Scripted(*first, name="a"), Scripted(*second, name="b")
    return a, b, fallback(a, b, clock=clock, sleep=clock.sleep, **options), clock


def ask(model, prompt="hi", **call):
    return finish(model.run(model.request(prompt).with_call(Call(**call))))


def priced(text="yes", cost="0.01", model="b", **more):
    return answer(text, model=model, cost=Cost(Decimal(cost)), **more)


# What each failure means for the next question


def test_an_overloaded_model_hands_over_to_the_next():
    a, b, model, clock = pair([overloaded()], ["fine"])
    assert model("hi").text == "fine"
    assert (len(a.asked), len(b.asked), clock.slept) == (1, 1, [])


def test_a_model_told_to_wait_30_seconds_is_back_after_30_seconds():
    a, b, model, clock = pair([limited(30), "back"], ["b"])
    served = []
    for clock.now in (0, 10, 20, 29.999, 30, 40):
        served.append(model("hi").text)
    assert served == ["b", "b", "b", "b", "back", "back"]
    assert (len(a.asked), len(b.asked)) == (3, 4)


@pytest.mark.parametrize(
    "dead",
    [
        error(401, "authentication_error", "invalid x-api-key"),
        error(402, "billing_error"),
        error(403, "permission_error"),
        error(404, "not_found_error"),
        error(429, "rate_limit_error", "enforced_spend_limit_reached", retry_after="1"),
        error(400, "invalid_request_error", "You have reached your specified API usage limits."),
        error(400, "invalid_request_error", "Your credit balance is too low to access the API."),
    ],
)
def test_a_dead_key_or_a_spent_account_is_never_asked_again(dead):
    a, _, model, clock = pair([dead, "risen"], ["b"])
    for clock.now in (0, 60, 3600, 1e6):
        assert model("hi").text == "b"
    assert len(a.asked) == 1
    assert list(model.out) == ["a"]
    assert str(dead) in model.out["a"]


def test_why_a_model_is_left_out_is_told_once_and_can_be_looked_up():
    _, _, model, _ = pair([error(401, "authentication_error", "invalid x-api-key")], ["b"])
    first, second = model("hi"), model("hi")
    assert len(first.attempts) == 1
    assert re.match(r"a: Refused: invalid x-api-key .*\(left out from now on\)$", first.attempts[0])
    assert second.attempts == ()
    assert "a out (Refused: invalid x-api-key" in repr(model)


@pytest.mark.parametrize(
    "wrong",
    [
        error(400, "invalid_request_error", "prompt is too long"),
        error(413, "request_too_large"),
        error(422, "invalid_request_error"),
    ],
)
def test_a_request_that_is_wrong_is_asked_of_nobody_else(wrong):
    _, b, model, _ = pair([wrong, "fine"], ["b"])
    with pytest.raises(Rejected):
        model("hi")
    assert len(b.asked) == 0
    assert model("hi").text == "fine"
    assert model.out == {}


def test_an_overload_told_inside_a_good_answer_counts_as_busy():
    _, _, model, _ = pair([error(200, "overloaded_error", "Overloaded")], ["b"])
    assert model("hi").text == "b"
    assert model.status()[0] | {"why": ""} == {"model": "a", "state": "resting", "seconds": 5.0, "why": ""}


def test_when_all_rest_it_sleeps_until_the_first_returns():
    a, b, model, clock = pair([limited(3), "a"], [limited(8), "b"])
    assert model("hi").text == "a"
    assert clock.slept == [3.0]
    assert (len(a.asked), len(b.asked)) == (2, 1)


def test_when_all_rest_for_an_hour_it_raises_at_once_and_says_when():
    _, _, model, clock = pair([limited(3600)], [limited(3500)])
    with pytest.raises(RateLimited, match="b is the first to return, in 3,500 s") as caught:
        model("hi")
    assert clock.slept == []
    assert len(caught.value.attempts) == 2
    assert caught.value.retry_after == 3500


def test_asked_while_all_rest_it_raises_what_it_knows_without_asking():
    a, b, model, clock = pair([limited(3600)], [limited(3500)])
    with pytest.raises(RateLimited):
        model("hi")
    clock.now = 500
    with pytest.raises(RateLimited, match="b is the first to return, in 3,000 s") as caught:
        model("hi")
    assert (len(a.asked), len(b.asked)) == (1, 1)
    assert caught.value.retry_after == 3000
    assert (caught.value.attempts, caught.value.steps, caught.value.maybe_paid) == ((), (), False)


def test_a_busy_model_rests_twice_as_long_each_time():
    a, _, model, clock = pair([overloaded()], ["b"])
    rests = []
    for _ in range(6):
        model("hi")
        rests.append(model.status()[0]["seconds"])
        clock.now += rests[-1]
    assert rests == [5, 10, 20, 40, 60, 60]
    assert len(a.asked) == 6


def test_a_success_makes_the_next_rest_short_again():
    _, _, model, clock = pair([overloaded(), overloaded(), "a", overloaded()], ["b"])
    rests = []
    for _ in range(4):
        model("hi")
        rests.append(model.status()[0]["seconds"])
        clock.now += rests[-1] or 0
    assert rests == [5, 10, None, 5]


@pytest.mark.parametrize("failure", [Busy("timeout"), error(500, "api_error"), error(409, "conflict_error")])
def test_whatever_is_only_busy_rests(failure):
    _, _, model, _ = pair([failure], ["b"])
    assert model("hi").text == "b"
    assert model.status()[0]["state"] == "resting"


def test_a_limit_without_a_time_rests_as_the_busy_do():
    _, _, model, clock = pair([error(429, "rate_limit_error")], ["b"])
    model("hi")
    assert model.status()[0]["seconds"] == 5
    clock.now = 5
    model("hi")
    assert model.status()[0]["seconds"] == 10


def test_a_wait_of_nothing_cannot_make_it_ask_for_ever():
    a, b, model, clock = pair([limited(0.001)], [limited(0.001)], patience=10)
    with pytest.raises(RateLimited):
        model("hi")
    assert sum(clock.slept) <= 10
    assert len(a.asked) + len(b.asked) <= 2 * 10 / 0.5 + 2


def test_a_stream_that_ends_without_its_end_is_raised_with_what_came():
    _, b, model, _ = pair([Partial("no stop_reason", partial="half an", maybe_paid=True)], ["b"])
    with pytest.raises(Partial) as caught:
        model("hi")
    assert caught.value.partial == "half an"
    assert b.asked == []
    assert model.status()[0]["state"] == "ready"


def test_a_refusal_is_an_answer():
    _, b, model, _ = pair([answer("", outcome="refusal")], ["b"])
    assert model("hi").outcome == "refusal"
    assert b.asked == []


@pytest.mark.parametrize(
    "fault", [TypeError("a bug"), BudgetExceeded("too dear"), NotSupported("no tools"), RuntimeError("x")]
)
def test_what_is_no_failed_call_is_raised_at_once(fault):
    _, b, model, _ = pair([fault], ["b"])
    with pytest.raises(type(fault)) as caught:
        model("hi")
    assert caught.value is fault
    assert b.asked == []


def test_ctrl_c_stops_everything():
    def interrupted(request):
        raise KeyboardInterrupt

    _, b, model, _ = pair([interrupted], ["b"])
    with pytest.raises(KeyboardInterrupt):
        model("hi")
    assert b.asked == []


# What an answer and an error tell


def test_an_answer_names_who_served_it_and_tells_every_hop():
    _, _, model, _ = pair([overloaded()], [priced(latency=2.0)])
    response = model("hi")
    assert response.model == "b"
    assert response.attempts == (f"a: Busy: {overloaded()} (rests 5 s)",)
    failed, served = response.steps
    assert (failed.role, failed.model, failed.cost, failed.outcome) == ("failed", "a", 0, "error")
    assert failed.error == f"Busy: {overloaded()}"
    assert served == Step("answer", "b", Decimal("0.01"), 2.0, response.usage, "ok")
    assert response.cost.total == Decimal("0.01")


def test_an_answer_at_the_first_hop_is_left_as_it_is():
    reply = priced(model="a", steps=(Step("answer", "x"), Step("check", "y")))
    _, _, model, _ = pair([reply], ["b"])
    assert model("hi") is reply


def test_a_failure_that_may_have_been_paid_has_no_known_cost_and_the_answer_says_so():
    _, _, model, _ = pair([Busy("timed out", maybe_paid=True)], [priced()])
    response = model("hi")
    assert response.steps[0].cost is None
    assert response.cost.total == Decimal("0.01")
    assert response.cost.note == "without what a may have charged for a failure"


def test_what_a_failed_hop_had_already_paid_is_part_of_the_cost():
    failure = Busy("the second stage is busy")
    failure.steps = (Step("answer", "weak", Decimal("0.02")),)
    _, _, model, _ = pair([failure], [priced()])
    response = model("hi")
    assert response.cost.total == Decimal("0.03")
    assert sum(item.amount for item in response.cost.items) == Decimal("0.02")
    assert [(step.role, step.model) for step in response.steps] == [
        ("answer", "weak"),
        ("failed", "a"),
        ("answer", "b"),
    ]


def test_an_error_keeps_what_a_hop_before_it_had_paid():
    failure = Busy("the second stage is busy", maybe_paid=True)
    failure.steps = (Step("answer", "weak", Decimal("0.02")),)
    _, _, model, _ = pair([failure], [Rejected("too long")])
    with pytest.raises(Rejected, match=r"^too long$") as caught:
        model("hi")
    assert [(step.role, step.cost) for step in caught.value.steps] == [
        ("answer", Decimal("0.02")),
        ("failed", None),
        ("failed", Decimal(0)),
    ]
    assert len(caught.value.attempts) == 2
    assert caught.value.maybe_paid


def test_an_unknown_price_stays_unknown():
    _, _, model, _ = pair([overloaded()], [answer(cost=Cost(None, note="no price"))])
    assert model("hi").cost == Cost(None, note="no price")


def test_the_last_error_carries_every_hop_and_each_error_only_its_own():
    _, _, model, clock = pair([overloaded()], [Busy("down")], patience=0)
    for _ in range(2):
        with pytest.raises(Busy, match="down; nobody else") as caught:
            model("hi")
        assert [line.split(":")[0] for line in caught.value.attempts] == ["a", "b"]
        assert len(caught.value.steps) == 2
        clock.now += 3600


def test_with_every_model_dead_the_last_reason_is_raised_then_and_later():
    a, b, model, _ = pair([Refused("bad key")], [Refused("no money")])
    with pytest.raises(Refused, match="no money; no other model is left") as caught:
        model("hi")
    assert len(caught.value.attempts) == 2
    with pytest.raises(Refused, match="no money") as caught:
        model("hi")
    assert caught.value.attempts == ()
    assert (len(a.asked), len(b.asked)) == (1, 1)


def test_a_dead_key_beside_a_resting_model_does_not_make_the_whole_dead():
    _, _, model, _ = pair([Refused("bad key")], [limited(3600)])
    with pytest.raises(RateLimited):
        model("hi")
    _, _, model, _ = pair([limited(3600)], [Refused("bad key")])
    with pytest.raises(RateLimited, match="a is the first to return") as caught:
        model("hi")
    assert len(caught.value.attempts) == 2


# Time


def test_patience_is_for_the_whole_call():
    _, _, model, clock = pair([overloaded()], [overloaded()], patience=20)
    with pytest.raises(Busy):
        model("hi")
    assert clock.slept == [5.0, 10.0]


def test_a_wait_beyond_the_deadline_is_not_begun():
    _, _, model, clock = pair([limited(3)], [limited(8)])
    with pytest.raises(RateLimited, match="in 3 s"):
        ask(model, deadline=3.0)
    assert clock.slept == []


def test_when_the_time_is_over_nobody_else_is_asked():
    clock = Clock()

    def slow(request):
        clock.now += 10
        raise Busy("timed out", maybe_paid=True)

    a, b = Scripted(slow, name="a"), Scripted("b", name="b")
    model = fallback(a, b, clock=clock, sleep=clock.sleep)
    with pytest.raises(Busy, match="the time for this call is over"):
        ask(model, deadline=5.0)
    assert b.asked == []


def test_every_hop_gets_one_try_and_the_one_deadline():
    a, b, model, _ = pair([overloaded()], ["b"])
    ask(model, deadline=50.0, label="mine", budgets=("cap",), keep=print, again=print)
    for hop in (a.asked[0].call, b.asked[0].call):
        assert hop == Call(deadline=50.0, label="mine", budgets=("cap",), tries=1)


def test_a_model_that_would_try_again_by_itself_hands_over_instead():
    a = Scripted(overloaded(), name="a")
    model = fallback(Retry(a, sleep=pytest.fail), Scripted("b", name="b"))
    response = model("hi")
    assert (response.text, len(a.asked)) == ("b", 1)
    assert response.attempts[0].startswith("a: Busy: ")


def test_a_timeout_of_the_user_s_reaches_the_hops():
    a, b = Scripted(overloaded(), name="a"), Scripted("b", name="b")
    fallback(a, b)("hi", timeout=5)
    assert a.asked[0].call.deadline == b.asked[0].call.deadline > time.monotonic()


def test_a_call_that_ran_out_of_time_raises_its_own_error_and_no_older_one():
    clock = Clock()

    def slow(request):
        clock.now += 10
        raise Refused("bad key")

    a, b = Scripted(overloaded(), slow, name="a"), Scripted(overloaded(), name="b")
    model = fallback(a, b, clock=clock, sleep=clock.sleep, patience=0)
    with pytest.raises(Busy):
        model("hi")
    clock.now = 100
    with pytest.raises(Refused, match="the time for this call is over"):
        ask(model, deadline=105.0)
    assert len(b.asked) == 1


def test_a_deadline_that_passed_before_the_first_hop_is_left_to_the_model():
    a, _, model, clock = pair(["recorded"], ["b"])
    clock.now = 10
    assert ask(model, deadline=5.0).text == "recorded"
    assert len(a.asked) == 1


# Each hop is built from the original request


class Settled(Scripted):
    """A scripted model with defaults of its own."""

    def __init__(self, *script, defaults, **more):
        super().__init__(*script, **more)
        self.defaults = defaults


def test_each_model_is_asked_at_its_own_defaults_and_the_user_s_settings():
    a = Settled(overloaded(), name="a", defaults=Request(effort="high", thinking="adaptive", max_tokens=4096))
    b = Settled("b", name="b", defaults=Request(effort="medium", system="Be b.", max_tokens=2048))
    model = fallback(a, b)
    model("hi", system="Be kind.", repeat=3)
    first, second = a.asked[0], b.asked[0]
    assert (first.effort, first.thinking, first.max_tokens) == ("high", "adaptive", 4096)
    assert (second.effort, second.thinking, second.max_tokens) == ("medium", None, 2048)
    assert {first.system, second.system} == {"Be kind."}
    assert {first.repeat, second.repeat} == {3}
    assert first.messages == second.messages == (Message("user", "hi"),)


def test_a_setting_the_user_gave_counts_even_if_it_is_the_blank_one():
    a = Settled("a", name="a", defaults=Request(effort="high", max_tokens=4096))
    model = fallback(a, Scripted("b", name="b"))
    model("hi", effort=None, max_tokens=1024)
    assert (a.asked[0].effort, a.asked[0].max_tokens) == (None, 1024)
    assert a.asked[0].given == {"effort", "max_tokens"}


def test_settings_reach_the_models_of_a_nested_fallback():
    a = Settled(overloaded(), name="a", defaults=Request(max_tokens=4096))
    b = Settled("b", name="b", defaults=Request(max_tokens=2048))
    c = Scripted("c", name="c")
    fallback(fallback(a, b), c)("hi", max_tokens=1024)
    assert a.asked[0].max_tokens == b.asked[0].max_tokens == 1024


# Nesting


def test_a_nested_fallback_s_hops_are_told_one_by_one():
    inner = fallback(Scripted(overloaded(), name="a"), Scripted(limited(40), name="b"))
    model = fallback(inner, Scripted(priced(model="c"), name="c"))
    response = model("hi")
    assert [step.model for step in response.steps] == ["a", "b", "c"]
    assert [line.split(":")[0] for line in response.attempts] == ["a", "b"]


def test_inside_another_fallback_nobody_sleeps_while_others_could_answer():
    clock = Clock()
    a, b = Scripted(limited(3), "a", name="a"), Scripted(limited(8), name="b")
    inner = fallback(a, b, clock=clock, sleep=clock.sleep)
    model = fallback(inner, Scripted("c", name="c"), clock=clock, sleep=clock.sleep)
    assert model("hi").text == "c"
    assert clock.slept == []
    clock.now = 4
    model("hi")
    clock.now = 8
    assert model("hi").text == "a"


def test_a_nested_fallback_that_is_dead_is_left_out_and_one_that_rests_is_not():
    dead = fallback(Scripted(Refused("x"), name="a"), Scripted(Refused("y"), name="b"))
    resting = fallback(Scripted(Refused("x"), name="c"), Scripted(limited(30), name="d"))
    model = fallback(dead, resting, Scripted("e", name="e"))
    assert model("hi").text == "e"
    assert [row["state"] for row in model.status()] == ["out", "resting", "ready"]


# Streaming


class Pieces(Model):
    """Yields the pieces given, raises at an exception, and returns their text."""

    def __init__(self, name, *pieces):
        self.name = self.label = name
        self.pieces, self.asked, self.closed = pieces, 0, 0

    def run(self, request):
        self.asked += 1
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        except GeneratorExit:
            self.closed += 1
            raise
        return Response("".join(p for p in self.pieces if not isinstance(p, Thought)), self.name)


def test_pieces_pass_as_they_come_with_the_thinking_marked():
    model = fallback(Pieces("a", Thought("hm"), "one ", "two"), Pieces("b", "no"))
    stream = model.stream("hi", thoughts=True)
    pieces = list(stream)
    assert pieces == ["hm", "one ", "two"]
    assert isinstance(pieces[0], Thought)
    assert stream.response.text == "one two"


def test_once_text_was_shown_nobody_else_is_asked():
    a, b = Pieces("a", "half ", "an", overloaded()), Pieces("b", "no")
    model = fallback(a, b)
    with pytest.raises(Partial) as caught:
        list(model.stream("hi"))
    assert (caught.value.partial, caught.value.status, caught.value.maybe_paid) == ("half an", 529, True)
    assert b.asked == 0


def test_thinking_alone_does_not_bind_to_a_model():
    a, b = Pieces("a", Thought("hm"), "", overloaded()), Pieces("b", "fine")
    assert list(fallback(a, b).stream("hi")) == ["", "fine"]


def test_a_stream_left_early_closes_the_model_inside_and_asks_nobody_else():
    a, b = Pieces("a", "one ", "two"), Pieces("b", "no")
    with fallback(a, b).stream("hi") as stream:
        next(stream)
    assert (a.closed, b.asked) == (1, 0)


# Conversations

SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}
SEALED = {"type": "redacted_thinking", "data": "x"}


def said(text, *thinking):
    return {"role": "assistant", "content": [*thinking, {"type": "text", "text": text}]}


def user(text):
    return {"role": "user", "content": text}


def kinds(request, place):
    return [block["type"] for block in request.messages[place].content]


def test_a_conversation_stays_with_the_model_that_served_it():
    a, _, model, clock = pair([overloaded(), "a"], ["b"])
    assert model([user("one")]).text == "b"
    clock.now = 60
    assert model([user("one"), said("b"), user("two")]).text == "b"
    assert model([user("one"), said("b"), user("two"), said("b"), user("three")]).text == "b"
    assert model([user("another")]).text == "a"
    assert len(a.asked) == 2


def test_a_conversation_moves_on_when_its_model_rests_and_stays_there():
    _, _, model, clock = pair([overloaded(), "a"], ["b", limited(30), "b"])
    turns = [user("one")]
    served = []
    for clock.now in (0, 10, 100):
        served.append(model(turns).text)
        turns += [said(served[-1]), user("more")]
    assert served == ["b", "a", "a"]


def test_thinking_goes_only_to_the_model_that_thought_it():
    a, b, model, _ = pair(["a", overloaded(), "a"], ["b"])
    turns = [user("one")]
    model(turns)
    turns += [said("a", SIGNED, SEALED), user("two")]
    assert model(turns).text == "b"
    assert kinds(a.asked[1], 1) == ["thinking", "redacted_thinking", "text"]
    assert kinds(b.asked[0], 1) == ["text"]
    turns += [said("b", SIGNED), user("three")]
    assert model(turns).text == "b"
    assert (kinds(b.asked[1], 1), kinds(b.asked[1], 3)) == (["text"], ["thinking", "text"])


def test_thinking_of_nobody_known_goes_to_nobody():
    a, b, model, _ = pair([overloaded()], ["b"])
    model([user("one"), said("x", SIGNED), user("two")])
    assert (kinds(a.asked[0], 1), kinds(b.asked[0], 1)) == (["text"], ["text"])


def test_in_a_turn_that_waits_for_its_tools_thinking_of_nobody_known_goes_to_the_first():
    a, b, model, _ = pair([overloaded()], ["b"])
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]}
    model([user("one"), {"role": "assistant", "content": [SIGNED, call]}, result])
    assert kinds(a.asked[0], 1) == ["thinking", "tool_use"]
    assert kinds(b.asked[0], 1) == ["tool_use"]


def test_a_turn_of_nothing_but_foreign_thinking_is_left_out():
    _, b, model, _ = pair([overloaded()], ["b"])
    model([user("one"), {"role": "assistant", "content": [SIGNED]}, user("two")])
    assert [message.role for message in b.asked[0].messages] == ["user", "user"]


def test_one_model_with_two_keys_keeps_its_thinking():
    a, b = Scripted(overloaded(), name="opus"), Scripted("b", name="opus")
    model = fallback(a, b)
    model([user("one"), said("x", SIGNED), user("two")])
    assert kinds(b.asked[0], 1) == ["thinking", "text"]
    assert [row["model"] for row in model.status()] == ["opus", "opus (2)"]


def test_a_conversation_begun_again_stays_where_it_went_last():
    _, _, model, clock = pair([overloaded(), "a"], ["b"])
    assert model([user("one")]).text == "b"
    clock.now = 60
    assert model([user("one")]).text == "a"
    assert model([user("one"), said("a"), user("two")]).text == "a"


def test_the_memory_of_conversations_has_an_end(monkeypatch):
    monkeypatch.setattr("llmkit.policy.REMEMBERED", 3)
    _, _, model, clock = pair([overloaded(), "a"], ["b"])
    later = [user("one"), said("b"), user("two")]
    model([user("one")])
    clock.now = 60
    for n in range(2):
        model([user(f"other {n}")])
    # Going on with it keeps it in memory, where the others are forgotten first.
    assert model(later).text == "b"
    model([user("another")])
    assert model([*later[:2], user("three")]).text == "b"
    for n in range(3):
        model([user(f"yet another {n}")])
    assert model(later).text == "a"


# Replay


def test_a_replay_takes_the_first_model_that_has_a_recording():
    a = OnlyRecorded("a", "A", Request())
    replayed = priced(origin="replay")
    model = fallback(a, Scripted(replayed, name="b"))
    assert model("hi") is replayed
    assert model.status()[0]["state"] == "ready"


def test_a_replay_that_nobody_recorded_says_so_of_the_first():
    model = fallback(OnlyRecorded("a", "A", Request()), OnlyRecorded("b", "B", Request()))
    with pytest.raises(NotRecorded, match="no answer of a "):
        model("hi")


# Threads


def test_while_one_call_sleeps_others_are_served():
    awake, asleep, clock = threading.Event(), threading.Event(), Clock()

    def sleep(seconds):
        asleep.set()
        assert awake.wait(5)
        clock.now += seconds

    a, b = Scripted(limited(3), "a", name="a"), Scripted(limited(8), "b", name="b")
    model = fallback(a, b, clock=clock, sleep=sleep)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(model("hi").text))
    thread.start()
    assert asleep.wait(5)
    assert [row["state"] for row in model.status()] == ["resting", "resting"]
    with pytest.raises(RateLimited):
        ask(model, deadline=1.0)
    awake.set()
    thread.join(5)
    assert answers == ["a"]


def test_calls_under_way_that_fail_together_make_one_rest():
    together, clock = threading.Barrier(8), Clock()

    def storm(request):
        together.wait(5)
        raise overloaded()

    a, b = Scripted(storm, name="a"), Scripted("b", name="b")
    model = fallback(a, b, clock=clock, sleep=clock.sleep)
    results = [result for _, result in concurrently(lambda _: model("hi").text, range(8), workers=8)]
    assert results == ["b"] * 8
    assert model.status()[0]["seconds"] == 5


def test_a_limit_met_by_one_thread_is_known_to_all():
    clock = Clock()
    a, b = Scripted(limited(30), name="a"), Scripted("b", name="b")
    model = fallback(a, b, clock=clock, sleep=clock.sleep)
    model("hi")
    responses = model.map([f"question {n}" for n in range(200)], workers=8)
    assert {response.text for response in responses} == {"b"}
    assert len(a.asked) == 1


# Balance


def shared(weights=None, seed=0, scripts=(("a",), ("b",), ("c",)), **options):
    clock = Clock()
    models = [Scripted(*script, name=name) for script, name in zip(scripts, "abc", strict=False)]
    return (
        models,
        balance(*models, weights=weights, seed=seed, clock=clock, sleep=clock.sleep, **options),
        clock,
    )


def served(model, count=400, **settings):
    return [model(f"question {n}", **settings).text for n in range(count)]


def test_questions_are_shared_out_by_weight():
    _, model, _ = shared([5, 3, 2])
    texts = served(model, 2000)
    assert [texts.count(name) / 2000 for name in "abc"] == pytest.approx([0.5, 0.3, 0.2], abs=0.035)


def test_without_weights_the_shares_are_equal():
    _, model, _ = shared()
    texts = served(model, 1500)
    assert [texts.count(name) / 1500 for name in "abc"] == pytest.approx([1 / 3] * 3, abs=0.04)


def test_a_rerun_chooses_the_same_models_and_another_seed_does_not():
    again = [served(shared([1, 1, 1], seed=seed)[1]) for seed in (0, 0, 1)]
    assert again[0] == again[1] != again[2]


def test_repeats_of_one_question_are_spread():
    _, model, _ = shared([1, 1, 1])
    texts = [model("hi", repeat=n).text for n in range(300)]
    assert all(texts.count(name) > 60 for name in "abc")


def test_a_weight_of_0_only_stands_in():
    models, model, _ = shared([1, 0], scripts=(("a",), ("b",)))
    assert set(served(model)) == {"a"}
    models[0].script = [overloaded()]
    assert model("hi").text == "b"


def test_the_heaviest_of_the_others_stands_in():
    _, model, _ = shared([0, 1, 3], scripts=((overloaded(),), ("b",), ("c",)))
    assert set(served(model)) == {"b", "c"}
    models, model, _ = shared([8, 1, 3], scripts=((overloaded(),), ("b",), ("c",)))
    prompt = next(f"question {n}" for n in range(99) if model._choice(model.request(f"question {n}")) == 0)
    response = model(prompt)
    assert (response.text, len(models[0].asked), len(models[1].asked)) == ("c", 1, 0)


def test_what_one_question_found_resting_is_not_asked_by_the_next():
    models, model, clock = shared([1, 1], scripts=((limited(30),), ("b",)))
    assert set(served(model)) == {"b"}
    assert len(models[0].asked) == 1
    assert clock.slept == []


def test_a_conversation_is_dealt_once():
    for n in range(40):
        _, model, _ = shared([1, 1, 1])
        _, elsewhere, _ = shared([1, 1, 1])
        turns = [user(f"question {n}")]
        first = model(turns).text
        later = [*turns, said(first), user("and then?")]
        assert model(later).text == elsewhere(later).text == first


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1], "1 numbers for 2 models"),
        ([1, 2, 3], "3 numbers for 2 models"),
        ([0, 0], "one of them above 0"),
        ([1, -1], "at least 0"),
        ([nan, 1], "at least 0"),
        ([inf, 1], "at least 0"),
        (["1", 1], "at least 0"),
        ([1e308, 1e308], "at least 0"),
    ],
)
def test_weights_that_share_nothing_out_are_refused(weights, words):
    with pytest.raises(UsageError, match=words):
        balance(Scripted(name="a"), Scripted(name="b"), weights=weights)


# Names, estimates, mistakes


def test_names_and_labels_say_what_is_inside():
    a, b = Scripted(name="a"), Scripted(name="b")
    a.label, b.label = "Opus 5.5", "Sonnet 5.5"
    assert (fallback(a, b).name, fallback(a, b).label) == ("fallback(a, b)", "Opus 5.5, else Sonnet 5.5")
    model = balance(a, b, weights=[7, 3])
    assert (model.name, model.label) == ("balance(70% a, 30% b)", "70% Opus 5.5, 30% Sonnet 5.5")
    assert fallback(a, b, label="safe").label == balance(a, b, label="safe").label == "safe"
    assert isinstance(fallback(a, b), Fallback)
    assert isinstance(model, Balance)


def test_its_repr_shows_the_state_of_each():
    _, _, model, _ = pair([limited(30)], ["b"])
    assert repr(model) == "<Fallback fallback(a, b): a ready; b ready>"
    model("hi")
    assert repr(model).startswith("<Fallback fallback(a, b): a resting 30 s (RateLimited: no")


def test_status_is_plain_data():
    _, _, model, clock = pair([limited(30)], [Refused("bad key"), "b"], patience=0)
    with pytest.raises(RateLimited):
        model("hi")
    clock.now = 10
    assert [(row["state"], row["seconds"]) for row in model.status()] == [("resting", 20), ("out", None)]
    assert model.status()[1]["why"] == "Refused: bad key"


class Priced(Scripted):
    """A model with an estimate and a count of its own."""

    def __init__(self, name, expected, worst, tokens):
        super().__init__(name, name=name)
        self.guess = Estimate(tokens, tokens * 2, tokens / 10, expected, worst)

    def estimate(self, request, answer):
        return self.guess

    def count(self, request):
        return len(request.messages) * self.guess.input_tokens


CHEAP = Priced("cheap", Decimal("0.01"), Decimal("0.05"), 100)
DEAR = Priced("dear", Decimal("0.02"), Decimal("0.20"), 200)
FREE = Priced("free", None, None, nan)


def test_a_fallback_is_expected_to_cost_its_first_and_at_worst_its_dearest():
    model = fallback(CHEAP, DEAR)
    assert model.estimate(model.request("hi"), "x") == replace(CHEAP.guess, worst=Decimal("0.20"))
    assert fallback(CHEAP, FREE).estimate(model.request("hi"), "x").worst is None
    assert model.count_tokens("hi") == 100


def test_a_balance_is_expected_to_cost_the_mean():
    model = balance(CHEAP, DEAR, weights=[3, 1])
    expected = Estimate(125, 250, 12.5, Decimal("0.0125"), Decimal("0.20"))
    assert model.estimate(model.request("hi"), "x") == expected
    unknown = balance(CHEAP, FREE).estimate(model.request("hi"), "x")
    assert (unknown.expected, unknown.worst) == (None, None)
    assert isnan(unknown.seconds)
    spare = balance(CHEAP, FREE, weights=[1, 0]).estimate(model.request("hi"), "x")
    assert (spare.expected, spare.seconds, spare.worst) == (Decimal("0.01"), 10, None)


@pytest.mark.parametrize("make", [fallback, balance])
def test_mistakes_are_told_before_anything_is_asked(make):
    a, b = Scripted(name="a"), Scripted(name="b")
    with pytest.raises(UsageError, match=r"1 model.* at least two"):
        make(a)
    with pytest.raises(UsageError, match="at least two"):
        make()
    with pytest.raises(UsageError, match=r"'opus' is a str, not a model; give models one by one"):
        make("opus", "sonnet")
    with pytest.raises(UsageError, match="list, not a model; give models one by one"):
        make([a, b])
    with pytest.raises(UsageError, match="the same model is given twice"):
        make(a, b, a)
    for patience in (-1, nan, inf, "60"):
        with pytest.raises(UsageError, match=r"patience is .* give seconds"):
            make(a, b, patience=patience)


# Over the wire


@pytest.fixture
def dead_endpoint():
    """An endpoint that refuses every key, and the paths it was asked for."""

    class Closed(BaseHTTPRequestHandler):
        def do_POST(self):
            paths.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            body = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'
            self.send_response(401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    paths: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Closed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_comparison_with_a_dead_key_finishes_with_the_right_models_priced(dead_endpoint, monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    sonnet, opus = kit.models("sonnet", "opus")
    url, paths = dead_endpoint
    transport = guard.transport("httpx2")
    http = transport.client()
    client = anthropic.Anthropic(api_key="old", base_url=url, max_retries=0, http_client=http)
    dead = Messages(
        opus.name,
        lambda: client,
        transport=lambda: transport,
        label="Opus, old key",
        defaults=opus.defaults,
    )
    safe = fallback(Retry(dead), opus, label="safe")
    frame = pd.DataFrame({"text": [f"message {n}" for n in range(12)], "label": ["yes", "no"] * 6})
    labels = kit.graders.choice(["yes", "no"])
    task = kit.Task(frame, prompt="Classify: {text}", target="label", grade=labels)
    with client:
        found = kit.compare(task, [sonnet, safe]).frame
    rows = found[found["model"] == "safe"]
    assert len(rows) == 12
    assert set(rows["served"]) == {opus.name}
    assert not rows["cost"].isna().any()
    price = find(opus.name).price_row(session.catalog_day())
    costs = (rows["input_tokens"] * float(price.input) + rows["output_tokens"] * float(price.output)) / 1e6
    assert list(rows["cost"]) == pytest.approx(list(costs))
    assert 1 <= len(paths) <= 8
    assert safe.out[opus.name].startswith("Refused: invalid x-api-key")


# Properties: whatever three models do, nobody resting is asked and no time is lost

EVENTS = st.one_of(
    st.just("ok"),
    st.just("skip"),
    st.just("stop"),
    st.just("busy"),
    st.just("partial"),
    st.tuples(st.just("wait"), st.sampled_from([None, 0.25, 3.0, 30.0, 3600.0])),
)


ROUNDED = 1e-9  # seconds; sums of tenths in another order differ by less


class Watched(Model):
    """Plays a script, takes time, and checks by its own book that it may be asked now."""

    def __init__(self, name, script, seconds, clock):
        self.name = self.label = name
        self.script, self.seconds, self.clock = list(script), seconds, clock
        self.asks, self.failures, self.until, self.out = 0, 0, 0.0, False

    def run(self, request):
        assert not self.out, f"{self.name} is out, but was asked"
        assert self.clock.now >= self.until - ROUNDED, f"{self.name} rests until {self.until}"
        self.asks += 1
        event = self.script.pop(0) if self.script else "ok"
        self.clock.now += self.seconds
        yield from self.answer(event)
        return Response("fine", self.name)

    def answer(self, event):
        if event == "ok":
            self.failures = 0
            yield "fine"
        elif event == "skip":
            self.out = True
            raise Refused("skip")
        elif event == "stop":
            raise Rejected("stop")
        elif event == "partial":
            yield "half"
            raise Partial("cut", partial="half")
        elif event == "busy":
            self.rest(None)
            raise Busy("busy")
        else:
            self.rest(event[1])
            raise RateLimited("wait", retry_after=event[1])

    def rest(self, told):
        if told is None:
            told = min(60, 5 * 2**self.failures)
            self.failures += 1
        self.until = self.clock.now + max(told, SHORTEST_REST)


class Vigil(Clock):
    """A clock that nobody may sleep by while a model is ready, beyond patience, or past the deadline."""

    def __init__(self, models, patience):
        super().__init__()
        self.models, self.patience, self.deadline = models, patience, inf

    def sleep(self, seconds):
        assert seconds > 0
        assert all(model.out or model.until > self.now - ROUNDED for model in self.models)
        super().sleep(seconds)
        assert sum(self.slept) <= self.patience
        assert self.now < self.deadline


@settings(max_examples=300, deadline=None)
@given(
    scripts=st.tuples(*[st.lists(EVENTS, max_size=6)] * 3),
    seconds=st.sampled_from([0.0, 0.1, 7.0]),
    patience=st.sampled_from([0.0, 10.0, 60.0]),
    timeouts=st.lists(st.sampled_from([None, 1.0, 6.0, 40.0]), min_size=1, max_size=6),
    weights=st.sampled_from([None, (1, 1, 1), (0, 2, 1)]),
)
def test_nobody_resting_is_asked_and_no_sleep_is_too_long(scripts, seconds, patience, timeouts, weights):
    models: list[Watched] = []
    clock = Vigil(models, patience)
    models += [Watched(name, script, seconds, clock) for name, script in zip("abc", scripts, strict=True)]
    options = {"patience": patience, "clock": clock, "sleep": clock.sleep}
    model = balance(*models, weights=weights, **options) if weights else fallback(*models, **options)
    for n, timeout in enumerate(timeouts):
        clock.slept.clear()
        clock.deadline = inf if timeout is None else clock.now + timeout
        play(model, models, f"question {n}", None if timeout is None else clock.deadline)
        clock.now += 2.0


def play(model, models, prompt, deadline):
    """One call: what it tells is what was asked, and that is not much."""
    before = sum(each.asks for each in models)
    try:
        response = ask(model, prompt, deadline=deadline)
    except CallError as error:
        failed = sum(each.asks for each in models) - before
        told, roles, steps = error.attempts, ["failed"] * failed, error.steps
    else:
        failed = sum(each.asks for each in models) - before - 1
        told, steps = response.attempts, response.steps
        roles = ["failed"] * failed + ["answer"] * bool(failed)
    assert len(told) == failed
    assert [step.role for step in steps] == roles
    assert failed <= sum(3 + model.patience / 0.5 for _ in models)
