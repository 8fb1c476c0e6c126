"""Models made of models over the whole stack: simulator, ledger, recordings, ceilings."""

import contextlib
import math
from decimal import Decimal

import pytest

import llmkit as kit
from llmkit import checks, session
from llmkit.errors import BudgetExceeded, NotRecorded, Partial, UsageError
from llmkit.model import finish
from llmkit.records import Thought
from llmkit.session import current

TASK = kit.read_task("support_triage").head(12)
QUESTION = TASK.prompt_of(0)


@pytest.fixture(autouse=True)
def connected(monkeypatch, tmp_path):
    monkeypatch.setattr(session, "_current", None)
    kit.connect("offline", store=tmp_path / "s.sqlite")
    yield
    current().close()


@pytest.fixture
def pair():
    return kit.models("sonnet", "opus")


def never(prompt, response):
    return False, "not good enough"


def bill(prompt):
    return f"Is this about a bill? {prompt}"


def asks(model):
    """A router that asks a model, and says what that cost."""

    def by(prompt):
        response = model(bill(prompt), max_tokens=50)
        return len(response.text) % 7, response

    return by


def billed():
    return kit.ledger().spend()


def composites(sonnet, opus):
    """One policy of every kind, and some nested ones; each with a label of its own."""
    haiku = kit.model("haiku")
    judged = checks.judge(haiku, "It names a category.")
    careful = kit.cascade(sonnet, opus, accept=checks.has(r"^Category: (billing|refund)"), label="careful")
    return [
        careful,
        kit.cascade(sonnet, opus, accept=judged & checks.finished, label="judged"),
        kit.cascade(sonnet, opus, accept=checks.agrees(3) | checks.is_json, label="agreed"),
        kit.cascade(sonnet, opus, accept=~checks.asked_confidence(at=0.5), label="unsure"),
        kit.cascade(sonnet, opus, accept=~checks.shorter_than(20), pass_draft=True, label="told"),
        kit.cascade(sonnet, sonnet, opus, accept=checks.has("^Category: refund"), label="twice"),
        kit.route(sonnet, opus, by=asks(haiku), at=4, label="asking"),
        kit.route({"a": careful, "b": opus}, choose=lambda p: "ab"[len(p) % 2], label="named"),
        kit.mix(sonnet, opus, p=0.5, label="coin"),
        kit.vote(sonnet, opus, haiku, label="three votes"),
        kit.vote(sonnet, k=3, label="own votes"),
        kit.fallback(careful, opus, label="safe"),
        kit.balance(sonnet, careful, weights=[1, 2], label="shared"),
        kit.cascade(
            kit.route(sonnet, haiku, by=asks(haiku), at=3), opus, accept=judged | checks.is_json, label="deep"
        ),
        kit.vote(careful, haiku, label="votes of policies"),
        kit.fallback(
            kit.cascade(careful, opus, accept=checks.has("refund"), reason="Because {why}."),
            opus,
            label="why",
        ),
    ]


# What it costs


def test_the_cost_of_an_answer_is_what_the_ledger_booked_for_all_its_calls(pair):
    for policy in composites(*pair):
        before = billed()
        for n in range(2):
            response = policy(TASK.prompt_of(n) + f" ({policy.label})")
            now = billed()
            assert response.cost.total == now.certain - before.certain, policy.label
            calls = now.attempts - before.attempts
            assert len(response.steps) == (calls if calls > 1 else len(response.steps)), policy.label
            if response.steps:
                assert sum(step.cost for step in response.steps) == response.cost.total
                assert sum(step.latency for step in response.steps) == pytest.approx(response.latency)
                assert [step.role for step in response.steps].count("answer") == 1
            before = now


def test_a_failure_on_the_way_is_an_attempt_of_the_answer(monkeypatch, tmp_path):
    kit.connect("offline", store=tmp_path / "f.sqlite", faults=["400@2"])
    sonnet, opus = kit.models("sonnet", "opus")
    model = kit.cascade(sonnet, opus, accept=never)
    with pytest.raises(kit.CallError) as caught:
        model(QUESTION)
    assert [(step.role, step.model) for step in caught.value.steps] == [("draft", sonnet.name)]
    assert caught.value.steps[0].cost == billed().certain > 0
    assert "not accepted: not good enough" in caught.value.attempts[0]
    again = model(QUESTION)  # the draft is recorded: only the second is asked
    assert [step.role for step in again.steps] == ["draft", "answer"]
    assert again.cost.total == billed().certain


