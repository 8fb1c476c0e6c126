import io
from decimal import Decimal

from llmkit.progress import _Bar, _Line, _Silent, describe, progress


def test_a_line_tells_answers_money_failures_and_time_left():
    said = describe(40, 100, Decimal("0.3149"), 2, 20.0, simulated=False)
    assert said == "40 of 100 · $0.3149 · 2 failed · 30 s left"


def test_simulated_money_is_marked():
    assert "SIMULATED $0.1000" in describe(1, 2, Decimal("0.1"), 0, 0.1, simulated=True)


def test_without_anybody_watching_nothing_is_shown(capsys):
    show = progress(10, title="x", simulated=True)
    assert isinstance(show, _Silent)
    show.update(done=1, dollars=Decimal(0), failed=0)
    show.close()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_line_is_rewritten_a_few_times_a_second_and_ends_complete():
    out, now = io.StringIO(), [0.0]
    line = _Line(1000, "task", False, out)
    line._clock = lambda: now[0]
    line._started = line._shown = 0.0
    for done in range(1, 1001):
        now[0] += 0.001
        line.update(done=done, dollars=Decimal(done) / 1000, failed=0)
    line.close()
    shown = out.getvalue().split("\r")
    assert len(shown) < 15
    assert shown[-1].rstrip() == "task: 1,000 of 1,000 · $1.0000"


def test_a_bar_in_a_notebook_follows_and_says_how_it_ended():
    bar = _Bar(10, "task", True)
    bar.update(done=4, dollars=Decimal("0.5"), failed=0)
    assert (bar._bar.value, bar._label.value) == (4, "4 of 10 · SIMULATED $0.5000")
    assert "Interrupt" in bar._hint.value
    bar.close()
    assert (bar._bar.bar_style, bar._hint.value) == ("warning", "")
