import math
from decimal import Decimal

import pytest

import llmkit as kit
from llmkit.breakeven import money
from llmkit.forecast import forecast
from llmkit.pricing import price
from llmkit.records import Usage
from llmkit.session import current
from tests.pages import everything, shown_by, text_of
from tests.test_forecast import a_task


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.delenv("LLMKIT_MODE", raising=False)
    kit.connect("offline")


@pytest.fixture
def make():
    made = []

    def panel(*arguments, **more):
        made.append(kit.widgets.costs(*arguments, **more))
        assert made[-1].settle()
        return made[-1]

    yield panel
    for each in made:
        each.close()


def compared():
    return kit.compare(a_task(), kit.models("sonnet", "opus"))


def test_the_numbers_are_those_of_forecast_at_the_knobs(make):
    c = compared()
    panel = make(c, per_month=20_000)
    panel.growth.value, panel.months.value = 5, 6
    panel.cache.value, panel.batch.value, panel.share.value = 40, 25, 60
    assert panel.settle()
    mix = {c.labels[0]: 0.4, c.labels[1]: 0.6}
    shares = {"cache_share": 0.40, "batch_share": 0.25}
    found = forecast(c, per_month=20_000, growth=0.05, months=6, mix=mix, **shares)
    assert panel.frame.equals(found.frame)
    assert panel.value.rows == found.rows
    assert found.sentence() in text_of(panel.words.value)
    assert "data:image/png" in panel.picture.value


def test_the_table_has_tokens_dollars_and_break_evens(make):
    c = compared()
    said = text_of(make(c).below.value)
    tokens = c.frame.groupby("model")["output_tokens"].mean()
    for label in c.labels:
        assert f"{tokens[label]:,.0f}" in said
    assert f"a task than {c.labels[0]}" in said
    assert "an error costs" in said
    assert "A cache for claude-opus-5-5 pays: 5m from 1 reuse(s) a write on" in said
    assert "SIMULATED answers: ab" in said


def test_what_batches_and_caches_save_moves_the_break_even(make):
    c = kit.compare(a_task(), kit.models("opus", "sonnet"))
    panel = make(c)
    plain = text_of(panel.below.value)
    panel.batch.value = 100
    assert panel.settle()
    assert text_of(panel.below.value) != plain
    means = c.frame.groupby("model")["cost"].mean()
    extra = float(means[c.labels[1]] - means[c.labels[0]]) / 2
    way = "more" if extra > 0 else "less"
    assert f"{c.labels[1]} costs ${money(abs(extra))} {way} a task" in text_of(panel.below.value)


def test_without_a_comparison_the_tokens_are_typed_and_priced_exactly(make):
    sonnet, opus = kit.models("sonnet", "opus")
    panel = make([sonnet, opus], per_month=1_000)
    panel.tokens[0].value, panel.tokens[1].value = 4_000, 500
    panel.cache.value, panel.batch.value, panel.share.value = 50, 20, 10
    panel.months.value = 1
    assert panel.settle()
    usage, day = Usage(input=2_000, cache_read=2_000, output=500), current().today()
    each = [price(usage, model.target.id, day).total * Decimal("0.9") for model in (sonnet, opus)]
    found = panel.frame.set_index("model")["usd"]
    assert found[sonnet.label] == pytest.approx(float(1_000 * each[0]))
    assert found[opus.label] == pytest.approx(float(1_000 * each[1]))
    assert found.iloc[2] == pytest.approx(
        float(1_000 * (each[0] * Decimal("0.9") + each[1] * Decimal("0.1")))
    )
    assert panel.frame["low"].isna().all()
    assert "4,000 tokens in and 500 out a task" in text_of(panel.below.value)
    assert "How many those are, kit.compare tells" in text_of(panel.below.value)
    assert "SIMULATED" not in text_of(shown_by(panel))


def test_forecast_takes_models_with_tokens_and_says_what_it_lacks():
    models = kit.models("sonnet", "opus")
    found = kit.forecast(models, per_month=100, months=2, input_tokens=1_000, output_tokens=100)
    assert found.items == 0
    assert math.isnan(found.rows[0].first.low)
    assert "nan" not in repr(found)
    assert "from tokens as said" in found._repr_html_()
    with pytest.raises(kit.errors.UsageError, match="how many tokens a task has"):
        kit.forecast(models, per_month=100)
    with pytest.raises(kit.errors.UsageError, match="a comparison knows its tokens"):
        kit.forecast(compared(), per_month=100, input_tokens=5, output_tokens=5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: (), "there are 0 models"),
        (lambda: kit.model("ollama/llama"), "no month of 'ollama/llama' is known: no price is known"),
        (lambda: [kit.mix(*kit.models("sonnet", "opus"), p=0.5)], "is made of other models"),
    ],
)
def test_what_has_no_price_is_told(make, given, words):
    panel = make(given())
    assert words in panel.said
    assert panel.value is None
    with pytest.raises(kit.errors.UsageError, match="there is no forecast: Error"):
        panel.frame  # noqa: B018


def test_a_comparison_without_costs_is_told_and_one_model_is_forecast_alone(make):
    c = compared()
    one = kit.Comparison(c.task, c.labels[:1], c.frame[c.frame["model"] == c.labels[0]])
    panel = make(one)
    assert [row.label for row in panel.value.rows] == c.labels[:1]
    c.frame["cost"] = float("nan")
    assert "the cost of some answers is unknown" in make(c).said


def test_a_mix_of_a_model_with_itself_is_told_and_taken_back(make):
    panel = make(kit.models("sonnet", "opus"))
    panel.dear.value = panel.cheap.value
    assert panel.settle()
    assert "with itself is none" in panel.said
    panel.cheap.value = panel.cheap.options[1]
    assert panel.settle()
    assert panel.said == ""


def test_a_price_of_ones_own_counts(make):
    kit.price("ollama/llama", input=1, output=2)
    panel = make(kit.model("ollama/llama"), per_month=1_000)
    assert panel.frame["usd"].iloc[0] == pytest.approx(1_000 * (1_000 * 1 + 300 * 2) / 1e6)


def test_the_last_state_is_a_table_and_every_knob_has_a_label(make):
    panel = make(compared())
    html = panel._repr_mimebundle_()["text/html"]
    assert 'scope="col"' in html
    assert "<img" not in html
    assert "SIMULATED" in text_of(html.split("</style>")[1])
    knobs = [w for w in everything(panel) if hasattr(w, "description") and type(w).__name__ != "HTML"]
    assert all(knob.description for knob in knobs)
