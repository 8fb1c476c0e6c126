"""The peers, each asked in its users' way: one call, one stream, many at once; all send the same request."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

from .questions import KEY, MAX_TOKENS, MODEL, SYSTEM

Answer = tuple[str, int]
_MOST = 1_000


class Peer(ABC):
    """A way to ask; made once and used for every call, as its documentation advises."""

    @abstractmethod
    def call(self, prompt: str) -> Answer:
        """The answer's text and its output tokens."""

    @abstractmethod
    def stream(self, prompt: str) -> Iterator[str]:
        """The pieces of the answer's text as they come."""

    @abstractmethod
    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """The answers in the order of the prompts, at most so many asked for at once."""


class Tasks:
    """Many asked at once in one event loop, which lives as long as the peer."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def one(self, ask: Callable[[str], Awaitable[Answer]], prompt: str) -> Answer:
        """One answer."""
        return self.all(ask, [prompt], 1)[0]

    def all(
        self, ask: Callable[[str], Awaitable[Answer]], prompts: Sequence[str], at_once: int
    ) -> list[Answer]:
        """All answers."""
        return self._runner.run(_gathered(ask, prompts, at_once))


async def _gathered(
    ask: Callable[[str], Awaitable[Answer]], prompts: Sequence[str], at_once: int
) -> list[Answer]:
    room = asyncio.Semaphore(at_once)

    async def asked(prompt: str) -> Answer:
        async with room:
            return await ask(prompt)

    return await asyncio.gather(*(asked(prompt) for prompt in prompts))


class Http(Peer):
    """A plain HTTP client, "httpx" or "httpx2"; the JSON and the events are read by hand."""

    def __init__(self, *, url: str, module: str) -> None:
        http: Any = __import__(module)
        headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"}
        limits = http.Limits(max_connections=_MOST, max_keepalive_connections=_MOST)
        self._client = http.Client(headers=headers, timeout=600)
        self._tasks, self._later = Tasks(), http.AsyncClient(headers=headers, limits=limits, timeout=600)
        self._url = f"{url}/v1/messages"

    def call(self, prompt: str) -> Answer:
        """Post and read."""
        return _said(self._client.post(self._url, content=json.dumps(_body(prompt))).content)

    def stream(self, prompt: str) -> Iterator[str]:
        """Post and read the events."""
        body = json.dumps(_body(prompt) | {"stream": True})
        with self._client.stream("POST", self._url, content=body) as response:
            yield from _texts(response.iter_raw())

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Tasks of one asynchronous client."""

        async def ask(prompt: str) -> Answer:
            return _said((await self._later.post(self._url, content=json.dumps(_body(prompt)))).content)

        return self._tasks.all(ask, prompts, at_once)


class Sdk(Peer):
    """The official SDK: ``messages.create``, plain and with ``stream=True``."""

    def __init__(self, *, url: str) -> None:
        import anthropic

        self._client: Any = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)
        self._later: Any = anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)
        self._tasks = Tasks()

    def call(self, prompt: str) -> Answer:
        """Its own message."""
        return _of_sdk(self._client.messages.create(**_body(prompt)))

    def stream(self, prompt: str) -> Iterator[str]:
        """Its own events."""
        for event in self._client.messages.create(**_body(prompt), stream=True):
            if event.type == "content_block_delta":
                yield event.delta.text

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Tasks of its asynchronous client."""

        async def ask(prompt: str) -> Answer:
            return _of_sdk(await self._later.messages.create(**_body(prompt)))

        return self._tasks.all(ask, prompts, at_once)


class SdkRaw(Sdk):
    """The official SDK with the answer undecoded, read as of a plain HTTP client."""

    def call(self, prompt: str) -> Answer:
        """The raw response."""
        return _said(self._client.messages.with_raw_response.create(**_body(prompt)).http_response.content)

    def stream(self, prompt: str) -> Iterator[str]:
        """The raw response's bytes."""
        asked = self._client.messages.with_streaming_response.create(**_body(prompt), stream=True)
        with asked as response:
            yield from _texts(response.http_response.iter_raw())

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Tasks of its asynchronous client."""

        async def ask(prompt: str) -> Answer:
            raw = await self._later.messages.with_raw_response.create(**_body(prompt))
            return _said(raw.http_response.content)

        return self._tasks.all(ask, prompts, at_once)


class LiteLLM(Peer):
    """``litellm.completion`` and ``acompletion``."""

    def __init__(self, *, url: str) -> None:
        import litellm

        litellm.suppress_debug_info = True
        self._module: Any = litellm
        self._tasks = Tasks()
        self._more = {
            "model": f"anthropic/{MODEL}",
            "max_tokens": MAX_TOKENS,
            "api_key": KEY,
            "api_base": url,
        }

    def call(self, prompt: str) -> Answer:
        """A completion."""
        return _of_chat(self._module.completion(messages=_turns(prompt), **self._more))

    def stream(self, prompt: str) -> Iterator[str]:
        """A completion with ``stream=True``."""
        yield from _of_chunks(self._module.completion(messages=_turns(prompt), stream=True, **self._more))

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Tasks of ``acompletion``."""

        async def ask(prompt: str) -> Answer:
            return _of_chat(await self._module.acompletion(messages=_turns(prompt), **self._more))

        return self._tasks.all(ask, prompts, at_once)


