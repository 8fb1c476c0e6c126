import gc
import json
import math
import socket
import threading
import urllib.error
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmkit.models import all_models, find
from llmkit.simulator import Simulator
from llmkit.simulator.answers import probability

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"


@pytest.fixture(scope="module")
def simulator():
    with Simulator() as running:
        yield running


@pytest.fixture(scope="module")
def client(simulator):
    import anthropic

    made = anthropic.Anthropic(api_key="x", base_url=simulator.url, max_retries=0)
    yield made
    made.close()


def ask(client, text="Name a moon.", **more):
    values = {"model": OPUS, "max_tokens": 2000, "messages": [{"role": "user", "content": text}]} | more
    return client.messages.create(**values)


def words(message):
    return "".join(block.text for block in message.content if block.type == "text")


def test_the_official_sdk_creates_a_message_that_says_it_is_simulated(client):
    message = ask(client)
    assert words(message).startswith("(simulated)")
    assert (message.model, message.stop_reason, len(message.id)) == (OPUS, "end_turn", 28)
    assert message.usage.output_tokens > message.usage.output_tokens_details.thinking_tokens > 0


def test_the_official_sdk_streams_the_same_message(client):
    whole = ask(client)
    with client.messages.stream(
        model=OPUS, max_tokens=2000, messages=[{"role": "user", "content": "Name a moon."}]
    ) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 5
    assert "".join(pieces) == words(final) == words(whole)
    assert final.usage.output_tokens == whole.usage.output_tokens
    events = list(ask(client, stream=True))
    assert [event.type for event in events[:2]] == ["message_start", "content_block_start"]
    assert events[-1].type == "message_stop"


def test_the_official_sdk_counts_tokens_and_lists_models(client):
    counted = client.messages.count_tokens(model=OPUS, messages=[{"role": "user", "content": "Name a moon."}])
    assert counted.input_tokens == ask(client).usage.input_tokens
    rows = list(client.models.list(limit=7))
    assert {row.id for row in rows} == {
        m.id for m in all_models() if m.status(m.released) and row_status(m) != "retired"
    }
    assert client.models.retrieve(OPUS).display_name == find(OPUS).display_name


def row_status(facts):
    from llmkit.session import catalog_day

    return facts.status(catalog_day())


def test_answers_are_the_same_for_the_same_question_and_repeat_and_have_new_ids(client):
    first, again = ask(client), ask(client)
    other = ask(client, extra_headers={"x-llmkit-repeat": "1"})
    assert words(first) == words(again) != words(other)
    assert len({first.id, again.id, other.id}) == 3


@pytest.mark.parametrize(
    ("status", "words", "body"),
    [
        (400, "temperature: Extra inputs are not permitted", {"extra_body": {"temperature": 0}}),
        (400, "mood: Extra inputs", {"extra_body": {"mood": "good"}}),
        (
            400,
            "effort level 'extreme'. Supported levels: high, low, max",
            {"output_config": {"effort": "extreme"}},
        ),
        (400, '"thinking.type.disabled" is not supported', {"thinking": {"type": "disabled"}}),
        (
            400,
            "adaptive thinking is not supported",
            {"thinking": {"type": "adaptive"}, "model": "claude-haiku-4-5"},
        ),
        (
            400,
            "prefill",
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        ),
        (400, "maximum allowed", {"max_tokens": 128_001, "timeout": 900}),
        (400, "prompt is too long", {"messages": [{"role": "user", "content": "x" * 3_000_000}]}),
        (400, "at least one message", {"messages": []}),
        (404, "model: claude-none", {"model": "claude-none"}),
    ],
)
def test_what_the_api_refuses_is_refused_in_its_words(client, status, words, body):
    import anthropic

    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(client, **body)
    assert caught.value.status_code == status
    assert words in str(caught.value)


def raw(simulator, path="/v1/messages", headers=(), data=b"{}"):
    request = urllib.request.Request(simulator.url + path, data=data, headers=dict(headers))
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    ("headers", "data", "status", "words"),
    [
        ({}, b"{}", 401, "invalid x-api-key"),
        ({"x-api-key": "k"}, b"{}", 400, "anthropic-version"),
        ({"x-api-key": "k", "anthropic-version": "2026-10-21"}, b"{oops", 400, "not valid JSON"),
        ({"x-api-key": "k", "anthropic-version": "2026-10-21"}, b"{}", 400, "model: Field required"),
    ],
)
def test_a_request_without_key_version_or_sense_is_refused(simulator, headers, data, status, words):
    code, body = raw(simulator, headers=headers, data=data)
    assert (code, body["type"]) == (status, "error")
    assert words in body["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"system": 5},
        {"output_config": "low"},
        {"stop_sequences": 5},
        {"messages": [{"role": "user", "content": "\ud800"}], "stream": True},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ["x"] * 3}]}]},
        {"thinking": 7},
    ],
)
def test_an_unforeseen_shape_is_answered_and_never_hung_up_on(simulator, body):
    headers = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
    base = {"model": OPUS, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        simulator.url + "/v1/messages", data=json.dumps(base | body).encode(), headers=headers
    )
    try:
        with urllib.request.urlopen(request) as reply:
            status = reply.status
    except urllib.error.HTTPError as error:
        with error:
            status = error.code
    assert status in (200, 400)


