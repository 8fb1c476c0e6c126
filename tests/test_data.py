"""Every curated task folder is whole: readable, consistent, without near-duplicates or real addresses."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import llmkit as kit

FOLDERS = sorted(path.parent for path in (Path(__file__).parent.parent / "data").glob("*/task.toml"))


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(request):
    return request.param


def test_there_are_tasks():
    assert "support_triage" in [folder.name for folder in FOLDERS]


def test_it_reads_and_every_item_has_its_answers(folder):
    task = kit.read_task(folder)
    assert [entry["id"] for entry in lines(folder / "answers.jsonl")] == task.ids
    assert task.question
    assert (folder / "README.md").exists()


def test_right_answers_are_graded_right_and_wrong_ones_wrong(folder):
    task = kit.read_task(folder)
    for index, entry in enumerate(lines(folder / "answers.jsonl")):
        item = task.item(index)
        assert {task.grade(text, item).score for text in entry["right"]} == {1.0}, entry["id"]
        assert {task.grade(text, item).score for text in entry["wrong"]} == {0.0}, entry["id"]
        assert len(entry["right"]) >= 1
        assert len(set(entry["wrong"])) >= 2


def test_no_two_items_are_nearly_the_same(folder):
    shingles = {}
    for entry in lines(folder / "items.jsonl"):
        words = re.findall(r"\w+", entry["input"].lower())
        shingles[entry["id"]] = {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}
    ids = list(shingles)
    for place, one in enumerate(ids):
        for two in ids[:place]:
            both = shingles[one] & shingles[two]
            assert len(both) < 0.5 * len(shingles[one] | shingles[two]), (one, two)


def test_no_address_or_number_could_be_anybodys(folder):
    text = (folder / "items.jsonl").read_text("utf-8") + (folder / "answers.jsonl").read_text("utf-8")
    assert set(re.findall(r"@([\w.-]+\w)", text)) <= {"example.com", "example.org"}
    assert not re.search(r"\+\d{2}[\d ]{7,}|\(\d{3}\) \d{3}", text)


def test_support_triage_is_varied_and_spread():
    items = lines(FOLDERS[[folder.name for folder in FOLDERS].index("support_triage")] / "items.jsonl")
    assert len(items) >= 150
    targets = Counter(item["target"] for item in items)
    assert len(targets) == 9
    assert min(targets.values()) >= 10
    assert len({item["language"] for item in items}) >= 5
    assert 0.15 < sum(item["language"] != "en" for item in items) / len(items) < 0.4
    hard = [item for item in items if item["difficulty"] >= 2]
    assert 0.08 < len(hard) / len(items) < 0.3
    assert min(len(item["input"].split()) for item in items) <= 10
    assert max(len(item["input"].split()) for item in items) >= 90
    assert {"low", "normal", "high"} == {item["urgency"] for item in items}
