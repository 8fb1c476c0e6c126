import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from llmkit.errors import UsageError
from llmkit.plots import frontier
from tests.frames import comparison, paired


@pytest.fixture(autouse=True)
def quiet():
    mpl.use("Agg")
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_point_for_each_model_at_its_cost_and_score():
    ax = frontier(comparison(paired(40, 12, 3, 45)))
    points = {
        (round(float(c.lines[0].get_xdata()[0]), 6), round(float(c.lines[0].get_ydata()[0]), 6))
        for c in ax.containers
    }
    assert points == {(10.0, 43.0), (20.0, 52.0)}
    assert {"Sonnet", "Opus"} <= set(texts(ax))


def test_a_dominated_model_is_not_on_the_line():
    assert len(frontier(comparison(paired(40, 12, 3, 45))).get_lines()) > len(
        frontier(comparison(paired(40, 3, 12, 45))).get_lines()
    )


def test_simulated_answers_are_marked_and_real_ones_are_not():
    marks = [
        any("SIMULATED" in t for t in texts(frontier(comparison(paired(40, 12, 3, 45, simulated=s)))))
        for s in (True, False)
    ]
    assert marks == [True, False]


def test_it_draws_on_axes_it_is_given():
    _, ax = plt.subplots()
    assert frontier(comparison(paired(40, 12, 3, 45)), ax=ax) is ax


def test_without_a_known_cost_there_is_no_frontier():
    frame = paired(40, 12, 3, 45).assign(cost=np.nan)
    with pytest.raises(UsageError, match="known cost"):
        frontier(comparison(frame))
