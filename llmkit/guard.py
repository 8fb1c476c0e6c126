"""HTTP clients whose every call ends: a deadline, a byte cap, quiet lines only, no redirect, nothing packed.

Whatever a server does (drips, stalls, never ends, redirects, packs a bomb, answers twice), a call ends by its
deadline with the library's own error. ``httpx`` serves chat endpoints, ``httpx2`` the Anthropic SDK; both are
opened only when asked for.
"""

from __future__ import annotations

import importlib
import ipaddress
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .errors import UsageError
from .network import Backend
from .sockets import Call, Calls, Limits, Line, check_positive

if TYPE_CHECKING:
    import ssl

    import httpx
    import httpx2

HEADER = "x-llmkit-deadline"
"""A call's own deadline: a ``time.monotonic()`` instant as text. The transport takes the header off."""

_FAILURES = ("TimeoutException", "NetworkError", "ProtocolError", "ProxyError", "UnsupportedProtocol")
_LONGEST = 86_400.0
_TAIL = 0.02  # seconds
_PIECE = 64  # what Python needs to keep even one byte: a million tiny chunks are no small answer


class ResponseRefused(Exception):
    """The server answered, but with what is never followed or unpacked; also a ``TransportError``.

    Attributes:
        reason: "redirect" or "encoding".
    """

    reason: Literal["redirect", "encoding"]


def environment_proxy(address: str) -> str | None:
    """The proxy the environment names for an address (HTTPS_PROXY, NO_PROXY, ...), or None."""
    parts = urlsplit(address)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def transport(
    library: Literal["httpx", "httpx2"],
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    deadline: float = 600.0,
    proxy: str | None = None,
    calls: Calls | None = None,
) -> Transport:
    """What sends a call so that it ends in time.

    Args:
        library: whose client; its errors are that library's (``ReadTimeout``, ``ReadError``...), a redirect
            or a packed answer also ``ResponseRefused``.
        deadline: seconds for a whole call, from the first look-up to the last byte, where the request has no
            ``HEADER``. The library's own timeouts are not used.
        proxy: ``http://user:password@host:port`` for everything but the loopback. The environment is not
            read, but for ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.
        calls: where the calls in flight are kept, to share one reaper among clients and to end them all.
    """
    check_positive("deadline", deadline)
    return Transport(_library(library), limits, deadline, proxy, Calls() if calls is None else calls)


@overload
def client(library: Literal["httpx"], **options: Any) -> httpx.Client: ...
@overload
def client(library: Literal["httpx2"], **options: Any) -> httpx2.Client: ...
def client(library: Literal["httpx", "httpx2"], **options: Any) -> httpx.Client | httpx2.Client:
    """A client whose every call ends in time; options as for ``transport``."""
    made: httpx.Client | httpx2.Client = transport(library, **options).client()
    return made


@dataclass(frozen=True)
class _Library:
    """httpx or httpx2 with its core, and what of ours must be of its types."""

    http: Any
    core: Any
    failures: tuple[type[Exception], ...]
    body: Any
    refused: Any

    def own(self, error: Exception) -> Any:
        """The core's error as the library's own, which bears the same name."""
        own = getattr(self.http, type(error).__name__)(str(error))
        own.reason = getattr(error, "reason", None)
        return own


@cache
def _library(name: Literal["httpx", "httpx2"]) -> _Library:
    if name not in ("httpx", "httpx2"):
        raise UsageError(f"no HTTP library is called {name!r}; there are 'httpx' and 'httpx2'")
    http, core = importlib.import_module(name), importlib.import_module(name.replace("httpx", "httpcore"))
    return _Library(
        http=http,
        core=core,
        failures=tuple(getattr(core, name) for name in _FAILURES),
        body=type("GuardedAnswer", (Answer, http.SyncByteStream), {}),
        refused=type("ResponseRefused", (ResponseRefused, http.TransportError), {}),
    )


@dataclass(frozen=True, slots=True)
class Aim:
    """An address taken apart once, for all that is sent there.

    Attributes:
        url: the library's.
        core: its core's.
        place: what connections are kept by.
    """

    url: Any
    core: Any
    place: Any