def test_limits_and_stop_sequences_end_an_answer_as_the_api_says(client):
    cut = ask(client, max_tokens=100, model="claude-haiku-4-5")
    assert (cut.stop_reason, cut.usage.output_tokens) in (
        ("max_tokens", 100),
        ("end_turn", cut.usage.output_tokens),
    )
    tiny = ask(client, max_tokens=5)
    assert (tiny.stop_reason, tiny.usage.output_tokens) == ("max_tokens", 5)
    stopped = ask(client, stop_sequences=["(simulated) About"])
    assert (stopped.stop_reason, words(stopped)) == ("stop_sequence", "")


def test_a_retired_model_is_gone_when_the_simulator_is_told_so():
    import anthropic

    with Simulator(serve_retired=False) as strict:
        client = anthropic.Anthropic(api_key="x", base_url=strict.url, max_retries=0)
        with warnings.catch_warnings(), pytest.raises(anthropic.NotFoundError):
            warnings.simplefilter("ignore")  # some versions of the SDK warn of it first
            ask(client, model="claude-opus-4-20250514")
        client.close()


def book(n, difficulty):
    return [
        {
            "id": str(i),
            "input": f"item {i} at {difficulty}",
            "prompt": None,
            "right": ["r"],
            "wrong": ["w"],
            "difficulty": difficulty,
        }
        for i in range(n)
    ]


@pytest.mark.parametrize("difficulty", [0.0, 2.0, 3.5])
def test_the_share_of_right_answers_follows_the_logistic(difficulty):
    made = Simulator()
    made.learn(book(600, difficulty))
    for name in (OPUS, SONNET):
        facts = made.models[name]
        right = sum(
            made.book.answer(facts, "high", f"Q: item {i} at {difficulty}?", str(i)).text == "r"
            for i in range(600)
        )
        expected = probability(facts, "high", difficulty)
        assert abs(right / 600 - expected) < 4 * math.sqrt(expected * (1 - expected) / 600)


def test_models_are_often_right_and_wrong_together():
    made = Simulator()
    made.learn(book(800, 2.4))
    pairs = [
        tuple(
            made.book.answer(made.models[name], "high", f"item {i} at 2.4", str(i)).text == "r"
            for name in (SONNET, OPUS)
        )
        for i in range(800)
    ]
    both = sum(a and b for a, b in pairs) / 800
    apart = sum(a for a, _ in pairs) / 800 * sum(b for _, b in pairs) / 800
    assert both > apart + 0.03


def test_the_longest_item_inside_a_prompt_is_meant():
    made = Simulator()
    made.learn(
        [
            {
                "id": "1",
                "input": "charged",
                "prompt": None,
                "right": ["short"],
                "wrong": ["x"],
                "difficulty": -20,
            },
            {
                "id": "2",
                "input": "I was charged twice",
                "prompt": None,
                "right": ["long"],
                "wrong": ["x"],
                "difficulty": -20,
            },
        ]
    )
    assert made.book.answer(made.models[OPUS], "high", "Sort: I was charged twice!", "d").text == "long"


def test_many_at_once_are_all_answered_and_a_client_that_hangs_up_does_no_harm(simulator, client):
    with ThreadPoolExecutor(32) as pool:
        texts = list(pool.map(lambda n: words(ask(client, f"Question {n} of many, please.")), range(96)))
    assert [f"Question {n} of" in text for n, text in enumerate(texts)] == [True] * 96
    with socket.create_connection(("127.0.0.1", int(simulator.url.rsplit(":", 1)[1]))) as half:
        half.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{")
    assert words(ask(client))


def test_stopping_frees_the_port_and_the_thread():
    made = Simulator().start()
    port = int(made.url.rsplit(":", 1)[1])
    made.stop()
    made.stop()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    assert not [t for t in threading.enumerate() if t is made._thread]
    gc.collect()
