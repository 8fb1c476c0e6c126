import json
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

import llmkit as kit
from llmkit import endpoints, session
from llmkit.catalog import Dressed, overview
from llmkit.errors import BudgetExceeded, Refused, RetiredModel, UnknownModel, UsageError
from llmkit.meter import Metered
from llmkit.models import find
from llmkit.providers.messages import Messages
from llmkit.recordings import Recorded
from llmkit.retry import Retry
from llmkit.session import current
from tests.test_parts import png


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline", store=tmp_path / "s.sqlite")


def test_a_line_means_its_newest_active_model():
    sonnet, opus = kit.models("sonnet", "opus")
    for model, line in ((sonnet, "sonnet"), (opus, "opus")):
        facts = find(model.name)
        assert (facts.line, facts.status(session.catalog_day())) == (line, "active")
        assert model.label == facts.label


def test_the_layers_stand_in_their_order():
    model = kit.model("opus")
    layers = []
    while True:
        layers.append(type(model))
        if not hasattr(model, "model"):
            break
        model = model.model
    assert layers == [Dressed, Recorded, Metered, Retry, Messages]


def test_defaults_are_resolved_by_model_and_can_be_set():
    opus, careful = kit.model("opus"), kit.model("opus", effort="max", max_tokens=99)
    assert opus.defaults.effort == find(opus.name).effort_default
    assert (careful.defaults.effort, careful.defaults.max_tokens) == ("max", 99)
    assert careful.label == f"{opus.label} (effort=max, max_tokens=99)"
    assert kit.model("opus", effort="low", label="quick").label == "quick"


def test_an_answer_is_simulated_priced_recorded_and_replayed():
    opus = kit.model("opus")
    first = opus("Name the four Galilean moons.")
    again = opus("Name the four Galilean moons.")
    assert (first.origin, first.simulated) == ("simulated", True)
    assert (again.origin, again.simulated, again.text) == ("replay", True, first.text)
    row = find(first.model).price_row(current().today())
    expected = (first.usage.input * row.input + first.usage.output * row.output) / 1_000_000
    assert first.cost.total == again.cost.total == expected
    assert current().ledger.spend().certain == expected
    assert current().ledger.spend().attempts == 1


def test_a_stream_through_all_layers_is_the_same_answer():
    sonnet = kit.model("sonnet")
    stream = sonnet.stream("Tell a short story.")
    pieces = list(stream)
    assert len(pieces) > 5
    assert "".join(pieces) == stream.response.text
    assert stream.response.first_token <= stream.response.latency
    assert current().ledger.frame()["state"].tolist() == ["settled"]


def test_the_worst_case_is_never_below_the_price():
    for name in ("haiku", "sonnet", "opus", "fable"):
        for prompt in ("x", "Ünïcödé 漢字 " * 200):
            kit.model(name, max_tokens=60)(prompt)
    frame = current().ledger.frame()
    assert (frame["charged"] <= frame["worst"]).all()
    assert set(frame["state"]) == {"settled"}


def test_a_session_ceiling_too_low_for_one_call_sends_nothing():
    kit.connect("offline", budget="0.000001")
    with pytest.raises(BudgetExceeded, match="not sent"):
        kit.model("opus")("hi")
    assert (
        current().simulator.counts.requests == 0 if hasattr(current().simulator.counts, "requests") else True
    )


@pytest.mark.parametrize(
    ("name", "near"), [("opsu", "opus"), ("claude-opus-5-6", "claude-opus-5-5"), ("gpt-5", "gpt-5")]
)
def test_an_unknown_model_offers_the_nearest_names(name, near):
    with pytest.raises(UnknownModel, match=near):
        kit.model(name)


def test_a_retired_model_can_be_simulated():
    assert kit.model("claude-opus-4-20250514")("hi").simulated


