"""What the simulator answers: the book, item response theory, tokens, thinking, cuts and time."""

from __future__ import annotations

import math

import pytest

from llmkit.simulator import answers, fields, rules, tokens
from llmkit.simulator.answers import Book, Entry
from llmkit.simulator.catalog import Catalog
from llmkit.simulator.chance import Chance
from llmkit.simulator.messages import answer, prompt_tokens
from llmkit.simulator.problems import Problem
from llmkit.simulator.prose import made_up
from llmkit.simulator.server import Simulator

NEW = "2026-10-21"
CATALOG: Catalog = Simulator()._catalog


def entry(id="a", input="apples", prompt=None, **fields):
    return {"id": id, "input": input, "prompt": prompt, "right": ["yes"], "wrong": ["no"], **fields}


def book_of(*entries):
    book = Book()
    book.learn(entries)
    return book


def asked(model="claude-opus-4-8", content="hi", **settings):
    return {
        "model": model,
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": content}],
        **settings,
    }


def replied(body, book=None, repeat="0"):
    checked = fields.checked(body, counting=False, version=NEW)
    model = CATALOG.served(checked["model"])
    rules.check(checked, model, "")
    return answer(checked, model, book or Book(), repeat)


def refusal(body, *, version=NEW, betas="", counting=False):
    with pytest.raises(Problem) as caught:
        checked = fields.checked(body, counting=counting, version=version)
        model = CATALOG.served(checked["model"])
        rules.check(checked, model, betas)
        rules.check_length(prompt_tokens(checked, model), checked, model)
    assert caught.value.status == 400
    return caught.value.message


@pytest.mark.parametrize("model", ["claude-3-haiku-20240307", "claude-sonnet-4-6", "claude-opus-5-5"])
def test_right_answers_are_as_frequent_as_the_logistic_says(model):
    difficulties = [4 * (n / 399) - 1 for n in range(400)]
    book = book_of(
        *(entry(str(n), f"item {n}.", f"Q {n}?", difficulty=d) for n, d in enumerate(difficulties))
    )
    effort = CATALOG.served(model).effort_default
    chances = [answers.p_right(answers.ability(model, effort), d) for d in difficulties]
    right = sum(
        replied(asked(model, f"Q {n}?"), book).message["content"][-1]["text"] == "yes" for n in range(400)
    )
    spread = math.sqrt(sum(p * (1 - p) for p in chances))
    assert abs(right - sum(chances)) < 3.5 * spread


def test_pictures_tell_entries_of_one_question_apart():
    book = book_of(
        entry("a", prompt="How high?", pictures=["1f"]),
        entry("b", prompt="How high?", pictures=["2f"]),
        entry("c", input="apples"),
    )
    assert [book.find("How high?", shown).id for shown in (("1f",), ("2f",))] == ["a", "b"]
    assert book.find("How high?", ("1f", "2f")) is None and book.find("How high?") is None
    assert book.find("two apples", ("9f",)).id == "c"


def test_an_input_within_another_prompt_is_found_with_its_pictures_only():
    book = book_of(entry("a", input="How high?", prompt="x", pictures=["1f"]))
    assert book.find("Now: How high?", ("1f",)).id == "a"
    assert book.find("Now: How high?", ("2f",)) is None


def test_models_and_repeats_are_often_right_together_on_items_equally_hard():
    book = book_of(*(entry(str(n), f"item {n}.", f"Q {n}?", difficulty=2.0) for n in range(600)))

    def rights(model, repeat):
        replies = (replied(asked(model, f"Q {n}?"), book, repeat).message["content"] for n in range(600))
        return [blocks[-1]["text"] == "yes" for blocks in replies]

    first = rights("claude-sonnet-4-6", "0")
    for second in (rights("claude-opus-4-8", "0"), rights("claude-sonnet-4-6", "1")):
        both = sum(a and b for a, b in zip(first, second, strict=True)) / 600
        assert both > sum(first) / 600 * sum(second) / 600 + 0.04
        assert first != second


def test_effort_and_ability_raise_the_chance():
    levels = [answers.ability("claude-opus-5-5", e) for e in ("low", "medium", "high", "xhigh", "max")]
    assert levels == sorted(set(levels))
    assert levels[-1] - levels[0] == pytest.approx(0.9)
    assert answers.p_right(2.0, 0.0) == pytest.approx(1 / (1 + math.exp(-2)))
    assert answers.p_right(0.0, 1e9) == pytest.approx(0.0)
    assert answers.ability("claude-opus-5-5", None) > answers.ability("claude-sonnet-5-5", None)


