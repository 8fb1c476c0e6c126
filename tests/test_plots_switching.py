import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import llmkit as kit
from llmkit import checks
from llmkit.compare import COLUMNS
from llmkit.comparison import Comparison
from llmkit.errors import UsageError
from llmkit.plots_switching import NeededLift, Switching
from llmkit.replay import replay
from tests.pictures import STYLES, drawn, said
from tests.test_replay import STRONG, THIRD, WEAK, careful, compared

POLICIES = [
    WEAK,
    STRONG,
    kit.route(WEAK, STRONG, by=len, at=1200),
    kit.cascade(WEAK, STRONG, accept=checks.verbal_confidence(at=0.7)),
    kit.mix(WEAK, STRONG, p=0.3),
]


@pytest.fixture(autouse=True)
def quiet():
    mpl.use("Agg")
    yield
    plt.close("all")


def sure(n=300, *, seed=0, price=3.0, gap=1.5, simulated=True, cluster=None):
    """Answers that state a confidence, harder with length, the same every time."""
    random = np.random.default_rng(seed)
    hard = random.random(n)
    items = pd.DataFrame({"id": [f"i{k}" for k in range(n)], "target": "A"})
    items["text"] = ["x" * int(100 + 2500 * each) for each in hard]
    items["lang"] = [["de", "en", "fr"][k % 3] for k in range(n)]
    items["customer"] = [f"c{k // 5}" for k in range(n)]
    rows = []
    for k in range(n):
        for label, skill, dollars in (("weak", 2.2, 0.004), ("strong", 2.2 + gap, 0.004 * price)):
            right = random.random() < 1 / (1 + math.exp(4 * hard[k] - skill))
            stated = int(np.clip(60 + 30 * right - 40 * hard[k] + 20 * random.normal(), 0, 100))
            row = dict.fromkeys(COLUMNS)
            row |= {"item": f"i{k}", "model": label, "repeat": 0, "score": float(right), "outcome": "ok"}
            row |= {"answer": f"A\nConfidence: {stated}%", "latency": 1.0, "served": label, "origin": "live"}
            row |= {"cost": dollars * random.lognormal(0, 0.4) * (1 + hard[k]), "simulated": simulated}
            rows.append(row | {"lang": items["lang"][k]})
    grade = kit.graders.exact()
    task = kit.Task(items, prompt="{text}", target="target", grade=grade, id="id", cluster=cluster, name="$5")
    return Comparison(task, ["weak", "strong"], pd.DataFrame(rows))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("policy", POLICIES[2:], ids=lambda policy: policy.label)
def test_a_curve_is_drawn_legibly_with_band_choice_and_oracle(policy, style):
    shown = said(drawn(Switching.of(replay(sure(), POLICIES), policy=policy), style))
    for words in ("a coin", "scores that know nothing, 95%", "chosen on other folds", "oracle", "SIMULATED"):
        assert words in shown
    assert "by luck" in shown
    assert "route: length >= 1200" in shown


def test_the_numbers_of_the_curve_are_those_of_the_replay():
    r = replay(sure(), POLICIES)
    found, mine = Switching.of(r), r.verdicts[POLICIES[3].label]
    data = found.data.set_index("policy")
    assert found.curve.label == POLICIES[2].label
    row = data.loc[mine.label]
    assert row["dollars"] == pytest.approx(1000 * mine.figures.cost)
    assert (row["gain"], row["low"], row["high"]) == (mine.gain.estimate, mine.gain.low, mine.gain.high)
    assert data["model"].sum() == 2


def test_clusters_and_a_pair_without_a_trade_off_are_said():
    r = replay(sure(simulated=False, cluster="customer"), POLICIES)
    shown = said(drawn(Switching.of(r)))
    assert "Items come in clusters" in shown
    assert "SIMULATED" not in shown
    assert "No trade-off: the dearer model is no better" in said(
        drawn(Switching.of(replay(sure(60, gap=-0.9), POLICIES)))
    )


def test_policies_without_a_curve_are_points_and_those_of_other_models_are_left_out():
    c = compared(*[("aBC", "ABC", "abC", "Abc")[k % 4] for k in range(40)])
    three = kit.cascade(WEAK, STRONG, THIRD, accept=checks.has("[A-Z]"), label="three")
    found = Switching.of(replay(c, [three, kit.vote(WEAK, STRONG, THIRD, label="vote")]))
    assert found.curve is None
    assert found.data["policy"].tolist() == ["three", "vote"]
    drawn(found)
    both = Switching.of(replay(c, [three, careful]), policy=careful)
    assert both.data["policy"].tolist() == ["careful"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("price", [1.1, 2, 8])
def test_the_needed_lift_is_drawn_with_what_each_policy_has(price, style):
    found = NeededLift.of(replay(sure(price=price), POLICIES))
    shown = said(drawn(found, style))
    data = found.data.set_index("policy")
    assert list(data["kind"]) == ["route", "cascade", "route"]
    row = data.iloc[1]
    assert row["needed"] == pytest.approx((row["kappa"] + row["check"] / row["moved"]) / (1 - found.ratio))
    assert f"has {row['lift']:.1f}, needs {row['needed']:.1f}" in shown


def test_the_needed_lift_of_a_headroom_is_that_of_the_best_check():
    room = sure().headroom()
    found = NeededLift.of(room)
    assert found.data["lift"][0] == room.perfect.lift
    assert "SIMULATED" in said(drawn(found))
    with pytest.raises(UsageError, match="there is no lift to show"):
        NeededLift.of(sure(60, gap=-0.9).headroom())


def test_without_a_route_or_cascade_there_is_no_lift():
    c = compared(*["aB", "AB"] * 10, labels=("weak", "strong"))
    with pytest.raises(UsageError, match="is a route or cascade that moves items up"):
        NeededLift.of(replay(c, [WEAK, STRONG]))


def test_each_picture_draws_on_axes_it_is_given_or_on_its_own():
    r = replay(sure(60), POLICIES)
    for picture in (
        lambda **given: kit.plots.switching(r, **given),
        lambda **given: kit.plots.needed_lift(r, **given),
        lambda **given: kit.plots.escalated(r, POLICIES[3], **given),
    ):
        _, ax = plt.subplots()
        assert picture(ax=ax) is ax
        assert picture() is not ax