def test_a_stand_in_after_a_paid_draft_tells_all_three_calls(tmp_path):
    kit.connect("offline", store=tmp_path / "f.sqlite", faults=["401@2"])
    sonnet, opus, haiku = kit.models("sonnet", "opus", "haiku")
    response = kit.fallback(kit.cascade(sonnet, opus, accept=never), haiku)(QUESTION)
    assert [step.role for step in response.steps] == ["draft", "failed", "answer"]
    assert response.cost.total == billed().certain
    assert len(response.attempts) == 2


def test_a_stream_cut_off_after_a_draft_tells_of_the_draft_and_is_not_gone_on_with(tmp_path):
    kit.connect("offline", store=tmp_path / "f.sqlite", faults=["cut:5@2"])
    sonnet, opus, haiku = kit.models("sonnet", "opus", "haiku")
    stream = kit.fallback(kit.cascade(sonnet, opus, accept=never), haiku).stream("Tell me a long story.")
    shown = []
    with pytest.raises(Partial) as caught:
        shown.extend(stream)
    assert caught.value.partial == "".join(shown) != ""
    assert [step.role for step in caught.value.steps] == ["draft", "failed"]
    assert caught.value.steps[0].cost == billed().certain
    assert billed().attempts == 2


# Ceilings


def test_whatever_is_composed_no_ceiling_is_passed_and_what_was_paid_is_told(pair):
    for policy in composites(*pair):
        for cap in ("0.003", "0.02", "0.09", "0.16"):
            with kit.budget(cap):
                with contextlib.suppress(BudgetExceeded):
                    for n in range(3):
                        policy(f"{TASK.prompt_of(n)} ({policy.label}, {cap})", max_tokens=900)
                (standing,) = kit.budgets().standings
            assert standing.certain <= standing.worst <= Decimal(cap)


def test_a_ceiling_reached_at_the_second_hop_keeps_and_books_the_first(pair):
    model = kit.cascade(*pair, accept=never)
    with kit.budget("0.03"), pytest.raises(BudgetExceeded, match="this block") as caught:
        model(QUESTION, max_tokens=1200)
    assert [(step.role, step.model) for step in caught.value.steps] == [("draft", pair[0].name)]
    assert caught.value.steps[0].cost == billed().certain > 0
    response = model(QUESTION, max_tokens=1200)
    assert billed().attempts == 2
    assert response.steps[0].cost == caught.value.steps[0].cost
    assert response.cost.total == billed().certain


def test_a_ceiling_reached_by_a_check_or_a_voter_tells_what_was_paid(pair):
    sonnet, opus = pair
    judged = kit.cascade(sonnet, sonnet, accept=checks.judge(kit.model("opus", max_tokens=4000), "Good?"))
    for model in (judged, kit.vote(sonnet, opus), kit.fallback(kit.vote(sonnet, opus), sonnet)):
        with kit.budget("0.03"), pytest.raises(BudgetExceeded) as caught:
            model(f"{QUESTION} {model.name}", max_tokens=1200)
        assert [step.model for step in caught.value.steps] == [sonnet.name]


def test_a_comparison_of_policies_is_held_to_its_budget_and_goes_on_from_there(pair):
    policies = composites(*pair)[:5]
    c = kit.compare(TASK, policies, budget="0.2", workers=4)
    assert "Stopped at the ceiling" in c.note
    assert 0 < billed().worst <= Decimal("0.2")
    paid = billed().certain
    kit.compare(TASK, policies, budget=5, workers=4)
    again = kit.compare(TASK, policies, budget=5, workers=4)
    assert again.note == ""
    assert billed().certain > paid
    assert again.frame["cost"].notna().all()


