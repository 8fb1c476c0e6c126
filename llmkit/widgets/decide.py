"""Is the dearer model worth it: the verdict as the price of an error, the horizon and waiting change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import render
from ..breakeven import money
from ..compared import Compared
from ..errors import UsageError
from ..plots_money import WorthIt
from ..worth import Worth
from . import fields
from .knobs import Dial, View, log_slider

if TYPE_CHECKING:
    import pandas as pd

    from ..comparison import Comparison


def decide(c: Comparison, *, cost_of_error: float = 1.0, horizon: int = 10_000) -> Decide:
    """A panel that says whether the dearer model is worth its price, while you move what an error costs.

        panel = kit.widgets.decide(c)
        panel                              # move the sliders
        panel.value                        # the verdict, as c.worth(...) gives it; panel.frame is its curve

    What cannot be decided is said in the panel, nothing is raised.
    """
    return Decide(c, cost_of_error, horizon)


class Decide(Dial):
    """Made by ``kit.widgets.decide``.

    Attributes:
        value: the verdict, a ``Worth``; None where there is none.
        error, horizon, minute, model: the knobs.
    """

    def __init__(self, c: Comparison, cost_of_error: float, horizon: int) -> None:
        super().__init__(f"Decide: {c.task.name}", simulated=c.simulated)
        self.value: Worth | None = None
        self._c = c
        self.error = log_slider("Cost of an error, USD", cost_of_error, powers=(-4, 5), shown_as=",.4g")
        self.horizon = log_slider("Tasks it is for", horizon, powers=(0, 9), shown_as=",.0f")
        self.minute = fields.slider("Cost of a minute, USD", 0.0, least=0.0, most=10.0, step=0.01)
        self.model = fields.choice(f"Instead of {c.labels[0]}", c.labels[1:] or ["no other model"])
        self.follow(self.error, self.horizon, self.minute, self.model)
        choose = [self.model] if len(c.labels) > 2 else []
        self.lay_out(fields.row(self.error, self.horizon, self.minute, *choose))

    @property
    def frame(self) -> pd.DataFrame:
        """The curve: price of an error (USD), and the probability that the model is worth its price there.

        Raises ``UsageError`` while there is no verdict.
        """
        import pandas as pd

        if self.value is None:
            raise UsageError(f"there is no verdict: {self.said or 'wait for the panel'}")
        return pd.DataFrame(self.value.curve, columns=["price", "probability"])

    def look(self) -> View:
        """The verdict and the worth-it curve at what the knobs say."""
        self.value = None
        error, minute = float(self.error.value), float(self.minute.value)
        model = str(self.model.value) if len(self._c.labels) > 1 else None
        verdict = self._c.worth(
            cost_of_error=error, cost_of_minute=minute, horizon=round(self.horizon.value), model=model
        )
        compared: Compared = self._c
        curve = WorthIt.of(compared, model=model, cost_of_error=error, cost_of_minute=minute)
        self.value = verdict
        return View(
            verdict.sentence, _offers(verdict, simulated=self._c.simulated), lambda ax: curve.plot(ax=ax)
        )


def _offers(verdict: Worth, *, simulated: bool) -> str:
    """What could be bought before deciding, as a table."""
    rows = [
        [offer.kind, f"{offer.count:,}", *(f"${money(usd)}" for usd in (offer.price, offer.value))]
        for offer in verdict.offers
        if offer.kind != "nothing"
    ]
    if not rows:
        return ""
    mark = "SIMULATED answers: " if simulated else ""
    caption = f"{mark}what could be bought before deciding"
    return render.table(["buy", "how many", "price", "expected to save"], rows, caption=caption)
