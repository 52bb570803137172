"""From the press to the letter, through the server and its worker."""

import asyncio
import time

import pytest
from calling import FROM, IVAN, NADIA, OLGA, TRIGGER, count, settled, state, trusts, until
from mailserver import mail_server

from holdfast.delivery import outbox


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM}


async def test_an_email_arrives_within_a_second_of_the_answer(maya, post):
    await trusts(maya, IVAN, OLGA, NADIA)
    await maya.get(TRIGGER)
    answered = time.time()
    await post.arrived(2)
    assert post.recipients == ["ivan@example.org", "nadia@example.org"]
    assert max(letter.at for letter in post.letters) - answered < 1


async def test_the_letter_says_what_is_needed_and_nothing_else(server, maya, post):
    await trusts(maya, IVAN)
    await maya.patch("/user/edit/me/", {"location": "Kharkiv", "ptsd_level": 9, "military_status": True})
    await maya.get(TRIGGER)
    await post.arrived(1)
    letter = post.letters[0].message
    async with server.db.read() as tx:
        code, ref = await tx.value("select code from alarm"), await tx.value("select ref from delivery")
    text = letter.get_content()
    assert text.rstrip().endswith(f"Ref {code}-0")
    assert "maya may need support now. Please call or visit." in text
    assert letter["Message-ID"] == f"<{ref}@example.org>"
    assert letter["From"] == FROM
    assert not {"Cc", "Bcc"} & set(letter.keys())
    whole = letter.as_string().casefold()
    for word in ("ptsd", "holdfast", "kharkiv", "police", "crisis!", "disorder", "military"):
        assert word not in whole


async def test_the_live_state_follows_the_truth(maya, post):
    await trusts(maya, IVAN, OLGA)
    post.data = "hold"
    await maya.get(TRIGGER)
    await post.trying()
    sending = await state(maya)
    post.release.set()
    done = await until(lambda: _email_of_ivan(maya, "accepted"))
    ivan, olga = sending["helpers"]
    assert (sending["state"], sending["close_reason"], sending["line"]) == ("open", None, "A message to Ivan is being sent.")
    assert {"channel": "email", "state": "leased", "problem": None} in ivan["channels"]
    assert not {"accepted", "delivered"} & {channel["state"] for helper in (ivan, olga) for channel in helper["channels"]}
    assert {channel["channel"] for channel in olga["channels"]} <= {"sms"}
    assert done["version"] > sending["version"]
    assert done["line"] == "A message to Ivan has gone out."


async def _email_of_ivan(person, wanted):
    """The live state once it is so."""
    seen = await state(person)
    channels = seen["helpers"][0]["channels"]
    return seen if {"channel": "email", "state": wanted, "problem": None} in channels else None


async def test_a_repeat_sends_nothing_more(server, maya, post):
    await trusts(maya, IVAN)
    for _ in range(5):
        await maya.get(TRIGGER)
    await settled(maya, "accepted")
    await maya.get(TRIGGER)
    await asyncio.sleep(0.7)  # longer than a poll
    assert post.recipients == ["ivan@example.org"]


async def test_a_bad_address_and_a_refused_one_stop_nobody_else(server, maya, post):
    people = [{**IVAN, "name": name, "phone": f"+38050123456{n}", "email": f"{name}@example.org"} for n, name in enumerate(("anna", "ivan", "olga"))]
    await trusts(maya, *people)
    async with server.db.write() as tx:
        spoilt = "update contact_channel set destination = :to where channel = 'email' and contact_id = (select id from contact where name = 'anna')"
        await tx.run(spoilt, to="anna@example.org\r\nBcc: all@example.org")
    post.rcpt["ivan@example.org"] = "550 nobody"
    await maya.get(TRIGGER)
    done = await settled(maya, "accepted", "failed")
    assert [helper["channels"][0] for helper in done["helpers"]] == [
        {"channel": "email", "state": "failed", "problem": "permanent"},
        {"channel": "email", "state": "failed", "problem": "permanent"},
        {"channel": "email", "state": "accepted", "problem": None},
    ]
    assert [letter.recipients for letter in post.letters] == [["olga@example.org"]]


async def test_what_fails_for_everybody_is_said(maya, post):
    await trusts(maya, IVAN)
    post.rcpt["ivan@example.org"] = "550 nobody"
    await maya.get(TRIGGER)
    assert (await settled(maya, "failed"))["line"] == "Nobody could be reached. You can call somebody you trust."


async def test_a_server_that_drops_every_letter_gets_three_copies_that_are_one(server, maya, post, monkeypatch):
    monkeypatch.setattr(outbox, "BACKOFF", (0.1,))
    await trusts(maya, IVAN)
    post.data = "drop"
    await maya.get(TRIGGER)
    done = await settled(maya, "failed")
    assert (done["helpers"][0]["channels"][0]["problem"], post.tried) == ("ambiguous", 3)


async def test_after_a_minute_without_a_message_it_is_said(server, maya, post):
    await trusts(maya, IVAN)
    post.rcpt["ivan@example.org"] = "451 later"
    await maya.get(TRIGGER)
    await server.turn_clock(61)
    assert (await state(maya))["line"] == ("No message has gone out yet, and the server keeps trying. You can call somebody you trust.")


async def test_an_alarm_ends_by_itself_and_nothing_is_sent_after_that(server, maya, post):
    await trusts(maya, IVAN)
    post.rcpt["ivan@example.org"] = "451 later"
    await maya.get(TRIGGER)
    await server.turn_clock(7201)
    await until(lambda: count(server, "alarm", "close_reason = 'expired' and closed_at is not null"))
    post.rcpt.clear()
    assert await count(server, "alarm_audit", "kind = 'expired'") == 1
    ended = await settled(maya, "cancelled", "failed")
    assert (ended["state"], ended["close_reason"], ended["line"]) == (
        "closed",
        "expired",
        "This alarm has ended by itself. Another press calls for help again.",
    )
    await asyncio.sleep(0.7)  # longer than a poll
    assert post.letters == []
