"""Providers that fail in the ways that cost most elsewhere, against the whole stack of a live model."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anthropic  # noqa: F401 - its import takes seconds, which no call's time is to pay for
import pytest

import llmkit as kit
from llmkit import endpoints
from llmkit.errors import Busy, CallError, Partial, Refused
from llmkit.guard import Limits
from llmkit.model import finish
from llmkit.records import Call
from llmkit.session import current

KEY = "key-that-stays-here"
SOON = 0.4
WORDS = [f"word{n} " for n in range(20)]
TEXT = "".join(WORDS)
COUNTED = {"input_tokens": 10, "output_tokens": 20}
CHAT_COUNTED = {"prompt_tokens": 10, "completion_tokens": 20}


def plain(wire, text=TEXT, *, usage=True, number=1):
    """A healthy body."""
    if wire == "messages":
        body = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-opus-5-5"}
        body |= {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
        counted = COUNTED
    else:
        message = {"role": "assistant", "content": text}
        body = {"id": f"chatcmpl-{number}", "model": "claude-opus-5-5", "object": "chat.completion"}
        body |= {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        counted = CHAT_COUNTED
    return json.dumps(body | ({"usage": counted} if usage else {})).encode()


def events(wire, words=WORDS):
    """A healthy stream's (head, pieces, tail), each a list of events."""
    if wire == "messages":
        message = json.loads(plain(wire)) | {"content": [], "stop_reason": None}
        block = {"index": 0, "content_block": {"type": "text", "text": ""}}
        head = [event("message_start", message=message), event("content_block_start", **block)]
        pieces = [
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": w}) for w in words
        ]
        ending = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}}
        tail = [event("content_block_stop", index=0), event("message_delta", **ending)]
        return head, pieces, [*tail, event("message_stop")]
    pieces = [chunk([{"index": 0, "delta": {"content": word}}]) for word in words]
    finish = chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    return [], pieces, [finish, chunk([], usage=CHAT_COUNTED), b"data: [DONE]\n\n"]


def event(kind, **content):
    return b"data: " + json.dumps({"type": kind, **content}).encode() + b"\n\n"


