"""Pressing: what is answered, and what is recorded."""

import asyncio

import pytest
from calling import FROM, IVAN, NADIA, OLGA, TRIGGER, count, trusts
from mailserver import free_port


@pytest.fixture
def settings():
    """A mail server is set up, but it is not there."""
    return {"smtp_url": f"smtp://127.0.0.1:{free_port()}", "mail_from": FROM}


def music(server) -> dict[str, str]:
    return {"music_url": f"http://{server.address}/music/ocean.mp3"}


async def test_the_answer_has_the_contracts_shape_and_one_true_sentence_for_each_person(server, maya):
    await trusts(maya, IVAN, OLGA, NADIA)
    answer = await maya.get(TRIGGER)
    assert (answer.status, answer.headers["location"]) == (200, "/api/v1/event/1/")
    assert answer.json == {
        "scenario": "Full alarm",
        "messages": [
            music(server),
            "Ivan (brother) is being notified by e-mail.",
            "Olga (friend) cannot be notified: this server has no way to send SMS.",
            "Dr Nadia (therapist) is being notified by e-mail.",
        ],
    }


async def test_without_anybody_the_answer_says_so(server, maya):
    assert (await maya.get(TRIGGER)).json == {"scenario": "Full alarm", "messages": [music(server), "No emergency contact is stored."]}


async def test_a_quiet_scenario_plays_no_music(maya):
    await maya.patch("/user/edit/me/", {"scenario": 3})
    assert (await maya.get(TRIGGER)).json == {"scenario": "Quiet alarm", "messages": ["No emergency contact is stored."]}


async def test_be_with_me_tells_contacts_and_not_the_therapist(server, maya):
    await trusts(maya, IVAN, NADIA)
    await maya.patch("/user/edit/me/", {"scenario": 2})
    answer = await maya.get(TRIGGER)
    assert answer.json == {"scenario": "Be with me", "messages": [music(server), "Ivan (brother) is being notified by e-mail."]}


async def test_the_chosen_track_is_played(server, maya):
    await maya.post("/user/music/edit/me/", {"music": 2})
    assert (await maya.get(TRIGGER)).json["messages"][0] == {"music_url": f"http://{server.address}/music/rain.mp3"}


async def test_without_a_scenario_nothing_is_recorded(server, maya):
    await maya.patch("/user/edit/me/", {"scenario": None})
    answer = await maya.get(TRIGGER)
    assert (answer.status, answer.json) == (404, {"error": "No AlarmScenario associated with this user"})
    assert await count(server, "alarm") == 0


async def test_a_strangers_id_and_a_missing_one_are_the_contracts_404(server, sam):
    for number in ("1", "999", "abc"):
        for method in ("GET", "POST"):
            answer = await sam.ask(method, f"/event/trigger/{number}/")
            assert (answer.status, answer.json) == (404, {"error": "User or UserInfo not found"})
    assert await count(server, "alarm") == 0


async def test_staff_may_press_for_somebody_and_it_is_on_record(server, olive, maya):
    answer = await olive.post("/event/trigger/1/")
    assert answer.status == 200
    assert await count(server, "alarm", "user_id = 1") == 1
    assert await count(server, "alarm_audit", "actor_id = 3 and kind = 'trigger'") == 1
    assert await count(server, "audit", "actor_id = 3 and user_id = 1 and action like 'POST /api/v1/event/trigger%'") == 1
    assert (await maya.get(answer.headers["location"].removeprefix("/api/v1"))).status == 200


async def test_everything_about_an_alarm_is_recorded_at_once(server, maya):
    await trusts(maya, IVAN, NADIA)
    await maya.get(TRIGGER)
    assert await count(server, "alarm", "state = 'open' and tap_count = 1") == 1
    assert await count(server, "alarm_helper", "alarm_id = 1") == 2
    assert await count(server, "delivery", "alarm_id = 1 and deadline_at = (select expires_at from alarm)") == 2
    assert await count(server, "alarm_audit", "alarm_id = 1 and n = 1 and kind = 'trigger' and actor_id = 1") == 1
    assert await count(server, "token", "account_id = 1 and held_until = (select expires_at from alarm)") == 1
    assert await count(server, "alarm", "expires_at - created_at between 7199000000 and 7201000000") == 1


