"""Taking a press back, the all-clear, the PIN, the check-in, the drill."""

import asyncio

import pytest
from calling import ANNA, FROM, IVAN, NADIA, TRIGGER, count, settled, state, trusts, until
from conftest import PASSWORD
from mailserver import mail_server


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM, "on_call": ("olive",)}


async def test_taken_back_in_its_grace_nobody_is_told(server, maya, post):
    await trusts(maya, IVAN)
    answer = await maya.post(TRIGGER, {"grace_seconds": 20})
    assert answer.json["messages"][1] in [f"Ivan (brother) will be notified by e-mail in {seconds} seconds." for seconds in (19, 20)]
    seen = await state(maya)
    assert (seen["state"], seen["grace_ends_at"] > seen["created_at"]) == ("grace", True)
    assert seen["line"].startswith("Ivan will be told in ")
    assert (await maya.post("/event/1/stop/")).json == {"result": "cancelled", "told": []}
    assert (await maya.post("/event/1/stop/", {})).json == {"result": "cancelled", "told": []}
    await server.turn_clock(30)
    await asyncio.sleep(0.7)  # longer than a poll
    assert (post.tried, await count(server, "delivery", "state = 'cancelled'")) == (0, 1)


async def test_after_the_grace_people_are_told(server, maya, post):
    await trusts(maya, IVAN)
    await maya.post(TRIGGER, {"grace_seconds": 20})
    await server.turn_clock(21)
    await post.arrived(1)
    await until(lambda: count(server, "alarm", "state = 'open'"))


async def test_a_repeat_without_a_grace_ends_it(server, maya, post):
    await trusts(maya, IVAN)
    first = await maya.post(TRIGGER, {"grace_seconds": 30})
    assert (await maya.post(TRIGGER, {"grace_seconds": 30})).content == first.content
    assert (await state(maya))["state"] == "grace"
    assert (await maya.get(TRIGGER)).content == first.content
    await post.arrived(1)
    assert (await state(maya))["state"] == "open"


async def test_the_longest_grace_is_the_operators(server, maya):
    await maya.post(TRIGGER, {"grace_seconds": 300})
    assert await count(server, "alarm", "grace_ends_at - created_at between 29000000 and 31000000") == 1


async def test_the_all_clear_reaches_exactly_those_who_were_told(server, maya, post):
    await trusts(maya, IVAN, ANNA)
    post.rcpt["anna@example.org"] = "550 nobody"
    await maya.post(TRIGGER)
    await settled(maya, "accepted", "failed")
    answer = await maya.post("/event/1/stop/", {"text": "I am fine, thank you."})
    assert answer.json == {"result": "all_clear", "told": ["Ivan"]}
    await post.arrived(2)
    assert post.recipients == ["ivan@example.org"] * 2
    assert "I am fine, thank you." in str(post.letters[1].message.get_content())
    assert (await maya.post("/event/1/stop/")).json == answer.json
    assert await count(server, "delivery", "kind = 'all_clear'") == 1
    assert (await state(maya))["close_reason"] == "all_clear"


async def test_an_alarm_that_gave_way_cannot_be_stopped_in_place_of_the_live_one(maya, olive, post):
    await maya.post(TRIGGER)
    await olive.post("/event/1/answer/", {"answer": "calling"})
    await maya.post(TRIGGER)
    assert (await maya.post("/event/1/stop/")).status == 409


async def test_a_pin_guards_stopping_after_the_grace_and_never_locks_anybody_out(server, maya, olive, post):
    await trusts(maya, IVAN)
    await maya.put("/user/pin/me/", {"pin": "4711", "password": PASSWORD})
    await maya.post(TRIGGER, {"grace_seconds": 30})
    assert (await maya.post("/event/1/stop/")).json["result"] == "cancelled"
    await maya.post(TRIGGER)
    await post.arrived(1)
    assert [(await maya.post("/event/2/stop/", {"pin": pin})).status for pin in ("1", "0000", None, "4712", "4713", "4711")] == [403] * 5 + [429]
    assert (await state(maya, 2))["state"] == "open"
    assert (await maya.put("/user/pin/me/", {"pin": None, "password": PASSWORD})).status == 200
    assert (await maya.post("/event/2/stop/")).json == {"result": "all_clear", "told": ["Ivan"]}


async def test_the_right_pin_stops_and_staff_need_none(maya, olive, post):
    await maya.put("/user/pin/me/", {"pin": "4711", "password": PASSWORD})
    await maya.post(TRIGGER)
    assert (await maya.post("/event/1/stop/", {"pin": "4711"})).status == 200
    await maya.post(TRIGGER)
    assert (await olive.post("/event/2/stop/")).status == 200


