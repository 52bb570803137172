"""Two servers on one PostgreSQL, without a word between them: the poll alone carries the chat."""

from types import SimpleNamespace

import pytest
from conftest import POSTGRES, serving
from wire import chat

pytestmark = pytest.mark.skipif(not POSTGRES, reason="PostgreSQL is not there or switched off")


@pytest.fixture
def engine():
    """SQLite has one process."""
    return "postgres"


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr("holdfast.support.chat.POLL", 0.3)


async def test_both_hear_everything_within_the_poll_in_order_and_once(fresh, soon):
    maya, olive = (SimpleNamespace(token=fresh.tokens[name]) for name in ("maya", "olive"))
    async with (
        serving(fresh.settings) as here,
        serving(fresh.settings) as there,
        chat(here, "me", maya) as hers,
        chat(there, 1, olive) as room,
        chat(there, "admin", olive) as staff,
    ):
        for number in range(10):
            await hers.send({"message": f"here {number}"})
            await room.send({"message": f"there {number}"})
        for one in (hers, room, staff):
            assert [(await one.hear_message())["seq"] for _ in range(20)] == list(range(1, 21))
            assert await one.silent()


async def test_the_same_message_id_over_two_servers_is_one_message(fresh, soon):
    maya = SimpleNamespace(token=fresh.tokens["maya"])
    async with serving(fresh.settings) as here, serving(fresh.settings) as there, chat(here, "me", maya) as one, chat(there, "me", maya) as other:
        first = await one.say("once", client_msg_id="x")
        assert await other.say("once", client_msg_id="x") == first
