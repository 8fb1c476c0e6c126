from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.amounts import of_units
from llmkit.charges import COUNTS, PICO, Tariff, charge, rates, total, totals
from llmkit.models import all_models, read_row
from llmkit.pricing import DEFAULT, PriceBook, price, search_rate, tariff
from llmkit.records import Usage

TODAY = date(2026, 11, 22)
HAIKU = "claude-haiku-5-5"


def tariff_of(model, on=TODAY, *, speed="standard", tier="standard", geo=None, book=DEFAULT):
    bands = tariff(book, model, on, speed, tier, geo)
    return Tariff() if isinstance(bands, str) else Tariff(bands, search_rate(model))


def columns(usages):
    dtype = np.int64 if all(getattr(u, kind) < 2**63 for u in usages for kind in COUNTS) else object
    return {kind: np.array([getattr(usage, kind) for usage in usages], dtype=dtype) for kind in COUNTS}


def charged(usages, model, *, on=TODAY, book=DEFAULT):
    """USD of each usage, None where it has no price, and whether int64 held them."""
    told = [(usage.speed, usage.tier, usage.geo) for usage in usages]
    kinds = sorted(set(told), key=str)
    tables = rates([tariff_of(model, on, speed=s, tier=t, geo=g, book=book) for s, t, g in kinds])
    units, known = charge(tables, columns(usages), np.array([kinds.index(each) for each in told]))
    amounts = [of_units(int(n), tables.digits) if k else None for n, k in zip(units, known, strict=True)]
    return amounts, units.dtype != object


def test_every_published_price_is_a_whole_number_of_pico_dollars_in_every_tier_and_region():
    days = {day for facts in all_models() for day in DEFAULT.turns(facts.id)}
    told = product(("standard", "fast"), ("standard", "batch"), (None, "us"))
    for (speed, tier, geo), facts in product(tuple(told), all_models()):
        for on in days:
            assert rates([tariff_of(facts.id, on, speed=speed, tier=tier, geo=geo)]).digits == PICO


counts = st.one_of(st.integers(0, 10), st.integers(0, 400_000), st.integers(0, 2**80))
usages = st.builds(
    Usage,
    **dict.fromkeys(("input", "cache_write_5m", "cache_write_1h", "cache_read", "output"), counts),
    web_searches=st.integers(0, 20),
    tier=st.sampled_from(["standard", "batch", "priority"]),
    speed=st.sampled_from(["standard", "fast"]),
    geo=st.sampled_from([None, "us", "global", "moon"]),
)
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@given(st.lists(usages, min_size=1, max_size=8), st.sampled_from(all_models()), days)
def test_a_column_costs_what_its_answers_cost_one_by_one(some, facts, on):
    assert charged(some, facts.id, on=on)[0] == [price(usage, facts.id, on).total for usage in some]


own_rates = st.decimals(min_value=0, max_value=10**9 - 1, places=12)
own_row = st.builds(
    lambda over, input, output, read: replace(
        read_row(
            {"from": "2026-01-01", "input": input, "output": output, "cache_read": 1}
            | {"cache_write_5m": 1, "cache_write_1h": 1, "prompt_tokens_over": over},
            "mine",
        ),
        cache_read=read,
        cache_write_1h=None,
    ),
    st.sampled_from([0, 0, 10, 1_000, 200_000]),
    own_rates,
    own_rates,
    st.none() | own_rates,
)


@given(st.lists(usages, min_size=1, max_size=6), st.lists(own_row, min_size=1, max_size=3))
def test_prices_of_ones_own_are_as_exact_however_fine_and_lack_what_they_lack(some, rows):
    book = PriceBook({"mine": tuple({row.prompt_tokens_over: row for row in rows}.values())})
    assert charged(some, "mine", book=book)[0] == [price(u, "mine", TODAY, book=book).total for u in some]


def test_a_row_on_the_edge_of_a_cliff_is_on_its_lower_side():
    some = [Usage(90_000, cache_read=10_000, output=10), Usage(90_001, cache_read=10_000, output=10)]
    assert charged(some, HAIKU)[0] == [Decimal("0.009105"), Decimal("0.0455255")]


def test_numbers_that_64_bits_cannot_hold_are_worked_out_with_pythons():
    most = 2**63 - 1
    some = [Usage(1)] * 20_000 + [Usage(most, output=most), Usage(2**70)]
    amounts, held = charged(some, HAIKU)
    assert not held
    assert amounts[-2:] == [price(usage, HAIKU, TODAY).total for usage in some[-2:]]
    assert amounts[0] == Decimal("1E-7") and amounts[19_999] == Decimal("1E-7")


