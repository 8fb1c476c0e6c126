import json
import socket
import threading
import time
from contextlib import contextmanager
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.endpoints import Features
from llmkit.errors import Busy, CallError, NotSupported, Partial, RateLimited, Refused, Rejected
from llmkit.model import finish
from llmkit.providers.chat import Chat, list_models
from llmkit.records import Call, Message, Request, Response

KEY = "sk-test-0123456789"
COUNTS = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
ANSWER = {
    "id": "c1",
    "model": "m-2026-01-01",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": COUNTS | {"cost": 0.25},
}
EVENTS = {"content-type": "text/event-stream"}


def delta(content=None, finish=None, **more):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"id": "c1", "model": "m-2026-01-01", "choices": [choice], **more}


def events(*chunks):
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


HALVES = (delta("Hel"), delta("lo"))
WHOLE = events(*HALVES, delta(finish="stop"), {"choices": [], "usage": COUNTS}) + b"data: [DONE]\n\n"


class Body(httpx.SyncByteStream):
    """Pieces of an answer, and then perhaps a failure."""

    def __init__(self, *pieces, failure=None):
        self.pieces, self.failure, self.closed = pieces, failure, False

    def __iter__(self):
        yield from self.pieces
        if self.failure:
            raise self.failure

    def close(self):
        self.closed = True


def answering(body=ANSWER, status=200, headers=None, seen=None):
    """A client whose every request is answered so; what was asked is appended to ``seen``."""
    if isinstance(body, Body):
        stream = body
    else:
        stream = Body(body if isinstance(body, bytes) else json.dumps(body).encode())

    def handle(request):
        if seen is not None:
            seen.append(request)
        return httpx.Response(status, headers=headers, stream=stream)

    return client_of(handle)


def client_of(handle):
    return httpx.Client(
        base_url="https://example.org/v1",
        headers={"authorization": f"Bearer {KEY}"},
        transport=httpx.MockTransport(handle),
    )


def chat(client, **settings):
    return Chat("m", lambda: client, name="x/m", label="M", defaults=Request(), endpoint="x", **settings)


def ask(client, *, stream=False, call=None, simulated=False, **settings):
    request = Request(messages=(Message("user", "hi"),), stream=stream, call=call, **settings)
    return finish(chat(client, simulated=simulated).run(request))


def failure(client, kind=CallError, **settings):
    with pytest.raises(kind) as caught:
        ask(client, **settings)
    error = caught.value
    assert type(error) is kind or kind is CallError
    assert KEY not in str(error)
    assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)
    return error


