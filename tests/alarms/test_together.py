"""Presses that come together share one commit, and none of them can spoil another."""

import asyncio

import pytest
from calling import TRIGGER, count
from conftest import ENGINES, Person

from holdfast.accounts import service as accounts
from holdfast.alarms import service
from holdfast.profiles import service as profiles


async def crowd(server, maya, number: int) -> list[Person]:
    people = []
    async with server.db.write() as tx:
        for n in range(number):
            user_id = await accounts.register(tx, username=f"person{n}", email="p@example.org", password_hash="x")
            await profiles.begin(tx, user_id)
            people.append(Person(maya.client, user_id, f"person{n}", await accounts.issue(tx, user_id, "u")))
    return people


async def test_many_at_once_are_an_alarm_each(server, maya):
    people = await crowd(server, maya, 40)
    answers = await asyncio.gather(*(person.post(TRIGGER) for person in people))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["location"] for answer in answers}) == 40
    assert await count(server, "alarm", "state = 'open' and tap_count = 1") == 40


async def test_one_without_a_scenario_takes_no_other_with_it(server, maya, sam):
    await sam.patch("/user/edit/me/", {"scenario": None})
    people = await crowd(server, maya, 10)
    answers = await asyncio.gather(*(person.post(TRIGGER) for person in [*people[:5], sam, *people[5:]]))
    assert [answer.status for answer in answers] == [200] * 5 + [404] + [200] * 5
    assert await count(server, "alarm") == 10


@pytest.mark.parametrize("engine", ENGINES[:1], indirect=True)
async def test_what_cannot_be_committed_is_answered_with_200_to_nobody(server, maya, monkeypatch):
    """The disk is full at COMMIT."""

    async def full(_: object) -> None:
        raise OSError("no space left")

    people = await crowd(server, maya, 5)
    with monkeypatch.context() as patch:
        patch.setattr(type(server.db), "_commit", full)
        answers = await asyncio.gather(*(person.post(TRIGGER) for person in people))
    assert not {answer.status for answer in answers} & {200}
    assert await count(server, "alarm") == 0
    assert (await people[0].post(TRIGGER)).status == 200


async def test_a_fault_in_one_press_is_told_to_nobody_beside_it(server, maya, monkeypatch):
    async def broken(tx, press, means):
        if press.user_id == maya.id:
            raise RuntimeError("something about this one person")
        return await trigger(tx, press, means)

    trigger = service.trigger
    people = await crowd(server, maya, 6)
    with monkeypatch.context() as patch:
        patch.setattr(service, "trigger", broken)
        answers = await asyncio.gather(*(person.post(TRIGGER) for person in [*people[:3], maya, *people[3:]]))
    assert [answer.status for answer in answers] == [200] * 3 + [500] + [200] * 3
    assert (await maya.post(TRIGGER)).status == 200
