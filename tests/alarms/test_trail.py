"""The audit of an alarm: rows that only ever come, each bound to the one before."""

import pytest

from holdfast.alarms import trail

ROWS = "select count(*) from alarm_audit where alarm_id = 71"


@pytest.fixture
async def written(server):
    async with server.db.write() as tx:
        await trail.record(tx, 71, "trigger", 1, added=3)
        await trail.record(tx, 71, "answer", None, helper=5, answer="coming", ways=["email", "sms"])
    async with server.db.write() as tx:
        await trail.record(tx, 71, "all_clear", 1)
    return server.db


async def test_each_row_holds_the_hash_of_the_one_before(written):
    async with written.read() as tx:
        assert await tx.value(ROWS) == 3
        for n in (2, 3):
            before = await tx.value("select hash from alarm_audit where alarm_id = 71 and n = :n", n=n - 1)
            assert len(before) == 64
            assert await tx.value("select prev_hash from alarm_audit where alarm_id = 71 and n = :n", n=n) == before
        assert await tx.value("select data from alarm_audit where alarm_id = 71 and n = 2") == '{"answer":"coming","helper":5,"ways":["email","sms"]}'


async def test_a_text_a_name_and_an_address_are_left_out_and_counted(server):
    async with server.db.write() as tx:
        await trail.record(tx, 72, "answer", 1, who="Ivan Petrenko", to="ivan@example.org", nested={"a": 1}, count=2)
        assert await tx.value("select data from alarm_audit where alarm_id = 72") == '{"count":2,"dropped":3}'
