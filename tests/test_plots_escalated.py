import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import llmkit as kit
from llmkit.errors import UsageError
from llmkit.plots_escalated import Escalated
from llmkit.replay import replay
from tests.pictures import STYLES, drawn, said
from tests.test_plots_switching import POLICIES, sure
from tests.test_replay import STRONG, WEAK, compared


@pytest.fixture(autouse=True)
def quiet():
    mpl.use("Agg")
    yield
    plt.close("all")


def reason(prompt, response):
    return response.text.isupper(), "1,234 characters" if response.text == "a" else "17 characters"


@pytest.mark.parametrize("style", STYLES)
def test_whom_a_cascade_moved_is_drawn_by_slice(style):
    r = replay(sure(), POLICIES)
    found = Escalated.of(r, POLICIES[3], by="lang")
    assert list(found.data.index) == ["de", "en", "fr"]
    assert found.data["moved"].sum() == r.arms(POLICIES[3]).moved.sum()
    parts = found.data[["rescued", "same", "worse"]].sum(axis=1)
    assert parts.tolist() == found.data["moved"].tolist()
    shown = said(drawn(found, style))
    assert "SIMULATED" in shown
    assert f"{found.data['moved'].iloc[0]} of 100" in shown


def test_alike_reasons_count_together_and_say_what_came_of_them():
    c = compared(*["Ab", "aB", "bB", "ab", "zB", "AB"] * 3, labels=("weak", "strong"))
    policy = kit.cascade(WEAK, STRONG, accept=reason, label="careful")
    found = Escalated.of(replay(c, [policy]), "careful")
    assert list(found.data.index) == ["… characters"]
    assert found.data.loc["… characters", ["moved", "rescued", "same", "worse"]].tolist() == [12, 9, 3, 0]
    assert found.data.loc["… characters", "gain"] == pytest.approx(0.75)
    assert "12, gain +75 points each" in said(drawn(found))


def test_a_route_gives_no_reason_but_that_it_was_before():
    found = Escalated.of(replay(sure(), POLICIES), POLICIES[2])
    assert list(found.data.index) == ["decided before any answer"]
    drawn(found)


def test_nobody_moved_is_an_empty_picture_and_a_wrong_column_is_said():
    never = kit.route(WEAK, STRONG, by=len, at=10**9, label="never")
    r = replay(sure(60), [never])
    assert len(Escalated.of(r, never).data) == 0
    drawn(Escalated.of(r, never))
    with pytest.raises(UsageError, match="the task has no column 'x'"):
        Escalated.of(r, never, by="x")


def test_of_many_groups_the_largest_are_drawn_and_all_are_kept():
    always = kit.route(WEAK, STRONG, by=len, at=0, label="always")
    found = Escalated.of(replay(sure(60), [always]), always, by="id")
    assert len(found.data) == 60
    shown = said(drawn(found))
    assert "The 12 largest of 60 groups" in shown
