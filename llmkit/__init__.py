"""llmkit: which model to pay for on your own task, Opus, Sonnet or a mix of both, and how sure you can be.

    import llmkit as kit

    kit.connect("offline")
    sonnet, opus = kit.models("sonnet", "opus")
    c = kit.compare(kit.read_task("support_triage"), [sonnet, opus])

Names open their rooms when first used, so that importing costs nothing (PEP 562).
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import checks, graders, plots, widgets
    from .batch import batch
    from .benchmarks import read_benchmark
    from .budgets import budget, budgets
    from .caching import caching
    from .cascade import cascade
    from .catalog import model, models
    from .compare import compare
    from .comparison import Comparison
    from .costs import costs
    from .endpoints import endpoint
    from .errors import (
        BudgetExceeded,
        CallError,
        Interrupted,
        LLMKitError,
        NotConnected,
        NotFetched,
        NotRecorded,
        NotSupported,
        RetiredModel,
        StoreError,
        TaskError,
        UnknownModel,
        UsageError,
    )
    from .forecast import forecast
    from .ledger import Ledger
    from .listing import models_live
    from .model import Model, Stream
    from .parts import document, image, text
    from .plan import Plan, plan
    from .policies import mix, route, vote
    from .reconcile import reconcile
    from .reconciliation import Reconciliation
    from .records import Cost, Message, Request, Response, Thought, Usage
    from .replay import Replay, replay
    from .routing import balance, fallback
    from .scope import label
    from .session import connect, ledger, price
    from .task import Task, read_task
    from .trades import fit_router

__version__ = "0.1.0"

_ROOMS = {
    "batch": ("batch",),
    "benchmarks": ("read_benchmark",),
    "budgets": ("budget", "budgets"),
    "caching": ("caching",),
    "cascade": ("cascade",),
    "catalog": ("model", "models"),
    "compare": ("compare",),
    "comparison": ("Comparison",),
    "costs": ("costs",),
    "endpoints": ("endpoint",),
    "errors": (
        *("BudgetExceeded", "CallError", "Interrupted", "LLMKitError", "NotConnected", "NotFetched"),
        *(
            "NotRecorded",
            "NotSupported",
            "RetiredModel",
            "StoreError",
            "TaskError",
            "UnknownModel",
            "UsageError",
        ),
    ),
    "forecast": ("forecast",),
    "ledger": ("Ledger",),
    "listing": ("models_live",),
    "model": ("Model", "Stream"),
    "parts": ("document", "image", "text"),
    "plan": ("Plan", "plan"),
    "policies": ("mix", "route", "vote"),
    "reconcile": ("reconcile",),
    "reconciliation": ("Reconciliation",),
    "records": ("Cost", "Message", "Request", "Response", "Thought", "Usage"),
    "replay": ("Replay", "replay"),
    "routing": ("balance", "fallback"),
    "scope": ("label",),
    "session": ("connect", "ledger", "price"),
    "task": ("Task", "read_task"),
    "trades": ("fit_router",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}
_WHOLE_ROOMS = ("checks", "graders", "plots", "widgets")

__all__ = [
    "BudgetExceeded",
    "CallError",
    "Comparison",
    "Cost",
    "Interrupted",
    "LLMKitError",
    "Ledger",
    "Message",
    "Model",
    "NotConnected",
    "NotFetched",
    "NotRecorded",
    "NotSupported",
    "Plan",
    "Reconciliation",
    "Replay",
    "Request",
    "Response",
    "RetiredModel",
    "StoreError",
    "Stream",
    "Task",
    "TaskError",
    "Thought",
    "UnknownModel",
    "Usage",
    "UsageError",
    "balance",
    "batch",
    "budget",
    "budgets",
    "caching",
    "cascade",
    "checks",
    "compare",
    "connect",
    "costs",
    "document",
    "endpoint",
    "fallback",
    "fit_router",
    "forecast",
    "graders",
    "image",
    "label",
    "ledger",
    "mix",
    "model",
    "models",
    "models_live",
    "plan",
    "plots",
    "price",
    "read_benchmark",
    "read_task",
    "reconcile",
    "replay",
    "route",
    "text",
    "vote",
    "widgets",
]


class _FrontDoor(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # Importing the room models.py would otherwise put a module where kit.models(...) is called.
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # A function that says kit.something can then be sent to another process, as with any module.
        return importlib.import_module, (__name__,)


sys.modules[__name__].__class__ = _FrontDoor


def __getattr__(name: str) -> Any:
    if name in _WHOLE_ROOMS:
        value: Any = importlib.import_module(f".{name}", __name__)
    elif name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    else:
        raise AttributeError(f"llmkit has no {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
