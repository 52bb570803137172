"""Too many sockets, and readers that do not read."""

import asyncio
import io
import json
import socket as sockets

import pytest
import structlog
from wire import chat

from holdfast import log


async def test_the_sixth_socket_of_a_person_in_a_room_replaces_the_first(server, maya, sam, olive):
    async with (
        chat(server, "me", maya) as first,
        chat(server, "me", maya) as second,
        chat(server, "me", maya),
        chat(server, "me", maya),
        chat(server, "me", maya),
        chat(server, maya.id, olive) as theirs,
        chat(server, "me", maya) as sixth,
    ):
        assert await first.closed() == 4009
        await sixth.say("all of us")
        assert await second.heard(1) == await theirs.heard(1) == ["all of us"]
        async with chat(server, "me", sam) as his:
            assert (await his.say("another room"))["seq"] == 1


async def test_staff_have_a_limit_in_all_beside_the_one_in_each_room(server, maya, sam, olive, monkeypatch):
    monkeypatch.setattr("holdfast.realtime.seats.IN_ALL", 2)
    async with chat(server, "admin", olive) as first, chat(server, maya.id, olive), chat(server, sam.id, olive) as third:
        assert await first.closed() == 4009
        assert await third.silent()


@pytest.mark.slow
async def test_a_reader_that_never_reads_is_closed_and_freed_and_harms_nobody(server, maya, olive):
    mute = await connected(server, maya)
    async with chat(server, maya.id, olive) as theirs, chat(server, "me", maya) as hers:
        for number in range(900):  # 7 MB: more than the kernel takes for a peer
            await theirs.send({"message": f"{number} " + "ж" * 3_900})
            assert (await theirs.hear_message())["seq"] == (await hers.hear_message())["seq"] == number + 1
        begun = asyncio.get_running_loop().time()
        while len(server.app.state.chat._connections) > 2:
            assert asyncio.get_running_loop().time() - begun < 8
            await asyncio.sleep(0.1)
    mute.close()


async def connected(server, person):
    """A socket that shook hands and then never reads, with the smallest buffer that it can have."""
    mute = sockets.socket()
    mute.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    mute.setblocking(False)
    host, port = server.address.split(":")
    loop = asyncio.get_running_loop()
    await loop.sock_connect(mute, (host, int(port)))
    request = (
        f"GET /ws/chat/me/ HTTP/1.1\r\nHost: {server.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Token {person.token}\r\n\r\n"
    )
    await loop.sock_sendall(mute, request.encode())
    assert await loop.sock_recv(mute, 12) == b"HTTP/1.1 101"
    return mute


@pytest.fixture
def whole_log():
    """Everything that is logged from here on, at the lowest level."""
    before, written = structlog.get_config(), io.BytesIO()
    log.configure("debug")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(written))
    yield written
    structlog.configure(**before)


async def test_a_chat_leaves_no_trace_in_the_log(server, maya, olive, whole_log):
    canary = "canary-7f3a"
    async with chat(server, "1", None, query=f"?token={maya.token}") as hers, chat(server, "admin", olive) as staff:
        await hers.say(canary)
        await staff.hear_message()
        await hers.send(canary)
        await hers.send(json.dumps({"message": canary * 1000, "client_msg_id": canary}))
        await hers.hear()
    await asyncio.sleep(0.1)
    written = whole_log.getvalue().decode()
    assert written.count("socket_closed") == 2
    for secret in (canary, maya.token, olive.token, "token="):
        assert secret not in written
