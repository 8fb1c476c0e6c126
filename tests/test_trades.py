import math

import numpy as np
import pandas as pd
import pytest

import llmkit as kit
from llmkit.coin import Made
from llmkit.errors import UsageError
from llmkit.records import Request
from llmkit.trades import trade
from tests.test_replay import STRONG, WEAK, compared

NAMES = ("weak", "strong")


def routed(n=400):
    """A comparison in which long prompts are where the strong model pays."""
    answers = ["aB" if k % 10 >= 6 else "AB" if k % 10 else "Ab" for k in range(n)]
    return compared(*answers, costs=(1, 3), labels=NAMES, cluster="customer")


def test_the_pair_is_of_the_items_both_have_and_the_cheaper_is_weak():
    c = compared("Ab", "aB", "a?", "AB", costs=(2, 1), labels=("dear", "cheap"), cluster="customer")
    found = trade(c)
    assert (found.weak, found.strong, found.places) == ("cheap", "dear", (0, 1, 3))
    assert found.pair.weak_quality.tolist() == [0, 1, 1]
    assert found.pair.strong_cost.tolist() == pytest.approx([2, 16 / 7, 20 / 7])
    assert found.clusters == ("c0", "c0", "c1")
    assert not found.best.held_out


def test_of_three_models_the_ends_are_taken_or_the_two_that_are_named():
    c = compared("Abc", "aBC", "ABc")
    assert (trade(c).weak, trade(c).strong) == ("weak", "third")
    assert trade(c, ["third", "strong"]).weak == "strong"
    for wrong in (["weak"], ["weak", "nobody"], ["weak", "weak"], ["weak", "strong", "third"]):
        with pytest.raises(UsageError, match="give two of"):
            trade(c, wrong)


def test_an_item_without_a_cost_is_left_out_and_none_left_is_said():
    c = compared("Ab", "aB", labels=NAMES)
    c.frame.loc[0, "cost"] = math.nan
    assert trade(c).places == (1,)
    c.frame["cost"] = math.nan
    with pytest.raises(UsageError, match="no item has a grade and a known cost"):
        trade(c)


def test_with_repeats_the_oracle_does_not_take_luck_for_skill():
    c = compared("AbaB", "aBAb", "ABab", "abAB", labels=NAMES)
    assert trade(c).best.held_out


def test_headroom_names_the_models_and_counts_the_clusters():
    found = routed().headroom()
    assert found.go
    assert found.n == 400
    assert found.sentence.startswith("Strong is 30.0 points better")
    assert kit.Comparison.headroom(compared("AB", "AB", labels=NAMES)).no_choice


def test_a_router_is_fitted_routes_and_is_judged_out_of_fold():
    c = routed()
    texts = [c.task.prompt_of(k) for k in range(400)]
    with pytest.warns(UserWarning, match="400 graded items"):
        router = kit.fit_router(c, folds=4)
    assert set(router.folds.values()) == {0, 1, 2, 3}
    at = router.cut(texts, 0.4)
    policy = kit.route(WEAK, STRONG, by=router, at=at, label="learned")
    r = kit.replay(c, [WEAK, STRONG, policy])
    assert r.table.loc["learned", "moved"] == pytest.approx(0.4, abs=0.05)
    assert math.isinf(router.cut(texts, 0.0))
    assert (router.scores(texts) >= router.cut(texts, 1.0)).all()
    with pytest.raises(UsageError, match="share is 2"):
        router.cut(texts, 2)


def test_groups_are_a_column_or_labels_and_stay_together():
    c = routed()
    c.task.frame["kind"] = [f"k{k % 10}" for k in range(400)]
    for groups in ("kind", c.task.frame["kind"].tolist()):
        with pytest.warns(UserWarning, match="400"):
            router = kit.fit_router(c, groups=groups, categories="kind", words=False)
        folds = pd.Series([router.folds[mark] for mark in router.folds])
        assert np.array_equal(np.sort(folds.value_counts().to_numpy()), [80] * 5)
        assert len(router.whole.categories) == 10
    with pytest.raises(UsageError, match="no column 'nothing'"):
        kit.fit_router(c, groups="nothing")
    with pytest.raises(UsageError, match="3 labels for 400 items"):
        kit.fit_router(c, groups=[1, 2, 3])


