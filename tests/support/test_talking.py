"""Two sides of one conversation."""

import asyncio
import json

from wire import CHAT_MESSAGE, chat

from holdfast.support import service


async def test_both_sides_talk_and_the_sender_gets_its_receipt(server, maya, olive):
    async with chat(server, "me", maya) as hers, chat(server, maya.id, olive) as theirs:
        receipt = await hers.say("is anybody there?")
        assert list(receipt) == CHAT_MESSAGE
        assert isinstance(receipt["id"], int) and receipt["sent_at"].endswith("Z")
        assert {key: value for key, value in receipt.items() if key not in ("id", "sent_at")} == {
            "event": "chat_message",
            "message": "is anybody there?",
            "seq": 1,
            "user_id": maya.id,
            "identifier": "maya",
            "from_admin": False,
        }
        assert await theirs.hear_message() == receipt
        answer = await theirs.say("I am here.")
        assert (answer["seq"], answer["user_id"], answer["identifier"], answer["from_admin"]) == (2, maya.id, "olive", True)
        assert await hers.hear() == answer


async def test_rooms_are_apart(server, maya, sam):
    async with chat(server, "me", maya) as hers, chat(server, "me", sam) as his:
        await hers.say("only for the staff")
        assert await his.silent()
        assert (await his.say("and mine"))["seq"] == 1


async def test_text_is_cleaned_and_never_refused_for_what_it_held(server, maya):
    async with chat(server, "me", maya) as hers:
        assert (await hers.say("  e\u0301te\u0301\r\nsecond\u202e line\x07\rthird \ttab  "))["message"] == "été\nsecond line\nthird \ttab"
        assert (await hers.say("x" * 4_000))["message"] == "x" * 4_000
        assert (await hers.say("  " + "x" * 4_000 + "\x00"))["message"] == "x" * 4_000


async def test_four_thousand_escaped_cyrillic_letters_are_stored(server, maya):
    text = "жизнь" * 800
    async with chat(server, "me", maya) as hers:
        frame = json.dumps({"message": text})
        assert len(frame) > 24_000
        await hers.send(frame)
        assert (await hers.hear())["message"] == text
    async with chat(server, "me", maya, query="?nothing=1") as hers:
        assert await hers.silent()


async def test_other_keys_are_ignored(server, maya):
    async with chat(server, "me", maya) as hers:
        assert (await hers.say("hello", event="message", user_id=99, from_admin=True, seq=500))["seq"] == 1


async def test_the_same_client_msg_id_is_stored_once_and_answered_as_at_first(server, maya, olive):
    async with chat(server, "me", maya) as hers, chat(server, maya.id, olive) as theirs:
        first = await hers.say("once", client_msg_id="a-1")
        assert await theirs.hear_message() == first
        assert await hers.say("once", client_msg_id="a-1") == first
        assert await hers.say("another text under the old number", client_msg_id="a-1") == first
        assert await theirs.silent()
        assert (await theirs.say("mine", client_msg_id="a-1"))["seq"] == 2
        assert (await hers.heard(1)) == ["mine"]
        assert (await hers.say("once"))["seq"] == 3


async def test_the_same_client_msg_id_from_five_sockets_at_once_is_one_row(server, maya):
    async def send() -> tuple[int, int]:
        async with chat(server, "me", maya) as hers:
            await hers.send({"message": "all at once", "client_msg_id": "same"})
            event = await hers.hear_message()
            return event["id"], event["seq"]

    assert set(await asyncio.gather(*(send() for _ in range(5)))) == {(1, 1)}
    async with chat(server, "me", maya) as hers:
        assert (await hers.say("next"))["seq"] == 2


async def test_a_hundred_messages_from_ten_sockets_have_a_hundred_numbers(server, maya, olive):
    async def write(person, place, name):
        async with chat(server, place, person) as one:
            for number in range(10):
                await one.send({"message": f"{name} {number}"})
            missing = {f"{name} {number}" for number in range(10)}
            while missing:
                missing.discard((await one.hear_message(15))["message"])

    async with chat(server, maya.id, olive) as listening:
        writers = [write(maya, "me", f"m{n}") for n in range(5)] + [write(olive, maya.id, f"o{n}") for n in range(3)]
        writers += [write(olive, "me", "none of hers"), write(olive, "me", "nor this")]
        heard, *_ = await asyncio.gather(collect(listening, 80), *writers)
    assert [event["seq"] for event in heard] == list(range(1, 81))
    for name in [f"m{n}" for n in range(5)] + [f"o{n}" for n in range(3)]:
        assert [event["message"] for event in heard if event["message"].startswith(name)] == [f"{name} {number}" for number in range(10)]


async def collect(one, count):
    return [await one.hear_message(15) for _ in range(count)]


async def test_a_hundred_messages_in_one_go_are_all_stored_in_order(server, maya):
    async with chat(server, "me", maya) as hers:
        for number in range(100):
            await hers.send({"message": str(number)})
        assert await hers.heard(100) == [str(number) for number in range(100)]


async def test_one_too_many_is_told_to_slow_down_and_only_that_one_is_lost(server, maya, monkeypatch):
    say, busy = service.say, asyncio.Event()

    async def slow(*given):
        await busy.wait()
        return await say(*given)

    monkeypatch.setattr(service, "say", slow)
    async with chat(server, "me", maya) as hers:
        for number in range(110):
            await hers.send({"message": str(number), "client_msg_id": f"n{number}"})
        refused = [await hers.hear() for _ in range(9)]
        busy.set()
        assert {event["code"] for event in refused} == {"slow_down"}
        assert [event["retry_after"] for event in refused] == [1] * 9
        assert [event["client_msg_id"] for event in refused] == [f"n{number}" for number in range(101, 110)]
        assert await hers.heard(101) == [str(number) for number in range(101)]


async def test_what_the_database_refuses_is_said_and_the_socket_stays(server, maya, monkeypatch):
    async with chat(server, "me", maya) as hers:

        async def broken(*_: object, **__: object) -> None:
            raise OSError("disk full")

        async def refused(step: str) -> None:
            with monkeypatch.context() as patch:
                patch.setattr(service, step, broken)
                await hers.send({"message": "hear me", "client_msg_id": "x"})
                error = await hers.hear()
            assert (error["code"], error["retry_after"], error["client_msg_id"]) == ("not_saved", 1, "x")

        await refused("say")
        assert (await hers.say("hear me", client_msg_id="x"))["seq"] == 1
        await refused("said_before")
        assert (await hers.say("hear me", client_msg_id="x"))["seq"] == 1


async def test_who_says_something_and_leaves_at_once_has_said_it(server, maya, olive):
    async with chat(server, "me", maya) as hers:
        await hers.send({"message": "no more"})
    async with chat(server, maya.id, olive) as theirs:
        assert await theirs.heard(1) == ["no more"]
