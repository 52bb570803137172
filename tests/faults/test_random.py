"""The short form of `kill_at_random.py`: a few kills, and nothing lost."""

import kill_at_random


async def test_kills_at_random_lose_nothing(fresh):
    outcome = await kill_at_random.run(fresh.settings, kills=8, messages=120, LEASE="6", SEND_LIMIT="4", POLL="0.1")
    assert outcome.good, outcome
    assert outcome.rows == 120, outcome