def test_a_plan_counts_checks_that_ask_and_its_worst_case_holds(pair):
    sonnet, opus = pair
    plain = kit.cascade(sonnet, opus, accept=never, label="plain")
    judge = checks.judge(kit.model("haiku"), "Good?")
    rows = {}
    for accept in (judge, ~judge, checks.agrees(3), checks.asked_confidence(), judge & checks.agrees(2)):
        policy = kit.cascade(sonnet, opus, accept=accept, label=accept.name)
        rows[accept.name] = kit.plan(TASK, [policy]).rows[0]
    base = kit.plan(TASK, [plain]).rows[0]
    alone = kit.plan(TASK, [sonnet]).rows[0]
    assert all(row.worst > base.worst and row.expected > base.expected for row in rows.values())
    assert rows["agrees(3)"].worst == base.worst + 2 * alone.worst
    assert rows["~judge(claude-haiku-5-5)"].worst == rows["judge(claude-haiku-5-5)"].worst
    kit.compare(TASK, [kit.cascade(sonnet, opus, accept=judge & never, label="all")])
    assert billed().certain <= rows["judge(claude-haiku-5-5)"].worst


# Streams, conversations, tools, threads


def test_no_piece_of_a_rejected_draft_is_ever_shown(pair):
    sonnet, opus = pair
    draft = sonnet(QUESTION, max_tokens=500).text
    for model in (
        kit.cascade(sonnet, opus, accept=never),
        kit.fallback(kit.route({"x": kit.cascade(sonnet, opus, accept=never)}, choose=lambda p: "x"), opus),
    ):
        stream = model.stream(QUESTION, max_tokens=500, thoughts=True)
        pieces = list(stream)
        text = "".join(piece for piece in pieces if not isinstance(piece, Thought))
        assert text == stream.response.text == opus(QUESTION, max_tokens=500).text != draft
        assert stream.response.model == opus.name


def test_the_last_model_of_a_cascade_streams_as_it_writes(pair):
    stream = kit.cascade(*pair, accept=never).stream("Tell me a long story.")
    assert next(stream)
    assert stream.text != stream.response.text


def test_a_conversation_is_decided_once_and_drops_foreign_thinking(pair):
    sonnet, opus = pair
    seen = []

    def once(prompt, response):
        seen.append(str(prompt))
        return False, "no"

    model = kit.cascade(sonnet, opus, accept=once)
    first = model("Which of 17 and 21 is prime?", effort="high")
    turns = [
        {"role": "user", "content": "Which of 17 and 21 is prime?"},
        {"role": "assistant", "content": first.blocks},
        {"role": "user", "content": "And 23?"},
    ]
    later = model(turns, effort="high")
    assert (first.model, later.model) == (opus.name, opus.name)
    assert len(seen) == 1
    assert later.steps == ()
    assert any(block["type"] == "thinking" for block in first.blocks)
    turns[1]["content"] = opus(turns[0]["content"], effort="high").blocks
    begun = kit.cascade(sonnet, opus, accept=checks.finished)  # it has not seen how the conversation began
    assert begun(turns, effort="high").model == sonnet.name
    moved = kit.fallback(opus, sonnet)
    begun = moved("Which of 17 and 21 is prime?", effort="high")
    turns[1]["content"] = begun.blocks
    moved._targets[0].out = "gone"  # as after a key that was refused
    assert moved(turns, effort="high").model == sonnet.name


def test_tools_run_inside_a_policy(pair):
    asked = []

    def get_weather(city: str) -> str:
        """The current weather in a city."""
        asked.append(city)
        return f"rain in {city}"

    for model in (
        kit.cascade(*pair, accept=checks.finished),
        kit.route(*pair, by=len, at=3),
        kit.fallback(*pair),
    ):
        asked.clear()
        before = billed().certain
        response = model(f"What is the weather in Paris? {model.name}", tools=[get_weather])
        assert asked
        assert response.outcome == "ok"
        assert response.cost.total == billed().certain - before
        assert [step.role for step in response.steps] == ["tool", "answer"]


def test_a_schema_reaches_the_model_that_answers(pair):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    schema["additionalProperties"] = False
    model = kit.cascade(*pair, accept=checks.matches(schema) & checks.is_json & never)
    response = model("Give a number.", schema=schema)
    assert response.model == pair[1].name
    assert isinstance(response.parsed["a"], int)


def test_policies_serve_many_threads_as_they_serve_one(pair):
    prompts = [TASK.prompt_of(n) for n in range(12)]
    for policy in composites(*pair):
        many = policy.map(prompts, workers=6)
        paid = billed().certain
        alone = [policy(prompt) for prompt in prompts]
        assert [r.text for r in many] == [r.text for r in alone]
        assert [r.cost.total for r in many] == [r.cost.total for r in alone]
        assert billed().certain == paid


