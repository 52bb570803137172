"""The context machine: the table of companion.md, section 3.6, row by row, and what stays, falls and comes back."""

import pytest
from msgspec.structs import replace

from holdfast.clock import DAY, HOUR
from holdfast.companion.auditor import Turn, follow_talk
from holdfast.companion.detector import Reading, read
from holdfast.companion.episode import Episode, closed, follow, next_question, with_question

NOW = 1_700_000_000_000_000
CALM = Reading("none")
YES = ["yes", "да", "так", "sí", "ja"]
NO = ["no", "нет", "ні", "no", "nein"]
EVASIONS = ["whatever", "пофиг", "байдуже", "da igual", "egal", "🙃"]
NAMED = {  # an object, a place, a time
    "plan": ["the bridge", "on friday", "мост", "в пятницу", "міст", "el puente", "el viernes", "die Brücke", "am Freitag"],
    "means": ["in the drawer", "pills", "в шкафу", "таблетки", "у шафі", "en el armario", "im Schrank"],
}
SIGNS = ["I want to kill myself", "Я хочу умереть", "Я хочу померти", "Quiero morirme", "Ich will sterben"]
TALK = ["I made soup", "lentils", "it rained", "fine", "the cat sleeps"]


def at(level, **known):
    return Episode(level=level, since=NOW, signed_at=NOW, seen_at=NOW, **known)


def said(episode, text, now=NOW):
    return follow(episode, read(text), text, now)


def rows():
    yield from (("thoughts", "watch", text, "elevated", "plan") for text in YES)
    yield from (("thoughts", "none", text, "none", None) for text in NO)
    yield from (("thoughts", "none", text, "watch", "thoughts") for text in EVASIONS)
    yield from (("thoughts", "elevated", text, "elevated", "plan") for text in [*YES, *NO, *EVASIONS])
    yield from (("plan", "elevated", text, "imminent", "safe_now") for text in [*YES, *NAMED["plan"]])
    yield from (("plan", "elevated", text, "elevated", "means") for text in [*NO, *EVASIONS])
    yield from (("means", "elevated", text, "imminent", "safe_now") for text in [*YES, *NAMED["means"]])
    yield from (("means", "elevated", text, "elevated", "safe_now") for text in [*NO, *EVASIONS])
    yield from (("safe_now", "elevated", text, "elevated", "who_is_with_you") for text in YES)
    yield from (("safe_now", "imminent", text, "imminent", "who_is_with_you") for text in YES)
    yield from (("safe_now", "elevated", text, "imminent", "who_is_with_you") for text in [*NO, *EVASIONS])
    yield from (("who_is_with_you", "imminent", text, "imminent", None) for text in ["my sister", "nobody", "🙃"])


EARLIER = {"thoughts": (), "plan": ("thoughts",), "means": ("thoughts", "plan"), "safe_now": ("thoughts", "plan", "means")}
EARLIER["who_is_with_you"] = (*EARLIER["safe_now"], "safe_now")


@pytest.mark.parametrize(("question", "level", "text", "after", "then"), list(rows()))
def test_the_context_table(question, level, text, after, then):
    asked = with_question(at(level, asked=EARLIER[question]), question)
    episode = follow(asked, CALM, text, NOW)
    assert (episode.level, next_question(episode)) == (after, then)


def test_a_thoughts_question_that_was_evaded_is_put_once_more_and_then_rests():
    once = said(with_question(Episode(), "thoughts"), "whatever")
    twice = said(with_question(once, next_question(once)), "lol")
    assert (twice.level, twice.reworded, next_question(twice)) == ("watch", True, None)


def test_a_denied_thoughts_question_is_not_put_again():
    denied = said(with_question(said(Episode(), "I can't bear any of this, it is hopeless"), "thoughts"), "no")
    assert "thoughts" in denied.asked and next_question(denied) != "thoughts"


def test_the_higher_of_reply_and_text_counts():
    episode = said(with_question(at("watch"), "thoughts"), "no, I am going to kill myself tonight")
    assert episode.level == "imminent"


@pytest.mark.parametrize("text", SIGNS)
@pytest.mark.parametrize("turn", [1, 10, 30, 100])
def test_a_sign_counts_the_same_at_any_turn(text, turn):
    talk = [Turn(*pair) for number in range(turn - 1) for pair in (("user", TALK[number % 5]), ("assistant", "Did you sleep?"))]
    assert follow_talk([*talk, Turn("user", text)]).level == follow_talk([Turn("user", text)]).level != "none"


def test_imminent_holds_a_day_then_falls_one_step_and_opens_with_a_check_in():
    episode = said(at("imminent"), "I made soup", NOW + DAY - 1)
    assert (episode.level, episode.check_in) == ("imminent", False)
    episode = said(at("imminent"), "I made soup", NOW + DAY)
    assert (episode.level, episode.check_in) == ("elevated", True)
    assert not with_question(episode, None).check_in


