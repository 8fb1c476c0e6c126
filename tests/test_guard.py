"""Servers that misbehave on purpose, and clients that end all the same."""

from __future__ import annotations

import contextlib
import gc
import gzip
import importlib
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from llmkit import guard
from llmkit.errors import UsageError
from llmkit.simulator import Simulator
from llmkit.sockets import Calls
from tests.simulated import MODEL, ask

SOON = 0.25
LATE = SOON + 0.5
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b"d\r\ndata: hello\n\n\r\n"


@pytest.fixture(params=["httpx", "httpx2"])
def library(request):
    return request.param


@pytest.fixture
def http(library):
    return importlib.import_module(library)


@pytest.fixture
def make(library):
    made = []

    def client(**options):
        made.append(guard.client(library, **{"deadline": SOON, **options}))
        return made[-1]

    yield client
    for each in made:
        each.close()


class Server:
    """Answers each connection's request with ``answer(connection)``; keeps the heads of the requests."""

    def __init__(self, answer, *, reads=True):
        self.answer, self.reads, self.heads, self.gone = answer, reads, [], threading.Event()
        self.stopped = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.url = f"http://{self.host}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
            self.threads[-1].start()

    def serve(self, connection):
        connection.settimeout(2)
        with connection:
            try:
                if self.reads:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += connection.recv(65_536)
                    self.heads.append(head.decode("latin-1").lower())
                self.answer(connection)
                if self.reads:
                    while connection.recv(65_536):
                        pass
            except OSError:
                pass
            self.gone.set()

    def drip(self, connection, data):
        for byte in data:
            connection.sendall(bytes([byte]))
            if self.stopped.wait(0.02):
                return

    def stop(self):
        self.stopped.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(3)


@contextmanager
def serving(answer, **options):
    server = Server(answer, **options)
    try:
        yield server
    finally:
        server.stop()


def sends(*parts):
    return lambda connection: connection.sendall(b"".join(parts))


def whole(body=b"{}"):
    return b"%scontent-length: %d\r\n\r\n%s" % (OK, len(body), body)


@contextmanager
def ends_by(seconds):
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def test_an_answer_comes_through_and_the_private_header_stays_here(make):
    with serving(sends(whole(b'{"a": 1}'))) as server:
        headers = {guard.HEADER: repr(time.monotonic() + 5), "Accept-Encoding": "gzip, br", "x-api-key": "k"}
        reply = make().post(server.url, json={}, headers=headers)
    assert reply.json() == {"a": 1}
    assert "x-llmkit" not in server.heads[0]
    assert "accept-encoding: identity\r\n" in server.heads[0]
    assert server.heads[0].count("accept-encoding") == 1
    assert "x-api-key: k\r\n" in server.heads[0]


@pytest.mark.parametrize("start", [b"", whole(b" " * 99)[:-99], SSE], ids=["headers", "body", "stream"])
def test_a_dripping_answer_ends_at_the_deadline(make, http, start):
    drops = whole(b" " * 99) if not start else EVENT * 9 if start == SSE else b" " * 99

    def answer(connection):
        connection.sendall(start)
        server.drip(connection, drops)

    with serving(answer) as server, ends_by(LATE), pytest.raises(http.ReadTimeout, match="deadline"):
        make().get(server.url)


def test_the_header_sets_the_deadline_of_one_call(make, http):
    with serving(lambda connection: None) as server, ends_by(LATE), pytest.raises(http.ReadTimeout):
        make(deadline=60).get(server.url, headers={guard.HEADER: repr(time.monotonic() + 0.1)})


def test_a_deadline_that_has_passed_sends_nothing(make, http):
    with serving(sends(whole())) as server:
        with pytest.raises(http.ConnectTimeout, match="deadline"):
            make().get(server.url, headers={guard.HEADER: repr(time.monotonic() - 1)})
        assert len(server.threads) == 1


@pytest.mark.parametrize("text", ["soon", "nan", "inf", ""])
def test_a_deadline_that_is_no_instant_is_refused(make, http, text):
    with pytest.raises(http.LocalProtocolError, match=r"time\.monotonic"):
        make().get("http://127.0.0.1:9", headers={guard.HEADER: text})


def test_a_stream_may_be_silent_for_the_idle_time_and_a_plain_answer_until_the_deadline(make, http):
    limits = guard.Limits(idle=0.1)
    with serving(sends(SSE, EVENT)) as server, ends_by(0.6), pytest.raises(http.ReadTimeout, match=r"0\.1 s"):
        make(limits=limits, deadline=60).get(server.url)
    with serving(sends(OK, b"content-length: 9\r\n\r\n12")) as server:
        started = time.monotonic()
        with pytest.raises(http.ReadTimeout, match="deadline"):
            make(limits=limits).get(server.url)
        assert time.monotonic() - started >= SOON


