"""A contact's channels, order and removal, and what the password changes (security.md, section 5 rows 2 and 3)."""

import sys

import pytest
from calling import IVAN, NADIA, OLGA, count, trusts
from conftest import PASSWORD

from holdfast.contacts import channels, service
from holdfast.contacts.jobs import forget_the_removed

DAY = 24 * 3600


@pytest.fixture
def settings():
    return {"senders": "sandbox", "sms_countries": ("UA",), "apprise_channels": ("ntfy=ntfys://ntfy.example.org/{to}",)}


async def people(server, user_id=1):
    async with server.db.read() as tx:
        return await service.people(tx, user_id, ("UA",))


async def ways(server, place=0):
    return [(way.channel, way.destination, way.state, way.problem, way.former) for way in (await people(server))[place].ways]


async def confirm(server, channel=None):
    async with server.db.write() as tx:
        where = "true" if channel is None else f"channel = '{channel}'"
        await tx.run(f"update contact_channel set state = 'confirmed', confirmed_at = holdfast_now() where {where}")


async def contacts(person):
    return (await person.get("/user/contacts/me/")).json


async def test_each_contact_is_listed_with_its_channels(maya):
    await trusts(maya, IVAN, OLGA | {"phone": "+49 900 1 234567", "email": None})
    ivan, olga = await contacts(maya)
    assert ivan == {"id": 1, **IVAN, "position": 1, "language": None, "channels": [
        {"channel": "email", "destination": IVAN["email"], "state": "unconfirmed", "reachable": True, "problem": None},
        {"channel": "sms", "destination": "+380501234567", "state": "unconfirmed", "reachable": True, "problem": None},
    ]}  # fmt: skip
    assert olga["position"] == 2
    assert olga["channels"] == [{"channel": "sms", "destination": "+499001234567", "state": "unconfirmed", "reachable": False, "problem": "premium"}]


async def test_what_cannot_be_reached_is_kept_and_shown(maya, server):
    phones = {"112": "short_code", "050 123": "short_code", "050 123 45 67": "invalid_number", "+49 170 1234567": "country"}
    for number, phone in enumerate(phones):
        await trusts(maya, {"name": f"P{number}", "phone": phone, "email": f"p{number}@example.org", "relationship": "friend"})
    shown = [(contact["phone"], contact["channels"][1]["problem"]) for contact in await contacts(maya)]
    assert shown == list(phones.items())
    assert [(way.channel, bool(way.problem)) for person in await people(server) for way in person.ways] == [("email", False), ("sms", True)] * 4


async def test_people_need_one_statement_and_no_table_of_numbers(server, maya):
    """It is on the alarm's path."""
    await trusts(maya, IVAN, OLGA, NADIA)
    loaded = {name for name in sys.modules if name.startswith("phonenumbers")}
    for name in loaded:
        sys.modules.pop(name)
    statements = []

    async with server.db.read() as tx:

        class Counting:
            async def all(self, sql, into, **values):
                statements.append(sql)
                return await tx.all(sql, into, **values)

        found = await service.people(Counting(), 1)
    assert [person.name for person in found] == ["Ivan", "Olga"] and len(statements) == 1
    assert not [name for name in sys.modules if name.startswith("phonenumbers")]


async def test_a_confirmed_address_that_is_changed_is_told_for_a_day_more(server, maya):
    await trusts(maya, IVAN)
    await confirm(server)
    await maya.patch("/user/edit/contact/me/", IVAN | {"email": "abuser@example.org"})
    assert await ways(server) == [
        ("email", "abuser@example.org", "unconfirmed", None, False),
        ("email", "ivan@example.org", "confirmed", None, True),
        ("sms", "+380501234567", "confirmed", None, False),
    ]
    assert [channel["destination"] for channel in (await contacts(maya))[0]["channels"]] == ["abuser@example.org", "+380501234567"]
    await server.turn_clock(DAY + 1)
    assert [way[1] for way in await ways(server)] == ["abuser@example.org", "+380501234567"]
    assert await count(server, "contact_channel") == 3
    await forget_the_removed(server.db)
    assert await count(server, "contact_channel") == 2


async def test_an_unconfirmed_address_that_is_changed_goes_at_once(server, maya):
    await trusts(maya, IVAN)
    answer = await maya.patch("/user/contact/1/", {"phone": "+380501234599", "email": None})
    assert answer.status == 200 and answer.json["phone"] == "+380501234599"
    assert [channel["destination"] for channel in answer.json["channels"]] == ["+380501234599"]
    assert await ways(server) == [("sms", "+380501234599", "unconfirmed", None, False)]


