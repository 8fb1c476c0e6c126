import base64
import re
import time

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import llmkit as kit
from llmkit.plots_money import WorthIt
from llmkit.widgets.knobs import EVERY
from tests.pages import Page, everything, text_of
from tests.test_plots_switching import sure


@pytest.fixture
def make():
    made = []

    def panel(*arguments, **more):
        made.append(kit.widgets.decide(*arguments, **more))
        assert made[-1].settle()
        return made[-1]

    yield panel
    for each in made:
        each.close()


def picture_of(panel):
    return base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', panel.picture.value)[1])


def test_the_verdict_and_its_curve_follow_the_knobs(make):
    c = sure(300)
    panel = make(c, cost_of_error=0.01, horizon=500)
    assert panel.value.sentence == c.worth(cost_of_error=0.01, horizon=500).sentence
    assert panel.value.sentence in text_of(panel.words.value)
    assert len(panel.frame) == 41
    before = picture_of(panel)
    panel.error.value = 0.1
    panel.horizon.value = 20_000
    panel.minute.value = 2.0
    assert panel.settle()
    expected = c.worth(cost_of_error=panel.error.value, cost_of_minute=2.0, horizon=20_000)
    assert panel.value.sentence == expected.sentence
    assert panel.frame["probability"].tolist() == [chance for _, chance in expected.curve]
    assert picture_of(panel) != before
    assert picture_of(panel).startswith(b"\x89PNG")


def test_a_price_of_waiting_moves_the_drawn_curve_as_it_moves_the_verdict():
    c = sure(300)
    c.frame["latency"] = [1.0 if model == "weak" else 7.0 for model in c.frame["model"]]
    free, paid = (WorthIt.of(c, cost_of_error=1.0, cost_of_minute=price) for price in (0.0, 1.0))
    assert paid.break_even.estimate > free.break_even.estimate
    asked = c.worth(cost_of_error=1.0, cost_of_minute=1.0)
    assert paid.break_even.estimate == pytest.approx(asked.break_even.estimate)
    assert "waiting at $1.00 a minute included" in paid.note


def test_while_a_slider_moves_it_is_drawn_some_times_a_second_and_last_at_its_end(make):
    panel = make(sure(60))
    before, start = panel.drawings, time.monotonic()
    for power in range(60):
        panel.error.value = 10 ** (power / 20)
    assert panel.settle()
    taken = time.monotonic() - start
    assert 1 <= panel.drawings - before <= 2 + taken / EVERY
    assert panel.value.cost_of_error == panel.error.value


def test_drawing_leaves_pyplot_alone(make):
    open_before = plt.get_fignums()
    make(sure(60))
    assert plt.get_fignums() == open_before


def test_the_picture_has_words_and_every_knob_a_label(make):
    panel = make(sure(60))
    (image,) = [attributes for tag, attributes in Page(panel.picture.value).tags if tag == "img"]
    assert image["alt"] == panel.value.sentence
    knobs = [w for w in everything(panel) if type(w).__name__.endswith(("Slider", "Dropdown"))]
    assert [knob.description for knob in knobs] == [
        "Cost of an error, USD",
        "Tasks it is for",
        "Cost of a minute, USD",
    ]


def test_the_last_state_tells_the_verdict_without_the_picture_and_marks_it(make):
    panel = make(sure(60))
    bundle = panel._repr_mimebundle_()
    said = text_of(bundle["text/html"].split("</style>")[1])
    assert panel.value.sentence in said
    assert "SIMULATED" in said
    assert "<img" not in bundle["text/html"]
    assert bundle["text/plain"] == "<Decide panel>"
    assert "SIMULATED" not in text_of(make(sure(60, simulated=False)).last_state())


def test_a_comparison_of_one_model_is_told(make):
    c = sure(60)
    one = kit.Comparison(c.task, ["weak"], c.frame[c.frame["model"] == "weak"])
    panel = make(one)
    assert panel.said == "Error: that needs two models; this comparison has one"
    assert panel.value is None
    assert panel.picture.value == ""
    with pytest.raises(kit.errors.UsageError, match="there is no verdict: Error: that needs two models"):
        panel.frame  # noqa: B018


def test_unknown_costs_and_waits_are_told_and_taken_back(make):
    c = sure(60)
    c.frame.loc[0, "latency"] = float("nan")
    panel = make(c)
    assert panel.said == ""
    panel.minute.value = 1.0
    assert panel.settle()
    assert "latency of some answers is unknown" in panel.said
    panel.minute.value = 0.0
    assert panel.settle()
    assert panel.said == ""
    assert panel.value is not None
    c.frame.loc[0, "cost"] = float("nan")
    assert "cost of some answers is unknown" in make(c).said


def test_a_dominated_pair_and_too_few_items_are_decided_in_words(make):
    worse = make(sure(300, gap=-1.5))
    assert worse.value.probability < 0.05
    assert worse.value.break_even.shape == "none"
    few = make(sure(8))
    assert "Only 8 items, too few to go by" in few.value.sentence


def test_prices_out_of_range_start_at_its_end(make):
    panel = make(sure(60), cost_of_error=0, horizon=10**12)
    assert (panel.error.value, panel.horizon.value) == pytest.approx((1e-4, 1e9))


def test_of_several_models_one_is_picked(make):
    c = sure(60)
    third = c.frame[c.frame["model"] == "strong"].assign(model="third", served="third")
    panel = make(kit.Comparison(c.task, ["weak", "strong", "third"], pd.concat([c.frame, third])))
    assert panel.value.sentence.count("strong") >= 1
    panel.model.value = "third"
    assert panel.settle()
    assert "third is worth its price over weak" in panel.value.sentence


def test_a_closed_panel_draws_no_more(make):
    panel = make(sure(60))
    panel.close()
    panel.redraw()
    assert panel.settle()
    assert panel.drawings == 1
