"""The ledger against the simulator's reports, over the wire, in a live session that believes it is real."""

import copy
import json
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources

import pytest

import llmkit as kit
from llmkit import endpoints, session
from llmkit.booked import Booked, Unknown
from llmkit.differences import compare, explained, settled
from llmkit.errors import Busy, CallError, NotConnected, Refused, UsageError
from llmkit.reports import Place, Reported, read
from llmkit.session import current
from llmkit.simulator import Simulator

ADMIN = "sk-ant-admin01-secret"
LONG = "Read this carefully. " + "The quick brown fox jumps over the lazy dog. " * 250
DAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("LLMKIT_MODE", "ANTHROPIC_ADMIN_KEY", "ANTHROPIC_ADMIN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "_current", None)
    monkeypatch.setattr(endpoints, "_added", {})
    yield
    if session._current is not None:
        session._current.close()


@pytest.fixture
def live(tmp_path):
    """Opens a live session at a simulator made with these settings."""
    running = []

    def open_(**settings):
        sim = Simulator(**settings).start()
        running.append(sim)
        kit.endpoint("sim", protocol="messages", base_url=sim.url, key="k")
        kit.connect("live", store=tmp_path / "s.sqlite")
        return sim

    yield open_
    for sim in running:
        sim.stop()


def reconciled(**settings):
    now = datetime.now(UTC).date()
    chosen = {"admin_key": ADMIN, "endpoint": "sim"} | settings
    return kit.reconcile(now - timedelta(days=1), now, **chosen)


def calls():
    """Of several models, cached at both lives, fast, in the US, streamed, searched and refused."""
    sonnet, opus = kit.model("sim/sonnet"), kit.model("sim/opus")
    for n in range(3):
        sonnet(f"Question {n}", max_tokens=200)
    for cache in ("5m", "5m", "1h"):
        sonnet(f"{LONG} {cache}", cache=cache, repeat=0 if cache == "1h" else 1)
    sonnet(f"{LONG} 5m", cache="5m", repeat=2)
    opus("quick", speed="fast")
    opus("slow")
    opus("at home", inference_geo="us")
    list(opus.stream("Tell a story."))
    sonnet("[simulate: refusal]")


def statuses(found):
    return {line.status for line in found.lines}


def sql(statement, *values):
    current().store.write(lambda connection: connection.execute(statement, values))


def test_a_ledger_of_all_that_was_asked_is_equal_to_the_last_digit(live):
    live()
    calls()
    found = reconciled()
    assert found.equal, repr(found)
    assert found.provider_usd == found.ledger_usd == kit.ledger().spend().certain > 0
    frame = found.frame
    assert {"input", "output", "cache_write_5m", "cache_write_1h", "cache_read"} <= set(frame["kind"])
    assert {"us", "global"} <= set(frame["geo"])
    assert {"fast", "standard", "any"} <= set(frame["speed"])
    assert not found.unknown


def test_the_reports_of_a_simulator_are_marked_so_in_a_live_session_too(live):
    live()
    kit.model("sim/sonnet")("hi")
    found = reconciled()
    assert found.simulated
    assert repr(found).startswith("SIMULATED · sim, ") and "every line is equal" in repr(found)
    assert "SIMULATED" in found._repr_html_()


def test_offline_needs_no_key():
    kit.connect("offline")
    kit.model("sonnet")("hi")
    found = kit.reconcile(datetime.now(UTC).date() - timedelta(days=1))
    assert found.equal and found.simulated


def test_a_lost_row_of_the_ledger_is_named(live):
    live()
    haiku = kit.model("sim/haiku")
    haiku("one")
    kept = haiku("two", repeat=1)
    sql("DELETE FROM attempt WHERE id = 1")
    found = reconciled()
    assert statuses(found) == {"provider has more"}
    output = next(line for line in found.lines if line.kind == "output")
    assert output.ledger == kept.usage.output and output.more == output.provider - kept.usage.output > 0
    assert "nobody recorded" in output.note
    assert "2 that the provider has more of" in found.sentence()
    assert "that the ledger has not" in found._repr_html_()


def test_a_row_of_another_key_s_is_named(live):
    live(report_delay=3_600)
    kit.model("sim/haiku")("one")
    before = (datetime.now(UTC) - timedelta(minutes=20)).isoformat(timespec="milliseconds")
    sql("UPDATE attempt SET started = ?, ended = ?", before, before)
    found = reconciled()
    assert statuses(found) == {"ledger has more"}
    assert all(line.provider == 0 and line.provider_usd == 0 for line in found.lines)


def test_what_is_fresh_is_not_yet_reported(live):
    live(report_delay=300)
    kit.model("sim/haiku")("one")
    assert statuses(reconciled()) == {"not yet reported"}


def test_a_price_that_changed_is_named_with_its_row_and_ratio(live):
    facts = copy.deepcopy(json.loads(resources.files("llmkit").joinpath("models.json").read_text("utf-8")))
    (haiku,) = (model for model in facts["models"] if model["id"] == "claude-haiku-5-5")
    for row in haiku["prices"]:
        row["output"] = str(2 * Decimal(row["output"]))
    live(facts=facts)
    kit.model("sim/claude-haiku-5-5")("one")
    found = reconciled()
    assert [line.kind for line in found.differences] == ["output"]
    (line,) = found.differences
    assert line.status == "wrong price row" and line.more == 0
    assert line.provider_usd == 2 * line.ledger_usd
    assert "2 times the price of claude-haiku-5-5/2026-10-07/standard: $1 a million, not $0.5" in line.note


def test_a_cut_stream_s_tokens_are_explained_by_the_unknown_attempt(live):
    sim = live(faults=["cut:4@2"])
    opus = kit.model("sim/opus")
    opus("whole")
    with pytest.raises(CallError):
        list(opus.stream("Tell a long story."))
    (cut,) = (row for row in sim.bill if row.fault == "cut")
    found = reconciled()
    assert statuses(found) == {"unknown attempts"}
    output = next(line for line in found.lines if line.kind == "output")
    assert output.more == cut.output_tokens > 0
    assert "1 attempt whose charge is unknown" in output.note
    (one,) = found.unknown
    assert one.cost is None and "five minutes" in one.note

    past = (datetime.now(UTC) - timedelta(minutes=6)).isoformat(timespec="milliseconds")
    sql("UPDATE attempt SET started = ?, ended = ?", past, past)
    (one,) = reconciled().unknown
    assert one.cost == found.provider_usd - found.ledger_usd > 0
    assert one.cost <= one.attempt.worst
    assert f"${one.cost:f} was charged" in repr(reconciled())

    current().ledger.resolve(one.attempt.attempt, cost=one.cost)
    sql("UPDATE attempt SET ended = ?", past)
    found = reconciled()
    assert statuses(found) == {"unknown attempts"}
    assert any("whose cost alone is known" in line.note for line in found.differences)
    (again,) = found.unknown
    assert again.attempt.stated and again.cost == one.cost
    assert "and the ledger has it at" in again.note


def test_an_attempt_nobody_charged_for_is_said_to_be_free(live):
    live(faults=["not_http"])
    opus = kit.model("sim/opus", tries=1)
    with pytest.raises(CallError):
        opus("lost")
    opus("whole")
    past = (datetime.now(UTC) - timedelta(minutes=6)).isoformat(timespec="milliseconds")
    sql("UPDATE attempt SET started = ?, ended = ?", past, past)
    found = reconciled()
    assert found.equal
    (one,) = found.unknown
    assert one.cost == 0 and "nothing was charged" in one.note


def test_one_workspace_can_be_compared_alone(live):
    live()
    kit.model("sim/haiku")("one")
    assert reconciled(workspace="default").equal
    assert statuses(reconciled(workspace="wrkspc_other")) == {"not yet reported"}


def test_without_an_admin_key_it_says_where_to_get_one(live, monkeypatch):
    live()
    kit.model("sim/haiku")("one")
    with pytest.raises(NotConnected, match=r"ANTHROPIC_ADMIN_KEY is not set.*console"):
        reconciled(admin_key=None)
    with pytest.raises(NotConnected, match="one for calls") as caught:
        reconciled(admin_key="sk-ant-api03-secret")
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ADMIN)
    assert reconciled(admin_key=None).equal


