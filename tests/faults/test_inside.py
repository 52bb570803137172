"""kill -9 in the middle of a transaction, on the last statement before its commit: all of it is there afterwards, or nothing (rows 1 and 6)."""

import asyncio

import httpx2
import pytest
from books import ask, count, trap, value
from calling import ANNA, IVAN, until
from mailserver import MailServer, free_port, listening
from processes import ServerProcess, running

PAST = "update alarm set {column} = 1 where id = 1"


@pytest.fixture
def post():
    return MailServer(free_port())


@pytest.fixture
def serve(fresh, post):
    return ServerProcess(fresh.settings, post, fresh.tokens["maya"], POLL="0.1")


async def killed_inside(serve, settings, kind, act):
    """Starts the act, waits until it is in its last statement, and kills the process. Nobody was answered."""
    async with trap(settings, kind) as caught:
        asking = asyncio.create_task(act())
        await caught()
        await serve.kill()
        with pytest.raises(httpx2.TransportError):
            await asking


async def told(serve, post):
    """An alarm that reached Ivan alone: Anna's address does not exist."""
    post.rcpt["anna@example.org"] = "550 no such user"
    await serve.trusts(IVAN, ANNA)
    assert (await serve.press()).status_code == 200
    await post.arrived(1, 60)
    await settled(serve)


async def settled(serve):
    async def there():
        helpers = (await serve.maya.get("/event/1/")).json()["helpers"]
        return all(
            channel["state"] in ("accepted", "failed") for helper in helpers for channel in helper["channels"] if channel["channel"] == "email"
        )

    await until(there, 60)


async def test_killed_inside_the_trigger_nothing_of_it_exists(fresh, serve, post):
    async with listening(post), running(serve):
        await serve.trusts(IVAN)
        await killed_inside(serve, fresh.settings, "trigger", serve.press)
        for table in ("alarm", "alarm_helper", "delivery", "delivery_attempt", "alarm_audit", "token where held_until > 0"):
            assert await value(fresh.settings, f"select count(*) from {table}") == 0, table
        await serve.start()
        assert (await serve.press()).headers["location"].startswith("/api/v1/event/")
        await post.arrived(1, 60)
        await asyncio.sleep(0.5)
    assert len(post.letters) == 1


async def test_killed_inside_an_escalation_the_step_runs_once(fresh, serve, post):
    async with listening(post), running(serve):
        await told(serve, post)
        async with trap(fresh.settings, "step") as caught:
            await ask(fresh.settings, PAST.format(column="next_step_at"))
            await caught()
            await serve.kill()
        assert await value(fresh.settings, "select step from alarm") == 0
        assert await count(fresh.settings, "delivery", "step = 1") == 0
        await serve.start()
        await post.arrived(2, 60)
        await asyncio.sleep(1.5)  # longer than a round of chores
        assert await value(fresh.settings, "select step from alarm") == 1
        assert await count(fresh.settings, "alarm_audit", "kind = 'step'") == 1
        assert await count(fresh.settings, "delivery", "step = 1 and kind = 'repeat'") == 1
    assert post.recipients == ["ivan@example.org"] * 2


async def test_killed_inside_a_stop_the_all_clear_reaches_exactly_those_told(fresh, serve, post):
    async with listening(post), running(serve):
        await told(serve, post)
        await killed_inside(serve, fresh.settings, "all_clear", lambda: serve.maya.post("/event/1/stop/"))
        assert await value(fresh.settings, "select state from alarm") == "open"
        assert await count(fresh.settings, "delivery", "kind = 'all_clear'") == 0
        await serve.start()
        for _ in range(2):
            assert (await serve.maya.post("/event/1/stop/")).json() == {"result": "all_clear", "told": ["Ivan"]}
        await post.arrived(2, 60)
        await asyncio.sleep(0.5)
    assert post.recipients == ["ivan@example.org"] * 2
    assert await count(fresh.settings, "alarm_audit", "kind = 'all_clear'") == 1


async def test_killed_inside_an_expiry_there_is_one_closing_message(fresh, serve, post):
    async with listening(post), running(serve):
        await told(serve, post)
        async with trap(fresh.settings, "expired") as caught:
            await ask(fresh.settings, PAST.format(column="expires_at"))
            await caught()
            await serve.kill()
        assert await value(fresh.settings, "select state from alarm") == "open"
        await serve.start()
        await post.arrived(2, 60)
        await asyncio.sleep(1.5)
        assert await value(fresh.settings, "select close_reason from alarm") == "expired"
        assert await count(fresh.settings, "delivery", "kind = 'closing'") == 1
    assert post.recipients == ["ivan@example.org"] * 2
