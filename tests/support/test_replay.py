"""Coming back: what was missed is told, what was heard is not told again."""

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace

from conftest import serving
from wire import CHAT_MESSAGE, chat

from holdfast.realtime.hub import Hub


async def test_what_was_said_meanwhile_is_replayed_oldest_first_and_never_ones_own(server, maya, olive):
    async with chat(server, "me", maya) as hers:
        await hers.say("one of mine")
    async with chat(server, maya.id, olive) as theirs:
        assert await theirs.heard(1) == ["one of mine"]
        sent = [await theirs.say(text) for text in ("two", "three", "four")]
    async with chat(server, "me", maya) as hers:
        replayed = [await hers.hear() for _ in range(3)]
        assert replayed == sent
        assert list(replayed[0]) == CHAT_MESSAGE
        assert await hers.silent()


async def test_a_goodbye_repeats_nothing(server, maya, olive):
    async with chat(server, maya.id, olive) as theirs:
        await theirs.say("hello")
        for code in (1000, 1001, None):
            async with chat(server, "me", maya) as hers:
                if code == 1000:
                    assert await hers.heard(1) == ["hello"]
                assert await hers.silent(), code
                await close(hers, code)


async def close(one, code):
    if code is None:
        one.socket.protocol.send_close()  # a browser's `socket.close()`: no number
        one.socket.send_data()
        await one.closed()
    else:
        await one.socket.close(code)


async def test_a_cut_line_repeats_the_last_seconds_under_the_same_id(server, maya, olive):
    async with chat(server, maya.id, olive) as theirs:
        sent = await theirs.say("are you all right?")
        for _ in range(2):
            async with chat(server, "me", maya) as hers:
                assert await hers.hear() == sent
                hers.drop()


async def test_what_a_live_socket_was_given_long_ago_counts_as_delivered(server, maya, olive, monkeypatch):
    monkeypatch.setattr("holdfast.support.delivered.SURE", 0.0)
    async with chat(server, maya.id, olive) as theirs:
        await theirs.say("long ago")
        async with chat(server, "me", maya) as hers:
            await hers.heard(1)
            await asyncio.sleep(1.1)
            await server.app.state.chat.count_delivered()
            monkeypatch.setattr("holdfast.support.delivered.SURE", 42.0)
            await theirs.say("just now")
            await hers.heard(1)
            hers.drop()
        async with chat(server, "me", maya) as hers:
            assert await hers.heard(1) == ["just now"]
            assert await hers.silent()


async def test_delivered_is_written_at_close_and_never_shrinks(server, maya, olive):
    async def delivered():
        async with server.db.read() as tx:
            return await tx.value("select delivered_seq from participant where person_id = 1")

    async with chat(server, maya.id, olive) as theirs:
        async with chat(server, "me", maya) as old, chat(server, "me", maya) as new:
            await theirs.say("first")
            await old.heard(1)
            await theirs.say("second")
            await new.heard(2)
        for _ in range(50):
            if await delivered() == 2:
                break
            await asyncio.sleep(0.05)
        server.app.state.chat.delivered.note(maya.id, iter([(maya.id, 1)]))
        await server.app.state.chat.delivered.flush()
        assert await delivered() == 2


async def test_at_most_fifty_and_then_live(server, maya, olive):
    async with chat(server, maya.id, olive) as theirs:
        for number in range(60):
            await theirs.send({"message": str(number)})
        await theirs.heard(60)
        async with chat(server, "me", maya) as hers:
            assert await hers.heard(50) == [str(number) for number in range(10, 60)]
            await theirs.say("live")
            assert await hers.heard(1) == ["live"]


async def test_a_frame_that_is_too_big_closes_and_the_next_socket_has_everything(server, maya, olive):
    async with chat(server, maya.id, olive) as theirs, chat(server, "me", maya) as hers:
        sent = await theirs.say("before")
        assert await hers.hear() == sent
        await hers.send('{"message": "' + "x" * 65 * 1024 + '"}')
        assert await hers.closed() == 1009
        async with chat(server, "me", maya) as hers:
            assert await hers.hear() == sent
            assert (await hers.say("small again"))["seq"] == 2


async def test_joining_while_messages_arrive_has_no_gap_and_no_double(server, maya, olive):
    async with chat(server, maya.id, olive) as theirs:
        await theirs.say("0")

        async def write():
            for number in range(1, 120):
                await theirs.send({"message": str(number)})
                await asyncio.sleep(0.002)

        writing = asyncio.create_task(write())
        for _ in range(4):
            await asyncio.sleep(0.03)
            async with chat(server, "me", maya) as hers:
                seen = [(await hers.hear_message())["seq"] for _ in range(20)]
                assert seen == list(range(seen[0], seen[0] + 20))
                hers.drop()
        await writing


async def test_lost_doubled_and_reordered_hints_change_nothing(server, maya, olive, monkeypatch):
    publish, kept = Hub.publish, []

    def careless(hub, event):
        kept.append(event)
        if event.seq % 3 == 0:
            publish(hub, kept.pop())
            publish(hub, kept[0])

    monkeypatch.setattr(Hub, "publish", careless)
    async with chat(server, "me", maya) as hers, chat(server, maya.id, olive) as theirs:
        for number in range(1, 20):
            await theirs.send({"message": str(number)})
        await asyncio.sleep(0.2)
        await server.app.state.chat.hub.poll()
        assert await hers.heard(19) == [str(number) for number in range(1, 20)]
        assert await hers.silent()
        assert await theirs.heard(19) == [str(number) for number in range(1, 20)]


async def test_a_server_that_stops_says_so_and_the_next_one_has_everything(fresh):
    maya, olive = (SimpleNamespace(token=fresh.tokens[name]) for name in ("maya", "olive"))
    async with AsyncExitStack() as clients:
        async with serving(fresh.settings) as server:
            theirs = await clients.enter_async_context(chat(server, 1, olive))
            hers = await clients.enter_async_context(chat(server, "me", maya))
            sent = await theirs.say("before the restart")
            assert await hers.hear() == sent
        assert [await hers.closed(), await theirs.closed()] == [1012, 1012]
    async with serving(fresh.settings) as server, chat(server, "me", maya) as hers:
        assert await hers.hear() == sent
        assert (await hers.say("after it"))["seq"] == 2
