"""What this program is connected to: a mode, a store, and what answers."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import prices
from .amounts import dollars
from .ceilings import Realm
from .clients import Clients, addressed
from .endpoints import Endpoint, all_endpoints, built_in
from .errors import NotConnected, UsageError
from .ledger import Ledger
from .limits import Bucket
from .models import PriceRow, raw_facts
from .places import open_store, project, store_path
from .pricing import DEFAULT, PriceBook
from .store import Store

if TYPE_CHECKING:
    from .simulator import Simulator

Mode = Literal["offline", "live", "replay"]
MODES = ("offline", "live", "replay")

_WORDS = {
    "offline": "every answer is SIMULATED, costs nothing and says nothing about real models",
    "live": "calls are paid for; answers are recorded, and recorded ones are not asked again",
    "replay": "answers come from the recordings only; nothing is paid",
}


class Session:
    """One connection; made by ``connect``.

    Attributes:
        clients: those of its endpoints.
    """

    def __init__(self, mode: Mode, store: Store, *, pace: float = 0.0, faults: Sequence[str] = ()) -> None:
        self.mode, self.store = mode, store
        self.book = DEFAULT
        self.clients = Clients(self._simulated_at)
        try:
            self.ledger = Ledger(store)
        except BaseException:
            store.close()
            raise
        self.budgets: tuple[str, ...] = ()
        self._name = f"session:{os.getpid()}:{datetime.now(UTC).isoformat()}"
        self.simulator: Simulator | None = None
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._scratch: Path | None = None
        if mode == "offline":
            from .simulator import Simulator

            self.simulator = Simulator(today=self.today(), pace=pace, faults=faults).start()

    def _simulated_at(self) -> str | None:
        return self.simulator.url if self.simulator is not None else None

    @property
    def realm(self) -> Realm:
        """Which money is spent here."""
        return "simulated" if self.mode == "offline" else "paid"

    def hold_to(self, amount: Decimal | None) -> None:
        """Hold what this session spends from its first ceiling on to ``amount`` USD; None lifts it."""
        if amount is not None:
            self.ledger.set_ceiling(self._name, amount)
        self.budgets = () if amount is None else (self._name,)

    def cap(self) -> Decimal | None:
        """The session's ceiling in USD, or None."""
        return self.ledger.standings(self.budgets, self.realm)[0].cap if self.budgets else None

    def source(self, endpoint: Endpoint) -> str:
        """Where answers of an endpoint come from; part of every recording's key."""
        return "simulator" if self.mode == "offline" else endpoint.name

    def today(self) -> date:
        """The day whose prices hold, in UTC. Offline it is the catalog's own day, so that reruns agree."""
        return catalog_day() if self.mode == "offline" else datetime.now(UTC).date()

    def add_price(self, name: str, row: PriceRow) -> None:
        """Let a price of the user's own hold from the next call on."""
        with self._lock:
            self.book = prices.with_row(self.book, name, row)

    def folder(self, name: str) -> Path:
        """A folder beside the store; where that is in memory, one that goes with the session."""
        if not self.store.in_memory:
            return Path(self.store.path).resolve().parent / name
        with self._lock:
            if self._scratch is None:
                self._scratch = Path(tempfile.mkdtemp(prefix="llmkit-"))
            return self._scratch / name

    def bucket(self, endpoint: Endpoint, model: str) -> Bucket:
        """What the endpoint counts together with this model: one line of waiting calls."""
        with self._lock:
            return self._buckets.setdefault((endpoint.name, _counted_with(model)), Bucket())

    def check_key(self, endpoint: Endpoint) -> None:
        """Raise ``NotConnected`` where an endpoint's key is missing or another vendor's."""
        addressed(endpoint).need_key()

    def close(self) -> None:
        """Stop the simulator, close client and store. Answers under way are still booked or left unknown."""
        if self.simulator is not None:
            self.simulator.stop()
        self.clients.close()
        self.store.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


_current: Session | None = None


def connect(
    mode: Mode | None = None,
    *,
    store: str | Path | None = None,
    budget: float | str | Decimal | None = None,
    pace: float = 0.0,
    faults: Sequence[str] = (),
    set_aside: bool = False,
) -> None:
    """Choose what answers, and say so in one line.

    Args:
        mode: "offline" (the simulator), "live" (needs a key), or "replay" (recordings only). The
            environment variable LLMKIT_MODE beats it, so that a notebook reruns in another mode untouched.
        store: the file of ledger and recordings; LLMKIT_STORE, if set, is its default. Otherwise offline
            keeps both in memory, and live and replay use ``.llmkit/store.sqlite`` of the project around.
        budget: USD that this session may spend at most, worst cases included.
        pace: offline only; 0 answers at once, 1 as slowly as the simulated time says.
        faults: offline only; what goes wrong with which call, such as "529*3" (the first three are refused)
            or "cut:5@4" (the fourth stream breaks off after five pieces); see ``llmkit.simulator.faults``.
        set_aside: your word that a store that turns out damaged be renamed and a new one begun.

    Prices of your own are read from the file that LLMKIT_PRICES names, else from ``llmkit-prices.toml`` or
    ``llmkit-prices.json`` of the project around (see ``kit.price``).

    Raises ``NotConnected`` for a live mode without key, ``StoreError`` for an unusable file, ``UsageError``
    for prices that cannot be read; the connection before, if there was one, then stays.
    """
    global _current
    chosen, forced = _mode(mode)
    ceiling = None if budget is None else dollars(budget)
    if chosen == "live":
        _check_live()
    path = store_path(chosen, store)
    own = prices.find_file(project(), os.environ.get("LLMKIT_PRICES"))
    book = DEFAULT if own is None else prices.book_of(own)
    opened, moved = open_store(path, set_aside=set_aside)
    session = _session(chosen, opened, pace, faults)
    session.book = book
    session.hold_to(ceiling)
    if _current is not None:
        _current.close()
    _current = session
    line = _line(chosen, forced, ceiling, own, book)
    print(line + moved)  # noqa: T201 - the one line that says what is connected


