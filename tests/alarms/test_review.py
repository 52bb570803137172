"""What a review of the alarm found: races, alarms in each other's way, STOP, and answers that are taken back."""

import asyncio

import pytest
from calling import ANNA, FROM, IVAN, OLGA, TRIGGER, count, settled, state, trusts, until
from conftest import PASSWORD
from links import link
from mailserver import mail_server
from msgspec import structs

from holdfast.alarms import answering, escalation
from holdfast.delivery import outbox
from holdfast.delivery.links import Links
from holdfast.outside.sandbox import Sandbox
from holdfast.outside.sending import Sent

WAITS = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM, "on_call": ("olive",)}


@pytest.fixture
async def called(maya, post):
    """Maya has pressed, and Ivan and Anna have their letters."""
    await trusts(maya, IVAN, ANNA)
    await maya.post(TRIGGER)
    await post.arrived(2)
    await settled(maya, "accepted", "pending")
    return link(post, "ivan@example.org"), link(post, "anna@example.org")


async def says(person, path, answer):
    assert (await person.client.post(path, data={"answer": answer})).status_code in (200, 303)


async def change(server, statement, **values):
    async with server.db.write() as tx:
        assert await tx.run(statement, **values)


async def value(server, statement):
    async with server.db.read() as tx:
        return await tx.value(statement)


def letters(post, address):
    return [str(letter.message.get_content()) for letter in post.letters if letter.recipients == [address]]


@pytest.mark.parametrize("broken", ["next_step_at", "expires_at"])
async def test_an_alarm_that_cannot_be_read_holds_up_no_other(server, maya, sam, post, broken):
    for person in (maya, sam):
        await trusts(person, IVAN)
        await person.post(TRIGGER)
    await post.arrived(2)
    await change(server, f"update alarm set snapshot = 'broken', {broken} = holdfast_now() - 1000000 where id = 1")
    await change(server, f"update alarm set {broken} = holdfast_now() where id = 2")
    await until(lambda: count(server, "alarm", "id = 2 and (step = 1 or state = 'closed')"))
    assert await count(server, "alarm", "id = 1 and step = 0 and state = 'open'") == 1


async def test_who_says_stop_hears_nothing_more_of_this_alarm(server, maya, called, post):
    assert (await maya.client.post(called[0], data={"answer": "stop", "sure": "yes"})).status_code in (200, 303)
    await server.turn_clock(121)
    await until(lambda: count(server, "delivery", "kind = 'repeat'"))
    await post.arrived(3)
    await settled(maya, "accepted", "pending", "cancelled")
    assert (await maya.post("/event/1/stop/")).json == {"result": "all_clear", "told": ["Anna"]}
    await post.arrived(4)
    assert (len(letters(post, "ivan@example.org")), len(letters(post, "anna@example.org"))) == (1, 3)


async def test_stop_ends_the_retries_of_what_is_on_its_way_too(server, maya, post):
    await trusts(maya, OLGA)
    await maya.post(TRIGGER)
    await change(server, "update delivery set state = 'leased', next_at = holdfast_now() + 30000000 where channel = 'sms'")
    async with server.db.write() as tx:
        await answering.by_sms(tx, OLGA["phone"], "Stop.", server.app.state.means)
    assert await count(server, "delivery", "state = 'leased' and deadline_at <= holdfast_now()") == 1


async def test_the_last_one_who_helped_cannot_and_the_others_hear_it(server, maya, called, post):
    await says(maya, called[0], "calling")
    await post.arrived(3)
    await says(maya, called[0], "cannot")
    await until(lambda: count(server, "delivery", "kind = 'status' and body like '%may still need support%'"))
    assert (await state(maya))["state"] == "open"


async def test_who_fell_silent_no_longer_counts_as_helping(server, maya, called, post):
    await says(maya, called[0], "coming")
    await server.turn_clock(1201)
    await until(lambda: count(server, "alarm", "reminded_at is not null"))
    await server.turn_clock(601)
    await until(lambda: count(server, "alarm", "state = 'open'"))
    assert [helper["answer"] for helper in (await state(maya))["helpers"][:2]] == [None, None]
    await says(maya, called[1], "calling")
    await says(maya, called[1], "cannot")
    assert (await state(maya))["state"] == "open"


async def test_saying_again_that_one_cannot_calls_nobody_sooner(server, maya, olive, post):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER)
    await post.arrived(1)
    await settled(maya, "accepted")
    path = link(post, "ivan@example.org")
    await says(maya, path, "cannot")
    await until(lambda: count(server, "alarm", "step = 1"))
    before = await value(server, "select next_step_at from alarm")
    await says(maya, path, "cannot")
    assert await value(server, "select next_step_at from alarm") == before


