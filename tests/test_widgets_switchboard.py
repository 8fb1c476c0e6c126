import math
import sys

import numpy as np
import pytest

import llmkit as kit
from llmkit import checks
from llmkit.policies import Threshold
from llmkit.replay import replay
from tests.pages import Page, everything, is_harmless, text_of
from tests.test_plots_switching import sure
from tests.test_replay import STRONG, WEAK, compared


@pytest.fixture
def make():
    made = []

    def panel(*arguments, **more):
        made.append(kit.widgets.switchboard(*arguments, **more))
        assert made[-1].settle()
        return made[-1]

    yield panel
    for each in made:
        each.close()


def turn(panel, name):
    panel.which.value = name
    assert panel.settle()


def at(panel, index):
    panel.threshold.index = index
    assert panel.settle()


def test_every_policy_it_offers_earns_what_its_replay_earns_at_any_threshold(make):
    c = sure(200)
    panel = make(c)
    assert panel.which.options == ("by length", "by a learned router", "cascade by stated confidence")
    for name in panel.which.options:
        turn(panel, name)
        for index in (1, len(panel.threshold.options) // 2):
            at(panel, index)
            policy = panel.policy
            table = replay(c, [WEAK, STRONG, policy]).table.loc[policy.label]
            now = panel.frame.loc["as chosen"]
            assert now["quality"] == pytest.approx(table["quality"])
            assert now["cost"] == pytest.approx(table["cost"])
            assert now["moved"] == pytest.approx(table["moved"])
            assert len(panel.moved) == round(table["moved"] * 200)
            assert panel.choice.figures.gain == now["gain"]


def test_nobody_and_everybody_moved_are_the_two_models(make):
    panel = make(sure(80))
    at(panel, 0)
    assert panel.policy.label == "weak"
    assert panel.view.sentence.startswith("SIMULATED answers: Nobody moves up: 0% of 80 answers")
    assert panel.frame.loc["as chosen", "quality"] == panel.frame.loc["weak", "quality"]
    at(panel, len(panel.threshold.options) - 1)
    assert panel.frame.loc["as chosen", "quality"] == panel.frame.loc["strong", "quality"]


def test_who_moves_is_listed_with_reason_and_outcome_and_at_most_ten(make):
    c = sure(80)
    panel = make(c)
    assert panel.which.value == "by length"
    at(panel, 30)
    moved = panel.moved
    scores = c.frame.pivot_table(index="item", columns="model", values="score")
    for row in moved.to_dict("records"):
        length = len(c.task.prompt_of(c.task.ids.index(row["item"])))
        assert row["why"] == f"length: {length:,}"
        assert length >= panel.threshold.value
        assert row["gain"] == scores.loc[row["item"], "strong"] - scores.loc[row["item"], "weak"]
    better, worse = int((moved["gain"] > 0).sum()), int((moved["gain"] < 0).sum())
    caption = f"{len(moved):,} of 80, {better} better, {worse} worse"
    page = Page(panel.below.value)
    assert caption in page.text
    assert [tag for tag, _ in page.tags].count("tr") == 7 + 11


def test_a_threshold_chosen_here_is_said_to_flatter_and_the_held_out_choice_is_offered(make):
    panel = make(sure(300))
    line = replay(sure(300), [WEAK, STRONG, panel.policy]).curve(panel.policy)
    panel.best.click()
    assert panel.settle()
    assert panel.threshold.value == line.best_threshold
    assert panel.frame.loc["as chosen", "gain"] == panel.frame.loc["best here (optimistic)", "gain"]
    said = text_of(panel.below.value)
    held = line.held_out
    assert "looks better on them than it is" in said
    assert f"it gains {100 * held.figures.gain:+.1f} points" in said
    assert panel.frame.loc["chosen on other folds", "gain"] == pytest.approx(held.figures.gain)


def test_go_or_no_go_is_told_with_its_figures(make):
    c = sure(300)
    assert f"Go: {c.headroom().sentence}" in text_of(make(c).below.value)
    worse = sure(60, gap=-1.5)
    said = text_of(make(worse).below.value)
    assert f"No-go: {worse.headroom().sentence}" in said


def test_a_dominated_pair_has_no_trade_off_and_still_a_picture(make):
    panel = make(sure(60, gap=-1.5))
    assert "No trade-off: the dearer model is no better" in panel.view.sentence
    assert "data:image/png" in panel.picture.value
    assert panel.said == ""


def test_few_items_are_too_few_for_a_router_and_for_other_folds(make):
    panel = make(sure(4))
    assert panel.which.options == ("by length", "cascade by stated confidence")
    said = text_of(panel.below.value)
    assert "A router is learned from 200 items on; here are 4." in said
    assert "4 answers are too few to choose it on some and judge it on others" in said


def test_without_stated_confidence_there_is_no_cascade_and_the_panel_says_why(make):
    c = compared(*["aB", "Ab", "AB", "ab"] * 5, costs=(1, 2), labels=("weak", "strong"))
    panel = make(c)
    assert panel.which.options == ("by length",)
    assert "weak states no confidence in its answers" in text_of(panel.below.value)


def cell_of(panel):
    panel.copy.click()
    assert panel.settle()
    return panel.code.value


def run(code, **names):
    namespace = dict(names)
    exec(code, namespace)
    return namespace["policy"]


def test_the_cell_makes_the_policy_that_was_chosen(make, monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")
    words = ["text " * (1 + k % 9) + str(k) for k in range(24)]
    items = [{"text": text, "label": "ab"[k % 2]} for k, text in enumerate(words)]
    task = kit.Task(items, prompt="a or b? {text}", target="label", grade=kit.graders.exact(), name="ab")
    models = [kit.model("sonnet", max_tokens=900), kit.model("opus")]
    c = kit.compare(task, models)
    panel = make(c)
    at(panel, 5)
    made = run(cell_of(panel))
    assert isinstance(made, Threshold)
    assert (made.by, made.at) == (len, panel.threshold.value)
    assert [m.target.id for m in made.models] == [
        next(m for m in models if m.label == label).target.id for label in c_ends(c)
    ]
    table = replay(c, [made]).table.loc[made.label]
    assert table["cost"] == pytest.approx(panel.frame.loc["as chosen", "cost"])
    at(panel, 0)
    assert run(cell_of(panel)).label == c_ends(c)[0]


def c_ends(c):
    costs = c.frame.groupby("model")["cost"].mean()
    return [costs.idxmin(), costs.idxmax()]


def test_cells_of_routers_and_cascades_name_what_the_notebook_has(make, monkeypatch):
    c = sure(300)
    main = sys.modules["__main__"]
    for name, value in (("mine", c), ("sonnet", WEAK), ("opus", STRONG)):
        monkeypatch.setattr(main, name, value, raising=False)
    panel = make(c)
    turn(panel, "by a learned router")
    code = cell_of(panel)
    assert "router = kit.fit_router(mine, models=['weak', 'strong'])" in code
    assert f"at={panel.threshold.value!r})" in code
    turn(panel, "cascade by stated confidence")
    assert "accept=kit.checks.verbal_confidence(at=" in cell_of(panel)
    compile(panel.code.value, "cell", "exec")


def test_given_policies_come_first_and_code_needs_their_functions_by_name(make, monkeypatch):
    def words(prompt):
        return len(prompt) % 7

    policy = kit.route(WEAK, STRONG, by=words, at=3)
    panel = make(sure(80), [policy])
    assert panel.which.value == policy.label
    assert panel.threshold.value == 3
    panel.copy.click()
    assert panel.settle()
    assert "does not say enough of 'weak'" in panel.said
    main = sys.modules["__main__"]
    for name, value in (("words", words), ("sonnet", WEAK), ("opus", STRONG)):
        monkeypatch.setattr(main, name, value, raising=False)
    code = cell_of(panel)
    assert "weak = sonnet\nstrong = opus\npolicy = kit.route(weak, strong, by=words, at=3)" in code


def test_a_check_with_a_limit_of_its_own_moves_too(make):
    policy = kit.cascade(WEAK, STRONG, accept=checks.verbal_confidence(at=0.4))
    panel = make(sure(80), policy)
    assert "verbal_confidence < 0.42" in panel.view.sentence
    assert panel.policy.checks[0].name == "verbal_confidence(at=0.42)"  # the least stated that is kept


def test_a_check_that_says_yes_or_no_has_two_stops(make):
    policy = kit.cascade(WEAK, STRONG, accept=kit.checks.has(r"Confidence: [6-9]"), label="sure")
    panel = make(sure(80), policy)
    assert [value for _, value in panel.threshold.options] == [math.inf, 1.0]
    with pytest.raises(kit.errors.UsageError, match="no limit that could be moved"):
        panel.policy  # noqa: B018


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (kit.vote(WEAK, STRONG), "decides by no score"),
        (WEAK, "is no policy"),
        (kit.route(WEAK, kit.fallback(STRONG, WEAK), by=len, at=5), "of two single models has"),
    ],
)
def test_a_policy_without_a_curve_is_told_and_the_others_stay(make, policy, words):
    panel = make(sure(80), [policy])
    assert panel.said.startswith("Error: ")
    with pytest.raises(kit.errors.UsageError, match="there is no policy to show"):
        panel.policy  # noqa: B018
    turn(panel, "by length")
    assert panel.said == ""
    assert isinstance(panel.policy, Threshold)


def test_a_comparison_of_one_model_and_one_without_costs_are_told(make):
    c = sure(60)
    one = kit.Comparison(c.task, ["weak"], c.frame[c.frame["model"] == "weak"])
    assert "give two of ['weak']" in make(one).said
    c.frame["cost"] = np.nan
    assert "no item has a grade and a known cost of both" in make(c).said
    panel = make(c)
    panel.best.click()
    assert panel.settle()
    assert "there is no policy to show" in panel.said


def test_prompts_are_shown_as_text_and_every_knob_has_a_label(make):
    c = sure(60)
    c.task.frame["text"] = [f"<script>alert({k})</script><img src=x onerror=alert(1)>" for k in range(60)]
    panel = make(c)
    at(panel, len(panel.threshold.options) - 1)
    assert is_harmless(panel.words.value + panel.below.value + panel.last_state())
    knobs = [w for w in everything(panel) if hasattr(w, "description") and type(w).__name__ != "HTML"]
    assert all(knob.description for knob in knobs)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == "<Switchboard panel>"
    assert panel.view.sentence in text_of(bundle["text/html"].split("</style>")[1])
