import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.rouge import common, rouge, words

TEXT = st.lists(st.sampled_from(["the", "cat", "sat", "mats", "\n", "running"]), max_size=12).map(" ".join)


def test_words_are_ascii_letters_and_digits_in_lower_case():
    assert words("The Cat's 3 mats, naïve!") == ["the", "cat", "s", "3", "mats", "na", "ve"]
    assert words("walking walked cat", stemmer=True) == ["walk", "walk", "cat"]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("1", (3 / 4, 3 / 4)), ("2", (1 / 3, 1 / 3)), ("L", (3 / 4, 3 / 4))],
)
def test_lin_s_example_of_2004(variant, expected):
    precision, recall, f1 = rouge("police kill the gunman", "police killed the gunman", variant=variant)
    assert (precision, recall, f1) == pytest.approx((*expected, expected[0]))


def test_the_order_of_words_matters_to_the_sequence_only():
    assert rouge("the gunman kill police", "police killed the gunman")[1] == pytest.approx(2 / 4)
    assert rouge("the gunman kill police", "police killed the gunman", variant="1")[1] == pytest.approx(3 / 4)


def test_the_union_of_lines_is_lin_s_own_example():
    """The reference sentence w1 w2 w3 w4 w5 and two candidates share w1 w2 and w1 w3 w5: four of five."""
    found = "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5"
    assert rouge(found, "w1 w2 w3 w4 w5", variant="Lsum")[1] == pytest.approx(4 / 5)


@pytest.mark.parametrize("variant", ["1", "2", "L", "Lsum"])
def test_nothing_shares_nothing(variant):
    assert rouge("", "a b", variant=variant) == rouge("a b", "", variant=variant) == (0.0, 0.0, 0.0)


@given(TEXT, TEXT)
def test_precision_and_recall_change_places_with_the_texts(one, other):
    for variant in ("1", "2", "L"):
        precision, recall, f1 = rouge(one, other, variant=variant)
        assert rouge(other, one, variant=variant) == pytest.approx((recall, precision, f1))
        assert 0 <= precision <= 1
        assert 0 <= recall <= 1


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_a_common_sequence_is_in_both_in_order(one, other):
    rest = iter(other)
    assert all(word in rest for word in (one[place] for place in common(one, other)))
