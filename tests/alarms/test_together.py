"""Presses that come together share one commit, and none of them can spoil another."""

import asyncio

import pytest
from calling import TRIGGER, count
from conftest import ENGINES, Person

from holdfast.accounts import service as accounts
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
async def test_on_a_full_disk_nobody_is_answered_with_200(server, maya):
    people = await crowd(server, maya, 5)
    pages = server.db._writer.execute("pragma page_count").fetchone()[0]
    server.db._writer.execute(f"pragma max_page_count = {pages}")
    answers = await asyncio.gather(*(person.post(TRIGGER) for person in people for _ in range(20)))
    recorded = await count(server, "alarm")
    full = [answer for answer in answers if answer.status == 503]
    assert full and {answer.status for answer in answers} <= {200, 503}
    assert len({answer.headers["location"] for answer in answers if answer.status == 200}) == recorded
    server.db._writer.execute("pragma max_page_count = 1000000")
    assert (await people[0].post(TRIGGER)).status == 200


async def test_a_fault_in_one_press_is_told_to_nobody_beside_it(server, maya):
    people = await crowd(server, maya, 6)
    async with server.db.write() as tx:
        broken = await tx.value("insert into scenario (name, definition) values ('Broken', 'no JSON') returning id")
        await tx.run("update profile set scenario_id = :broken where user_id = 1", broken=broken)
    answers = await asyncio.gather(*(person.post(TRIGGER) for person in [*people[:3], maya, *people[3:]]))
    assert [answer.status for answer in answers] == [200] * 3 + [500] + [200] * 3
