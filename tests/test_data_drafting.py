"""The drafting folder: briefs of every kind, whose house rules and limits are truly checked."""

from collections import Counter
from pathlib import Path

import pytest

import llmkit as kit

FOLDER = Path(__file__).parent.parent / "data" / "drafting"


@pytest.fixture(scope="module")
def task():
    return kit.read_task(FOLDER)


@pytest.fixture(scope="module")
def drafts(task):
    """Each item with its right draft."""
    return [
        (task.item(index), entry["right"][0])
        for index, entry in zip(range(len(task)), task.rehearsal(), strict=True)
    ]


def test_every_kind_and_several_languages_are_there(task):
    kinds = Counter(task.frame["kind"])
    assert len(task) >= 60
    assert set(kinds) == {"reply", "product text", "subject lines", "campaign", "release notes", "notice"}
    assert min(kinds.values()) >= 5
    assert task.frame["language"].nunique() >= 6
    assert 0.1 < (task.frame["difficulty"] >= 2).mean() < 0.3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda draft: draft + "!",
        lambda draft: "Sure, here is the text:\n" + draft,
        lambda draft: "# Draft\n" + draft,
        lambda draft: draft + " 🌷",
        lambda draft: " ".join(draft.split()[: len(draft.split()) // 3]),
        lambda draft: "",
    ],
    ids=["exclamation mark", "preamble", "heading", "emoji", "cut short", "empty"],
)
def test_a_right_draft_that_breaks_a_house_rule_is_wrong(task, drafts, spoil):
    assert [item["id"] for item, draft in drafts if task.grade(spoil(draft), item).score] == []


def test_a_draft_that_goes_on_and_on_is_wrong_wherever_length_is_limited(task, drafts):
    limited = [(item, draft) for item, draft in drafts if set(item["target"]) & {"max_words", "max_chars"}]
    assert len(limited) > len(drafts) / 2
    assert not any(task.grade(draft + " and so on" * 60, item).score for item, draft in limited)


def test_line_ends_and_blanks_at_the_end_do_not_spoil_a_draft(task, drafts):
    assert all(task.grade(draft + "\n", item).score == 1.0 for item, draft in drafts)


def test_each_draft_is_the_answer_to_its_own_brief_only(task, drafts):
    items = [item for item, _ in drafts]
    for place, (_, draft) in enumerate(drafts):
        fits = [other for other, item in enumerate(items) if task.grade(draft, item).score]
        assert fits == [place], items[place]["id"]


def test_wrong_drafts_fail_by_what_they_say_and_by_how_they_are_built(task):
    said = Counter()
    for index, entry in zip(range(len(task)), task.rehearsal(), strict=True):
        for text in entry["wrong"]:
            why = task.grade(text, task.item(index)).explanation
            said.update({part.split(":")[0].split(" ")[0] for part in why.split("; ")})
    assert said["missing"] >= 30
    assert said["forbidden"] >= 30
    assert said["max_words"] + said["max_chars"] + said["lines"] + said["starts_with"] >= 8
