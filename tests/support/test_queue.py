"""The queue: who comes first, who has whom, and that nobody is left with somebody who has gone."""

import asyncio

import pytest
from calling import until
from conftest import Person
from wire import chat

from holdfast.accounts import service as accounts
from holdfast.clock import SECOND
from holdfast.profiles import service as profiles
from holdfast.staff.absence import ABSENT_AFTER, Absence
from holdfast.support import queue

KEYS = "user_id identifier risk waiting_since assignee last_seq version state unread alarm level user_online reasons resources shared".split()


@pytest.fixture
async def otto(server, client):
    """A second member of staff."""
    async with server.db.write() as tx:
        otto_id = await accounts.register(tx, username="otto", email="otto@example.org", password_hash="x", is_staff=True)
        await profiles.begin(tx, otto_id)
        token = await accounts.issue(tx, otto_id, "o")
    return Person(client, otto_id, "otto", token)


async def newcomer(server, number):
    async with server.db.write() as tx:
        return await accounts.register(tx, username=f"new{number}", email="new@example.org", password_hash="x")


async def wait(server, user_id, risk=0):
    async with server.db.write() as tx:
        await queue.enter(tx, user_id, risk)


async def item(staff, user_id):
    return next((one for one in await items(staff) if one["user_id"] == user_id), None)


async def items(staff):
    answer = await staff.get("/staff/queue/")
    assert answer.status == 200
    return answer.json["items"]


async def test_danger_that_is_close_comes_first_then_a_live_alarm_then_danger_then_the_rest(server, maya, sam, olive):
    others = [await newcomer(server, number) for number in range(4)]
    for user_id, risk in [(others[0], 0), (maya.id, 2), (sam.id, 1), (others[1], 2), (others[2], 3), (others[3], 3)]:
        await wait(server, user_id, risk)
        await server.turn_clock(1)
    await sam.post("/event/trigger/me/")
    assert [one["user_id"] for one in await items(olive)] == [others[2], others[3], sam.id, maya.id, others[1], others[0]]
    first = (await items(olive))[0]
    assert sorted(first) == sorted(KEYS)
    assert (first["level"], first["risk"], first["alarm"], first["state"], first["assignee"]) == ("imminent", 3, False, "waiting", None)
    assert (await item(olive, sam.id))["alarm"] is True


async def test_whoever_waited_longest_comes_first_and_keeps_the_place(server, maya, sam, olive):
    await wait(server, maya.id, 2)
    await server.turn_clock(60)
    await wait(server, sam.id, 2)
    since = (await item(olive, maya.id))["waiting_since"]
    await server.turn_clock(60)
    await wait(server, maya.id, 2)
    assert [one["user_id"] for one in await items(olive)] == [maya.id, sam.id]
    assert (await item(olive, maya.id))["waiting_since"] == since


async def test_a_risk_only_rises_until_it_is_done(server, maya, olive):
    await wait(server, maya.id, 3)
    await wait(server, maya.id, 1)
    assert (await item(olive, maya.id))["risk"] == 3
    assert (await olive.post("/staff/chat/1/done/")).json["risk"] == 0
    assert await item(olive, maya.id) is None


async def test_who_writes_without_a_hand_over_waits_as_well(server, maya, olive):
    async with chat(server, "me", maya) as hers:
        await hers.say("is somebody there?")
        shown = await item(olive, maya.id)
        assert (shown["state"], shown["level"], shown["reasons"], shown["user_online"], shown["unread"]) == ("waiting", "none", [], True, 1)


async def test_of_two_who_claim_at_once_one_has_it_and_the_other_reads_who(server, maya, olive, otto):
    await wait(server, maya.id)
    answers = await asyncio.gather(*(one.post("/staff/chat/1/claim/") for one in (olive, otto, olive, otto)))
    won = [answer for answer in answers if answer.status == 200]
    lost = [answer for answer in answers if answer.status == 409]
    holder = won[0].json["assignee"]
    assert (len(won), len(lost)) == (2, 2), "each of the two asked twice; the holder's second time changes nothing"
    assert {answer.json["assignee"] for answer in won} == {holder}
    assert lost[0].json == {"error": "Somebody else has this conversation.", "holder": holder}
    async with server.db.read() as tx:
        assert await tx.value("select count(*) from message") == 1


async def test_nobody_takes_gives_back_or_ends_what_another_has(server, maya, olive, otto):
    await wait(server, maya.id)
    assert (await olive.post("/staff/chat/1/claim/")).status == 200
    for act in ("claim", "release", "done"):
        answer = await otto.post(f"/staff/chat/1/{act}/")
        assert (answer.status, answer.json["holder"]) == (409, "olive")
    assert (await item(otto, maya.id))["assignee"] == "olive"


