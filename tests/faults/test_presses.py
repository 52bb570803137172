"""Presses and answers that come at once, again, or in the middle of something, at a real server (rows 11, 13 and 14)."""

import asyncio
import json
import re

import httpx2
import pytest
from books import ask, count, value
from calling import ANNA, IVAN, until
from mailserver import MailServer, free_port, listening
from processes import ServerProcess, running

LINK = re.compile(r"/a/[0-9A-Za-z]{22}")
ROUND = 1.5  # seconds: longer than a round of chores


@pytest.fixture
def post():
    return MailServer(free_port())


@pytest.fixture
async def serve(fresh, post):
    serve = ServerProcess(fresh.settings, post, fresh.tokens["maya"], POLL="0.1")
    async with listening(post), running(serve):
        yield serve


def links(serve, post) -> list[str]:
    """Those in the letters, the newest last; each leads to the server."""
    return [serve.address + LINK.search(letter.message.get_content())[0] for letter in post.letters if LINK.search(letter.message.get_content())]


async def state(serve, alarm: int = 1) -> dict:
    return (await serve.maya.get(f"/event/{alarm}/")).json()


async def answer(url: str, said: str) -> int:
    async with httpx2.AsyncClient(timeout=20) as stranger:
        return (await stranger.post(url, data={"answer": said})).status_code


async def test_fifty_presses_on_fifty_lines_are_one_alarm(fresh, serve, post):
    await serve.trusts(IVAN, ANNA)
    token = {"Authorization": f"Token {fresh.tokens['maya']}"}

    async def press(number: int) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=30) as line:
            return await line.request(("GET", "POST")[number % 2], f"{serve.address}/api/v1/event/trigger/me/", headers=token)

    answers = await asyncio.gather(*(press(number) for number in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    await post.arrived(2, 60)
    await asyncio.sleep(0.5)
    assert await ask(fresh.settings, "select id, tap_count from alarm") == [(1, 50)]
    assert post.recipients == ["anna@example.org", "ivan@example.org"]


async def test_the_same_key_after_the_end_is_the_same_answer_and_nothing_new(fresh, serve, post):
    await serve.trusts(IVAN)
    key = {"Idempotency-Key": "one press"}
    first = await serve.maya.post("/event/trigger/me/", headers=key)
    await post.arrived(1, 60)
    await until(lambda: count(fresh.settings, "delivery", "state = 'accepted'"), 60)
    await serve.maya.post("/event/1/stop/")
    await post.arrived(2, 60)
    again = await asyncio.gather(*(serve.maya.post("/event/trigger/me/", headers=key) for _ in range(10)))
    assert {answer.content for answer in again} == {first.content}
    await asyncio.sleep(0.5)
    assert (await count(fresh.settings, "alarm"), len(post.letters)) == (1, 2)


async def test_a_contact_that_is_edited_while_the_alarm_lives_does_not_move_it(fresh, serve, post):
    await serve.trusts(IVAN)
    await serve.press()
    await post.arrived(1, 60)
    await until(lambda: count(fresh.settings, "delivery", "state = 'accepted'"), 60)
    assert (await serve.maya.patch("/user/edit/contact/me/", json={**IVAN, "email": "ivan@elsewhere.example.org"})).status_code == 200
    await ask(fresh.settings, "update alarm set next_step_at = 1")
    await post.arrived(2, 60)
    assert post.recipients == ["ivan@example.org"] * 2
    await serve.press()
    await post.arrived(3, 60)
    assert post.letters[2].recipients == ["ivan@elsewhere.example.org"]


async def test_scanners_that_open_every_link_answer_nothing(fresh, serve, post):
    await serve.trusts(IVAN, ANNA)
    await serve.press()
    await post.arrived(2, 60)
    async with httpx2.AsyncClient(timeout=20) as scanner:
        opened = await asyncio.gather(*(scanner.request(method, url) for url in links(serve, post) * 3 for method in ("GET", "HEAD")))
    assert {page.status_code for page in opened} <= {200, 405}
    seen = await state(serve)
    assert (seen["state"], [helper["answer"] for helper in seen["helpers"]]) == ("open", [None, None])
    assert all(helper["seen_at"] for helper in seen["helpers"])


async def test_of_two_answers_at_once_the_last_counts_and_a_refusal_brings_the_next_step(fresh, serve, post):
    await serve.trusts(IVAN)
    await serve.press()
    await post.arrived(1, 60)
    await until(lambda: count(fresh.settings, "delivery", "state = 'accepted'"), 60)
    (url,) = links(serve, post)
    assert await asyncio.gather(*(answer(url, said) for said in ("calling", "coming"))) == [303, 303]
    last = json.loads(await value(fresh.settings, "select data from alarm_audit where kind = 'answer' order by n desc limit 1"))
    assert (await state(serve))["state"] == "acknowledged"
    assert (await state(serve))["helpers"][0]["answer"] == last["answer"]
    assert await answer(url, "cannot") == 303
    await until(lambda: count(fresh.settings, "alarm", "step = 1 and state = 'open'"), 60)
    assert await count(fresh.settings, "alarm_audit", "kind = 'step'") == 1


async def test_an_answer_during_a_send_stops_what_follows_it(fresh, serve, post):
    """Ivan answers while the letter to Anna is at the mail server: it is sent once, and no step comes after it."""
    await serve.trusts(IVAN)
    await serve.press()
    await post.arrived(1, 60)
    await until(lambda: count(fresh.settings, "delivery", "state = 'accepted'"), 60)
    post.data = "hold"
    await serve.trusts(ANNA)
    await serve.press()
    await until(lambda: _held(post), 60)
    assert await answer(links(serve, post)[0], "calling") == 303
    post.data = "250 OK"
    post.release.set()
    await until(lambda: count(fresh.settings, "delivery", "destination = 'anna@example.org' and kind = 'alarm' and state = 'accepted'"), 60)
    await asyncio.sleep(ROUND)
    assert await count(fresh.settings, "alarm", "state = 'acknowledged' and step = 0") == 1
    assert await count(fresh.settings, "delivery", "kind = 'alarm' and attempt > 1") == 0
    refs = [letter.message["X-Entity-Ref-ID"] for letter in post.letters]
    assert len(refs) == len(set(refs))


async def _held(post: MailServer) -> bool:
    return post.tried == 2
