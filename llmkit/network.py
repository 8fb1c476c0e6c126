"""The network as httpcore asks for it: looked up on a thread apart, judged at every read and write."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, Any

from .sockets import Call, Kind, Line

if TYPE_CHECKING:
    import ssl

SLICE = 16_384
"""Bytes of one send: the libraries restart their timeout at each, so they get little at a time."""


class Backend:
    """How a pool reaches its host: looked up and connected on a thread that may be left behind."""

    def __init__(self, line: Line) -> None:
        self._core, self._line, self._inner = line.call.core, line, line.call.core.SyncBackend()

    def connect_tcp(self, host: str, port: int, **ignored: Any) -> Stream:
        """Look up and connect, within ``limits.connect`` and the deadline."""
        call = self._line.call
        seconds = min(call.limits.connect, call.left("Connect"))
        aim = (call, host, port, time.monotonic() + seconds)
        threading.Thread(target=self._dial, args=aim, daemon=True, name="llmkit-dial").start()
        try:
            found = call.arrivals.get(timeout=seconds)
        except Empty:
            call.left("Connect")
            raise self._core.ConnectTimeout(f"{host}:{port} was not reached within {seconds:.4g} s") from None
        if isinstance(found, BaseException):
            raise found
        if found is None:
            call.left("Connect")
        call.connected(found)
        return Stream(self._line, found)

    def _dial(self, call: Call, host: str, port: int, until: float) -> None:
        try:
            call.arrivals.put(self._reach(host, port, until))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            call.arrivals.put(error)
        if call.closed:
            call.drop_arrivals()

    def _reach(self, host: str, port: int, until: float) -> Any:
        failed = self._core.ConnectError
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise failed(f"the name {host!r} was not found ({error})") from error
        problem: Exception | None = None
        for tried, (*_, address) in enumerate(found):
            share = (until - time.monotonic()) / (len(found) - tried)
            try:
                return self._inner.connect_tcp(address[0], port, timeout=max(share, 0.001))
            except (failed, self._core.ConnectTimeout) as error:
                problem = error
        raise type(problem or failed())(f"{host}:{port} was not reached ({problem})") from problem


class Stream:
    """A connection whose every read and write knows what is left of the call that has it."""

    def __init__(self, line: Line, inner: Any) -> None:
        self._line, self._inner = line, inner
        self._core = line.call.core
        self._failures = (self._core.TimeoutException, self._core.NetworkError)
        self._unsent = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes, within the deadline, the idle time and the byte cap."""
        if self._unsent:
            with suppress(self._core.WriteError):  # a server may answer before it has read everything
                self._send()
        call = self._line.call
        try:
            data: bytes = self._inner.read(max_bytes, min(call.idle, call.left("Read")))
        except self._failures as error:
            self._judge("Read", error)
            raise
        call.left("Read")  # a shut socket reads as a clean end, which it is not
        call.take(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of ``buffer``, within the deadline; a little waits for what follows, until the next read."""
        self._unsent = self._unsent + buffer if self._unsent else buffer
        if len(self._unsent) > SLICE:
            self._send()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """The same call over TLS, with the same deadline and room."""
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, self._step("Connect"))
        except self._failures as error:
            self._judge("Connect", error)
            raise
        self._line.top = inner
        return Stream(self._line, inner)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        """What the pool asks about the connection."""
        return self._inner.get_extra_info(info)

    def _send(self) -> None:
        data, self._unsent = self._unsent, b""
        for start in range(0, len(data), SLICE):
            try:
                self._inner.write(data[start : start + SLICE], self._step("Write"))
            except self._failures as error:
                self._judge("Write", error)
                raise

    def _step(self, kind: Kind) -> float:
        return min(self._line.call.limits.idle, self._line.call.left(kind))

    def _judge(self, kind: Kind, error: Exception) -> None:
        """Raise a better error, if there is one: of a call that is too late, or was ended, it says so."""
        self._line.call.left(kind)
        if isinstance(error, self._core.TimeoutException):
            raise type(error)(f"silent for {self._line.call.limits.idle:.4g} s") from error
