"""The embedded guided support: what a message is about, how the answer is put together, and the words that decide."""

import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

from holdfast.companion.detector import Reading
from holdfast.companion.exercises import exercises
from holdfast.companion.guided import OFTEN, consent_in, guide, sharing_in, talk, topic_of, topics, wants_person
from holdfast.companion.never_list import forbidden
from holdfast.companion.normalise import LANGUAGES
from holdfast.companion.output_check import reasons_against
from holdfast.companion.words import vocabulary

MESSAGES = Path(__file__).parent / "topics"
LINE = {"en": "988, day and night", "ru": "7333, круглосуточно", "uk": "7333, цілодобово", "es": "024, día y noche", "de": "112, Tag und Nacht"}
WITH_LINE = {"human", "professional", "medicine", "pain", "called"}
FREQUENT = {"panic", "flashback", "nightmare", "sleep", "anger", "numb", "low", "guilt", "lonely", "crowd", "alert", "other"}
TONE = {
    "en": r"\b(?:just|only|simply|commit\w*|suicid\w*)\b",
    "ru": r"\b(?:просто|только|лишь|суицид\w*|самоубийств\w*)\b|\w\([аиы]\w*\)",
    "uk": r"\b(?:просто|тільки|лише|лиш|суїцид\w*|самогубств\w*)\b|\w\([аиі]\w*\)",
    "es": r"\b(?:solo|sola|sólo|solamente|simplemente|suicid\w*)\b|\w/[ao]\b|\w@",
    "de": r"\b(?:nur|einfach|bloß|lediglich|selbstmord\w*|suizid\w*)\b|\w[*:]in",
}


def messages(folder, language):
    return [line.split("\t") for line in (folder / f"{language}.tsv").read_text("utf-8").splitlines()]


def share(folder, language):
    lines = messages(folder, language)
    return sum(topic_of(text) == topic for topic, text in lines) / len(lines)


def guided(text, language="en", openings=(), turn=0, flags=(), **about):
    return guide(text, Reading("none", frozenset(flags), (), language), tuple(openings), turn, **about)


def whole_answers(language):
    """Every opening, body and choice of every topic at least once, each in a whole answer."""
    texts = talk(language)
    for topic, known in topics().items():
        said, choices = texts.topics[known.words or topic], [choice for exercise in known.offers for choice in texts.offer[exercise]] or [""]
        for opening, body, choice in zip(said.opening, itertools.cycle(said.body), itertools.cycle(choices), strict=False):
            yield topic, "\n".join(part for part in (opening, body, choice) if part)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_topics_of_our_own_messages_are_recognised(language):
    assert len(messages(MESSAGES, language)) >= 96
    assert share(MESSAGES, language) >= 0.97


def test_messages_written_without_a_look_at_the_words_are_mostly_recognised():
    """Written after the word lists: 99 of 120 at first sight, and one entry was changed since. Each language alone is too small to be judged."""
    shares = {language: share(MESSAGES / "held_out", language) for language in LANGUAGES}
    assert sum(shares.values()) / len(shares) >= 0.75, shares


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_five_languages_hold_the_same_topics_in_as_many_wordings(language):
    texts, english = talk(language), talk("en")
    assert texts.offer.keys() == exercises().keys()
    assert {name: len(said.body) for name, said in texts.topics.items()} == {name: len(said.body) for name, said in english.topics.items()}
    assert texts.topics.keys() == {known.words or topic for topic, known in topics().items()}
    for name, said in texts.topics.items():
        assert len(set(said.opening)) >= 6
        assert len(set(said.body)) == len(said.body) >= (3 if name in FREQUENT else 2)
    openings = [opening for said in texts.topics.values() for opening in said.opening]
    assert len(set(openings)) == len(openings)


def test_every_exercise_that_a_topic_offers_is_in_the_catalogue():
    assert {exercise for known in topics().values() for exercise in known.offers} <= exercises().keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_passes_the_output_check_and_keeps_the_tone(language):
    for name, text in whole_answers(language):
        assert set(re.findall(r"\{\w*\}", text)) <= ({"{line}"} if name in WITH_LINE else set())
        filled = text.replace("{line}", LINE[language])
        assert reasons_against(filled, language, ours=True) == [], (name, text)
        assert "!" not in text and not re.search(TONE[language], text, re.IGNORECASE), text
        assert len(filled.split()) <= 110, (name, text)
    for choice in [choice for choices in talk(language).offer.values() for choice in choices]:
        assert forbidden(choice, language, calm=True) == [], choice


