import re
from functools import partial

import pytest

from llmkit import graded, graders, graders_text
from llmkit.grades import Grade, Grader
from llmkit.store import Store

ITEMS = [{"text": "a", "target": "yes"}, {"text": "b", "target": "yes"}]


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "s.sqlite", schema=graded.SCHEMA)
    yield made
    made.close()


def row(score, cost=0.25, extracted="yes"):
    return (
        score,
        extracted,
        "why",
        "ok",
        cost,
        10,
        5,
        1.5,
        None,
        1,
        "opus",
        "req_1",
        None,
        "anthropic",
        0.1,
        0.0,
        0.15,
        0.0,
        0.0,
        0.0,
        "opus",
    )


def found_at(store, wanted):
    """Place -> fields, of all that is found."""
    return {
        place: tuple(columns[name][at] for name in graded.FIELDS)
        for places, columns in graded.find(store, wanted)
        for at, place in enumerate(places)
    }


def test_a_kept_grade_is_found_at_its_place_by_recording_and_rubric(store):
    graded.keep(store, [("k1", "r1", *row(1.0)), ("k1", "r2", *row(0.0)), ("k2", "r1", *row(0.5, None))])
    found = found_at(store, [("none", "r1"), ("k2", "r1"), ("k1", "r2"), ("k1", "other")])
    assert found == {1: row(0.5, None), 2: row(0.0)}
    assert found_at(store, []) == {}


def test_thousands_are_found_each_at_its_place(store):
    graded.keep(store, [(f"k{n}", "r", *row(n / 5000)) for n in range(5000)])
    wanted = [(f"k{n}", "r" if n % 10 else "other") for n in range(4999, -1, -1)]
    found = found_at(store, wanted)
    assert sorted(found) == [place for place in range(5000) if (4999 - place) % 10]
    assert all(values[0] == (4999 - place) / 5000 for place, values in found.items())


def test_a_rubric_changes_with_the_item_the_grader_and_its_options():
    same = graded.rubrics(graders.choice(["yes", "no"]), ITEMS)
    assert same == graded.rubrics(graders.choice(["yes", "no"]), [dict(item) for item in ITEMS])
    others = [
        graders.choice(["yes", "No"]),
        graders.exact(),
        graders.exact(normalize=False),
        graders.contains(),
        graders.number(),
        graders.number(tolerance=0.1),
    ]
    every = [*same, *(rubric for grader in others for rubric in graded.rubrics(grader, ITEMS))]
    assert len(set(every)) == len(every)


def test_a_function_of_the_users_cannot_be_vouched_for():
    def mine(answer, item):
        return Grade(1.0)

    for grader in (
        mine,
        Grader("mine", mine),
        Grader("part", partial(mine, 1)),
        Grader("so", lambda a, b: 1),
    ):
        assert graded.rubrics(grader, ITEMS) is None
    assert graded.rubrics(Grader("open", partial(graders_text._exact, normalize=object())), ITEMS) is None


def test_a_grader_made_of_one_of_ours_is_told_apart_by_all_its_parts():
    def over(pattern):
        parts = {"known": {"a": "A"}, "pattern": re.compile(pattern)}
        return graded.rubrics(Grader("choice", partial(graders_text._choice, **parts)), ITEMS)

    assert over("a") == over("a") != over("b")


def test_a_rubric_changes_with_the_package_that_grades(monkeypatch):
    before = graded.rubrics(graders.exact(), ITEMS)
    monkeypatch.setattr(graded, "version", lambda package: "0.0.1")
    graded._source.cache_clear()
    after = graded.rubrics(graders.exact(), ITEMS)
    graded._source.cache_clear()
    assert set(before).isdisjoint(after)
