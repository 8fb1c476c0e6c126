import re
from pathlib import Path

import matplotlib as mpl

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_cells_of_the_readme_run_in_their_order(monkeypatch):
    mpl.use("Agg")
    monkeypatch.chdir(ROOT)
    cells = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(cells) >= 5
    names: dict[str, object] = {}
    for number, cell in enumerate(cells, start=1):
        exec(compile(cell, f"README cell {number}", "exec"), names)
    assert "SIMULATED" in repr(names["c"])


def test_every_command_and_file_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\bmake (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`((?:llmkit|tests|tools|data|notebooks|requirements)/[\w./]+)`", README):
        assert (ROOT / path).exists(), path


def test_the_readme_is_a_map_and_no_book():
    assert len(README.splitlines()) < 200
    assert "MEASURED" not in README
