from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit import accept
from llmkit.cascade import cascade
from llmkit.errors import Busy, UsageError
from llmkit.estimates import Estimate
from llmkit.policies import mix, route, vote
from llmkit.records import Cost, Message, Request
from llmkit.routing import balance, fallback
from tests.scripted import Scripted, answer


def priced(text, cost, model="m", **more):
    return answer(text, model=model, cost=Cost(Decimal(cost)), **more)


def pair():
    low = Scripted(priced("from low", "0.01", "low"), name="low")
    high = Scripted(priced("from high", "0.05", "high"), name="high")
    return low, high


class Router:
    """A fitted router, as far as a route can see."""

    name, at = "fitted", 0.5

    def __call__(self, prompt):
        return 0.9 if "hard" in prompt else 0.1


# route


def test_a_prompt_goes_up_where_the_number_reaches_the_threshold():
    low, high = pair()
    model = route(low, high, by=len, at=5)
    assert [model(prompt).model for prompt in ("1234", "12345", "123456")] == ["low", "high", "high"]
    assert model("12345").steps == ()


def test_length_by_name_is_the_number_of_characters():
    low, high = pair()
    assert route(low, high, by="length", at=5)("12345").model == "high"
    assert route(low, high, by="length", at=5).name == "route(low, high, by=length, at=5)"


def test_a_fitted_router_brings_its_own_threshold():
    low, high = pair()
    model = route(low, high, by=Router())
    assert (model("a hard one").model, model("an easy one").model) == ("high", "low")
    assert model.name == "route(low, high, by=fitted, at=0.5)"
    assert route(low, high, by=Router(), at=0.05)("an easy one").model == "high"


def test_a_router_sees_the_whole_request():
    low, high = pair()
    model = route(low, high, by=lambda prompt: prompt.request.max_tokens, at=100)
    assert model("hi", max_tokens=200).model == "high"
    assert model("hi", max_tokens=50).model == "low"


def test_a_route_among_named_models_asks_the_one_that_is_chosen():
    low, high = pair()
    model = route({"easy": low, "hard": high}, choose=lambda prompt: "hard" if "?" in prompt else "easy")
    assert (model("why?").model, model("so.").model) == ("high", "low")


def test_a_router_that_asks_a_model_is_a_step_and_part_of_the_cost():
    low, high = pair()
    fee = priced("9", "0.001", "judge")
    for model in (
        route(low, high, by=lambda prompt: (9, fee), at=5),
        route({"low": low, "high": high}, choose=lambda prompt: ("high", fee)),
    ):
        response = model("hi")
        assert [(step.role, step.model) for step in response.steps] == [
            ("route", "judge"),
            ("answer", "high"),
        ]
        assert (response.cost.total, response.latency) == (Decimal("0.051"), 2.0)


def test_a_route_is_decided_once_a_conversation_by_its_opening():
    low, high = pair()
    model = route(low, high, by=len, at=5)
    first = model("hi")
    turns = [Message("user", "hi"), Message("assistant", first.text), Message("user", "much longer now")]
    assert model(turns).model == "low"
    # Also in another process, which has not seen the first turn.
    assert route(low, high, by=len, at=5)(turns).model == "low"


def test_a_route_streams_through_and_adds_the_fee_in_the_end():
    low, high = pair()
    stream = route(low, high, by=lambda prompt: (1, priced("1", "0.001")), at=1).stream("hi")
    assert list(stream) == ["from", "high"]
    assert stream.response.cost.total == Decimal("0.051")


def test_a_failure_after_a_paid_choice_tells_of_it():
    low, high = Scripted("x", name="low"), Scripted(Busy("no"), name="high")
    model = route(low, high, by=lambda prompt: (1, priced("1", "0.001")), at=1)
    with pytest.raises(Busy) as caught:
        model("hi")
    assert [step.role for step in caught.value.steps] == ["route"]


def test_a_name_that_is_none_is_told_what_there_is():
    low, high = pair()
    with pytest.raises(UsageError, match=r"chose 'opus', which no model is called; there are \['a', 'b'\]"):
        route({"a": low, "b": high}, choose=lambda prompt: "opus")("hi")


