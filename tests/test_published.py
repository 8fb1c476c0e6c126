"""The verdict on published results of Opus and Sonnet, in its words."""

from pathlib import Path

import pandas as pd
import pytest

import llmkit as kit

PAIRS = pd.read_csv(Path(__file__).parent.parent / "data" / "published" / "pairs.csv")


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
