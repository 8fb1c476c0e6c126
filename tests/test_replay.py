import math
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmkit as kit
from llmkit import checks
from llmkit.answers import Answers
from llmkit.compare import COLUMNS
from llmkit.comparison import Comparison
from llmkit.errors import NotRecorded, UsageError
from llmkit.recordings import OnlyRecorded
from llmkit.records import Cost, Request
from llmkit.replay import replay
from llmkit.rerun import Rerun


def unasked(label, **defaults):
    """A model nobody may ask."""
    return OnlyRecorded(label, label, Request(**defaults))


WEAK, STRONG, THIRD = unasked("weak"), unasked("strong"), unasked("third", effort="low")
BROKEN = {"busy": "Busy: overloaded", "stop": "Rejected: wrong", "cut": "Partial: cut off"}


def compared(*answers, costs=(1.0, 2.0, 4.0), labels=("weak", "strong", "third"), cluster=None):
    """A comparison of one-letter answers: a text for each model (and repeat), a capital one is right.

    "!" is a call that failed and may be asked of another, "x" one that failed for good, "-" is not there,
    "?" an answer that nobody could grade.
    """
    rows = []
    for n, texts in enumerate(answers):
        for place, text in enumerate(texts):
            label, repeat = labels[place % len(labels)], place // len(labels)
            if text == "-":
                continue
            row = dict.fromkeys(COLUMNS)
            row |= {"item": f"i{n}", "model": label, "repeat": repeat, "answer": text, "simulated": False}
            row |= {"score": float(text.isupper()), "outcome": "ok", "latency": 1.0 + n, "served": label}
            row |= {"cost": costs[place % len(labels)] * (1 + n / 7), "origin": "live"}
            row["customer"] = f"c{n // 2}"
            if text in "!x":
                row |= {"outcome": "error", "score": math.nan, "cost": math.nan, "latency": math.nan}
                row |= {"answer": None, "error": BROKEN["busy" if text == "!" else "stop"]}
            if text == "?":
                row["score"] = math.nan
            rows.append(row)
    items = pd.DataFrame({"id": [f"i{n}" for n in range(len(answers))], "target": "A"})
    items["text"] = ["word " * (n + 1) for n in range(len(answers))]
    items["customer"] = [f"c{n // 2}" for n in range(len(answers))]
    grade = kit.graders.exact()
    task = kit.Task(items, prompt="{text}", target="target", grade=grade, id="id", cluster=cluster)
    return Comparison(task, list(labels), pd.DataFrame(rows))


def capital(prompt, response):
    return response.text.isupper(), "" if response.text.isupper() else "no capital"


careful = kit.cascade(WEAK, STRONG, accept=capital, label="careful")


def test_a_cascade_is_replayed_with_its_drafts_costs_and_waits():
    r = replay(compared("Ab", "aB", "ab", costs=(1, 2), labels=("weak", "strong")), [WEAK, STRONG, careful])
    rows = r.frame[r.frame["policy"] == "careful"]
    assert rows["score"].tolist() == [1, 1, 0]
    assert rows["cost"].tolist() == pytest.approx([1, 3 * 8 / 7, 3 * 9 / 7])
    assert rows["latency"].tolist() == [1, 4, 6]
    assert rows["served"].tolist() == ["weak", "strong", "strong"]
    assert rows["why"].tolist() == ["", "no capital", "no capital"]
    assert [[step[0] for step in steps] for steps in rows["steps"]] == [
        ["answer"],
        *[["draft", "answer"]] * 2,
    ]
    assert r.table.loc["careful", "n"] == 3
    assert r.table.loc["careful", "moved"] == pytest.approx(2 / 3)
    assert r.table.loc["careful", "calls"] == pytest.approx(5 / 3)
    assert r.table.loc["weak", "moved"] == 0


