"""Published results of Opus and Sonnet: their sources, and the verdict on them in its words."""

import re
from pathlib import Path

import pandas as pd
import pytest

import llmkit as kit

HOME = Path(__file__).parent.parent / "data" / "published"
PAIRS = pd.read_csv(HOME / "pairs.csv")
RESULTS = pd.read_csv(HOME / "results.csv")
CLAIMS = pd.read_csv(HOME / "claims.csv")


def compared(row):
    cells = [(1, 1)] * row.both + [(1, 0)] * row.only_a + [(0, 1)] * row.only_b + [(0, 0)] * row.neither
    frames = [
        pd.DataFrame(
            {
                "item": range(row.n_items),
                "model": model,
                "score": [cell[place] for cell in cells],
                "cost": cost / row.n_items,
            }
        )
        for place, model, cost in ((1, row.model_b, row.cost_b_usd), (0, row.model_a, row.cost_a_usd))
    ]
    return kit.Comparison(pd.concat(frames), name=row.benchmark)


@pytest.fixture(scope="module")
def studies():
    return [compared(row) for row in PAIRS.itertuples()]


def test_the_counts_are_whole_and_have_a_source():
    cells = PAIRS[["both", "only_a", "only_b", "neither"]].sum(axis=1)
    assert list(cells) == list(PAIRS["n_items"])
    assert PAIRS["source"].str.len().min() > 20


def test_the_older_pair_is_too_close_to_call(studies):
    words = studies[0].verdict.sentence
    assert words.startswith(
        "claude-opus-4-20250514 or claude-sonnet-4-20250514: too close to call, +2.8 points"
    )
    assert "[-0.5, +6.2] on 500 items" in words
    assert "worth it when an error costs more than $27.14 [at least $12.31]" in words
    assert "SIMULATED" not in words


def test_the_newer_opus_is_better_and_worth_its_price_from_some_dollars_an_error(studies):
    words = studies[1].verdict.sentence
    assert words.startswith("claude-opus-4-5-20251101 better than claude-sonnet-4-5-20250929: +3.8 points")
    assert "[+0.7, +7.1] on 500 items" in words
    assert "worth it when an error costs more than $4.29 [$2.30 to $24.79]" in words


def test_every_result_has_a_source_and_a_date_or_says_that_it_is_unknown():
    assert RESULTS["source"].str.len().min() > 20
    assert RESULTS["source_date"].str.fullmatch(r"20\d\d-\d\d(-\d\d)?|unknown").all()
    assert (RESULTS["source_date"] == "unknown").sum() <= 3


def test_a_result_is_one_figure_in_a_unit_within_its_bounds():
    assert not RESULTS.duplicated(["benchmark", "model", "variant", "metric", "source"]).any()
    assert RESULTS["unit"].isin(["%", "s", "calls", "tokens"]).all()
    assert RESULTS.loc[RESULTS["unit"] == "%", "value"].between(0, 100).all()
    assert (RESULTS["value"] > 0).all()
    assert (RESULTS["cost_usd"].dropna() > 0).all()


@pytest.mark.parametrize("row", list(PAIRS.itertuples()), ids=lambda row: row.model_a)
def test_pairs_and_results_agree_where_they_tell_the_same_run(row):
    both = RESULTS[RESULTS["variant"].str.startswith("mini-SWE-agent") & (RESULTS["metric"] == "resolved")]
    for model, only, cost in (
        (row.model_a, row.only_a, row.cost_a_usd),
        (row.model_b, row.only_b, row.cost_b_usd),
    ):
        (told,) = both[both["model"] == model].itertuples()
        assert round(told.value * told.n_items / 100) == row.both + only
        assert told.cost_usd == pytest.approx(cost, abs=0.01)


@pytest.mark.parametrize("row", list(CLAIMS.itertuples()), ids=lambda row: row.claim)
def test_a_claim_is_measured_sourced_or_an_opinion_and_its_figures_are_published_ones(row):
    assert row.kind in ("measured", "sourced", "opinion")
    assert re.fullmatch(r"[012]\d_[a-z_]+", row.notebook)
    told = [float(figure) for figure in re.findall(r"([\d.]+)(?:%| s\b)", row.evidence)]
    assert set(told) <= set(RESULTS.loc[RESULTS["unit"].isin(["%", "s"]), "value"])
    dated = re.search(r"20\d\d-\d\d|\d\d_[a-z]+", row.evidence)
    assert dated if row.kind != "opinion" else not told
