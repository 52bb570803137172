"""Nothing gets out: the operator hears of it by another way, the dead man's switch is no longer fed, and the person is told the truth (row 18)."""

import asyncio
import json
import time

import pytest
from calling import IVAN, until
from mailserver import MailServer, free_port
from processes import Process, ServerProcess, running
from webserver import Provider, answer, providing

WITHIN = 90  # seconds

pytestmark = pytest.mark.slow


def pages(listener: Provider) -> list[str]:
    return [name for asked in listener.asked if "/page" in asked.line for name in json.loads(asked.body)["findings"]]


def pings(listener: Provider) -> int:
    return sum("/alive" in asked.line for asked in listener.asked)


def watch(settings, listener: Provider) -> Process:
    address = f"http://127.0.0.1:{listener.port}"
    return Process(settings, None, "watchdog", OPERATOR_PAGE_URL=f"{address}/page", DEADMAN_URL=f"{address}/alive")


async def paged(listener: Provider, began: float) -> float:
    async def there() -> bool:
        return bool(pages(listener))

    await until(there, WITHIN + 30)
    return time.monotonic() - began


async def still(listener: Provider) -> None:
    """The switch is fed every 30 s while all is well; now it is not."""
    before = pings(listener)
    await asyncio.sleep(45)
    assert pings(listener) == before


async def test_with_every_provider_down_the_operator_and_the_person_hear_of_it(fresh):
    nowhere = MailServer(free_port())
    async with providing(answer(200)) as listener:
        serve, dog = ServerProcess(fresh.settings, nowhere, fresh.tokens["maya"]), watch(fresh.settings, listener)
        async with running(serve, dog):
            await until(lambda: _fed(listener), 40)
            await serve.trusts(IVAN)
            assert (await serve.press()).status_code == 200
            began = time.monotonic()
            await until(lambda: _line(serve), 75)
            said = time.monotonic() - began
            after = await paged(listener, began)
            await still(listener)
    print(f"page {pages(listener)} after {after:.0f} s, the person's line after {said:.0f} s")
    assert after < WITHIN
    assert 59 < said < 65


async def test_with_every_worker_stopped_the_operator_hears_of_it(fresh):
    nowhere = MailServer(free_port())
    async with providing(answer(200)) as listener:
        serve, dog = ServerProcess(fresh.settings, nowhere, fresh.tokens["maya"]), watch(fresh.settings, listener)
        async with running(serve, dog):
            await until(lambda: _fed(listener), 40)
            await serve.trusts(IVAN)
            assert (await serve.press()).status_code == 200
            await serve.kill()
            began = time.monotonic()
            after = await paged(listener, began)
            await still(listener)
    print(f"page {pages(listener)} after {after:.0f} s")
    assert after < WITHIN


async def _fed(listener: Provider) -> bool:
    return pings(listener) > 0


async def _line(serve: ServerProcess) -> bool:
    line = (await serve.maya.get("/event/1/")).json()["line"]
    return line.startswith("No message has gone out yet")