def test_a_dear_row_that_still_fits_stays_in_64_bits():
    most = (2**63 - 1) // 2_500_000  # pico-dollars a token of Haiku's output beyond its cliff
    tables = rates([tariff_of(HAIKU)])
    units, known = charge(tables, {"input": np.array([100_001, 1]), "output": np.array([0, most])})
    assert units.dtype == np.int64 and known.all()
    assert units.tolist() == [100_001 * 500_000, 100_000 + most * 500_000]


def test_sums_pass_64_bits_without_a_word_lost():
    units = np.full(100_000, 2**63 - 1)
    group = np.arange(100_000) % 3
    assert total(units) == 100_000 * (2**63 - 1)
    assert totals(units, group, 3) == [n * (2**63 - 1) for n in np.bincount(group).tolist()]
    assert total(units.astype(object)) == total(units)
    assert totals(units.astype(object), group, 3) == totals(units, group, 3)


def test_a_count_below_0_is_refused():
    with pytest.raises(ValueError, match="there is a count of -1 for output"):
        charge(rates([tariff_of(HAIKU)]), {"input": np.array([1, 2]), "output": np.array([3, -1])})


def test_nothing_costs_nothing_and_has_a_price():
    units, known = charge(rates([tariff_of(HAIKU)]), {"input": np.array([0]), "output": np.array([0])})
    assert units.tolist() == [0] and known.all()
    units, known = charge(rates([Tariff()]), {"input": np.array([0]), "output": np.array([0])})
    assert not known.any()


def test_no_rows_are_no_rows():
    none = np.array([], dtype=np.int64)
    units, known = charge(rates([tariff_of(HAIKU)]), {"input": none, "output": none})
    assert len(units) == len(known) == total(units) == 0


def random_usages(rng, n):
    """Usages of all sizes: cliffs, dates, tiers, caches, searches, and some that 64 bits cannot hold."""
    sizes = rng.choice(
        [1, 10, 1_000, 150_000, 10**7, 10**12, 2**62], n, p=[0.1, 0.1, 0.4, 0.3, 0.07, 0.02, 0.01]
    )
    words = {
        "tier": ["standard", "batch", "priority"],
        "speed": ["standard", "fast"],
        "geo": [None, "us", "eu"],
    }
    told = {
        name: rng.choice(np.array(w, dtype=object), n, p=[0.8, *[0.2 / (len(w) - 1)] * (len(w) - 1)])
        for name, w in words.items()
    }
    numbers = {kind: (rng.random(n) * sizes * (rng.random(n) < 0.6)).astype(np.int64) for kind in COUNTS}
    numbers["web_searches"] %= 5
    return numbers, told


def test_a_hundred_thousand_random_rows_are_exact_to_the_last_digit():
    n, rng = 100_000, np.random.default_rng(20261122)
    numbers, told = random_usages(rng, n)
    models = rng.choice(np.array([*(facts.id for facts in all_models()), "unheard-of"]), n)
    on = (np.datetime64("2025-06-01") + rng.integers(0, 640, n)).astype("datetime64[D]").tolist()
    rows = list(
        zip(models.tolist(), on, *(told[name].tolist() for name in ("speed", "tier", "geo")), strict=True)
    )
    kinds = {row: place for place, row in enumerate(dict.fromkeys(rows))}
    tables = rates([tariff_of(m, day, speed=s, tier=t, geo=g) for m, day, s, t, g in kinds])
    units, known = charge(tables, numbers, np.array([kinds[row] for row in rows]))
    assert tables.digits == PICO
    lists = [numbers[kind].tolist() for kind in COUNTS]
    expected = [
        price(Usage(*counts[:5], None, counts[5], tier=t, speed=s, geo=g), model, day).total
        for (model, day, s, t, g), *counts in zip(rows, *lists, strict=True)
    ]
    assert [None if e is None else int(e.scaleb(PICO)) for e in expected] == [
        int(u) if k else None for u, k in zip(units.tolist(), known.tolist(), strict=True)
    ]
    assert total(units) == sum(int(e.scaleb(PICO)) for e in expected if e is not None)
    assert 0.3 < known.mean() < 0.9 and units.dtype == object
