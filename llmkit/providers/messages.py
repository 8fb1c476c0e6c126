"""The Anthropic Messages API, through the official SDK's transport: encode, send, decode."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from ..errors import Busy, CallError, Partial
from ..model import Model
from ..records import Request, Response
from . import sse
from .errors import broken_off, from_status, set_aside, turned_away, unreadable
from .messages_decode import Gathered, decode, response
from .messages_encode import encode, encode_count, headers

if TYPE_CHECKING:
    import anthropic
    import httpx2

# The SDK refuses longer plain answers (one may take over ten minutes); the stream has no such limit.
LONGEST_PLAIN = 21_333


class Messages(Model):
    """One model behind the Messages API.

    Args:
        model_id: sent as ``model``.
        client: gives the endpoint's one ``anthropic.Anthropic`` (with ``max_retries=0``) when first called.
        http: gives the HTTP client under it.
        name: unique in a comparison; the model id unless another endpoint serves it too.
        endpoint: noted on every answer.
        simulated: the endpoint is our own simulator, which is told the repeat in a header.
    """

    def __init__(
        self,
        model_id: str,
        client: Callable[[], anthropic.Anthropic],
        *,
        http: Callable[[], httpx2.Client],
        label: str,
        defaults: Request,
        name: str | None = None,
        endpoint: str = "anthropic",
        simulated: bool = False,
    ) -> None:
        self.name, self.label, self.defaults = name or model_id, label, defaults
        self._id, self._endpoint = model_id, endpoint
        self._client, self._http, self._simulated = client, http, simulated
        self._address: _Address | None = None

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Send once, without retry. Raises ``CallError``; a stream cut off after text raises ``Partial``."""
        body = encode(request, self._id)
        if request.stream or request.max_tokens > LONGEST_PLAIN:
            return (yield from self._stream(request, body | {"stream": True}))
        started = time.perf_counter()
        with translated(request):
            reply = self._post(request, body)
            whole = _usable(decode(reply.content), request, self._id)
        whole = self._timed(whole, reply.headers, time.perf_counter() - started, None)
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
                options={"headers": self._headers(request)},
            )
            _tell(request, reply.status_code, reply.headers)
            return int(reply.json()["input_tokens"])

    def _stream(self, request: Request, body: dict[str, Any]) -> Generator[str, None, Response]:
        started = time.perf_counter()
        first: float | None = None
        gathered = Gathered()
        with translated(request, gathered):
            reply = self._post(request, body, stream=True)
            try:
                for piece in _pieces(reply, gathered):
                    first = first or time.perf_counter() - started
                    yield piece
                whole = _usable(gathered.answer(), request, self._id, gathered)
            finally:
                reply.close()
        return self._timed(whole, reply.headers, time.perf_counter() - started, first)

    def _post(self, request: Request, body: dict[str, Any], *, stream: bool = False) -> httpx2.Response:
        import httpx2

        http, address = self._http(), self._address
        if address is None:
            address = self._address = _Address.of(self._client(), "v1/messages")
        sent = [*address.headers, *self._headers(request).items()]
        content = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        reply = http.send(
            httpx2.Request("POST", address.url, headers=sent, content=content, extensions={"timeout": {}}),
            stream=stream,
        )
        _tell(request, reply.status_code, reply.headers)
        if reply.status_code >= 400:
            raise _refused(reply)
        return reply

    def _headers(self, request: Request) -> dict[str, str]:
        # accept-encoding: identity keeps a stream's bytes readable as they come, and bombs out.
        sent = {"accept-encoding": "identity"} | headers(request, self._id)
        call = request.call
        if call is not None and call.deadline is not None:
            sent["x-llmkit-deadline"] = repr(call.deadline)
        if self._simulated and request.repeat:
            sent["x-llmkit-repeat"] = str(request.repeat)
        return sent

    def _timed(
        self, whole: Response, heads: Mapping[str, str], seconds: float, first: float | None
    ) -> Response:
        simulated = heads.get("x-llmkit-simulated") == "true"
        if simulated:  # the simulator's time is virtual and comes with the answer
            seconds = float(heads.get("x-llmkit-latency-ms", seconds * 1000)) / 1000
            if first is not None:
                first = float(heads.get("x-llmkit-first-token-ms", first * 1000)) / 1000
        return replace(
            whole,
            latency=seconds,
            first_token=first,
            request_id=heads.get("request-id"),
            endpoint=self._endpoint,
            origin="simulated" if simulated else "live",
            simulated=simulated,
        )


@dataclass(frozen=True, slots=True)
class _Address:
    """Where the SDK sends a message, and the headers it sends with each: its own, the version and the key.

    What it does besides (options, validation, a span) takes longer than the call itself.
    """

    url: httpx2.URL
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, client: anthropic.Anthropic, path: str) -> _Address:
        named = {name.lower(): value for name, value in client.default_headers.items()}
        kept = [(name, value) for name, value in named.items() if isinstance(value, str)]
        base = client.base_url
        url = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + b"/" + path.encode())
        return cls(url, tuple(kept))


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


def _pieces(reply: httpx2.Response, gathered: Gathered) -> Iterator[str]:
    """What the answer says, as it comes; some proxies answer whole where a stream was asked for."""
    chunks = iter(reply.iter_raw())
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
    answer: Mapping[str, Any], request: Request, model_id: str, gathered: Gathered | None = None
) -> Response:
    """The whole answer as a response. Raises ``CallError`` for one that cannot be this request's."""
    try:
        whole = response(answer, request, model_id)
        if gathered is not None:
            gathered.check_once(whole.usage.output if whole.usage else None)
        return whole
    except _UNREADABLE as error:
        raise set_aside(error, _so_far(gathered)) from None


def _refused(reply: httpx2.Response) -> CallError:
    try:
        text = reply.read().decode("utf-8", "replace").strip()
    finally:
        reply.close()
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    return from_status(reply.status_code, body, cast(Mapping[str, str], reply.headers))


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