def test_a_new_sign_holds_imminent_for_another_day():
    episode = said(at("imminent"), "I want to kill myself", NOW + 20 * HOUR)
    assert said(episode, "I made soup", NOW + 30 * HOUR).level == "imminent"


def test_elevated_stays_until_the_safety_question_was_answered():
    episode = at("elevated")
    for _ in range(30):
        episode = said(episode, "I made soup", NOW)
    assert said(episode, "I made soup", NOW + 5 * DAY).level == "elevated"


def test_elevated_falls_one_step_after_ten_turns_or_a_day_with_the_safety_question_answered():
    safe = said(with_question(at("elevated"), "safe_now"), "yes")
    assert (safe.safe, safe.level) == (True, "elevated")
    assert said(safe, "I made soup", NOW + DAY).level == "watch"
    levels = []  # the answer itself was the first turn without a sign
    for _ in range(12):
        safe = said(safe, "I made soup")
        levels.append(safe.level)
    assert levels == ["elevated"] * 9 + ["watch"] * 2 + ["none"]


def test_a_sign_after_the_safety_question_asks_it_anew():
    safe = said(with_question(at("elevated", asked=("plan", "means")), "safe_now"), "yes")
    again = said(safe, "I want to die")
    assert (again.safe, next_question(again)) == (False, "safe_now")


@pytest.mark.parametrize(
    "text", ["I was only being dramatic, forget it", "забудь, преувеличил", "забудь, я жартую", "olvídalo, exageraba", "vergiss es, war ein scherz"]
)
@pytest.mark.parametrize("level", ["elevated", "imminent"])
def test_a_retraction_lowers_nothing(text, level):
    episode = said(at(level), text)
    assert episode.level == level and "retraction" in episode.flags


@pytest.mark.parametrize(
    "text", ["I meant the exam", "the rope is for the boat", "я имел в виду экзамен", "я про іспит", "me refería al examen", "ich meinte die Prüfung"]
)
def test_an_explanation_lowers_one_step_and_only_once(text):
    episode = said(at("imminent"), text)
    assert episode.level == "elevated"
    assert said(episode, text).level == "elevated"


@pytest.mark.parametrize("text", NO)
def test_a_denial_lowers_nothing(text):
    assert said(with_question(at("imminent"), "thoughts"), text).level == "imminent"


def test_another_persons_danger_stays_another_persons():
    episode = said(Episode(), "My brother wants to kill himself")
    assert "third_person" in said(with_question(episode, "plan"), "yes").flags


def test_no_question_is_put_while_an_act_is_in_progress():
    assert next_question(said(Episode(), "I took all the pills ten minutes ago")) is None


def test_a_person_of_the_service_closes_imminent():
    episode = closed(at("imminent"), NOW + HOUR)
    assert (episode.level, episode.check_in, episode.safe) == ("elevated", True, True)
    assert said(episode, "I made soup", NOW + HOUR).check_in
    assert closed(at("watch"), NOW) == at("watch")


def test_after_a_quiet_day_an_episode_is_over():
    over = said(replace(at("none"), asked=("thoughts",), flags=frozenset({"farewell", "minor"})), "I made soup", NOW + DAY)
    assert (over.asked, over.flags) == ((), {"minor"})


@pytest.mark.parametrize(
    "turns",
    [
        ["Rain again", "Did you sleep?", "no", "How strong is it, 0 to 10?", "8", "What is your plan for the weekend?", "hiking"],
        ["Опять дождь", "Хотите упражнение?", "да", "Насколько сильно, от 0 до 10?", "6", "Какие планы на выходные?", "дача"],
        ["Hola", "¿Has comido?", "no", "¿Hacemos un ejercicio de respiración?", "vale"],
    ],
)
def test_a_harmless_talk_stays_harmless(turns):
    talk = [Turn("assistant" if number % 2 else "user", text) for number, text in enumerate(turns)]
    assert follow_talk(talk).level == "none"


@pytest.mark.parametrize(
    "text", ["I wrote my goodbye letters", "Я написал прощальные письма", "The pills are in my hand", "Die Tabletten liegen vor mir"]
)
def test_weak_words_weigh_more_after_a_sign(text):
    assert said(at("elevated"), text).level == "imminent"


@pytest.mark.parametrize(
    "text", ["I will be asleep soon", "I am calm now", "I took my tablets for the blood pressure", "the cat sleeps", "Ich fahre heute mit dem Auto"]
)
def test_everyday_words_weigh_no_more_after_a_sign(text):
    assert said(at("elevated"), text).level == "elevated"