def test_a_plain_answer_is_asked_for_and_read():
    seen = []
    response = ask(answering(headers={"x-request-id": "r1"}, seen=seen), max_tokens=7)
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", "https://example.org/v1/chat/completions")
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(request.content) == {
        "model": "m",
        "max_tokens": 7,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert (response.text, response.outcome, response.stop_reason) == ("Hello", "ok", "stop")
    assert (response.model, response.response_id, response.request_id) == ("m-2026-01-01", "c1", "r1")
    assert (response.usage.input, response.usage.output) == (9, 2)
    assert (response.reported_cost, response.endpoint) == (Decimal("0.25"), "x")
    assert (response.origin, response.simulated, response.first_token) == ("live", False, None)


def test_a_stream_comes_in_pieces_with_its_first_token_and_its_usage():
    request = Request(messages=(Message("user", "hi"),), stream=True)
    pieces, run = [], chat(answering(WHOLE, headers=EVENTS)).run(request)
    with pytest.raises(StopIteration) as stopped:
        while True:
            pieces.append(next(run))
    response = stopped.value.value
    assert pieces == ["Hel", "lo"]
    assert (response.text, response.usage.output) == ("Hello", 2)
    assert 0 < response.first_token <= response.latency


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/json"])
@pytest.mark.parametrize("body", [json.dumps(ANSWER).encode(), b"  \n" + json.dumps(ANSWER).encode(), WHOLE])
def test_whole_or_streamed_is_told_from_the_answer_and_not_from_the_question(body, kind, stream):
    headers = {"content-type": kind} if kind else {}
    assert ask(answering(body, headers=headers), stream=stream).text == "Hello"


def test_comments_odd_fields_and_a_missing_done_do_not_matter():
    body = b": OPENROUTER PROCESSING\n\n" + events(*HALVES, delta("", "stop", odd={"a": [1]}))
    response = ask(answering(body), stream=True)
    assert (response.text, response.usage) == ("Hello", None)


def test_every_answer_is_heard_with_its_headers_errors_too():
    heard = []
    call = Call(heard=lambda status, headers: heard.append((status, headers["x-left"])))
    ask(answering(headers={"x-left": "5"}), call=call)
    failure(answering({"error": {"message": "no"}}, 429, {"x-left": "0"}), RateLimited, call=call)
    assert heard == [(200, "5"), (429, "0")]


def test_a_deadline_travels_in_its_header_and_bounds_every_wait():
    seen, deadline = [], time.monotonic() + 5
    ask(answering(seen=seen), call=Call(deadline=deadline))
    assert float(seen[0].headers["x-llmkit-deadline"]) == deadline
    assert 0 < seen[0].extensions["timeout"]["read"] <= 5
    ask(answering(seen=seen))
    assert "x-llmkit-deadline" not in seen[1].headers


def test_after_the_deadline_nothing_is_sent():
    seen = []
    error = failure(answering(seen=seen), Busy, call=Call(deadline=time.monotonic() - 1))
    assert (seen, error.maybe_paid) == ([], False)


def test_what_the_endpoint_cannot_do_is_told_without_sending():
    seen = []
    model, request = chat(answering(seen=seen)), Request(messages=(Message("user", "hi"),), speed="fast")
    with pytest.raises(NotSupported, match="x does not know"):
        model.check(request)
    with pytest.raises(NotSupported):
        finish(model.run(request))
    model.check(Request(messages=(Message("user", "hi"),)))
    assert seen == []


def test_features_decide_what_is_sent():
    seen = []
    model = chat(answering(seen=seen), features=Features(max_tokens="max_completion_tokens"))
    finish(model.run(Request(messages=(Message("user", "hi"),))))
    assert "max_completion_tokens" in json.loads(seen[0].content)


def test_the_simulator_is_told_the_repeat_and_its_time_is_believed():
    seen = []
    headers = {"x-llmkit-simulated": "true", "x-llmkit-latency-ms": "1500", "x-llmkit-first-token-ms": "250"}
    client = answering(WHOLE, headers=EVENTS | headers, seen=seen)
    response = ask(client, stream=True, simulated=True, repeat=2)
    assert seen[0].headers["x-llmkit-repeat"] == "2"
    assert (response.latency, response.first_token) == (1.5, 0.25)
    assert (response.origin, response.simulated) == ("simulated", True)
    ask(answering(seen=seen), repeat=2)
    assert "x-llmkit-repeat" not in seen[1].headers


@pytest.mark.parametrize("cut", [b"", b'data: {"choi', events(delta("more"))])
def test_a_stream_that_ends_before_its_end_is_no_answer(cut):
    error = failure(answering(events(*HALVES) + cut, headers=EVENTS), Partial, stream=True)
    assert (error.partial[:5], error.maybe_paid) == ("Hello", True)


@pytest.mark.parametrize("body", [b"", b": ping\n\n", events({"choices": []})])
def test_before_any_text_a_broken_stream_may_be_asked_again(body):
    assert failure(answering(body, headers=EVENTS), Busy, stream=True).maybe_paid


def test_a_break_after_the_end_costs_only_the_usage():
    body = Body(events(*HALVES, delta(finish="stop")), failure=httpx.ReadError("reset"))
    response = ask(answering(body, headers=EVENTS), stream=True)
    assert (response.text, response.usage) == ("Hello", None)
    body = Body(events(*HALVES), failure=httpx.ReadError("reset"))
    assert failure(answering(body, headers=EVENTS), Partial, stream=True).partial == "Hello"


def test_an_error_in_a_stream_is_partial_after_text_and_itself_before():
    error = {"error": {"message": "Overloaded", "code": 529}}
    assert failure(answering(events(*HALVES, error)), Partial, stream=True).partial == "Hello"
    limited = failure(
        answering(events({"error": {"message": "slow", "code": 429}})), RateLimited, stream=True
    )
    assert limited.maybe_paid


def test_an_error_inside_a_plain_success_is_an_error():
    body = {"id": "c1", "choices": None, "error": {"message": "Provider returned error", "code": 502}}
    assert failure(answering(body), Busy).maybe_paid


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "bad", "type": "invalid_request_error"}}, Rejected),
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, Refused),
        (429, {"error": {"message": "slow down"}}, RateLimited),
        (503, b"<html><h1>503</h1></html>", Busy),
        (500, b"\xff\xfe", Busy),
    ],
)
def test_an_error_status_is_classified_and_was_not_charged(status, body, kind):
    error = failure(answering(body, status, {"retry-after": "7"}), kind)
    assert (error.status, error.maybe_paid, error.retry_after) == (status, False, 7.0)


def test_an_error_whose_body_breaks_off_still_counts_by_its_status():
    assert failure(answering(Body(b'{"err', failure=httpx.ReadError("x")), 401), Refused).status == 401


def test_html_says_where_to_look():
    error = failure(
        answering(b" <!DOCTYPE html><title>Log in</title>", headers={"content-type": "text/html"}), Busy
    )
    assert "is base_url right? it usually ends in /v1" in str(error)


def test_a_redirect_is_not_followed():
    seen = []
    client = answering(b"", 307, {"location": "https://elsewhere.example/"}, seen)
    error = failure(client, Refused)
    assert (len(seen), error.maybe_paid) == (1, False)


def test_a_packed_answer_is_not_unpacked():
    error = failure(answering(b"\x1f\x8b", headers={"content-encoding": "gzip"}), Refused)
    assert error.maybe_paid


