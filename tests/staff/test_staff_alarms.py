"""What staff see of alarms: live ones first, each person's state, and every look on record."""

import pytest
from calling import FROM, IVAN, NADIA, OLGA, TRIGGER, count
from mailserver import free_port

ALARMS = "/staff/alarms/"


@pytest.fixture
def settings():
    """A mail server is set up, but it is not there."""
    return {"smtp_url": f"smtp://127.0.0.1:{free_port()}", "mail_from": FROM}


async def call(person, *people) -> int:
    """Whom the person trusts, and the alarm."""
    for each in people:
        method, path = ("PATCH", "/user/edit/contact/me/") if "relationship" in each else ("PUT", "/user/create/therapist/me/")
        assert (await person.ask(method, path, each)).status == 201
    answer = await person.post(TRIGGER)
    return int(answer.headers["location"].strip("/").rpartition("/")[2])


async def end(server, alarm: int) -> None:
    async with server.db.write() as tx:
        await tx.run("update alarm set state = 'closed', close_reason = 'all_clear', closed_at = holdfast_now() where id = :alarm", alarm=alarm)


async def ids(person, query: str = "") -> list[int]:
    answer = await person.get(ALARMS + query)
    assert answer.status == 200, answer.json
    return [alarm["id"] for alarm in answer.json["alarms"]]


async def test_an_alarm_with_each_person_s_state(server, maya, olive):
    alarm = await call(maya, IVAN, NADIA)
    async with server.db.write() as tx:
        await tx.run("update delivery set state = 'failed', error_class = 'permanent', deadline_at = holdfast_now() where destination like 'nadia%'")
        await tx.run("update alarm_helper set seen_at = created_at, answer = 'calling', answered_at = created_at from alarm where name = 'Ivan'")
    (shown,) = (await olive.get(ALARMS)).json["alarms"]
    assert {name: shown[name] for name in ("id", "user_id", "username", "drill", "state", "close_reason", "step", "tap_count")} == {
        "id": alarm,
        "user_id": 1,
        "username": "maya",
        "drill": False,
        "state": "open",
        "close_reason": None,
        "step": 0,
        "tap_count": 1,
    }
    ivan, nadia = shown["helpers"]
    assert (ivan["name"], ivan["kind"], ivan["answer"], ivan["seen_at"]) == ("Ivan", "contact", "calling", shown["created_at"])
    assert (nadia["name"], nadia["kind"], nadia["answer"], nadia["seen_at"]) == ("Dr Nadia", "therapist", None, None)
    assert nadia["channels"] == [{"channel": "email", "state": "failed", "problem": "permanent"}]
    assert "email" in [channel["channel"] for channel in ivan["channels"]]


async def test_live_ones_come_first_and_pages_follow_each_other(server, maya, sam, olive):
    made = []
    for _ in range(3):
        for person in (maya, sam):
            made.append(await call(person))
            await end(server, made[-1])
    live = [await call(maya), await call(sam)]
    order = live[::-1] + made[::-1]
    assert await ids(olive) == order
    assert await ids(olive, "?live=true") == live[::-1]
    assert await ids(olive, "?live=false&limit=4") == made[::-1][:4]
    assert await ids(olive, f"?live=true&before_id={live[1]}") == live[:1]
    seen, more, before = [], True, ""
    while more:
        page = (await olive.get(f"{ALARMS}?limit=3{before}")).json
        more, seen = page["more"], seen + [alarm["id"] for alarm in page["alarms"]]
        before = f"&before_id={seen[-1]}"
    assert seen == order


async def test_a_live_one_is_first_however_old(server, maya, sam, olive):
    old = await call(maya)
    await end(server, await call(sam))
    assert (await ids(olive, "?limit=1"))[0] == old


async def test_whose_alarm_was_shown_is_on_record(server, maya, sam, olive):
    await call(maya, OLGA)
    await call(sam)
    await call(olive)
    await ids(olive, "?limit=2")
    looks = "action = 'GET /api/v1/staff/alarms/' and actor_id = 3"
    assert [await count(server, "audit", f"{looks} and user_id = {number}") for number in (1, 2, 3)] == [0, 1, 0]
    await ids(olive)
    assert [await count(server, "audit", f"{looks} and user_id = {number}") for number in (1, 2, 3)] == [1, 2, 0]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_query_is_checked_and_named(olive):
    for query, field in {
        "limit=0": "limit",
        "limit=101": "limit",
        "limit=ten": "limit",
        "live=perhaps": "live",
        "live=": "live",
        "before_id=-1": "before_id",
    }.items():
        answer = await olive.get(f"{ALARMS}?{query}")
        assert (answer.status, list(answer.json)) == (400, [field]), query
    assert (await olive.get(f"{ALARMS}?{'&'.join(f'a{n}=1' for n in range(200))}")).status == 400
    assert await ids(olive, "?limit=5&unknown=1") == []
