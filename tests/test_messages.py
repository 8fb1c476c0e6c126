import json

import pytest

from llmkit import guard
from llmkit.errors import Busy, Partial, Refused
from llmkit.model import finish
from llmkit.providers.errors import broken_off
from llmkit.providers.messages import Messages
from llmkit.providers.messages_decode import Gathered, decode
from llmkit.providers.messages_encode import encode
from llmkit.records import Call, Message, Request, Thought
from llmkit.simulator import Simulator

USAGE = {
    "input_tokens": 10,
    "output_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}
START = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "model": "m", "usage": USAGE}}
STOP = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]


def block(index, start, *deltas):
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def text(index, *pieces):
    return block(
        index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces)
    )


def gather(*events):
    gathered = Gathered()
    return gathered, [piece for event in events if (piece := gathered.add(event))]


def test_only_what_was_asked_for_is_sent():
    request = Request(messages=(Message("user", "hi"),), max_tokens=5)
    assert encode(request, "m") == {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_every_setting_has_its_place_on_the_wire_and_the_repeat_has_none():
    request = Request(
        messages=(
            Message("user", "hi"),
            Message("assistant", "yes?"),
            Message("user", ({"type": "text", "text": "a"},)),
        ),
        system="be brief",
        effort="low",
        thinking="adaptive",
        stop=("END",),
        repeat=3,
    )
    body = encode(request, "m")
    assert body["system"] == "be brief"
    assert body["output_config"] == {"effort": "low"}
    assert body["thinking"] == {"type": "adaptive"}
    assert body["stop_sequences"] == ["END"]
    assert json.loads(json.dumps(body))["messages"][2]["content"] == [{"type": "text", "text": "a"}]
    assert "3" not in json.dumps(body)


def test_a_stream_is_put_together_with_its_final_usage():
    gathered, pieces = gather(START, {"type": "ping"}, *text(0, "Hel", "lo"), *STOP)
    answer = gathered.answer()
    assert pieces == ["Hel", "lo"]
    assert answer["content"] == [{"type": "text", "text": "Hello"}]
    assert answer["stop_reason"] == "end_turn"
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (10, 7)


def test_thinking_and_tool_input_are_kept_and_are_no_text():
    thinking = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "s"},
    )
    tool = block(
        2,
        {"type": "tool_use", "id": "t", "name": "add", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a": '},
        {"type": "input_json_delta", "partial_json": "1}"},
    )
    gathered, pieces = gather(START, *thinking, *text(1, "so"), *tool, *STOP)
    assert pieces == ["hm", "so"]
    assert [isinstance(piece, Thought) for piece in pieces] == [True, False]
    assert gathered.answer()["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "so"},
        {"type": "tool_use", "id": "t", "name": "add", "input": {"a": 1}},
    ]


def test_unknown_events_blocks_and_deltas_are_passed_over():
    odd = block(0, {"type": "hologram", "x": 1}, {"type": "hologram_delta", "y": 2})
    gathered, pieces = gather(START, {"type": "weather"}, *odd, *text(1, "ok"), *STOP)
    assert pieces == ["ok"]
    assert gathered.answer()["content"][0] == {"type": "hologram", "x": 1}


@pytest.mark.parametrize("events", [STOP[:1], STOP[1:], []])
def test_a_stream_without_its_end_is_no_answer(events):
    gathered, _ = gather(START, *text(0, "half"), *events)
    with pytest.raises(Partial) as caught:
        gathered.answer()
    assert (caught.value.partial, caught.value.maybe_paid) == ("half", True)


def test_before_any_text_a_broken_stream_may_be_asked_again():
    gathered, _ = gather(START)
    with pytest.raises(Busy, match="before any text"):
        gathered.answer()
    assert broken_off("x", "").verdict == "busy"


def test_an_error_in_the_stream_is_classified_by_its_type():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(Busy, match="Overloaded"):
        gather(START, error)


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b"<html>", b'{"type": "message"}', b'{"type":"message","content":[]}']
)
def test_a_body_that_is_no_message_is_refused(content):
    with pytest.raises(ValueError):
        decode(content)


@pytest.mark.parametrize("stream", [False, True])
def test_every_answer_s_status_and_headers_are_told_errors_too(stream):
    import anthropic

    told = []
    request = Request(
        (Message("user", "hi"),), stream=stream, call=Call(heard=lambda *heard: told.append(heard))
    )
    with Simulator() as sim, guard.transport("httpx2") as transport:
        http = transport.client()
        client = anthropic.Anthropic(api_key="k", base_url=sim.url, max_retries=0, http_client=http)
        for name in ("claude-sonnet-5-5", "claude-none"):
            model = Messages(name, lambda: client, transport=lambda: transport, label=name, defaults=request)
            try:
                finish(model.run(request))
            except Refused as error:
                assert error.status == 404
    (status, headers), (missing, others) = told
    assert (status, missing) == (200, 404)
    assert headers["anthropic-ratelimit-requests-remaining"].isdecimal()
    assert others["request-id"].startswith("req_")