async def test_any_answer_lets_the_alarm_and_its_messages_live_on(server, maya, post):
    await trusts(maya, IVAN, OLGA)
    await maya.post(TRIGGER)
    await post.arrived(1)
    await server.turn_clock(60)
    ends = await value(server, "select expires_at from alarm")
    await says(maya, link(post, "ivan@example.org"), "cannot")
    later = await value(server, "select expires_at from alarm")
    assert later >= ends + 60_000_000
    waiting = "state = 'pending' and channel = 'sms'"
    assert await count(server, "delivery", f"{waiting} and deadline_at = {later}") == await count(server, "delivery", waiting) > 0


async def test_a_press_that_meets_an_answer_leaves_one_alarm_alive(engine, server, maya, called):
    helper = await value(server, "select min(id) from alarm_helper")
    async with server.db.write(alarm=True) as tx:
        await answering.answer(tx, helper, "calling", server.app.state.means)
        pressing = asyncio.create_task(maya.post(TRIGGER))
        if engine == "postgres":
            await until(lambda: value(server, WAITS))
    assert (await pressing).headers["location"] == "/api/v1/event/2/"
    assert await count(server, "alarm", "id = 1 and close_reason = 'superseded'") == 1


async def test_an_alarm_that_falls_back_gives_way_to_a_newer_one(server, maya, called):
    await says(maya, called[0], "calling")
    await change(server, "update alarm set user_id = 2 where id = 1")
    await maya.post(TRIGGER)
    await change(server, "update alarm set user_id = 1 where id = 1")
    await says(maya, called[0], "cannot")
    assert await count(server, "alarm", "id = 1 and close_reason = 'superseded'") == 1
    assert await count(server, "alarm", "id = 2 and state = 'open'") == 1


async def test_what_fails_while_its_alarm_ends_is_not_sent_again(engine, server, maya, called):
    """A worker writes down its failure between two looks of the act that ends the alarm."""
    annas = "kind = 'alarm' and destination = 'anna@example.org'"
    await change(server, f"update delivery set state = 'leased', next_at = holdfast_now() + 30000000 where {annas}")
    async with server.db.write() as tx:
        await tx.run(f"update delivery set state = 'pending' where {annas}")
        stopping = asyncio.create_task(maya.post("/event/1/stop/"))
        if engine == "postgres":
            await until(lambda: value(server, WAITS))
    assert (await stopping).json == {"result": "all_clear", "told": ["Ivan"]}
    assert await count(server, "delivery", f"{annas} and state = 'cancelled'") == 1


async def test_a_second_stop_answers_the_same_whatever_became_of_the_messages(server, maya, called):
    await change(server, "update delivery set state = 'leased', next_at = holdfast_now() + 30000000 where channel = 'email'")
    answer = await maya.post("/event/1/stop/")
    assert answer.json == {"result": "all_clear", "told": ["Ivan", "Anna"]}
    await change(server, "update delivery set state = 'failed', error_class = 'expired' where channel = 'email' and kind = 'alarm'")
    assert (await maya.post("/event/1/stop/")).json == answer.json


async def test_the_pin_guards_the_all_clear_after_an_alarm_has_ended_by_itself_too(server, maya, called):
    await maya.put("/user/pin/me/", {"pin": "4711", "password": PASSWORD})
    await change(server, "update alarm set expires_at = holdfast_now()")
    await until(lambda: count(server, "alarm", "close_reason = 'expired'"))
    assert (await maya.post("/event/1/stop/")).status == 403
    assert await count(server, "delivery", "kind = 'all_clear'") == 0
    assert (await maya.post("/event/1/stop/", {"pin": "4711"})).json == {"result": "all_clear", "told": ["Ivan", "Anna"]}


async def test_an_answer_to_an_alarm_that_is_over_takes_nobody_elses(server, maya, sam, post):
    for person in (maya, sam):
        await trusts(person, OLGA)
        await person.post(TRIGGER)
    await maya.post("/event/1/stop/")
    await change(server, "update alarm set code = '1111' where id = 1")
    await change(server, "update alarm set code = '2222' where id = 2")
    for text, expected in (("1 1111", "open"), ("1 2222-0", "acknowledged")):
        async with server.db.write() as tx:
            await answering.by_sms(tx, OLGA["phone"], text, server.app.state.means)
        assert (await state(sam, 2))["state"] == expected


