import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "records"
ITEMS = [json.loads(line) for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]
BOOK = [json.loads(line) for line in (FOLDER / "answers.jsonl").read_text("utf-8").splitlines()]
PROMPT = kit.read_task(FOLDER).prompt


def test_there_are_forty_documents_of_four_kinds_and_several_languages():
    assert len(ITEMS) >= 40
    assert all(150 <= len(item["input"].split()) <= 500 for item in ITEMS)
    assert min(Counter(item["kind"] for item in ITEMS).values()) >= 6
    assert len({item["language"] for item in ITEMS}) >= 5
    assert 0.08 <= sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) <= 0.3
    assert len({re.search(r"P-\d{3}", item["input"])[0] for item in ITEMS}) == len(ITEMS)


def test_every_spelling_of_a_target_is_named_in_the_prompt():
    words = {word.strip() for word in re.split(r"[,\n:]", PROMPT)}
    for item in ITEMS:
        target = item["target"]
        used = {drug["name"] for drug in target["medications"]} | set(target["allergies"])
        used |= set(target["diagnoses"]) | {each["drug"] for each in target["contradictions"]}
        assert used <= words, (item["id"], used - words)


def test_drugs_and_doses_stand_in_the_text_and_no_drug_is_named_twice():
    for item in ITEMS:
        text = item["input"].lower()
        drugs = item["target"]["medications"]
        assert len({drug["name"] for drug in drugs}) == len(drugs), item["id"]
        for drug in drugs:
            shown = str(drug["dose"])
            assert re.search(rf"(?<![\d.,]){shown}(?![\d])|{shown.replace('.', ',')}", text), (
                item["id"],
                drug,
            )
            assert drug["unit"] in ("mg", "microgram", "g", "unit")
            if item["language"] == "en":
                assert drug["name"] in text, (item["id"], drug)


def test_contradictions_are_of_drugs_in_the_text_and_appointments_are_dates():
    kinds = Counter()
    for item in ITEMS:
        target = item["target"]
        named = {drug["name"] for drug in target["medications"]}
        for each in target["contradictions"]:
            kinds[each["kind"]] += 1
            assert each["drug"] in named or each["kind"] == "allergy", item["id"]
        assert item["contradicting"] == bool(target["contradictions"])
        assert target["follow_up"] is None or date.fromisoformat(target["follow_up"]).year in (2026, 2027)
    assert set(kinds) == {"allergy", "dose", "stopped"}
    assert min(kinds.values()) >= 4


def test_right_answers_are_wholly_right_and_wrong_ones_clearly_worse():
    task = kit.read_task(FOLDER)
    for index, entry in enumerate(BOOK):
        assert {task.grade(text, task.item(index)).score for text in entry["right"]} == {1.0}, entry["id"]
        assert max(task.grade(text, task.item(index)).score for text in entry["wrong"]) <= 0.85, entry["id"]
