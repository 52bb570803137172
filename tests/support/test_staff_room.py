"""The staff's room hears every chat and answers into each."""

import asyncio

from wire import chat


async def test_staff_hear_every_room_and_answer(server, maya, sam, olive):
    async with chat(server, "admin", olive) as staff, chat(server, "me", maya) as hers, chat(server, "me", sam) as his:
        first = await hers.say("I am maya")
        assert await staff.hear_message() == first
        second = await his.say("I am sam")
        assert await staff.hear_message() == second
        answer = await staff.say("hello maya", user_id=maya.id)
        assert (answer["user_id"], answer["seq"], answer["from_admin"], answer["identifier"]) == (maya.id, 2, True, "olive")
        assert await hers.hear() == answer
        again = await staff.say("hello sam", user_id=str(sam.id), client_msg_id="s-1")
        assert await his.hear() == again
        assert await staff.say("hello sam", user_id=sam.id, client_msg_id="s-1") == again
        assert await hers.silent()


async def test_staff_may_write_first(server, maya, olive):
    async with chat(server, "admin", olive) as staff:
        assert (await staff.say("we have not heard from you", user_id=maya.id))["seq"] == 1
    async with chat(server, "me", maya) as hers:
        assert await hers.heard(1) == ["we have not heard from you"]


async def test_an_answer_must_say_to_whom(server, maya, olive):
    async with chat(server, "admin", olive) as staff:
        for user_id, code in {None: "bad_frame", "me": "bad_frame", True: "bad_frame", 1.5: "bad_frame", 0: "no_such_user"}.items():
            await staff.send({"message": "x", "user_id": user_id, "client_msg_id": "n"})
            assert (await staff.hear())["code"] == code, user_id
        await asyncio.sleep(1)
        for user_id in (-1, 999, "999", 2**70):
            await staff.send({"message": "x", "user_id": user_id, "client_msg_id": "n"})
            error = await staff.hear()
            assert (error["code"], error["client_msg_id"]) == ("no_such_user", "n"), user_id
        assert (await staff.say("right", user_id=1))["seq"] == 1


async def test_who_waits_is_told_to_staff_who_join_the_longest_first(server, maya, sam, olive):
    async with chat(server, "me", sam) as his:
        await his.say("sam waits")
    async with chat(server, "me", maya) as hers:
        for number in range(55):
            await hers.send({"message": f"maya {number}"})
        await hers.heard(55)
    async with chat(server, "admin", olive) as staff:
        assert await staff.heard(51) == ["sam waits", *(f"maya {number}" for number in range(5, 55))]
        await staff.say("I see you", user_id=sam.id)
        assert await staff.silent()
        staff.drop()
    async with chat(server, "admin", olive) as staff:
        assert await staff.heard(50) == [f"maya {number}" for number in range(5, 55)]
    async with chat(server, "admin", olive) as staff:
        assert await staff.silent()


async def test_somebody_waits_from_the_first_unanswered_word_until_the_answer(server, maya, olive):
    async def waiting():
        async with server.db.read() as tx:
            return tuple(await tx.row("select state, waiting_since from conversation where user_id = 1"))

    async with chat(server, "me", maya) as hers, chat(server, maya.id, olive) as theirs:
        await hers.say("one")
        state, since = await waiting()
        assert (state, since is not None) == ("waiting", True)
        await hers.say("two")
        assert await waiting() == (state, since)
        await theirs.heard(2)
        await theirs.say("here")
        assert await waiting() == ("waiting", None)
        assert await hers.heard(1) == ["here"]
        await hers.say("three")
        assert (await waiting())[1] > since


async def test_staff_are_told_who_comes_and_goes(server, maya, olive, monkeypatch):
    monkeypatch.setattr("holdfast.realtime.presence.GRACE", 0.3)
    monkeypatch.setattr("holdfast.realtime.presence.GRACE_AFTER_GOODBYE", 0.1)
    async with chat(server, "admin", olive) as staff, chat(server, maya.id, olive) as room:
        async with chat(server, "me", maya) as hers:
            came = await staff.hear()
            assert list(came) == ["event", "user_id", "identifier", "at"]
            assert (came["event"], came["user_id"], came["identifier"]) == ("user_connected", maya.id, "maya")
            assert await room.hear() == came
            async with chat(server, "me", maya):
                assert await staff.silent()
            assert await staff.silent(0.2)
            hers.drop()
        async with chat(server, "me", maya) as hers:
            assert await staff.silent(0.4)
            assert await hers.silent()
        went = await staff.hear()
        assert list(went) == ["event", "user_id", "identifier", "at"]
        assert (went["event"], went["user_id"], went["at"] > came["at"]) == ("user_disconnected", maya.id, True)
        assert await room.hear() == went


async def test_live_hearing_is_on_record_once_for_each_conversation(server, maya, sam, olive):
    async def records():
        async with server.db.read() as tx:
            statement = "select count(*), min(actor_id), min(user_id), max(user_id) from audit where action = 'SOCKET /ws/chat/admin/'"
            return tuple(await tx.row(statement))

    async with chat(server, "me", maya) as hers, chat(server, "me", sam) as his:
        await hers.say("before anybody listened")
        async with chat(server, "admin", olive) as staff:
            assert await staff.heard(1) == ["before anybody listened"]
            assert await records() == (1, olive.id, maya.id, maya.id)
            for text in ("a", "b", "c"):
                await hers.say(text)
            await his.say("d")
            assert sorted(await staff.heard(4)) == ["a", "b", "c", "d"]
            assert await records() == (2, olive.id, maya.id, sam.id)


async def test_what_cannot_be_put_on_record_is_not_heard(server, maya, olive, monkeypatch):
    async def broken(*_: object, **__: object) -> None:
        raise OSError("read-only")

    async with chat(server, "admin", olive) as staff, chat(server, "me", maya) as hers:
        assert (await staff.hear())["event"] == "user_connected"
        with monkeypatch.context() as patch:
            patch.setattr("holdfast.support.hearing.audit.record", broken)
            assert (await hers.say("but I am saved"))["seq"] == 1
            assert await staff.closed() == 1013
    async with chat(server, "admin", olive) as staff:
        assert await staff.heard(1) == ["but I am saved"]


async def test_one_message_that_cannot_be_written_takes_no_other_with_it(server, maya, sam, olive):
    async with chat(server, "admin", olive) as staff, chat(server, "me", maya) as hers, chat(server, "me", sam) as his:
        first = await hers.say("first", client_msg_id="m")
        async with server.db.write():
            await hers.send({"message": "first", "client_msg_id": "m"})
            await staff.send({"message": "to nobody", "user_id": 999, "client_msg_id": "s"})
            await his.send({"message": "still written"})
            await asyncio.sleep(0.05)
        assert await hers.hear_message() == first
        assert (await his.hear_message())["seq"] == 1
        events = [await staff.hear() for _ in range(5)]
        assert sorted(event["event"] for event in events) == ["chat_message", "chat_message", "error", "user_connected", "user_connected"]
        assert next(event["code"] for event in events if event["event"] == "error") == "no_such_user"
        assert (await hers.say("second"))["seq"] == 2
