"""What pictures and reports need to know of a comparison, so that they stand below it."""

from __future__ import annotations

from typing import Protocol

import pandas as pd

from .coin import Made
from .records import Request
from .task import Task
from .verdict import Verdict
from .worth import Worth


class Compared(Protocol):
    """A finished comparison, as ``comparison.Comparison`` is one."""

    task: Task
    labels: list[str]
    frame: pd.DataFrame
    settings: dict[str, str]
    policies: dict[str, Made]
    defaults: dict[str, Request]

    @property
    def verdict(self) -> Verdict:
        """The table, the paired differences and the sentence."""

    @property
    def simulated(self) -> bool:
        """True if any answer was made up by the simulator."""

    @property
    def notes(self) -> list[str]:
        """What a reader must know besides the verdict."""

    def worth(self, *, cost_of_error: float, horizon: int = 1, model: str | None = None) -> Worth:
        """Is ``model`` worth its price over the baseline?"""

    def by(self, column: str) -> pd.DataFrame:
        """One row per value of a column."""

    def disagreements(self) -> pd.DataFrame:
        """Items on which the models' scores differ, the widest gap first."""