def test_too_few_items_are_refused_in_words():
    with pytest.raises(UsageError, match="too few to learn a router"):
        kit.fit_router(compared("Ab", "aB", "aB", labels=NAMES))


def test_what_simulated_answers_say_is_marked():
    c = routed()
    c.frame["simulated"] = True
    assert c.headroom().sentence.startswith("SIMULATED answers: Strong is")
    with pytest.warns(UserWarning, match="400"):
        router = kit.fit_router(c)
    assert router.note.startswith("learned from SIMULATED answers; learned from 400 graded items")
    assert router.note in repr(router)
    assert "SIMULATED" not in routed().headroom().sentence


def in_both(pays, *, cluster=None):
    """A comparison that holds a cascade itself, whose check knows or does not."""
    texts = [("Ab", "aB", "AB", "aB", "AB")[k % 5] for k in range(200)]
    up = [text[0] == "a" if pays else k % 3 == 0 for k, text in enumerate(texts)]
    answers = [text + (text[1] if moved else text[0]) for text, moved in zip(texts, up, strict=True)]
    c = compared(*answers, costs=(1, 10, 0), labels=("weak", "strong", "cascade"), cluster=cluster)
    frame = c.frame.set_index(["item", "model"])
    for k, moved in enumerate(up):
        row = (f"i{k}", "cascade")
        frame.loc[row, "cost"] = (1 + 10 * moved) * (1 + k / 7)
        frame.loc[row, "served"] = "strong" if moved else "weak"
    made = {"cascade": Made("cascade", NAMES)}
    return kit.Comparison(c.task, c.labels, frame.reset_index(), policies=made)


def test_a_comparison_says_in_its_verdict_whether_its_policies_pay():
    good, bad = in_both(pays=True), in_both(pays=False)
    assert "Switching pays here. cascade pays: it beats a coin" in good.verdict.sentence
    assert good.switching["cascade"].p < 0.01
    assert "Switching is not shown to pay here. cascade does not beat a coin" in repr(bad)
    assert in_both(pays=True, cluster="customer").switching["cascade"].p < 0.01


def test_a_policy_takes_no_part_in_choosing_the_pair():
    c = in_both(pays=True)
    assert (trade(c).weak, trade(c).strong) == NAMES


def test_a_comparison_of_models_says_nothing_of_switching():
    assert len(routed().switching) == 0
    assert "witching" not in routed().verdict.sentence


def test_a_policy_whose_models_were_not_compared_is_left_out():
    c = in_both(pays=True)
    part = kit.Comparison(c.task, ["weak", "cascade"], c.frame, policies=c.policies)
    assert len(part.switching) == 0


def test_headroom_names_more_effort_and_a_retry_where_they_were_compared():
    answers = [("aBBA", "ABBA", "aBBa", "AbbA", "abba")[k % 5] for k in range(200)]
    names = ("weak", "strong", "weak, high", "again")
    c = compared(*answers, costs=(1, 9, 2, 2), labels=names)
    c.frame.loc[c.frame["model"] == "weak, high", "served"] = "weak"
    c.defaults = {"weak": Request(effort="low"), "weak, high": Request(effort="high"), "strong": Request()}
    c.policies = {"again": Made("other", ("weak",))}
    said = c.headroom().sentence
    assert "weak, high (more effort on weak, no switch) pays" in said
    assert "It is no worse than strong at 0.22 of its cost, so there is nothing to switch for." in said
    assert "again (a retry of weak, no switch)" in said
