import math

import numpy as np
import pytest

import llmkit as kit
from llmkit import checks
from llmkit.errors import UsageError
from llmkit.recordings import OnlyRecorded
from llmkit.records import Request
from llmkit.replay import replay
from llmkit.trades import fit_router
from tests.test_replay import STRONG, THIRD, WEAK, capital, careful, compared
from tests.test_trades import routed

LABELS = ("weak", "strong")


def letters(prompt, response):
    return 10 - "AaBbx".find(response.text)


def mixed(n=60):
    return compared(*[("Ab", "aB", "bB", "AB", "BA")[k % 5] for k in range(n)], labels=LABELS)


def test_a_route_is_drawn_by_what_it_decides_by():
    c = mixed()
    line = replay(c, [WEAK, STRONG, kit.route(WEAK, STRONG, by=len, at=100)]).curve(
        "route(weak -> strong, length >= 100)"
    )
    assert line.score.tolist() == [len(c.task.prompt_of(k)) for k in range(60)]
    assert (line.kind, line.by, line.weak, line.strong) == ("route", "length", "weak", "strong")
    at = np.flatnonzero(line.line.threshold >= 100)[-1]
    assert line.line.quality[at] == pytest.approx(line.as_set.figures.quality)
    assert line.line.cost[at] == pytest.approx(line.as_set.figures.cost)


def test_a_cascade_is_drawn_by_the_number_its_check_holds_against_a_limit():
    policy = kit.cascade(WEAK, STRONG, accept=checks.at_least(letters, 9))
    line = replay(mixed(), [WEAK, STRONG, policy]).curve(policy)
    assert line.score.tolist()[:3] == [-10, -9, -7]
    assert len(line.line.moved) == 5
    at = np.flatnonzero(line.line.threshold > -9)[-1]
    assert line.line.quality[at] == pytest.approx(line.as_set.figures.quality)
    assert line.line.cost[at] == pytest.approx(line.as_set.figures.cost)


def test_a_check_that_says_yes_or_no_gives_one_point_between_the_ends():
    line = replay(mixed(), [WEAK, STRONG, careful]).curve("careful")
    assert len(line.line.moved) == 3
    assert line.line.cost[1] == pytest.approx(line.as_set.figures.cost)
    combined = kit.cascade(WEAK, STRONG, accept=checks.at_least(letters, 9) & checks.finished)
    assert len(replay(mixed(), [combined]).curve(combined).line.moved) == 3


def test_what_a_check_could_not_tell_goes_up_first():
    def unsure(prompt, response):
        return math.nan if response.text == "A" else 1.0

    policy = kit.cascade(WEAK, STRONG, accept=checks.at_least(unsure, 0.5))
    line = replay(mixed(), [policy]).curve(policy)
    assert set(line.score[[0, 3]]) == {line.score.max()}


def test_a_coin_and_names_have_curves_too():
    coin = kit.mix(WEAK, STRONG, p=0.4)
    named = kit.route({"low": WEAK, "high": STRONG}, choose=lambda p: "high" if len(p) > 100 else "low")
    r = replay(mixed(), [coin, named])
    assert r.curve(coin).by == "a coin"
    assert (r.curve(coin).score >= -0.4).mean() == pytest.approx(r.curve(coin).as_set.figures.moved, abs=1e-9)
    assert set(r.curve(named).score) == {0.0, 1.0}


def test_repeats_count_as_answers_that_belong_to_an_item():
    answers = [("AbaB", "aBAB", "abaB", "ABAb", "BABa")[k % 5] for k in range(40)]
    policy = kit.route(WEAK, STRONG, by=len, at=100)
    line = replay(compared(*answers, labels=LABELS), [policy]).curve(policy)
    assert line.pair.n == 80
    assert len(set(line.clusters)) == 40
    assert line.best_of_both.held_out


def test_a_threshold_found_on_these_items_is_doubted_and_a_round_number_is_not():
    c = routed(400)
    with pytest.warns(UserWarning, match="learned from 400"):
        router = fit_router(c)
    prompts = [c.task.prompt_of(k) for k in range(400)]
    fitted = kit.route(WEAK, STRONG, by=router, at=router.cut(prompts, 0.3))
    rule = kit.route(WEAK, STRONG, by=len, at=len(prompts[7]))
    r = replay(c, [fitted, rule])
    assert "is the score of one of these very items" in r.curve(fitted).sentence
    assert r.curve(fitted).by == "a learned router"
    assert r.curve(rule).doubt == ""


@pytest.mark.parametrize(
    "policy",
    [
        WEAK,
        kit.vote(WEAK, STRONG, THIRD, label="vote"),
        kit.cascade(WEAK, STRONG, THIRD, accept=capital, label="three"),
        kit.fallback(careful, STRONG, label="nested"),
        kit.vote(WEAK, STRONG, label="both"),
    ],
    ids=lambda policy: policy.label,
)
def test_policies_that_decide_otherwise_have_no_curve(policy):
    r = replay(compared("ABc", "abC"), [policy])
    with pytest.raises(UsageError, match=r"has no curve|decides by no score"):
        r.curve(policy)


def test_one_model_asked_twice_has_no_curve():
    again = kit.cascade(WEAK, WEAK, accept=capital)
    r = replay(compared(*["Abab"] * 5, labels=LABELS), [WEAK, STRONG, again])
    with pytest.raises(UsageError, match=r"both models of .* are 'weak'"):
        r.curve(again)
    assert r.verdicts[again.label].rival == "a retry of weak"
    assert "a retry of weak, no switch" in repr(r.verdicts)


def test_the_same_model_at_more_effort_is_a_rival_and_says_whom_it_outdoes():
    high = OnlyRecorded("weak", "weak, high", Request(effort="high"))
    low = OnlyRecorded("weak", "weak", Request(effort="low"))
    names = ("weak", "strong", "weak, high")
    c = compared(*[("aBA", "ABA", "abA", "ABA")[k % 4] for k in range(80)], costs=(1, 9, 2), labels=names)
    blind = kit.mix(low, STRONG, p=0.4, label="blind")
    c.defaults = {"weak": Request(effort="low"), "strong": Request(), "weak, high": Request(effort="high")}
    found = replay(c, [low, STRONG, high, blind]).verdicts
    assert found["weak, high"].rival == "more effort on weak"
    assert found.outdone[0].startswith("weak, high, more effort on weak, outdoes blind: +")
    assert found.sentences[0] == "Switching is not shown to pay here."
