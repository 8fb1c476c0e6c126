"""Every fault of a fault server through the whole stack, plain and streamed, over both wires, as one table.

python -m tools.fault_table PATH/TO/fault_server.py [--peers] [--deadline 3] [--only NAME]

The server keeps the bill of a true vendor, and the ledger is held against it, attempt by attempt. Exit
status 1 unless all totals are 0: hangs, foreign exceptions, answers silently wrong, attempts booked below
their bill, keys sent along a redirect or shown in an error, answers shifted after a repeated response.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import llmkit as kit
from llmkit.endpoints import Protocol
from llmkit.errors import BudgetExceeded, CallError, LLMKitError
from llmkit.model import finish
from llmkit.records import Call
from llmkit.session import current
from llmkit.sockets import Limits

from .fault_oracle import Oracle, question

KEY = "key-that-stays-here"
MODEL = "claude-opus-5-5"
PROTOCOLS: tuple[Protocol, ...] = ("messages", "chat")
MOST_MEGABYTES = 300.0
IDLE, GRACE = 2.0, 0.5
# These hold up to the byte cap each, so they run one after the other.
HEAVY = ("huge_body", "gzip_bomb", "endless_body", "sse_huge_line", "sse_endless")
MORE = ("429:86400", "429:date", "503:ms")


@dataclass(frozen=True)
class Case:
    """One cell of the table: a fault, repeated at every attempt, met in one way."""

    fault: str
    protocol: Protocol
    stream: bool
    number: int

    @property
    def name(self) -> str:
        """The run's id, and its endpoint's name."""
        fault = self.fault.partition(":")[0] + str(self.number)
        return f"ft-{fault}-{self.protocol}-{'stream' if self.stream else 'plain'}".replace("_", "-")


@dataclass(frozen=True)
class Row:
    """What came of a case.

    Attributes:
        outcome: "answer", or our error's class and verdict, or the foreign exception.
        faults: the totals it counts for: "hang", "foreign", "wrong", "under-booked", "key shown".
        booked: each attempt's state in the ledger; a settled one with its tokens.
        billed: each attempt's tokens in the server's bill.
    """

    case: Case
    outcome: str
    seconds: float
    booked: tuple[str, ...]
    billed: tuple[int, ...]
    faults: tuple[str, ...]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, the further checks and the totals."""
    parser = argparse.ArgumentParser(prog="tools.fault_table")
    parser.add_argument("server", type=Path)
    parser.add_argument("--peers", action="store_true", help="the raw SDKs too, those that are installed")
    parser.add_argument("--deadline", type=float, default=3.0, help="seconds a call of the table may take")
    parser.add_argument("--only", default="", help="part of a fault's name; leaves out the further checks")
    parser.add_argument("--calls", type=int, default=1000, help="in each of the two further checks")
    options = parser.parse_args(arguments)
    os.environ.pop("LLMKIT_MODE", None)
    with tempfile.TemporaryDirectory() as folder, Oracle(options.server) as oracle, _target() as target:
        rows = list(table(oracle, target, folder, options.deadline, options.only))
        print(_shown(rows))
        totals = Counter(fault for row in rows for fault in row.faults)
        totals["keys sent along a redirect"] = target.keys
        if not options.only:
            totals += keep_alive(oracle, folder, options.calls)
            totals += storm(oracle, folder, options.calls)
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        kit.connect("offline")
        print(f"\n{len(rows)} runs, peak memory {megabytes:.0f} MB, totals not 0: {dict(+totals) or 'none'}")
        if options.peers:
            from . import fault_peers

            print(fault_peers.table(oracle, target.server_port, options.deadline, options.only))
    return int(totals.total() > 0 or megabytes > MOST_MEGABYTES)


