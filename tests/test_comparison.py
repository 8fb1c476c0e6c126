import numpy as np
import pytest

from llmkit.errors import UsageError
from tests.frames import comparison, paired


def test_the_plain_form_has_the_sentence_and_a_row_for_each_model():
    lines = repr(comparison(paired(40, 12, 3, 45))).splitlines()
    assert lines[0].startswith("Opus better than Sonnet")
    assert lines[2].split()[:2] == ["model", "score"]
    assert [line.split()[0] for line in lines[3:5]] == ["Sonnet", "Opus"]


def test_the_rich_form_escapes_names_and_says_simulated():
    c = comparison(paired(40, 12, 3, 45, simulated=True))
    c.task.name = "<script>alert(1)</script>"
    html = c._repr_html_()
    assert "<script>" not in html
    assert "SIMULATED answers" in html


def test_slices_have_their_own_interval_only_from_15_items_on():
    frame = paired(40, 12, 3, 5, lang=lambda index: "en" if index < 50 else "de")
    result = comparison(frame).by("lang")
    assert result.loc["en", "items"] == 50
    assert np.isnan(result.loc["de", "low"])
    assert result.loc["en", "lead"] == pytest.approx(result.loc["en", "Opus"] - result.loc["en", "Sonnet"])


def test_a_slice_that_stands_out_is_flagged():
    frame = paired(40, 30, 0, 30, lang=lambda index: "en" if 40 <= index < 70 else "de")
    assert comparison(frame).by("lang")["flag"].to_dict() == {"de": False, "en": True}


def test_a_missing_column_names_those_there_are():
    with pytest.raises(UsageError, match=r"no column 'mood'; there are \['answer'"):
        comparison(paired(20, 1, 1, 1)).by("mood")


def test_disagreements_are_the_items_with_different_scores_side_by_side():
    found = comparison(paired(5, 2, 1, 3)).disagreements()
    assert found.index.tolist() == ["5", "6", "7"]
    assert found["Opus: score"].tolist() == [1.0, 1.0, 0.0]
    assert found["Sonnet: answer"].tolist() == ["answer 0", "answer 0", "answer 1"]


def test_failures_and_items_left_out_are_told():
    frame = paired(20, 5, 2, 3)
    frame["error"] = frame["error"].astype(object)
    frame.loc[0, ["score", "outcome", "error"]] = [np.nan, "error", "Busy: overloaded"]
    text = repr(comparison(frame))
    assert "1 call(s) failed; run the comparison again" in text
    assert "Busy: overloaded" in text
    assert "1 item(s) are left out" in text


def test_worth_follows_the_worked_decision_of_the_literature():
    worth = comparison(paired(150, 12, 2, 36, costs=(0.01, 0.03))).worth(cost_of_error=1.0, horizon=20_000)
    assert worth.probability == pytest.approx(0.952267, abs=0.006)
    assert "Opus" in worth.sentence


def test_worth_refuses_what_it_cannot_know():
    frame = paired(150, 12, 2, 36)
    with pytest.raises(UsageError, match="it is one of"):
        comparison(frame).worth(cost_of_error=1, model="Haiku")
    frame.loc[3, "cost"] = np.nan
    with pytest.raises(UsageError, match="unknown"):
        comparison(frame).worth(cost_of_error=1)
