"""The companion's answer as a stream, over real HTTP with a real provider behind it (companion.md, section 12)."""

import asyncio
import contextlib
import json
import socket
from functools import partial

import httpx2
import pytest
from calling import until
from conftest import Person, serving
from msgspec import structs
from provider import GOOD, event, provider
from starlette.responses import StreamingResponse

from holdfast.companion import stream_routes
from holdfast.companion.wording import wording

CALM = "I had a long day at work and feel tense"
IMMINENT = "I am going to hang myself tonight, the rope is ready"
FIRST, SECOND, THIRD = "That sounds like a long day. ", "Press both feet on the floor and breathe out slowly. ", "What do you notice first?"
CLAIM = "I have called your brother. Rest a little."
SOON = 20.0  # seconds within which everything here has to happen on a busy machine
ORIGIN = "https://app.example.org"


async def halting(service, parts, _):
    """A model that stops in the middle until `service.goes_on` is set."""

    async def words():
        for number, part in enumerate(parts):
            if number == len(parts) - 1:
                await service.goes_on.wait()
            yield event({"content": part})
        yield event({}, "stop") + b"data: [DONE]\n\n"

    return StreamingResponse(words(), media_type="text/event-stream")


@pytest.fixture
async def service():
    async with provider() as service:
        service.goes_on = asyncio.Event()
        service.halting = partial(halting, service, (FIRST, SECOND, THIRD))
        yield service


@pytest.fixture
async def talk(fresh, service):
    """The person `maya` before a server with a model that needs no consent."""
    more = {"model_url": service.address + "/v1", "model_name": "m", "model_consent": "not_required", "origins": (ORIGIN,)}
    transport = httpx2.AsyncHTTPTransport(verify=False)
    async with (
        serving(structs.replace(fresh.settings, **more)) as server,
        httpx2.AsyncClient(base_url=f"http://{server.address}", transport=transport, timeout=SOON) as client,
    ):
        yield Talk(server.address, Person(client, 1, "maya", fresh.tokens["maya"]))


class Talk:
    def __init__(self, address, person):
        self.address, self.person = address, person
        self.headers = {"Authorization": f"Token {person.token}"}

    @contextlib.asynccontextmanager
    async def open(self, text, **headers):
        """The answer's head, and its events as they come."""
        asked = self.person.client.stream("POST", "/api/v1/chat/me/stream/", json={"text": text}, headers=self.headers | headers)
        async with asyncio.timeout(SOON), asked as answer:
            yield answer, events(answer)

    async def whole(self, text):
        async with self.open(text) as (answer, coming):
            assert answer.status_code == 200
            return [one async for one in coming]

    async def history(self):
        found = (await self.person.get("/chat/me/history/")).json["turns"]
        return [turn["text"] for turn in found if turn["role"] == "assistant"]

    async def kept(self):
        """The answers of the history once there is one."""
        return await until(self.history, SOON)


async def events(answer):
    name = None
    async for line in answer.aiter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)


def names(found):
    return [name for name, _ in found]


def shown(found):
    """What stands on the person's screen at the end."""
    text = ""
    for name, data in found:
        text = {"sentence": text + data["text"], "replace": data["text"], "done": text}[name]
    return text


async def test_the_sentences_are_the_text_that_the_history_has(talk):
    async with talk.open(CALM) as (answer, coming):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"
        found = [one async for one in coming]
    assert names(found) == ["sentence", "sentence", "sentence", "sentence", "done"]  # three of the model, then what belongs to every answer
    assert [data.keys() for _, data in found] == [{"text"}] * 4 + [{"text", "actions"}]
    done = found[-1][1]
    assert done["text"].startswith(GOOD) and wording("en").disclosure in done["text"]
    assert set(done["actions"]) >= {"resources", "person"}
    assert shown(found) == done["text"] == (await talk.history())[-1]


async def test_a_sentence_is_released_after_the_one_that_follows_it_was_checked(talk, service):
    service.fault = "halting"
    async with talk.open(CALM) as (_, coming):
        assert await anext(coming) == ("sentence", {"text": FIRST})
        later = asyncio.create_task(anext(coming))
        assert not (await asyncio.wait([later], timeout=0.3))[0]
        service.goes_on.set()
        assert await later == ("sentence", {"text": SECOND + THIRD})


async def test_a_bad_sentence_is_never_sent_and_all_is_replaced_by_the_safe_template(talk, service):
    service.text = FIRST + SECOND + CLAIM
    found = await talk.whole(CALM)
    assert found[0] == ("sentence", {"text": FIRST})
    assert names(found) == ["sentence", "replace", "sentence", "done"]
    assert "brother" not in json.dumps(found)
    done = found[-1][1]["text"]
    assert found[1][1]["text"] and FIRST.strip() not in done and wording("en").disclosure in done
    assert shown(found) == done == (await talk.history())[-1]


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("fault", ["500", "html", "reset", "refusal"])
async def test_a_provider_that_fails_costs_nobody_the_answer(talk, service, fault):
    service.fault = fault
    found = await talk.whole(CALM)
    assert names(found) == ["replace", "sentence", "done"]
    assert shown(found) == found[-1][1]["text"] == (await talk.history())[-1]


