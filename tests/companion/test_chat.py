"""Talking with the companion by HTTP: the contract, the levels, consent and memory, all without a model."""

import pytest

from holdfast.clock import DAY, SECOND
from holdfast.companion.guided import talk
from holdfast.companion.service import Companion, speak
from holdfast.companion.wording import wording
from holdfast.errors import Unavailable
from holdfast.settings import Settings

IMMINENT = "I have the gun in my hand and I want to die"


def one_of(parts, text):
    """Whether one of the wordings of a part stands in the text, as far as no number is filled into it."""
    return any(part.partition("{")[0] and part.partition("{")[0] in text for part in parts)


async def say(person, text):
    answer = await person.post("/chat/me/", {"text": text})
    assert answer.status == 200
    assert list(answer.json) == ["response"]
    return answer.json["response"]


async def test_the_first_answer_says_that_it_is_an_ai_and_the_second_does_not(maya):
    first, second = await say(maya, "Hello"), await say(maya, "I cannot sleep")
    assert wording("en").disclosure in first
    assert wording("en").disclosure not in second


async def test_the_disclosure_returns_after_a_week_away(maya, server):
    await say(maya, "Hello")
    await server.turn_clock(8 * DAY / SECOND)
    assert wording("en").disclosure in await say(maya, "Hello again")


@pytest.mark.parametrize("body", [{}, {"text": None}, {"text": ""}, {"text": " \n\t"}, {"text": 7}, {"text": ["hello"]}, {"text": "\u200e\x00"}])
async def test_a_message_without_text_is_the_contracts_error(maya, body):
    answer = await maya.post("/chat/me/", body)
    assert (answer.status, answer.json) == (400, {"error": "Message text is required"})


async def test_a_text_that_is_too_long_says_so_and_with_a_sign_of_danger_names_a_contact(maya):
    calm = await maya.post("/chat/me/", {"text": "word " * 801})
    assert (calm.status, calm.json) == (400, {"error": wording("en").too_long})
    heavy = await maya.post("/chat/me/", {"text": "word " * 801 + ". I want to kill myself tonight"})
    assert heavy.status == 400
    assert "findahelpline.com" in heavy.json["error"]


async def test_four_thousand_characters_are_read_to_the_last_sentence(maya):
    text = "It rained today and I walked. " * 131 + "I want to die."
    assert one_of(wording("en").elevated.opening, await say(maya, text[-4000:]))


async def test_a_stranger_and_a_missing_person_get_the_same_404(maya, sam):
    other, missing = await maya.post(f"/chat/{sam.id}/", {"text": "Hello"}), await maya.post("/chat/999/", {"text": "Hello"})
    assert (other.status, other.json) == (404, {"error": "User not found"})
    assert other.content == missing.content


async def test_staff_may_write_for_anybody_and_nobody_needs_a_token(olive, sam, nobody):
    assert (await olive.post(f"/chat/{sam.id}/", {"text": "Hello"})).status == 200
    assert (await nobody.post("/chat/1/", {"text": "Hello"})).status == 401


async def test_imminent_begins_with_the_action_and_the_numbers_of_the_persons_country(maya):
    await maya.patch("/user/edit/me/", {"location": "Portland, USA"})
    lines = (await say(maya, IMMINENT)).splitlines()
    assert lines[0] == "Call now: 911. Or: 988 Lifeline: call or text 988, day and night."
    assert wording("en").not_a_person in " ".join(lines)


async def test_a_veteran_is_given_the_veterans_line(maya):
    await maya.patch("/user/edit/me/", {"location": "United States", "military_status": True})
    assert "988, then press 1" in (await say(maya, IMMINENT)).splitlines()[0]


async def test_the_country_that_the_person_names_goes_before_the_profile(maya):
    await maya.patch("/user/edit/me/", {"location": "USA"})
    assert "024" in await say(maya, "I am in Spain now and I want to die")


async def test_an_unknown_country_gets_the_directory_and_no_invented_number(maya):
    first = (await say(maya, IMMINENT)).splitlines()[0]
    assert "112 in most of Europe" in first
    assert "findahelpline.com" in first
    assert "988" not in first


async def test_two_imminent_answers_are_not_the_same_words(maya):
    assert (await say(maya, IMMINENT)).splitlines()[1:] != (await say(maya, IMMINENT)).splitlines()[1:]


@pytest.mark.parametrize(
    ("text", "language"), [("Хочу умереть", "ru"), ("Хочу померти, мені дуже важко", "uk"), ("Quiero morirme", "es"), ("Ich will sterben", "de")]
)
async def test_each_person_is_answered_in_the_language_of_the_message(maya, text, language):
    assert one_of(wording(language).elevated.opening, await say(maya, text))


async def test_a_bare_word_is_answered_in_the_language_of_the_talk(maya):
    await say(maya, "Ich kann nicht schlafen und habe Albträume")
    assert one_of(talk("de").topics["other"].body, await say(maya, "hm"))


async def test_a_wish_for_a_person_leads_to_people(maya):
    assert "support chat" in await say(maya, "Can I talk to a real person please")


async def test_consent_words_without_a_model_say_that_nothing_leaves(maya):
    assert wording("en").consent_none in await say(maya, "use model")
    assert wording("de").consent_none in await say(maya, "kein Modell")


async def test_the_talk_is_kept_in_order_with_its_levels(maya, server):
    await say(maya, "Hello")
    await say(maya, IMMINENT)
    async with server.db.read() as tx:
        row = await tx.row("select count(*) as turns, max(level) as level from companion_turn where user_id = :id and role = 'user'", id=maya.id)
    assert (row["turns"], row["level"]) == (2, "none")


class Gone:
    """A database that cannot be reached."""

    def read(self, *, alarm=False):
        raise Unavailable

    write = read

    def down(self, error):
        return True


async def test_a_database_that_fails_costs_the_memory_and_not_the_answer():
    answer = await speak(Gone(), Companion(Settings()), 1, IMMINENT)
    assert one_of(wording("en").imminent.first, answer)
