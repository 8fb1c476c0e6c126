import math

import pytest

from llmkit import ballots, human
from llmkit.errors import UsageError
from tests.spoken import spoken


@pytest.fixture
def kept():
    store = human.own_store()
    yield human.Kept(store)
    store.close()


def ballot_of(c, kept, seed=0):
    found, left_out = ballots.pairs(c.task.name, c.frame, c.labels, seed=seed)
    return ballots.Ballot(found, kept, left_out=left_out)


def vote_for(ballot, label, times):
    for _ in range(times):
        pair = ballot.pair()
        ballot.cast(pair, "AB"[pair.sides.index(label)])


def test_order_and_sides_are_the_seeds_and_sides_are_even(kept):
    c = spoken(400)
    one, two, other = (ballot_of(c, kept, seed).pairs for seed in (0, 0, 1))
    assert one == two
    assert [pair.item for pair in one] != [pair.item for pair in other]
    swapped = sum(pair.swapped for pair in one)
    assert 160 < swapped < 240
    pair = next(pair for pair in one if pair.swapped)
    assert pair.sides == ("Sonnet", "Opus")
    assert [c.frame["model"].iloc[place] for place in pair.shown] == ["Sonnet", "Opus"]


def test_three_models_are_paired_each_with_each(kept):
    ballot = ballot_of(spoken(2, models=("A1", "B1", "C1"), repeats=2), kept)
    assert len(ballot.pairs) == 2 * 2 * 3
    assert {(pair.first, pair.second) for pair in ballot.pairs} == {("B1", "A1"), ("C1", "A1"), ("C1", "B1")}


def test_missing_answers_are_left_out_and_identical_ones_are_ties_nobody_is_asked(kept):
    texts = {0: None, 1: "same", 2: "same"}
    c = spoken(
        5, answer=lambda i, label, _: texts.get(i, f"{label} {i}") if label == "Opus" or i else "there"
    )
    c.frame.loc[(c.frame["item"] == "3") & (c.frame["model"] == "Opus"), "outcome"] = "error"
    ballot = ballot_of(c, kept)
    assert (len(ballot.pairs), ballot.left_out, ballot.asked) == (3, 2, 1)
    vote_for(ballot, "Opus", 1)
    frame = ballot.frame()
    assert sorted(frame["share"]) == [0.5, 0.5, 1.0]
    assert frame["identical"].sum() == 2
    assert ballot.pair() is None


def test_votes_are_found_again_from_another_seed_and_baseline(kept):
    c = spoken(6)
    ballot = ballot_of(c, kept)
    vote_for(ballot, "Opus", 3)
    ballot.cast(ballot.pair(), "both bad")
    before = ballot.frame().set_index("item")["winner"].to_dict()
    c.labels.reverse()
    again = ballot_of(c, kept, seed=7)
    assert again.done == 4
    after = again.frame()
    assert after.set_index("item")["winner"].to_dict() == before
    assert sorted(after["share"]) == [0.0, 0.0, 0.0, 0.5]
    sides = [row.left if row.choice == "A" else None for row in after.itertuples() if row.choice == "A"]
    assert set(sides) <= {"Opus"}


def test_the_last_vote_is_taken_back_also_after_a_restart(kept):
    c = spoken(4)
    ballot = ballot_of(c, kept)
    first = ballot.pair()
    ballot.cast(first, "A")
    second = ballot.pair()
    ballot.cast(second, "skip")
    again = ballot_of(c, kept)
    assert again.undo()
    assert again.pair() == second
    assert again.undo()
    assert again.pair() == first
    assert not again.undo()


def test_a_vote_is_one_of_five(kept):
    ballot = ballot_of(spoken(2), kept)
    with pytest.raises(UsageError, match="'both bad'"):
        ballot.cast(ballot.pair(), "C")
    assert ballot.done == 0


def test_votes_become_win_rates_and_strengths(kept):
    ballot = ballot_of(spoken(20), kept)
    vote_for(ballot, "Opus", 12)
    vote_for(ballot, "Sonnet", 4)
    for choice in ("tie", "tie", "both bad", "skip"):
        ballot.cast(ballot.pair(), choice)
    votes = ballot.frame()
    (tally,) = ballots.tallies(votes)
    assert (tally.first, tally.won, tally.lost, tally.ties, tally.both_bad) == ("Opus", 12, 4, 2, 1)
    assert tally.rate.estimate == pytest.approx(13.5 / 19)
    assert tally.rate.low < 13.5 / 19 < tally.rate.high
    assert math.isnan(votes["share"].iloc[-1])
    sonnet, opus = ballots.strongest(votes, ["Sonnet", "Opus"])
    assert opus.estimate == pytest.approx(math.log(13.5 / 5.5), abs=1e-6)
    assert opus.low < opus.estimate < opus.high
    assert sonnet.estimate == 0


def test_clusters_widen_the_interval_and_few_have_none(kept):
    ballot = ballot_of(spoken(30), kept)
    while (pair := ballot.pair()) is not None:
        ballot.cast(pair, "AB"[pair.sides.index("Opus" if int(pair.item) % 10 < 7 else "Sonnet")])
    votes = ballot.frame()
    alone, own = (
        ballots.tallies(votes)[0].rate,
        ballots.tallies(votes, {str(i): str(i % 10) for i in range(30)})[0].rate,
    )
    assert own.estimate == pytest.approx(alone.estimate)
    assert own.high - own.low > alone.high - alone.low
    assert math.isnan(ballots.tallies(votes, {str(i): str(i % 2) for i in range(30)})[0].rate.low)


def test_a_judges_agreement_is_counted_where_both_decide(kept):
    c = spoken(8, score=lambda i, label, _: float(label == "Opus") if i < 6 else 1.0)
    ballot = ballot_of(c, kept)
    while (pair := ballot.pair()) is not None:
        ballot.cast(pair, "AB"[pair.sides.index("Opus" if int(pair.item) < 4 else "Sonnet")])
    votes = ballot.frame()
    agreed = ballots.agreement(votes, ballots.by_scores(c.frame, votes))
    assert len(agreed.frame) == 8
    assert (agreed.share.estimate, agreed.share.n) == (pytest.approx(4 / 6), 6)
    assert (agreed.errors.sensitivity, agreed.errors.right) == (1.0, 4)
    assert (agreed.errors.specificity, agreed.errors.wrong) == (0.0, 2)
    judged = votes[["item", "repeat"]].assign(winner="Sonnet")
    turned = ballots.agreement(votes, ballots.by_judge(judged, a="Sonnet", b="Opus"))
    assert turned.share.estimate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("c", "said"),
    [
        (spoken(2, models=("Opus",)), "need two models; there is Opus"),
        (spoken(2, answer=lambda *_: None), "no item has the text of two answers"),
    ],
)
def test_what_gives_no_pair_is_said(c, said):
    with pytest.raises(UsageError, match=said):
        ballots.pairs("t", c.frame, c.labels)
    with pytest.raises(UsageError, match="no answers to vote on"):
        ballots.pairs("t", c.frame.head(0), ["A", "B"])
