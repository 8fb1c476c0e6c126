from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import Busy, NotRecorded
from llmkit.recordings import SCHEMA, OnlyRecorded, Recorded, pack, unpack
from llmkit.records import Cost, LineItem, Message, Request, Response, Usage
from llmkit.store import Store
from tests.scripted import Scripted, answer

REQUEST = Request(messages=(Message("user", "hi"),))


@pytest.fixture
def store():
    made = Store(":memory:", schema=SCHEMA)
    yield made
    made.close()


def test_a_question_is_asked_once(store):
    inner = Scripted("first", "second")
    model = Recorded(inner, store, endpoint="anthropic")
    first, again = model("hi"), model("hi")
    assert (first.text, again.text, again.origin, again.cached) == ("first", "first", "replay", True)
    assert len(inner.asked) == 1


def test_a_replay_keeps_its_price_and_all_it_was(store):
    items = (LineItem("input", 10, Decimal("0.000004"), Decimal("0.00004"), "row"),)
    original = answer(
        "so",
        cost=Cost(Decimal("0.00004"), items, "note"),
        outcome="max_tokens",
        simulated=True,
        origin="simulated",
        attempts=("Busy: 529",),
        blocks=({"type": "text", "text": "so"},),
        endpoint="openrouter",
        reported_cost=Decimal("0.0012"),
    )
    model = Recorded(Scripted(original), store, endpoint="anthropic")
    model("hi")
    replayed = model("hi")
    for name in (
        "text",
        "cost",
        "usage",
        "outcome",
        "simulated",
        "attempts",
        "blocks",
        "latency",
        "response_id",
        "endpoint",
        "reported_cost",
    ):
        assert getattr(replayed, name) == getattr(original, name), name
    assert replayed.usage.raw == original.usage.raw
    assert "SIMULATED, replay" in replayed.footer()


def test_repeats_are_different_questions(store):
    model = Recorded(Scripted("a", "b"), store, endpoint="anthropic")
    assert [model("hi", repeat=n).text for n in (0, 1, 0, 1)] == ["a", "b", "a", "b"]


def test_a_simulated_answer_never_stands_in_for_a_real_one(store):
    Recorded(Scripted("made up"), store, endpoint="simulator")("hi")
    assert Recorded(Scripted("real"), store, endpoint="anthropic")("hi").text == "real"


def test_replay_takes_real_answers_first_and_then_simulated_ones(store):
    Recorded(Scripted("made up"), store, endpoint="simulator")("a")
    Recorded(Scripted("made up"), store, endpoint="simulator")("b")
    Recorded(Scripted("real"), store, endpoint="anthropic")("b")
    silent = OnlyRecorded("scripted", "scripted", Request())
    replay = Recorded(silent, store, endpoint="anthropic", also=("simulator",))
    assert [replay("a").text, replay("b").text] == ["made up", "real"]
    with pytest.raises(NotRecorded, match="no answer of scripted"):
        replay("c")


def test_a_failure_is_not_recorded(store):
    model = Recorded(Scripted(Busy("no"), "yes"), store, endpoint="anthropic")
    with pytest.raises(Busy):
        model("hi")
    assert model("hi").origin == "live"


def test_a_stream_left_early_is_not_recorded(store):
    inner = Scripted("one two")
    model = Recorded(inner, store, endpoint="anthropic")
    with model.stream("hi") as stream:
        next(stream)
    assert model("hi").origin == "live"


def test_a_stream_replays_as_its_text(store):
    model = Recorded(Scripted("one two"), store, endpoint="anthropic")
    assert list(model.stream("hi")) == ["one", "two"]
    assert list(model.stream("hi")) == ["one two"]


@given(
    st.text(),
    st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(0, 10**9),
    st.none() | st.floats(0, 1e6),
)
def test_any_response_survives_packing(text, total, output, latency):
    usage = None if output is None else Usage(output=output, parts=(("m", Usage(input=1)),), raw={"x": text})
    response = Response(text, "m", usage=usage, cost=Cost(total), latency=latency, blocks=({"text": text},))
    copy = unpack(pack(response, REQUEST.content_text()))
    assert copy.origin == "replay"
    for name in ("text", "usage", "latency", "blocks"):
        assert getattr(copy, name) == getattr(response, name)
    assert str(copy.cost.total) == str(total)


def test_a_cost_the_provider_reported_is_recorded_exactly():
    told = answer("yes", reported_cost=Decimal("0.0000123"))
    assert unpack(pack(told, Request().content_text())).reported_cost == Decimal("0.0000123")
