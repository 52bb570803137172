"""Messages that failed: listed with their attempts, and sent again while it is not too late."""

import pytest
from calling import FROM, IVAN, NADIA, TRIGGER, count, trusts, until
from mailserver import free_port

from holdfast.clock import SECOND

FAILED = "/staff/deliveries/?state=failed"


@pytest.fixture
def settings():
    """A mail server is set up, but it is not there."""
    return {"smtp_url": f"smtp://127.0.0.1:{free_port()}", "mail_from": FROM}


async def fail(server, destination: str) -> int:
    """The message to this address after one attempt that ended it."""

    async def tried() -> int | None:
        async with server.db.read() as tx:
            return await tx.value(
                "select d.id from delivery d join delivery_attempt a on a.delivery_id = d.id "
                "where d.destination = :to and d.state = 'pending' and a.outcome is not null",
                to=destination,
            )

    delivery = await until(tried)
    await change(server, delivery, "state = 'failed', error_class = 'permanent', provider_msg_id = 'old', provider_rank = 9")
    return delivery


async def change(server, delivery: int, to: str, table: str = "delivery") -> None:
    async with server.db.write() as tx:
        assert await tx.run(f"update {table} set {to} where id = :id", id=delivery)


async def state(server, delivery: int) -> tuple:
    async with server.db.read() as tx:
        return tuple(await tx.row("select state, error_class from delivery where id = :id", id=delivery))


async def test_failed_ones_are_listed_with_their_attempts_and_without_addresses(server, maya, olive):
    await trusts(maya, IVAN, NADIA)
    await maya.post(TRIGGER)
    delivery = await fail(server, NADIA["email"])
    answer = await olive.get(FAILED)
    assert answer.status == 200 and answer.json["more"] is False
    shown = next(each for each in answer.json["deliveries"] if each["id"] == delivery)
    assert (shown["username"], shown["helper"], shown["kind"], shown["channel"]) == ("maya", "Dr Nadia", "alarm", "email")
    assert (shown["state"], shown["error_class"], shown["alarm_id"], shown["step"]) == ("failed", "permanent", 1, 0)
    assert shown["attempts"][0]["n"] == 1 and shown["attempts"][0]["outcome"] == "temporary"
    assert NADIA["email"].encode() not in answer.content
    assert await count(server, "audit", "actor_id = 3 and user_id = 1 and action = 'GET /api/v1/staff/deliveries/'") == 1


async def test_pages_follow_each_other(server, maya, olive):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER)
    async with server.db.write() as tx:
        for number in range(5):
            await tx.run(
                "insert into delivery "
                "(ref, dedup_key, alarm_id, kind, channel, destination, body, priority, state, next_at, deadline_at, created_at) "
                "values (:key, :key, 1, 'repeat', 'email', 'x@example.org', '{}', 1, 'failed', 0, 0, 0)",
                key=f"key {number}",
            )
    seen, more, before = [], True, ""
    while more:
        page = (await olive.get(f"{FAILED}&limit=2{before}")).json
        more, seen = page["more"], seen + [each["id"] for each in page["deliveries"]]
        before = f"&before_id={seen[-1]}"
    assert len(seen) >= 5 and seen == sorted(set(seen), reverse=True)


async def test_a_failed_one_is_sent_again_and_whoever_watches_sees_it(server, maya, olive):
    await trusts(maya, NADIA)
    await maya.post(TRIGGER)
    delivery = await fail(server, NADIA["email"])
    async with server.db.read() as tx:
        version = await tx.value("select version from alarm")
    answer = await olive.post(f"/staff/deliveries/{delivery}/retry/")
    assert (answer.status, answer.json["id"], answer.json["error_class"], answer.json["state"]) == (200, delivery, None, "pending")

    async def tried_again() -> bool:
        async with server.db.read() as tx:
            return await tx.value("select attempt from delivery where id = :id", id=delivery) > len(answer.json["attempts"])

    await until(tried_again)
    async with server.db.read() as tx:
        assert await tx.value("select version from alarm") > version
        assert await tx.value("select provider_rank from delivery where id = :id", id=delivery) == 0
    assert await count(server, "alarm_audit", "kind = 'retry' and actor_id = 3") == 1
    action = "POST /api/v1/staff/deliveries/{delivery_id}/retry/"
    assert await count(server, "audit", f"actor_id = 3 and user_id = 1 and action = '{action}'") == 1


LATE = "It is too late for this message: its alarm is over, or its time is up."
ENDED = "state = 'closed', close_reason = 'all_clear', closed_at = holdfast_now()"


async def test_too_late_is_too_late(server, maya, olive):
    await trusts(maya, NADIA)
    await maya.post(TRIGGER)
    delivery = await fail(server, NADIA["email"])
    path = f"/staff/deliveries/{delivery}/retry/"
    await change(server, 1, ENDED, "alarm")
    assert ((answer := await olive.post(path)).status, answer.json) == (409, {"error": LATE})
    await change(server, delivery, "kind = 'all_clear', deadline_at = holdfast_now() - 1")
    assert ((answer := await olive.post(path)).status, answer.json) == (409, {"error": LATE})
    assert await state(server, delivery) == ("failed", "permanent")
    await change(server, delivery, f"deadline_at = holdfast_now() + {3600 * SECOND}")  # the all-clear of an alarm that is over
    assert (await olive.post(path)).status == 200


async def test_only_what_failed_and_never_against_a_stop(server, maya, olive):
    await trusts(maya, NADIA)
    await maya.post(TRIGGER)
    delivery = await fail(server, NADIA["email"])
    path = f"/staff/deliveries/{delivery}/retry/"
    async with server.db.write() as tx:
        await tx.run("insert into opt_out (channel, destination, at) values ('email', :to, 0)", to=NADIA["email"])
    assert ((answer := await olive.post(path)).status, answer.json) == (409, {"error": "This address wants no more messages."})
    assert await state(server, delivery) == ("failed", "permanent")
    async with server.db.write() as tx:
        await tx.run("delete from opt_out")
    await change(server, delivery, "state = 'accepted', error_class = null")
    answer = await olive.post(path)
    assert (answer.status, answer.json) == (409, {"error": "Only a message that failed can be sent again."})
    for number in ("999", "0", "abc", "me"):
        answer = await olive.post(f"/staff/deliveries/{number}/retry/")
        assert (answer.status, answer.json) == (404, {"error": "Delivery not found"}), number


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_only_failed_ones_can_be_asked_for(olive):
    answer = await olive.get("/staff/deliveries/?state=pending")
    assert (answer.status, answer.json) == (400, {"state": ["Must be failed."]})
    assert (await olive.get("/staff/deliveries/")).json == {"deliveries": [], "more": False}
