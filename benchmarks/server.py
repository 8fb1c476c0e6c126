"""The server all ways ask: Anthropic's messages and their events, from a process of its own.

    python -m benchmarks.server

Prints its port, answers until its standard input is closed. Answers and pieces wait as the last
``POST /settings`` said; ``GET /counts`` tells connections and requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import questions

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model": ?"([^"]+)"')
_STREAM = re.compile(rb'"stream": ?true')
_HEAD = b"HTTP/1.1 200 OK\r\nrequest-id: req_%d\r\n"
_JSON = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
_EVENTS = b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Manner:
    """How it answers, and what it has seen.

    Attributes:
        delay: seconds before an answer.
        pause: seconds between the first piece of a stream and the others; at 0 all come at once.
    """

    delay: float = 0.0
    pause: float = 0.0
    connections: int = 0
    requests: int = 0


class Answers(asyncio.Protocol):
    """One connection, kept until the other side ends it."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._heard = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        assert isinstance(transport, asyncio.Transport)
        self._line = transport
        self._manner.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer once a request is there to its last byte."""
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self._heard = b""
        if head.startswith(b"POST") and b"/messages" in head.split(b"\r\n", 1)[0]:
            self._later(body)
        else:
            self._about(head, body)

    def _later(self, body: bytes) -> None:
        self._manner.requests += 1
        if self._manner.delay:
            self._loop.call_later(self._manner.delay, self._answer, body, self._manner.requests)
        else:
            self._answer(body, self._manner.requests)

    def _about(self, head: bytes, body: bytes) -> None:
        manner = self._manner
        if head.startswith(b"POST /settings"):
            said = json.loads(body)
            manner.delay, manner.pause = said["delay"], said["pause"]
        counts = {"connections": manner.connections, "requests": manner.requests}
        self._line.write(_whole(0, json.dumps(counts).encode()))

    def _answer(self, body: bytes, number: int) -> None:
        model = _MODEL.search(body)
        name, question = (model[1].decode() if model else ""), questions.number_in(body)
        if not _STREAM.search(body):
            self._line.write(_whole(number, json.dumps(message(number, name, question)).encode()))
            return
        first, *rest = chunks(number, name, question)
        if self._manner.pause:
            self._line.write(_HEAD % number + _EVENTS + _chunk(first))
            self._loop.call_later(self._manner.pause, self._rest, rest)
        else:
            self._line.write(_HEAD % number + _EVENTS + _chunk(b"".join([first, *rest])) + b"0\r\n\r\n")

    def _rest(self, events: list[bytes]) -> None:
        self._line.write(_chunk(b"".join(events)) + b"0\r\n\r\n")


def message(number: int, model: str, question: int) -> dict[str, Any]:
    """A whole answer."""
    # Its process is part of the id: no two servers give two answers one id.
    name = f"msg_{os.getpid():08d}{number:012d}"
    usage = {"input_tokens": 260, "output_tokens": questions.TOKENS, "service_tier": "standard"}
    usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    said = {"id": name, "type": "message", "role": "assistant", "model": model}
    text = {"type": "text", "text": questions.answer(model, question)}
    return said | {"content": [text], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def chunks(number: int, model: str, question: int) -> list[bytes]:
    """Its events; the first chunk holds all up to the first piece."""
    whole = message(number, model, question)
    begun = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    first, *rest = (_piece(piece) for piece in questions.pieces(model, question))
    before = [
        _event({"type": "message_start", "message": begun}),
        _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ]
    ended: dict[str, Any] = {"type": "message_delta", "usage": {"output_tokens": questions.TOKENS}}
    ended["delta"] = {"stop_reason": "end_turn", "stop_sequence": None}
    after = [
        _event({"type": "content_block_stop", "index": 0}),
        _event(ended),
        _event({"type": "message_stop"}),
    ]
    return [b"".join([*before, first]), *rest, *after]


def main() -> None:
    """Serve until standard input is closed."""
    loop = asyncio.new_event_loop()
    manner = Manner()
    server = loop.run_until_complete(
        loop.create_server(partial(Answers, manner), "127.0.0.1", 0, backlog=512)
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)

    def wait() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(loop.stop)

    threading.Thread(target=wait, daemon=True).start()
    loop.run_forever()
    server.close()


def _piece(text: str) -> bytes:
    return _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(number: int, body: bytes) -> bytes:
    return _HEAD % number + _JSON % len(body) + body


if __name__ == "__main__":
    main()
