"""Every curated task folder is whole: readable, consistent, without near-duplicates or real addresses."""

import json
import re
import tomllib
import zlib
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

import llmkit as kit

DATA = Path(__file__).parent.parent / "data"
FOLDERS = sorted(path.parent for path in DATA.glob("*/task.toml"))
FEWEST = {
    "charts": 40,
    "code": 50,
    "contracts": 30,
    "creative": 24,
    "drafting": 60,
    "extraction": 120,
    "knowledge_base": 60,
    "moderation": 150,
    "nuance": 100,
    "reasoning": 100,
    "records": 40,
    "safety": 60,
    "strategy": 24,
    "summaries": 50,
    "support_triage": 150,
    "translation": 60,
}
"""Items a folder has at least."""

PARTIAL = {
    "json_fields": (0.95, 0.95),
    "set_f1": (0.8, 0.6),
    "token_f1": (0.8, 0.6),
    "rouge": (0.4, 0.6),
    "bleu": (0.3, 0.6),
    "chrf": (0.4, 0.7),
}
"""Graders that give partial credit: every right answer scores at least the first, no wrong one above the
second, and the worst right one is well above the best wrong one (``CLEARLY``). Two wrong fields of twenty are
wrong, and two good summaries share few words."""

CLEARLY = 0.05
SHINGLES = 400


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def about(folder):
    return tomllib.loads((folder / "task.toml").read_text("utf-8"))


def judged(folder):
    return about(folder)["grade"]["kind"] in ("judge", "pairwise")


def answers(folder):
    return lines(folder / "answers.jsonl")


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(request):
    return request.param


def test_there_are_tasks():
    assert "support_triage" in [folder.name for folder in FOLDERS]


def test_it_is_among_the_folders_known_here_and_has_its_number_of_items(folder):
    assert len(lines(folder / "items.jsonl")) >= FEWEST[folder.name]


def test_it_reads_and_every_item_has_its_answers(folder):
    task = kit.read_task(folder)
    assert [entry["id"] for entry in answers(folder)] == task.ids
    assert task.question
    assert (folder / "README.md").exists()
    for entry in answers(folder):
        assert len(entry["right"]) >= 1, entry["id"]
        assert len(set(entry["wrong"])) >= 2, entry["id"]
        assert not set(entry["right"]) & set(entry["wrong"]), entry["id"]
        assert all(text.strip() for text in entry["right"] + entry["wrong"]), entry["id"]


def test_it_says_how_it_was_made_and_that_its_answers_are_invented(folder):
    told = about(folder)["about"]
    assert {"made", "licence", "simulated_answers"} <= set(told)
    assert "language model" in told["made"]
    assert "invented" in told["simulated_answers"]


# Where a model judges, no text can be said to be right.
@pytest.mark.parametrize("folder", [f for f in FOLDERS if not judged(f)], ids=lambda path: path.name)
def test_right_answers_are_graded_right_and_wrong_ones_wrong(folder):
    task = kit.read_task(folder)
    least, most = PARTIAL.get(task.grade.kind, (1.0, 0.0))
    for index, entry in enumerate(answers(folder)):
        item = task.item(index)
        right = [task.grade(text, item).score for text in entry["right"]]
        wrong = [task.grade(text, item).score for text in entry["wrong"]]
        assert min(right) >= least, (entry["id"], right)
        assert max(wrong) <= most, (entry["id"], wrong)
        assert min(right) - max(wrong) >= CLEARLY, (entry["id"], right, wrong)


def test_no_two_prompts_are_the_same_and_none_has_an_empty_field(folder):
    task = kit.read_task(folder)
    asked = [repr(task.request(kit.model("sonnet"), index).messages) for index in range(len(task))]
    assert len(set(asked)) == len(task)
    assert not any(re.search(r"\b(?:nan|None)\b\s*</", text) for text in asked)


def test_no_two_items_are_nearly_the_same(folder):
    cluster = about(folder).get("cluster")
    items = lines(folder / "items.jsonl")
    whole = [shingles(item["input"]) for item in items]
    asked = [shingles(item.get("question", item["input"])) for item in items]
    for one, two in combinations(range(len(items)), 2):
        # Those about one document may share it, but not what is asked about it.
        together = cluster is not None and items[one][cluster] == items[two][cluster]
        side = asked if together else whole
        assert likeness(side[one], side[two]) < 0.5, (items[one]["id"], items[two]["id"])


def test_difficulty_is_a_number_and_spread_so_that_models_can_differ(folder):
    difficulties = [item["difficulty"] for item in lines(folder / "items.jsonl")]
    assert all(isinstance(value, int | float) and -5 <= value <= 6 for value in difficulties)
    assert len(set(difficulties)) >= 8
    assert 0.08 <= sum(value >= 2 for value in difficulties) / len(difficulties) <= 0.4


def test_no_address_or_number_could_be_anybodys(folder):
    text = (folder / "items.jsonl").read_text("utf-8") + (folder / "answers.jsonl").read_text("utf-8")
    found = re.findall(r"[\w.+-]+@([\w-]+\.[\w.-]*\w)", text.lower())
    assert set(found) <= {"example.com", "example.org"}
    assert not re.search(r"\+\d{2}[\d ]{7,}|\(\d{3}\) \d{3}", text)


def test_long_texts_are_alike_by_a_sample_as_they_are_as_a_whole():
    words = [f"w{number}" for number in range(6000)]
    one, two = " ".join(words), " ".join(words[2000:] + ["other"] * 2000)
    assert likeness(shingles(one), shingles(two)) == pytest.approx(4000 / 6000, abs=0.08)
    assert likeness(shingles("a b c d"), shingles("a b c e")) == pytest.approx(1 / 3)


def test_support_triage_is_varied_and_spread():
    items = lines(DATA / "support_triage" / "items.jsonl")
    targets = Counter(item["target"] for item in items)
    assert len(targets) == 9
    assert min(targets.values()) >= 10
    assert len({item["language"] for item in items}) >= 5
    assert 0.15 < sum(item["language"] != "en" for item in items) / len(items) < 0.4
    assert min(len(item["input"].split()) for item in items) <= 10
    assert max(len(item["input"].split()) for item in items) >= 90
    assert {"low", "normal", "high"} == {item["urgency"] for item in items}


def shingles(text):
    """The smallest hashes of three words in a row: all of a short text's, a fair sample of a long one's."""
    words = re.findall(r"\w+", text.lower())
    rows = {" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))}
    return frozenset(sorted(zlib.crc32(row.encode()) for row in rows)[:SHINGLES])


def likeness(one, two):
    """The Jaccard index of two texts' shingles (Broder 1997, bottom-k)."""
    union = sorted(one | two)[:SHINGLES]
    both = one & two
    return sum(value in both for value in union) / len(union)
