"""Readiness says what is true, long before it matters (alarm.md, section 12)."""

import pytest
from calling import FROM, IVAN, NADIA, OLGA, trusts, until
from mailserver import mail_server

from holdfast.contacts import readiness
from holdfast.contacts.schemas import Person, Way
from holdfast.delivery.health import Lately
from holdfast.texts import LANGUAGES, flat, read

DAY = 24 * 3600


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM}


async def confirm(server):
    async with server.db.write() as tx:
        await tx.run("update contact_channel set state = 'confirmed', confirmed_at = holdfast_now()")


async def ready(person):
    answer = await person.get("/user/readiness/me/")
    assert answer.status == 200
    return answer.json


async def working(person):
    return (await ready(person))["channels"][0]["working"]


async def test_a_new_person_is_told_what_to_do_first(maya):
    assert await ready(maya) == {
        "level": "none",
        "line": "Nobody is stored; no drill yet; e-mail not tried yet. First step: add somebody you trust.",
        "helpers": [],
        "channels": [{"channel": "email", "working": None, "checked_at": None}],
        "problems": ["nobody", "drill_due"],
    }


async def test_a_confirmed_helper_on_a_working_channel_is_good(server, maya, post):
    await trusts(maya, IVAN)
    found = await ready(maya)
    assert (found["level"], found["problems"]) == ("weak", ["nobody_confirmed", "drill_due"])
    assert found["helpers"] == [{"id": 1, "kind": "contact", "name": "Ivan", "channels": [
        {"channel": "email", "state": "unconfirmed", "reachable": True, "problem": None},
        {"channel": "sms", "state": "unconfirmed", "reachable": False, "problem": "not_configured"},
    ]}]  # fmt: skip
    await maya.post("/user/contact/1/invite/")
    await confirm(server)
    await until(lambda: working(maya))
    found = await ready(maya)
    assert (found["level"], found["problems"]) == ("good", ["drill_due"])
    assert found["line"] == "1 of 1 person confirmed; no drill yet; e-mail working. Next step: try a drill."
    assert found["channels"][0]["checked_at"].endswith("Z")


async def test_a_channel_whose_last_attempt_failed_is_not_good(server, maya, post):
    await trusts(maya, IVAN)
    await confirm(server)
    post.rcpt = {IVAN["email"]: "451 try again later"}
    await maya.post("/user/contact/1/test/")

    async def failing():
        return await working(maya) is False

    await until(failing)
    found = await ready(maya)
    assert (found["level"], found["problems"][0]) == ("weak", "channel_not_working")
    assert "e-mail not working" in found["line"]


async def test_green_with_one_wrong_digit_cannot_happen(maya):
    await trusts(maya, {"name": "Petro", "phone": "+38050123456", "relationship": "son"})
    found = await ready(maya)
    assert (found["level"], found["problems"][0]) == ("none", "nobody_reachable")
    assert found["helpers"][0]["channels"] == [{"channel": "sms", "state": "unconfirmed", "reachable": False, "problem": "invalid_number"}]


async def test_without_a_scenario_there_is_no_alarm(server, maya):
    await trusts(maya, IVAN)
    await confirm(server)
    await maya.patch("/user/edit/me/", {"scenario": None})
    found = await ready(maya)
    assert (found["level"], found["problems"][0]) == ("none", "no_scenario")


async def test_the_therapist_counts_where_the_scenario_tells_him(maya):
    await trusts(maya, NADIA)
    found = await ready(maya)
    assert (found["level"], [(helper["kind"], helper["name"]) for helper in found["helpers"]]) == ("weak", [("therapist", "Dr Nadia")])
    await maya.patch("/user/edit/me/", {"scenario": 2})  # be with me: contacts alone
    assert (await ready(maya))["problems"][0] == "nobody"


