"""Pictures for a prompt, uploaded from the reader's own machine."""

from __future__ import annotations

import ipywidgets

from .. import parts
from ..errors import UsageError
from . import fields, shown
from .asking import Picture
from .panel import Panel


class Pictures:
    """An upload button, the names of what was uploaded, and a button that removes them.

    Attributes:
        box: the widgets.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.upload = ipywidgets.FileUpload(
            accept="image/*", multiple=True, description="Pictures", layout={"width": "auto"}
        )
        self.clear = fields.button("Remove pictures")
        self.names = shown.html()
        self.box = fields.row(self.upload, self.clear, self.names)
        panel.on(self.upload, self._look)
        panel.on(self.clear, self._remove)

    def read(self) -> tuple[Picture, ...]:
        """What was uploaded. Raises ``UsageError``, with the file's name, for what is no picture."""
        return tuple(_picture(str(file["name"]), bytes(file["content"])) for file in self.upload.value)

    def _look(self) -> None:
        self.names.value = ""
        words = [f"{picture.name} ({picture.part.summary()})" for picture in self.read()]
        self.names.value = shown.note("; ".join(words))

    def _remove(self) -> None:
        self.upload.value = ()
        self._panel.say("")


def _picture(name: str, data: bytes) -> Picture:
    try:
        return Picture(name, data, parts.image(data))
    except UsageError as error:
        raise UsageError(f"the upload {name!r} cannot be sent, {error}. Remove it") from None
