"""The outermost layer: checks a request, runs tools, goes on after a pause, reads a structured answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

from . import schemas, tools
from .errors import CallError
from .estimates import Estimate
from .model import Model, Prompt, Wrapper
from .recordings import Recorded
from .records import Message, Request, Response
from .totals import add_costs, add_seconds, add_usages, origin_of, step_of

MOST_TURNS = 20
"""Calls in one tool loop, unless a model is made with another number."""


class Dialogue(Wrapper):
    """Carries one question to its end, in as many calls as it takes.

    Where every tool the model asks for has a function, the functions are run and the model is told what
    they gave, until it answers. Each call is recorded and paid for by itself; the answer's cost and usage
    are their sums, its ``steps`` the calls.

    Args:
        check: raises for a request this model cannot take, before anything is sent.
        guess: an estimate of a request and its likely answer.
        most_turns: calls in one loop; the answer then says that it wants a tool once more.
    """

    def __init__(
        self,
        model: Model,
        *,
        check: Callable[[Request], None],
        guess: Callable[[Request, str], Estimate],
        most_turns: int = MOST_TURNS,
    ) -> None:
        super().__init__(model)
        self._check, self._guess, self._most = check, guess, most_turns

    def run(self, request: Request) -> Generator[str, None, Response]:
        """Ask, run tools, ask again. A ``CallError`` carries the steps already paid."""
        self._check(request)
        done: list[Response] = []
        while True:
            try:
                response = yield from self.model.run(request)
            except CallError as error:
                error.steps = (*(step_of(turn, "tool") for turn in done), *error.steps)
                raise
            done.append(response)
            more = self._next(request, response) if len(done) < self._most else None
            if more is None:
                return _read(_joined(done), request)
            request = more

    def estimate(self, request: Request, answer: str) -> Estimate:
        """Of one call, without tools."""
        return self._guess(request, answer)

    def count(self, request: Request) -> int:
        """As the provider counts."""
        self._check(request)
        return self.model.count(request)

    def recording_keys(self, prompts: Sequence[Prompt], **settings: Any) -> list[tuple[str, ...]] | None:
        """Those of the model inside; None with tools, where an answer may take several calls."""
        request = self.request("-", **settings)
        self._check(request)
        inner = self.model
        if request.tools or not isinstance(inner, Recorded):
            return None
        return inner.keys(request, prompts)

    def _next(self, request: Request, response: Response) -> Request | None:
        turn = Message("assistant", response.blocks)
        if response.outcome == "pause_turn":
            return replace(request, messages=(*request.messages, turn))
        if response.outcome != "tool_use":
            return None
        by_name = {tool.name: tool for tool in request.tools if tool.function is not None}
        if not all(call["name"] in by_name for call in response.tool_calls):
            return None
        results = Message("user", tuple(_result(call, by_name) for call in response.tool_calls))
        # A tool that was forced once need not be forced for ever.
        choice = request.tool_choice if request.tool_choice in (None, "auto", "none") else "auto"
        return replace(request, messages=(*request.messages, turn, results), tool_choice=choice)


def _result(call: Any, by_name: dict[str, Any]) -> dict[str, Any]:
    content, failed = tools.run(by_name[call["name"]], call["input"])
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": content}
    return result | {"is_error": True} if failed else result


def _joined(done: Sequence[Response]) -> Response:
    last = done[-1]
    if len(done) == 1:
        return last
    roles = ["tool"] * (len(done) - 1) + ["answer"]
    return replace(
        last,
        cost=add_costs([turn.cost for turn in done]),
        usage=add_usages([turn.usage for turn in done]),
        latency=add_seconds([turn.latency for turn in done]),
        first_token=done[0].first_token,
        attempts=tuple(line for turn in done for line in turn.attempts),
        origin=origin_of(done),
        steps=tuple(step_of(turn, role) for turn, role in zip(done, roles, strict=True)),
    )


def _read(response: Response, request: Request) -> Response:
    if request.schema is None or response.outcome in ("tool_use", "refusal"):
        return response
    value, invalid = schemas.read(request.schema, response.text)
    return replace(response, parsed=value, invalid=invalid)
