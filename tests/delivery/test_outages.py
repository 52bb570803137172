"""A mail server that is not there, or says nothing: the answer does not wait for it, and the letter does."""

import asyncio
import time

import pytest
from calling import FROM, IVAN, TRIGGER, count, settled, state, trusts, until
from mailserver import MailServer, free_port, listening, speaking

from holdfast.delivery import worker


@pytest.fixture
def post():
    """Nobody listens there yet."""
    return MailServer(free_port())


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM, "send_limit": 1}


async def test_a_mail_server_that_was_away_gets_it_when_it_is_back(server, maya, post):
    """The real 30 s are in tests/faults."""
    await trusts(maya, IVAN)
    await maya.get(TRIGGER)
    await until(lambda: count(server, "delivery", "error_class = 'temporary' and state = 'pending'"))
    assert (await state(maya))["helpers"][0]["channels"] == [{"channel": "email", "state": "pending", "problem": "temporary"}]
    async with listening(post):
        await post.arrived(1)
        await settled(maya, "accepted")
    assert len(post.letters) == 1


async def test_a_mute_mail_server_delays_no_answer(server, maya, post):
    async with speaking(lambda reader, writer: asyncio.sleep(60), post.port):
        await trusts(maya, IVAN)
        began = time.monotonic()
        for _ in range(20):
            assert (await maya.get(TRIGGER)).status == 200
        assert time.monotonic() - began < 10  # each would wait a second for the mail server
        assert (await state(maya))["line"] == "A message to Ivan is being sent."


def test_a_pool_whose_server_is_gone_tries_with_one_slot_until_it_is_back():
    pool = worker.Pool(sender=None, slots=8)
    gone, there = worker.Sent("temporary", reached=False), worker.Sent("temporary")
    for _ in range(4):
        pool.note(gone)
    assert pool.free == 8
    pool.note(gone)
    assert pool.free == 1
    pool.note(there)
    assert pool.free == 8
