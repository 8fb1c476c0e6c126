"""The documents of data/extraction: their sums, dates and quotes hold, and wrong answers lose some fields only."""

import datetime
import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

import llmkit as kit
from llmkit.grades import fold

FOLDER = Path(__file__).parent.parent / "data" / "extraction"
ITEMS = [json.loads(line) for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]
BOOK = [json.loads(line) for line in (FOLDER / "answers.jsonl").read_text("utf-8").splitlines()]
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
ANSWERED_BY_A_RULE = {"type", "currency", "payment", "partial_delivery", "complete", "breakfast", "consent"}
MONTHS = (
    *(
        "jan gen ene sty",
        "feb fév lut",
        "mar mär mrt",
        "apr avr abr kwi",
        "may mai mag mei maj",
        "jun jui giu cze",
    ),
    *(
        "jul jui lug lip",
        "aug aoû ago sie",
        "sep set wrz",
        "oct okt ott out paź",
        "nov lis",
        "dec déc dic dez gru",
    ),
)


def exact(value):
    return Decimal(str(value or 0))


def leaves(value, path=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def numbers(text):
    """Every number the text may hold, points and commas read either way."""
    found = set()
    for match in re.findall(r"\d[\d.,'’]*(?: \d{3}(?:[.,]\d+)?)*", text):
        for token in {match, *match.split()}:
            digits = re.sub(r"[ '’]", "", token).strip(".,")
            for grouping, point in ((",", "."), (".", ",")):
                value = digits.replace(grouping, "").replace(point, ".")
                if value.count(".") <= 1:
                    found.add(Decimal(value))
    return found


def names_the_day(text, day):
    words = {word[:3] for word in re.findall(r"[^\W\d_]+", text.lower())}
    held = numbers(text) | {Decimal(run) for run in re.findall(r"\d+", text)}
    year = {Decimal(day.year), Decimal(day.year % 100)} & held
    month = Decimal(day.month) in held or words & set(MONTHS[day.month - 1].split())
    return bool(year and month and Decimal(day.day) in held)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["id"])
def test_what_the_target_quotes_stands_in_the_document(item):
    text, flat = item["input"], " ".join(fold(item["input"]).split())
    for path, value in leaves(item["target"]):
        name = path.rpartition(".")[2]
        if value is None or path in item["derived"] or name in ANSWERED_BY_A_RULE or path == "nights":
            continue
        if isinstance(value, str) and DATE.fullmatch(value):
            assert names_the_day(text, datetime.date.fromisoformat(value)), (path, value)
        elif isinstance(value, str) and name == "time":
            hours, minutes = (int(part) for part in value.split(":"))
            ways = {f"{hour}{colon}{minutes:02d}" for hour in (hours, hours % 12) for colon in ":.h"}
            assert any(way in text for way in ways), (path, value)
        elif isinstance(value, str):
            assert fold(value) in flat, (path, value)
        else:
            assert exact(value) in numbers(text), (path, value)


def test_every_item_has_the_fields_of_its_kind_and_the_prompt_names_them():
    prompt = kit.read_task(FOLDER).prompt
    for item in ITEMS:
        first = next(other for other in ITEMS if other["kind"] == item["kind"])["target"]
        paths = {path for path, _ in leaves(item["target"])}
        assert list(item["target"]) == list(first), item["id"]
        assert set(item["derived"]) <= paths, item["id"]
        assert all(path.rpartition(".")[2] in prompt for path in paths), item["id"]


@pytest.mark.parametrize(
    "item", [one for one in ITEMS if one["kind"] == "invoice"], ids=lambda item: item["id"]
)
def test_the_sums_of_an_invoice_hold(item):
    target = item["target"]
    lines = target["lines"]
    plain = [exact(one["quantity"]) * exact(one["unit_price"]) == exact(one["amount"]) for one in lines]
    assert all(plain) != ("line_discount" in item["traits"])
    assert plain.count(False) <= 1
    goods = sum(exact(one["amount"]) for one in lines)
    assert goods - exact(target["discount"]) + exact(target["shipping"]) == exact(target["net"])
    assert exact(target["net"]) + exact(target["tax"]) == exact(target["total"])
    assert target["due_date"] is None or target["due_date"] > target["date"]


def test_the_other_kinds_are_consistent_too():
    for item in ITEMS:
        target = item["target"]
        if item["kind"] == "delivery_note":
            full = all(
                line["ordered"] is None or line["delivered"] >= line["ordered"] for line in target["lines"]
            )
            assert target["complete"] == full, item["id"]
        if item["kind"] == "booking":
            stay = [datetime.date.fromisoformat(target[end]) for end in ("check_in", "check_out")]
            assert (stay[1] - stay[0]).days == target["nights"], item["id"]
            assert target["cancel_until"] is None or target["cancel_until"] < target["check_in"]
        if item["kind"] == "timesheet":
            assert sum(exact(day["hours"]) for day in target["days"]) == exact(target["total_hours"])
            assert all(target["start"] <= day["date"] <= target["end"] for day in target["days"]), item["id"]


def test_field_by_field_a_wrong_answer_is_below_a_right_one():
    share = kit.graders.json_fields()
    scores = []
    for item, entry in zip(ITEMS, BOOK, strict=True):
        assert {share(text, item).score for text in entry["right"]} == {1.0}
        scores += [share(text, item).score for text in entry["wrong"]]
    assert max(scores) < 1
    assert any(score == 0 for score in scores)
    assert sum(score > 0.8 for score in scores) > len(scores) / 2


def test_kinds_languages_traps_and_difficulties_are_spread():
    assert len(ITEMS) >= 120
    kinds = Counter(item["kind"] for item in ITEMS)
    assert len(kinds) == 7
    assert min(kinds.values()) >= 10
    assert len({item["language"] for item in ITEMS}) >= 10
    assert 0.08 < sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) < 0.3
    traits = Counter(trait for item in ITEMS for trait in item["traits"])
    assert (
        min(
            traits[name]
            for name in ("injection", "crossed_out", "ocr_errors", "missing_fields", "correction")
        )
        >= 6
    )
