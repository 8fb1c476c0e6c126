"""One worker a way, asked in turns: every way once a round, in an order of its own each round."""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self, TypeVar

from . import environments
from .environments import NotInstalled
from .figures import Scope
from .processes import Failed, Server, Worker
from .ways import Way, keyed

Found = TypeVar("Found")


class Team:
    """The workers of some ways, kept for a whole suite.

    Attributes:
        lost: ways that cannot be measured, and why.
    """

    def __init__(self, scope: Scope, ways: Iterable[Way], server: Server) -> None:
        self.lost: dict[str, str] = {}
        self._chance = random.Random(scope.seed)
        self._numbers = count(1)
        self._server = server
        self._stack = ExitStack()
        self._workers: dict[str, Worker] = {}
        with ExitStack() as opened:
            for way in ways:
                self._start(opened, scope, way)
            self._stack = opened.pop_all()

    def _start(self, opened: ExitStack, scope: Scope, way: Way) -> None:
        url = self._server.address
        given = {"url": url, **way.given}
        if way.on_disk:
            # A folder of its own: what another suite's store holds would be replayed, not asked.
            given["store"] = str(Path(mkdtemp(dir=scope.folder)) / "store.sqlite")
        try:
            python = environments.python(way.environment, scope.environments)
            worker = opened.enter_context(Worker(python, more=keyed(url)))
            worker.make(way.makes, **given)
        except (NotInstalled, Failed) as error:
            self.lost[way.name] = last_line(error)
        else:
            self._workers[way.name] = worker

    def each(
        self, ask: Callable[[Worker], Found], *, requests: int, without: Container[str] = ()
    ) -> Iterator[tuple[str, Found]]:
        """What every worker gives back, in an order of this round; one that fails is lost from then on.

        So does one that did not send the server just so many requests: it answered out of a store, or again.
        """
        order = [name for name in self._workers if name not in without]
        self._chance.shuffle(order)
        for name in order:
            try:
                before = self._server.counts()["requests"]
                found = ask(self._workers[name])
                if (sent := self._server.counts()["requests"] - before) != requests:
                    raise Failed(f"it sent {sent} requests where it should send {requests}")
            except Failed as error:
                self.lost[name] = last_line(error)
                self._workers.pop(name).close()
            else:
                yield name, found

    def questions(self, many: int) -> int:
        """The first number of so many questions, and one more, that nobody of this team was asked yet."""
        first = next(self._numbers)
        self._numbers = count(first + many + 1)
        return first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def last_line(error: Exception) -> str:
    """The last line of a message that has one."""
    lines = str(error).strip().splitlines()
    return lines[-1][:400] if lines else type(error).__name__
