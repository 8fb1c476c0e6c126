"""Inputs with a label, buttons with a text, and rows of them that wrap on a narrow page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

_STYLE = {"description_width": "initial"}
_FIT = {"width": "auto", "max_width": "100%"}
_WIDE = {"width": "auto"}


def button(label: str, *, main: bool = False, hint: str = "") -> ipywidgets.Button:
    """A button; the ``main`` one of a panel stands out."""
    style = "primary" if main else ""
    return ipywidgets.Button(description=label, button_style=style, tooltip=hint, layout=_FIT)


def toggle(label: str, *, value: bool = False) -> ipywidgets.ToggleButton:
    """A button that stays pressed."""
    return ipywidgets.ToggleButton(value=value, description=label, layout=_FIT)


def line(label: str, value: str = "", *, hint: str = "", live: bool = True) -> ipywidgets.Text:
    """One line of text; ``live`` tells of every keystroke, else when the field is left."""
    return ipywidgets.Text(
        value=value,
        description=label,
        placeholder=hint,
        continuous_update=live,
        style=_STYLE,
        layout={"width": "220px", "max_width": "100%"},
    )


def area(label: str, value: str = "", *, rows: int = 3, hint: str = "") -> ipywidgets.Textarea:
    """Lines of text over the whole width."""
    return ipywidgets.Textarea(
        value=value, description=label, placeholder=hint, rows=rows, style=_STYLE, layout=_WIDE
    )


def choice(label: str, options: Sequence[Any], value: Any = None) -> ipywidgets.Dropdown:
    """One of several, the first unless ``value`` says otherwise; options are values, or pairs of label and
    value. No value may be None: to the page that is nothing chosen."""
    chosen = {} if value is None else {"value": value}
    return ipywidgets.Dropdown(options=list(options), description=label, style=_STYLE, layout=_FIT, **chosen)


def listing(label: str, options: Sequence[Any] = (), *, rows: int = 10) -> ipywidgets.Select:
    """A list to choose from, one line each; JupyterLab keeps the arrow keys for the notebook."""
    return ipywidgets.Select(
        options=list(options), description=label, rows=rows, style=_STYLE, layout={"width": "auto"}
    )


def number(label: str, value: float, *, least: float, most: float, step: float = 1) -> Any:
    """A number within bounds; whole if ``value`` is."""
    kind = ipywidgets.BoundedIntText if isinstance(value, int) else ipywidgets.BoundedFloatText
    layout = {"width": "180px", "max_width": "100%"}
    return kind(value=value, min=least, max=most, step=step, description=label, style=_STYLE, layout=layout)


def slider(label: str, value: float, *, least: float, most: float, step: float) -> Any:
    """A number within bounds, by mouse or arrow keys; whole if ``value`` is."""
    kind = ipywidgets.IntSlider if isinstance(value, int) else ipywidgets.FloatSlider
    layout = {"width": "420px", "max_width": "100%"}
    return kind(value=value, min=least, max=most, step=step, description=label, style=_STYLE, layout=layout)


def row(*children: Any) -> ipywidgets.Box:
    """Side by side, wrapped where the page is narrow."""
    layout = {"display": "flex", "flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px"}
    return ipywidgets.Box(list(children), layout=layout)


def columns(*children: Any, least: str = "320px") -> ipywidgets.Box:
    """Side by side in equal parts, none narrower than ``least``: below that they stand under each other."""
    stretch(children, least=least)
    layout = {"display": "flex", "flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "8px"}
    return ipywidgets.Box(list(children), layout=layout)


def stretch(children: Sequence[Any], *, least: str = "320px") -> None:
    """Let what stands in ``columns`` share the width."""
    for child in children:
        child.layout.flex, child.layout.width = f"1 1 {least}", "auto"
        child.layout.min_width = f"min({least}, 100%)"


class Keys:
    """Shortcuts: a field where each letter typed does something and goes away.

    The page gives a panel no other keys; buttons are reached by Tab and pressed by Enter or Space.

    Attributes:
        box: the field.
    """

    def __init__(self, actions: Mapping[str, Callable[[], None]], *, label: str, hint: str) -> None:
        self.box = line(label, hint=hint)
        self._actions, self._before = dict(actions), ""
        self.box.observe(self._typed, names="value")

    def _typed(self, change: Any) -> None:
        value: str = change["new"]
        if not value:
            return
        # A letter typed before the field was emptied comes again in front of the next one.
        again = len(value) > len(self._before) and value.startswith(self._before)
        letters, self._before = value[len(self._before) :] if again else value, value
        self.box.value = ""
        for letter in letters.casefold():
            if letter in self._actions:
                self._actions[letter]()
