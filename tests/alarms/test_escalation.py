"""Nobody answers: what the server does by itself, with a turned clock."""

import pytest
from calling import ANNA, FROM, IVAN, OLGA, TRIGGER, count, settled, state, trusts, until
from mailserver import mail_server


async def all_sent(server):
    return not await count(server, "delivery", "state <> 'accepted'")


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM, "on_call": ("olive",)}


async def test_a_repeat_with_news_after_two_minutes_and_staff_after_five(server, maya, post):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER)
    await post.arrived(1)
    await settled(maya, "accepted")
    await server.turn_clock(121)
    await post.arrived(2)
    assert post.recipients == ["ivan@example.org"] * 2
    assert "Ref" in text(post, 1) and ref(post, 0).endswith("-0") and ref(post, 1).endswith("-1")
    await until(lambda: all_sent(server))  # a clock that is turned in mid-send ends its lease, and the letter is sent again
    await server.turn_clock(181)
    await post.arrived(3)
    assert post.letters[2].recipients == ["olive@example.org"]
    await settled(maya, "accepted")
    await server.turn_clock(301)
    await post.arrived(5)
    assert post.recipients == ["ivan@example.org"] * 3 + ["olive@example.org"] * 2
    assert await count(server, "alarm", "step = 3 and state = 'open'") == 1


async def test_a_contact_gets_at_most_three_repeats(server, maya, post):
    await trusts(maya, IVAN)
    async with server.db.write() as tx:
        await tx.run(
            """update scenario set definition = '{"name": "Often", "level": 2, "music": false, "steps": [
               {"wait": 0, "tell": ["contacts"], "text": "alarm"}, {"wait": 60, "every": 60, "tell": ["contacts"], "text": "repeat"}]}'
               where id = 1"""
        )
    await maya.post(TRIGGER)
    for number in range(6):
        await post.arrived(min(number + 1, 4))
        await settled(maya, "accepted")
        await server.turn_clock(61)
        await until(lambda number=number: count(server, "alarm", f"step >= {number + 1}"))
    assert await count(server, "delivery", "kind = 'repeat'") == 3


async def test_a_repeat_waits_for_nobody_and_is_not_made_while_the_first_message_waits(server, maya, post):
    await trusts(maya, IVAN)
    post.data = "451 later"
    await maya.post(TRIGGER)
    await post.trying()
    await server.turn_clock(121)
    await until(lambda: count(server, "alarm", "step = 1"))
    assert await count(server, "delivery") == 1


async def test_pressing_again_calls_staff_at_once_and_tells_nobody_twice(server, maya, post):
    await trusts(maya, IVAN)
    first = await maya.post(TRIGGER)
    await post.arrived(1)
    assert (await maya.post(TRIGGER)).content == first.content
    assert await count(server, "delivery") == 1
    await server.turn_clock(12)
    await maya.post(TRIGGER)
    await post.arrived(2)
    assert post.recipients == ["ivan@example.org", "olive@example.org"]
    await server.turn_clock(12)
    await maya.post(TRIGGER)  # one pull in thirty seconds, and nobody is left to pull
    await server.turn_clock(110)
    await post.arrived(3)  # the repeat of the schedule
    await server.turn_clock(181)
    await until(lambda: count(server, "alarm", "step = 2"))
    assert post.recipients == ["ivan@example.org"] * 2 + ["olive@example.org"]


async def test_who_was_added_since_is_told_by_the_next_press(server, maya, post):
    await trusts(maya, IVAN)
    first = await maya.post(TRIGGER)
    await trusts(maya, ANNA)
    again = await maya.post(TRIGGER)
    await post.arrived(2)
    assert again.content != first.content and again.json["messages"][-1].startswith("Anna (sister)")
    assert post.recipients == ["anna@example.org", "ivan@example.org"]
    assert (await maya.post(TRIGGER)).content == again.content