@pytest.mark.parametrize(
    ("key", "status", "said"),
    [("sk-ant-admin-without-rights", 403, "may not read"), ("not-one-secret", 401, "is no admin key")],
)
def test_a_key_without_rights_is_refused_in_words(live, key, status, said):
    live()
    kit.model("sim/haiku")("one")
    with pytest.raises(Refused, match=said) as caught:
        reconciled(admin_key=key)
    assert caught.value.status == status and key not in str(caught.value)
    assert not caught.value.maybe_paid


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-24", "2026-11-23", "after until"),
        ("2999-01-01", None, "days to come"),
        ("yesterday", None, "give a UTC day"),
        (20261124, None, "give a UTC day"),
        ("2026-01-01", "2026-01-02", r"no attempt at 'sim' from 2026-01-01.*sim: 1 from"),
    ],
)
def test_days_that_cannot_be_compared_are_named(live, since, until, said):
    live()
    kit.model("sim/haiku")("one")
    with pytest.raises(UsageError, match=said):
        kit.reconcile(since, until, admin_key=ADMIN, endpoint="sim")


def test_only_endpoints_with_reports_are_compared(live):
    live()
    with pytest.raises(UsageError, match="no endpoint"):
        reconciled(endpoint="nowhere")
    with pytest.raises(UsageError, match="Messages API"):
        reconciled(endpoint="openai")


