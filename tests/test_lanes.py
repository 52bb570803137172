"""Who goes first when everybody waits for the database."""

import asyncio

import pytest
from conftest import POSTGRES

from holdfast import db
from holdfast.db import Lanes
from holdfast.errors import Unavailable


async def one_after_another(lanes: Lanes, waiting: list[tuple[str, bool]]) -> list[str]:
    """The order in which those who wait behind a full gate come in."""
    order: list[str] = []

    async def wait(name: str, alarm: bool) -> None:
        await lanes.enter(alarm)
        order.append(name)
        lanes.leave()

    await lanes.enter(False)
    tasks = []
    for name, alarm in waiting:
        tasks.append(asyncio.create_task(wait(name, alarm)))
        await asyncio.sleep(0)
    lanes.leave()
    await asyncio.gather(*tasks)
    return order


async def test_alarms_go_before_all_others_and_each_lane_is_first_come_first_served():
    waiting = [("chat 1", False), ("alarm 1", True), ("chat 2", False), ("alarm 2", True)]
    assert await one_after_another(Lanes(1), waiting) == ["alarm 1", "alarm 2", "chat 1", "chat 2"]


async def test_who_gives_up_waiting_takes_no_place_with_them(monkeypatch):
    monkeypatch.setattr(db, "PATIENCE", 0.01)
    lanes = Lanes(1)
    await lanes.enter(False)
    with pytest.raises(Unavailable):
        await lanes.enter(False)
    gone = asyncio.create_task(lanes.enter(True))
    await asyncio.sleep(0)
    gone.cancel()
    lanes.leave()
    await asyncio.wait_for(lanes.enter(False), 1)


async def test_a_place_given_to_somebody_who_has_just_gone_is_passed_on():
    lanes = Lanes(1)
    await lanes.enter(False)
    gone = asyncio.create_task(lanes.enter(False))
    await asyncio.sleep(0)
    lanes.leave()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.wait_for(lanes.enter(False), 1)


@pytest.mark.skipif(not POSTGRES, reason="PostgreSQL is not there or switched off")
@pytest.mark.parametrize("engine", ["postgres"])
async def test_a_crowd_that_holds_the_database_does_not_hold_up_an_alarm(server, maya):
    """Eight slow writers and twenty who wait behind them."""

    async def dawdle() -> None:
        async with server.db.write() as tx:
            await tx.value("select pg_sleep(3)::text")

    crowd = [asyncio.create_task(dawdle()) for _ in range(28)]
    await asyncio.sleep(0.2)
    try:
        answer = await asyncio.wait_for(maya.post("/event/trigger/me/"), 2)
        assert answer.status == 200
        assert (await asyncio.wait_for(maya.get("/event/1/"), 2)).json["state"] == "open"
    finally:
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