async def test_an_address_that_comes_back_is_as_it_was(server, maya):
    await trusts(maya, IVAN)
    await confirm(server)
    for email in ("other@example.org", "IVAN@example.org"):
        await maya.patch("/user/contact/1/", {"email": email})
    assert await ways(server) == [("email", "IVAN@example.org", "confirmed", None, False), ("sms", "+380501234567", "confirmed", None, False)]


async def test_with_the_password_what_is_changed_goes_at_once(server, maya):
    await trusts(maya, IVAN)
    await confirm(server)
    answer = await maya.patch("/user/contact/1/", {"email": "new@example.org", "password": PASSWORD})
    assert answer.status == 200
    assert [way[1] for way in await ways(server)] == ["new@example.org", "+380501234567"]


async def test_a_wrong_password_changes_nothing(server, maya):
    await trusts(maya, IVAN)
    await confirm(server)
    before = await contacts(maya)
    for method, body in (("PATCH", {"email": "new@example.org"}), ("DELETE", {})):
        answer = await maya.ask(method, "/user/contact/1/", body | {"password": "a wrong password"})
        assert (answer.status, answer.json) == (403, {"error": "The password is not right."})
    assert await contacts(maya) == before


async def test_guesses_of_the_password_are_slowed_down(maya, olive):
    await trusts(maya, IVAN)
    statuses = [(await maya.ask("DELETE", "/user/contact/1/", {"password": f"guess number {number}"})).status for number in range(8)]
    assert statuses[:6] == [403] * 6 and statuses[-1] == 429
    assert (await olive.ask("DELETE", "/user/contact/1/", {"password": PASSWORD})).status == 200  # another device does not wait


async def test_a_removed_person_who_was_confirmed_is_told_for_a_day_and_listed_nowhere(server, maya):
    await trusts(maya, IVAN, OLGA)
    await confirm(server, "email")
    answer = await maya.ask("DELETE", "/user/contact/1/")
    assert (answer.status, [channel["channel"] for channel in answer.json["channels"]]) == (200, ["email"])
    assert [contact["name"] for contact in await contacts(maya)] == ["Olga"]
    assert [person.name for person in await people(server)] == ["Olga", "Ivan"]
    assert await ways(server, 1) == [("email", "ivan@example.org", "confirmed", None, True)]
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "invite/"), ("POST", "test/")):
        body = {} if method != "POST" else None
        assert (await maya.ask(method, f"/user/contact/1/{path}", body)).json == {"error": "Contact not found"}
    await server.turn_clock(DAY + 1)
    assert [person.name for person in await people(server)] == ["Olga"]
    await forget_the_removed(server.db)
    assert await count(server, "contact") == 1


@pytest.mark.parametrize("confirmed", [False, True])
async def test_a_person_removed_with_the_password_or_never_confirmed_goes_at_once(server, maya, confirmed):
    await trusts(maya, IVAN)
    if confirmed:
        await confirm(server)
    answer = await maya.ask("DELETE", "/user/contact/1/", {"password": PASSWORD} if confirmed else {})
    assert (answer.status, answer.json["channels"]) == (200, [])
    assert await people(server) == [] and await count(server, "contact") == 0


async def test_somebody_who_is_added_again_comes_back(server, maya):
    await trusts(maya, IVAN, OLGA)
    await confirm(server, "sms")
    await maya.ask("DELETE", "/user/contact/1/")
    answer = await maya.patch("/user/edit/contact/me/", IVAN | {"email": "new@example.org"})
    assert (answer.status, answer.json["data"]["id"]) == (201, 1)
    assert [(contact["name"], contact["position"]) for contact in await contacts(maya)] == [("Olga", 1), ("Ivan", 2)]
    assert await ways(server, 1) == [("email", "new@example.org", "unconfirmed", None, False), ("sms", "+380501234567", "confirmed", None, False)]