def test_every_model_of_the_catalog_has_an_ability_and_newer_ones_of_a_line_a_higher_one():
    assert set(answers.ABILITIES) == {model.id for model in CATALOG._models}
    lines: dict[str, list[float]] = {}
    for model in sorted(CATALOG._models, key=lambda m: (m.released, m.id)):
        lines.setdefault(model.line, []).append(answers.ABILITIES[model.id])
    for abilities in lines.values():
        assert abilities == sorted(abilities)


def test_the_exact_prompt_beats_the_contained_input():
    book = book_of(entry("long", "apples and pears", None), entry("exact", "x", "About apples and pears?"))
    assert book.find("About apples and pears?").id == "exact"
    assert book.find("Tell me about apples and pears.").id == "long"
    assert book.find("nothing of the kind") is None


def test_of_the_contained_inputs_the_longest_is_meant():
    book = book_of(entry("short", "apples"), entry("long", "green apples"))
    assert book.find("Do you like green apples?").id == "long"
    assert book.find("Do you like red apples?").id == "short"


def test_learning_again_replaces_and_is_seen_at_once():
    book = book_of(entry("a", "apples", difficulty=1.0))
    assert book.find("my apples").difficulty == 1.0
    book.learn([entry("a", "pears", difficulty=2.0)])
    assert book.find("my apples") is None
    assert book.find("apples") is None
    assert book.find("my pears").difficulty == 2.0
    book.learn([entry("b", "pears")])
    assert book.find("my pears").id == "b"


@pytest.mark.parametrize(
    "bad",
    [
        {"id": 1},
        {"input": None},
        {"prompt": 3},
        {"right": []},
        {"wrong": "no"},
        {"right": [1]},
        {"difficulty": "hard"},
        {"difficulty": math.nan},
        {"input": " ", "prompt": None},
    ],
)
def test_a_malformed_entry_is_refused_and_nothing_is_learned(bad):
    book = Book()
    with pytest.raises(ValueError, match="entry"):
        book.learn([entry("good", "apples"), {**entry(), **bad}])
    assert book.find("apples") is None


def test_the_answers_of_a_prefilled_turn_belong_to_the_question_before_it():
    body = asked("claude-opus-4-5", "Which fruit: apples?")
    body["messages"].append({"role": "assistant", "content": "The answer"})
    book = book_of(entry(right=["The answer is apples."], difficulty=-60.0))
    assert replied(body, book).message["content"][-1]["text"] == " is apples."


def test_max_tokens_cuts_and_says_so():
    body = asked("claude-opus-4-5", "Tell me a story.", max_tokens=20)
    message = replied(body).message
    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] == 20
    whole = replied({**body, "max_tokens": 4000}).message
    assert whole["stop_reason"] == "end_turn"
    assert 0 < len(message["content"][0]["text"]) < len(whole["content"][0]["text"])


def test_thinking_that_takes_all_tokens_leaves_no_text():
    message = replied(asked("claude-opus-5-5", "hi", max_tokens=10)).message
    assert [block["type"] for block in message["content"]] == ["thinking"]
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] == 10
    assert message["stop_reason"] == "max_tokens"


def test_no_tokens_at_all_is_an_empty_answer():
    message = replied(asked(max_tokens=0)).message
    assert (message["content"], message["usage"]["output_tokens"]) == ([], 0)


def test_the_earliest_stop_sequence_ends_the_answer():
    book = book_of(entry(right=["one STOP two END three"], difficulty=-60.0))
    message = replied(asked(content="apples", stop_sequences=["END", "STOP", "none"]), book).message
    assert message["content"][-1]["text"] == "one "
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")


def test_an_answer_may_run_into_the_end_of_the_window_from_4_5_on():
    words = "x" * int(3.8 * 199_980)
    message = replied(asked("claude-opus-4-5", words, max_tokens=1000)).message
    assert message["stop_reason"] == "model_context_window_exceeded"
    assert message["usage"]["input_tokens"] + message["usage"]["output_tokens"] == 200_000
    assert "exceed context limit" in refusal(asked("claude-opus-4-20250514", words, max_tokens=1000))
    too_long = refusal(asked("claude-opus-4-5", "x" * 800_000))
    assert too_long == "prompt is too long: 210535 tokens > 200000 maximum"


def test_thinking_comes_first_is_billed_and_stays_hidden_from_4_7_on():
    thinking, text = replied(asked("claude-opus-4-8", thinking={"type": "adaptive"})).message["content"]
    assert (thinking["type"], thinking["thinking"], text["type"]) == ("thinking", "", "text")
    assert thinking["signature"]
    shown = replied(asked("claude-opus-4-8", thinking={"type": "adaptive", "display": "summarized"}))
    assert shown.message["content"][0]["thinking"].startswith("(simulated)")
    older = replied(asked("claude-opus-4-5", thinking={"type": "enabled", "budget_tokens": 1024}))
    assert older.message["content"][0]["thinking"].startswith("(simulated)")
    assert older.message["usage"]["output_tokens_details"]["thinking_tokens"] <= 1024


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("claude-opus-4-8", False),
        ("claude-sonnet-5", True),
        ("claude-opus-5-5", True),
        ("claude-sonnet-5-5", True),
    ],
)
def test_models_think_by_default_as_the_facts_say(model, thinks):
    used = replied(asked(model)).message["usage"]["output_tokens_details"]["thinking_tokens"]
    assert (used > 0) == thinks


