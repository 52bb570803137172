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
from holdfast.delivery.schemas import Standing

CANNOT = "cannot be notified: this server has no mail server set up."


async def test_the_alarm_is_recorded_and_the_answer_says_that_it_cannot_be_sent(server, maya):
    await trusts(maya, IVAN, OLGA, NADIA)
    with capture_logs() as said:
        answer = await maya.get(TRIGGER)
    assert answer.status == 200
    assert answer.json["messages"][1:] == [
        f"Ivan (brother) {CANNOT}",
        "Olga (friend) cannot be reached: no e-mail address is stored, and this server cannot send SMS.",
        f"Dr Nadia (therapist) {CANNOT}",
    ]
    assert await count(server, "delivery", "state = 'pending' and attempt = 0") == 2
    loud = [line for line in said if line["event"] == "alarm_reaches_nobody"]
    assert [(line["log_level"], line["alarm_id"]) for line in loud] == [("error", 1)]
    assert not any("Ivan" in json.dumps(line) or "ivan@" in json.dumps(line) for line in said)


async def test_the_live_state_names_the_reason(maya):
    await trusts(maya, IVAN, OLGA)
    await maya.get(TRIGGER)
    seen = await state(maya)
    assert seen["line"] == "Nobody can be notified: this server has no mail server set up. You can call somebody you trust."
    assert seen["helpers"] == [
        {"name": "Ivan", "relationship": "brother", "channels": [{"channel": "email", "state": "pending", "problem": "not_configured"}]},
        {"name": "Olga", "relationship": "friend", "channels": []},
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
        (None, "cannot be reached: no e-mail address is stored, and this server cannot send SMS."),
    ],
)
def test_a_sentence_is_no_more_than_true(standing, sentence):
    deliveries = [Standing(7, "email", "ivan@example.org", *standing, 1)] if standing else []
    assert sentences.about(Helper(7, "contact", 1, 0, "Ivan", "brother"), deliveries, ["email"], True) == f"Ivan (brother) {sentence}"


def test_somebody_without_any_address_cannot_be_reached():
    said = sentences.about(Helper(7, "therapist", 1, 0, "Olga", "therapist"), [], ["email"], False)
    assert said == "Olga (therapist) cannot be reached: no e-mail address or telephone number is stored."


@pytest.mark.parametrize("level", [1, 2])
def test_a_letter_is_uncertain_says_what_to_do_and_carries_its_reference(level):
    body = sentences.letter(level, "Ї" * 150, "0042-0")
    assert body.text.endswith("\n\nRef 0042-0\n")
    assert "automatic safety message" in body.text
    assert "may need support now. Please call or visit." in body.text
    for word in ("ptsd", "holdfast", "will ", "police", "!", "just ", "only ", "simply "):
        assert word not in (body.subject + body.text).casefold()