def table(oracle: Oracle, target: Target, folder: str, deadline: float, only: str) -> Iterator[Row]:
    """Run every case, most of them eight at a time, and yield the rows in the server's order."""
    names = [name for name in (*oracle.faults, *MORE) if only in name]
    cases = [
        Case(fault, protocol, stream, number)
        for number, fault in enumerate(names)
        for protocol in PROTOCOLS
        for stream in (False, True)
    ]
    connect(Path(folder) / "table.sqlite")
    for model in _models(oracle, "ok", "warm", timeout=60.0):
        model(question(0))  # the first call imports the vendor's library, which takes seconds
    run = partial(_run, oracle, target.server_port, deadline)
    with ThreadPoolExecutor(8) as pool:
        done = dict(pool.map(lambda case: (case, run(case)), [c for c in cases if c.fault not in HEAVY]))
    done |= {case: run(case) for case in cases if case.fault in HEAVY}
    frame = kit.ledger().frame(raw=True)
    for case in cases:
        yield _judged(case, *done[case], frame[frame["endpoint"] == case.name], oracle, deadline)


def keep_alive(oracle: Oracle, folder: str, calls: int) -> Counter[str]:
    """Questions to a server that sends every response twice: each must get its own answer."""
    connect(Path(folder) / "twice.sqlite")
    models = _models(oracle, "dup_body", "twice", timeout=30.0)
    began = time.monotonic()
    totals, outcomes = _ask_all(models, oracle, calls, threads=8)
    print(f"\n{calls} calls, every response sent twice: {outcomes}, {time.monotonic() - began:.0f} s")
    return totals


def storm(oracle: Oracle, folder: str, calls: int, *, seed: int = 7) -> Counter[str]:
    """Questions at 64 threads, healthy or struck by a random fault at each attempt."""
    connect(Path(folder) / "storm.sqlite")
    models = _models(oracle, f"storm:{seed}", "storm", timeout=8.0)
    began = time.monotonic()
    totals, outcomes = _ask_all(models, oracle, calls, threads=64)
    frame = kit.ledger().frame(raw=True)
    bills: dict[str, list[dict[str, Any]]] = {}
    for attempt in oracle.bill():
        bills.setdefault(attempt["run"], []).append(attempt)
    for label, rows in frame.groupby("label"):
        totals["under-booked"] += not covers(_rows(rows), bills.get(str(label), []))
    billed = sum(a["billed_in"] + a["billed_out"] for run in bills if run[0] == "q" for a in bills[run])
    states = frame["state"].value_counts().to_dict()
    print(f"{calls} calls in a storm (seed {seed}), 64 threads: {outcomes}, {time.monotonic() - began:.0f} s")
    print(
        f"    {len(frame)} attempts: {states}; {billed} tokens billed; not covered: {totals['under-booked']}"
    )
    return totals


def connect(store: Path) -> None:
    """Live, on a store of its own, with streams allowed to be silent for two seconds."""
    kit.endpoint("ft-any", base_url="http://127.0.0.1:9/v1", key=KEY)
    kit.connect("live", store=store)
    current().clients.limits = Limits(idle=IDLE)


def covers(rows: Sequence[tuple[str, int]], bill: Iterable[dict[str, Any]]) -> bool:
    """Whether each billed attempt has a row, in its order, that is unknown or settled at no fewer tokens."""
    open_rows = [row for row in rows if row[0] != "released"]
    for attempt in bill:
        tokens = attempt["billed_in"] + attempt["billed_out"]
        if not tokens:
            continue
        while open_rows and open_rows[0][0] == "settled" and open_rows[0][1] < tokens:
            open_rows.pop(0)
        if not open_rows:
            return False
        open_rows.pop(0)
    return True


def _run(oracle: Oracle, aim: int, deadline: float, case: Case) -> tuple[str, BaseException | None, float]:
    script = f"redirect:127.0.0.1-{aim}" if case.fault == "redirect" else case.fault
    kit.endpoint(
        case.name, base_url=oracle.url(script, case.name, case.protocol), key=KEY, protocol=case.protocol
    )
    model = kit.model(f"{case.name}/{MODEL}", timeout=deadline)
    text, failure, began = "", None, time.monotonic()
    try:
        if case.stream:
            text = "".join(model.stream(question(case.number)))
        else:
            text = model(question(case.number)).text
    except Exception as error:  # noqa: BLE001 - the table says what it was
        failure = error.with_traceback(None)  # whose frames hold what was read
    return text, failure, time.monotonic() - began