def test_more_effort_and_harder_items_cost_more_thinking():
    def mean(effort, difficulty):
        book = book_of(entry(difficulty=difficulty))
        body = asked("claude-opus-5-5", "apples", output_config={"effort": effort})
        runs = [replied(body, book, str(r)).message["usage"]["output_tokens_details"] for r in range(60)]
        return sum(run["thinking_tokens"] for run in runs) / 60

    by_effort = [mean(effort, 0.0) for effort in ("low", "medium", "high", "xhigh", "max")]
    assert by_effort == sorted(by_effort)
    assert by_effort[0] < 40 < 400 < by_effort[-1] < 1000
    assert mean("high", 2.0) > 1.5 * mean("high", -2.0)


def test_latency_is_overhead_and_time_per_token_as_recorded():
    sonnet = "claude-sonnet-4-20250514"
    ratios = []
    for repeat in range(200):
        reply = replied(asked(sonnet, "Tell me a story."), repeat=str(repeat))
        ratios.append(reply.timing.latency / (1227 + 13.1 * reply.message["usage"]["output_tokens"]))
        assert reply.timing.first_byte <= reply.timing.first_token < reply.timing.latency
    assert sorted(ratios)[100] == pytest.approx(1.0, abs=0.06)
    assert len(set(ratios)) == 200


def test_fast_mode_is_faster_and_billed_as_fast():
    body = asked("claude-opus-5-5", "Tell me a story.")
    fast, slow = replied({**body, "speed": "fast"}), replied({**body, "speed": "standard"})
    assert fast.message["usage"]["speed"] == "fast"
    assert fast.timing.latency < slow.timing.latency
    silent = replied(asked("claude-opus-4-6", speed="fast"))
    assert silent.message["usage"]["speed"] == "standard"


def test_made_up_text_is_marked_echoes_the_question_and_has_a_fair_length():
    for number in range(40):
        for question in (
            f"Why is number {number} odd?",
            f"Tell a story of {number}",
            f"List reasons {number}",
        ):
            text = made_up(question, Chance(str(number).encode()))
            assert text.startswith("(simulated) ")
            assert question in text
            assert 40 <= len(text.split()) <= 200
    assert "\n- " in made_up("A list, please", Chance(b"s"))
    assert made_up("", Chance(b"s")).startswith("(simulated) ")
    assert made_up("{x} {0}", Chance(b"s")).count("{x}") == 1


def test_a_draw_depends_on_its_name_only():
    chance = Chance(b"seed")
    first = chance.uniform("b")
    chance.uniform("a")
    assert chance.uniform("b") == first
    assert chance.uniform("a") != first
    drawn = [Chance(str(n).encode()).uniform("u") for n in range(2000)]
    assert 0 < min(drawn) < 0.01 < 0.99 < max(drawn) < 1
    assert sum(drawn) / 2000 == pytest.approx(0.5, abs=0.03)
    picks = [Chance(str(n).encode()).pick("p", "ab") for n in range(2000)]
    assert picks.count("a") == pytest.approx(1000, abs=120)


def test_tokens_are_the_same_each_time_and_more_with_the_newer_tokenizer():
    assert tokens.count("", "v1") == 0
    assert tokens.count("a", "v1") == 1
    text = "The quick brown fox. " * 100
    assert 1.25 < tokens.count(text, "v2") / tokens.count(text, "v1") < 1.36
    assert tokens.count("漢字" * 50, "v1") > tokens.count("ab" * 50, "v1") * 2


@pytest.mark.parametrize("text", ["plain words " * 30, "漢字かな" * 40, "naïve “ü” " * 30])
def test_a_cut_text_counts_no_more_than_it_may(text):
    for limit in range(40):
        part = tokens.cut(text, limit, "v1")
        assert text.startswith(part)
        assert limit - 2 <= tokens.count(part, "v1") <= limit


def test_an_answer_with_its_thinking_can_be_sent_back():
    first = replied(asked("claude-opus-5-5")).message
    body = asked("claude-opus-5-5")
    body["messages"] += [
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": "And?"},
    ]
    assert replied(body).message["usage"]["input_tokens"] > first["usage"]["input_tokens"]


def test_entries_hold_what_they_were_given():
    kept = Entry.of(entry("a", "apples", "Apples?", difficulty=1))
    assert kept == Entry("a", "apples", "Apples?", ("yes",), ("no",), 1.0)