def chunk(choices, **more):
    body = {"id": "chatcmpl-1", "model": "claude-opus-5-5", "choices": choices, **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def whole(body, *headers, status="200 OK"):
    """An HTTP answer that says its length."""
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def streamed(*pieces, ends=True):
    """An HTTP answer in chunks; without ``ends`` it breaks off."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"0\r\n\r\n" if ends else b"")


class Server(socketserver.ThreadingTCPServer):
    """Answers the n-th request with the n-th of ``answers`` (the last one repeats): bytes, or a function."""

    daemon_threads = False

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests, self.numbers = list(answers), [], itertools.count()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """The client went away, as it should."""


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self._head():
            size = re.search(r"content-length: (\d+)", head)
            self.rfile.read(int(size[1]) if size else 0)
            self.server.requests.append(head)
            answers = self.server.answers
            answer = answers[min(next(self.server.numbers), len(answers) - 1)]
            if not callable(answer):
                self.wfile.write(answer)
                if not answer.endswith((b"}", b"0\r\n\r\n")):
                    return
            elif answer(self.wfile.write, self.server.over):
                return

    def _head(self):
        lines = []
        while (line := self.rfile.readline()) not in (b"", b"\r\n"):
            lines.append(line.decode().lower())
        return "".join(lines)


@contextmanager
def serving(*answers):
    with Server(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture(params=["messages", "chat"])
def wire(request):
    return request.param


@pytest.fixture
def live(tmp_path, monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    monkeypatch.setattr(endpoints, "_added", {})
    kit.endpoint("faulty", base_url="http://127.0.0.1:9/v1", key=KEY)
    kit.connect("live", store=tmp_path / "store.sqlite")
    current().clients.limits = Limits(idle=0.2, most_bytes=2_000_000)
    yield
    kit.connect("offline")


def model(server, wire, **options):
    # A name for each server, since a session keeps one client for each endpoint.
    name = f"faulty-{server.server_address[1]}"
    kit.endpoint(name, base_url=server.url, key=KEY, protocol=wire)
    return kit.model(f"{name}/claude-opus-5-5", **{"timeout": 10.0, **options})


def ask(faulty, prompt="hi"):
    """Ask, with no pause before another attempt."""
    call = Call(stopped=lambda seconds: False)
    return finish(faulty.run(faulty.request(prompt).with_call(call)))


def states():
    return kit.ledger().frame()["state"].tolist()


def failing(ask):
    with pytest.raises(CallError) as caught:
        ask()
    assert KEY not in str(vars(caught.value)) + str(caught.value)
    assert caught.value.__context__ is None
    return caught.value


def test_healthy_answers_are_settled(live, wire):
    head, pieces, tail = events(wire)
    with serving(whole(plain(wire, number=2)), streamed(*head, *pieces, *tail)) as server:
        faulty = model(server, wire)
        assert faulty("one").text == TEXT
        assert "".join(faulty.stream("two")) == TEXT
    assert states() == ["settled", "settled"]


@pytest.mark.parametrize("ends", [True, False])
def test_a_stream_cut_after_text_is_partial_and_never_sent_again(live, wire, ends):
    head, pieces, _ = events(wire)
    with serving(streamed(*head, *pieces[:7], ends=ends)) as server:
        error = failing(lambda: "".join(model(server, wire).stream("hi")))
        assert (type(error), error.partial) == (Partial, "".join(WORDS[:7]))
        assert len(server.requests) == 1
    assert states() == ["unknown"]


def test_a_plain_answer_cut_short_is_sent_again_under_a_new_hold(live, wire):
    with serving(whole(plain(wire))[:-9], whole(plain(wire))) as server:
        assert ask(model(server, wire)).text == TEXT
        assert len(server.requests) == 2
    assert states() == ["unknown", "settled"]


@pytest.mark.parametrize("body", [b'{"a": nonsense}', b"null ", b'{"a": 1}', b"", b"<html>log in</html>"])
def test_garbage_is_worth_one_more_try(live, wire, body):
    with serving(whole(body)) as server:
        error = failing(lambda: ask(model(server, wire)))
        assert (type(error), len(server.requests)) == (Busy, 2)
    assert states() == ["unknown", "unknown"]


def test_a_count_that_cannot_be_is_set_aside_and_not_bought_again(live, wire):
    name = "output_tokens" if wire == "messages" else "completion_tokens"
    body = plain(wire).replace(f'"{name}": 20'.encode(), f'"{name}": -5'.encode())
    with serving(whole(body)) as server:
        error = failing(lambda: model(server, wire)("hi"))
        assert "-5" in str(error)
        assert len(server.requests) == 1
    assert states() == ["unknown"]


def test_an_answer_without_usage_is_kept_and_never_booked_as_free(live, wire):
    with serving(whole(plain(wire, usage=False))) as server:
        response = model(server, wire)("hi")
    assert (response.text, response.usage, response.cost.total) == (TEXT, None, None)
    assert states() == ["unknown"]
    assert kit.ledger().spend().unpriced == (wire == "chat")


def test_a_stream_without_its_final_counts_is_not_booked_by_those_of_its_start(live):
    head, pieces, tail = events("messages")
    uncounted = [event("message_delta", delta={"stop_reason": "end_turn"}), event("message_stop")]
    with serving(streamed(*head, *pieces, tail[0], *uncounted)) as server:
        stream = model(server, "messages").stream("hi")
        assert "".join(stream) == TEXT
    assert (stream.response.usage, states()) == (None, ["unknown"])


def test_a_stream_whose_every_piece_comes_twice_is_no_answer(live, wire):
    head, pieces, tail = events(wire)
    doubled = [piece for piece in pieces for _ in range(2)]
    with serving(streamed(*head, *doubled, *tail)) as server:
        error = failing(lambda: "".join(model(server, wire).stream("hi")))
    assert "came twice" in str(error)
    assert states() == ["unknown"]


def test_a_whole_answer_where_a_stream_was_asked_is_taken(live, wire):
    with serving(whole(plain(wire))) as server:
        assert "".join(model(server, wire).stream("hi")) == TEXT
    assert states() == ["settled"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_dripping_answer_ends_at_the_deadline(live, wire, stream):
    def drip(write, over):
        for byte in b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" * 9:
            write(bytes([byte]))
            if over.wait(0.02):
                return True
        return True

    with serving(drip) as server:
        faulty = model(server, wire, timeout=SOON)
        began = time.monotonic()
        failing(lambda: "".join(faulty.stream("hi")) if stream else faulty("hi"))
        assert time.monotonic() - began < SOON + 0.5
        assert len(server.requests) == 1
    assert states() == ["unknown"]


def test_pings_alone_do_not_keep_a_call_alive(live, wire):
    head, pieces, _ = events(wire)
    ping = event("ping") if wire == "messages" else b": waiting\n\n"

    def pinging(write, over):
        write(streamed(*head, *pieces[:3], ends=False))
        while not over.wait(0.05):
            write(b"%x\r\n%s\r\n" % (len(ping), ping))
        return True

    with serving(pinging) as server:
        began = time.monotonic()
        error = failing(lambda: "".join(model(server, wire, timeout=SOON).stream("hi")))
        assert time.monotonic() - began < SOON + 0.5
    assert error.partial == "".join(WORDS[:3])
    assert states() == ["unknown"]


def test_an_answer_without_an_end_is_dropped_at_the_byte_cap_and_not_asked_for_again(live, wire):
    def endless(write, over):
        write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{")
        while not over.is_set():
            write(b" " * 65_536)
        return True

    with serving(endless) as server:
        error = failing(lambda: model(server, wire)("hi"))
        assert "longer than any can be" in str(error)
        assert len(server.requests) == 1
    assert states() == ["unknown"]


def test_a_packed_answer_is_refused_and_may_have_been_paid(live, wire):
    packed = whole(gzip.compress(plain(wire)) + b"}", "content-encoding: gzip")
    with serving(packed) as server:
        assert type(failing(lambda: model(server, wire)("hi"))) is Refused
        assert len(server.requests) == 1
    assert states() == ["unknown"]


def test_the_key_does_not_follow_a_redirect(live, wire):
    with serving(whole(plain(wire))) as other:
        moved = whole(b"{}", f"location: {other.url}/", status="307 Temporary Redirect")
        with serving(moved) as server:
            assert type(failing(lambda: model(server, wire)("hi"))) is Refused
        assert other.requests == []
    assert states() == ["released"]


def test_a_response_sent_twice_never_answers_the_next_question(live, wire):
    answers = [whole(plain(wire, f"answer {n}", number=n)) * 2 for n in range(10)]
    with serving(*answers) as server:
        faulty = model(server, wire)
        said = [faulty(f"question {n}").text for n in range(10)]
    assert said == [f"answer {n}" for n in range(10)]


def test_a_pause_past_the_deadline_fails_now_and_says_how_long(live, wire):
    busy = whole(b'{"error": {"message": "slow down"}}', "retry-after: 86400", status="429 Too Many")
    with serving(busy) as server:
        error = failing(lambda: model(server, wire)("hi"))
        assert "86,400 s" in str(error)
        assert len(server.requests) == 1
    assert states() == ["released"]


def test_many_calls_at_once_of_which_every_third_is_cut_are_all_right_and_all_booked(live, wire):
    cut = whole(plain(wire))[:-9]
    answers = [whole(plain(wire, number=n)) if n % 3 else cut for n in range(60)]
    with serving(*answers) as server:
        faulty = model(server, wire, tries=12)
        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda n: ask(faulty, f"q{n}").text, range(30)))
        assert said == [TEXT] * 30
        assert sorted(set(states())) == ["settled", "unknown"]
        assert len(states()) == len(server.requests)
