"""Outcomes and prices in, decisions out: what an error must cost before the dearer model pays.

The words are those of health economics: delta is the gain in right answers per task of A over B, delta-c its
extra cost per task, lambda the price of one error, and INMB = lambda * delta - delta-c the net benefit
(Stinnett & Mullahy 1998; for language models Zellinger & Thomson, arXiv 2507.03834).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .distributions import normal_cdf, normal_pdf, t_quantile
from .errors import UsageError
from .render import sentence as paragraph
from .stats import Difference

Floats = npt.NDArray[np.float64]
Shape = Literal["interval", "at least", "none", "dominates", "dominated", "any"]

DRAWS = 20_000
BATCHES = (20, 50, 100, 200, 400)  # sizes of a further sample that are weighed against their price


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The price of one error (USD) above which A is worth its extra cost; NaN if A gains nothing.

    shape: "interval" low to high; "at least" low, with no upper bound; "none": A is worse; "dominates": A is
    no dearer and no worse, so it needs no price; "dominated": the reverse; "any": these data fix no price.
    """

    shape: Shape
    estimate: float
    low: float
    high: float

    def sentence(self, label: str, baseline: str, what: str) -> str:
        """What it means, to follow after "A costs $x more a task,"."""
        if self.shape == "dominates":
            return f"and is no worse, so no price of {what} is needed to prefer it"
        if self.shape == "dominated":
            return f"and {baseline} is no dearer and no worse"
        if self.shape == "none":
            return f"worth it at no price of {what}"
        if self.shape == "any":
            return f"and these data fix no price of {what}"
        bounds = f"at least ${_money(self.low)}"
        if self.shape == "interval":
            bounds = f"${_money(self.low)} to ${_money(self.high)}"
        if math.isnan(self.estimate):
            return f"worth it, if at all, when {what} costs {bounds}"
        return f"worth it when {what} costs more than ${_money(self.estimate)} [{bounds}]"