def test_the_arms_of_a_policy_are_what_a_judgement_needs():
    c = compared("Ab", "aB", "a?", "AB", costs=(1, 2), labels=("weak", "strong"), cluster="customer")
    arms = replay(c, [WEAK, STRONG, careful]).arms(careful)
    assert (arms.weak, arms.strong, arms.items) == ("weak", "strong", ("i0", "i1", "i3"))
    assert arms.clusters == ("c0", "c0", "c1")
    assert arms.q_w.tolist() == [1, 0, 1]
    assert arms.q_s.tolist() == [0, 1, 1]
    assert arms.c_s.tolist() == pytest.approx([2, 2 * 8 / 7, 2 * 10 / 7])
    assert arms.moved.tolist() == [False, True, False]
    assert arms.q.tolist() == [1, 1, 1]
    assert (arms.c - arms.c_w).tolist() == pytest.approx([0, 2 * 8 / 7, 0])


def test_policies_are_held_against_a_coin_in_words():
    c = compared(*[("Ab", "aB", "aB", "AB", "AB")[k % 5] for k in range(300)], labels=("weak", "strong"))
    blind, same = kit.mix(WEAK, STRONG, p=0.4, label="coin"), kit.fallback(WEAK, STRONG, label="safe")
    found = replay(c, [WEAK, STRONG, careful, blind, same]).verdicts
    assert [verdict.label for verdict in found.verdicts] == ["careful", "coin", "safe"]
    assert found["careful"].figures.moved == pytest.approx(0.4)
    assert found["careful"].pays
    assert found["careful"].p < 0.01
    assert "coin does not beat a coin" in found["coin"].sentence
    assert found["safe"].p == 1
    assert found["safe"].figures.gain == pytest.approx(0)


def test_a_pair_without_a_trade_off_is_said_for_each_policy():
    c = compared(*["AB", "Ab"] * 20, labels=("weak", "strong"))
    assert "no trade-off between weak and strong" in repr(replay(c, [careful]).verdicts)


def test_a_mix_is_the_chord_in_expectation():
    answers = [("Ab", "aB", "AB", "ab")[n % 4] for n in range(40)]
    c = compared(*answers, costs=(1, 3), labels=("weak", "strong"))
    coins = [kit.mix(WEAK, STRONG, p=0.3, seed=seed, label=f"coin {seed}") for seed in range(300)]
    r = replay(c, [WEAK, STRONG, *coins])
    for column in ("quality", "cost"):
        weak, strong, drawn = r.table.loc["weak", column], r.table.loc["strong", column], r.table[column][2:]
        error = 4 * drawn.std() / len(drawn) ** 0.5
        assert drawn.mean() == pytest.approx(weak + 0.3 * (strong - weak), abs=error)
        assert drawn.std() > 0


def test_a_fallback_around_a_cascade_replays_identically_to_the_cascade():
    r = replay(_pairs(1307), [careful, kit.fallback(careful, STRONG, label="safe")])
    one, two = (r.frame[r.frame["policy"] == label].drop(columns="policy") for label in ("careful", "safe"))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), two.reset_index(drop=True))


def _pairs(n):
    return compared(*[("Ab", "aB", "AB", "ab")[k % 4] for k in range(n)], labels=("weak", "strong"))


def test_a_fallback_is_served_by_the_next_where_the_first_failed():
    c = compared("!b", "Ab", "xB", labels=("weak", "strong"))
    r = replay(c, [kit.fallback(WEAK, STRONG, label="safe")])
    rows = r.frame
    assert rows["served"].fillna("nobody").tolist() == ["strong", "weak", "nobody"]
    assert rows["score"].tolist()[:2] == [0, 1]
    assert rows["score"].isna().tolist() == [False, False, True]
    assert [step[0] for step in rows["steps"][0]] == ["failed", "answer"]
    assert rows["cost"][0] == 2.0


def test_a_failed_grade_stays_missing_and_leaves_its_item_out_for_all():
    r = replay(compared("Ab", "?B", "aB", labels=("weak", "strong")), [WEAK, STRONG])
    assert r.frame["score"].isna().tolist() == [False, True, False, False, False, False]
    assert r.table["n"].tolist() == [2, 2]
    assert r.table["quality"].tolist() == [0.5, 0.5]


