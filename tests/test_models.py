from datetime import date
from itertools import pairwise

import pytest

from llmkit.errors import UnknownModel
from llmkit.models import all_models, find, lines, resolve, successor

DAY = date(2026, 11, 22)


def test_the_catalog_is_whole():
    models = all_models()
    assert len(models) == 29
    assert len({m.id for m in models}) == 29
    assert {"opus", "sonnet", "haiku"} <= set(lines())
    assert all(m.prices and m.context_tokens and m.max_output_tokens and m.source for m in models)
    assert len({row.id for m in models for row in m.prices}) == sum(len(m.prices) for m in models)
    assert all(row.source or "unverified" in row.confidence for m in models for row in m.prices)


@pytest.mark.parametrize(
    ("line", "on", "expected"),
    [
        ("opus", DAY, "claude-opus-5-5"),
        ("Sonnet", DAY, "claude-sonnet-5-5"),
        ("opus", date(2025, 6, 1), "claude-opus-4-20250514"),
        ("sonnet", date(2026, 8, 1), "claude-sonnet-5"),
    ],
)
def test_a_line_means_its_newest_active_model_on_the_day(line, on, expected):
    assert resolve(line, on).id == expected


def test_aliases_and_ids_are_exact():
    assert find("claude-opus-4-0").id == find("claude-opus-4-20250514").id == "claude-opus-4-20250514"
    with pytest.raises(UnknownModel, match="claude-opus-5-5"):
        find("claude-opus-5-6")


@pytest.mark.parametrize(
    ("model", "on", "status"),
    [
        ("claude-opus-4-20250514", date(2026, 6, 14), "deprecated"),
        ("claude-opus-4-20250514", date(2026, 6, 15), "retired"),
        ("claude-opus-5-5", date(2026, 9, 21), "announced"),
        ("claude-opus-5-5", date(2026, 9, 22), "active"),
        ("claude-sonnet-4-5", DAY, "deprecated"),
    ],
)
def test_the_lifecycle_follows_the_dates(model, on, status):
    assert find(model).status(on) == status


def test_successor_and_label():
    old = find("claude-opus-4-20250514")
    assert (successor(old, DAY).id, old.label) == ("claude-opus-5-5", "Opus 4")


def test_rows_of_one_kind_do_not_overlap():
    for model in all_models():
        for kind in {(row.speed, row.prompt_tokens_over) for row in model.prices}:
            rows = sorted(
                (r for r in model.prices if (r.speed, r.prompt_tokens_over) == kind), key=lambda r: r.start
            )
            assert all(one.until is not None and one.until <= two.start for one, two in pairwise(rows))
