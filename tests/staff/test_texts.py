"""Operators change the wording, see how long it is, and cannot break it."""

from typing import Any

import pytest
from calling import count
from conftest import Person

from holdfast.texts import LANGUAGES

PLACE = "/staff/texts/"
KEY = "sms.alarm.level_2"
SHORT = "{who} may like a call. {link}"


def of(texts: list[dict[str, Any]], language: str = "en", key: str = KEY) -> dict[str, Any]:
    return next(text for text in texts if (text["language"], text["key"]) == (language, key))


async def test_every_text_is_listed_with_its_preview(olive: Person):
    everything = (await olive.get(PLACE)).json
    assert {text["language"] for text in everything} == set(LANGUAGES)
    english = (await olive.get(f"{PLACE}?language=en")).json
    assert english == [text for text in everything if text["language"] == "en"]
    alarm = of(english)
    assert alarm["text"] == alarm["original"] and alarm["changed"] is False
    assert (alarm["sample"]["encoding"], alarm["sample"]["units"], alarm["sample"]["segments"]) == ("gsm7", 160, 1)
    assert "https://" in alarm["sample"]["text"] and "Ref 9999-99" in alarm["sample"]["text"]
    assert of(everything, "uk")["sample"]["encoding"] == "ucs2"
    subject = of(english, key="email.alarm.level_2.subject")
    assert subject["sample"] == {"text": subject["text"], "encoding": None, "units": None, "segments": None}
    assert (await olive.get(f"{PLACE}?language=fr")).json == []


async def test_a_text_is_changed_and_goes_back(server, olive: Person):
    change = {"language": "en", "key": KEY, "text": SHORT}
    changed = await olive.put(PLACE, change)
    assert (changed.status, changed.json["text"], changed.json["changed"]) == (200, SHORT, True)
    assert of((await olive.get(PLACE)).json) == changed.json
    await olive.put(PLACE, change | {"text": SHORT + " Thank you."})
    assert await count(server, "text_override", "changed_by = 3") == 1
    back = (await olive.put(PLACE, change | {"text": None})).json
    assert back["changed"] is False and back["text"] == back["original"]
    assert await count(server, "text_override") == 0
    assert await count(server, "audit", "actor_id = 3 and action = 'text_changed en sms.alarm.level_2'") == 3


async def test_a_preview_keeps_nothing(server, olive: Person):
    answer = await olive.post(f"{PLACE}preview/", {"language": "de", "key": "email.closing.text", "text": "Von {who} kam nichts.\n\nBitte anrufen."})
    assert answer.status == 200 and "Bitte anrufen." in answer.json["sample"]["text"]
    assert await count(server, "text_override") == 0


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"language": "fr"}, "language", "Must be one of en, uk, ru, es, de."),
        ({"key": "sms.nothing"}, "key", "There is no such text."),
        ({"key": "short.alarm.level_2"}, "key", "There is no such text."),
        ({"text": 7}, "text", "Must be text, or null for the text that comes with the service."),
        ({"text": " "}, "text", "Must be text, or null for the text that comes with the service."),
        ({"text": "a\nb {link}"}, "text", "Must not contain control characters."),
        ({"text": "Please call {who}."}, "text", "It must hold {link}."),
        ({"text": "{who} {link"}, "text", "Its braces do not match."),
        ({"text": "{who.__class__} {link}"}, "text", "It holds {who.__class__}, for which there is nothing here."),
        ({"text": "{who!r} {link}"}, "text", "It holds {who}, for which there is nothing here."),
        ({"text": "{} {link}"}, "text", "It holds {}, for which there is nothing here."),
        ({"text": "{count} {link}"}, "text", "It holds {count}, for which there is nothing here."),
        ({"key": "sms.all_clear.own", "text": "From {who}."}, "text", "It must hold {text}."),
        ({"key": "sms.invitation", "text": "{who} {link}"}, "text", "It must hold STOP."),
        ({"key": "sms.drill.alarm", "text": "Test: {who} {link}"}, "text", "It must begin with DRILL."),
        (
            {"text": "x" * 80 + "{who}{link}"},
            "text",
            "It is too long: with the longest values it has 161 characters, and 160 characters of GSM-7 fit.",
        ),
        (
            {"language": "uk", "text": "щ" * 54 + "{who}{link}"},
            "text",
            "It is too long: with the longest values it has 135 characters, and 134 of UCS-2 fit.",
        ),
        ({"key": "email.closing.subject", "text": "x" * 79}, "text", "It must have at most 78 characters."),
        ({"key": "email.closing.text", "text": "x" * 4001}, "text", "It must have at most 4,000 characters."),
    ],
)
async def test_what_would_break_a_message_is_refused_with_its_reason(server, olive: Person, change, field, reason):
    body = {"language": "en", "key": KEY, "text": SHORT} | change
    for answer in (await olive.put(PLACE, body), await olive.post(f"{PLACE}preview/", body)):
        assert (answer.status, answer.json) == (400, {field: [reason]})
    assert await count(server, "text_override") == 0


async def test_others_change_nothing(maya: Person, nobody: Person):
    body = {"language": "en", "key": KEY, "text": SHORT}
    assert [(await person.put(PLACE, body)).status for person in (maya, nobody)] == [403, 401]
