"""Invitations and tests: once, only when asked for, and answered by link (alarm.md, section 12)."""

import asyncio

import pytest
from calling import IVAN, OLGA, count, trusts, until
from doors import everything

from holdfast.contacts import inviting, service

DAY, HOUR = 24 * 3600, 3600


@pytest.fixture
def settings():
    return {"senders": "sandbox", "cap_sms_10_minutes": 100}


def posted(answer):
    assert answer.status == 202
    return [(channel["channel"], channel["state"], channel["problem"]) for channel in answer.json["channels"]]


def key(server, channel_id):
    links = server.app.state.means.links
    return links.key(links.seed("c", channel_id))


async def invited(server, channel_id=1):
    async with server.db.read() as tx:
        return await inviting.invited(tx, key(server, channel_id))


async def choose(server, choice, channel_id=1):
    async with server.db.write() as tx:
        return await inviting.confirm_by_key(tx, key(server, channel_id), choice)


async def settled(server):
    """Until the sandbox has taken everything."""
    await until(lambda: nothing_waits(server))


async def nothing_waits(server):
    return not await count(server, "delivery", "state in ('pending', 'leased')")


async def channels(person, place=0):
    return (await person.get("/user/contacts/me/")).json[place]["channels"]


async def test_an_invitation_goes_out_by_each_channel_when_the_user_asks(server, maya):
    await trusts(maya, IVAN)
    assert await count(server, "delivery") == 0
    assert posted(await maya.post("/user/contact/1/invite/")) == [("email", "pending", None), ("sms", "pending", None)]
    await settled(server)
    async with server.db.read() as tx:
        body = await tx.value("select body from delivery where channel = 'sms'")
        digest = await tx.value("select invite_sha256 from contact_channel where id = 2")
    assert "maya" in body and '"link":"c/2@' in body and key(server, 2) not in body
    assert digest == server.app.state.means.links.digest(server.app.state.means.links.seed("c", 2))


async def test_nobody_is_invited_twice_a_day(server, maya):
    await trusts(maya, IVAN)
    await asyncio.gather(*(maya.post("/user/contact/1/invite/") for _ in range(5)))
    await settled(server)
    assert posted(await maya.post("/user/contact/1/invite/")) == [("email", "accepted", None), ("sms", "accepted", None)]
    assert await count(server, "delivery") == 2
    await server.turn_clock(DAY + 1)
    await maya.post("/user/contact/1/invite/")
    assert await count(server, "delivery") == 4


async def test_removing_and_adding_somebody_makes_no_more_invitations(server, maya):
    for number in range(8):
        await trusts(maya, IVAN)
        answer = await maya.post(f"/user/contact/{number + 1}/invite/")
        await maya.ask("DELETE", f"/user/contact/{number + 1}/")
    assert posted(answer) == [("email", None, "capped"), ("sms", None, "capped")]
    assert await count(server, "delivery", "channel = 'email'") == inviting.MOST_IN_A_DAY
    assert await count(server, "delivery", "channel = 'sms'") == 3  # somebody who has not said yes


async def test_a_test_may_be_sent_again_after_ten_minutes_and_to_somebody_confirmed(server, maya):
    await trusts(maya, IVAN)
    await maya.post("/user/contact/1/invite/")
    await choose(server, "accept")
    assert posted(await maya.post("/user/contact/1/test/")) == [("email", "pending", None), ("sms", "pending", None)]
    await settled(server)
    await maya.post("/user/contact/1/test/")
    assert await count(server, "delivery", "kind = 'test'") == 2
    await server.turn_clock(601)
    await maya.post("/user/contact/1/test/")
    assert await count(server, "delivery", "kind = 'test'") == 4
    await server.turn_clock(DAY + 1)
    assert posted(await maya.post("/user/contact/1/invite/")) == [("email", None, "already_confirmed"), ("sms", "pending", None)]


async def test_nothing_goes_where_nothing_may_go(server, maya):
    await trusts(maya, IVAN | {"phone": "+49 900 1 234567"})
    await maya.post("/user/contact/1/invite/")
    await choose(server, "stop")
    assert posted(await maya.post("/user/contact/1/test/")) == [("email", None, "stopped"), ("sms", None, "premium")]
    assert await count(server, "delivery", "channel = 'sms'") == 0