def test_a_second_message_about_the_same_gets_other_words():
    first = guided("I am having a panic attack")
    second = guided("panic again", openings=[first.opening])
    assert first.topic == second.topic == "panic"
    assert set(first.text.splitlines()).isdisjoint(second.text.splitlines())


@pytest.mark.parametrize(("language", "turn"), list(itertools.product(LANGUAGES, (0, 5))))
def test_in_a_long_talk_no_opening_comes_twice_running_or_more_than_three_times(language, turn):
    openings, firsts = [], []
    for _ in range(30):
        answer = guided("panic, Panik, паника, паніка, pánico", language, openings, turn)
        openings.append(answer.opening)
        firsts.append(answer.text.splitlines()[0])
    known = set(talk(language).topics["panic"].opening)
    times = Counter(first for first in firsts if first in known)
    assert set(times) == known and max(times.values()) == OFTEN
    assert all(before != after for before, after in itertools.pairwise(firsts[: len(known) * OFTEN]))
    bodies = [opening.split(":")[2] for opening in openings]
    assert all(before != after for before, after in itertools.pairwise(bodies))


def test_the_same_message_is_answered_the_same_and_another_turn_in_other_words():
    assert guided("I cannot sleep", turn=3) == guided("I cannot sleep", turn=3)
    assert len({guided("I cannot sleep", turn=turn).text for turn in range(6)}) == 6


def test_the_choice_names_the_exercise_that_a_yes_begins():
    answer = guided("I had a nightmare")
    assert answer.offers == "after_nightmare"
    assert answer.text.splitlines()[-1] in talk("en").offer["after_nightmare"]
    helped = guided("I had a nightmare", suggest=lambda topic: "muscles" if topic == "nightmare" else None)
    assert helped.offers == "muscles"
    assert helped.text.splitlines()[-1] in talk("en").offer["muscles"]


def test_a_topic_without_an_exercise_offers_none():
    assert guided("who can read this").offers is None


def test_openings_of_another_version_are_no_obstacle():
    assert guided("hello", openings=["", "greeting", "greeting:x:y", "gone:1:2", "greeting:99:99"]).topic == "greeting"


def test_a_reading_in_an_unknown_language_is_answered_in_english():
    assert guided("hello", "xx").text.splitlines()[0] in talk("en").topics["greeting"].opening


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("hello, I can't sleep", "sleep"),
        ("thanks, but I still have nightmares", "nightmare"),
        ("We talked about sleep yesterday. Today I am so angry, I am furious.", "anger"),
        ("I got angry at lunch. Now I can't sleep, wide awake at 3 am.", "sleep"),
        ("help me sleep", "sleep"),
        ("good night", "goodbye"),
        ("ok, going to bed", "goodbye"),
        ("😭", "low"),
        ("😀🎈", "empty"),
        ("?!", "empty"),
        ("", "empty"),
        ("qwertz", "other"),
    ],
)
def test_the_more_specific_topic_and_the_last_sentence_win(text, topic):
    assert topic_of(text) == topic


def test_what_the_crisis_check_heard_counts_too():
    assert topic_of("qwertz", frozenset({"asks_human"})) == "human"
    assert topic_of("qwertz", frozenset({"asks_if_ai", "minor"})) == "ai"


@pytest.mark.parametrize("language", LANGUAGES)
def test_whether_somebody_was_called_is_answered_with_no(language):
    no = {"en": "no|not|nobody", "ru": "не|нет|никому", "uk": "не|ні|нікому", "es": "no", "de": "nein|kein|keine|niemanden|nichts"}[language]
    for opening in talk(language).topics["called"].opening:
        assert re.search(rf"\b(?:{no})\b", opening, re.IGNORECASE), opening


