import pandas as pd
import pytest

import llmkit as kit
from llmkit import human
from llmkit.errors import StoreError, UsageError
from llmkit.store import Store
from tests.spoken import spoken


@pytest.fixture
def kept():
    store = human.own_store()
    yield human.Kept(store)
    store.close()


def test_the_last_word_counts_and_can_be_taken_back(kept):
    kept.say("k", "1", kind="grade", note="sure")
    kept.say("k", "0", kind="grade")
    assert {key: (word.value, word.note) for key, word in kept.find(["k", "other"]).items()} == {
        "k": ("0", "")
    }
    kept.forget("k")
    assert kept.find(["k"]) == {}


def test_a_grade_goes_with_the_answers_text(kept):
    c = spoken(2)
    row = c.frame.iloc[0].to_dict()
    kept.say(human.answer_key("spoken", row), "0.5", kind="grade", note="half")
    found = human.grades("spoken", c.frame, kept)
    assert found[["item", "model", "human", "note"]].to_numpy().tolist() == [["0", "Sonnet", 0.5, "half"]]
    c.frame.loc[0, "answer"] = "another answer"
    assert human.grades("spoken", c.frame, kept).empty
    assert human.grades("other task", spoken(2).frame, kept).empty


def test_words_outlive_the_program_in_a_file(tmp_path):
    path = tmp_path / "words.sqlite"
    first = Store(path, schema=human.SCHEMA)
    human.Kept(first).say("k", "tie", kind="vote")
    first.close()
    second = Store(path, schema=human.SCHEMA)
    assert human.Kept(second).find(["k"])["k"].value == "tie"
    second.close()
    with pytest.raises(StoreError, match="closed"):
        human.Kept(second).say("k", "tie", kind="vote")


def test_people_come_first_and_the_machines_grade_stays_beside(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    c = spoken(4)
    given = pd.DataFrame({"item": ["0"], "model": ["Sonnet"], "repeat": [0], "human": [1.0]})
    d = c.with_human(given)
    mine = (d.frame["item"] == "0") & (d.frame["model"] == "Sonnet")
    assert d.frame.loc[mine, ["score", "machine_score"]].to_numpy().tolist() == [[1.0, 0.0]]
    assert d.frame.loc[~mine, "score"].tolist() == c.frame.loc[~mine, "score"].tolist()
    assert c.frame.loc[mine, "score"].tolist() == [0.0]
    assert "1 of 8 grades are by people" in repr(d)
    again = d.with_human(given.assign(human=0.5))
    assert again.frame.loc[mine, ["score", "machine_score"]].to_numpy().tolist() == [[0.5, 0.0]]
    assert c.human().empty


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"item": ["0"], "human": [1]}, "lack the column"),
        ({"item": ["9"], "model": ["Opus"], "repeat": [0], "human": [1]}, "no answer belongs to 1"),
        ({"item": ["0"] * 2, "model": ["Opus"] * 2, "repeat": [0] * 2, "human": [1, 0]}, "twice"),
    ],
)
def test_grades_that_belong_nowhere_are_refused(given, said):
    with pytest.raises(UsageError, match=said):
        human.with_grades(spoken(2).frame, pd.DataFrame(given))


@pytest.mark.parametrize("typed", ["", "good", "nan", "inf"])
def test_a_grade_is_a_finite_number(typed):
    with pytest.raises(UsageError, match="1 for right and 0 for wrong"):
        human.score_of(typed)