async def test_who_was_removed_is_no_helper(server, maya):
    await trusts(maya, IVAN, OLGA)
    await confirm(server)
    await maya.ask("DELETE", "/user/contact/1/")
    found = await ready(maya)
    assert [helper["name"] for helper in found["helpers"]] == ["Olga"]
    assert (found["level"], "nobody_reachable" in found["problems"]) == ("none", True)


async def test_the_line_is_in_the_persons_language(maya):
    await maya.patch("/user/preferences/me/", {"language": "de"})
    assert (await ready(maya))["line"].startswith("Noch niemand eingetragen; noch keine Übung; E-Mail noch nicht erprobt.")


def outlook(**changes):
    email = Way("email", "a@example.org", "confirmed")
    given = {
        "persons": [Person(1, "contact", "Ivan", "brother", None, None, [email])],
        "sending": ["email", "sms"],
        "lately": {"email": Lately("email", 2, 1)},
        "has_scenario": True,
        "sandbox": False,
        "last_drill": 0,
        "now": 12 * DAY * 1_000_000,
        "language": "en",
    }
    return readiness.Outlook(**given | changes)


def test_the_level_follows_the_table():
    assert readiness.judged(outlook()).level == "good" and readiness.judged(outlook()).problems == []
    assert readiness.judged(outlook()).line == "1 of 1 person confirmed; last drill 12 days ago; e-mail working; SMS not tried yet"
    assert readiness.judged(outlook(sandbox=True)).level == "weak"
    assert readiness.judged(outlook(lately={"email": Lately("email", 1, 2)})).level == "weak"
    assert readiness.judged(outlook(lately={})).level == "good"
    for impossible in ({"sending": []}, {"has_scenario": False}, {"persons": []}):
        assert readiness.judged(outlook(**impossible)).level == "none"
    bouncing = [Person(1, "contact", "Ivan", "brother", None, None, [Way("email", "a@example.org", "bouncing")])]
    assert readiness.judged(outlook(persons=bouncing)).level == "none"
    doubtful = [Person(1, "contact", "Ivan", "brother", None, None, [Way("sms", "+15551234567", "unconfirmed", None, True)])]
    channel = readiness.judged(outlook(persons=doubtful)).helpers[0].channels[0]
    assert (channel.reachable, channel.problem) == (True, "doubtful_number")
    assert readiness.judged(outlook(now=91 * DAY * 1_000_000)).problems == ["drill_due"]


DAYS = {
    "en": {1: "1 day ago", 2: "2 days ago"},
    "de": {1: "vor 1 Tag", 3: "vor 3 Tagen"},
    "es": {1: "hace 1 día", 5: "hace 5 días"},
    "uk": {1: "1 день тому", 2: "2 дні тому", 5: "5 днів тому", 11: "11 днів тому", 21: "21 день тому", 22: "22 дні тому"},
    "ru": {1: "1 день назад", 3: "3 дня назад", 12: "12 дней назад", 31: "31 день назад"},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language):
    words, english = flat(read(language, "readiness")), flat(read("en", "readiness"))
    assert {key for key in words if not key.startswith(("people", "drill"))} == {key for key in english if not key.startswith(("people", "drill"))}
    assert {f"next.{problem}" for problem in readiness.URGENCY} == {key for key in words if key.startswith("next.")}
    for days, text in DAYS[language].items():
        assert text in readiness.judged(outlook(now=days * DAY * 1_000_000, language=language)).line


class TestWithoutChannels:
    @pytest.fixture
    def settings(self):
        return {}

    async def test_a_server_that_cannot_send_says_so(self, maya):
        await trusts(maya, IVAN)
        found = await ready(maya)
        assert (found["level"], found["channels"], found["problems"][0]) == ("none", [], "no_channel")
        assert "no way to send messages" in found["line"]


class TestSandbox:
    @pytest.fixture
    def settings(self):
        return {"senders": "sandbox"}

    async def test_a_server_that_only_practises_says_so(self, server, maya):
        await trusts(maya, IVAN)
        await confirm(server)
        found = await ready(maya)
        assert (found["level"], found["problems"][0]) == ("weak", "sandbox")