def test_items_of_a_run_that_stopped_early_are_left_out_and_said():
    r = replay(compared("Ab", "a-", "AB", labels=("weak", "strong")), [WEAK, careful])
    assert r.table["n"].tolist() == [2, 2]
    assert "1 item(s) are left out" in repr(r)


def test_repeats_are_replayed_as_far_as_they_reach():
    c = compared("AaAbbB", "aaABBb", labels=("weak", "strong"))
    r = replay(
        c, [WEAK, kit.vote(WEAK, k=3, label="vote"), kit.cascade(WEAK, WEAK, accept=capital, label="again")]
    )
    counted = r.frame.groupby("policy")["repeat"].nunique()
    assert (counted["weak"], counted["vote"], counted["again"]) == (3, 1, 1)
    assert r.frame[r.frame["policy"] == "vote"]["score"].tolist() == [1, 0]


# Refusals


def test_a_draft_passed_on_is_refused_with_what_is_missing_and_its_price():
    told = kit.cascade(WEAK, STRONG, accept=capital, pass_draft=True, label="told")
    with pytest.raises(NotRecorded, match=r"'told' would ask .*: 2 calls of strong for about \$") as caught:
        replay(_pairs(4), [told])
    price = float(re.search(r"\$(\d+\.\d+)", str(caught.value))[1])
    assert price == pytest.approx(2 * 2 * np.mean([1, 8 / 7, 9 / 7, 10 / 7]), rel=1e-3)


def test_a_draft_that_nobody_needs_is_not_missed():
    told = kit.cascade(WEAK, STRONG, accept=capital, pass_draft=True, label="told")
    r = replay(compared("Ab", "AB", labels=("weak", "strong")), [told])
    assert r.frame["score"].tolist() == [1, 1]


def test_other_settings_are_refused():
    c = _pairs(4)
    c.defaults = {"weak": Request(effort="low"), "strong": Request()}
    with pytest.raises(NotRecorded, match="4 calls of weak"):
        replay(c, [unasked("weak", effort="high")])
    assert len(replay(c, [unasked("weak", effort="low")])) == 1


def test_more_votes_than_repeats_are_refused():
    with pytest.raises(NotRecorded, match=r"8 calls of weak"):
        replay(_pairs(4), [kit.vote(WEAK, k=3)])


def test_a_judge_nobody_asked_is_refused_and_all_gaps_are_told_at_once():
    judged = kit.cascade(WEAK, STRONG, accept=checks.judge(unasked("judge"), "good"), label="judged")
    agreed = kit.cascade(WEAK, STRONG, accept=checks.agrees(2), label="agreed")
    with pytest.raises(NotRecorded, match=r"4 calls of judge at an unknown price; 4 calls of weak for"):
        replay(_pairs(4), [judged, agreed])


def test_a_policy_of_models_that_were_not_compared_is_refused_by_name():
    with pytest.raises(UsageError, match=r"\['third'\] took no part in the comparison, which has \['weak'"):
        replay(_pairs(4), [kit.route(WEAK, THIRD, by=len, at=3)])


def test_a_cycle_of_models_is_refused():
    inner = kit.mix(WEAK, STRONG, p=0.5)
    inner.models = (WEAK, inner)
    with pytest.raises(UsageError, match="cycle of models"):
        replay(_pairs(4), [inner])


@pytest.mark.parametrize("policies", [[], WEAK, ["weak"], [WEAK, unasked("weak")]])
def test_what_are_no_policies_is_said(policies):
    with pytest.raises(UsageError):
        replay(_pairs(4), policies)


def test_a_chosen_name_that_is_none_is_said():
    with pytest.raises(UsageError, match="which no model is called"):
        replay(_pairs(4), [kit.route({"a": WEAK, "b": STRONG}, choose=lambda prompt: "c")])


