"""The short way to post, which the messages go, ends as every call does."""

from __future__ import annotations

import contextlib
import importlib
import time

import pytest

from llmkit import guard
from tests.test_guard import EVENT, OK, SOON, SSE, ends_by, keeping, numbered, sends, serving, whole

KEY = (b"x-api-key", b"k")


@pytest.fixture(params=["httpx", "httpx2"])
def library(request):
    return request.param


@pytest.fixture
def http(library):
    return importlib.import_module(library)


@pytest.fixture
def make(library):
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(guard.transport(library, **{"deadline": SOON, **options}))


def post(transport, url, content=b"{}", *, deadline=None):
    return transport.post(transport.aim(url), [KEY], content, deadline=deadline)


def test_it_is_sent_whole_with_host_length_and_key(make):
    with serving(sends(whole(b'{"a": 1}'))) as server:
        answer = post(make(), f"{server.url}/v1/messages?beta=true", b"12345")
        assert (answer.status, answer.read()) == (200, b'{"a": 1}')
    head = server.heads[0]
    assert head.startswith("post /v1/messages?beta=true http/1.1\r\n")
    assert f"host: {server.host}\r\n" in head
    for line in ("content-length: 5\r\n", "x-api-key: k\r\n", "accept-encoding: identity\r\n"):
        assert head.count(line) == 1


def test_headers_are_read_by_names_in_lower_case_and_repeated_ones_together(make):
    with serving(sends(OK, b"X-Odd: a\r\nx-odd: b\r\ncontent-length: 0\r\n\r\n")) as server:
        assert post(make(), server.url).headers["x-odd"] == "a, b"


def test_its_own_deadline_holds_and_else_the_transports(make, http):
    with serving(lambda connection: None) as server:
        with ends_by(SOON), pytest.raises(http.ReadTimeout, match="deadline"):
            post(make(deadline=60), server.url, deadline=time.monotonic() + 0.1)
        with ends_by(SOON + 0.5), pytest.raises(http.ReadTimeout, match="deadline"):
            post(make(), server.url)


@pytest.mark.parametrize("ahead", [1e12, float("inf")])
def test_a_deadline_no_clock_can_wait_for_is_a_day(make, ahead):
    with serving(sends(whole(b"{}"))) as server:
        assert post(make(), server.url, deadline=time.monotonic() + ahead).read() == b"{}"


def test_a_body_that_drips_ends_at_the_deadline(make, http):
    def answer(connection):
        connection.sendall(SSE)
        server.drip(connection, EVENT * 99)

    with serving(answer) as server, pytest.raises(http.ReadTimeout, match="deadline"):
        post(make(), server.url).read()


@pytest.mark.parametrize(
    "head, reason",
    [
        (b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\n", "redirect"),
        (OK + b"content-encoding: gzip\r\n", "encoding"),
    ],
)
def test_a_redirect_and_a_packed_answer_are_refused(make, http, head, reason):
    refused = sends(head, b"content-length: 0\r\n\r\n")
    with serving(refused) as server, pytest.raises(http.TransportError) as caught:
        post(make(), server.url)
    assert caught.value.reason == reason


def test_an_endless_answer_ends_at_the_byte_cap(make, http):
    endless = sends(OK, b"content-length: 9000000\r\n\r\n", b"x" * 2_000_000)
    with serving(endless) as server, pytest.raises(http.ReadError, match="byte cap") as caught:
        post(make(limits=guard.Limits(most_bytes=100_000), deadline=5), server.url).read()
    assert caught.value.reason == "size"


def test_nobody_listening_is_a_connect_error_that_knows_whom_it_asked(make, http):
    with pytest.raises(http.ConnectError) as caught:
        post(make(), "http://127.0.0.1:9/v1")
    assert str(caught.value.request.url) == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/", "127.0.0.1:80"])
def test_an_address_that_is_not_of_http_is_refused(make, http, address):
    with pytest.raises((http.UnsupportedProtocol, http.InvalidURL)):
        post(make(), address)


def test_one_connection_serves_many(make):
    with keeping(lambda number: [numbered(number)]) as server:
        transport = make(deadline=5)
        assert [post(transport, server.url).read() for _ in range(4)] == [b"01", b"02", b"03", b"04"]
        assert server.connections == 1


def test_a_body_larger_than_many_sends_arrives_whole(make):
    def read(connection):
        got = b""
        while not got.endswith(b"END"):
            got += connection.recv(65_536)
        connection.sendall(whole(b"%d" % len(got)))

    with serving(read) as server:
        said = int(post(make(deadline=5), server.url, b"x" * 2_000_000 + b"END").read())
    assert 1_900_000 < said <= 2_000_003  # the first of it came with the head


def test_a_server_that_answers_before_it_has_read_all_is_heard(make):
    def hasty(connection):
        connection.sendall(whole(b"too long"))

    with serving(hasty) as server:
        answer = post(make(deadline=5), server.url, b"x" * 200_000)
        assert answer.read() == b"too long"
