"""The rules every committed notebook keeps."""

import itertools
import json
import re
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(HOME.glob("*.ipynb"))
SECRETS = re.compile(r"sk-ant-|sk-or-|sk-proj-|Bearer [\w-]{8}|x-api-key")
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users)/|C:\\\\|127\.0\.0\.1:\d|0x[0-9a-f]{6,}")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text("utf-8"))


def source(cell):
    return "".join(cell["source"])


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks():
    assert [path.name for path in NOTEBOOKS]


def test_every_code_cell_was_run_in_order_so_that_the_comparison_is_no_empty_one(notebook):
    assert [cell["execution_count"] for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert sum(bool(cell["outputs"]) for cell in code(notebook)) >= len(code(notebook)) - 1


def test_it_is_short_enough_to_read(notebook):
    assert len(code(notebook)) <= 15
    assert all(0 < len(source(cell).splitlines()) < 10 for cell in code(notebook))
    assert len(json.dumps(notebook)) < 300_000


def test_it_has_one_title_and_no_level_is_skipped(notebook):
    levels = [
        len(mark)
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for mark in re.findall(r"^(#+) ", source(cell), re.MULTILINE)
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_no_model_id_price_date_shell_line_or_path_is_typed_in(notebook):
    for cell in code(notebook):
        text = source(cell)
        assert not re.search(r"claude-[a-z]+-\d|20\d\d-\d\d-\d\d|^\s*[!%]", text, re.MULTILINE)
        assert not MACHINE.search(text)
        assert not text.rstrip().endswith(";")


def test_outputs_hold_no_error_warning_secret_path_or_widget_state(notebook):
    text = json.dumps([cell["outputs"] for cell in code(notebook)])
    assert not SECRETS.search(text)
    assert not MACHINE.search(re.sub(r'"image/png": "[^"]*"', "", text))
    for cell in code(notebook):
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
    assert "widgets" not in notebook["metadata"]


def test_cells_have_names_of_their_own(notebook):
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    assert not [name for name in names if re.fullmatch(r"[0-9a-f-]{8,}", name)]


def test_it_starts_offline_and_says_that_its_answers_are_simulated(notebook):
    if "results that others published" in source(notebook["cells"][0]):
        assert "SIMULATED" not in json.dumps(notebook["cells"])
        return
    assert 'kit.connect("offline")' in source(code(notebook)[0])
    assert "simulated" in source(notebook["cells"][0]).lower()
    assert "SIMULATED" in json.dumps(code(notebook)[-1]["outputs"])
