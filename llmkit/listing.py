"""What an endpoint says it serves, held against what the catalog believes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .endpoints import Endpoint, find
from .errors import UnknownModel, UsageError
from .models import ModelFacts
from .models import find as find_facts
from .session import Session, current

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("model", "lifecycle", "retires", "context", "max_output", "drift")


def models_live(endpoint: str = "anthropic") -> pd.DataFrame:
    """One row per model an endpoint lists now, and where that differs from the catalog.

    ``drift`` is empty where both agree, and otherwise says what the catalog has wrong or lacks; a model of
    the catalog that the endpoint no longer lists stands at the end. Endpoints other than Anthropic's list
    names and little else, and their drift is always empty. Nothing is paid.

    Raises ``UsageError`` for an endpoint nobody named, ``CallError`` where the list cannot be had.
    """
    import pandas as pd

    where = find(endpoint)
    if where is None:
        raise UsageError(
            f"no endpoint is called {endpoint!r}; add it with kit.endpoint({endpoint!r}, base_url=...)"
        )
    session = current()
    if session.mode == "replay":
        raise UsageError(
            'replay asks nobody; use kit.connect("live") or kit.connect("offline") to list models'
        )
    rows = _claude_rows(where, session) if where.protocol == "messages" else _chat_rows(where, session)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def drift(row: Mapping[str, Any], facts: ModelFacts | None, status: str) -> str:
    """Where a row of the Messages API's list differs from the catalog, in words; "" where it does not."""
    if facts is None:
        return "not in the catalog: no price is known, and it cannot be asked by name"
    believed = {
        "lifecycle": status,
        "retires_at": facts.retires.isoformat() if facts.retires and status != "active" else None,
        "max_input_tokens": facts.context_tokens,
        "max_tokens": facts.max_output_tokens,
    }
    words = []
    for name, value in believed.items():
        listed = row.get(name)
        listed = listed[:10] if name == "retires_at" and isinstance(listed, str) else listed
        if name in row and listed != value:
            words.append(f"{name} is {listed!r}, the catalog says {value!r}")
    return "; ".join(words)


def _claude_rows(where: Endpoint, session: Session) -> list[tuple[Any, ...]]:
    from .models import all_models
    from .providers.messages import list_models

    day, rows, seen = session.today(), [], set()
    for row in list_models(session.clients.messages(where)):
        facts = _facts(row["id"])
        seen.add(facts.id if facts else row["id"])
        status = facts.status(day) if facts else ""
        retires = row.get("retires_at")
        rows.append(
            (
                *(row["id"], row.get("lifecycle"), retires[:10] if retires else None),
                *(row.get("max_input_tokens"), row.get("max_tokens"), drift(row, facts, status)),
            )
        )
    for facts in all_models():
        if facts.id not in seen and facts.status(day) != "retired":
            rows.append((facts.id, None, None, None, None, "in the catalog, but not listed"))
    return rows


def _chat_rows(where: Endpoint, session: Session) -> list[tuple[Any, ...]]:
    from .providers.chat import list_models

    rows = list_models(session.clients.chat(where))
    return [(row.get("id"), None, None, row.get("context_length"), None, "") for row in rows]


def _facts(name: str) -> ModelFacts | None:
    try:
        return find_facts(name)
    except UnknownModel:
        return None
