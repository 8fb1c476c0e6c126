"""HTTP clients: each endpoint has one for the wire it speaks, made when first asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import guard
from .endpoints import Endpoint, address, built_in
from .errors import NotConnected, UsageError
from .guard import Transport
from .sockets import Calls, Limits

if TYPE_CHECKING:
    import anthropic
    import httpx

# The simulator speaks each vendor's dialect at a path of its own.
_SIMULATED_PATHS = {"openrouter": "/api/v1", "ollama": "/ollama/v1"}
_CHAT_PATH = {"messages": "", "chat": "/openai/v1"}

# 100,000 answers of 20 KB each.
_MOST_OF_A_BATCH = 2_000_000_000


class Clients:
    """The clients of one session.

    Args:
        simulator: the address of the simulator, if it stands in for every endpoint; neither a key nor a
            proxy of the user's has any business with it.

    Attributes:
        limits: what a call may use besides its time; holds for endpoints not yet asked.
        calls: those in flight, and the connections that rest between two.
    """

    def __init__(self, simulator: Callable[[], str | None]) -> None:
        self.limits, self.calls = Limits(), Calls()
        self._simulator = simulator
        self._lock = threading.RLock()
        self._made: dict[tuple[str, str], Any] = {}

    def messages(self, endpoint: Endpoint) -> anthropic.Anthropic:
        """The official SDK's (its import takes seconds)."""
        client: anthropic.Anthropic = self._once(
            "messages", endpoint, lambda: self._sdk(endpoint, self.transport(endpoint))
        )
        return client

    def transport(self, endpoint: Endpoint) -> Transport:
        """What is under ``messages``."""
        made: Transport = self._once("transport", endpoint, lambda: self._guarded(endpoint, self.limits))
        return made

    def batches(self, endpoint: Endpoint) -> anthropic.Anthropic:
        """The SDK's for batches, whose results are larger than any answer."""
        limits = replace(self.limits, most_bytes=max(_MOST_OF_A_BATCH, self.limits.most_bytes))
        client: anthropic.Anthropic = self._once(
            "batches", endpoint, lambda: self._sdk(endpoint, self._guarded(endpoint, limits))
        )
        return client

    def chat(self, endpoint: Endpoint) -> httpx.Client:
        """For chat completions."""
        client: httpx.Client = self._once("chat", endpoint, lambda: self._chat(endpoint))
        return client

    def admin(self, endpoint: Endpoint) -> httpx.Client:
        """A new one for an endpoint's reports; it has no key in it, and the caller closes it."""
        where = self._simulator() or addressed(endpoint).base_url
        client = guard.client("httpx", deadline=120.0, proxy=self._proxy(where))
        client.base_url = where
        return client

    def close(self) -> None:
        """Close them all."""
        for client in self._made.values():
            client.close()

    def _once(self, wire: str, endpoint: Endpoint, make: Callable[[], Any]) -> Any:
        with self._lock:
            if (wire, endpoint.name) not in self._made:
                self._made[wire, endpoint.name] = make()
            return self._made[wire, endpoint.name]

    def _guarded(self, endpoint: Endpoint, limits: Limits) -> Transport:
        proxy = self._proxy(self._key_and_address(endpoint)[1])
        return guard.transport("httpx2", limits=limits, proxy=proxy, calls=self.calls)

    def _sdk(self, endpoint: Endpoint, transport: Transport) -> anthropic.Anthropic:
        import anthropic

        key, where = self._key_and_address(endpoint)
        return anthropic.Anthropic(
            api_key=key or "none",
            base_url=where,
            http_client=transport.client(),
            max_retries=0,
            open_telemetry=False,
        )

    def _chat(self, endpoint: Endpoint) -> httpx.Client:
        key, where = self._key_and_address(endpoint)
        client = guard.client("httpx", limits=self.limits, proxy=self._proxy(where), calls=self.calls)
        client.base_url = where + "/"
        if key:
            client.headers["authorization"] = f"Bearer {key}"
        return client

    def _key_and_address(self, endpoint: Endpoint) -> tuple[str, str]:
        simulator = self._simulator()
        if simulator is not None:
            return "simulated", simulator + _SIMULATED_PATHS.get(endpoint.name, _CHAT_PATH[endpoint.protocol])
        endpoint = addressed(endpoint)
        return endpoint.need_key(), endpoint.base_url

    def _proxy(self, where: str) -> str | None:
        return None if self._simulator() is not None else guard.environment_proxy(where)


def addressed(endpoint: Endpoint, environment: Mapping[str, str] = os.environ) -> Endpoint:
    """The endpoint; Anthropic's own at ANTHROPIC_BASE_URL where that is set."""
    base = environment.get("ANTHROPIC_BASE_URL", "").strip()
    if not base or endpoint != built_in("anthropic"):
        return endpoint
    try:
        return replace(endpoint, base_url=address(base))
    except UsageError as error:
        raise NotConnected(f"ANTHROPIC_BASE_URL cannot be used: {error}") from None