class Transport:
    """One request, on one connection, watched from before its look-up until its answer is closed."""

    def __init__(
        self, library: _Library, limits: Limits, seconds: float, proxy: str | None, calls: Calls
    ) -> None:
        self.library, self._limits, self._seconds, self._calls = library, limits, seconds, calls
        self._proxy = _proxy(library, proxy) if proxy else None

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that rest."""
        self._calls.drop()

    def client(self) -> Any:
        """The library's own client, which sends by this."""
        return self.library.http.Client(transport=self, timeout=None, follow_redirects=False, trust_env=False)

    def aim(self, address: str) -> Aim:
        """An address to post to."""
        return self._aim(self.library.http.URL(address))

    def post(
        self, aim: Aim, headers: Sequence[tuple[bytes, bytes]], content: bytes, *, deadline: float | None
    ) -> Answer:
        """Send, without what the library puts around it, and return the answer with its headers read.

        Args:
            headers: host, length and encoding are added.
            deadline: a ``time.monotonic()`` instant, taken for a day at most; None takes the transport's own.
        """
        length = (b"content-length", b"%d" % len(content))
        ours = [(b"host", aim.url.netloc), length, (b"accept-encoding", b"identity")]
        request = self.library.core.Request("POST", aim.core, headers=[*ours, *headers], content=content)
        now = time.monotonic()
        until = now + self._seconds if deadline is None else min(deadline, now + _LONGEST)
        try:
            return Answer(self, *self._sent(aim, request, until))
        except self.library.http.RequestError as error:
            error.request = self.library.http.Request("POST", aim.url)
            raise

    def handle_request(self, request: Any) -> Any:
        """Send, and return the library's answer with its headers read; its body gives back the connection."""
        library, aim = self.library, self._aim(request.url)
        inner = _inner(library.core, request, aim)
        body = library.body(self, *self._sent(aim, inner, self._deadline(request)))
        return library.http.Response(
            body.status,
            headers=body.answer.headers,
            stream=body,
            extensions={k: body.answer.extensions[k] for k in ("http_version", "reason_phrase")},
        )

    def _sent(self, aim: Aim, request: Any, deadline: float) -> tuple[Aim, Call, Any, dict[str, str]]:
        library = self.library
        call = Call(library.core, deadline, self._limits, self._calls)
        self._calls.add(call)
        try:
            answer = self._line(aim, call).speaker.handle_request(request)
            heads = _heads(answer.headers)
            self._refuse(aim, answer.status, heads)
        except library.failures as error:
            call.close()
            raise library.own(error) from error
        except BaseException:
            call.close()
            raise
        streamed = heads.get("content-type", "").lower().startswith("text/event-stream")
        call.idle = self._limits.idle if streamed else math.inf
        return aim, call, answer, heads

    def _aim(self, url: Any) -> Aim:
        core = self.library.core.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        return Aim(url, core, (id(self), url.raw_scheme, url.raw_host, url.port))

    def _deadline(self, request: Any) -> float:
        text = request.headers.get(HEADER)
        if text is None:
            return time.monotonic() + self._seconds
        with suppress(ValueError):
            if math.isfinite(float(text)):
                return min(float(text), time.monotonic() + _LONGEST)
        what = f"the header {HEADER} is {text!r}; give a time.monotonic() instant"
        raise self.library.http.LocalProtocolError(what)

    def rest(self, aim: Aim, call: Call) -> None:
        """Keep the connection of a call whose answer was read whole, if it is quiet; else close it."""
        line = None if self._proxy else call.give_back()
        if line is None:
            call.close()
        else:
            self._calls.rest(aim.place, line)

    def _line(self, aim: Aim, call: Call) -> Line:
        line = self._calls.take(aim.place)
        if line is None:
            line = Line(call)
            call.has(line)
            line.speaker = self._speaker(aim, line)
        call.has(line)
        return line

    def _speaker(self, aim: Aim, line: Line) -> Any:
        core, url = self.library.core, aim.url
        if url.scheme not in ("http", "https"):
            raise core.UnsupportedProtocol(
                f"the address begins with {url.scheme!r}; give http:// or https://"
            )
        through = None if _is_loopback(url.host) else self._proxy
        tls = "https" in (url.scheme, through["proxy_url"].scheme.decode() if through else "")
        options: dict[str, Any] = {
            "retries": 0,
            "network_backend": Backend(line),
            "ssl_context": self._verified if tls else None,
        }
        if through is None:
            return core.HTTPConnection(aim.core.origin, **options)
        if through["proxy_url"].scheme == b"https":
            options["proxy_ssl_context"] = self._verified
        return core.HTTPProxy(**through, **options, max_connections=1, max_keepalive_connections=1)

    @cached_property
    def _verified(self) -> ssl.SSLContext:
        # httpx trusts a list of its own; httpx2 the platform's, where a company's own authority is.
        import httpx2

        try:
            return httpx2.create_ssl_context()
        except OSError as error:
            what = f"the certificates to trust cannot be read ({error}); check SSL_CERT_FILE and SSL_CERT_DIR"
            raise self.library.http.ConnectError(what) from error

    def _refuse(self, aim: Aim, status: int, headers: Mapping[str, str]) -> None:
        encoding = headers.get("content-encoding", "").strip().lower()
        if 300 <= status < 400:
            where = _origin_apart(self.library, aim.url, headers.get("location", ""))
            what = f"redirect {status} to {where} refused; give the final address as base URL"
            error = self.library.refused(what)
            error.reason = "redirect"
        elif encoding not in ("", "identity"):
            error = self.library.refused(f"content-encoding {encoding[:40]!r} refused; none was asked for")
            error.reason = "encoding"
        else:
            return
        raise error