class AnyLLM(Peer):
    """any-llm's client: ``AnyLLM.create("anthropic").completion``."""

    def __init__(self, *, url: str) -> None:
        from any_llm import AnyLLM as Client

        self._client: Any = Client.create("anthropic", api_key=KEY, api_base=url)
        self._tasks = Tasks()
        self._more = {"model": MODEL, "max_tokens": MAX_TOKENS}

    def call(self, prompt: str) -> Answer:
        """A completion."""
        return _of_chat(self._client.completion(messages=_turns(prompt), **self._more))

    def stream(self, prompt: str) -> Iterator[str]:
        """A completion with ``stream=True``."""
        yield from _of_chunks(self._client.completion(messages=_turns(prompt), stream=True, **self._more))

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Tasks of ``acompletion``."""

        async def ask(prompt: str) -> Answer:
            return _of_chat(await self._client.acompletion(messages=_turns(prompt), **self._more))

        return self._tasks.all(ask, prompts, at_once)


class PydanticAI(Peer):
    """An ``Agent`` without tools: ``run_sync``, ``run_stream_sync``, ``run``."""

    def __init__(self, *, url: str) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        model = AnthropicModel(MODEL, provider=AnthropicProvider(api_key=KEY, base_url=url))
        self._agent: Any = Agent(model, instructions=SYSTEM, model_settings={"max_tokens": MAX_TOKENS})
        self._tasks = Tasks()

    def call(self, prompt: str) -> Answer:
        """A run."""
        return _of_agent(self._agent.run_sync(prompt))

    def stream(self, prompt: str) -> Iterator[str]:
        """A streamed run."""
        with self._agent.run_stream_sync(prompt) as run:
            yield from run.stream_text(delta=True, debounce_by=None)

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Tasks of runs."""

        async def ask(prompt: str) -> Answer:
            return _of_agent(await self._agent.run(prompt))

        return self._tasks.all(ask, prompts, at_once)


class LangChain(Peer):
    """``ChatAnthropic``: ``invoke``, ``stream``, ``batch``."""

    def __init__(self, *, url: str) -> None:
        from langchain_anthropic import ChatAnthropic

        client: Any = ChatAnthropic
        self._chat = client(model=MODEL, api_key=KEY, base_url=url, max_tokens=MAX_TOKENS, max_retries=0)

    def call(self, prompt: str) -> Answer:
        """One message."""
        return _of_langchain(self._chat.invoke(_pair(prompt)))

    def stream(self, prompt: str) -> Iterator[str]:
        """Its chunks."""
        for chunk in self._chat.stream(_pair(prompt)):
            if chunk.text:
                yield str(chunk.text)

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Threads of its own."""
        pairs = [_pair(prompt) for prompt in prompts]
        return [_of_langchain(said) for said in self._chat.batch(pairs, {"max_concurrency": at_once})]


class Inspect(Peer):
    """Inspect AI's ``get_model(...).generate``; it offers its users no stream."""

    def __init__(self, *, url: str) -> None:
        from inspect_ai.model import GenerateConfig, get_model

        config = GenerateConfig(max_tokens=MAX_TOKENS, max_connections=_MOST, max_retries=0)
        self._model = get_model(f"anthropic/{MODEL}", config=config, api_key=KEY, base_url=url)
        self._tasks = Tasks()

    async def _ask(self, prompt: str) -> Answer:
        from inspect_ai.model import ChatMessageSystem, ChatMessageUser

        said = await self._model.generate(
            [ChatMessageSystem(content=SYSTEM), ChatMessageUser(content=prompt)]
        )
        return said.completion, said.usage.output_tokens if said.usage else 0

    def call(self, prompt: str) -> Answer:
        """One, in the loop that stays."""
        return self._tasks.one(self._ask, prompt)

    def stream(self, prompt: str) -> Iterator[str]:
        """Not offered."""
        raise NotImplementedError("it offers its users no stream")

    def many(self, prompts: Sequence[str], at_once: int) -> list[Answer]:
        """Tasks."""
        return self._tasks.all(self._ask, prompts, at_once)


def _body(prompt: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "max_tokens": MAX_TOKENS, "system": SYSTEM, "messages": turns}


def _turns(prompt: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]


def _pair(prompt: str) -> list[tuple[str, str]]:
    return [("system", SYSTEM), ("human", prompt)]


def _said(data: bytes) -> Answer:
    message = json.loads(data)
    return message["content"][0]["text"], message["usage"]["output_tokens"]


def _texts(data: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in data:
        *events, rest = (rest + chunk).split(b"\n\n")
        for event in events:
            said = json.loads(event[event.index(b"data: ") + 6 :])
            if said["type"] == "content_block_delta":
                yield said["delta"]["text"]


def _of_sdk(message: Any) -> Answer:
    return message.content[0].text, message.usage.output_tokens


def _of_chat(said: Any) -> Answer:
    return said.choices[0].message.content, said.usage.completion_tokens


def _of_chunks(chunks: Iterable[Any]) -> Iterator[str]:
    for chunk in chunks:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def _of_agent(run: Any) -> Answer:
    return run.output, run.usage.output_tokens


def _of_langchain(said: Any) -> Answer:
    return str(said.text), said.usage_metadata["output_tokens"]
