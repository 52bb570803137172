"""No mail server is set up: the alarm is recorded, and nobody is told that it can be sent."""

import json

import pytest
from calling import FROM, IVAN, NADIA, OLGA, TRIGGER, count, state, trusts
from conftest import serving
from mailserver import mail_server
from msgspec import structs
from structlog.testing import capture_logs

from holdfast.alarms import sentences
from holdfast.alarms.schemas import Helper
from holdfast.contacts.schemas import Person, Way
from holdfast.delivery.schemas import Standing

CANNOT = "cannot be notified: this server has no"


async def test_the_alarm_is_recorded_and_the_answer_says_that_it_cannot_be_sent(server, maya):
    await trusts(maya, IVAN, OLGA, NADIA)
    with capture_logs() as said:
        answer = await maya.get(TRIGGER)
    assert answer.status == 200
    assert answer.json["messages"][1:] == [
        f"Ivan (brother) {CANNOT} way to send e-mail and SMS.",
        f"Olga (friend) {CANNOT} way to send SMS.",
        f"Dr Nadia (therapist) {CANNOT} mail server set up.",
    ]
    assert await count(server, "delivery", "state = 'pending' and attempt = 0") == 4
    loud = [line for line in said if line["event"] == "alarm_reaches_nobody"]
    assert [(line["log_level"], line["alarm_id"]) for line in loud] == [("error", 1)]
    assert not any("Ivan" in json.dumps(line) or "ivan@" in json.dumps(line) for line in said)


async def test_the_live_state_names_the_reason(maya):
    await trusts(maya, IVAN, OLGA)
    await maya.get(TRIGGER)
    seen = await state(maya)
    assert seen["line"] == "Nobody can be notified: this server has no mail server set up. You can call somebody you trust."
    waiting = {"state": "pending", "problem": "not_configured"}
    assert [(helper["name"], helper["channels"]) for helper in seen["helpers"]] == [
        ("Ivan", [{"channel": "email", **waiting}, {"channel": "sms", **waiting}]),
        ("Olga", [{"channel": "sms", **waiting}]),
    ]


async def test_with_nobody_stored_the_live_state_says_so(maya):
    await maya.get(TRIGGER)
    assert (await state(maya))["line"] == "No emergency contact is stored. You can call somebody you trust."


async def test_a_mail_server_set_up_within_the_alarms_life_gets_it_and_a_repeat_says_so(maya, fresh):
    await trusts(maya, IVAN)
    await maya.get(TRIGGER)
    async with mail_server() as post, serving(structs.replace(fresh.settings, smtp_url=post.url, mail_from=FROM)) as configured:
        await post.arrived(1)
        maya.client.base_url = f"http://{configured.address}"
        await trusts(maya, {**OLGA, "email": "olga@example.org"})
        again = await maya.get(TRIGGER)
        assert again.json["messages"][1] in ("Ivan (brother) has been notified by e-mail.", "Ivan (brother) is being notified by e-mail.")
        assert again.json["messages"][2] == "Olga (friend) is being notified by e-mail."
        await post.arrived(2)
    assert post.recipients == ["ivan@example.org", "olga@example.org"]


@pytest.mark.parametrize(
    ("standing", "sentence"),
    [
        (("pending", None), "is being notified by e-mail."),
        (("leased", "temporary"), "is being notified by e-mail."),
        (("accepted", None), "has been notified by e-mail."),
        (("failed", "ambiguous"), "may have been notified by e-mail."),
        (("failed", "permanent"), "could not be reached by e-mail."),
        (("failed", "expired"), "could not be reached by e-mail."),
    ],
)
def test_a_sentence_is_no_more_than_true(standing, sentence):
    deliveries = [Standing(7, "email", "ivan@example.org", *standing, 1)]
    assert sentences.about(Helper(7, "contact", 1, 0, "Ivan", "brother"), deliveries, ["email"], None) == f"Ivan (brother) {sentence}"


def test_both_channels_are_named():
    deliveries = [Standing(7, channel, "somewhere", "pending", None, 0) for channel in ("sms", "email")]
    said = sentences.about(Helper(7, "contact", 1, 0, "Ivan", "brother"), deliveries, ["email", "sms"], None)
    assert said == "Ivan (brother) is being notified by e-mail and SMS."


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (None, "no e-mail address or telephone number is stored."),
        ("stopped", "STOP was the answer to earlier messages."),
        ("premium", "messages to this telephone number are not allowed."),
    ],
)
def test_somebody_without_a_usable_address_cannot_be_reached(problem, sentence):
    ways = [Way("sms", "+1", problem=problem)] if problem else []
    person = Person(1, "therapist", "Olga", "therapist", None, None, ways)
    assert (
        sentences.about(Helper(7, "therapist", 1, 0, "Olga", "therapist"), [], ["email"], person) == f"Olga (therapist) cannot be reached: {sentence}"
    )