def test_a_body_without_an_end_of_its_own_is_not_whole_at_the_deadline(make, http):
    with serving(sends(OK, b"\r\n{}")) as server, pytest.raises(http.ReadTimeout):
        make().get(server.url)


def test_an_endless_answer_ends_at_the_byte_cap(make, http):
    def endless(connection):
        connection.sendall(OK + b"\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    limits = guard.Limits(most_bytes=1_000_000)
    with (
        serving(endless) as server,
        pytest.raises(http.ReadError, match="byte cap of 1000000 bytes") as caught,
    ):
        make(limits=limits, deadline=5).get(server.url)
    assert caught.value.reason == "size"


def test_many_tiny_pieces_count_as_what_they_cost(make, http):
    tiny = sends(OK, b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000, b"0\r\n\r\n")
    with serving(tiny) as server, pytest.raises(http.ReadError, match="byte cap"):
        make(limits=guard.Limits(most_bytes=50_000), deadline=5).get(server.url)


def test_a_redirect_is_refused_and_the_key_goes_nowhere(make, http):
    with serving(sends(whole())) as other:
        moved = (
            f"HTTP/1.1 307 Moved\r\nlocation: {other.url}/secret?q=1\r\ncontent-length: 0\r\n\r\n".encode()
        )
        with serving(sends(moved)) as server, pytest.raises(http.TransportError) as caught:
            make().post(server.url, headers={"x-api-key": "k"}, json={}, follow_redirects=True)
        assert len(other.threads) == 1
    assert isinstance(caught.value, guard.ResponseRefused)
    assert caught.value.reason == "redirect"
    assert f"another origin ({other.url}) refused" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_packed_answer_is_refused_unread(make, http):
    bomb = gzip.compress(b"x" * 1_000_000)
    packed = b"%scontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (OK, len(bomb), bomb)
    with serving(sends(packed)) as server, pytest.raises(http.TransportError, match="'gzip'") as caught:
        make().get(server.url)
    assert isinstance(caught.value, guard.ResponseRefused)
    assert caught.value.reason == "encoding"


def test_an_answer_sent_twice_never_answers_the_next_question(make):
    asked = iter(range(20))

    def twice(connection):
        connection.sendall(2 * whole(b"%d" % next(asked)))

    with serving(twice) as server:
        client = make(deadline=5)
        assert [client.get(server.url).json() for _ in range(20)] == list(range(20))


class Keeper:
    """Keeps each connection and answers every request on it with ``answer(number)``; counts connections."""

    def __init__(self, answer):
        self.answer, self.connections, self.asked = answer, 0, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
            self.threads[-1].start()

    def serve(self, connection):
        connection.settimeout(4)
        with connection, contextlib.suppress(OSError):
            while b"\r\n\r\n" in connection.recv(65_536):
                self.asked += 1
                for part in self.answer(self.asked):
                    connection.sendall(part)
                    time.sleep(0.02)

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(5)


@contextmanager
def keeping(answer):
    server = Keeper(answer)
    try:
        yield server
    finally:
        server.stop()


def numbered(number):
    return OK + b"content-length: 2\r\n\r\n%02d" % number


def test_a_quiet_connection_serves_the_next_call_to_the_same_place(make):
    with keeping(lambda number: [numbered(number)]) as server, make(deadline=2.0) as client:
        assert [client.get(server.url).text for _ in range(5)] == ["01", "02", "03", "04", "05"]
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda number: [numbered(number) + numbered(90 + number)],  # in one packet
        lambda number: [numbered(number), b"HTTP/1.1"],  # a beginning, a moment later
    ],
)
def test_a_connection_with_more_to_say_is_not_used_again(make, answer):
    with keeping(answer) as server, make(deadline=2.0) as client:
        heard = []
        for _ in range(3):
            heard.append(client.get(server.url).text)
            time.sleep(0.05)
        assert heard == ["01", "02", "03"]
        assert server.connections == 3


def test_a_connection_whose_answer_was_not_read_to_its_end_is_not_used_again(make):
    with keeping(lambda number: [numbered(number)]) as server, make(deadline=2.0) as client:
        for _ in range(2):
            with client.stream("GET", server.url):
                pass
        assert server.connections == 2