def test_a_retired_model_live_names_its_date_and_successor(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    kit.connect("live", store=tmp_path / "live.sqlite")
    with pytest.raises(RetiredModel, match=r"retired on 2026-06-15.*claude-opus-5-5.*'opus'"):
        kit.model("claude-opus-4-20250514")
    assert kit.model("opus").name.startswith("claude-opus")


def test_the_api_s_own_rejection_is_explained():
    with pytest.raises(kit.CallError, match=r"made_up: Extra inputs"):
        kit.model("opus")("hi", extra={"made_up": 1})


def test_a_model_gone_at_the_provider_is_refused():
    simulator = current().simulator
    clients, where = current().clients, endpoints.built_in("anthropic")
    assert simulator is not None
    model = Messages(
        "claude-none",
        lambda: clients.messages(where),
        transport=lambda: clients.transport(where),
        label="none",
        defaults=kit.model("opus").defaults,
    )
    with pytest.raises(Refused, match="model: claude-none"):
        model("hi")


def test_no_name_is_said():
    with pytest.raises(UsageError, match="at least one"):
        kit.models()


def test_the_overview_has_every_model_with_todays_prices():
    rows = {row["model"]: row for row in overview()}
    opus = kit.model("opus").name
    assert rows[opus]["lifecycle"] == "active"
    assert isinstance(rows[opus]["input $/M"], Decimal)
    assert rows["claude-opus-4-20250514"]["lifecycle"] == "retired"


def test_what_was_recorded_replays_without_simulator_or_key():
    path = current().store.path
    text = kit.model("opus")("hello").text
    kit.connect("replay", store=path)
    opus = kit.model("opus")
    assert opus("hello").text == text
    with pytest.raises(kit.NotRecorded):
        opus("something else")


@pytest.fixture
def vendor(tmp_path, monkeypatch):
    """A chat-completions endpoint on this machine; ``usage`` is what its next answers state."""

    class Vendor(BaseHTTPRequestHandler):
        usage: ClassVar = {}
        asked: ClassVar = []

        def do_POST(self):
            self.asked.append(self.rfile.read(int(self.headers["content-length"])))
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": "Yes."},
                "finish_reason": "stop",
            }
            answer = {"id": "1", "model": "gpt-5-2025-08-07", "choices": [choice], "usage": self.usage}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr(endpoints, "_added", {})
    endpoints.endpoint("local", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1", key="")
    kit.connect("live", store=tmp_path / "chat.sqlite", budget="0.01")
    yield Vendor
    kit.connect("offline")
    server.shutdown()
    server.server_close()
    thread.join(5)


CHAT_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
}


def test_a_model_only_the_user_prices_is_priced_and_held_to_ceilings(vendor):
    vendor.usage = CHAT_USAGE
    model = kit.model("local/gpt-5", max_tokens=100)
    with pytest.raises(BudgetExceeded, match="no price is known"):
        model("hi")
    rates = {"input": 2, "output": 8, "cache_read": 0.5, "cache_write_5m": 2.5}
    row = kit.price("local/gpt-5", **rates)
    answer = model("x" * 1000)
    assert answer.cost.total == Decimal("0.00155")  # 300 x 2 + 100 x 2.5 + 600 x 0.5 + 50 x 8 millionths
    assert {item.row for item in answer.cost.items} == {row.id} == {"own/local/gpt-5/standard"}
    booked = current().ledger.frame().iloc[-1]
    assert booked["charged"] <= booked["worst"]
    estimate = model.estimate(model.request("x" * 1000), "Yes.")
    assert 0 < estimate.expected < estimate.worst
    with pytest.raises(BudgetExceeded):
        model("x" * 10_000)
    assert len(vendor.asked) == 1


def test_pictures_are_sent_under_a_ceiling_only_with_a_stated_bound(vendor):
    vendor.usage = {"prompt_tokens": 90, "completion_tokens": 5}
    model = kit.model("local/gpt-5", max_tokens=50)
    kit.price("local/gpt-5", input=1, output=1)
    with pytest.raises(BudgetExceeded):
        model([kit.image(png(28, 28)), "what is it?"])
    kit.price("local/gpt-5", input=1, output=1, image_tokens=2000)
    assert model([kit.image(png(28, 28)), "what is it?"]).cost.total == Decimal("0.000095")
    assert len(vendor.asked) == 1


def test_what_the_endpoint_reports_is_booked_and_the_own_price_stands_beside_it(vendor):
    vendor.usage = {"prompt_tokens": 100, "completion_tokens": 10, "cost": 0.0002}
    kit.price("local/gpt-5", input=1, output=1)
    cost = kit.model("local/gpt-5", max_tokens=50)("hi").cost
    assert cost.total == Decimal("0.0002")
    assert (
        cost.note
        == "as local reports it: $0.00009 more than the $0.00011 by the price row own/local/gpt-5/standard"
    )


def test_an_own_price_of_a_claude_model_is_what_its_answers_cost():
    kit.price(kit.model("opus").name, input=8, output=40)
    answer = kit.model("opus")("two")
    assert {item.row for item in answer.cost.items} == {f"own/{answer.model}/standard"}
    assert answer.cost.total == Decimal(answer.usage.input * 8 + answer.usage.output * 40) / 1_000_000