async def test_looking_at_an_invitation_changes_nothing(server, maya):
    await trusts(maya, IVAN)
    await maya.patch("/user/preferences/me/", {"chosen_name": "Maria", "language": "uk"})
    await maya.post("/user/contact/1/invite/")
    await settled(server)
    before = await everything(server)
    found = await invited(server)
    assert (found.who, found.name, found.language, found.channel, found.state, found.expired) == (
        "Maria",
        "Ivan",
        "uk",
        "email",
        "unconfirmed",
        False,
    )
    await maya.patch("/user/contact/1/", {"language": "de"})
    assert (await invited(server)).language == "de"
    await maya.patch("/user/contact/1/", {"language": None})
    async with server.db.read() as tx:
        assert await inviting.invited(tx, "A" * 22) is None
    assert await everything(server) == before


async def test_yes_confirms_the_channel_that_carried_the_link(server, maya):
    await trusts(maya, IVAN)
    await maya.post("/user/contact/1/invite/")
    for _ in range(2):
        assert (await choose(server, "accept", 2)).state == "confirmed"
    assert [channel["state"] for channel in await channels(maya)] == ["unconfirmed", "confirmed"]


async def test_not_me_ends_the_channel_and_the_last_choice_counts(server, maya):
    await trusts(maya, IVAN)
    await maya.post("/user/contact/1/invite/")
    await choose(server, "accept")
    assert (await choose(server, "not_me")).state == "not_me"
    email = (await channels(maya))[0]
    assert (email["state"], email["reachable"], email["problem"]) == ("stopped", False, "not_me")
    await maya.patch("/user/edit/contact/me/", IVAN)  # saying it again does not make it so
    assert (await channels(maya))[0]["problem"] == "not_me"
    assert posted(await maya.post("/user/contact/1/test/"))[0] == ("email", None, "not_me")
    assert (await choose(server, "accept")).state == "confirmed"
    assert (await channels(maya))[0]["problem"] is None


async def test_stop_is_final_for_everybody_and_cancels_what_waits(server, maya, sam):
    await trusts(maya, IVAN)
    await trusts(sam, IVAN)
    await maya.post("/user/contact/1/invite/")
    await settled(server)
    async with server.db.write() as tx:
        await tx.run("update delivery set state = 'pending', next_at = holdfast_now() + 60000000 where channel = 'email'")
    assert (await choose(server, "stop")).state == "stopped"
    assert await count(server, "delivery", "channel = 'email' and state = 'cancelled'") == 1
    for person in (maya, sam):
        assert [channel["problem"] for channel in await channels(person)] == ["stopped", None]
    async with server.db.read() as tx:
        assert [way.problem for way in (await service.people(tx, 2))[0].ways] == ["stopped", None]
    assert (await choose(server, "accept")).state == "confirmed"  # the person's own word opens it again
    assert (await channels(sam))[0]["problem"] is None


@pytest.mark.parametrize("ended", ["late", "removed"])
async def test_an_invitation_that_is_over_can_no_longer_say_yes_but_stop(server, maya, ended):
    await trusts(maya, IVAN)
    await maya.post("/user/contact/1/invite/")
    await choose(server, "accept")
    if ended == "late":
        await server.turn_clock(2 * DAY + 1)
    else:
        await maya.ask("DELETE", "/user/contact/1/")
    assert (await invited(server)).expired
    await choose(server, "not_me")
    assert (await choose(server, "accept")).state == "not_me"
    assert (await choose(server, "stop")).state == "stopped"
    async with server.db.read() as tx:
        found = await service.people(tx, 1)
    assert [way.problem for person in found for way in person.ways if way.channel == "email"] == ["stopped"]


async def test_every_answer_is_on_record_without_an_actor(server, maya):
    await trusts(maya, IVAN, OLGA)
    await maya.post("/user/contact/1/invite/")
    for choice in ("accept", "not_me", "stop"):
        await choose(server, choice)
    for action in ("contact_confirmed", "contact_not_me", "contact_stopped"):
        assert await count(server, "audit", f"action = '{action}' and actor_id is null and user_id = 1") == 1
