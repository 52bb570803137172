"""The database is locked or away: no 200 without an alarm, and the work goes on by itself when it is back."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx2
import pytest
from calling import FROM, IVAN, TRIGGER, count, settled, trusts, until
from conftest import ENGINES, Person, serving
from mailserver import mail_server
from msgspec import structs
from road import Road

from holdfast.alarms import routes


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM}


@asynccontextmanager
async def locked(server) -> AsyncIterator[None]:
    """Somebody else holds what an alarm needs."""
    settings = server.app.state.settings
    if settings.postgres:
        other = await asyncpg.connect(settings.database_url)
        async with other.transaction():
            await other.execute("lock table alarm in exclusive mode")
            yield
        await other.close()
        return
    with contextlib.closing(sqlite3.connect(settings.data_dir / "holdfast.sqlite3", isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


async def test_what_cannot_be_recorded_in_time_is_an_honest_503(server, maya, post, monkeypatch):
    monkeypatch.setattr(routes, "RECORDED", 0.3)
    await trusts(maya, IVAN)
    async with locked(server):
        answer = await maya.get(TRIGGER)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert await count(server, "alarm") == 0
    assert (await maya.get(TRIGGER)).status == 200
    await post.arrived(1)


async def test_a_press_that_waits_for_a_lock_is_recorded_when_it_is_released(server, maya, post):
    await trusts(maya, IVAN)
    async with locked(server):
        press = asyncio.create_task(maya.get(TRIGGER))
        await asyncio.sleep(0.5)
        assert not press.done()
    assert (await press).status == 200
    await post.arrived(1)


@pytest.fixture
async def road(fresh) -> AsyncIterator[Road]:
    road = Road(fresh.settings.database_url)
    await road.open()
    yield road
    await road.close()


@pytest.mark.parametrize("engine", ENGINES[1:], indirect=True)
async def test_a_database_that_goes_away_in_mid_send_costs_no_second_letter(fresh, road, post):
    """PostgreSQL cannot be reached for two seconds, and the letter is taken within them."""
    settings = structs.replace(fresh.settings, database_url=road.url, smtp_url=post.url, mail_from=FROM)
    async with serving(settings) as server, httpx2.AsyncClient(base_url=f"http://{server.address}", timeout=30) as client:
        maya = Person(client, 1, "maya", fresh.tokens["maya"])
        await trusts(maya, IVAN)
        post.data = "hold"
        await maya.get(TRIGGER)
        await post.trying()
        await road.close()
        post.release.set()
        assert (await maya.get(TRIGGER)).status == 503
        await asyncio.sleep(2)
        await road.open()

        async def back() -> bool:
            return (await maya.get(TRIGGER)).status == 200

        await until(back)
        await settled(maya, "accepted")
        await asyncio.sleep(0.7)  # longer than a poll
        assert len(post.letters) == 1