def test_connections_at_rest_are_closed_after_a_moment_and_when_told(make, monkeypatch):
    monkeypatch.setattr("llmkit.sockets._REST", 0.1)
    calls = Calls()
    with keeping(lambda number: [numbered(number)]) as server, make(deadline=2.0, calls=calls) as client:
        client.get(server.url)
        line = next(iter(calls._resting.values()))[0]
        time.sleep(0.3)
        assert line.handle is None
        client.get(server.url)
        calls.drop()
        client.get(server.url)
        assert server.connections == 3


def test_a_stream_nobody_reads_is_shut_at_the_deadline(make, http):
    calls = guard.Calls()
    with serving(sends(SSE, EVENT)) as server:
        client = make(calls=calls)
        with client.stream("GET", server.url) as reply:
            pieces = reply.iter_raw()
            assert next(pieces) == b"data: hello\n\n"
            assert len(calls) == 1
            assert server.gone.wait(1.0)
            with pytest.raises(http.ReadTimeout, match="deadline"):
                next(pieces)
    assert len(calls) == 0


def test_a_stream_left_early_or_lost_is_closed_at_once(make):
    calls = guard.Calls()
    client = make(calls=calls, deadline=60)
    with serving(sends(SSE, EVENT)) as server, client.stream("GET", server.url) as reply:
        next(reply.iter_raw())
        reply.close()
        assert server.gone.wait(1.0)
    with serving(sends(SSE, EVENT)) as server:
        reply = client.send(client.build_request("GET", server.url), stream=True)
        next(reply.iter_raw())
        del reply
        gc.collect()
        assert server.gone.wait(1.0)
    assert len(calls) == 0


def in_thread(client, url, error):
    """A call in another thread, and the error it will have ended with."""
    caught = []

    def call():
        with pytest.raises(error) as seen:
            client.get(url)
        caught.append(seen.value)

    thread = threading.Thread(target=call)
    thread.start()
    return thread, caught


def test_all_calls_can_be_ended_from_outside(make, http):
    calls, reached = guard.Calls(), threading.Semaphore(0)
    with serving(lambda connection: reached.release()) as server:
        client = make(calls=calls, deadline=60)
        threads = [in_thread(client, server.url, http.HTTPError) for _ in range(3)]
        assert all(reached.acquire(timeout=1) for _ in threads)
        with ends_by(0.5):
            assert calls.end() == 3
            for thread, _ in threads:
                thread.join(1)
        assert {type(caught[0]) for _, caught in threads} == {http.ReadError}
        assert "ended from outside" in str(threads[0][1][0])
    with serving(sends(whole())) as server:
        assert client.get(server.url).json() == {}


@pytest.fixture
def deaf_resolver(monkeypatch):
    """A resolver that never answers, as one behind a broken network."""
    asked, release = threading.Event(), threading.Event()

    def getaddrinfo(*_, **__):
        asked.set()
        release.wait(5)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    release.set()


def test_a_look_up_without_answer_ends_at_the_deadline_or_when_told(make, http, deaf_resolver):
    with ends_by(LATE), pytest.raises(http.ConnectTimeout, match="deadline"):
        make().get("http://localhost")
    short = guard.Limits(connect=0.1)
    with (
        ends_by(LATE),
        pytest.raises(http.ConnectTimeout, match=r"localhost:80 was not reached within 0\.1 s"),
    ):
        make(deadline=60, limits=short).get("http://localhost")
    calls = guard.Calls()
    deaf_resolver.clear()
    thread, caught = in_thread(make(deadline=60, calls=calls), "http://localhost", http.ConnectError)
    assert deaf_resolver.wait(1)
    calls.end()
    thread.join(1)
    assert "ended from outside" in str(caught[0])


