import json
import re
from collections import Counter
from pathlib import Path

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "summaries"
ITEMS = [json.loads(line) for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]
BOOK = [json.loads(line) for line in (FOLDER / "answers.jsonl").read_text("utf-8").splitlines()]


def test_there_are_enough_documents_of_three_kinds_and_both_shapes():
    assert len(ITEMS) >= 50
    assert all(250 <= len(item["input"].split()) <= 600 for item in ITEMS)
    assert min(Counter(item["kind"] for item in ITEMS).values()) >= 12
    assert min(Counter(item["shape"] for item in ITEMS).values()) >= 18
    assert len({item["language"] for item in ITEMS}) >= 4
    assert 0.08 <= sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) <= 0.3


def test_every_item_asks_for_facts_and_forbids_what_it_tempts_to():
    for item in ITEMS:
        assert len(item["target"]["must"]) >= 4, item["id"]
        assert item["target"]["must_not"], item["id"]
        assert item["target"]["max_words"] == 80


def test_a_figure_that_is_required_stands_in_the_document():
    for item in ITEMS:
        plain = item["input"].replace(",", "").replace(".", "")
        for spellings in item["target"]["must"]:
            figures = [re.findall(r"\d+", re.sub(r"[,.]|re:.*", "", each)) for each in spellings]
            if all(figures):
                assert any(set(each) <= set(re.findall(r"\d+", plain)) for each in figures), (
                    item["id"],
                    spellings,
                )


def test_half_of_a_right_summary_gets_part_of_the_score():
    scores = []
    for item, entry in zip(ITEMS, BOOK, strict=True):
        words = entry["right"][0].split()
        half = " ".join(words[: len(words) // 2])
        target = item["target"] | {"lines": None, "lines_start_with": None}
        scores.append(kit.graders.facts()(half, {"target": target}).score)
    assert sum(score < 1 for score in scores) >= 45
    assert sum(score > 0 for score in scores) >= 40
