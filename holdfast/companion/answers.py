"""What is answered at each level: the parts that section 4 of the companion's rules asks for, put together without a model."""

from holdfast.companion.detector import Reading
from holdfast.companion.telling import Circumstances, Contact, Lines, Part, Telling, contact, filled, fitted, numbered, telling
from holdfast.companion.wording import Frame, wording

__all__ = ["Circumstances", "Contact", "answer", "asks", "beside", "contact", "filled", "too_long", "with_reflection"]

LIMITS = {"watch": 110, "elevated": 130, "imminent": 90}  # words


def answer(reading: Reading, about: Circumstances) -> str:
    """From `watch` up; `reading.level` is the level after the talk so far."""
    told = telling(reading, about)
    limit = LIMITS[reading.level]
    text = fitted(_lines(told), limit)
    return text if len(text.split()) <= limit else fitted(_lines(telling(reading, about, short=True)), limit)


def asks(reading: Reading, about: Circumstances) -> str | None:
    """Which of our questions `answer` puts, for the episode to remember: a frame's own question is none of them."""
    return None if reading.level == "none" else telling(reading, about).asks()


def too_long(reading: Reading, about: Circumstances) -> str:
    words = wording(reading.language)
    if reading.level == "none":
        return words.too_long
    return filled(words.too_long_contact, contact(words, about, reading))


def beside(reading: Reading, about: Circumstances, name: str) -> str:
    """While somebody of the service is in the talk the companion is silent; in danger the contact stays in sight."""
    told = telling(reading, about)
    texts = told.words.staff.beside
    kept = {"elevated": told.words.reach, "imminent": told.words.imminent.first}.get(reading.level, [])
    return fitted([told.say(kept), [Part(texts[about.turn % len(texts)].format(name=name))]], LIMITS["imminent"])


def with_reflection(text: str, said: str, level: str) -> str:
    """The model's checked sentences behind the acknowledgement; without them when the answer would grow too long."""
    first, _, rest = text.partition("\n")
    longer = f"{first}\n{said}\n{rest}"
    return longer if len(longer.split()) <= LIMITS[level] else text


def _lines(told: Telling) -> Lines:
    frame = told.frame()
    return _in_frame(told, frame) if frame else _own(told)


def _own(told: Telling) -> Lines:
    """The person's own risk."""
    first, later = {"imminent": (_imminent, _imminent_later), "elevated": (_elevated, _elevated_later), "watch": (_watch, _watch_later)}[
        told.reading.level
    ]
    return first(told) if told.about.first else later(told)


def _in_frame(told: Telling, frame: Frame) -> Lines:
    """An act in progress, another person at risk, danger to or from somebody."""
    if told.reading.level == "imminent":
        return _urgent(told, frame) if told.about.first else _urgent_later(told, frame)
    return _careful(told, frame) if told.about.first else _careful_later(told, frame)


def _imminent(told: Telling) -> Lines:
    """The first line is the action, with the numbers; then at most three numbered lines."""
    texts = told.words.imminent
    return [
        [*told.say(texts.first), *told.second()],
        told.acknowledged(texts.opening),
        *numbered([told.say(_person(told)), told.say(texts.distance), told.say(texts.waiting)]),
        [*told.say(texts.barrier, 2), *told.voices(), *told.say(texts.own, 4), *told.staff()],
        [*told.asked(), *told.ai()],
    ]


def _imminent_later(told: Telling) -> Lines:
    texts = told.words.imminent
    return [
        told.say(texts.first),
        told.acknowledged(texts.again),
        [*told.step(texts.distance, _person(told)), *told.step(texts.barrier, texts.waiting, texts.own)],
        [*told.voices(), *told.staff()],
        [*told.asked(), *told.ai()],
    ]


def _elevated(told: Telling) -> Lines:
    texts = told.words.elevated
    return [
        [*told.acknowledged(texts.opening), *told.voices()],
        *numbered([[*told.say(texts.contact), *told.second()], told.say(_trusted(told)), told.say(texts.professional)]),
        [*told.say(texts.means), *told.say(_skill(told))],
        [*told.say(texts.alarm), *told.say(texts.barrier, 4), *told.say(texts.plan, 2), *told.people(texts.people)],
        told.ai(),
        told.asked(),
    ]


def _elevated_later(told: Telling) -> Lines:
    texts, asked = told.words.elevated, told.asked()
    step = told.step(texts.means, _trusted(told), _skill(told), texts.professional, texts.plan, texts.barrier, texts.alarm)
    people = told.people(texts.people) if told.has("asks_human") else told.staff()
    return [
        [*told.acknowledged(texts.again), *told.voices(), *([] if asked else step)],
        [*told.say(told.words.reach), *people],
        told.ai(),
        asked,
    ]


def _watch(told: Telling) -> Lines:
    texts = told.words.watch
    return [
        told.acknowledged(texts.opening),
        [*told.say(texts.skill), *told.say(texts.plan, 2), *told.say(texts.trusted, 3)],
        [*told.say(texts.heavier), *told.people(texts.people)],
        told.ai(),
        told.asked(),
    ]


def _watch_later(told: Telling) -> Lines:
    texts = told.words.watch
    return [
        [*told.acknowledged(texts.again), *told.step(texts.trusted, texts.skill, texts.plan, texts.people)],
        [*told.say(texts.heavier), *(told.people(texts.people) if told.has("asks_human") else told.staff())],
        told.ai(),
        told.asked(),
    ]


def _urgent(told: Telling, frame: Frame) -> Lines:
    return [
        told.say(frame.first),
        told.opening(frame.opening),
        *numbered([[told.part(step)] for step in frame.steps]),
        [*_more(told, frame.more), *told.staff()],
        [*told.asked(), *told.ai()],
    ]


def _urgent_later(told: Telling, frame: Frame) -> Lines:
    return [
        told.say(frame.first),
        [*told.opening(frame.opening), *told.step(frame.steps, frame.more)],
        told.staff(),
        [*told.asked(), *told.ai()],
    ]


def _careful(told: Telling, frame: Frame) -> Lines:
    """Below `imminent`: a contact, what to do first, and whom to call when it becomes urgent."""
    contact_line, *steps = [[told.part(text)] for text in (frame.contact, *frame.steps)]
    more = [text for text in frame.more if "{line}" not in text]
    return [
        told.say(frame.opening),
        *numbered([contact_line, *steps[:2]]),
        [*steps[2], told.part(frame.urgent, 1), *_more(told, more)],
        [*told.staff(), *told.ai()],
        told.asked(),
    ]


def _careful_later(told: Telling, frame: Frame) -> Lines:
    more = [text for text in frame.more if "{line}" not in text]
    return [
        [*told.say(frame.opening), *told.step(frame.steps, more)],
        told.say(told.words.reach),
        [*told.staff(), *told.ai()],
        told.asked(),
    ]


def _more(told: Telling, texts: list[str]) -> list[Part]:
    """What else helps there, as far as the length allows: the most important first."""
    return [told.part(text, rank) for rank, text in enumerate(texts, 2)]


def _person(told: Telling) -> list[str]:
    return told.words.flags.minor_now if told.has("minor") else told.words.imminent.person


def _trusted(told: Telling) -> list[str]:
    return told.words.flags.minor if told.has("minor") else told.words.elevated.trusted


def _skill(told: Telling) -> list[str]:
    return told.words.flags.self_injury if told.has("self_injury") else told.words.elevated.skill
