"""The live state as server-sent events (alarm.md, section 14)."""

import asyncio
import contextlib
import json

import httpx2
import pytest
from calling import IVAN, TRIGGER, trusts, until
from process import Process

from holdfast.alarms import stream
from holdfast.realtime.seats import IN_ROOM
from holdfast.server import STOP

PLACE = "/api/v1/event/1/stream/"
SOON = 10.0  # seconds within which everything here has to happen on a busy machine


@pytest.fixture
def settings():
    return {"senders": "sandbox", "origins": ("https://app.example.org",)}


@pytest.fixture
async def alarm(maya):
    await trusts(maya, IVAN)
    assert (await maya.post(TRIGGER)).status == 200


class Listener:
    """One open stream, with a token."""

    def __init__(self, client, token):
        self._client = client
        self.headers = {"Authorization": f"Token {token}", "Accept": "text/event-stream"}

    @contextlib.asynccontextmanager
    async def open(self, **headers):
        async with asyncio.timeout(3 * SOON), self._client.stream("GET", PLACE, headers=self.headers | headers) as self.answer:
            self.lines = self.answer.aiter_lines()
            yield self

    async def event(self):
        """The next one: its id and the live state in it."""
        async with asyncio.timeout(SOON):
            fields = {}
            async for line in self.lines:
                key, _, value = line.partition(": ")
                if line and key:
                    fields[key] = value
                elif "data" in fields:
                    assert fields["event"] == "alarm"
                    return int(fields["id"]), json.loads(fields["data"])
                else:
                    fields = {}
        raise EOFError

    async def until(self, condition):
        while not condition((found := await self.event())[1]):
            pass
        return found[1]

    async def ended(self):
        """Whatever still comes, it comes to an end."""
        with contextlib.suppress(EOFError):
            while True:
                await self.event()


@pytest.fixture
def hear(client, maya):
    return Listener(client, maya.token)


async def test_it_begins_with_the_state_and_ends_after_the_end(hear, maya, alarm):
    async with hear.open():
        assert hear.answer.status_code == 200
        assert hear.answer.headers["content-type"].startswith("text/event-stream")
        assert hear.answer.headers["cache-control"] == "no-store" and hear.answer.headers["x-content-type-options"] == "nosniff"
        number, first = await hear.event()
        assert first["id"] == 1 and number == first["version"]
        await maya.post("/event/1/stop/", {})
        closed = await hear.until(lambda view: view["state"] == "closed")
        assert closed["close_reason"] == "all_clear" and closed.keys() == (await maya.get("/event/1/")).json.keys()
        await hear.ended()
    async with hear.open():
        assert (await hear.event())[1]["state"] == "closed"
        await hear.ended()


async def test_every_change_comes_in_order_within_a_second_of_its_version(hear, server, client, maya, alarm):
    async with hear.open():
        versions = [(await hear.event())[0]]
        path = await link_of_first(server)
        began = asyncio.get_running_loop().time()
        assert (await client.get(path)).status_code == 200
        view = await hear.until(lambda view: view["helpers"][0]["seen_at"])
        versions.append(view["version"])
        await client.post(path, data={"answer": "calling"})
        view = await hear.until(lambda view: view["helpers"][0]["answer"] == "calling")
        versions.append(view["version"])
        assert view["state"] == "acknowledged" and "Ivan" in view["line"]
        assert versions == sorted(set(versions))
        assert asyncio.get_running_loop().time() - began < SOON


async def test_nothing_is_said_twice_and_a_heartbeat_keeps_the_line_open(hear, maya, alarm, monkeypatch):
    for name in ("POLL", "ANEW", "HEARTBEAT"):
        monkeypatch.setattr(stream, name, 0.02)
    seen = []
    async with hear.open():
        async with asyncio.timeout(SOON):
            async for line in hear.lines:
                seen.append(line)
                if seen.count(": still there") == 10:
                    break
    data = [line for line in seen if line.startswith("data: ")]
    assert len(data) == len(set(data)) >= 1


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_only_who_asks_for_a_stream_gets_one(client, hear, maya, alarm):
    for accept in ("*/*", "application/json", ""):
        answer = await client.get(PLACE, headers=hear.headers | {"Accept": accept})
        assert (answer.status_code, answer.json()) == (406, {"error": stream.OnlyAStream.__doc__})


