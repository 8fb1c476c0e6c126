"""The ledger held against the organisation's own usage and cost reports, and each difference named."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

from . import booked, reports
from .differences import compare, explained, settled
from .endpoints import Endpoint, find
from .errors import NotConnected, UsageError
from .reconciliation import Reconciliation
from .session import Session, current

VARIABLES = ("ANTHROPIC_ADMIN_KEY", "ANTHROPIC_ADMIN_API_KEY")
"""Where an admin key is looked for, in this order."""

_SIMULATED_KEY = "sk-ant-admin-simulated"


def reconcile(
    since: date | str,
    until: date | str | None = None,
    *,
    admin_key: str | None = None,
    endpoint: str = "anthropic",
    workspace: str | None = None,
) -> Reconciliation:
    """Compare what the ledger booked with what the provider counted and charged, by UTC day.

    Each line is "equal", or says why not: the provider has more (another program on the key, or attempts
    whose charge nobody learned), the ledger has more, it is not reported yet (that takes some five minutes),
    or the tokens are equal and the price is not. Reports are free; nothing in the ledger is changed. They
    are of the whole organisation: give each experiment a workspace of its own to compare it alone.

    Args:
        since, until: UTC days, as dates or texts such as "2026-11-24"; both are included. None is today.
        admin_key: of the organisation, an ordinary key will not do; None takes ANTHROPIC_ADMIN_KEY. It is
            kept nowhere. Offline none is needed.
        endpoint: one that speaks the Messages API.
        workspace: count only this workspace's id, or "default"; None is the whole organisation.

    Raises ``UsageError`` for days or an endpoint that cannot be compared, ``NotConnected`` without admin key,
    ``Refused`` for one without rights, another ``CallError`` where a report cannot be had.
    """
    session, now = current(), datetime.now(UTC)
    first, last = _days(since, until, now.date())
    where = _endpoint(endpoint, session)
    key = _admin_key(admin_key, session)
    ours = booked.read(session.ledger, first, last, source=session.source(where), endpoint=endpoint, now=now)
    if not ours.attempts:
        raise UsageError(_nothing(session, where, first, last))
    with session.clients.admin(where) as client:
        theirs = reports.read(client, key, first, last, workspace=workspace)
    lines = explained(compare(theirs, ours), ours.unknown)
    return Reconciliation(first, last, endpoint, lines, settled(lines, ours.unknown), theirs.simulated)


def _days(since: date | str, until: date | str | None, today: date) -> tuple[date, date]:
    first, last = _day(since, "since"), today if until is None else _day(until, "until")
    if first > today:
        raise UsageError(
            f"since is {first}, but today is {today} in UTC; nothing is reported of days to come"
        )
    if first > last:
        raise UsageError(f"since is {first}, after until, which is {last}; give the earlier day first")
    return first, min(last, today)


def _day(value: date | str, name: str) -> date:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise UsageError(f'{name} is {value!r}; give a UTC day such as "2026-11-24", or a date') from None
    if isinstance(moment, datetime):
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    if isinstance(moment, date):
        return moment
    raise UsageError(f'{name} is {value!r}; give a UTC day such as "2026-11-24", or a date')


def _endpoint(name: str, session: Session) -> Endpoint:
    where = find(name)
    if where is None:
        raise UsageError(f"no endpoint is called {name!r}; add it with kit.endpoint({name!r}, base_url=...)")
    if where.protocol != "messages":
        raise UsageError(f"{name} has no usage and cost reports; endpoints that speak the Messages API have")
    if session.mode == "replay":
        raise UsageError(
            'replay asks nobody; use kit.connect("live"), with the same store=, to compare with the reports'
        )
    return where


def _admin_key(given: str | None, session: Session) -> str:
    if session.mode == "offline":
        return _SIMULATED_KEY
    found = next((os.environ[name] for name in VARIABLES if os.environ.get(name, "").strip()), "")
    key = (given or found).strip()
    if not key:
        raise NotConnected(
            f"the reports need an admin key of the organisation, and {VARIABLES[0]} is not set. Set it, or "
            "give admin_key=; an administrator makes one in the console, and single accounts have none"
        )
    if key.startswith("sk-ant-api") or not (key.isascii() and key.isprintable()):
        raise NotConnected(
            "the admin key is one for calls, or none at all, and was not sent; admin keys begin with "
            f"sk-ant-admin. Give it as admin_key=, or set {VARIABLES[0]}"
        )
    return key


def _nothing(session: Session, where: Endpoint, first: date, last: date) -> str:
    sql = "SELECT endpoint, count(*), min(started), max(started) FROM attempt GROUP BY endpoint"
    rows = session.store.read(f"{sql} ORDER BY endpoint")
    held = "; ".join(f"{name}: {n:,} from {a[:10]} to {b[:10]}" for name, n, a, b in rows)
    return (
        f"the ledger has no attempt at {where.name!r} from {first} to {last} (UTC) that may have been "
        f"charged; it has {held or 'none at all'}. Give other days, or connect with the store= they are in"
    )