# Replay


def test_every_policy_replays_as_it_ran_with_the_provider_gone(pair):
    policies = composites(*pair)
    haiku = kit.model("haiku")
    c = kit.compare(TASK, [*pair, haiku, *policies], repeats=1)
    attempts = billed().attempts
    current().simulator.stop()
    r = kit.replay(c, [policy for policy in policies if policy.label not in ("own votes", "twice", "agreed")])
    assert billed().attempts == attempts
    for label in r.labels:
        ran = c.frame[c.frame["model"] == label].set_index("item").loc[list(TASK.ids)]
        again = r.frame[r.frame["policy"] == label].set_index("item").loc[list(TASK.ids)]
        for column in ("score", "cost", "latency"):
            expected = ran[column].to_numpy(dtype=float)
            assert again[column].to_numpy() == pytest.approx(expected), (label, column)
        assert set(again["served"]) <= {"Sonnet 5.5", "Opus 5.5", "Haiku 5.5"}
    assert "does not beat a coin" in repr(r.verdicts) or "no trade-off" in repr(r.verdicts)


def test_a_comparison_kept_in_recordings_is_replayed_without_any_connection(pair, tmp_path):
    policies = composites(*pair)[:1] + composites(*pair)[6:9]
    c = kit.compare(TASK, [*pair, *policies], repeats=2)
    kit.connect("replay", store=tmp_path / "s.sqlite")
    pair = kit.models("sonnet", "opus")
    policies = composites(*pair)[:1] + composites(*pair)[6:9]
    again = kit.compare(TASK, [*pair, *policies], repeats=2)
    r = kit.replay(again, policies)
    assert r.frame.groupby("policy")["repeat"].nunique().tolist() == [2] * 4
    for label in r.labels:
        cost = c.frame[c.frame["model"] == label]["cost"].mean()
        assert r.table.loc[label, "cost"] == pytest.approx(cost)


def test_not_even_a_request_put_together_by_hand_is_sent_in_a_replay(pair):
    c, haiku = kit.compare(TASK, pair), kit.model("haiku")
    attempts = billed().attempts

    def by(prompt):
        return len(finish(haiku.run(haiku.request(str(prompt)))).text)

    with pytest.raises(NotRecorded, match="12 calls of Haiku"):
        kit.replay(c, [kit.route(*pair, by=by, at=3, label="asking")])
    assert billed().attempts == attempts


def test_a_policy_that_draws_again_replays_on_repeats(pair):
    c = kit.compare(TASK, pair, repeats=3)
    current().simulator.stop()
    policies = [p for p in composites(*pair) if p.label in ("own votes", "twice", "agreed")]
    assert kit.replay(c, policies).table["n"].tolist() == [12] * 3


@pytest.mark.parametrize("swallows", [False, True])
def test_a_router_that_asks_what_nobody_recorded_is_refused_with_its_price_and_sends_nothing(pair, swallows):
    c, haiku = kit.compare(TASK, pair), kit.model("haiku")
    attempts = billed().attempts

    def by(prompt):
        try:
            return asks(haiku)(prompt)
        except NotRecorded:
            if not swallows:
                raise
            return 0

    def accept(prompt, response):
        return haiku(f"Good? {response.text}").text == "yes"

    policies = [
        kit.route(*pair, by=by, at=3, label="asking"),
        kit.route({0: pair[0], 1: pair[1]}, choose=by, label="choosing"),
        kit.cascade(*pair, accept=accept, label="asking after"),
    ]
    for policy in policies:
        with pytest.raises(NotRecorded, match=r"12 calls of Haiku 5\.5 for about \$0\.0"):
            kit.replay(c, [policy])
    assert billed().attempts == attempts
    nested = kit.fallback(kit.cascade(policies[0], pair[1], accept=never, pass_draft=True), pair[0])
    with pytest.raises(NotRecorded, match="calls of Haiku"):
        kit.replay(c, [nested])
    assert billed().attempts == attempts
    haiku(bill(TASK.prompt_of(0)), max_tokens=50)  # and afterwards calls are made again


