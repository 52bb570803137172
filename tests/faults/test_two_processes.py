"""Two processes on one PostgreSQL: each message is sent by one of them."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from calling import until
from conftest import ENGINES
from crowd import crowd
from mailserver import mail_server
from processes import Process, ServerProcess, running

from holdfast.settings import Settings

PRESSES = 20


@pytest.fixture(params=ENGINES[1:])
def engine(request):
    """SQLite is for one process."""
    return request.param


async def people(settings: Settings) -> list[str]:
    """Twenty more people with a contact each, as their tokens."""
    return [caller.token for caller in await crowd(settings, PRESSES, contacts=1, sms=False)]


async def press_everywhere(servers: list[ServerProcess], tokens: list[str]) -> None:
    """Everybody presses at every server at once."""
    answers = await asyncio.gather(
        *(serve.maya.post("/event/trigger/me/", headers={"Authorization": f"Token {token}"}) for serve in servers for token in tokens)
    )
    assert {answer.status_code for answer in answers} == {200}


async def accepted(settings: Settings) -> list[tuple[int, int, str]]:
    """Fence, attempts and last holder of every accepted delivery."""
    connection = await asyncpg.connect(settings.database_url)
    rows = await connection.fetch("select fence, attempt, lease_owner from delivery where state = 'accepted'")
    await connection.close()
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("beside", ["serve", "worker"])
async def test_twenty_alarms_are_sent_once_each_by_two_processes(fresh, beside):
    tokens = await people(fresh.settings)
    async with mail_server() as post:
        first = ServerProcess(fresh.settings, post, fresh.tokens["maya"])
        second = ServerProcess(fresh.settings, post, fresh.tokens["maya"]) if beside == "serve" else Process(fresh.settings, post, "worker")
        async with running(first, second):
            await press_everywhere([each for each in (first, second) if isinstance(each, ServerProcess)], tokens)
            rows = await until(lambda: _all(fresh.settings), 20)
            await asyncio.sleep(0.7)  # longer than a poll of either
    assert Counter(letter.recipients[0] for letter in post.letters) == {f"helper0.of{n}@example.org": 1 for n in range(PRESSES)}
    assert {row[:2] for row in rows} == {(1, 1)}


@pytest.mark.slow
async def test_both_processes_take_their_part(fresh):
    tokens = await people(fresh.settings)
    async with mail_server() as post:
        post.data = "hold"
        quiet = ServerProcess(fresh.settings, None, fresh.tokens["maya"])
        workers = [Process(fresh.settings, post, "worker") for _ in range(2)]
        async with running(quiet):
            await press_everywhere([quiet], tokens)
            async with running(*workers), asyncio.timeout(20):
                while post.tried <= fresh.settings.pool_email:  # noqa: ASYNC110 - more at once than one of them can send
                    await asyncio.sleep(0.05)
                post.release.set()
                rows = await until(lambda: _all(fresh.settings), 20)
                assert [await worker.stop() for worker in workers] == [0, 0]
    assert len(post.letters) == PRESSES
    assert len({row[2] for row in rows}) == 2


async def _all(settings: Settings) -> list[tuple[int, int, str]]:
    rows = await accepted(settings)
    return rows if len(rows) == PRESSES else []
