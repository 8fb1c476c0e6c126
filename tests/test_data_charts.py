"""The pictures of data/charts: small, and what their script draws, with the answers its numbers give."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "charts"
ALIKE = 4.0  # mean difference of blocks, of 255: letters are drawn a little differently by other versions


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts")
    subprocess.run([sys.executable, "-B", str(FOLDER / "make.py"), str(folder)], check=True, timeout=120)
    return folder


def blocks(path):
    """A picture as 24 x 24 mean greys, so that a shift of a pixel changes little."""
    pixels = matplotlib.image.imread(path)[..., :3].mean(axis=2) * 255
    rows = np.array_split(pixels, 24, axis=0)
    return np.array([[part.mean() for part in np.array_split(row, 24, axis=1)] for row in rows])


def names():
    return [json.loads(line)["image"] for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", ["items.jsonl", "answers.jsonl"])
def test_items_and_answers_follow_from_the_numbers_drawn(made, name):
    assert (made / name).read_text("utf-8") == (FOLDER / name).read_text("utf-8")


def test_the_script_draws_the_pictures_that_are_kept(made):
    for name in names():
        assert np.abs(blocks(made / name) - blocks(FOLDER / name)).mean() < ALIKE, name


def test_another_picture_would_be_noticed():
    seen = [blocks(FOLDER / name) for name in names()]
    gaps = [np.abs(one - two).mean() for place, one in enumerate(seen) for two in seen[:place]]
    assert min(gaps) > ALIKE / 2 and np.quantile(gaps, 0.05) > ALIKE


def test_pictures_are_small_and_none_lies_about_unused():
    files = sorted((FOLDER / "images").iterdir())
    assert [f"images/{path.name}" for path in files] == sorted(names())
    assert max(path.stat().st_size for path in files) < 40_000
    assert sum(path.stat().st_size for path in files) < 1_200_000


def test_there_are_many_kinds_and_several_languages():
    items = [json.loads(line) for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]
    kinds = [item["kind"] for item in items]
    assert {"bars", "lines", "pie", "scatter", "table", "form", "receipt"} <= set(kinds)
    assert len({item["skill"] for item in items}) >= 20
    assert len({item["language"] for item in items}) >= 3


def test_a_picture_goes_out_with_its_question():
    task = kit.read_task(FOLDER)
    [message] = task.request(kit.model("sonnet"), 0).messages
    assert message.content[0] == kit.image(FOLDER / names()[0])
    assert task.item(0)["input"] in message.content[1]["text"]
