"""Where the chat is, and who gets in with what."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from wire import chat


async def status(server, place, token=None, *, headers=None, **more):
    """Of the handshake, with the answer's body when it is refused; 101 when it opened."""
    given = {"Authorization": f"Token {token}"} if token else {}
    try:
        async with connect(f"ws://{server.address}{place}", additional_headers=given | (headers or {}), **more):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_the_address_has_exactly_the_contracts_keys_and_no_secret(server, maya, olive):
    own = await maya.get("/chat/user/support/me/")
    assert (own.status, own.json) == (
        200,
        {"user_id": maya.id, "is_admin": False, "websocket_url": f"ws://{server.address}/ws/chat/{maya.id}/"},
    )
    theirs = await olive.get(f"/chat/user/support/{maya.id}/")
    assert theirs.json == own.json | {"is_admin": True}


async def test_somebody_elses_chat_does_not_exist(maya, sam, nobody):
    for number in (sam.id, 999):
        answer = await maya.get(f"/chat/user/support/{number}/")
        assert (answer.status, answer.json) == (404, {"error": "User not found"})
        answer = await maya.post(f"/chat/user/support/{number}/ticket/")
        assert (answer.status, answer.json) == (404, {"error": "User not found"})
    assert (await nobody.get("/chat/user/support/1/")).status == 401


class TestBehindTls:
    @pytest.fixture
    def engine(self):
        return "sqlite"

    @pytest.fixture
    def settings(self):
        return {"public_url": "https://help.example.org", "trusted_proxies": ("127.0.0.1",)}

    async def test_the_address_is_the_public_one(self, maya):
        assert (await maya.get("/chat/user/support/me/")).json["websocket_url"] == "wss://help.example.org/ws/chat/1/"


async def test_every_carrier_of_a_token_opens_the_chat(server, maya):
    place, token = "/ws/chat/me/", maya.token
    assert await status(server, place, token) == 101
    assert await status(server, place, headers={"Authorization": f"token {token}"}) == 101
    assert await status(server, f"{place}?token={token}") == 101
    assert await status(server, "/ws/chat/1", token) == 101
    ticket = (await maya.post("/chat/user/support/me/ticket/")).json["ticket"]
    assert await status(server, f"{place}?ticket={ticket}") == 101
    async with connect(f"ws://{server.address}{place}", subprotocols=["token", token]) as socket:
        assert socket.subprotocol == "token"
        assert token not in str(socket.response.headers)


async def test_what_is_refused_before_accept(server, maya, sam, olive):
    spoilt = maya.token[:-1] + ("a" if maya.token[-1] != "a" else "b")
    table = {
        ("/ws/chat/me/", None): 401,
        ("/ws/chat/me/", spoilt): 401,
        ("/ws/chat/me/?token=", None): 401,
        (f"/ws/chat/me/?token={spoilt}", None): 401,
        (f"/ws/chat/me/?ticket={maya.token}", None): 401,
        ("/ws/chat/me/", "ünïcode"): 401,
        ("/ws/chat/2/", maya.token): 404,
        ("/ws/chat/999/", maya.token): 404,
        ("/ws/chat/999/", olive.token): 404,
        ("/ws/chat/nobody/", maya.token): 404,
        ("/ws/chat/admin/", maya.token): 404,
        ("/ws/chat/admin/", None): 401,
        ("/ws/chat/admin/", olive.token): 101,
        ("/ws/chat/2/", olive.token): 101,
        ("/ws/elsewhere/", maya.token): 404,
    }
    found = {}
    for place, token in table:
        headers = {"Authorization": f"Token {token}".encode().decode("latin-1")} if token else {}
        found[place, token] = await status(server, place, headers=headers)
    assert found == table


