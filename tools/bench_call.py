"""A call and a stream beside the official SDK's own, in CPU time: python -m tools.bench_call [rounds]

A small server in a process of its own gives each answer at once (some 500 tokens, 118 pieces). llmkit goes
the whole way: checked, looked up, held, sent, priced, booked, recorded; with its store in memory, then on
disk. All ways alternate. Prints the median CPU milliseconds of this process, and each round's median ratio.
"""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MODEL = "claude-sonnet-5-5"
TEXT = "word " * 448
PIECES = 118
WARM_UP = 15


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print one table a store."""
    given = sys.argv[1:] if arguments is None else arguments
    rounds = int(given[0]) if given else 300
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        address = f"http://127.0.0.1:{here.recv()}"
        os.environ |= {"LLMKIT_MODE": "live", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": address}
        with tempfile.TemporaryDirectory(prefix="llmkit-bench-") as folder:
            for name, store in (("memory", ":memory:"), ("disk", str(Path(folder) / "store.sqlite"))):
                report(name, measured(address, store, rounds))
    finally:
        server.terminate()
        server.join()
    return 0


def measured(address: str, store: str, rounds: int) -> dict[str, list[float]]:
    """CPU seconds by way, one a round, the ways in another order each round."""
    import anthropic

    import llmkit as kit

    kit.connect("live", store=store)
    model = kit.model(MODEL)
    with closing(anthropic.Anthropic(api_key="k", base_url=address, max_retries=0)) as sdk:
        number = iter(range(10**9))

        def asked() -> str:
            return f"Say words, number {next(number)}. " + "x " * 100

        def body() -> dict[str, Any]:
            return {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": asked()}]}

        ways: dict[str, Callable[[], object]] = {
            "SDK call": lambda: sdk.messages.create(**body()),
            "llmkit call": lambda: model(asked(), max_tokens=2000),
            "SDK stream": lambda: sum(1 for _ in sdk.messages.create(**body(), stream=True)),
            "llmkit stream": lambda: sum(1 for _ in model.stream(asked(), max_tokens=2000)),
        }
        return interleaved(ways, rounds)


def interleaved(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Every way once a round, in an order of its own."""
    for way in ways.values():
        for _ in range(WARM_UP):
            way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    order, chance = list(ways), random.Random(7)
    for _ in range(rounds):
        chance.shuffle(order)
        for name in order:
            started = time.process_time()
            ways[name]()
            taken[name].append(time.process_time() - started)
    return taken


def report(name: str, taken: dict[str, list[float]]) -> None:
    """One line a way."""
    print(f"store in {name}, {len(taken['SDK call'])} rounds")
    for way, seconds in taken.items():
        beside = taken[f"SDK {way.split()[1]}"]
        ratio = statistics.median(mine / theirs for mine, theirs in zip(seconds, beside, strict=True))
        print(f"  {way:14} {1000 * statistics.median(seconds):6.3f} ms  {ratio:5.2f} x the SDK's")


def serve(line: Connection) -> None:
    """Answer every message at once, each with an id of its own, on connections that are kept."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    line.send(server.server_port)
    server.serve_forever()


class Answers(http.server.BaseHTTPRequestHandler):
    """A message, or its events."""

    protocol_version = "HTTP/1.1"
    number = 0

    def do_POST(self) -> None:
        """Answer."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Answers.number += 1
        message = _message(Answers.number)
        streamed = bool(asked.get("stream"))
        data = _events(message) if streamed else json.dumps(message).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streamed else "application/json")
        self.send_header("request-id", f"req_{Answers.number}")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def _message(number: int) -> dict[str, Any]:
    usage = {"input_tokens": 120, "output_tokens": 500, "service_tier": "standard"}
    usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    about = {
        "id": f"msg_{number:09d}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "usage": usage,
    }
    return about | {
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }


def _events(message: dict[str, Any]) -> bytes:
    begun = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    step = len(TEXT) // PIECES + 1
    pieces = [TEXT[start : start + step] for start in range(0, len(TEXT), step)]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}},
        {"type": "message_stop"},
    ]
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


if __name__ == "__main__":
    sys.exit(main())
