"""What was done in a panel as the cell that does the same."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..model import Model
from .asking import Question

_PLAIN = (str, int, float, bool, type(None))


def asking(question: Question, models: Sequence[Model], folder: Path) -> str:
    """The cell that asks the models the same; pictures are written into ``folder``, for it to read."""
    lines = ["import llmkit as kit", "", f"models = [{', '.join(expression(model) for model in models)}]"]
    lines.append(f"prompt = {_prompt(question, folder)}")
    settings = "".join(f", {name}={_text(value)}" for name, value in question.settings.items())
    lines.append(f"answers = [model(prompt{settings}) for model in models]")
    return "\n".join([*lines, "answers[0]", ""])


def task(items: Sequence[Mapping[str, Any]], grade: str, settings: Mapping[str, Any]) -> str:
    """The cell that makes the task."""
    rows = "".join(f"    {dict(item)!r},\n" for item in items)
    given = dict(settings)
    system = given.pop("system", None)
    arguments = ['prompt="{prompt}"', 'target="target"', f"grade=kit.graders.{grade}()"]
    arguments += [f"system={_text(system)}"] if system else []
    arguments += [f"settings={given!r}"] if given else []
    arguments.append('name="playground"')
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"import llmkit as kit\n\nitems = [\n{rows}]\ntask = kit.Task(\n    items,\n{inner})\ntask\n"


def expression(model: Model) -> str:
    """Code that makes this model, or the name it has in the notebook. Raises ``UsageError`` if neither is."""
    target = getattr(model, "target", None)
    given = {name: getattr(model.defaults, name) for name in sorted(model.defaults.given)}
    if target is not None and all(isinstance(value, _PLAIN) for value in given.values()):
        if model.label != target.label:
            given["label"] = model.label
        return f"kit.model({target.name!r}{''.join(f', {name}={value!r}' for name, value in given.items())})"
    names = vars(sys.modules["__main__"])
    name = next((n for n, value in names.items() if value is model and not n.startswith("_")), None)
    if name is None:
        raise UsageError(
            f"{model.label!r} is made of other models or of more than plain settings; give it a name in the "
            "notebook, such as careful = kit.cascade(...), so that the code can use it"
        )
    return name


def _prompt(question: Question, folder: Path) -> str:
    words = _text(question.prompt)
    if not question.pictures:
        return words
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for picture in question.pictures:
        name = hashlib.sha256(picture.data).hexdigest()[:16]
        path = folder / f"{name}.{picture.part['source']['media_type'].removeprefix('image/')}"
        path.write_bytes(picture.data)
        paths.append(f"kit.image({str(path)!r})")
    return f"[{', '.join(paths)}, {words}]"


def _text(value: Any) -> str:
    """A literal; text of several lines one line each."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n"):
        return repr(value)
    inner = "\n".join(f"    {line!r}" for line in value.splitlines(keepends=True))
    return f"(\n{inner}\n)"