async def test_a_check_in_a_day_later_in_daytime_by_e_mail_only_if_chosen(server, maya, sam, post):
    await maya.patch("/user/preferences/me/", {"check_in_by_email": True, "time_zone": "Europe/Kyiv"})
    for person in (maya, sam):
        await trusts(person, IVAN)
        await person.post(TRIGGER)
    await post.arrived(2)
    for number, person in ((1, maya), (2, sam)):
        await until(lambda number=number: count(server, "delivery", f"alarm_id = {number} and state = 'accepted'"))
        await person.post(f"/event/{number}/stop/")
    await post.arrived(4)
    asked = (await maya.get("/event/history/me/")).json["alarms"][0]["check_in_at"]
    assert asked
    await server.turn_clock(24 * 3600 + 16 * 3600)
    await post.arrived(5)
    await until(lambda: count(server, "alarm", "check_in_asked and user_id = 2"))
    assert post.letters[4].recipients == ["maya@example.org"]
    assert (await maya.post("/event/1/check-in/", {"distress": 3, "text": "Better."})).status == 201
    assert (await maya.post("/event/1/check-in/", {"distress": 11})).status == 400
    assert (await sam.post("/event/1/check-in/", {"distress": 1})).status == 404


async def test_the_history_pages_backwards(maya):
    for number in range(3):
        await maya.post(TRIGGER)
        await maya.post(f"/event/{number + 1}/stop/")
    page = (await maya.get("/event/history/me/?limit=2")).json
    assert ([alarm["id"] for alarm in page["alarms"]], page["more"]) == ([3, 2], True)
    page = (await maya.get("/event/history/me/?limit=2&before_id=2")).json
    assert ([alarm["id"] for alarm in page["alarms"]], page["more"]) == ([1], False)
    assert (await maya.get("/event/history/me/?live=true")).json == {"alarms": [], "more": False}
    assert (await maya.get("/event/history/me/?limit=0")).status == 400


async def confirmed(server, *emails: str) -> None:
    async with server.db.write() as tx:
        for email in emails:
            await tx.run("update contact_channel set state = 'confirmed', confirmed_at = holdfast_now() where destination = :email", email=email)


async def test_a_drill_goes_to_confirmed_people_alone_and_names_who_is_left_out(server, maya, post):
    await trusts(maya, IVAN, ANNA, NADIA)
    await confirmed(server, "ivan@example.org")
    preview = (await maya.get("/event/drill/me/")).json
    assert preview["helpers"] == [{"name": "Ivan", "channels": ["email"]}] and preview["messages"] == 1
    assert preview["left_out"] == ["Anna", "Dr Nadia"]
    answer = await maya.post("/event/drill/me/")
    assert (answer.status, answer.headers["location"]) == (200, "/api/v1/event/1/")
    await post.arrived(1)
    text = str(post.letters[0].message.get_content()).strip()
    assert post.recipients == ["ivan@example.org"] and text.startswith("DRILL") and text.endswith("DRILL")
    assert (await maya.post("/event/drill/me/")).status == 429
    await settled(maya, "accepted")
    await server.turn_clock(400)
    assert (await maya.post("/event/1/stop/")).json == {"result": "all_clear", "told": ["Ivan"]}
    await post.arrived(2)
    assert await count(server, "delivery") == 2


async def test_a_drill_tells_staff_only_if_asked(server, maya, post):
    answer = await maya.post("/event/drill/me/", {"include_staff": True})
    assert answer.status == 200
    await post.arrived(1)
    assert post.recipients == ["olive@example.org"]


async def test_a_real_press_during_a_drill_is_a_real_alarm_and_a_drill_never_disturbs_one(server, maya, post):
    await trusts(maya, IVAN)
    await confirmed(server, "ivan@example.org")
    await maya.post("/event/drill/me/")
    await maya.post(TRIGGER)
    assert (await state(maya, 1))["close_reason"] == "superseded"
    seen = await state(maya, 2)
    assert (seen["state"], seen["drill"]) == ("open", False)
    await server.turn_clock(700)
    assert (await maya.post("/event/drill/me/")).status == 409


async def test_the_live_state_has_an_etag(maya):
    await maya.post(TRIGGER)
    first = await maya.get("/event/1/")
    assert first.headers["etag"] == f'"{first.json["version"]}"'
    again = await maya.get("/event/1/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.content) == (304, b"")
