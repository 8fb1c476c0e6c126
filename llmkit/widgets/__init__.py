"""Panels to use in JupyterLab: what they do can be done without them, and each keeps its result.

Each opens when it is first asked for; until then ipywidgets is not imported.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import NotSupported

if TYPE_CHECKING:
    from .arena import arena
    from .costs import costs
    from .decide import decide
    from .explorer import explorer
    from .panel import Panel
    from .playground import playground
    from .progress import progress
    from .switchboard import switchboard

_ROOMS = {
    "Panel": "panel",
    "arena": "arena",
    "costs": "costs",
    "decide": "decide",
    "explorer": "explorer",
    "playground": "playground",
    "progress": "progress",
    "switchboard": "switchboard",
}

__all__ = ["Panel", "arena", "costs", "decide", "explorer", "playground", "progress", "switchboard"]


class _Door(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # Importing the room playground.py would otherwise put a module where playground(...) is called.
        if not (name in _ROOMS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"llmkit.widgets has no {name!r}; it has {', '.join(__all__)}")
    try:
        value = getattr(importlib.import_module(f".{_ROOMS[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name != "ipywidgets":
            raise
        raise NotSupported('panels need ipywidgets; install it with: pip install "llmkit[lab]"') from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
