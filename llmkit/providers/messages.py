"""The Anthropic Messages API, through the official SDK's transport: encode, send, decode."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..errors import Busy, CallError, Partial
from ..guard import HEADER, Aim, Answer, Transport
from ..model import Model
from ..records import Request, Response
from . import sse
from .errors import broken_off, from_status, set_aside, turned_away, unreadable
from .messages_decode import Gathered, decode, response
from .messages_encode import encode, encode_count, headers

if TYPE_CHECKING:
    import anthropic

# The SDK refuses longer plain answers (one may take over ten minutes); the stream has no such limit.
LONGEST_PLAIN = 21_333


class Messages(Model):
    """One model behind the Messages API.

    Args:
        model_id: sent as ``model``.
        client: gives the endpoint's one ``anthropic.Anthropic`` (with ``max_retries=0``) when first called.
        transport: gives what is under it.
        name: unique in a comparison; the model id unless another endpoint serves it too.
        endpoint: noted on every answer.
        simulated: the endpoint is our own simulator, which is told the repeat in a header.
    """

    def __init__(
        self,
        model_id: str,
        client: Callable[[], anthropic.Anthropic],
        *,
        transport: Callable[[], Transport],
        label: str,
        defaults: Request,
        name: str | None = None,
        endpoint: str = "anthropic",
        simulated: bool = False,
    ) -> None:
        self.name, self.label, self.defaults = name or model_id, label, defaults
        self._id, self._endpoint = model_id, endpoint
        self._client, self._transport, self._simulated = client, transport, simulated
        self._address: _Address | None = None

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Send once, without retry. Raises ``CallError``; a stream cut off after text raises ``Partial``."""
        body = encode(request, self._id)
        if request.stream or request.max_tokens > LONGEST_PLAIN:
            return (yield from self._stream(request, body | {"stream": True}))
        started = time.perf_counter()
        with translated(request):
            reply = self._post(request, body)
            answer = decode(reply.read())
            about = self._about(reply.headers, time.perf_counter() - started, None)
            whole = _usable(answer, request, self._id, about)
        if whole.text:
            yield whole.text
        return whole

    def count(self, request: Request) -> int:
        """The provider's own count of the prompt's tokens. Raises ``CallError``."""
        import httpx2

        with translated(request):
            reply = self._client().post(
                "/v1/messages/count_tokens",
                cast_to=httpx2.Response,
                body=encode_count(request, self._id),
                options={"headers": _until(request) | headers(request, self._id)},
            )
            _tell(request, reply.status_code, reply.headers)
            return int(reply.json()["input_tokens"])

    def _stream(self, request: Request, body: dict[str, Any]) -> Generator[str, None, Response]:
        started = time.perf_counter()
        first: float | None = None
        gathered = Gathered()
        with translated(request, gathered):
            reply = self._post(request, body)
            try:
                for piece in _pieces(reply, gathered):
                    first = first or time.perf_counter() - started
                    yield piece
                answer = gathered.answer()
                about = self._about(reply.headers, time.perf_counter() - started, first)
                return _usable(answer, request, self._id, about, gathered)
            finally:
                reply.close()

    def _post(self, request: Request, body: dict[str, Any]) -> Answer:
        transport, address, call = self._transport(), self._address, request.call
        if address is None:
            address = self._address = _Address.of(self._client(), transport, "v1/messages")
        named = headers(request, self._id)
        if self._simulated and request.repeat:
            named["x-llmkit-repeat"] = str(request.repeat)
        sent = [*address.headers, *((name.encode(), value.encode()) for name, value in named.items())]
        content = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        reply = transport.post(address.aim, sent, content, deadline=call.deadline if call else None)
        _tell(request, reply.status, reply.headers)
        if reply.status >= 400:
            raise _refused(reply)
        return reply

    def _about(self, heads: Mapping[str, str], seconds: float, first: float | None) -> dict[str, Any]:
        """What is said of an answer beside it: seconds to all of it and to its first text, and where."""
        simulated = heads.get("x-llmkit-simulated") == "true"
        if simulated:  # the simulator's time is virtual and comes with the answer
            seconds = float(heads.get("x-llmkit-latency-ms", seconds * 1000)) / 1000
            if first is not None:
                first = float(heads.get("x-llmkit-first-token-ms", first * 1000)) / 1000
        return {
            "latency": seconds,
            "first_token": first,
            "request_id": heads.get("request-id"),
            "endpoint": self._endpoint,
            "origin": "simulated" if simulated else "live",
            "simulated": simulated,
        }


