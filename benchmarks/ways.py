"""The ways that are measured: what each is called, its environment, and the class that asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from .questions import KEY


@dataclass(frozen=True)
class Way:
    """One way to ask.

    Attributes:
        environment: its name in ``environments``.
        peer: ``module:Class``.
        given: what the class is made with, besides the server's address.
        on_disk: it is given a ``store``, a file of its own.
    """

    name: str
    environment: str
    peer: str
    given: dict[str, str] = field(default_factory=dict)
    on_disk: bool = False


MEMORY, DISK = "llmkit, store in memory", "llmkit, store on disk"
SDK, SDK_RAW, LITELLM, INSPECT = "anthropic SDK", "anthropic SDK, raw", "LiteLLM", "Inspect AI"
WAYS = (
    Way("httpx", "core", "benchmarks.peers:Http", {"module": "httpx"}),
    Way("httpx2", "core", "benchmarks.peers:Http", {"module": "httpx2"}),
    Way(SDK_RAW, "core", "benchmarks.peers:SdkRaw"),
    Way(SDK, "core", "benchmarks.peers:Sdk"),
    Way(MEMORY, "llmkit", "benchmarks.peers_llmkit:Llmkit", {"store": ":memory:"}),
    Way(DISK, "llmkit", "benchmarks.peers_llmkit:Llmkit", on_disk=True),
    Way("any-llm", "any-llm", "benchmarks.peers:AnyLLM"),
    Way("LangChain", "langchain", "benchmarks.peers:LangChain"),
    Way("pydantic-ai", "pydantic-ai", "benchmarks.peers:PydanticAI"),
    Way(LITELLM, "litellm", "benchmarks.peers:LiteLLM"),
    Way(INSPECT, "inspect", "benchmarks.peers:Inspect"),
)
NO_STREAM = {INSPECT: "offers its users no stream"}


def keyed(url: str) -> dict[str, str]:
    """What llmkit and others look for in their environment: the local server, and a word that is no key."""
    return {"LLMKIT_MODE": "live", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
