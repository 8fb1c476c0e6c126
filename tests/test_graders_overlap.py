import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import graders, grades
from llmkit.errors import TaskError, UsageError


def score(grader, answer, target):
    return grader(answer, {"target": target}).score


@pytest.mark.parametrize(
    ("answer", "target", "f1", "exact"),
    [
        ("The cat sat.", "a cat sat", 1.0, 1.0),
        ("the cat sat on mats", "cat sat", 2 * 0.5 * 1.0 / 1.5, 0.0),
        ("dog dog cat", "dog cat cat", 2 / 3, 0.0),
        ("dog", "cat", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("the", "", 1.0, 1.0),
        ("cat", "", 0.0, 0.0),
        ("U.S.A.", "usa", 1.0, 1.0),
        ("an-other thing", "another thing", 1.0, 1.0),
        ("“cat”", "cat", 0.0, 0.0),
    ],
)
def test_squad_compares_words_without_case_punctuation_and_articles(answer, target, f1, exact):
    assert score(graders.token_f1(), answer, target) == pytest.approx(f1)
    assert score(graders.squad_exact(), answer, target) == exact


def test_the_nearest_of_several_targets_counts():
    grade = graders.token_f1()("Saint Bernadette", {"target": ["nobody", "Bernadette", "Saint Bernadette"]})
    assert grade.score == 1.0 and "'Saint Bernadette'" in grade.explanation
    assert score(graders.squad_exact(), "b", ["a house", "b"]) == 1.0


@pytest.mark.parametrize(
    ("answer", "target", "f1"),
    [
        ("red, Green", ["green", "red"], 1.0),
        ("- red\n- green\n- blue", "red; green", 0.8),
        ('Sure: ["red", "red"]', ["red"], 1.0),
        ("1. red\n2) green", ["red", "yellow"], 0.5),
        ("", [], 1.0),
        ("red", [], 0.0),
        ("none of them", ["red"], 0.0),
        ("7", [7], 1.0),
    ],
)
def test_sets_are_compared_without_order_and_repetition(answer, target, f1):
    assert score(graders.set_f1(), answer, target) == pytest.approx(f1)


def test_a_set_says_what_is_missing_and_what_is_too_much():
    grade = graders.set_f1(separator="|")("a, b|c", {"target": "a, b|d"})
    assert grade.extracted == '["a, b", "c"]' and grade.explanation == "missing d; extra c"
    with pytest.raises(TaskError, match="separator is empty"):
        graders.set_f1(separator="")


def test_rouge_counts_words_pairs_and_the_longest_common_sequence():
    answer, target = "police killed the gunman", "police kill the gunman"
    assert score(graders.rouge("1"), answer, target) == pytest.approx(0.75)
    assert score(graders.rouge("2"), answer, target) == pytest.approx(1 / 3)
    assert score(graders.rouge("L"), "the gunman police killed", target) == pytest.approx(0.5)
    assert score(graders.rouge("1", stemmer=True), answer, target) == 1.0
    assert score(graders.rouge("1", measure="recall"), "police", target) == 0.25
    assert score(graders.rouge("1", measure="precision"), "police", target) == 1.0
    with pytest.raises(TaskError, match="variant is '3'"):
        graders.rouge("3")


def test_bleu_and_chrf_run_from_0_to_1():
    text = "the quick brown fox jumps over the lazy dog"
    assert score(graders.bleu(), text, text) == pytest.approx(1.0)
    assert score(graders.chrf(), text, text) == pytest.approx(1.0)
    assert score(graders.chrf(word_order=2), text, text) == pytest.approx(1.0)
    assert score(graders.chrf(), "777", text) == 0.0
    # 4-grams by hand: 8/9 words, 6/8, 4/7 and 2/6 of the longer ones, geometric mean, no brevity penalty.
    other = "the quick brown fox jumped over the lazy dog"
    by_hand = math.exp(sum(map(math.log, (8 / 9, 6 / 8, 4 / 7, 2 / 6))) / 4)
    assert score(graders.bleu(), other, text) == pytest.approx(by_hand)
    assert graders.bleu()(text, {"target": ["other words", text]}).score == pytest.approx(1.0)


def test_a_missing_package_is_named_when_the_grader_is_made(monkeypatch):
    monkeypatch.setattr(grades, "find_spec", lambda module: None)
    for make in (lambda: graders.rouge(stemmer=True), graders.bleu, graders.chrf, graders.math_equal):
        with pytest.raises(UsageError, match=r"pip install 'llmkit\[graders\]'"):
            make()


def test_the_heavy_packages_are_not_loaded_until_they_grade():
    import subprocess

    code = "import sys, llmkit.graders as g; g.rouge(), g.bleu(), g.math_equal(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout
    assert not {"nltk", "sacrebleu", "sympy", "numpy", "pandas", "anthropic"} & set(loaded.split())


@given(st.text(), st.text())
def test_no_texts_break_an_overlap(answer, target):
    for grader in (graders.token_f1(), graders.squad_exact(), graders.set_f1(), graders.chrf()):
        assert 0.0 <= score(grader, answer, target) <= 1.0 + 1e-9
