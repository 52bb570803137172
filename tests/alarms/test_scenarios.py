"""A scenario is data that staff write: checked, shown with its texts, and frozen in every alarm that began with it."""

import json
from typing import Any

import pytest
from calling import IVAN, TRIGGER, count, trusts

WANTED: dict[str, Any] = {
    "name": "Night",
    "level": 1,
    "music": False,
    "steps": [
        {"wait": 0, "tell": ["contacts"], "text": "alarm"},
        {"wait": 300, "every": 600, "tell": ["staff_on_call"], "text": "staff"},
    ],
}


async def test_everybody_reads_them_with_their_texts(maya):
    answer = await maya.get("/event/scenarios/")
    assert answer.status == 200
    assert [(each["id"], each["name"], each["checked"]) for each in answer.json] == [
        (1, "Full alarm", True),
        (2, "Be with me", True),
        (3, "Quiet alarm", True),
    ]
    full = answer.json[0]
    assert [step["wait"] for step in full["steps"]] == [0, 120, 180, 300, 600]
    assert [(text["step"], text["channel"]) for text in full["texts"]] == [(step, channel) for step in range(5) for channel in ("email", "sms")]
    for text in full["texts"]:
        assert "Maria" in text["text"] and f"1042-{text['step']}" in text["text"] and text["subject"]
    soft = answer.json[1]["texts"]
    assert soft[0]["text"] != full["texts"][0]["text"]


async def test_staff_add_one_and_it_can_be_chosen(server, maya, olive):
    answer = await olive.post("/event/scenarios/", WANTED)
    assert answer.status == 201
    added = answer.json
    assert (added["id"], added["checked"], added["expire_after"], len(added["texts"])) == (4, True, 7200, 4)
    assert {key: added[key] for key in ("name", "level", "music")} == {"name": "Night", "level": 1, "music": False}
    assert (await maya.get("/event/scenarios/")).json[3] == added
    assert (await maya.patch("/user/edit/me/", {"scenario": 4})).status == 200
    await trusts(maya, IVAN)
    assert (await maya.get(TRIGGER)).json["scenario"] == "Night"
    assert await count(server, "audit", "actor_id = 3 and user_id is null and action = 'POST /api/v1/event/scenarios/'") == 1


async def test_a_change_reaches_the_next_alarm_and_not_the_one_that_goes_on(server, maya, olive):
    await trusts(maya, IVAN)
    before = await maya.get(TRIGGER)
    async with server.db.read() as tx:
        frozen = await tx.value("select snapshot from alarm")
    answer = await olive.put("/event/scenario/1/", WANTED | {"name": "Full alarm", "level": 2, "expire_after": 3600})
    assert (answer.status, answer.json["id"], answer.json["expire_after"]) == (200, 1, 3600)
    again = await maya.get(TRIGGER)
    assert (again.json, again.headers["location"]) == (before.json, before.headers["location"])
    async with server.db.read() as tx:
        assert json.loads(await tx.value("select snapshot from alarm"))["scenario"] == json.loads(frozen)["scenario"]
        assert await tx.value("select count(*) from alarm") == 1
    assert await count(server, "audit", "actor_id = 3 and user_id is null and action = 'PUT /api/v1/event/scenario/{scenario_id}/'") == 1
    async with server.db.write() as tx:
        await tx.run("update alarm set state = 'closed', close_reason = 'all_clear', closed_at = holdfast_now()")
    await maya.get(TRIGGER)
    async with server.db.read() as tx:
        assert json.loads(await tx.value("select snapshot from alarm order by id desc limit 1"))["scenario"]["expire_after"] == 3600


STEP = {"tell": ["contacts"], "text": "alarm"}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"name": ""}, "name"),
    "a name that is taken": ({"name": "FULL alarm"}, "name"),
    "a level": ({"level": 4}, "level"),
    "a field": ({"police": True}, "police"),
    "no steps": ({"steps": []}, "steps"),
    "a first step that waits": ({"steps": [STEP | {"wait": 1}]}, "steps"),
    "a step that comes back before another": ({"steps": [STEP | {"every": 60}, STEP]}, "steps"),
    "a step that tells nobody": ({"steps": [{"tell": [], "text": "alarm"}]}, "steps"),
    "a step for strangers": ({"steps": [{"tell": ["police"], "text": "alarm"}]}, "steps"),
    "a text of its own": ({"steps": [{"tell": ["contacts"], "text": "anything"}]}, "steps"),
    "a wait of two days": ({"steps": [STEP, STEP | {"wait": 172_800}]}, "steps"),
    "one that comes back each second": ({"steps": [STEP | {"every": 1}]}, "steps"),
    "21 steps": ({"steps": [STEP] * 21}, "steps"),
    "an end in a second": ({"expire_after": 1}, "expire_after"),
    "no channel": ({"start_channels": 0}, "start_channels"),
}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_is_wrong_is_named_and_nothing_is_kept(maya, olive):
    before = (await maya.get("/event/scenarios/")).json
    for title, (change, field) in WRONG.items():
        for answer in (await olive.post("/event/scenarios/", WANTED | change), await olive.put("/event/scenario/2/", WANTED | change)):
            assert (answer.status, list(answer.json)) == (400, [field]), (title, answer.json)
    several = await olive.post("/event/scenarios/", {"name": "Full alarm", "level": 9, "steps": [STEP | {"wait": 5, "every": 60}, STEP]})
    assert several.json == {
        "name": ["Another scenario has this name."],
        "level": ["Must be a whole number from 1 to 3."],
        "music": ["This field is required."],
        "steps": ["The first step must not wait.", "Only the last step may come back."],
    }
    assert (await maya.get("/event/scenarios/")).json == before


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_only_staff_write_and_only_what_is_there(maya, olive):
    assert (await maya.post("/event/scenarios/", WANTED)).status == 403
    assert (await maya.put("/event/scenario/1/", WANTED)).status == 403
    for number in ("99", "0", "me", "abc"):
        answer = await olive.put(f"/event/scenario/{number}/", WANTED)
        assert (answer.status, answer.json) == (404, {"error": "Scenario not found"}), number
    assert (await olive.put("/event/scenario/1/", WANTED | {"name": "full ALARM"})).status == 200  # its own name is not taken


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_one_that_was_stored_by_other_means_is_shown_as_not_checked(server, maya):
    broken = WANTED | {"name": "Old", "steps": [STEP | {"wait": 60}]}
    async with server.db.write() as tx:
        await tx.run("insert into scenario (name, definition) values ('Old', :definition)", definition=json.dumps(broken))
    assert (await maya.get("/event/scenarios/")).json[3]["checked"] is False
