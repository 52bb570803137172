"""The embedded guided support: which topic a harmless message is about, and what is answered to it without a model."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Literal

from msgspec import Struct, convert

from holdfast.companion import scope
from holdfast.companion.concepts import lexicons
from holdfast.companion.detector import Reading
from holdfast.companion.normalise import LANGUAGES, Token, language_of, tokens_of
from holdfast.companion.wording import TEXTS
from holdfast.companion.words import DATA, Hit, vocabulary

DECIDING = 6  # words; a longer message is about something else than consent
OFTEN = 3  # how often one opening may begin an answer of a talk
LONGER = 2  # what a phrase of several words may weigh more than a word
LAST = 1.5  # how much more the last sentence counts than those before it
SHORT = 3  # words of a message in which a hint alone is enough
HEAVY = 2  # from which weight on a topic gains by long phrases
NONE = -1  # the opening of an answer whose openings are used up
SPEAKING = ("topic_", "aside_")
SAID_OUTRIGHT = {"asks_human": "human", "asks_if_ai": "ai"}


class Topic(Struct, frozen=True):
    """`together`: classes that speak for the topic when they stand in one sentence; `felt`: concepts that do, where no word speaks for any.

    `words`: whose texts it shares.
    """

    weight: int = 3
    together: list[list[str]] = []
    felt: list[list[str]] = []
    offers: list[str] = []
    words: str = ""


class Said(Struct, frozen=True):
    opening: list[str]
    body: list[str]


class Talk(Struct, frozen=True):
    """`offer`: per exercise, the sentences that say how it is begun."""

    offer: dict[str, list[str]]
    topics: dict[str, Said]


class Guided(Struct, frozen=True):
    """An answer. `opening`: to be kept and handed in with the next messages. `offers`: the exercise that a yes begins.

    `text` may hold `{line}`, which answers.filled puts in.
    """

    text: str
    topic: str
    opening: str
    offers: str | None


@cache
def topics() -> dict[str, Topic]:
    """In the order in which they win when they weigh the same."""
    return convert(tomllib.loads((DATA / "topics.toml").read_text("utf-8"))["topics"], dict[str, Topic])


@cache
def talk(language: str) -> Talk:
    """Raises msgspec.ValidationError when a text is missing: a test reads all five."""
    return convert(tomllib.loads((TEXTS / language / "topics.toml").read_text("utf-8")), Talk)


def guide(text: str, reading: Reading, openings: tuple[str, ...], turn: int, suggest: Callable[[str], str | None] = lambda topic: None) -> Guided:
    """For a message at `none`. `openings`: of the answers in this talk, the last one last. `suggest`: the exercise that helps this person.

    `turn` turns the choice of words: the same talk with another number sounds different, and twice the same is the same.
    """
    topic = topic_of(text, reading.flags)
    known, texts = topics()[topic], talk(reading.language if reading.language in LANGUAGES else "en")
    named = known.words or topic
    said = texts.topics[named]
    used = [number for number in map(_numbers, openings) if number and number[0] == named]
    opening = _next(len(said.opening), [number for _, number, _ in used], turn, OFTEN)
    body = _next(len(said.body), [number for _, _, number in used], turn)
    offers = (suggest(topic) or known.offers[len(used) % len(known.offers)]) if known.offers else None
    parts = [said.opening[opening] if opening != NONE else "", said.body[body]]
    if offers:
        parts.append(texts.offer[offers][turn % len(texts.offer[offers])])
    return Guided("\n".join(part for part in parts if part), topic, f"{named}:{opening}:{body}", offers)


def topic_of(text: str, flags: frozenset[str] = frozenset()) -> str:
    """The topic that most is said about; `flags` of the reading count like words."""
    tokens = tokens_of(text)
    weighed = _weighed(_heard(tokens), tokens)
    for flag in flags & SAID_OUTRIGHT.keys():
        topic = SAID_OUTRIGHT[flag]
        weighed[topic] = weighed.get(topic, 0) + topics()[topic].weight
    weighed = weighed or _felt(tokens)
    places = list(topics())
    heaviest = max(weighed, key=lambda topic: (weighed[topic], -places.index(topic)), default=None)
    if heaviest is None:
        return "other" if any(letter.isalnum() for letter in text) else "empty"
    return heaviest


def wants_person(text: str) -> bool:
    """A wish for a human being in any wording, whatever else the message is about."""
    tokens = tokens_of(text)
    return "human" in _weighed(_heard(tokens), tokens)


def consent_in(text: str) -> Literal["given", "refused"] | None:
    """Whether the person decides about the model. A refusal wins over everything said beside it."""
    decided = _decided(text, "consent_yes", "consent_no")
    return None if decided is None else "given" if decided else "refused"


def sharing_in(text: str) -> Literal["yes", "no"] | None:
    """Whether the person decides that staff may read along when there is danger."""
    decided = _decided(text, "share_yes", "share_no")
    return None if decided is None else "yes" if decided else "no"


def decides(text: str) -> bool:
    """Whether a message is nothing but such a decision."""
    return consent_in(text) is not None or sharing_in(text) is not None


def _decided(text: str, yes: str, no: str) -> bool | None:
    """An agreement is nothing but that: "I want to share something with you" agrees to nothing."""
    tokens = tokens_of(text)
    if not tokens or len(tokens) > DECIDING:
        return None
    hits = _heard(tokens)
    if any(hit.kind == no for hit in hits):
        return False
    asks, denies = "?" in text, any(hit.kind == "neg" for hit in hits)
    said = {at for hit in hits if hit.kind == yes for at in range(hit.start, hit.end)}
    beside = {at for hit in hits if hit.kind in ("polite", "fillers") for at in range(hit.start, hit.end)}
    return True if said and not asks and not denies and len(said | beside) == len(tokens) else None


def _heard(tokens: list[Token]) -> list[Hit]:
    sentences = tokens[-1].sentence + 1 if tokens else 0
    hits = scope.without_idioms(vocabulary("topics").find(tokens, [language_of(tokens, "")] * sentences))
    return list(_outermost(hits))


def _outermost(hits: list[Hit]) -> Iterator[Hit]:
    """Without what stands inside a longer phrase and is said by it: "going to bed" is not about the night."""
    reach = 0
    speaking = {hit.start: hit.end for hit in hits if hit.kind.startswith(SPEAKING)}  # sorted, so the longest that begins there
    for start, here in groupby(hits, attrgetter("start")):
        end = speaking.get(start, 0)
        yield from (hit for hit in here if not hit.kind.startswith(SPEAKING) or (hit.end > reach and hit.end == end))
        reach = max(reach, end)


def _weighed(hits: list[Hit], tokens: list[Token]) -> dict[str, float]:
    """Per topic, the sum over its places in the text. Hints count beside something plainer, or when there are several."""
    places: dict[str, dict[int, float]] = {}
    hints: Counter[str] = Counter()
    last = tokens[-1].sentence if tokens else 0
    for hit in hits:
        prefix, _, name = hit.kind.partition("_")
        topic = SAID_OUTRIGHT.get(hit.kind, name)
        if prefix == "hint":
            hints[topic] += 1
        elif hit.kind in SAID_OUTRIGHT or prefix in ("topic", "aside"):
            here = places.setdefault(topic, {})
            here[hit.start] = max(_worth(hit, topic, last), here.get(hit.start, 0))
    weighed = {topic: sum(worth.values()) for topic, worth in places.items()}
    for topic, worth in _together(hits, last):
        weighed[topic] = weighed.get(topic, 0) + worth
    alone = not weighed and len(tokens) <= SHORT
    for topic, count in hints.items():
        if topic in weighed or count > 1 or alone:
            weighed[topic] = weighed.get(topic, 0) + count
    return weighed


def _worth(hit: Hit, topic: str, last: int) -> float:
    weight = topics()[topic].weight
    longer = min(LONGER, hit.end - hit.start - 1) if weight >= HEAVY else 0
    return (weight + longer) * (LAST if hit.sentence == last else 1)


def _together(hits: list[Hit], last: int) -> Iterator[tuple[str, float]]:
    sentences: dict[int, set[str]] = {}
    for hit in hits:
        sentences.setdefault(hit.sentence, set()).add(hit.kind)
    for sentence, kinds in sentences.items():
        for topic, known in topics().items():
            yield from ((topic, known.weight * (LAST if sentence == last else 1)) for frame in known.together if kinds.issuperset(frame))


def _felt(tokens: list[Token]) -> dict[str, float]:
    """What the single words are about, when none of them names a topic: the more of them agree, the heavier."""
    language = language_of(tokens, "en")
    sentences: dict[int, set[str]] = {}
    for token in tokens:
        sentences.setdefault(token.sentence, set()).update(_concepts(token, language))
    weighed: dict[str, float] = {}
    for concepts in sentences.values():
        for topic, known in topics().items():
            for frame in known.felt:
                if all(concepts.intersection(place.split("|")) for place in frame):
                    weighed[topic] = weighed.get(topic, 0) + len(frame)
    return weighed


def _concepts(token: Token, language: str) -> tuple[str, ...]:
    lexicon = lexicons().get(language)
    return next((found for form in token.forms if lexicon and (found := lexicon.of(form))), ())


def _next(count: int, used: list[int], turn: int, most: int | None = None) -> int:
    """The least used of `count` texts, never the last one again; NONE when each was used `most` times."""
    times = Counter(used)
    left = [number for number in range(count) if (most is None or times[number] < most) and (count == 1 or number != (used or [NONE])[-1])]
    return min(left, key=lambda number: (times[number], (number - turn) % count), default=NONE)


def _numbers(opening: str) -> tuple[str, int, int] | None:
    """What an id says; None for one of another version."""
    try:
        name, one, other = opening.split(":")
        return name, int(one), int(other)
    except ValueError:
        return None
