"""Is a prompt cache worth it: what each life of it costs and saves, given how often the same text is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise, takewhile
from math import ceil
from typing import Any

from . import estimates, recordings
from .catalog import Dressed
from .errors import NotSupported, UsageError
from .ledger import Ledger
from .model import Model
from .models import PriceRow
from .prices import canonical
from .render import sentence, table
from .session import current
from .task import Task

LIVES = {"none": 0.0, "5m": 300.0, "1h": 3600.0}
"""Seconds a text stays in the cache after its last use; every read renews them at no charge."""

Group = tuple[int, Sequence[float]]
"""A shared text: its tokens, and the seconds since the use before, for each use; infinite for the first."""

_PER_TOKEN = Decimal(10) ** -6


@dataclass(frozen=True, slots=True)
class Life:
    """One way to cache.

    Attributes:
        life: "none", "5m" or "1h".
        writes, reads: how often the shared text is written, and read; 0 where nothing is cached.
        cost: USD of the shared text over all uses.
        saved: USD against no cache; negative where the cache costs more.
        break_even: reads after one write from which on it pays; None for "none".
    """

    life: str
    writes: int
    reads: int
    cost: Decimal
    saved: Decimal
    break_even: int | None


@dataclass(frozen=True, slots=True)
class Caching:
    """A decision about the cache.

    Attributes:
        uses: calls that send a shared text.
        tokens: of the shared text, by estimate; the longest, where there are several.
        minimum: tokens below which this model caches nothing, and does not say so.
        lives: no cache first.
    """

    model: str
    uses: int
    tokens: int
    minimum: int
    lives: tuple[Life, ...]

    @property
    def best(self) -> Life:
        """The cheapest; no cache where none is cheaper."""
        return min(self.lives, key=lambda life: life.cost)

    def sentence(self) -> str:
        """The decision in words."""
        start = f"{self.model}: {self.uses:,} calls share a text of about {self.tokens:,} tokens"
        if self.tokens < self.minimum:
            return f"{start}, below the {self.minimum:,} it caches at all: a cache changes nothing."
        if self.best.life == "none":
            needs = min((life.break_even for life in self.lives if life.break_even is not None), default=None)
            then = "it never pays" if needs is None else f"it pays from {needs:,} reuse(s) a write on"
            return f"{start}, too rarely: a cache costs more; {then}."
        best, plain = self.best, self.lives[0]
        share = best.saved / plain.cost
        return (
            f"{start}; as a part of its own, cached for {best.life}, it costs ${best.saved:.4f} less of "
            f"${plain.cost:.4f} ({share:.0%}); that pays from {best.break_even:,} reuse(s) a write on."
        )

    def __repr__(self) -> str:
        headers, rows = self._table()
        lines = [" | ".join(row) for row in [headers, *rows]]
        return "\n".join([self.sentence(), *lines])

    def _repr_html_(self) -> str:
        return f"<div>{sentence(self.sentence(), strong=True)}{table(*self._table())}</div>"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [
                *(life.life, f"{life.writes:,}", f"{life.reads:,}", f"{life.cost:.4f}", f"{life.saved:.4f}"),
                "" if life.break_even is None else f"{life.break_even:,}",
            ]
            for life in self.lives
        ]
        return ["cache", "writes", "reads", "USD", "USD saved", "pays from reuses"], rows


def caching(
    source: Task | Ledger,
    model: Model,
    *,
    repeats: int = 1,
    gap: float | Sequence[float] | None = None,
    workers: int = 8,
) -> Caching:
    """What caching the shared start of the prompts costs and saves at each life. Asks nothing.

    The shared text must be a part of its own that is marked, such as ``kit.text(rules, cache="5m")`` as
    system text: what follows it differs, and a cache that includes it is never read.

    With p, w and r the model's rates for input, for a write of that life and for a read, s shared tokens, W
    writes and R reads, the shared text costs s(Ww + Rr), and s(W + R)p uncached; after one write it pays from
    the smallest k with w + kr <= (1 + k)p on, k = ceil((w - p) / (p - r)). A use is a read if it comes within
    the life of the use before it, else a write (Anthropic, "Prompt caching": writes at 1.25 times input for 5
    minutes and 2 times for an hour, reads at a rate of their own, each of which the price row holds; a read
    renews the life; a prompt below the model's least length is not cached, without a word).

    Args:
        source: a task: its system text and the words all its prompts begin with; or a ledger: the system
            texts and tools of the recorded calls to this model, at the times they were made.
        repeats: of a task.
        gap: seconds from one use to the next, or one for each use after the first; None for a task run in
            one go, in which the first ``workers`` calls all write: none can read what is not yet there.

    Raises ``NotSupported`` for a model whose prices are not known.
    """
    if not isinstance(model, Dressed) or model.target.facts is None:
        raise NotSupported(f"no cache prices are known for {model.name!r}; ask for a Claude model by itself")
    facts, session = model.target.facts, current()
    row = session.book.row([canonical(model.target.name), facts.id], session.today())
    if row is None or not _priced_lives(row):
        raise NotSupported(
            f"{model.name} has no price for a cache today; where the price is your own, add cache_read= and "
            "cache_write_5m= or cache_write_1h= to it"
        )
    if isinstance(source, Task):
        groups = [(_shared_of_task(source, model), _gaps(len(source) * repeats, gap, workers))]
    elif gap is not None:
        raise UsageError("a ledger knows when its calls were made; leave gap out")
    else:
        groups = _shared_of_ledger(source, model)
    if not groups:
        raise UsageError(
            f"the ledger holds no recorded call to {model.name}; run a task first, or give a task"
        )
    least = facts.min_cacheable_prompt_tokens or 0
    sized = [(estimates.tokens(text, facts.tokenizer), gaps) for text, gaps in groups]
    return Caching(
        model=model.label,
        uses=sum(len(gaps) for _, gaps in sized),
        tokens=max(tokens for tokens, _ in sized),
        minimum=least,
        lives=weigh(sized, row, least=least),
    )


def weigh(groups: Sequence[Group], row: PriceRow, *, least: int = 0) -> tuple[Life, ...]:
    """Each life's cost for shared texts of so many tokens, used after such gaps (seconds, inf at first).

    A life that the row has no rates for is left out.
    """
    plain = sum((tokens * len(gaps) * row.input * _PER_TOKEN for tokens, gaps in groups), Decimal(0))
    return tuple(_life(name, groups, row, least, plain) for name in ("none", *_priced_lives(row)))


def break_even(row: PriceRow, life: str) -> int | None:
    """Reads after one write from which on a cache of that life pays; None where it never does."""
    read, write = row.cache_read, _write_rate(row, life)
    if read is None or write is None or read >= row.input:
        return None
    return max(0, ceil((write - row.input) / (row.input - read)))


def _life(name: str, groups: Sequence[Group], row: PriceRow, least: int, plain: Decimal) -> Life:
    writes = reads = 0
    cost = Decimal(0)
    for tokens, gaps in groups:
        cached = name != "none" and tokens >= least
        fresh = sum(gap > LIVES[name] for gap in gaps) if cached else 0
        again = len(gaps) - fresh if cached else 0
        rest = 0 if cached else len(gaps)
        write, read = _write_rate(row, name) or Decimal(0), row.cache_read or Decimal(0)
        rates = fresh * write + again * read + rest * row.input
        cost += tokens * rates * _PER_TOKEN
        writes, reads = writes + fresh, reads + again
    return Life(name, writes, reads, cost, plain - cost, break_even(row, name))


def _write_rate(row: PriceRow, life: str) -> Decimal | None:
    return {"5m": row.cache_write_5m, "1h": row.cache_write_1h}.get(life)


def _priced_lives(row: PriceRow) -> list[str]:
    read = row.cache_read is not None
    return [life for life in LIVES if read and _write_rate(row, life) is not None]


def _gaps(uses: int, gap: float | Sequence[float] | None, workers: int) -> list[float]:
    if gap is None:
        first = min(workers, uses)
        return [float("inf")] * first + [0.0] * (uses - first)
    after = list(gap) if isinstance(gap, Sequence) else [float(gap)] * (uses - 1)
    if any(not each >= 0 for each in after):
        raise UsageError(f"gap is {gap!r}; give seconds of 0 or more")
    return [float("inf"), *after]


def _shared_of_task(task: Task, model: Model) -> str:
    contents = [task.request(model, index).content() for index in range(len(task))]
    return _shared(contents)


def _shared_of_ledger(ledger: Ledger, model: Dressed) -> list[tuple[str, list[float]]]:
    """Each system text with its tools, and what else all its calls begin with; and the gaps between them."""
    rows = ledger.store.read(
        "SELECT a.started, r.body FROM attempt AS a JOIN recording AS r ON r.key = a.request_key "
        "WHERE a.model = ? AND a.state IN ('settled', 'over') ORDER BY a.started",
        (model.name,),
    )
    calls: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
    for started, body in rows:
        content = recordings.question(body)
        calls.setdefault(_head(content), []).append((datetime.fromisoformat(started), content))
    groups = []
    for mine in calls.values():
        times = [moment for moment, _ in mine]
        gaps = [(late - early).total_seconds() for early, late in pairwise(times)]
        groups.append((_shared([content for _, content in mine]), [float("inf"), *gaps]))
    return groups


def _shared(contents: Sequence[Mapping[str, Any]]) -> str:
    """What all of these requests begin with, in the order in which the provider reads them."""
    heads = [_head(content) for content in contents]
    if len(set(heads)) > 1:
        return _common_start(heads)
    return heads[0] + _common_start([_first_text(content) for content in contents])


def _common_start(texts: Sequence[str]) -> str:
    # What the first and the last in order begin with, all between them begin with too.
    low, high = min(texts), max(texts)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:length]


def _head(content: Mapping[str, Any]) -> str:
    tools = content.get("tools")
    return (json.dumps(tools, ensure_ascii=False) if tools else "") + _text(content.get("system"))


def _first_text(content: Mapping[str, Any]) -> str:
    first: Any = (content.get("messages") or [["user", ""]])[0][1]
    if isinstance(first, str):
        return first
    # What stands behind a picture is shared only with those that show the same one.
    return _text(list(takewhile(lambda block: block.get("type") == "text", first)))


def _text(value: Any) -> str:
    if isinstance(value, str) or value is None:
        return value or ""
    return "".join(str(block.get("text", "")) for block in value)
