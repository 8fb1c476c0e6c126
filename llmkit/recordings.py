"""Record an answer once, replay it for ever, at no cost."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from .errors import NotRecorded
from .model import Journal, Model, Prompt, Wrapper, conversation
from .records import Call, Cost, LineItem, Message, Request, Response, Usage
from .scope import here
from .store import Store
from .workers import Turn

SCHEMA = """
CREATE TABLE IF NOT EXISTS recording(
  key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, model TEXT NOT NULL, created TEXT NOT NULL,
  body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decision(
  key TEXT PRIMARY KEY, created TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
"""


_AT_ONCE = 500  # keys in one query
_LOOK = 0.1  # seconds between two looks at the clock while waiting for another thread


class Recorded(Wrapper):
    """Answers from the recordings if the same question was answered before; else asks, and records.

    Args:
        endpoint: part of the key, so that a simulated answer never stands in for a real one.
        also: further endpoints whose recordings will do, in this order.
    """

    def __init__(self, model: Model, store: Store, *, endpoint: str, also: tuple[str, ...] = ()) -> None:
        super().__init__(model)
        self.store, self.endpoint, self.also = store, endpoint, also

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Yield the recording, origin "replay"; or ask, and have the answer on disk before returning it.

        Where another thread is about to record the same answer, this one waits for it: it is paid once.
        """
        content = request.content_text()
        key = request.key(self.endpoint, self.name, content=content)
        done = self.store.turns.done
        recorded = self._any(request, key)
        asks = not (request.call and request.call.recorded) and here().missed is None
        if recorded is None and asks and not request.stream:
            # A stream may be left unread for ever, so nobody waits for one.
            while (other := self.store.turns.take(key)) is not None:
                if not _waited(other, request.call):
                    break
            else:
                try:
                    if self.store.turns.done != done:
                        recorded = self._any(request, key)
                    return (yield from self._replayed_or_asked(request, content, key, recorded))
                finally:
                    self.store.turns.leave(key)
        return (yield from self._replayed_or_asked(request, content, key, recorded))

    def _any(self, request: Request, key: str) -> Response | None:
        recorded = self.find(key)
        for endpoint in self.also if recorded is None else ():
            recorded = recorded or self.find(request.key(endpoint, self.name))
        return recorded

    def _replayed_or_asked(
        self, request: Request, content: str, key: str, recorded: Response | None
    ) -> Generator[str, None, Response]:
        if recorded is not None:
            if recorded.text:
                yield recorded.text
            return recorded
        call = request.call.copy() if request.call else Call()
        missed = here().missed
        if missed is not None and not call.recorded:
            missed(self, request)
        if missed is not None or call.recorded:
            raise NotRecorded(_missing(self.name, request))

        def keep(connection: Any, response: Response) -> None:
            data = pack(response, content, press=not self.store.in_memory)
            _insert(connection, key, self.endpoint, self.name, data)

        call.keep, call.asked = keep, (content, key)
        response = yield from self.model.run(request.with_call(call))
        if not call.kept:
            self.store.write(lambda connection: keep(connection, response))
        return response

    def keys(self, request: Request, prompts: Sequence[Prompt]) -> list[tuple[str, ...]]:
        """The keys of ``request`` with each prompt in turn for its only message; the first is tried first."""
        sources = [_keys(request, prompts, endpoint, self.name) for endpoint in (self.endpoint, *self.also)]
        return list(zip(*sources, strict=True))

    def find(self, key: str) -> Response | None:
        """The recorded answer with origin "replay", or None."""
        rows = self.store.read("SELECT body FROM recording WHERE key = ?", (key,))
        return unpack(rows[0][0]) if rows else None

    @property
    def journal(self) -> Journal:
        """Itself: decisions are kept beside the recordings they are about."""
        return self

    def recall(self, key: str) -> str | None:
        """The decision noted under ``key``, by the endpoint that is asked or one that will do."""
        for endpoint in (self.endpoint, *self.also):
            rows = self.store.read("SELECT body FROM decision WHERE key = ?", (f"{endpoint}:{key}",))
            if rows:
                return str(rows[0][0])
        return None

    def note(self, key: str, decision: str) -> None:
        """Keep a decision; in replay, where none is new, nothing is written."""
        if isinstance(self.model, OnlyRecorded):
            return
        values = (f"{self.endpoint}:{key}", datetime.now(UTC).isoformat(), decision)
        self.store.write(lambda c: c.execute("INSERT OR IGNORE INTO decision VALUES(?, ?, ?)", values))


def write(connection: Any, endpoint: str, model: str, request: Request, response: Response) -> None:
    """Record an answer, in the transaction of ``connection``; one recorded before stays."""
    content = request.content_text()
    key = request.key(endpoint, model, content=content)
    _insert(connection, key, endpoint, model, pack(response, content))


def recorded(store: Store, keys: Iterable[str]) -> set[str]:
    """Those of the keys that have an answer."""
    wanted, found = list(keys), set()
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        found |= {key for (key,) in store.read(f"SELECT key FROM recording WHERE key IN ({marks})", some)}
    return found


class OnlyRecorded(Model):
    """Stands in for a provider in replay: it has no answer of its own and says so."""

    def __init__(self, name: str, label: str, defaults: Request) -> None:
        self.name, self.label, self.defaults = name, label, defaults

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Raise ``NotRecorded``, always."""
        raise NotRecorded(_missing(self.name, request))
        yield ""  # a generator, like every run


def texts(store: Store, keys: Sequence[str]) -> list[str]:
    """The texts of recorded answers, by their keys. Raises ``NotRecorded`` if one is gone."""
    sql = "SELECT key, body FROM recording WHERE key IN (SELECT value FROM json_each(?))"
    found = {key: _body(data)["text"] for key, data in store.read(sql, (json.dumps(list(keys)),))}
    missing = [key for key in keys if key not in found]
    if missing:
        raise NotRecorded(f"{len(missing)} recorded answer(s) are gone from {store.path!r}; compare again")
    return [found[key] for key in keys]


def _keys(request: Request, prompts: Sequence[Prompt], endpoint: str, model: str) -> list[str]:
    # Of a hundred thousand keys, only the prompt is written anew: what is around it is the same for all.
    mark = "the one prompt \0"
    sample = replace(request, messages=(Message("user", mark),)).key_text(endpoint, model)
    head, tail = sample.split(json.dumps(mark), 1)
    start = hashlib.sha256(head.encode("utf-8", "surrogatepass"))
    keys = []
    for prompt in prompts:
        digest = start.copy()
        content = prompt if isinstance(prompt, str) else conversation(prompt)[0].content
        digest.update((_json(content) + tail).encode("utf-8", "surrogatepass"))
        keys.append(digest.hexdigest())
    return keys


def _waited(turn: Turn, call: Call | None) -> bool:
    """Whether the other is done, before the call's time was over or the run around it was left."""
    if turn.thread == threading.get_ident():  # nobody can wait for himself
        return False
    while not turn.wait(_LOOK):
        late = call is not None and call.deadline is not None and time.monotonic() >= call.deadline
        if late or (call is not None and call.stopped is not None and call.stopped(0)):
            return False
    return True


def _missing(name: str, request: Request) -> str:
    return (
        f"no answer of {name} to this request is recorded (repeat {request.repeat}, max_tokens "
        f'{request.max_tokens}, effort {request.effort}). Run it once with kit.connect("live"), or check '
        "that prompt and settings are the recorded ones"
    )


# What a layer further out reads from an answer is read again when it is replayed.
_PACKED = [f.name for f in fields(Response) if f.name not in ("parsed", "invalid", "steps")]
_LONG = 65_536
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _insert(connection: Any, key: str, endpoint: str, model: str, data: bytes) -> None:
    values = (key, endpoint, model, datetime.now(UTC).isoformat(), data)
    connection.execute("INSERT OR IGNORE INTO recording VALUES(?, ?, ?, ?, ?)", values)


def pack(response: Response, content: str, *, press: bool = True) -> bytes:
    """A response, and the ``content_text()`` it answers, as JSON; amounts as decimal strings.

    With ``press`` it is compressed, for a disk; a long one always is.
    """
    body = {name: getattr(response, name) for name in _PACKED}
    if response.text == _said(response.blocks):
        del body["text"]
    body["reported_cost"] = None if response.reported_cost is None else str(response.reported_cost)
    body["cost"] = {
        "total": None if response.cost.total is None else str(response.cost.total),
        "items": [[i.kind, i.quantity, str(i.rate), str(i.amount), i.row] for i in response.cost.items],
        "note": response.cost.note,
    }
    body["usage"] = None if response.usage is None else _usage_out(response.usage)
    text = f'{_json(body)[:-1]},"request":{content}}}'
    data = text.encode("utf-8", "surrogatepass")
    if not press and len(data) < _LONG:
        return data
    # A window of the usual 32 KB takes longer to make than an answer to press.
    pressed = zlib.compressobj(1, zlib.DEFLATED, 14, 7) if len(data) < _LONG else zlib.compressobj(1)
    return pressed.compress(data) + pressed.flush()


def unpack(data: bytes) -> Response:
    """The response of ``pack``, its origin changed to "replay"."""
    body = _body(data)
    del body["request"]
    cost, usage = body.pop("cost"), body.pop("usage")
    items = [LineItem(k, q, Decimal(rate), Decimal(amount), row) for k, q, rate, amount, row in cost["items"]]
    total = None if cost["total"] is None else Decimal(cost["total"])
    reported = body.get("reported_cost")
    body["reported_cost"] = None if reported is None else Decimal(reported)
    body |= {"attempts": tuple(body["attempts"]), "blocks": tuple(body["blocks"]), "origin": "replay"}
    return Response(
        **body,
        cost=Cost(total, tuple(items), cost["note"]),
        usage=None if usage is None else _usage_in(usage),
    )


def question(data: bytes) -> dict[str, Any]:
    """The ``content()`` of the request that the response of ``pack`` answers."""
    asked: dict[str, Any] = _body(data)["request"]
    return asked


def _body(data: bytes) -> dict[str, Any]:
    text = data if data.startswith(b"{") else zlib.decompress(data)
    body: dict[str, Any] = json.loads(text.decode("utf-8", "surrogatepass"))
    if "text" not in body:
        body["text"] = _said(body["blocks"])
    return body


def _said(blocks: Iterable[Mapping[str, Any]]) -> str:
    """What the blocks say, which is an answer's text nearly always; then it is kept once."""
    return "".join([block["text"] for block in blocks if block.get("type") == "text"])


def _usage_out(usage: Usage) -> dict[str, Any]:
    values = {name: getattr(usage, name) for name in Usage.__slots__}
    values["parts"] = [[model, _usage_out(part)] for model, part in usage.parts]
    values["raw"] = dict(usage.raw)
    return values


def _usage_in(values: dict[str, Any]) -> Usage:
    parts = tuple((model, _usage_in(part)) for model, part in values.pop("parts"))
    return Usage(**values, parts=parts)
