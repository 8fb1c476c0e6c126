"""Panels to use in JupyterLab: what they do can be done without them, and each keeps its result.

Each opens when it is first asked for; until then ipywidgets is not imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..errors import NotSupported

if TYPE_CHECKING:
    from .panel import Panel
    from .playground import playground

_ROOMS = {"Panel": "panel", "playground": "playground"}

__all__ = ["Panel", "playground"]


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