async def test_imminent_is_one_block_and_no_request_to_the_provider(talk, service):
    found = await talk.whole(IMMINENT)
    assert names(found) == ["sentence", "done"] and service.requests == []
    assert found[-1][1]["actions"][:3] == ["resources", "alarm", "person"]
    assert shown(found) == found[-1][1]["text"] == (await talk.history())[-1]
    assert wording("en").not_a_person in shown(found)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("text", ["I want to die", "Nothing will ever get better"])
async def test_from_watch_up_the_answer_is_one_checked_block(talk, service, text):
    service.text = CLAIM
    found = await talk.whole(text)
    assert names(found) == ["sentence", "done"] and "brother" not in json.dumps(found)
    assert not any(asked.get("stream") for asked in service.requests)


async def test_a_lost_connection_leaves_the_whole_text_in_the_history(talk, service):
    service.fault = "halting"
    async with talk.open(CALM) as (_, coming):
        assert await anext(coming) == ("sentence", {"text": FIRST})
    assert await talk.history() == []
    service.goes_on.set()
    kept = (await talk.kept())[-1]
    assert kept.startswith(GOOD) and wording("en").disclosure in kept


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_goes_before_the_first_word_finds_the_answer_too(talk, service):
    service.fault = "halting"
    service.halting = partial(halting, service, (FIRST + SECOND + THIRD,))
    asking = asyncio.create_task(talk.whole(CALM))
    while not service.requests:  # noqa: ASYNC110 - it is another server that is asked
        await asyncio.sleep(0.02)
    asking.cancel()
    await asyncio.wait([asking])
    assert await talk.history() == []
    service.goes_on.set()
    assert (await talk.kept())[-1].startswith(GOOD)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_does_not_read_is_cut_off_and_holds_up_no_answer(talk, monkeypatch):
    monkeypatch.setattr(stream_routes, "PATIENCE", 0.2)
    monkeypatch.setattr(stream_routes, "NAMES", dict.fromkeys(stream_routes.NAMES, b"x" * 5_000_000))
    body = json.dumps({"text": CALM})
    head = f"POST /api/v1/chat/me/stream/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {talk.person.token}\r\nContent-Length: {len(body)}"
    host, port = talk.address.split(":")
    loop = asyncio.get_running_loop()
    with socket.create_connection((host, int(port))) as line:
        line.setblocking(False)
        await loop.sock_sendall(line, f"{head}\r\n\r\n{body}".encode())
        assert (await talk.kept())[-1].startswith(GOOD)
        await asyncio.sleep(1)  # longer than PATIENCE
        read = b""
        async with asyncio.timeout(SOON):
            with contextlib.suppress(ConnectionError):  # how a cut connection may end
                while piece := await loop.sock_recv(line, 1_000_000):
                    read += piece
    assert b" 200 " in read and not read.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("body", [{}, {"text": 7}, {"text": " \n\t"}])
async def test_a_message_without_text_is_the_chats_own_error_and_no_stream(talk, service, body):
    answer = await talk.person.post("/chat/me/stream/", body)
    assert (answer.status, answer.json) == (400, {"error": "Message text is required"})
    assert service.requests == []


async def test_a_text_that_is_too_long_is_refused_before_a_stream_begins(talk, service):
    answer = await talk.person.post("/chat/me/stream/", {"text": "word " * 801})
    assert (answer.status, answer.json) == (400, {"error": wording("en").too_long})
    heavy = await talk.person.post("/chat/me/stream/", {"text": "word " * 801 + ". I want to kill myself tonight"})
    assert heavy.status == 400 and "findahelpline.com" in heavy.json["error"]
    assert service.requests == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_another_listed_web_client_may_read_it(talk):
    async with talk.open(CALM, Origin=ORIGIN) as (answer, _):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
    async with talk.open(CALM, Origin="https://evil.example") as (answer, _):
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_breaks_in_the_middle_ends_the_stream_without_done(talk, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken on purpose")

    with monkeypatch.context() as patch:
        patch.setattr("holdfast.companion.replying.finished", broken)
        found = await talk.whole(CALM)
    assert set(names(found)) == {"sentence"}
    assert names(await talk.whole(CALM))[-1] == "done"


async def test_without_a_model_the_answer_is_one_block(maya):
    answer = await maya.post("/chat/me/stream/", {"text": CALM})
    assert answer.status == 200
    assert answer.content.count(b"event: ") == 2
    assert answer.content.startswith(b"event: sentence\ndata: ") and b"event: done\ndata: " in answer.content


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_staff_may_ask_for_anybody_and_a_stranger_finds_nobody(olive, sam, maya, nobody):
    assert (await olive.post(f"/chat/{maya.id}/stream/", {"text": CALM})).content.startswith(b"event: sentence")
    other, missing = [await sam.post(f"/chat/{number}/stream/", {"text": CALM}) for number in (maya.id, 999)]
    assert (other.status, other.json) == (404, {"error": "User not found"}) and other.content == missing.content
    assert (await nobody.post("/chat/1/stream/", {"text": CALM})).status == 401