@pytest.mark.parametrize("value", [None, "high", float("nan")])
def test_a_router_that_gives_no_number_is_said(value):
    low, high = pair()
    with pytest.raises(UsageError, match="must give a number"):
        route(low, high, by=lambda prompt: value, at=1)("hi")


@pytest.mark.parametrize(
    "make",
    [
        lambda a, b: route(a, b),
        lambda a, b: route(a, b, by=len),
        lambda a, b: route(a, b, by="size", at=1),
        lambda a, b: route(a, b, by=len, at="5"),
        lambda a, b: route(a, b, by=len, at=float("nan")),
        lambda a, b: route(a, b, by=len, at=1, choose=len),
        lambda a, b: route({"a": a}),
        lambda a, b: route({}, choose=len),
        lambda a, b: route({"a": "opus"}, choose=len),
        lambda a, b: route(a, by=len, at=1),
        lambda a, b: mix(a, "opus", p=0.5),
        lambda a, b: mix(a, b, p=1.01),
        lambda a, b: mix(a, b, p=-0.01),
        lambda a, b: mix(a, b, p=float("nan")),
        lambda a, b: mix(a, b, p=True),
        lambda a, b: vote(a),
        lambda a, b: vote(),
        lambda a, b: vote(a, k=1),
        lambda a, b: vote(a, b, k=2),
        lambda a, b: vote(a, b, extract="line"),
    ],
)
def test_what_cannot_work_is_said_when_it_is_made(make):
    with pytest.raises(UsageError):
        make(*pair())


# mix


def test_a_coin_falls_the_same_in_every_rerun_and_differs_by_seed_and_repeat():
    low, high = pair()
    prompts = [f"prompt {n}" for n in range(200)]

    def served(seed, repeat=0):
        return [mix(low, high, p=0.5, seed=seed)(prompt, repeat=repeat).model for prompt in prompts]

    assert served(0) == served(0)
    assert served(0) != served(1)
    assert served(0) != served(0, repeat=1)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_chance_moves_more_up_and_none_down(p, q):
    low, high = pair()
    fewer, more = mix(low, high, p=min(p, q)), mix(low, high, p=max(p, q))
    for n in range(20):
        assert not (fewer(str(n)).model == "high" and more(str(n)).model == "low")


def test_a_coin_keeps_to_its_chance():
    low, high = pair()
    for p in (0.0, 0.3, 1.0):
        moved = sum(mix(low, high, p=p)(f"prompt {n}").model == "high" for n in range(2000)) / 2000
        assert moved == pytest.approx(p, abs=4 * (p * (1 - p) / 2000) ** 0.5)


def test_a_coin_is_thrown_once_a_conversation():
    low, high = pair()
    for n in range(20):
        first = mix(low, high, p=0.5)(f"prompt {n}")
        turns = [Message("user", f"prompt {n}"), Message("assistant", first.text), Message("user", "go on")]
        assert mix(low, high, p=0.5)(turns).model == first.model


# vote


def test_most_votes_win_and_all_are_counted():
    models = [
        Scripted(priced(text, "1", f"m{n}"), name=f"m{n}") for n, text in enumerate(["no", "Yes", "yes "])
    ]
    response = vote(models)("hi")
    assert (response.text, response.model, response.cost.total, response.latency) == ("Yes", "m1", 3, 3.0)
    assert [step.role for step in response.steps] == ["draft", "answer", "draft"]
    assert response.first_token == 3.0


def test_the_first_wins_where_votes_are_equal_and_where_nobody_can_be_read():
    models = [Scripted(text, name=text) for text in ("a", "b")]
    assert vote(*models)("hi").text == "a"
    assert vote(*models, extract=lambda text: None)("hi").text == "a"
    assert vote(*models, extract=lambda text: None if text == "a" else text)("hi").text == "b"


def test_votes_of_one_model_are_its_repeats():
    model = Scripted(lambda request: priced("ab"[request.repeat % 2], "1"), name="m")
    assert vote(model, k=5)("hi").text == "a"
    assert [request.repeat for request in model.asked] == [0, 1, 2, 3, 4]
    assert vote(model, k=5)("hi", repeat=1).text == "b"
    assert [request.repeat for request in model.asked[5:]] == [5, 6, 7, 8, 9]