@pytest.mark.parametrize("act", ["claim", "release", "done"])
async def test_where_nobody_waits_there_is_nothing_to_take(olive, act):
    answer = await olive.post(f"/staff/chat/1/{act}/")
    assert (answer.status, answer.json) == (409, {"error": "Nobody waits in this conversation.", "holder": None})


async def test_given_back_it_has_its_old_place_and_the_person_reads_who_came_and_went(server, maya, olive, otto):
    async with chat(server, "me", maya) as hers:
        await hers.say("hello")
        since = (await item(olive, maya.id))["waiting_since"]
        assert (await olive.post("/staff/chat/1/claim/")).json["state"] == "assigned"
        came = await hers.hear_message()
        assert (came["message"], came["identifier"], came["from_admin"]) == ("olive has joined the support chat.", "Holdfast", False)
        returned = (await olive.post("/staff/chat/1/release/")).json
        assert (returned["state"], returned["assignee"], returned["waiting_since"]) == ("waiting", None, since)
        assert (await hers.hear_message())["message"] == "olive is no longer in the support chat. I answer again."
        assert (await otto.post("/staff/chat/1/claim/")).json["assignee"] == "otto"


async def test_the_person_reads_it_in_the_language_that_was_chosen(server, maya, olive):
    await maya.patch("/user/preferences/me/", {"language": "de"})
    async with chat(server, "me", maya) as hers:
        await hers.say("hallo")
        await olive.post("/staff/chat/1/claim/")
        assert (await hers.hear_message())["message"] == "olive ist jetzt im Unterstützungs-Chat."


async def test_what_the_service_says_answers_nobody(server, maya, olive):
    """Whoever waits goes on waiting, though there is a new message."""
    async with chat(server, "me", maya) as hers:
        await hers.say("hello")
        since = (await item(olive, maya.id))["waiting_since"]
        await olive.post("/staff/chat/1/claim/")
        await hers.hear_message()
        shown = await item(olive, maya.id)
        assert (shown["waiting_since"], shown["last_seq"]) == (since, 2)


async def test_done_is_done_also_where_nobody_had_claimed(server, maya, olive):
    async with chat(server, "me", maya) as hers, chat(server, maya.id, olive) as theirs:
        await hers.say("hello")
        await theirs.say("hello maya")
        ended = (await olive.post("/staff/chat/1/done/")).json
        assert (ended["state"], ended["waiting_since"]) == ("quiet", None)
        await hers.heard(2)
        await hers.say("one more thing")
        assert (await item(olive, maya.id))["state"] == "waiting"


async def test_every_look_and_every_act_is_on_record(server, maya, sam, olive):
    await wait(server, maya.id)
    await wait(server, sam.id)
    await items(olive)
    for act in ("claim", "release", "done"):
        await olive.post(f"/staff/chat/1/{act}/")
    await olive.get("/staff/chat/1/hand-over/")
    async with server.db.read() as tx:
        for user_id, action in [
            (1, "GET /api/v1/staff/queue/"),
            (2, "GET /api/v1/staff/queue/"),
            (1, "POST /api/v1/staff/chat/{user_id}/claim/"),
            (1, "POST /api/v1/staff/chat/{user_id}/release/"),
            (1, "POST /api/v1/staff/chat/{user_id}/done/"),
            (1, "GET /api/v1/staff/chat/{user_id}/hand-over/"),
        ]:
            count = "select count(*) from audit where actor_id = 3 and user_id = :user_id and action = :action"
            assert await tx.value(count, user_id=user_id, action=action) == 1, action


async def test_whoever_is_gone_for_long_gives_back_what_was_taken(server, maya, olive):
    state = server.app.state
    absence = Absence(state.db, state.chat, state.companion.vault)
    await wait(server, maya.id, 2)
    await olive.post("/staff/chat/1/claim/")
    await absence.give_back()
    assert (await item(olive, maya.id))["assignee"] == "olive", "a moment ago is not long"
    await server.turn_clock(ABSENT_AFTER / SECOND + 1)
    async with chat(server, "admin", olive):
        await absence.give_back()
        assert (await item(olive, maya.id))["assignee"] == "olive", "listens"

    async def is_gone():
        return not state.chat.staff_here

    await until(is_gone)
    await absence.give_back()
    shown = await item(olive, maya.id)
    assert (shown["state"], shown["assignee"], shown["risk"]) == ("waiting", None, 2)
    async with chat(server, "me", maya) as hers:
        assert (await hers.heard(2))[1] == "olive is no longer in the support chat. I answer again."


async def test_what_a_member_of_staff_had_who_is_gone_for_ever_can_be_taken(server, maya, olive, otto):
    await wait(server, maya.id)
    await otto.post("/staff/chat/1/claim/")
    async with server.db.write() as tx:
        await tx.run("update conversation set assignee_id = null where user_id = 1")  # as the erasure of an account leaves it
    assert (await item(olive, maya.id))["state"] == "waiting"
    assert (await olive.post("/staff/chat/1/claim/")).json["assignee"] == "olive"
