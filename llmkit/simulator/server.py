"""HTTP on the loopback: one daemon thread with a loop of its own serves every connection."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from email.utils import formatdate
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import h11

from . import messages, rules
from .answers import Book
from .rules import Refusal

_MOST = 32_000_000  # bytes of a request; more is a 413
Headers = list[tuple[str, str]]


class Simulator:
    """Serves made-up answers at ``url`` from ``start`` to ``stop``; also a context manager.

    Args:
        facts: the catalog; the package's own by default.
        today: the day by which models are active, deprecated or retired; the catalog's own by default.
        pace: 0 answers at once; 1 as slowly as the virtual time says.
        port: 0 takes any free one.
        serve_retired: answer for retired models too, so that history can be rehearsed; else 404.
    """

    def __init__(
        self,
        *,
        facts: Mapping[str, Any] | None = None,
        today: date | None = None,
        pace: float = 0.0,
        port: int = 0,
        serve_retired: bool = True,
    ) -> None:
        known = facts or json.loads(resources.files("llmkit").joinpath("models.json").read_text("utf-8"))
        self.today = today or date.fromisoformat(known["as_of"])
        self.pace, self.serve_retired = pace, serve_retired
        self.models = {model["id"]: model for model in known["models"]}
        self._names = dict(self.models)
        for model in known["models"]:
            self._names |= dict.fromkeys(model["aliases"], model)
        self.book = Book()
        self.counts: Counter[str] = Counter()
        self.url = ""
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Simulator:
        """Listen, and return once connections are taken."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(ready,), daemon=True, name="llmkit-simulator"
        )
        self._thread.start()
        ready.wait(10)
        if not self.url:
            raise OSError(f"the simulator cannot listen on port {self._port}")
        return self

    def stop(self) -> None:
        """Close every connection and free the port. May be called twice."""
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def learn(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add to the answer book; see ``answers.Book.learn``."""
        self.book.learn(entries)

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def find(self, name: str) -> dict[str, Any]:
        """The facts of a model by id or alias. Raises ``Refusal`` 404 as the API does."""
        facts = self._names.get(name)
        if facts is None or (not self.serve_retired and self.status(facts) == "retired"):
            raise Refusal(404, "not_found_error", f"model: {name}")
        return dict(facts)

    def status(self, facts: Mapping[str, Any]) -> str:
        """active, deprecated or retired on ``today``."""
        for stage in ("retires", "deprecated"):
            if facts[stage] and date.fromisoformat(facts[stage]) <= self.today:
                return {"retires": "retired", "deprecated": "deprecated"}[stage]
        return "active"

    def _serve(self, ready: threading.Event) -> None:
        self._loop = loop = asyncio.new_event_loop()
        connections: set[_Connection] = set()
        try:
            starting = loop.create_server(
                lambda: _Connection(self, connections), "127.0.0.1", self._port, backlog=1024
            )
            server = loop.run_until_complete(starting)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()
            loop.run_forever()
            server.close()
            for connection in list(connections):
                connection.drop()
            loop.run_until_complete(asyncio.sleep(0.01))  # time for each to say that it is gone
        except OSError:
            ready.set()
        finally:
            loop.close()


class _Connection(asyncio.Protocol):
    """One client's connection, kept alive for many requests."""

    def __init__(self, simulator: Simulator, connections: set[_Connection]) -> None:
        self._simulator, self._connections = simulator, connections
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def drop(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._read()
        except h11.RemoteProtocolError:
            self._transport.close()

    def _read(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.Request):
                self._request, self._body, self._size = event, [], 0
            elif isinstance(event, h11.Data):
                self._size += len(event.data)
                if self._size <= _MOST:
                    self._body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._answer()
            else:
                self._transport.close()
                return

    def _answer(self) -> None:
        assert self._request is not None
        headers = {name.decode(): value.decode("latin-1") for name, value in self._request.headers}
        target = self._request.target.decode("latin-1")
        try:
            if self._size > _MOST:
                raise Refusal(413, "request_too_large", "Request exceeds the maximum size")
            self._route(self._request.method.decode(), target, headers, b"".join(self._body))
        except Refusal as refusal:
            self._refuse(refusal)
        except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
            # A shape the rules did not foresee; the API would say 400 too, and never hang up.
            self._refuse(rules.invalid(f"invalid request: {type(error).__name__}"))

    def _route(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self._simulator.counts[path] += 1
        rules.check_headers(headers)
        if path == "/v1/models" or rules.is_model_path(path):
            _expect(method, "GET")
            self._json(_models(self._simulator, path, query))
        elif path in ("/v1/messages", "/v1/messages/count_tokens"):
            _expect(method, "POST")
            self._messages(path.endswith("count_tokens"), headers, _parsed(body))
        else:
            raise Refusal(404, "not_found_error", f"Not found: {path}")

    def _messages(self, counting: bool, headers: dict[str, str], body: Any) -> None:
        checked = rules.check_body(body, counting=counting)
        facts = self._simulator.find(str(checked["model"]))
        rules.check_rules(checked, facts, headers["anthropic-version"])
        prompt = messages.prompt_tokens(checked, facts)
        rules.too_long(prompt, facts)
        if counting:
            self._json({"input_tokens": prompt})
            return
        repeat = headers.get("x-llmkit-repeat", "0")
        reply = messages.reply(checked, facts, self._simulator.book, int(repeat) if repeat.isdigit() else 0)
        self._simulator.counts["answers"] += 1
        self._simulator.counts["output_tokens"] += reply.message["usage"]["output_tokens"]
        times = [
            ("x-llmkit-latency-ms", str(reply.latency_ms)),
            ("x-llmkit-first-token-ms", str(reply.first_ms)),
        ]
        if checked.get("stream"):
            self._stream(reply, times)
        else:
            self._after(reply.latency_ms, lambda: self._json(reply.message, times))

    def _stream(self, reply: messages.Reply, times: Headers) -> None:
        parts = [
            f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
            for event in messages.events(reply.message)
        ]
        extra = [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("transfer-encoding", "chunked"),
            *times,
        ]
        head = self._http.send(h11.Response(status_code=200, headers=_headers(extra)))
        if not self._simulator.pace:
            self._transport.write((head or b"") + (self._http.send(h11.Data(b"".join(parts))) or b""))
            self._end()
            return
        self._transport.write(head or b"")
        step = (reply.latency_ms - reply.first_ms) / max(1, len(parts))
        for number, part in enumerate(parts):
            self._after(reply.first_ms + step * number, lambda part=part: self._piece(part))
        self._after(reply.latency_ms + step, self._end)

    def _piece(self, part: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._http.send(h11.Data(part)) or b"")

    def _after(self, milliseconds: float, action: Any) -> None:
        if not self._simulator.pace:
            action()
            return
        loop = self._simulator._loop
        assert loop is not None
        loop.call_later(milliseconds * self._simulator.pace / 1000, action)

    def _json(self, value: Any, extra: Headers | None = None, status: int = 200) -> None:
        if self._transport.is_closing():
            return
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        sizes = [("content-type", "application/json"), ("content-length", str(len(body)))]
        head = self._http.send(h11.Response(status_code=status, headers=_headers(sizes + (extra or []))))
        self._transport.write((head or b"") + (self._http.send(h11.Data(body)) or b""))
        self._end()

    def _refuse(self, refusal: Refusal) -> None:
        error = {"type": refusal.kind, "message": refusal.message}
        body = {"type": "error", "error": error, "request_id": messages.new_id("req_01", 22)}
        self._simulator.counts[f"status {refusal.status}"] += 1
        self._json(body, [("x-should-retry", "false")], refusal.status)

    def _end(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(self._http.send(h11.EndOfMessage()) or b"")
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
            return
        self._http.start_next_cycle()
        self._read()


def _models(simulator: Simulator, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
    name = rules.is_model_path(path)
    if name:
        facts = simulator.find(name)
        return messages.model_info(facts, simulator.status(facts))
    wanted = query.get("lifecycle[]") or query.get("lifecycle") or ["active", "deprecated"]
    rows = [
        messages.model_info(facts, simulator.status(facts))
        for facts in sorted(simulator.models.values(), key=lambda m: str(m["released"]), reverse=True)
        if simulator.status(facts) in wanted
    ]
    return messages.page(rows, query)


def _headers(extra: Headers) -> Headers:
    limits = [
        ("requests", 4000, 3999),
        ("input-tokens", 2_000_000, 1_999_000),
        ("output-tokens", 400_000, 399_000),
    ]
    rows: Headers = [("date", formatdate(usegmt=True)), ("request-id", messages.new_id("req_01", 22))]
    rows += [("x-llmkit-simulated", "true"), ("anthropic-organization-id", "simulated")]
    for name, limit, left in limits:
        rows += [
            (f"anthropic-ratelimit-{name}-limit", str(limit)),
            (f"anthropic-ratelimit-{name}-remaining", str(left)),
        ]
    return rows + extra


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise rules.invalid("The request body is not valid JSON") from None


def _expect(method: str, wanted: str) -> None:
    if method != wanted:
        raise Refusal(405, "invalid_request_error", "Method Not Allowed")