async def test_strangers_find_nothing_and_staff_are_on_record(server, client, sam, olive, maya, alarm):
    missing = []
    for token in (sam.token, maya.token):
        place = PLACE if token == sam.token else PLACE.replace("1/stream", "99/stream")
        answer = await client.get(place, headers={"Authorization": f"Token {token}", "Accept": "text/event-stream"})
        missing.append((answer.status_code, answer.content))
    assert missing == [(404, b'{"error":"Alarm not found"}')] * 2
    assert (await client.get(PLACE, headers={"Accept": "text/event-stream"})).status_code == 401
    async with Listener(client, olive.token).open() as hears:
        assert (await hears.event())[1]["id"] == 1
        async with server.db.read() as tx:
            assert await tx.value("select count(*) from audit where actor_id = 3 and action like '%/stream/'") == 1


async def test_it_ends_when_the_token_does(hear, server, maya, alarm, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT", 0.05)
    async with hear.open():
        await hear.event()
        async with server.db.write() as tx:
            await tx.run("update token set revoked_at = holdfast_now() where account_id = 1")
        await hear.ended()


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_of_too_many_the_newest_stay(server, client, maya, alarm):
    async with contextlib.AsyncExitStack() as stack:
        opened = []
        for _ in range(IN_ROOM + 1):
            hears = await stack.enter_async_context(Listener(client, maya.token).open())
            await hears.event()
            opened.append(hears)
        await opened[0].ended()
        await maya.post("/event/1/stop/", {})
        for hears in opened[1:]:
            await hears.until(lambda view: view["state"] == "closed")


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_stop_of_the_server_ends_it_at_once(fresh, tmp_path):
    """uvicorn waits STOP seconds for answers that go on, and then cuts them."""
    process = await asyncio.to_thread(Process, tmp_path, HOLDFAST_SENDERS="sandbox")
    await asyncio.to_thread(process.wait)
    token = fresh.tokens["maya"]
    async with httpx2.AsyncClient(base_url=process.address, headers={"Authorization": f"Token {token}"}, timeout=30) as client:
        assert (await client.get("/api/v1" + TRIGGER)).status_code == 200
        async with Listener(client, token).open() as hears:
            await hears.event()
            began = asyncio.get_running_loop().time()
            code, _ = await asyncio.gather(asyncio.to_thread(process.stop), hears.ended())
    assert code == 0 and asyncio.get_running_loop().time() - began < STOP - 2
    assert b"library_warning" not in process.written and b"bug" not in process.written


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_goes_leaves_nothing_behind(hear, server, alarm):
    async with hear.open():
        await hear.event()
        assert server.app.state.streams.seats._people

    async def left():
        return not server.app.state.streams.seats._people

    await until(left, SOON)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_does_not_read_is_cut_off_and_holds_up_nobody(server, maya, alarm, monkeypatch):
    monkeypatch.setattr(stream, "PATIENCE", 0.2)
    monkeypatch.setattr(stream, "POLL", 0.0)
    monkeypatch.setattr(stream, "HEARTBEAT", 0.0)
    monkeypatch.setattr(stream, "STILL_THERE", b":" + b"x" * 500_000 + b"\n\n")
    host, port = server.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(f"GET {PLACE} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Token {maya.token}\r\n\r\n".encode())
    assert b" 200 " in await reader.readline()

    async def cut():
        return not server.app.state.streams.seats._people

    await until(cut, 3 * SOON)
    assert (await maya.get("/event/1/")).status == 200
    writer.transport.abort()


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_another_listed_web_client_may_hear_it(hear, alarm):
    async with hear.open(Origin="https://app.example.org"):
        assert hear.answer.headers["access-control-allow-origin"] == "https://app.example.org"
    async with hear.open(Origin="https://evil.example"):
        assert "access-control-allow-origin" not in hear.answer.headers


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_breaks_ends_the_stream_and_the_client_comes_again(hear, server, alarm, monkeypatch):
    async def broken(*_):
        raise RuntimeError("broken on purpose")

    async with hear.open():
        await hear.event()
        with monkeypatch.context() as patch:
            patch.setattr("holdfast.alarms.live.version", broken)
            await hear.ended()
    async with hear.open():
        assert (await hear.event())[1]["id"] == 1


async def link_of_first(server):
    async with server.db.read() as tx:
        body = json.loads(await tx.value("select body from delivery order by id limit 1"))
    return f"/a/{server.app.state.means.links.key(body['link'])}"