async def test_a_key_of_a_drill_never_stands_in_for_an_alarm(server, maya):
    key = {"Idempotency-Key": "one"}
    assert (await maya.post("/event/drill/me/", headers=key)).status == 200
    assert (await maya.post(TRIGGER, headers=key)).headers["location"] == "/api/v1/event/2/"
    await server.turn_clock(24 * 3600 + 1)
    await maya.post(TRIGGER, headers={"Idempotency-Key": "two"})
    assert await count(server, "alarm_key") == 1


async def test_staff_who_answered_before_they_were_told_get_a_link_that_leads_somewhere(server, maya, olive, post):
    await maya.post(TRIGGER)
    await olive.post("/event/1/answer/", {"answer": "cannot"})
    await olive.post("/event/1/escalate/")
    await olive.post("/event/1/escalate/")
    await post.arrived(1)
    assert (await maya.client.get(link(post, "olive@example.org"))).status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_link_stays_the_same_after_another_key_began_to_sign(engine, template):
    before = Links(structs.replace(template.settings, link_keys=("a" * 32,)))
    after = Links(structs.replace(template.settings, link_keys=("b" * 32, "a" * 32)))
    digest = before.digest(before.seed("a", 17, 0))
    assert after.digest(after.known(digest, "a", 17, 0)) == digest != after.digest(after.seed("a", 17, 0))
    assert after.known(None, "a", 17, 0) == after.seed("a", 17, 0)


async def test_an_alarm_of_the_program_before_this_one_ends_with_its_closing_words(server, maya, called, post):
    old = """{"scenario": {"name": "Full alarm", "level": 2, "music": true, "steps": [{"tell": ["contacts"], "text": "alarm"}],
              "expire_after": 7200}, "channels": ["email"]}"""
    await change(server, "update alarm set snapshot = :old, next_step_at = null, expires_at = holdfast_now()", old=old)
    await post.arrived(4)
    assert "maya" in letters(post, "ivan@example.org")[1]


async def test_a_providers_words_that_no_database_takes_are_written_down_all_the_same(server, maya):
    await trusts(maya, OLGA)
    await maya.post(TRIGGER)
    async with server.db.write() as tx:
        taken = (await outbox.claim(tx, "w", "sms", 1))[0]
    async with server.db.write() as tx:
        assert await outbox.finish(tx, "w", taken, Sent("temporary", "4\x00", "busy\x00 \ud800"))
    assert await value(server, "select detail from delivery_attempt") == "busy ?"


class TestFurtherChannels:
    """Ivan has two channels beside his letters and SMS, and every provider asks for time."""

    @pytest.fixture
    def settings(self, monkeypatch):
        async def later(*_):
            return Sent("temporary", retry_after=300)

        monkeypatch.setattr(Sandbox, "send", later)
        return {"senders": "sandbox", "apprise_channels": ("one=ntfys://example.org/{to}", "two=ntfys://example.org/{to}"), "fallback_after": 3600}

    @pytest.fixture
    async def waiting(self, server, maya):
        await trusts(maya, IVAN)
        await change(
            server,
            """insert into contact_channel (contact_id, channel, destination, state, position)
               values (1, 'one', 'ivan', 'unconfirmed', 2), (1, 'two', 'ivan', 'unconfirmed', 3)""",
        )
        await maya.post(TRIGGER)
        await until(lambda: count(server, "delivery_attempt", "outcome is not null"))
        return server

    async def test_what_failed_is_replaced_once_however_often_anybody_looks(self, waiting):
        await change(waiting, "update delivery set state = 'failed', error_class = 'permanent' where channel = 'email'")
        await until(lambda: count(waiting, "delivery", "channel = 'one'"))
        for _ in range(3):
            await escalation.start_next_channels(waiting.db, waiting.app.state.means)
        assert await count(waiting, "delivery") == 3
        await change(waiting, "update delivery set state = 'failed', error_class = 'permanent' where channel = 'sms'")
        await until(lambda: count(waiting, "delivery", "channel = 'two'"))

    async def test_a_clock_that_was_set_back_delays_no_next_channel(self, waiting):
        await change(waiting, "update alarm_helper set next_channel_at = holdfast_now() + 36000000000")
        await until(lambda: count(waiting, "delivery", "channel = 'one'"))

    async def test_after_the_end_nobody_waits_for_a_channel(self, waiting, maya):
        assert await count(waiting, "alarm_helper", "next_channel_at is not null") == 1
        await maya.post("/event/1/stop/")
        assert await count(waiting, "alarm_helper", "next_channel_at is not null") == 0