async def test_a_press_after_an_answer_is_a_new_alarm(server, maya, olive, post):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER)
    assert (await olive.post("/event/1/answer/", {"answer": "calling"})).json["state"] == "acknowledged"
    again = await maya.post(TRIGGER)
    assert again.headers["location"] == "/api/v1/event/2/"
    assert (await state(maya))["close_reason"] == "superseded"
    assert await count(server, "alarm", "id = 2 and previous_id = 1 and state = 'open'") == 1


async def test_a_higher_level_is_a_new_alarm_and_a_lower_one_folds(server, maya, post):
    await maya.post(TRIGGER, {"scenario": 2})
    assert (await maya.post(TRIGGER, {"scenario": 1})).headers["location"] == "/api/v1/event/2/"
    assert (await maya.post(TRIGGER, {"scenario": 2})).headers["location"] == "/api/v1/event/2/"
    assert (await state(maya))["close_reason"] == "superseded"


async def test_an_idempotency_key_brings_back_the_first_answer_whatever_has_become_of_the_alarm(server, maya, post):
    key = {"Idempotency-Key": "8a1f"}
    first = await maya.post(TRIGGER, headers=key)
    await maya.post("/event/1/stop/")
    assert (await maya.post(TRIGGER, headers=key)).content == first.content
    assert await count(server, "alarm") == 1
    assert (await maya.post(TRIGGER, headers={"Idempotency-Key": "other"})).headers["location"] == "/api/v1/event/2/"
    await server.turn_clock(24 * 3600 + 1)
    assert (await maya.post(TRIGGER, headers=key)).headers["location"] == "/api/v1/event/3/"


async def test_an_unknown_scenario_is_named(maya):
    answer = await maya.post(TRIGGER, {"scenario": 99})
    assert (answer.status, list(answer.json)) == (400, ["scenario"])


async def test_staff_escalate_by_hand(server, maya, olive, post):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER)
    await post.arrived(1)
    await settled(maya, "accepted")
    assert (await olive.post("/event/1/escalate/")).status == 200
    await post.arrived(2)
    assert (await maya.post("/event/1/escalate/")).status == 403
    await olive.post("/event/1/answer/", {"answer": "coming"})
    assert (await olive.post("/event/1/escalate/")).status == 409


async def test_an_acknowledged_alarm_asks_again_after_twenty_minutes_and_reopens_after_ten_more(server, maya, olive, post):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER)
    await post.arrived(1)
    await settled(maya, "accepted")
    await olive.post("/event/1/answer/", {"answer": "calling"})
    await post.arrived(2)  # Ivan hears who is calling
    assert post.letters[1].recipients == ["ivan@example.org"]
    await server.turn_clock(1201)
    await until(lambda: count(server, "alarm", "reminded_at is not null"))
    assert (await state(maya))["state"] == "acknowledged"
    await server.turn_clock(601)
    await until(lambda: count(server, "alarm", "state = 'open' and step >= 1"))
    await until(lambda: count(server, "delivery", "kind = 'repeat'"))


async def test_an_alarm_expires_with_one_honest_message_two_hours_after_the_last_answer(server, maya, olive, post):
    await trusts(maya, IVAN, OLGA)
    await maya.post(TRIGGER)
    await post.arrived(1)
    await settled(maya, "accepted", "pending")
    await server.turn_clock(3600)
    await olive.post("/event/1/answer/", {"answer": "coming"})
    await server.turn_clock(3700)
    assert (await state(maya))["state"] != "closed"
    await server.turn_clock(3600)
    await until(lambda: count(server, "alarm", "close_reason = 'expired'"))
    assert await count(server, "delivery", "kind = 'closing' and channel = 'email'") == 1


async def test_a_clock_that_was_set_back_delays_no_step(server, maya, post):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER)
    await post.arrived(1)
    await settled(maya, "accepted")
    await server.turn_clock(-3600)
    await until(lambda: count(server, "alarm", "next_step_at <= holdfast_now() + 121000000"))


def text(post, number: int) -> str:
    return str(post.letters[number].message.get_content())


def ref(post, number: int) -> str:
    return text(post, number).strip().rpartition("Ref ")[2]
