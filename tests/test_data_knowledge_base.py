import json
import re
from collections import Counter
from pathlib import Path

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "knowledge_base"
ITEMS = [json.loads(line) for line in (FOLDER / "items.jsonl").read_text("utf-8").splitlines()]
NUMBER = re.compile(r"^\[(KB-\d\d)\] ", re.MULTILINE)


def test_there_are_enough_questions_and_a_fifth_cannot_be_answered():
    assert len(ITEMS) >= 60
    assert 0.18 <= sum(not item["answerable"] for item in ITEMS) / len(ITEMS) <= 0.25
    assert 0.08 <= sum(item["difficulty"] >= 2 for item in ITEMS) / len(ITEMS) <= 0.3
    assert len({item["language"] for item in ITEMS}) >= 5


def test_every_question_comes_with_five_articles_its_own_among_them():
    for item in ITEMS:
        shown = NUMBER.findall(item["articles"])
        assert len(set(shown)) == len(shown) == 5, item["id"]
        assert item["article"] in shown, item["id"]
        assert item["source"] == (item["article"] if item["answerable"] else "none"), item["id"]


def test_the_right_article_stands_at_every_place_and_reads_the_same_everywhere():
    places = Counter(NUMBER.findall(item["articles"]).index(item["article"]) for item in ITEMS)
    assert set(places) == set(range(5))
    texts = {}
    for item in ITEMS:
        for article in item["articles"].split("\n\n[KB-"):
            article = article.removeprefix("[KB-")
            texts.setdefault(article[:2], set()).add(article)
            assert 120 <= len(article.split()) <= 250
    assert len(texts) == 20
    assert all(len(each) == 1 for each in texts.values())


def test_no_fact_is_found_in_the_line_of_the_source():
    for item in ITEMS:
        target = item["target"] | {"must_not": [], "max_words": None}
        grade = kit.graders.facts()(f"Source: {item['source']}", {"target": target})
        assert grade.score <= 0.5, item["id"]
