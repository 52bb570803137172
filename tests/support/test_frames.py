"""What a frame may hold. No database decides that, so one engine is enough."""

import json

import pytest
from wire import ERROR, chat


@pytest.fixture
def engine():
    return "sqlite"


BAD = {
    "not JSON": "hello",
    "empty frame": "",
    "a list": '["message"]',
    "a number": "7",
    "null": "null",
    "bytes": b'{"message": "hello"}',
    "NaN": '{"message": NaN}',
    "NaN beside it": '{"message": "x", "more": NaN}',
    "deep": "[" * 10_000 + "]" * 10_000,
    "deep beside it": '{"message": "x", "more": ' + "[" * 10_000 + "]" * 10_000 + "}",
    "lone surrogate": '{"message": "\\ud800 lost"}',
    "two of them the wrong way round": '{"message": "\\udc00\\ud83d"}',
    "message null": '{"message": null}',
    "message number": '{"message": 7}',
    "no message": '{"text": "hello"}',
    "odd client_msg_id": '{"message": "x", "client_msg_id": "a b"}',
    "long client_msg_id": json.dumps({"message": "x", "client_msg_id": "a" * 65}),
    "trailing": '{"message": "x"} {"message": "y"}',
}


async def test_a_bad_frame_gets_an_error_and_the_next_good_one_is_stored(server, maya, monkeypatch):
    monkeypatch.setattr("holdfast.support.inbox.ERRORS", 1_000)
    async with chat(server, "me", maya) as hers:
        for seq, (name, frame) in enumerate(BAD.items(), 1):
            await hers.send(frame)
            error = await hers.hear()
            assert list(error) == ERROR, name
            assert (error["event"], error["code"], error["retry_after"], error["client_msg_id"]) == ("error", "bad_frame", None, None), name
            assert (await hers.say("still here"))["seq"] == seq, name


TOO_LITTLE_OR_MUCH = [("", "empty"), (" \n\t ", "empty"), ("\u202e\x00", "empty"), ("x" * 4_001, "too_long"), ("\U0001f54a" * 4_001, "too_long")]


async def test_what_is_empty_or_too_long_is_refused_with_its_client_msg_id(server, maya):
    async with chat(server, "me", maya) as hers:
        for text, code in TOO_LITTLE_OR_MUCH:
            await hers.send({"message": text, "client_msg_id": "m-1"})
            error = await hers.hear()
            assert (error["code"], error["client_msg_id"]) == (code, "m-1")
        assert (await hers.say("fine"))["seq"] == 1


async def test_at_most_five_errors_a_second_and_nothing_ends(server, maya):
    async with chat(server, "me", maya) as hers:
        for _ in range(50):
            await hers.send("rubbish")
        await hers.send({"message": "but this counts"})
        events = [await hers.hear()]
        while events[-1]["event"] == "error":
            events.append(await hers.hear())
        assert 5 <= len(events) - 1 <= 10
        assert events[-1]["message"] == "but this counts"


async def test_a_machine_is_cut_off_and_a_human_never(server, maya):
    async with chat(server, "me", maya) as hers:
        for _ in range(1_002):
            await hers.send("rubbish")
        assert await hers.closed() == 4429
