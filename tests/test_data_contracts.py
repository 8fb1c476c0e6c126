import json
import math
import re
from collections import Counter
from datetime import date
from pathlib import Path

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "contracts"
ITEMS = [json.loads(line) for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]
BOOK = [json.loads(line) for line in (FOLDER / "answers.jsonl").read_text("utf-8").splitlines()]
CLAUSES = [name for name, value in ITEMS[0]["target"].items() if isinstance(value, bool)]
NEEDS = {
    "renewal_notice_days": "auto_renewal",
    "convenience_notice_days": "termination_for_convenience",
    "cap_amount": "liability_cap",
    "law": "governing_law",
}


def test_there_are_thirty_long_contracts_of_ten_kinds_in_a_folder_that_stays_small():
    assert len(ITEMS) == 30
    assert set(Counter(item["contract"] for item in ITEMS).values()) == {3}
    assert all(1800 <= len(item["input"].split()) <= 3500 for item in ITEMS)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 700_000
    assert 0.08 <= sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) <= 0.3


def test_the_sentence_of_every_clause_in_force_occurs_in_the_contract():
    for item in ITEMS:
        assert set(item["evidence"]) == {name for name in CLAUSES if item["target"][name]}, item["id"]
        for name, sentence in item["evidence"].items():
            assert item["input"].count(sentence) == 1, (item["id"], name)


def test_every_clause_is_often_there_and_often_not():
    for name in CLAUSES:
        assert 8 <= sum(item["target"][name] for item in ITEMS) <= 22, name


def test_facts_go_with_their_clauses_and_stand_in_the_text():
    for item in ITEMS:
        target, text = item["target"], item["input"]
        for fact, clause in NEEDS.items():
            assert (target[fact] is not None) == target[clause], (item["id"], fact)
            if target[fact] is not None:
                shown = f"{target[fact]:,}" if fact == "cap_amount" else str(target[fact])
                assert re.search(rf"(?<!\d){shown}", text), (item["id"], fact)
        start = date.fromisoformat(target["start_date"])
        assert f"{start.day} {start:%B} {start.year}" in text, item["id"]
        assert target["payment_days"] is None or f"{target['payment_days']} days" in text, item["id"]


def test_right_answers_are_wholly_right_and_wrong_ones_clearly_worse():
    task = kit.read_task(FOLDER)
    for index, entry in enumerate(BOOK):
        scores = [task.grade(text, task.item(index)).score for text in entry["wrong"]]
        assert {task.grade(text, task.item(index)).score for text in entry["right"]} == {1.0}, entry["id"]
        assert max(scores) <= 0.75, entry["id"]
        assert not any(math.isnan(score) for score in scores)