async def test_a_strangers_room_and_the_staffs_are_refused_with_the_same_bytes(server, maya):
    bodies = set()
    for place in ("/ws/chat/2/", "/ws/chat/999/", "/ws/chat/admin/"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{server.address}{place}", additional_headers={"Authorization": f"Token {maya.token}"})
        bodies.add(bytes(refused.value.response.body))
    assert bodies == {b'{"error":"User not found"}'}


class TestQueryClosed:
    @pytest.fixture
    def engine(self):
        return "sqlite"

    @pytest.fixture
    def settings(self):
        return {"token_in_query": False}

    async def test_a_raw_token_comes_in_by_no_query(self, server, maya):
        assert await status(server, f"/ws/chat/me/?token={maya.token}") == 401
        assert await status(server, f"/ws/chat/me/?ticket={maya.token}") == 401
        ticket = (await maya.post("/chat/user/support/me/ticket/")).json["ticket"]
        assert await status(server, f"/ws/chat/me/?ticket={ticket}") == 101


async def test_a_ticket_opens_one_socket_once_in_one_room(server, maya, sam, olive):
    answer = await maya.post("/chat/user/support/me/ticket/")
    assert (answer.status, set(answer.json), answer.json["expires_in"]) == (201, {"ticket", "expires_in"}, 60)
    ticket = answer.json["ticket"]
    assert await status(server, f"/ws/chat/2/?ticket={ticket}") == 404
    assert await status(server, f"/ws/chat/admin/?ticket={ticket}") == 404
    assert await status(server, f"/ws/chat/1/?ticket={ticket}") == 101
    assert await status(server, f"/ws/chat/1/?ticket={ticket}") == 401
    theirs = (await olive.post(f"/chat/user/support/{maya.id}/ticket/")).json["ticket"]
    assert await status(server, f"/ws/chat/admin/?ticket={theirs}") == 404
    assert await status(server, f"/ws/chat/1/?ticket={theirs}") == 101
    everywhere = (await olive.post("/staff/chat/ticket/")).json["ticket"]
    assert await status(server, f"/ws/chat/3/?ticket={everywhere}") == 404
    assert await status(server, f"/ws/chat/admin/?ticket={everywhere}") == 101
    assert (await maya.post("/staff/chat/ticket/")).status == 403


async def test_a_ticket_is_over_after_a_minute_and_with_the_token_that_asked_for_it(server, maya):
    first = (await maya.post("/chat/user/support/me/ticket/")).json["ticket"]
    second = (await maya.post("/chat/user/support/me/ticket/")).json["ticket"]
    async with server.db.write() as tx:
        await tx.run("update token set revoked_at = holdfast_now() where id = (select max(parent_id) from token)")
    assert await status(server, f"/ws/chat/me/?ticket={first}") == 401
    async with server.db.write() as tx:
        await tx.run("update token set revoked_at = null where id = (select max(parent_id) from token)")
    await server.turn_clock(61)
    assert await status(server, f"/ws/chat/me/?ticket={second}") == 401


class TestOrigins:
    @pytest.fixture
    def engine(self):
        return "sqlite"

    @pytest.fixture
    def settings(self):
        return {"origins": ("https://care.example.org", "http://localhost:3000")}

    async def test_a_browser_gets_in_from_the_listed_places_and_our_own_alone(self, server, maya):
        table = {
            None: 101,
            f"http://{server.address}": 101,
            "https://care.example.org": 101,
            "http://localhost:3000": 101,
            "null": 403,
            "http://localhost:3001": 403,
            "http://localhost": 403,
            "http://care.example.org": 403,
            "https://care.example.org:444": 403,
            "https://care.example.org.evil.example": 403,
            "https://evil-care.example.org": 403,
            "https://example.org": 403,
            "https://care.example.org/": 403,
            f"https://{server.address}": 403,
        }
        found = {origin: await status(server, "/ws/chat/me/", maya.token, origin=origin) for origin in table}
        assert found == table

    async def test_a_foreign_origin_spends_no_ticket(self, server, maya):
        ticket = (await maya.post("/chat/user/support/me/ticket/")).json["ticket"]
        assert await status(server, f"/ws/chat/me/?ticket={ticket}", origin="https://evil.example") == 403
        assert await status(server, f"/ws/chat/me/?ticket={ticket}") == 101


async def test_a_token_that_ended_ends_its_sockets_and_no_others(server, maya, olive):
    ticket = (await maya.post("/chat/user/support/me/ticket/")).json["ticket"]
    async with chat(server, "me", maya) as first, chat(server, "1", None, query=f"?ticket={ticket}") as second, chat(server, 1, olive) as theirs:
        await server.app.state.chat.recheck()
        assert (await first.say("still in"))["seq"] == 1
        assert await second.heard(1) == ["still in"]
        async with server.db.write() as tx:
            await tx.run("update token set revoked_at = holdfast_now() where account_id = 1")
        await server.app.state.chat.recheck()
        assert await asyncio.gather(first.closed(), second.closed()) == [1008, 1008]
        await theirs.heard(1)
        assert (await theirs.say("are you there?"))["seq"] == 2


async def test_who_is_on_duty_and_only_listens_is_not_idle(server, olive):
    async with chat(server, "admin", olive) as theirs:
        for _ in range(4):
            await server.turn_clock(20 * 60)
            await server.app.state.chat.recheck()
            await asyncio.sleep(0.05)  # the use is noted beside the check
        assert await theirs.silent()
        await server.turn_clock(11 * 3600)
        await server.app.state.chat.recheck()
        assert await theirs.closed() == 1008


async def test_staff_in_anothers_room_are_on_record_and_in_their_own_are_not(server, maya, olive):
    async with chat(server, maya.id, olive), chat(server, "me", olive), chat(server, "me", maya), server.db.read() as tx:
        count = await tx.value("select count(*) from audit where action = 'SOCKET /ws/chat/{user_id}/'")
        row = await tx.row("select actor_id, user_id from audit where action = 'SOCKET /ws/chat/{user_id}/'")
    assert (count, tuple(row)) == (1, (olive.id, maya.id))
