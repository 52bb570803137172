"""The page behind an invitation (alarm.md, section 12)."""

import pytest
from calling import FROM, IVAN, count, trusts
from links import link, seen
from mailserver import mail_server

from holdfast.texts import LANGUAGES, page

WORDS = page("en")["c"]
TWO_DAYS = 48 * 3600


@pytest.fixture
async def post():
    async with mail_server() as post:
        yield post


@pytest.fixture
def settings(post):
    return {"smtp_url": post.url, "mail_from": FROM}


@pytest.fixture
async def asked(maya, post):
    """Ivan has an invitation; the path that it leads to."""
    await trusts(maya, IVAN)
    assert (await maya.post("/user/contact/1/invite/")).status == 202
    await post.arrived(1)
    return link(post, "ivan@example.org", "c")


def said(key):
    return WORDS[key].format(who="maya")


async def channel(maya):
    contact = (await maya.get("/user/contacts/me/")).json[0]
    return next(one["state"] for one in contact["channels"] if one["channel"] == "email")


async def test_looking_says_who_asks_and_changes_nothing(client, maya, asked):
    for _ in range(2):
        found = seen(await client.get(asked))
        assert said("asks") in found.text and said("not_emergency") in found.text
        assert all(line.format(who="maya") in found.text for line in WORDS["meaning"])
        assert [one["value"] for one in found.all("button")] == ["accept", "not_me", "stop"]
    assert (await client.head(asked)).status_code == 405
    assert await channel(maya) == "unconfirmed"


@pytest.mark.parametrize(
    ("choice", "state", "words"), [("accept", "confirmed", "accepted"), ("not_me", "stopped", "refused"), ("stop", "stopped", "stopped")]
)
async def test_each_choice_counts_once_however_often_it_is_made(client, maya, asked, choice, state, words):
    for _ in range(2):
        answer = await client.post(asked, data={"choice": choice})
        assert (answer.status_code, answer.headers["location"]) == (303, asked)
    assert said(words) in seen(await client.get(asked)).text
    assert await channel(maya) == state


async def test_the_last_choice_counts(client, maya, asked):
    for choice, state in (("stop", "stopped"), ("accept", "confirmed"), ("not_me", "stopped"), ("accept", "confirmed")):
        await client.post(asked, data={"choice": choice})
        assert await channel(maya) == state


async def test_after_two_days_it_can_no_longer_say_yes_but_still_stop(server, client, maya, asked):
    await server.turn_clock(TWO_DAYS + 60)
    found = seen(await client.get(asked))
    assert said("expired") in found.text and [one["value"] for one in found.all("button")] == ["not_me", "stop"]
    await client.post(asked, data={"choice": "accept"})
    async with server.db.read() as tx:  # maya's token has had its idle day
        assert await tx.value("select state from contact_channel where channel = 'email'") == "unconfirmed"
    await client.post(asked, data={"choice": "stop"})
    assert await count(server, "opt_out", "destination = 'ivan@example.org'") == 1


async def test_what_is_no_choice_is_400_and_changes_nothing(client, maya, asked):
    for form in ({}, {"choice": "yes"}, {"answer": "calling"}, {"choice": "ACCEPT"}):
        answer = await client.post(asked, data=form)
        assert answer.status_code == 400
        assert len(seen(answer).all("button")) == 3
    assert await channel(maya) == "unconfirmed"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_speaks_the_browsers_language_until_the_contact_has_one(client, maya, asked, language):
    found = seen(await client.get(asked, headers={"Accept-Language": f"{language};q=0.9, fr"}))
    assert found.all("html")[0]["lang"] == language
    assert page(language)["c"]["asks"].format(who="maya") in found.text
    assert (await maya.patch("/user/contact/1/", {"language": "uk"})).status == 200
    assert seen(await client.get(asked, headers={"Accept-Language": language})).all("html")[0]["lang"] == "uk"