async def test_the_order_of_people_and_channels_is_the_persons_own(server, maya):
    await trusts(maya, IVAN, OLGA, {"name": "Petro", "phone": "+380501234569", "relationship": "son"})
    answer = await maya.patch("/user/contact/3/", {"position": 1, "language": "uk"})
    assert (answer.json["position"], answer.json["language"]) == (1, "uk")
    assert [contact["name"] for contact in await contacts(maya)] == ["Petro", "Ivan", "Olga"]
    await maya.patch("/user/contact/3/", {"position": 100})
    assert [person.name for person in await people(server)] == ["Ivan", "Olga", "Petro"]
    chosen = [{"channel": "sms"}, {"channel": "ntfy", "destination": " ivan-topic "}]
    answer = await maya.patch("/user/contact/1/", {"channels": chosen})
    assert [(channel["channel"], channel["destination"]) for channel in answer.json["channels"]] == [
        ("sms", "+380501234567"),
        ("ntfy", "ivan-topic"),
        ("email", "ivan@example.org"),
    ]
    await maya.patch("/user/edit/contact/me/", IVAN | {"email": "new@example.org"})  # an old client keeps the order
    assert [way[:2] for way in await ways(server)] == [("sms", "+380501234567"), ("ntfy", "ivan-topic"), ("email", "new@example.org")]
    await maya.patch("/user/contact/1/", {"channels": (await contacts(maya))[0]["channels"]})  # what was read can be sent back
    await maya.patch("/user/contact/1/", {"channels": []})
    assert [way[0] for way in await ways(server)] == ["email", "sms"] or [way[0] for way in await ways(server)] == ["sms", "email"]


async def test_channels_that_this_server_does_not_have_are_refused(maya):
    await trusts(maya, IVAN, OLGA)
    wrong = [
        {"channels": [{"channel": "pigeon", "destination": "roof"}]},
        {"channels": [{"channel": "sms"}, {"channel": "sms"}]},
        {"channels": [{"channel": "ntfy"}]},
        {"channels": [{"channel": "ntfy", "destination": "a\r\nb"}]},
        {"channels": [{"channel": "email", "destination": "other@example.org"}]},
        {"channels": "sms"},
    ]
    for body in wrong:
        answer = await maya.patch("/user/contact/1/", body)
        assert (answer.status, list(answer.json)) == (400, ["channels"]), body
    answer = await maya.patch("/user/contact/1/", {"position": 0, "language": "fr", "email": "nowhere", "colour": "blue"})
    assert answer.status == 400 and answer.json.keys() == {"position", "language", "email", "colour"}
    assert (await maya.patch("/user/contact/1/", {"phone": OLGA["phone"]})).json == {"phone": ["Another contact has this number."]}


async def test_stop_is_final_for_an_address_whoever_trusts_it_until_start(server, maya, sam):
    await trusts(maya, IVAN)
    await trusts(sam, IVAN)
    async with server.db.write() as tx:
        await channels.opt_out(tx, "email", "Ivan@Example.org")
        assert await channels.stopped(tx, [("email", "IVAN@example.org")])
        assert not await channels.stopped(tx, [("email", "ivan@example.org"), ("sms", "+380501234567")]) and not await channels.stopped(tx, [])
    for person in (maya, sam):
        email, sms = (await contacts(person))[0]["channels"]
        assert (email["state"], email["reachable"], email["problem"], sms["reachable"]) == ("stopped", False, "stopped", True)
    assert (await people(server, 2))[0].ways[0].problem == "stopped"
    async with server.db.write() as tx:
        await channels.opt_in(tx, "email", "ivan@example.org")
    assert (await contacts(maya))[0]["channels"][0]["problem"] is None


async def test_what_bounced_is_tried_in_an_alarm_and_not_counted_on(server, maya):
    await trusts(maya, IVAN)
    async with server.db.write() as tx:
        await channels.bounced(tx, "email", "IVAN@example.org")
    email = (await contacts(maya))[0]["channels"][0]
    assert (email["state"], email["reachable"]) == ("bouncing", False)
    assert (await ways(server))[0] == ("email", "ivan@example.org", "bouncing", None, False)
    await maya.patch("/user/edit/contact/me/", IVAN)
    assert (await contacts(maya))[0]["channels"][0]["state"] == "unconfirmed"


async def test_a_therapist_has_channels_with_problems_too(server, maya):
    await trusts(maya, NADIA | {"phone": "+49 900 1 234567"})
    async with server.db.write() as tx:
        await channels.opt_out(tx, "email", NADIA["email"])
        person = await service.therapist_of(tx, 1, ("UA",))
    assert [(way.channel, way.problem) for way in person.ways] == [("email", "stopped"), ("sms", "premium")]
    await maya.patch("/user/edit/therapist/me/", {"phone": "+49 170 1234567"})
    async with server.db.read() as tx:
        assert [way.problem for way in (await service.therapist_of(tx, 1, ("UA",))).ways] == ["stopped", "country"]
        assert [way.problem for way in (await service.therapist_of(tx, 1)).ways] == ["stopped", None]