@dataclass(frozen=True, slots=True)
class Worth:
    """Is A worth its price at one price of an error?

    Attributes:
        probability: that A has the higher net benefit.
        benefit: expected net benefit per task (USD).
        risk: what choosing now may still cost over the horizon in expectation (EVPI x horizon, USD).
        break_even: see ``BreakEven``.
        next_items, next_value: the further sample worth most, and by how much it beats its price over the
            horizon (USD); 0 and 0 when none is worth its price.
        sentence: all of it in words.
    """

    probability: float
    benefit: float
    risk: float
    break_even: BreakEven
    next_items: int
    next_value: float
    cost_of_error: float
    horizon: int
    sentence: str

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return paragraph(self.sentence, strong=True)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of delta: ``draws`` (m,), its mean and variance, and the weight ``n`` of the data."""

    mean: float
    variance: float
    n: int
    draws: Floats

    @property
    def better(self) -> float:
        """P(delta > 0)."""
        return float((self.draws > 0).mean())


def posterior(found: Difference) -> Posterior:
    """Dirichlet(1/2, 1/2, 1) over only A, only B and the rest; with repeats or clusters a shifted t."""
    seed = hashlib.sha256(repr((found.estimate, found.n, found.only_a, found.only_b, found.se)).encode())
    random = np.random.default_rng(int.from_bytes(seed.digest()[:8], "big"))
    n = found.n
    if found.only_a is not None and found.only_b is not None:
        b, c = found.only_a, found.only_b
        shares = random.dirichlet((b + 0.5, c + 0.5, n - b - c + 1), size=DRAWS)
        mean = (b - c) / (n + 2)
        variance = ((b + c + 1) / (n + 2) - mean**2) / (n + 3)
        return Posterior(mean, variance, n, shares[:, 0] - shares[:, 1])
    if not found.se or not found.df:
        raise UsageError("all differences are equal, so nothing can be said about their worth; add items")
    draws = found.estimate + found.se * random.standard_t(found.df, size=DRAWS)
    return Posterior(found.estimate, found.se**2, n, draws)


def break_even(found: Difference, extra_cost: float) -> BreakEven:
    """Delta-c / delta with the interval of delta turned over; for an extra cost known well.

    The set holds every price of an error at which the data do not contradict indifference.
    """
    low, high = found.low, found.high
    estimate = extra_cost / found.estimate if found.estimate > 0 and extra_cost > 0 else math.nan
    if extra_cost <= 0:
        if low >= 0:
            return BreakEven("dominates", 0.0, 0.0, 0.0)
        return BreakEven("any", math.nan, math.nan, math.nan)
    if high <= 0:
        return BreakEven("none", math.nan, math.nan, math.nan)
    if low <= 0:
        return BreakEven("at least", estimate, extra_cost / high, math.inf)
    return BreakEven("interval", estimate, extra_cost / high, extra_cost / low)


def fieller(gains: npt.ArrayLike, costs: npt.ArrayLike, level: float = 0.95) -> BreakEven:
    """Fieller's set for mean(costs) / mean(gains) over items (n,), where the extra cost is noisy too.

    "at least" keeps the upper ray only; the lower one, at negative prices, says that A may be worse.
    """
    d, x = np.asarray(gains, dtype=float), np.asarray(costs, dtype=float)
    n = len(d)
    s = np.cov(d, x, ddof=1) / n
    q2 = t_quantile(0.5 + level / 2, n - 1) ** 2
    a = d.mean() ** 2 - q2 * s[0, 0]
    beta = d.mean() * x.mean() - q2 * s[0, 1]
    k = x.mean() ** 2 - q2 * s[1, 1]
    disc = beta**2 - a * k
    estimate = float(x.mean() / d.mean()) if d.mean() else math.nan
    if disc < 0:
        return BreakEven("any", estimate, -math.inf, math.inf)
    roots = sorted((float((beta - math.sqrt(disc)) / a), float((beta + math.sqrt(disc)) / a)))
    if a > 0:
        return BreakEven("interval", estimate, *roots)
    return BreakEven("at least", estimate, roots[1], math.inf)


def unit_normal_loss(u: float) -> float:
    """E[max(Z - u, 0)] of a standard normal Z."""
    return normal_pdf(u) - u * (1 - normal_cdf(u))


def sample_value(belief: Posterior, extra_cost: float, cost_of_error: float, more: int) -> float:
    """Expected value per task (USD) of ``more`` further items before deciding (EVSI, normal form)."""
    spread = cost_of_error * math.sqrt(belief.variance * more / (belief.n + 2 + more))
    if spread == 0:
        return 0.0
    return spread * unit_normal_loss(abs(cost_of_error * belief.mean - extra_cost) / spread)


def probabilities(found: Difference, extra_cost: float, prices: Sequence[float]) -> list[float]:
    """P(A is worth it) at each price of an error: the acceptability curve."""
    draws = posterior(found).draws
    return [float((price * draws - extra_cost > 0).mean()) for price in prices]


def decide(
    found: Difference,
    extra_costs: npt.ArrayLike,
    *,
    cost_of_error: float,
    horizon: int = 1,
    names: tuple[str, str] = ("A", "B"),
    item_price: float = 0.0,
    simulated: bool = False,
) -> Worth:
    """Weigh A's gain against its extra cost at one price of an error.

    Args:
        found: A - B. extra_costs: A's extra cost per item, USD, (n,).
        cost_of_error: USD. horizon: tasks the decision is for.
        item_price: USD that one more item costs to make and ask.
    """
    if not math.isfinite(cost_of_error) or cost_of_error <= 0:
        raise UsageError(f"cost_of_error is {cost_of_error!r}; give what one error costs, in USD above 0")
    if horizon < 1:
        raise UsageError(f"horizon is {horizon!r}; give the number of tasks the decision is for")
    costs = np.asarray(extra_costs, dtype=float)
    belief, extra = posterior(found), float(costs.mean())
    noise = float(costs.std(ddof=1)) / math.sqrt(len(costs)) if len(costs) > 1 else 0.0
    random = np.random.default_rng(len(costs))
    benefit = cost_of_error * belief.draws - (extra + noise * random.standard_normal(DRAWS))
    mean = cost_of_error * belief.mean - extra
    risk = (float(np.maximum(benefit, 0).mean()) - max(float(benefit.mean()), 0.0)) * horizon
    items, value = _next(belief, extra, cost_of_error, horizon, item_price)
    even = break_even(found, extra)
    chance = float((benefit > 0).mean())
    parts = ["SIMULATED, so nothing here is about real models."] if simulated else []
    parts.append(
        f"At ${_money(cost_of_error)} an error, {names[0]} is worth its price over {names[1]} with a "
        f"probability of {chance:.0%} (expected {_signed(mean)} a task); deciding now risks "
        f"${_money(max(risk, 0.0))} over {horizon:,} tasks."
    )
    if items:
        parts.append(f"Asking {items:,} more items first is expected to be worth ${_money(value)}.")
    return Worth(chance, mean, max(risk, 0.0), even, items, value, cost_of_error, horizon, " ".join(parts))


def _next(
    belief: Posterior, extra: float, cost_of_error: float, horizon: int, price: float
) -> tuple[int, float]:
    gains = {r: horizon * sample_value(belief, extra, cost_of_error, r) - price * r for r in BATCHES}
    best = max(gains, key=lambda r: gains[r])
    return (best, gains[best]) if gains[best] >= 0.01 else (0, 0.0)


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 0.1 else f"{amount:.2g}"


def _signed(amount: float) -> str:
    return f"{'+' if amount >= 0 else '-'}${abs(amount):.4f}"