@pytest.mark.parametrize(
    "text",
    [
        "I want to talk to a human",
        "could I speak with someone from the staff",
        "I had a nightmare and want to talk to a real person about it",
        "позовите живого человека",
        "мне бы поговорить с кем-нибудь из сотрудников",
        "хочу поговорити з живою людиною",
        "можна написати комусь із волонтерів",
        "quiero hablar con una persona",
        "necesito hablar con alguien del personal, con un voluntario",
        "ich möchte mit einem Menschen sprechen",
        "gibt es hier Leute, mit denen ich reden kann? Ich will mit jemandem sprechen",
    ],
)
def test_a_wish_for_a_person_is_heard_in_any_wording(text):
    assert wants_person(text)


@pytest.mark.parametrize("text", ["I cannot sleep", "мой сосед шумит", "мені сумно", "mi perro está enfermo", "ich habe Albträume", ""])
def test_other_messages_are_no_wish_for_a_person(text):
    assert not wants_person(text)


@pytest.mark.parametrize(
    ("text", "decided"),
    [
        ("use model", "given"),
        ("Yes, use the model please", "given"),
        ("использовать модель", "given"),
        ("да, можно модель", "given"),
        ("Використовувати модель", "given"),
        ("usar modelo", "given"),
        ("Modell benutzen", "given"),
        ("ja, benutze das Modell", "given"),
        ("no model", "refused"),
        ("don't use the model", "refused"),
        ("без модели", "refused"),
        ("без моделі, будь ласка", "refused"),
        ("sin modelo", "refused"),
        ("kein Modell bitte", "refused"),
        ("use model? no model", "refused"),
        ("should I use the model?", None),
        ("I use model trains to calm down", None),
        ("what is a model", None),
        ("yes", None),
        ("", None),
        ("I was thinking that you could maybe use the model if that helps", None),
    ],
)
def test_consent_is_given_and_taken_back_in_short_plain_words(text, decided):
    assert consent_in(text) == decided


@pytest.mark.parametrize(
    ("text", "decided"),
    [
        ("share", "yes"),
        ("Yes, you may share my messages", "yes"),
        ("поделиться", "yes"),
        ("да, можно показать", "yes"),
        ("ділитися", "yes"),
        ("sí, compartir", "yes"),
        ("teilen", "yes"),
        ("ja, du darfst teilen", "yes"),
        ("do not share", "no"),
        ("don't share", "no"),
        ("не делиться", "no"),
        ("не ділитися", "no"),
        ("no compartir", "no"),
        ("nicht teilen", "no"),
        ("I want to share something", None),
        ("may I share?", None),
        ("never", None),
        ("quiero compartir una foto contigo", None),
        ("ich teile die Wohnung", None),
    ],
)
def test_sharing_is_agreed_to_in_words_that_say_nothing_else(text, decided):
    assert sharing_in(text) == decided


ASKED_FOR = {
    "en": ("panic", "sleep", "anger", "lonely", "alone", "pain", "memories", "person", "breathe", "senses", "exercise", "nightmares"),
    "ru": ("паника", "сон", "злость", "одиночество", "боль", "воспоминания", "человек", "дыхание", "заземление", "упражнение", "кошмары"),
    "uk": ("паніка", "сон", "злість", "самотність", "біль", "спогади", "людина", "дихання", "заземлення", "вправа", "кошмари"),
    "es": ("pánico", "sueño", "rabia", "enfado", "soledad", "dolor", "recuerdos", "persona", "respirar", "anclaje", "ejercicio", "pesadillas"),
    "de": ("Panik", "Schlaf", "Wut", "allein", "Schmerzen", "Erinnerungen", "Mensch", "atmen", "Erdung", "Übung", "Albträume"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_single_words_that_our_texts_ask_for_are_understood(language):
    spoken = " ".join(body for said in talk(language).topics.values() for body in said.body).casefold()
    for word in ASKED_FOR[language]:
        assert word.casefold() in spoken
        assert topic_of(word) not in ("other", "empty"), word


def test_a_text_full_of_topics_is_weighed_in_linear_time():
    known = vocabulary("topics")

    def work(text):
        before = known.steps
        topic_of(text)
        return known.steps - before

    short, long = "panic sleep I want to talk to no one at night. " * 20, "panic sleep I want to talk to no one at night. " * 80
    assert work(long) < 6 * work(short)