def test_a_vote_shows_the_winner_in_one_piece():
    models = [Scripted(text, name=f"m{n}") for n, text in enumerate(["one two", "three four", "three four"])]
    assert list(vote(models).stream("hi")) == ["three four"]


def test_a_voter_that_fails_fails_the_vote_with_what_was_paid():
    good, bad = Scripted(priced("a", "1"), name="good"), Scripted(Busy("no"), name="bad")
    with pytest.raises(Busy) as caught:
        vote(good, bad)("hi")
    assert [step.cost for step in caught.value.steps] == [1]
    stand_in = Scripted(priced("c", "2"), name="other")
    assert fallback(vote(good, bad), stand_in)("hi").cost.total == 3


# Together


def test_settings_reach_each_model_beside_its_own():
    low, high = pair()
    low.defaults, high.defaults = Request(effort="low"), Request(effort="high")
    for model in (mix(low, high, p=1), route(low, high, by=len, at=0), vote(low, high)):
        model("hi", max_tokens=7)
    assert {(r.effort, r.max_tokens) for r in high.asked} == {("high", 7)}
    assert {(r.effort, r.max_tokens) for r in low.asked} == {("low", 7)}


def test_policies_nest_as_deep_as_one_likes():
    low, high = pair()
    coin = mix(low, high, p=0.5)
    inner = cascade(coin, vote(low, high), accept=lambda p, r: False)
    model = fallback(route(inner, balance(low, high), by=len, at=100), high)
    response = model("hi")
    assert [step.role for step in response.steps] == ["draft", "answer", "draft"]
    drafted = {"low": Decimal("0.01"), "high": Decimal("0.05")}[response.steps[0].model]
    assert response.cost.total == Decimal("0.06") + drafted


class Guessed(Scripted):
    """A model with an estimate."""

    def __init__(self, dollars, name):
        super().__init__("x", name=name)
        self.dollars = None if dollars is None else Decimal(dollars)

    def estimate(self, request, answer):
        return Estimate(10, 5, 2.0, self.dollars, None if self.dollars is None else self.dollars * 10)


@pytest.mark.parametrize(
    ("make", "expected", "worst"),
    [
        (lambda a, b: cascade(a, b, accept=len), "5", "50"),
        (lambda a, b: route(a, b, by=len, at=3), "4", "40"),
        (lambda a, b: mix(a, b, p=0.25), "1.75", "40"),
        (lambda a, b: vote(a, b), "5", "50"),
        (lambda a, b: vote(a, k=3), "3", "30"),
    ],
)
def test_a_policy_is_estimated_before_anything_is_asked(make, expected, worst):
    model = make(Guessed("1", "a"), Guessed("4", "b"))
    guess = model.estimate(model.request("hi"), "yes")
    assert (guess.expected, guess.worst) == (Decimal(expected), Decimal(worst))
    unknown = make(Guessed(None, "a"), Guessed("4", "b"))
    assert unknown.estimate(unknown.request("hi"), "yes").worst is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=7))
def test_the_elected_has_as_many_votes_as_any(votes):
    model = vote(Scripted("x"), k=2)
    chosen = votes[model.elected(votes)]
    counted = [each for each in votes if each is not None]
    assert all(votes.count(chosen) >= votes.count(each) for each in counted) if counted else chosen is None


def test_labels_are_short_and_differ_where_settings_do():
    a, b = pair()
    long = accept.has("x" * 60)
    made = [
        cascade(a, b, accept=accept.is_json),
        cascade(a, b, accept=accept.is_json, pass_draft=True),
        cascade(a, b, accept=long),
        cascade(a, b, accept=accept.has("x" * 61)),
        route(a, b, by=len, at=300),
        route(a, b, by=len, at=301),
        mix(a, b, p=0.3),
        mix(a, b, p=0.3, seed=1),
        vote(a, k=3),
        vote(a, k=3, extract=str.strip),
    ]
    labels = [policy.label for policy in made]
    assert labels[0] == f"cascade({a.label} -> {b.label}, is_json)"
    assert labels[4] == f"route({a.label} -> {b.label}, length >= 300)"
    assert len(set(labels)) == len(labels)
    assert max(len(label) for label in labels) < 45 + len(a.label) + len(b.label) + 15