async def test_a_token_lives_as_long_as_the_alarm(server, maya):
    async with server.db.write() as tx:
        await tx.run("update token set expires_at = holdfast_now() + 60000000 where account_id = 1")
    await maya.get(TRIGGER)
    await server.turn_clock(3600)
    assert (await maya.get("/event/1/")).status == 200
    await server.turn_clock(3700)
    assert (await maya.get("/event/1/")).status == 401


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\x00", b"[" * 100_000, b"x" * 300_000], ids=["empty", "broken", "bytes", "nested", "huge"])
async def test_no_body_can_refuse_an_alarm(maya, body):
    headers = {"Authorization": f"Token {maya.token}", "Content-Type": "text/plain"}
    answer = await maya.client.post("/api/v1/event/trigger/me/", content=body, headers=headers)
    assert answer.status_code == 200
    assert (await maya.get("/event/1/")).status == 200  # and the line is still good


async def test_get_and_post_fold_into_one_alarm_with_equal_bytes(server, maya):
    await trusts(maya, IVAN)
    methods = ["GET", "POST"] * 25
    answers = await asyncio.gather(*(maya.ask(method, TRIGGER) for method in methods))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["location"] for answer in answers} == {"/api/v1/event/1/"}
    assert await count(server, "alarm", "tap_count = 50") == 1
    assert await count(server, "delivery") == 1
    assert await count(server, "alarm_audit", "kind = 'repeat'") == 49


async def test_fifty_gets_at_once_are_one_alarm(server, maya):
    await trusts(maya, IVAN, NADIA)
    answers = await asyncio.gather(*(maya.get(TRIGGER) for _ in range(50)))
    assert {(answer.status, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert (await count(server, "alarm"), await count(server, "alarm", "tap_count = 50"), await count(server, "delivery")) == (1, 1, 2)


async def test_somebody_added_since_is_told_by_a_repeat_and_nobody_twice(server, maya):
    await trusts(maya, IVAN)
    first = await maya.get(TRIGGER)
    await trusts(maya, {**OLGA, "email": "olga@example.org"})
    second = await maya.get(TRIGGER)
    assert second.json["messages"] == [*first.json["messages"], "Olga (friend) is being notified by e-mail."]
    assert second.headers["location"] == first.headers["location"]
    assert (await maya.get(TRIGGER)).content == second.content
    assert await count(server, "delivery", "destination = 'ivan@example.org'") == 1
    assert await count(server, "delivery", "destination = 'olga@example.org'") == 1


async def test_a_corrected_address_is_told_by_a_repeat(server, maya):
    await trusts(maya, IVAN)
    first = await maya.get(TRIGGER)
    assert (await maya.patch("/user/edit/contact/me/", {**IVAN, "email": "ivan@right.example.org"})).status == 200
    second = await maya.get(TRIGGER)
    assert second.content == first.content  # the sentence about Ivan is as true as before
    assert await count(server, "delivery", "destination = 'ivan@right.example.org'") == 1
    assert await count(server, "alarm_helper") == 1


async def test_a_removed_contact_changes_nothing_in_a_repeat(server, maya):
    await trusts(maya, IVAN, {**OLGA, "email": "olga@example.org"})
    first = await maya.get(TRIGGER)
    async with server.db.write() as tx:
        await tx.run("delete from contact where name = 'Ivan'")
    assert (await maya.get(TRIGGER)).content == first.content


async def test_a_press_that_asks_for_more_is_an_alarm_of_its_own(server, maya):
    await trusts(maya, IVAN, NADIA)
    await maya.patch("/user/edit/me/", {"scenario": 2})
    soft = await maya.get(TRIGGER)
    await maya.patch("/user/edit/me/", {"scenario": 1})
    full = await maya.get(TRIGGER)
    assert (soft.headers["location"], full.headers["location"]) == ("/api/v1/event/1/", "/api/v1/event/2/")
    assert full.json["scenario"] == "Full alarm"
    assert (await maya.get("/event/1/")).json["close_reason"] == "superseded"
    await maya.patch("/user/edit/me/", {"scenario": 2})
    assert (await maya.get(TRIGGER)).content == full.content  # asking for less folds


async def test_the_frozen_scenario_goes_on_when_the_profile_changes(server, maya):
    await trusts(maya, IVAN)
    first = await maya.get(TRIGGER)
    await maya.patch("/user/edit/me/", {"scenario": 3})
    await maya.post("/user/music/edit/me/", {"music": 2})
    assert (await maya.get(TRIGGER)).content == first.content


async def test_an_alarm_past_its_end_does_not_swallow_a_press(server, maya):
    await trusts(maya, IVAN)
    await maya.get(TRIGGER)
    await server.turn_clock(7300)
    again = await maya.get(TRIGGER)
    assert (again.status, again.headers["location"]) == (200, "/api/v1/event/2/")
    assert await count(server, "alarm", "close_reason = 'expired'") == 1
    assert await count(server, "delivery", "alarm_id = 2 and state in ('pending', 'leased')") == 1


async def test_nobody_elses_alarm_is_touched(server, maya, sam):
    first, other = await maya.get(TRIGGER), await sam.get(TRIGGER)
    assert first.headers["location"] != other.headers["location"]
    assert await count(server, "alarm", "state = 'open' and tap_count = 1") == 2


async def test_a_line_break_in_a_contact_is_refused_when_it_is_written(maya):
    for field in ("name", "email", "relationship"):
        answer = await maya.patch("/user/edit/contact/me/", {**IVAN, field: f"{IVAN[field]}\r\nBcc: all@example.org"})
        assert answer.status == 400
        assert field in answer.json