def _judged(
    case: Case,
    text: str,
    failure: BaseException | None,
    seconds: float,
    rows: Any,
    oracle: Oracle,
    deadline: float,
) -> Row:
    bill, booked = oracle.bill(case.name), _rows(rows)
    faults = {
        "hang": seconds > deadline + GRACE,
        "foreign": failure is not None and not isinstance(failure, LLMKitError),
        "silently wrong": failure is None and text != _healthy(case, oracle),
        "under-booked": not covers(booked, bill),
        "key shown": KEY in repr(failure) or KEY in str(vars(failure or Exception())),
    }
    return Row(
        case,
        "answer" if failure is None else _named(failure),
        seconds,
        tuple(f"settled {tokens}" if state == "settled" else state for state, tokens in booked),
        tuple(attempt["billed_in"] + attempt["billed_out"] for attempt in bill),
        tuple(name for name, true in faults.items() if true),
    )


def _healthy(case: Case, oracle: Oracle) -> str:
    text = oracle.answer(case.number)
    # This fault is a healthy answer in bytes that are hard to cut.
    if case.fault == "sse_bytes":
        return text.replace("alpha", "\u00e4\u4e2d\U0001f600")
    return text


def _named(error: BaseException) -> str:
    verdict = f" ({error.verdict})" if isinstance(error, CallError) else ""
    return f"{type(error).__name__}{verdict}"


def _rows(frame: Any) -> list[tuple[str, int]]:
    """(state, tokens of its usage) of each attempt."""
    return [(state, _tokens(usage)) for state, usage in zip(frame["state"], frame["usage"], strict=True)]


def _tokens(usage: Any) -> int:
    if not isinstance(usage, str):
        return 0
    counts = json.loads(usage)
    return sum(
        int(counts.get(name) or 0)
        for name in ("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens")
    )


def _models(oracle: Oracle, script: str, name: str, *, timeout: float) -> list[Any]:
    for protocol in PROTOCOLS:
        url = oracle.url(script, name, protocol)
        kit.endpoint(f"ft-{name}-{protocol}", base_url=url, key=KEY, protocol=protocol)
    return [kit.model(f"ft-{name}-{protocol}/{MODEL}", timeout=timeout) for protocol in PROTOCOLS]


def _ask_all(
    models: Sequence[Any], oracle: Oracle, calls: int, *, threads: int
) -> tuple[Counter[str], dict[str, int]]:
    """Totals, and how often which outcome; every call asks another question."""
    totals: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()

    def ask(number: int) -> None:
        model, shown = models[number % len(models)], random.Random(number).random() < 0.5
        try:
            text, outcome = _asked(model, number, stream=shown), "answer"
        except Exception as error:  # noqa: BLE001 - counted
            text, outcome = None, _named(error)
            foreign = not isinstance(error, CallError | BudgetExceeded)
        else:
            foreign = False
        wrong = text is not None and text not in _right(oracle, number)
        with lock:
            outcomes[outcome] += 1
            totals["foreign"] += foreign
            totals["shifted or wrong"] += wrong

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, range(1, calls + 1)))
    return totals, dict(outcomes.most_common())


def _asked(model: Any, number: int, *, stream: bool) -> str:
    request = model.request(question(number)).with_call(Call(label=f"q{number}"))
    return finish(model.run(replace(request, stream=stream))).text


def _right(oracle: Oracle, number: int) -> tuple[str, str]:
    text = oracle.answer(number)
    return text, text.replace("alpha", "\u00e4\u4e2d\U0001f600")


class Target(ThreadingHTTPServer):
    """Where redirects point; counts requests that bring the key."""

    keys = 0


class _Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Target)
        self.server.keys += KEY in str(self.headers)
        self.send_response(404)
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the base class calls it so

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _target() -> Iterator[Target]:
    server = Target(("127.0.0.1", 0), _Taker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _shown(rows: Sequence[Row]) -> str:
    lines = [f"{'fault':18} {'wire':8} {'way':6} {'outcome':28} {'s':>5}  booked / billed"]
    for row in rows:
        case = row.case
        way = "stream" if case.stream else "plain"
        said = f"{case.fault:18} {case.protocol:8} {way:6} {row.outcome:28} {row.seconds:5.2f}  "
        booked, billed = ", ".join(row.booked), ", ".join(map(str, row.billed))
        lines.append(said + f"{booked} / {billed}" + "".join(f"  <<< {fault}" for fault in row.faults))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
