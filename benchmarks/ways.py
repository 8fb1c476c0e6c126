"""The ways that are measured: what each is called, its environment, and the class that asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from .questions import KEY


@dataclass(frozen=True)
class Way:
    """One way to ask.

    Attributes:
        environment: its name in ``environments``.
        makes: what its worker makes and keeps, ``module:Class``.
        given: what that is made with, besides the server's address.
        on_disk: it is given a ``store``, a file of its own.
    """

    name: str
    environment: str
    makes: str
    given: dict[str, str] = field(default_factory=dict)
    on_disk: bool = False


MEMORY, DISK = "llmkit, store in memory", "llmkit, store on disk"
SDK, SDK_RAW, LITELLM, INSPECT = "anthropic SDK", "anthropic SDK, raw", "LiteLLM", "Inspect AI"
_LLMKIT = "benchmarks.peers_llmkit:Llmkit"


def _peer(name: str, environment: str, place: str, *, on_disk: bool = False, **given: str) -> Way:
    return Way(name, environment, "benchmarks.blocks:Block", {"peer": place, **given}, on_disk)


WAYS = (
    _peer("httpx", "core", "benchmarks.peers:Http", module="httpx"),
    _peer("httpx2", "core", "benchmarks.peers:Http", module="httpx2"),
    _peer(SDK_RAW, "core", "benchmarks.peers:SdkRaw"),
    _peer(SDK, "core", "benchmarks.peers:Sdk"),
    _peer(MEMORY, "llmkit", _LLMKIT, store=":memory:"),
    _peer(DISK, "llmkit", _LLMKIT, on_disk=True),
    _peer("any-llm", "any-llm", "benchmarks.peers:AnyLLM"),
    _peer("LangChain", "langchain", "benchmarks.peers:LangChain"),
    _peer("pydantic-ai", "pydantic-ai", "benchmarks.peers:PydanticAI"),
    _peer(LITELLM, "litellm", "benchmarks.peers:LiteLLM"),
    _peer(INSPECT, "inspect", "benchmarks.peers:Inspect"),
)
NO_STREAM = {INSPECT: "offers its users no stream"}


def keyed(url: str) -> dict[str, str]:
    """What llmkit and others look for in their environment: the local server, and a word that is no key."""
    return {"LLMKIT_MODE": "live", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