def test_a_model_without_recordings_is_not_asked_in_a_replay(pair):
    from tests.scripted import Scripted

    c, own = kit.compare(TASK, pair), Scripted("5", name="own")
    with pytest.raises(NotRecorded, match="12 calls of own at an unknown price"):
        kit.replay(c, [kit.route(*pair, by=lambda p: int(own(p).text), at=3, label="asking")])
    assert own.asked == []


def test_a_router_that_asks_a_model_is_replayed_with_its_fee(pair):
    haiku = kit.model("haiku")
    policy = kit.route(*pair, by=asks(haiku), at=4, label="asking")
    c = kit.compare(TASK, [*pair, policy])
    fees = [haiku(bill(TASK.prompt_of(n)), max_tokens=50).cost.total for n in range(12)]
    r = kit.replay(c, [*pair, policy])
    rows = r.frame[r.frame["policy"] == "asking"]
    found = [step[2] for steps in rows["steps"] for step in steps if step[0] == "route"]
    assert found == pytest.approx([float(fee) for fee in fees])


def test_a_draft_passed_on_is_replayed_once_the_policy_was_compared(pair):
    told = kit.cascade(*pair, accept=checks.has("^Category: refund"), pass_draft=True, label="told")
    c = kit.compare(TASK, pair)
    with pytest.raises(
        NotRecorded, match=r"calls of Opus 5\.5 for about \$.*kit\.compare\(task, \[sonnet, opus"
    ):
        kit.replay(c, [told])
    both = kit.compare(TASK, [*pair, told])
    ran = both.frame[both.frame["model"] == "told"].set_index("item").loc[list(TASK.ids)]
    again = kit.replay(both, [told]).frame.set_index("item").loc[list(TASK.ids)]
    assert again["score"].tolist() == ran["score"].tolist()
    with pytest.raises(NotRecorded, match="compare the policy itself"):
        kit.replay(c, [told])


def test_another_model_under_a_compared_label_is_not_taken_for_it(pair):
    c = kit.compare(TASK, pair)
    other = kit.model("haiku", label=pair[0].label)
    with pytest.raises(NotRecorded, match=r"12 calls of Sonnet 5\.5"):
        kit.replay(c, [kit.mix(other, pair[1], p=0)])


# What cannot work


def test_a_cycle_is_refused_however_it_was_made(pair):
    sonnet, opus = pair
    made = kit.fallback(sonnet, opus)
    with pytest.raises(UsageError, match="cycle of models"):
        made.__init__(sonnet, made)
    outer = kit.cascade(made, opus, accept=never)
    with pytest.raises(UsageError, match="cycle of models"):
        made.__init__(outer, sonnet)
    made.models = (sonnet, outer)
    asked = (
        lambda: outer("hi"),
        lambda: made("hi"),
        lambda: kit.compare(TASK, [outer]),
        lambda: kit.plan(TASK, [outer]),
    )
    for ask in asked:
        with pytest.raises(UsageError, match=r"cycle of models.*build each from models made before"):
            ask()
    assert billed().attempts == 0


def test_sharing_a_model_many_times_over_is_no_cycle(pair):
    model = kit.mix(*pair, p=0.5)
    for seed in range(9):
        model = kit.mix(model, model, p=0.5, seed=seed)
    assert model(QUESTION).text


def test_a_name_in_place_of_a_model_is_said(pair):
    for ask in (lambda: kit.compare(TASK, ["sonnet", "opus"]), lambda: kit.plan(TASK, ["sonnet"])):
        with pytest.raises(UsageError, match=r"'sonnet' is a str, not a model.*kit\.model"):
            ask()


def test_a_check_that_raises_neither_loses_the_answer_nor_its_cost(pair):
    def broken(prompt, response):
        raise ZeroDivisionError("oops")

    with pytest.warns(RuntimeWarning, match="oops"):
        response = kit.cascade(*pair, accept=broken)(QUESTION)
    assert [step.role for step in response.steps] == ["draft", "answer"]
    assert response.cost.total == billed().certain
    assert "ZeroDivisionError: oops" in response.attempts[0]
    assert not math.isnan(response.latency)


def test_a_retry_by_a_second_object_of_the_model_is_another_answer():
    retry = kit.cascade(kit.model("sonnet"), kit.model("sonnet"), accept=never)
    response = retry(QUESTION)
    assert [step.role for step in response.steps] == ["draft", "answer"]
    assert response.cost.total == billed().certain > response.steps[0].cost