def test_arms_of_an_unknown_policy_or_of_a_single_model_are_said():
    with pytest.raises(UsageError, match="policy is 'x'"):
        replay(_pairs(4), [WEAK, STRONG]).arms("x")
    one = compared("A", "a", labels=("weak",))
    with pytest.raises(UsageError, match="two models"):
        replay(one, [WEAK]).arms(WEAK)


def test_a_check_that_raises_escalates_in_a_replay_too():
    broken = kit.cascade(WEAK, STRONG, accept=lambda p, r: 1 / 0, label="broken")
    with pytest.warns(RuntimeWarning, match="division by zero"):
        r = replay(_pairs(4), [broken])
    assert r.table.loc["broken", "moved"] == 1


def test_a_replay_marks_simulated_answers():
    c = _pairs(4)
    c.frame["simulated"] = True
    r = replay(c, [WEAK])
    assert "SIMULATED" in repr(r)
    assert "SIMULATED" in r._repr_html_()


# The two ways of replaying agree


def leaf():
    return st.sampled_from([WEAK, STRONG, THIRD])


def paid(prompt, response):
    fee = replace(response, model="judge", cost=Cost(Decimal("0.5")), latency=0.25, steps=())
    return len(prompt) % 2 == 0, "odd", fee


def policies(inner):
    pairs = st.tuples(inner, inner)
    different = pairs.filter(lambda two: two[0] is not two[1])
    accepts = st.sampled_from(
        [capital, paid, checks.has("[A-M]"), ~checks.as_check(capital) | checks.is_json]
    )
    return st.one_of(
        st.builds(lambda two, accept: kit.cascade(*two, accept=accept), different, accepts),
        st.builds(lambda two, at: kit.route(*two, by=len, at=at), pairs, st.integers(0, 60)),
        st.builds(
            lambda two, n: kit.route(dict(zip("ab", two, strict=True)), choose=lambda p: "ab"[len(p) % n]),
            pairs,
            st.integers(1, 2),
        ),
        st.builds(
            lambda two, p, seed: kit.mix(*two, p=p, seed=seed), pairs, st.floats(0, 1), st.integers(0, 3)
        ),
        st.builds(lambda two: kit.vote(*two, THIRD), different.filter(lambda two: THIRD not in two)),
        st.builds(lambda two: kit.fallback(*two), different),
        st.builds(lambda two, share: kit.balance(*two, weights=[share, 1]), different, st.floats(0, 3)),
    )


POLICY = st.recursive(leaf(), policies, max_leaves=6)
TABLE = st.lists(st.text("ABabz!x?", min_size=3, max_size=3), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(TABLE, POLICY)
def test_replaying_all_at_once_is_running_the_policy_on_each_item(table, policy):
    c = compared(*table)
    answers = Answers(c.task, c.frame, c.labels, defaults={})
    rerun = Rerun(answers)
    swapped, everything = rerun.swapped(policy), np.arange(len(table))
    fast, slow = rerun.outcome(swapped, everything, 0), rerun.one_by_one(swapped, everything, 0)
    assert not answers.missing
    served = slow.row >= 0
    assert fast.row.tolist() == slow.row.tolist()
    assert fast.cost[served] == pytest.approx(slow.cost[served], nan_ok=True)
    assert fast.latency[served] == pytest.approx(slow.latency[served], nan_ok=True)
    for n in np.flatnonzero(served):
        assert sorted(_roles(fast, n)) == sorted(_roles(slow, n))


def _roles(outcome, n):
    return [layer.role for layer in outcome.layers for place in layer.where if place == n]


@settings(max_examples=50, deadline=None)
@given(TABLE, POLICY)
def test_what_a_policy_costs_is_what_its_steps_cost_and_it_answers_with_one(table, policy):
    r = replay(compared(*table), [policy])
    for row in r.frame.itertuples():
        if pd.isna(row.served):
            assert math.isnan(row.score)
            continue
        known = [cost for role, _, cost, _ in row.steps if role != "failed"]
        assert row.cost == pytest.approx(sum(known), nan_ok=True)
        assert [role for role, *_ in row.steps].count("answer") == 1