@dataclass(frozen=True, slots=True)
class _Address:
    """Where the SDK sends a message, and the headers it sends with each: the version, the key, its name.

    What it does besides (options, validation, a span) takes longer than the call itself; what it tells of
    the machine (``x-stainless-...``) is left out.
    """

    aim: Aim
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, client: anthropic.Anthropic, transport: Transport, path: str) -> _Address:
        named = {name.lower(): value for name, value in client.default_headers.items()}
        left_out = ("x-stainless-", "accept-encoding")  # the transport asks for an encoding
        kept = [
            (name, value)
            for name, value in named.items()
            if isinstance(value, str) and not name.startswith(left_out)
        ]
        raw = tuple((name.encode(), value.encode()) for name, value in kept)
        return cls(transport.aim(f"{str(client.base_url).rstrip('/')}/{path}"), raw)


def list_models(client: anthropic.Anthropic) -> list[dict[str, Any]]:
    """Every model the endpoint lists, retired ones included where it tells them. Raises ``CallError``."""
    rows: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 1000, "lifecycle[]": ["active", "deprecated", "retired"]}
    with translated(Request()):
        while True:
            page: Any = client.get("/v1/models", cast_to=object, options={"params": query})
            rows += [dict(row) for row in page["data"]]
            if not page.get("has_more"):
                return rows
            query["after_id"] = page["last_id"]


def _pieces(reply: Answer, gathered: Gathered) -> Iterator[str]:
    """What the answer says, as it comes; some proxies answer whole where a stream was asked for."""
    chunks = iter(reply)
    head = next((chunk for chunk in chunks if chunk.strip()), b"")
    chunks = itertools.chain([head], chunks)
    if head.lstrip().startswith(b"{"):
        if text := gathered.whole(decode(b"".join(chunks))):
            yield text
        return
    for event in sse.events(chunks):
        if piece := gathered.add(event):
            yield piece
        if gathered.ended:
            return


def _usable(
    answer: Mapping[str, Any],
    request: Request,
    model_id: str,
    about: Mapping[str, Any],
    gathered: Gathered | None = None,
) -> Response:
    """The whole answer as a response. Raises ``CallError`` for one that cannot be this request's."""
    try:
        whole = response(answer, request, model_id, about)
        if gathered is not None:
            gathered.check_once(whole.usage.output if whole.usage else None)
        return whole
    except _UNREADABLE as error:
        raise set_aside(error, _so_far(gathered)) from None


def _refused(reply: Answer) -> CallError:
    text = reply.read().decode("utf-8", "replace").strip()
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    return from_status(reply.status, body, reply.headers)


def _until(request: Request) -> dict[str, str]:
    call = request.call
    return {} if call is None or call.deadline is None else {HEADER: repr(call.deadline)}


def _tell(request: Request, status: int, heads: Mapping[str, str]) -> None:
    if request.call is not None and request.call.heard is not None:
        request.call.heard(status, heads)


@contextmanager
def translated(request: Request, gathered: Gathered | None = None) -> Iterator[None]:
    """Turn whatever the SDK and its transport raise into one of our errors, without the key in it."""
    import anthropic
    import httpx2

    try:
        yield
    except anthropic.APIStatusError as error:
        heads = cast(Mapping[str, str], error.response.headers)
        _tell(request, error.status_code, heads)
        raise from_status(error.status_code, error.body, heads) from None
    except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
        cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else None
        raise _connection_failed(cause or error, _so_far(gathered)) from None
    except CallError as error:
        if _so_far(gathered) and not isinstance(error, Partial):
            raise broken_off(f"the answer broke off: {error}", _so_far(gathered)) from None
        raise
    except (anthropic.AnthropicError, *_UNREADABLE) as error:
        raise unreadable(error, _so_far(gathered)) from None


_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError)


def _connection_failed(cause: BaseException, text: str) -> CallError:
    import httpx2

    if reason := getattr(cause, "reason", None):
        return turned_away(str(reason), text=text)
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        host = cause.request.url.host
        return Busy(f"no connection to {host} ({cause}). Check the network and the base URL, then run again")
    return broken_off(f"the connection failed ({type(cause).__name__}: {cause})", text)


def _so_far(gathered: Gathered | None) -> str:
    return gathered.text if gathered else ""
