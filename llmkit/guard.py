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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .errors import UsageError
from .sockets import Backend, Call, Calls, Limits, Line, check_positive

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


@overload
def client(
    library: Literal["httpx"],
    *,
    limits: Limits = ...,
    deadline: float = ...,
    proxy: str | None = ...,
    calls: Calls | None = ...,
) -> httpx.Client: ...
@overload
def client(
    library: Literal["httpx2"],
    *,
    limits: Limits = ...,
    deadline: float = ...,
    proxy: str | None = ...,
    calls: Calls | None = ...,
) -> httpx2.Client: ...
def client(
    library: Literal["httpx", "httpx2"],
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    deadline: float = 600.0,
    proxy: str | None = None,
    calls: Calls | None = None,
) -> httpx.Client | httpx2.Client:
    """A client whose every call ends in time, on a connection of its own.

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
    transport = _Transport(_library(library), limits, deadline, proxy, Calls() if calls is None else calls)
    options: dict[str, Any] = {"timeout": None, "follow_redirects": False, "trust_env": False}
    made: httpx.Client | httpx2.Client = _library(library).http.Client(transport=transport, **options)
    return made


@dataclass(frozen=True)
class _Library:
    """httpx or httpx2 with its core, and what of ours must be of its types."""

    http: Any
    core: Any
    failures: tuple[type[Exception], ...]
    body: Any
    refused: Any

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """The core's errors as the library's own, which bear the same names."""
        try:
            yield
        except self.failures as error:
            raise self._own(error) from error

    def _own(self, error: Exception) -> Any:
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
        body=type("GuardedBody", (_Body, http.SyncByteStream), {}),
        refused=type("ResponseRefused", (ResponseRefused, http.TransportError), {}),
    )


class _Transport:
    """One request, on one connection, watched from before its look-up until its answer is closed."""

    def __init__(
        self, library: _Library, limits: Limits, seconds: float, proxy: str | None, calls: Calls
    ) -> None:
        self.library, self._limits, self._seconds, self._calls = library, limits, seconds, calls
        self._proxy = _proxy(library, proxy) if proxy else None

    def __enter__(self) -> _Transport:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that rest."""
        self._calls.drop()

    def handle_request(self, request: Any) -> Any:
        """Send, and return the answer with its headers read; its body gives back the connection."""
        library, core = self.library, self.library.core
        call = Call(core, self._deadline(request), self._limits, self._calls)
        self._calls.add(call)
        try:
            with library.own_errors():
                line = self._line(request.url, call)
                answer = line.pool.handle_request(_sent(core, request))
            headers = library.http.Headers(answer.headers)
            self._refuse(request, answer.status, headers)
        except BaseException:
            call.close()
            raise
        streamed = headers.get("content-type", "").lower().startswith("text/event-stream")
        call.idle = self._limits.idle if streamed else math.inf
        return library.http.Response(
            answer.status,
            headers=answer.headers,
            stream=library.body(self, answer.stream, call, _place(request.url)),
            extensions={k: answer.extensions[k] for k in ("http_version", "reason_phrase")},
        )

    def _deadline(self, request: Any) -> float:
        text = request.headers.get(HEADER)
        if text is None:
            return time.monotonic() + self._seconds
        with suppress(ValueError):
            if math.isfinite(float(text)):
                return min(float(text), time.monotonic() + _LONGEST)
        what = f"the header {HEADER} is {text!r}; give a time.monotonic() instant"
        raise self.library.http.LocalProtocolError(what)

    def rest(self, where: Any, call: Call) -> None:
        """Keep the connection of a call whose answer was read whole, if it is quiet; else close it."""
        line = None if self._proxy else call.give_back()
        if line is None:
            call.close()
        else:
            self._calls.rest((id(self), where), line)

    def _line(self, url: Any, call: Call) -> Line:
        line = self._calls.take((id(self), _place(url)))
        if line is None:
            line = Line(call)
            call.has(line)
            line.pool = self._pool(url, line)
        call.has(line)
        return line

    def _pool(self, url: Any, line: Line) -> Any:
        core = self.library.core
        through = None if _is_loopback(url.host) else self._proxy
        tls = "https" in (url.scheme, through["proxy_url"].scheme.decode() if through else "")
        options: dict[str, Any] = {
            "max_connections": 1,
            "max_keepalive_connections": 1,
            "retries": 0,
            "network_backend": Backend(line),
            "ssl_context": self._verified if tls else None,
        }
        if through is None:
            return core.ConnectionPool(**options)
        if through["proxy_url"].scheme == b"https":
            options["proxy_ssl_context"] = self._verified
        return core.HTTPProxy(**through, **options)

    @cached_property
    def _verified(self) -> ssl.SSLContext:
        # httpx trusts a list of its own; httpx2 the platform's, where a company's own authority is.
        import httpx2

        try:
            return httpx2.create_ssl_context()
        except OSError as error:
            what = f"the certificates to trust cannot be read ({error}); check SSL_CERT_FILE and SSL_CERT_DIR"
            raise self.library.http.ConnectError(what) from error

    def _refuse(self, request: Any, status: int, headers: Any) -> None:
        encoding = headers.get("content-encoding", "").strip().lower()
        if 300 <= status < 400:
            where = _origin_apart(self.library, request.url, headers.get("location", ""))
            what = f"redirect {status} to {where} refused; give the final address as base URL"
            error = self.library.refused(what)
            error.reason = "redirect"
        elif encoding not in ("", "identity"):
            error = self.library.refused(f"content-encoding {encoding[:40]!r} refused; none was asked for")
            error.reason = "encoding"
        else:
            return
        raise error


class _Body:
    """The bytes of an answer; closing it, or losing it, ends the call."""

    def __init__(self, transport: _Transport, stream: Any, call: Call, where: Any) -> None:
        self._transport, self._stream, self._call, self._where = transport, stream, call, where
        self._pieces: Iterator[bytes] | None = None
        self._whole = False

    def __iter__(self) -> Iterator[bytes]:
        self._pieces = iter(self._stream)
        with self._transport.library.own_errors():
            for piece in self._pieces:
                self._call.take(_PIECE)
                yield piece
            self._whole = True

    def close(self) -> None:
        """End the call; its connection may have another if this answer was read to its end."""
        pieces, self._pieces = self._pieces, None
        with suppress(*self._transport.library.failures, ValueError):
            if pieces is not None and (self._whole or self._at_end(pieces)):
                self._stream.close()
                self._transport.rest(self._where, self._call)
        self._call.close()

    def _at_end(self, pieces: Iterator[bytes]) -> bool:
        """Whether nothing is left but the mark of the end, which a reader of events has no need of."""
        self._call.idle = _TAIL
        return next(pieces, None) is None

    def __del__(self) -> None:
        self._call.close()


def _place(url: Any) -> tuple[bytes, bytes, int | None]:
    return url.raw_scheme, url.raw_host, url.port


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


def _sent(core: Any, request: Any) -> Any:
    """The request as it goes out: without our header, and asking for bytes as they are."""
    ours = (HEADER.encode(), b"accept-encoding")
    headers = [(name, value) for name, value in request.headers.raw if name.lower() not in ours]
    url = request.url
    return core.Request(
        method=request.method,
        url=core.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
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