def current() -> Session:
    """The session in force. Raises ``NotConnected`` before the first ``connect``."""
    global _current
    if _current is None:
        if os.environ.get("LLMKIT_MODE"):
            connect()
        else:
            raise NotConnected(
                'nothing is connected; call kit.connect("offline") (simulated, free), kit.connect("live") '
                '(with a key) or kit.connect("replay") (recordings) first'
            )
    assert _current is not None
    return _current


def teach(answers: Iterable[Mapping[str, Any]]) -> None:
    """Let the simulator know what it may answer; nothing happens unless one is running."""
    if _current is not None and _current.simulator is not None:
        _current.simulator.learn(answers)


def ledger() -> Ledger:
    """Every attempt ever paid through the store in force: ``.frame()``, ``.spend()``, totals when shown."""
    return current().ledger


def price(
    model: str,
    *,
    input: float | str | Decimal,
    output: float | str | Decimal,
    cache_read: float | str | Decimal | None = None,
    cache_write_5m: float | str | Decimal | None = None,
    cache_write_1h: float | str | Decimal | None = None,
    since: date | str | None = None,
    until: date | str | None = None,
    speed: str = "standard",
    prompt_tokens_over: int = 0,
    image_tokens: int | None = None,
    note: str = "",
) -> PriceRow:
    """Add a price of your own, in USD per 1,000,000 tokens; it comes before the catalog's.

    It holds until you connect again, and on its days takes the place of an earlier one of yours for the same
    speed and threshold.

    Args:
        model: an exact id ("claude-opus-5-5"), or "endpoint/model" as ``kit.model`` takes it.
        input: the uncached prompt. A float counts as it is written: 0.1 is exactly 0.1.
        output: the answer, thinking included.
        cache_read: prompt tokens read from the cache; an answer that has some is unpriced without it.
        cache_write_5m: prompt tokens written to it; likewise.
        cache_write_1h: the same for an hour; likewise.
        since: first UTC day; None is always.
        until: first UTC day on which it no longer holds; None is no end.
        speed: "standard" or "fast".
        prompt_tokens_over: holds for prompts of more tokens than this, and then for the whole of them.
        image_tokens: most tokens of one picture, for a model the catalog does not know; without it a
            request with pictures has no worst case and is not sent under a ceiling.
        note: where the price comes from.

    Returns the row; its id is on each line of a bill made by it. Raises ``UsageError`` naming what is wrong.
    """
    entry = dict(locals())
    name, row = prices.read_row(entry, f"kit.price({model!r})")
    current().add_price(name, row)
    return row


def prices_now() -> tuple[PriceBook, date]:
    """Those in force; the catalog's as shipped where nothing is connected."""
    try:
        session = current()
    except NotConnected:
        return DEFAULT, catalog_day()
    return session.book, session.today()


def catalog_day() -> date:
    """The day the shipped catalog of models and prices was checked."""
    return date.fromisoformat(raw_facts()["as_of"])


def _session(mode: Mode, store: Store, pace: float, faults: Sequence[str]) -> Session:
    try:
        return Session(mode, store, pace=pace, faults=[faults] if isinstance(faults, str) else faults)
    except ValueError as error:
        store.close()
        raise UsageError(f"faults: {error}") from None


def _mode(mode: str | None) -> tuple[Mode, bool]:
    forced = os.environ.get("LLMKIT_MODE", "").strip()
    chosen = forced or mode
    if chosen not in MODES:
        where = "LLMKIT_MODE" if forced else "the mode"
        raise UsageError(f'{where} is {chosen!r}; it is "offline", "live" or "replay"')
    return chosen, bool(forced) and forced != mode  # type: ignore[return-value]


def _line(mode: Mode, forced: bool, ceiling: Decimal | None, own: Path | None, book: PriceBook) -> str:
    parts = [f"llmkit · {mode}" + (" (set by LLMKIT_MODE)" if forced else "")]
    parts.append(_WORDS[mode])
    if mode == "live" and os.environ.get("ANTHROPIC_BASE_URL"):
        parts.append("Anthropic's models are asked at ANTHROPIC_BASE_URL, not at the vendor's own address")
    parts.append(f"prices as of {catalog_day()}")
    if own is not None:
        parts.append(f"your own prices in {own.name} come first: {prices.summary(book)}")
    if ceiling is not None:
        parts.append(f"ceiling ${ceiling}")
    return " · ".join(parts)


def _counted_with(model: str) -> str:
    """The provider counts all Opus 4 models together, and all Sonnet 4 ones; the others each by itself."""
    found = re.match(r"claude-(opus|sonnet)-4\b", model)
    return found[0] if found else model


def _check_live() -> None:
    """Some endpoint must have its key; which one, the first model says."""
    addressed(built_in("anthropic"))
    if any(
        endpoint.find_key() is not None and endpoint != built_in("ollama") for endpoint in all_endpoints()
    ):
        return
    names = [name for endpoint in all_endpoints() for name in endpoint.variables]
    raise NotConnected(
        f"live needs a key, and none of {', '.join(names)} is set. Set one before the kernel starts, add an "
        'endpoint of your own with kit.endpoint(...), or use kit.connect("offline") for simulated answers'
    )


@atexit.register
def _close() -> None:
    if _current is not None:
        _current.close()