class Answer:
    """The bytes of an answer, as they come; closing it, or losing it, ends the call.

    Attributes:
        headers: by their names in lower case.
        answer: the core's.
    """

    def __init__(
        self, transport: Transport, aim: Aim, call: Call, answer: Any, headers: Mapping[str, str]
    ) -> None:
        self._transport, self._aim, self._call = transport, aim, call
        self.answer, self.headers = answer, headers
        self._pieces: Iterator[bytes] | None = None
        self._whole = False

    @property
    def status(self) -> int:
        """As HTTP counts."""
        return int(self.answer.status)

    def __iter__(self) -> Iterator[bytes]:
        self._pieces = iter(self.answer.stream)
        try:
            for piece in self._pieces:
                self._call.take(_PIECE)
                yield piece
            self._whole = True
        except self._transport.library.failures as error:
            raise self._transport.library.own(error) from error

    def read(self) -> bytes:
        """All of it; then it is closed."""
        try:
            return b"".join(self)
        finally:
            self.close()

    def close(self) -> None:
        """End the call; its connection may have another if this answer was read to its end."""
        pieces, self._pieces = self._pieces, None
        with suppress(*self._transport.library.failures, ValueError):
            if pieces is not None and (self._whole or self._at_end(pieces)):
                self.answer.stream.close()
                self._transport.rest(self._aim, self._call)
        self._call.close()

    def _at_end(self, pieces: Iterator[bytes]) -> bool:
        """Whether nothing is left but the mark of the end, which a reader of events has no need of."""
        self._call.idle = _TAIL
        return next(pieces, None) is None

    def __del__(self) -> None:
        self._call.close()


def _heads(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    heads: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        heads[key] = f"{heads[key]}, {text}" if key in heads else text
    return heads


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy(library: _Library, text: str) -> dict[str, Any]:
    wanted = "give http://host:port or https://host:port, with user:password@ before the host if needed"
    try:
        url = library.http.URL(text)
    except library.http.InvalidURL:  # whose message holds the password
        raise UsageError(f"the proxy's address cannot be read; {wanted}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"the proxy's address begins with {url.scheme!r}; {wanted}")
    auth = (url.username, url.password) if url.username or url.password else None
    aim = library.core.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
    return {"proxy_url": aim, "proxy_auth": auth}


def _inner(core: Any, request: Any, aim: Aim) -> Any:
    """The request as it goes out: without our header, and asking for bytes as they are."""
    ours = (HEADER.encode(), b"accept-encoding")
    headers = [(name, value) for name, value in request.headers.raw if name.lower() not in ours]
    return core.Request(
        method=request.method,
        url=aim.core,
        headers=[*headers, (b"accept-encoding", b"identity")],
        content=request.stream,
        extensions={},
    )


def _origin_apart(library: _Library, asked: Any, location: str) -> str:
    """Where a redirect points to, in words that hold no path and no query."""
    try:
        aim = asked.join(location)
    except library.http.InvalidURL:
        return "an address that cannot be read"
    if (aim.scheme, aim.netloc) == (asked.scheme, asked.netloc):
        return "another path"
    return f"another origin ({aim.scheme}://{aim.netloc.decode('ascii')})"
