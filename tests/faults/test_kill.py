"""kill -9 of a real server at the worst moments: what was answered with 200 is sent, once where that can be known."""

import asyncio
import json
import time

import pytest
from books import ask, count
from calling import IVAN, until
from kill_at_random import ONE_STEP
from mailserver import MailServer, free_port, listening
from processes import Process, ServerProcess, running

MESSAGE = "Message-ID"


@pytest.fixture
def post():
    """Nobody listens there yet."""
    return MailServer(free_port())


@pytest.fixture
def serve(fresh, post):
    return ServerProcess(fresh.settings, post, fresh.tokens["maya"])


async def test_killed_between_the_answer_and_the_sending_it_is_sent_once_after_the_restart(serve, post):
    async with running(serve):
        await serve.trusts(IVAN)
        assert (await serve.press()).status_code == 200
        await serve.becomes("pending", "temporary")
        await serve.kill()
        async with listening(post):
            await serve.start()
            started = time.time()
            await post.arrived(1)
            await serve.becomes("accepted")
            await asyncio.sleep(0.7)  # longer than a poll
    assert len(post.letters) == 1
    assert post.letters[0].at - started < 4  # the backoff of 2 s from before the kill, and a poll


@pytest.mark.slow
async def test_killed_before_anybody_took_it_the_first_attempt_comes_at_once(fresh, serve, post):
    before = ServerProcess(fresh.settings, None, fresh.tokens["maya"])
    async with running(before):
        await before.trusts(IVAN)
        assert (await before.press()).status_code == 200
        await before.kill()
    async with listening(post), running(serve):
        started = time.time()
        await post.arrived(1)
        await serve.becomes("accepted")
        assert post.letters[0].at - started < 2
    assert len(post.letters) == 1


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, 0.002, 0.005])
async def test_killed_at_the_answer_it_is_sent_once_by_the_end_of_the_lease(serve, post, pause):
    """The worker may have taken it already; who takes a lease with it into death delays it by that lease, and loses nothing."""
    async with running(serve):
        await serve.trusts(IVAN)
        assert (await serve.press()).status_code == 200
        await asyncio.sleep(pause)
        await serve.kill()
        async with listening(post):
            await serve.start()
            started = time.time()
            await post.arrived(1, 40)
            await serve.becomes("accepted")
            await asyncio.sleep(1.2)
    assert len(post.letters) == 1
    assert post.letters[0].at - started < 32


@pytest.mark.slow
async def test_killed_after_the_commit_and_repeated_by_the_client_it_is_one_alarm(serve, post):
    async with running(serve):
        await serve.trusts(IVAN)
        first = await serve.press()
        await serve.becomes("pending", "temporary")
        await serve.kill()
        async with listening(post):
            await serve.start()
            assert (await serve.press("GET")).content == first.content
            await post.arrived(1)
            await asyncio.sleep(1.2)
    assert len(post.letters) == 1


@pytest.mark.slow
async def test_killed_in_mid_send_it_is_sent_again_as_the_same_letter(serve, post):
    """The provider has the body and has not answered: the lease ends after 30 s, and the second copy is recognisably the first."""
    async with listening(post), running(serve):
        await serve.trusts(IVAN)
        post.data = "hold"
        await serve.press()
        await post.trying()
        await serve.kill()
        post.data = "250 OK"
        await serve.start()
        restarted = time.time()
        post.release.set()
        await post.arrived(1, 40)
        await serve.becomes("accepted")
        assert time.time() - restarted < 32
    assert post.tried == 2
    assert len({letter.message[MESSAGE] for letter in post.letters}) == 1


@pytest.mark.slow
async def test_twenty_kills_lose_no_alarm(fresh, serve, post):
    """Each time somebody else is added, the press told them, and the server died at another moment after its answer. Nothing repeats by itself."""
    await ask(fresh.settings, f"update scenario set definition = '{json.dumps(ONE_STEP)}' where id = 1")
    people = [{**IVAN, "name": f"Ivan {n}", "phone": f"+3805012345{n:02}", "email": f"ivan{n}@example.org"} for n in range(20)]
    async with listening(post), running(serve):
        for turn, person in enumerate(people):
            await serve.trusts(person)
            assert (await serve.press()).status_code == 200
            await asyncio.sleep(turn * 0.002)
            await serve.kill()
            await serve.start()
        await until(lambda: _all_told(post, people), 40)
    copies = [letter.message[MESSAGE] for letter in post.letters]
    assert len(set(copies)) == 20
    assert len(copies) - 20 <= await count(
        fresh.settings, "delivery_attempt", "outcome = 'lease_lost'"
    )  # a second copy only of what died with a server


@pytest.mark.slow
async def test_a_mail_server_away_for_thirty_seconds_gets_it_after_that(serve, post):
    async with running(serve):
        await serve.trusts(IVAN)
        await serve.press()
        await asyncio.sleep(30)
        back = time.time()
        async with listening(post):
            await post.arrived(1, 60)
            await serve.becomes("accepted")
    assert len(post.letters) == 1
    assert post.letters[0].at - back < 24 + 0.5  # the fifth attempt comes 37 s after the first, and each wait may be a fifth longer


async def test_a_graceful_stop_finishes_what_is_being_sent(serve, post):
    async with listening(post), running(serve):
        await serve.trusts(IVAN)
        post.data = "hold"
        await serve.press()
        await post.trying()
        stopping = asyncio.create_task(serve.stop())
        await asyncio.sleep(0.3)
        assert not stopping.done()
        post.release.set()
        assert await stopping == 0
        await serve.start()
        await serve.becomes("accepted", seconds=1)
    assert (post.tried, len(post.letters)) == (1, 1)


@pytest.mark.slow
async def test_the_worker_process_sends_what_a_dead_server_left(serve, post, fresh):
    worker = Process(fresh.settings, post, "worker")
    async with running(serve):
        await serve.trusts(IVAN)
        await serve.press()
        await serve.becomes("pending", "temporary")
        await serve.kill()
        async with listening(post), running(worker):
            await post.arrived(1)
            assert await worker.stop() == 0
    assert len(post.letters) == 1


async def _all_told(post: MailServer, people: list[dict[str, str]]) -> bool:
    return {letter.recipients[0] for letter in post.letters} == {person["email"] for person in people}
