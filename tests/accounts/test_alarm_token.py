"""The token of a lock screen: it calls for help and takes that back, and opens nothing else."""

from conftest import Person


async def locked(maya: Person) -> Person:
    answer = await maya.post("/user/alarm-token/")
    assert answer.status == 201 and answer.json["token"].startswith("hf_a_")
    return Person(maya.client, maya.id, maya.name, answer.json["token"])


async def test_it_presses_sees_the_alarm_and_takes_it_back_in_its_grace_alone(maya):
    screen = await locked(maya)
    assert (await screen.post("/event/trigger/me/", {"grace_seconds": 20})).status == 200
    assert (await screen.get("/event/1/")).json["state"] == "grace"
    assert (await screen.post("/event/1/stop/")).json == {"result": "cancelled", "told": []}
    assert (await screen.get("/event/trigger/me/")).status == 200
    assert (await screen.post("/event/2/stop/")).status == 403
    assert (await maya.post("/event/2/stop/")).status == 200


async def test_it_opens_nothing_else(maya):
    screen = await locked(maya)
    for path in ("/user/me/", "/event/history/me/", "/chat/user/support/me/", "/user/contacts/me/"):
        assert (await screen.get(path)).status == 403
    assert (await screen.post("/user/alarm-token/")).status == 403


async def test_that_of_staff_has_no_rights_of_staff(olive, maya):
    screen = await locked(olive)
    assert (await screen.get("/event/trigger/1/")).status == 404
    assert (await screen.get("/event/trigger/me/")).status == 200


async def test_all_of_them_end_at_once(maya):
    screen = await locked(maya)
    assert (await maya.ask("DELETE", "/user/alarm-token/")).status == 200
    assert (await screen.post("/event/trigger/me/")).status == 401
    assert (await maya.get("/user/me/")).status == 200