def test_replay_asks_nobody(live, tmp_path):
    live()
    kit.model("sim/haiku")("one")
    kit.connect("replay", store=tmp_path / "s.sqlite")
    with pytest.raises(UsageError, match="replay asks nobody"):
        reconciled()


def test_a_busy_provider_is_asked_again_and_a_broken_one_is_not_believed(live):
    sim = live(faults=[{"kind": "529", "path": "/v1/organizations/*", "times": 2, "retry_after": 0}])
    kit.model("sim/haiku")("one")
    assert reconciled().equal
    sim.script([{"kind": "500", "path": "/v1/organizations/*", "times": None, "retry_after": 0}])
    with pytest.raises(Busy):
        reconciled()


def served_by(*pages):
    """An address that answers these JSON bodies in turn, the last one for ever."""
    left = list(pages)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.mark.parametrize(
    "page",
    [
        {"data": [], "has_more": True, "next_page": "page_same"},
        {"data": [], "has_more": True, "next_page": None},
        {"data": 7, "has_more": False, "next_page": None},
        {"results": []},
        {"data": [{"starting_at": "2026-11-24T00:00:00Z", "results": [{"model": 1}]}], "has_more": False},
    ],
)
def test_a_report_of_another_form_is_an_error_and_never_endless(live, page):
    live()
    server = served_by(page)
    try:
        client = current().clients.admin(endpoints.find("sim"))
        client.base_url = f"http://127.0.0.1:{server.server_port}"
        with client, pytest.raises(CallError, match="not of the form known here"):
            read(client, ADMIN, DAY, DAY)
    finally:
        server.shutdown()
        server.server_close()


def sides(provider, ledger, *, unknown=(), usd=Decimal("0.000001")):
    """Lines of one model's output on consecutive days, each token of the same price."""
    theirs, ours = Reported(), Booked()
    for n, (there, here) in enumerate(zip(provider, ledger, strict=True)):
        place = Place(DAY + timedelta(days=n), "claude-opus-5-5", "output", "standard", "global", "standard")
        theirs.counts[place], ours.counts[place] = there, here
        bill = Place(place.day, place.model, "output", "standard", "global", None)
        theirs.dollars[bill], ours.dollars[place] = there * usd, here * usd
    attempts = [
        Unknown(n, datetime(2026, 11, 24, 12, tzinfo=UTC), "claude-opus-5-5", Decimal(worst), fresh=False)
        for n, worst in enumerate(unknown)
    ]
    lines = explained(compare(theirs, ours), attempts)
    return lines, settled(lines, attempts)


def test_a_call_at_midnight_is_a_day_apart():
    lines, _ = sides([100, 250], [150, 200])
    assert [line.status for line in lines] == ["a day apart", "a day apart"]
    assert "2026-11-25" in lines[0].note


def test_several_unknown_attempts_share_what_was_charged():
    lines, settled_ = sides([1_000], [100], unknown=["0.0005", "0.0005"])
    assert lines[0].status == "unknown attempts"
    assert {(one.cost, one.note) for one in settled_} == {(None, "2 such attempts cost $0.000900 together")}


def test_unknown_attempts_that_are_too_small_explain_nothing():
    lines, settled_ = sides([1_000], [100], unknown=["0.0005"])
    assert lines[0].status == "provider has more"
    assert "$0.0005 at worst, cannot be all of the $0.000900" in lines[0].note
    assert settled_[0].cost is None


def test_a_provider_s_own_rounding_is_no_difference():
    theirs, ours = Reported(), Booked()
    place = Place(DAY, "claude-opus-5-5", "output", "standard", "global", "standard")
    theirs.counts[place] = ours.counts[place] = 7
    ours.dollars[place] = Decimal("0.00012345678")
    theirs.quantum = Decimal("0.0000001")
    theirs.dollars[Place(DAY, "claude-opus-5-5", "output", "standard", "global", None)] = Decimal("0.0001235")
    assert [line.status for line in compare(theirs, ours)] == ["equal"]


def test_what_only_the_bill_has_is_named():
    theirs = Reported(dollars={Place(DAY, None, "code_execution", None, None, None): Decimal("0.05")})
    (line,) = compare(theirs, Booked())
    assert (line.status, line.model) == ("provider has more", "any") and "$0.05" in line.note


def test_dollars_without_a_region_are_compared_without_one():
    theirs, ours = Reported(), Booked()
    for geo, rate in (("us", 2), ("global", 1)):
        place = Place(DAY, "claude-opus-5-5", "output", "standard", geo, "standard")
        theirs.counts[place] = ours.counts[place] = 10
        ours.dollars[place] = Decimal(rate)
    theirs.dollars[Place(DAY, "claude-opus-5-5", "output", "standard", None, None)] = Decimal(3)
    lines = compare(theirs, ours)
    assert [(line.geo, line.status) for line in lines] == [
        ("global", "equal"),
        ("us", "equal"),
        ("any", "equal"),
    ]
    assert lines[-1].provider_usd == lines[-1].ledger_usd == 3
