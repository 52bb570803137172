"""A stop that races the end of the grace: either nobody hears anything, or everybody who was told hears that it is over (row 15)."""

import asyncio
from collections import Counter
from random import Random

import httpx2
import pytest
from books import ask, count
from calling import until
from crowd import Caller, crowd
from mailserver import MailServer, free_port, listening
from processes import ServerProcess, running

AT_ONCE = 25  # races
GRACE, AROUND = 1.0, 0.05  # seconds
HELPERS = 2

chance = Random()  # noqa: S311 - no secret

SENT = """
    select a.id, a.close_reason, d.kind, d.ref, d.alarm_helper_id
      from alarm a left join delivery d on d.alarm_id = a.id order by a.id"""


async def race(address: str, callers: list[Caller], results: Counter[str]) -> None:
    async with httpx2.AsyncClient(base_url=f"{address}/api/v1", timeout=30) as client:
        while callers:
            headers = {"Authorization": f"Token {callers.pop().token}"}
            pressed = await client.post("/event/trigger/me/", json={"grace_seconds": int(GRACE)}, headers=headers)
            assert pressed.status_code == 200
            await asyncio.sleep(GRACE + chance.uniform(-AROUND, AROUND))
            stopped = await client.post(f"{address}{pressed.headers['location']}stop/", headers=headers)
            answer = stopped.json()
            assert (answer["result"] == "cancelled") == (answer["told"] == []), answer
            results[answer["result"]] += 1


@pytest.mark.parametrize("races", [pytest.param(60, id="60"), pytest.param(1000, id="1000", marks=pytest.mark.slow)])
async def test_a_stop_that_races_the_end_of_the_grace(fresh, races):
    callers = await crowd(fresh.settings, races, contacts=HELPERS, sms=False)
    results: Counter[str] = Counter()
    post = MailServer(free_port())
    serve = ServerProcess(fresh.settings, post, callers[0].token, POLL="0.02")
    async with listening(post), running(serve):
        waiting = list(callers)
        await asyncio.gather(*(race(serve.address, waiting, results) for _ in range(AT_ONCE)))
        await until(lambda: all_sent(fresh.settings), 120)
        await asyncio.sleep(1)
        sent = await ask(fresh.settings, SENT)
    print(f"{races} races: {dict(results)}")
    assert results.total() == races
    judge(sent, Counter(letter.message["X-Entity-Ref-ID"] for letter in post.letters))
    if races > 60:
        assert min(results["cancelled"], results["all_clear"]) > races / 20, "the boundary was not met"


def judge(sent: list[tuple[int, str, str, str, int]], copies: Counter[str]) -> None:
    """For each alarm: cancelled and nothing sent, or each who was sent anything, or may have been, was sent one all-clear."""
    for alarm in {row[0] for row in sent}:
        rows = [row for row in sent if row[0] == alarm]
        (reason,) = {row[1] for row in rows}
        told = {row[4] for row in rows if row[2] == "alarm" and copies[row[3]]}
        cleared = Counter(row[4] for row in rows if row[2] == "all_clear" for _ in range(copies[row[3]]))
        if reason == "cancelled":
            assert not told and not cleared, f"{alarm} was cancelled, and told {told}, cleared {cleared}"
        else:
            assert reason == "all_clear" and cleared, f"{alarm}: {reason}, {cleared}"
            assert set(cleared.values()) == {1}, f"{alarm}: {cleared}"
            assert told <= set(cleared), f"{alarm} told {told}, cleared {cleared}"
    assert set(copies.values()) <= {1}


async def all_sent(settings) -> bool:
    return not await count(settings, "delivery", "state in ('pending', 'leased')")
