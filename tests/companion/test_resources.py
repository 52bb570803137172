"""The lines that people are sent to: checked, dated, dialled as they are written, and there before anybody has signed in."""

import re
from datetime import date, timedelta

import pytest

from holdfast.companion.normalise import LANGUAGES
from holdfast.companion.resource_routes import Wanted, resources
from holdfast.companion.resources import FRESH, Line, country_of, directory, emergency_for, line_for, lines_for
from holdfast.companion.wording import wording

TODAY = date(2026, 11, 22)
LINES = directory().line
VERIFIED = [line for line in LINES if line.status == "verified"]


def line(**changes):
    return Line(
        **{
            "country": "US",
            "name": "A line",
            "how": ("call",),
            "dial": "1 2",
            "audience": ("everyone",),
            "source": "example.org",
            "status": "verified",
            "hours": "24/7",
            "verified_at": TODAY,
            "verified_by": "somebody",
        }
        | changes
    )


def test_every_verified_line_was_read_lately_and_says_where():
    """Red when a date grows old: then somebody reads the page again."""
    assert VERIFIED
    for line in VERIFIED:
        assert line.source and line.verified_by and line.hours, line.name
        assert line.verified_at is not None and timedelta(0) <= date.today() - line.verified_at < FRESH, f"{line.name}: read {line.source} again"


def test_no_line_is_written_in_e164():
    for line in LINES:
        assert not line.dial.startswith("+"), line.name
        assert "call" not in line.how or re.fullmatch(r"[0-9][0-9 \-]*", line.dial), line.name


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "not verified"},
        {"source": ""},
        {"verified_at": None},
        {"verified_at": TODAY - FRESH},
        {"hours": None},
        {"hours": "9-17"},
        {"how": ("chat",)},
    ],
)
def test_a_line_enters_an_answer_only_when_it_was_checked_and_is_awake(changes):
    assert line().usable(TODAY)
    assert not line(**changes).usable(TODAY)


def test_an_unverified_line_is_never_chosen_for_anybody():
    for country in directory().country:
        for veteran, young in ((False, False), (True, False), (False, True), (True, True)):
            chosen = lines_for(country, veteran=veteran, today=TODAY, young=young)
            assert all(line.status == "verified" for line in chosen)
            assert len(chosen) <= 2
    assert line_for("GB", veteran=True, today=TODAY) is None


def test_each_person_gets_the_line_of_their_own_first_and_the_general_one_second():
    assert [(line.name, line.press) for line in lines_for("US", veteran=True, today=TODAY)] == [("Veterans Crisis Line", "1"), ("988 Lifeline", None)]
    assert [line.name for line in lines_for("US", veteran=False, today=TODAY)] == ["988 Lifeline"]
    assert [line.dial for line in lines_for("UA", veteran=True, today=TODAY)] == ["7333"]
    assert line_for("AU", veteran=False, today=TODAY) is None
    assert line_for("AU", veteran=True, today=TODAY).dial == "1800 011 046"


def test_a_young_person_gets_the_general_line_where_no_line_for_the_young_was_checked():
    assert line_for("US", veteran=False, young=True, today=TODAY).name == "988 Lifeline"
    assert line_for("RU", veteran=False, young=True, today=TODAY) is None


def test_a_link_is_what_is_dialled_without_its_spaces():
    assert line(dial="116 123").tel == "tel:116123"
    assert line(dial="116 123").sms is None
    assert line(how=("text",), dial="741 741", keyword="HOME").sms == "sms:741741"
    assert line(how=("text",), dial="741 741").tel is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("country", ["", *directory().country, "XX", "Atlantis"])
def test_every_country_has_its_fallback(country, language):
    found = resources(Wanted(country, language), TODAY)
    assert found.emergency_text == (emergency_for(country) or wording(language).emergency_unknown)
    assert found.directory_url == "https://findahelpline.com"
    assert found.country == (country if country in directory().country else None)


def test_each_country_of_a_line_is_a_country_that_can_be_named():
    assert {line.country for line in LINES} <= directory().country.keys()


@pytest.mark.parametrize(
    ("texts", "country"),
    [
        (("I live in Israel", None), "IL"),
        (("в Японии", None), "JP"),
        (("Hello", "es"), "ES"),
        (("es", "Kyiv, Ukraine"), "UA"),
        (("es", None), None),
        ((None, "au"), "AU"),
        ((None, ""), None),
    ],
)
def test_a_code_is_a_country_in_a_setting_and_not_in_what_is_said(texts, country):
    assert country_of(*texts) == country


async def test_the_list_is_there_for_everybody(nobody):
    answer = await nobody.get("/resources/?country=US")
    assert answer.status == 200
    assert (answer.json["country"], answer.json["emergency"], answer.json["emergency_text"]) == ("US", ["911"], "911")
    first = answer.json["lines"][0]
    assert (first["dial"], first["tel"], first["sms"], first["status"]) == ("988", "tel:988", "sms:988", "verified")
    assert date.fromisoformat(first["verified_at"])
    assert "741741" not in answer.content.decode()


async def test_a_country_without_a_checked_line_keeps_what_always_works(nobody):
    answer = await nobody.get("/resources/?country=gb")
    assert (answer.json["emergency"], answer.json["lines"], answer.json["directory"]) == (["999", "112"], [], "findahelpline.com")


async def test_an_unknown_country_is_no_error(nobody):
    for asked in ("/resources/", "/resources/?country=Atlantis", "/resources/?country=&language=uk"):
        answer = await nobody.get(asked)
        assert (answer.status, answer.json["country"], answer.json["lines"]) == (200, None, [])
    assert answer.json["emergency_text"] == wording("uk").emergency_unknown


async def test_the_list_does_not_need_the_database(server, nobody):
    await server.db.close()
    assert (await nobody.get("/resources/?country=UA")).json["lines"][0]["dial"] == "7333"