def test_a_name_that_does_not_exist_is_a_connect_error_with_the_name(make, http, monkeypatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(http.ConnectError, match="the name 'nowhere' was not found"):
        make().get("http://nowhere")


def test_nobody_listening_is_a_connect_error_with_the_address(make, http):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(http.ConnectError, match=f"127.0.0.1:{port} was not reached"):
        make().get(f"http://127.0.0.1:{port}")


def test_connecting_counts_against_the_deadline(make, http):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = []  # fills the queue, so that the next one is never let in
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
        with ends_by(LATE), pytest.raises(http.ConnectTimeout):
            make().get(f"http://127.0.0.1:{listener.getsockname()[1]}")
        for each in waiting:
            each.close()


def test_a_server_that_does_not_read_ends_at_the_deadline(make, http):
    wait = pytest.raises(http.TimeoutException)
    with serving(lambda connection: server.stopped.wait(1), reads=False) as server, ends_by(LATE), wait:
        make().post(server.url, content=b"x" * 16_000_000)


def test_a_handshake_that_never_comes_ends_at_the_deadline(make, http):
    wait = pytest.raises(http.ConnectTimeout, match="deadline")
    with serving(lambda connection: server.stopped.wait(1), reads=False) as server, ends_by(LATE), wait:
        make().get(f"https://{server.host}")


def test_certificates_that_cannot_be_read_are_named(make, http, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(http.ConnectError, match="check SSL_CERT_FILE"):
        make().get("https://127.0.0.1:9")


def test_a_proxy_is_asked_for_strangers_and_never_for_the_loopback(make):
    with serving(sends(whole(b'"proxy"'))) as proxy, serving(sends(whole(b'"here"'))) as server:
        client = make(proxy=f"http://ann:b%40c@{proxy.host}", deadline=5)
        assert client.get(server.url).json() == "here"
        assert client.get(server.url.replace("127.0.0.1", "localhost")).json() == "here"
        assert client.get("http://api.example/v1").json() == "proxy"
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith("get http://api.example/v1 http/1.1\r\n")
    assert "proxy-authorization: basic yw5uomjay" in proxy.heads[0]


def test_a_tunnel_through_a_proxy_has_the_same_deadline(make, http):
    with serving(sends(b"HTTP/1.1 200 OK\r\n\r\n")) as proxy:
        with ends_by(1.5), pytest.raises(http.ConnectTimeout, match="deadline"):
            make(proxy=proxy.url, deadline=1.0).get("https://api.example/v1")
        assert proxy.heads[0].startswith("connect api.example:443 http/1.1\r\n")
    unknown = b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n"
    with serving(sends(unknown)) as proxy, pytest.raises(http.ProxyError, match="407"):
        make(proxy=proxy.url, deadline=5).get("https://api.example/v1")


@pytest.mark.parametrize("proxy", ["localhost:3128", "socks5://h:1", "http://u:geheim@h:port", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(make, proxy):
    with pytest.raises(UsageError, match="http://host:port") as caught:
        make(proxy=proxy)
    assert "geheim" not in f"{caught.value}"


def test_limits_are_above_zero():
    for wrong in ({"idle": 0}, {"connect": float("nan")}, {"most_bytes": -1}, {"idle": float("inf")}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            guard.Limits(**wrong)
    with pytest.raises(UsageError, match="deadline"):
        guard.client("httpx", deadline=0)
    with pytest.raises(UsageError, match="requests"):
        guard.client("requests")


def test_importing_the_guard_opens_no_library():
    check = (
        "import sys, llmkit.guard; assert not {'httpx', 'httpx2', 'httpcore', 'anthropic'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], timeout=20, check=False).returncode == 0


@pytest.fixture(scope="session")
def anthropic():
    import anthropic

    return anthropic


def test_the_sdk_works_through_it_in_all_three_ways(anthropic):
    import httpx2

    calls = guard.Calls()
    http_client = guard.client("httpx2", calls=calls)
    with (
        Simulator() as simulator,
        anthropic.Anthropic(
            api_key="k", base_url=simulator.url, http_client=http_client, max_retries=0
        ) as client,
    ):
        assert client.messages.create(**ask()).model == MODEL
        with client.messages.create(**ask(), stream=True) as events:
            assert [event.type for event in events][-1] == "message_stop"
        reply = client.post(
            "/v1/messages",
            cast_to=httpx2.Response,
            body=ask(stream=True),
            options={"headers": {guard.HEADER: repr(time.monotonic() + 5)}},
            stream=True,
            stream_cls=anthropic.Stream,
        )
        assert b"message_stop" in b"".join(reply.iter_raw())
    assert len(calls) == 0


def test_the_sdk_passes_the_deadline_on_and_its_error_keeps_the_reason(anthropic):
    with serving(lambda connection: None) as server:
        client = anthropic.Anthropic(
            api_key="k", base_url=server.url, http_client=guard.client("httpx2"), max_retries=0
        )
        with ends_by(LATE), pytest.raises(anthropic.APITimeoutError) as caught:
            client.post(
                "/v1/messages",
                cast_to=object,
                body={},
                options={"headers": {guard.HEADER: repr(time.monotonic() + 0.1)}},
            )
        client.close()
    assert "deadline" in str(caught.value.__cause__)
    assert "x-llmkit" not in server.heads[0]