@pytest.mark.parametrize(
    "usage",
    [
        COUNTS | {"prompt_tokens": -5},
        COUNTS | {"completion_tokens": 10**18},
        COUNTS | {"completion_tokens": 9},
    ],
)
def test_an_answer_whose_counts_cannot_be_is_set_aside_with_its_text(usage):
    assert failure(answering(ANSWER | {"usage": usage}), Partial, max_tokens=8).partial == "Hello"


def test_thinking_beside_the_limit_is_believed():
    usage = COUNTS | {"completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 15}}
    assert ask(answering(ANSWER | {"usage": usage}), max_tokens=8).usage.output == 20


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), False),
        (httpx.ConnectTimeout("timed out"), False),
        (httpx.ReadTimeout("timed out"), True),
        (httpx.RemoteProtocolError("peer closed"), True),
        (httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"), True),
    ],
)
def test_a_connection_that_fails_is_busy_and_charged_unless_it_never_was(error, charged):
    def fail(request):
        raise error

    assert failure(client_of(fail), Busy).maybe_paid is charged


def test_a_stream_left_early_is_closed():
    body = Body(events(*HALVES), WHOLE)
    run = chat(answering(body, headers=EVENTS)).run(Request(messages=(Message("user", "hi"),), stream=True))
    assert next(run) == "Hel"
    run.close()
    assert body.closed


FIELDS = (
    *("id", "model", "choices", "usage", "error", "message", "delta", "index", "finish_reason", "content"),
    *("tool_calls", "function", "reasoning", "prompt_tokens", "completion_tokens", "cost", "code", "type"),
    *("text", "metadata", "raw", "function_call", "x_groq", "refusal", "object"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "stop", "error", "hi"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    JSON
    | st.fixed_dictionaries(
        {"choices": st.lists(st.dictionaries(st.sampled_from(["message", "delta"]), JSON))}
    )
)
def test_whatever_json_comes_is_an_answer_or_one_of_our_errors(value):
    for client, stream in (
        (answering(value), False),
        (answering(events(value, value), headers=EVENTS), True),
    ):
        for status in (200, 400):
            if status == 400:
                client = answering(value, 400)
            try:
                assert isinstance(ask(client, stream=stream), Response)
            except CallError as error:
                assert error.__cause__ is None


@given(st.binary(max_size=60))
def test_whatever_bytes_come_are_one_of_our_errors(content):
    for headers in ({}, EVENTS):
        failure(answering(content, headers=headers))


@contextmanager
def raw_server(*pieces, pause=0.0):
    """A server that reads one request, sends the pieces with a pause after each, and closes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(5)
            # All of it: closing on unread bytes resets the connection, and takes the answer with it.
            asked = b""
            while not asked.endswith(b"}"):
                asked += connection.recv(65536)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield httpx.Client(
            base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1", timeout=2, trust_env=False
        )
    finally:
        listening.close()
        thread.join(5)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def test_over_a_real_socket_a_cut_stream_is_partial_and_a_whole_one_an_answer():
    with raw_server(HEAD + b"connection: close\r\n\r\n", WHOLE[:40], WHOLE[40:]) as client, client:
        assert ask(client, stream=True).text == "Hello"
    with raw_server(HEAD + b"content-length: 9999\r\n\r\n" + events(*HALVES)) as client, client:
        assert failure(client, Partial, stream=True).partial == "Hello"
    with raw_server() as client, client:
        assert failure(client, Busy).maybe_paid


def test_a_drip_ends_at_the_deadline():
    drops = [b": ping\n\n"] * 40
    with raw_server(HEAD + b"connection: close\r\n\r\n", *drops, pause=0.05) as client, client:
        started = time.monotonic()
        failure(client, Busy, stream=True, call=Call(deadline=started + 0.3))
        assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": "a", "pricing": {"prompt": "0.000003"}}, {"id": "b"}]},
        [{"id": "a"}, {"id": "b"}],
        {"models": [{"name": "a"}, {"model": "b"}]},
        {"data": ["a", "b", None, {"odd": 1}]},
    ],
)
def test_models_are_listed_in_every_shape(body):
    seen = []
    models = list_models(answering(body, seen=seen))
    assert [model["id"] for model in models] == ["a", "b"]
    assert (seen[0].method, str(seen[0].url)) == ("GET", "https://example.org/v1/models")


def test_what_a_list_of_models_says_besides_is_kept():
    (model,) = list_models(answering({"data": [{"id": "a", "pricing": {"prompt": "0.000003"}}]}))
    assert model["pricing"] == {"prompt": "0.000003"}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"<html>hello</html>", 200, "usually ends in /v1"),
        (b"<html>nothing here</html>", 404, "usually ends in /v1"),
        ({"hello": "world"}, 200, "no list of models"),
        ({"error": {"message": "bad key", "code": 401}}, 401, "bad key"),
        ({"error": {"message": "bad key", "code": 401}}, 200, "bad key"),
        (b"nonsense", 200, "cannot be read"),
    ],
)
def test_what_is_no_list_of_models_says_so(body, status, says):
    with pytest.raises(CallError, match=says):
        list_models(answering(body, status))
