"""A question about safety and its reply: what somebody asked, in whatever words, and what a bare word after it means."""

import re
import tomllib
from functools import cache
from typing import Literal, NamedTuple

from holdfast.companion.normalise import Token, language_of, tokens_of
from holdfast.companion.words import DATA, vocabulary

QUESTIONS = ("thoughts", "plan", "means", "safe_now", "who_is_with_you")
# Asked the other way round, a yes is the good reply: "do you still want to live?", "are you alone?"
ASKED_BACKWARDS = {"thoughts": "wants_to_live", "who_is_with_you": "alone"}
MEANT_BY = {backwards: question for question, backwards in ASKED_BACKWARDS.items()}
Reply = Literal["confirms", "denies", "evades"]

SENTENCE = re.compile(r"[^.!?…;\n]+[.!?…;\n]*")
ASKING = re.compile(r"[?؟]")
FRAGMENT = 4  # words: "Have you?" asks what the sentence before it says
BARE = 8  # words of a question that holds nothing but itself: "are you safe right now?"
SHORT = 5  # words: after a question for a thing, a place or a time, such a reply names one
LEADS = 4  # words: a yes or no further back answers nothing
DEATH = frozenset("q_death act no_life suicide_word".split())
FAINT_DEATH = frozenset("die gone self_injury".split())  # a wish or a thought makes them a question of life
RISKY = ("elevated", "imminent")


class Sentence(NamedTuple):
    kinds: frozenset[str]
    words: int
    asks: bool


def question_in(text: str, level: str) -> str | None:
    """What an assistant's turn asks, out of QUESTIONS or the backward forms of ASKED_BACKWARDS; of several the last.

    `level`: before this turn. After a sign "do you have a plan?" says enough; without one, the question itself must speak of death.
    """
    sentences = _sentences(text)
    about_death = level in RISKY or any(_of_death(sentence.kinds) for sentence in sentences)
    found = [_asked(sentences, at, level, about_death) for at, sentence in enumerate(sentences) if sentence.asks]
    asked = [question for question in found if question]
    serious = [question for question in asked if MEANT_BY.get(question, question) != "who_is_with_you"]
    return (serious or asked or [None])[-1]


def reply_in(text: str, question: str) -> Reply:
    """What a reply says to the question alone. Of a wish to die in it only the detector knows.

    `safe_now` and the backward forms are read as they are asked: `confirms` is the yes that makes the level no higher.
    """
    tokens = tokens_of(_signs_to_words(text))
    kinds = _kinds_of_reply(tokens)
    said = _said(kinds, tokens, MEANT_BY.get(question, question))
    if question in ("wants_to_live", "alone"):
        said = _turned(said, kinds)
    return said


def is_explanation(text: str) -> bool:
    """Whether it says what an earlier sign was about, which is more than taking it back."""
    return bool(_kinds(tokens_of(text)) & {"explains"})


def is_innocent(text: str) -> bool:
    """Whether it names a setting that makes a sign harmless: a kitchen, a game, work."""
    return bool(_kinds(tokens_of(text), "general") & {"benign", "fiction", "work", "joke", "idiom"})


def is_retraction(text: str) -> bool:
    return "retracts" in _kinds(tokens_of(text))


def _sentences(text: str) -> list[Sentence]:
    found = []
    for piece in SENTENCE.findall(text):
        tokens = _mirrored(tokens_of(piece))
        if tokens:
            kinds = _kinds(tokens) | _kinds(tokens, "general")
            found.append(Sentence(kinds, len(tokens), bool(ASKING.search(piece)) or "asks_for" in kinds))
    return found


def _asked(sentences: list[Sentence], at: int, level: str, about_death: bool) -> str | None:
    kinds, words, _ = sentences[at]
    if words <= FRAGMENT and at and not any(kind.startswith("q_") for kind in kinds):
        kinds, words = kinds | sentences[at - 1].kinds, words + sentences[at - 1].words
    death = _of_death(kinds)
    if not death and "q_harmless" in kinds:
        return None
    bare = words <= BARE and level != "none" or "q_bare" in kinds
    for question, known in (("plan", about_death), ("means", about_death), ("safe_now", about_death or bare)):
        if known and _asks_for(question, kinds, death, level):
            return question
    if death:
        return "wants_to_live" if "q_live" in kinds else "thoughts"
    if about_death or bare:
        return "alone" if "q_alone" in kinds else "who_is_with_you" if "q_with" in kinds else None
    return None


def _asks_for(question: str, kinds: frozenset[str], death: bool, level: str) -> bool:
    if question == "plan":
        return bool(kinds & {"q_plan"}) or bool(kinds & {"q_intent"} and (death or level in RISKY))
    if question == "means":
        return bool(kinds & {"q_means"}) or bool(
            kinds & {"means", "object"} and kinds & {"q_reach", "reach", "gather", "q_have"} and not kinds & {"q_move"}
        )
    return bool(kinds & {"q_safe", "q_move"}) and "q_free" not in kinds


def _of_death(kinds: frozenset[str]) -> bool:
    return bool(kinds & DEATH) or bool(kinds & FAINT_DEATH and kinds & {"q_think", "wish", "dwell", "urge"})


def _said(kinds: list[tuple[str, int]], tokens: list[Token], question: str) -> Reply:
    found = {kind for kind, _ in kinds}
    first = next((kind for kind, at in kinds if kind in ("yes", "no", "half", "not_yet", "dodge") and at < LEADS), None)
    if question == "safe_now":
        return _about_safety(found, first)
    if question == "who_is_with_you":
        return (
            "denies"
            if found & {"nobody"} or (first == "no" and "person" not in found)
            else "confirms"
            if first == "yes" or "person" in found
            else "evades"
        )
    if first == "no" and not found & {"half", "often", "not_yet"} and not _after_contrast(kinds):
        return "denies"
    if first == "dodge" and not found & {"yes", "often"}:
        return "evades"
    if question == "thoughts":
        return "confirms" if found & {"yes", "maybe", "often", "not_yet", "object", "time", "place"} and first != "half" else "evades"
    if first == "not_yet":
        return "denies"
    named = found & {"yes", "maybe", "often", "object", "time", "place"} or (len(tokens) <= SHORT and found & {"points"})
    return "confirms" if named and first != "half" else "evades"


def _about_safety(found: set[str], first: str | None) -> Reply:
    if first in ("no", "half", "not_yet") or found & {"unsafe"}:
        return "denies"
    return "confirms" if first == "yes" or found & {"safe_yes"} else "evades"


def _after_contrast(kinds: list[tuple[str, int]]) -> bool:
    """A no that goes on to name a thing in another clause: "no, but there is the rope"."""
    turn = next((at for kind, at in kinds if kind == "turns"), None)
    return turn is not None and any(at > turn and kind in ("object", "time", "place", "yes") for kind, at in kinds)


def _turned(said: Reply, kinds: list[tuple[str, int]]) -> Reply:
    if {"maybe", "half"} & {kind for kind, _ in kinds}:
        return "confirms"
    return "denies" if said == "confirms" else "confirms" if said == "denies" else "evades"


def _kinds_of_reply(tokens: list[Token]) -> list[tuple[str, int]]:
    """The classes of a reply with their places; a thing that is denied is not named."""
    hits = vocabulary("replies").find(tokens, _languages(tokens))
    no = [hit for hit in hits if hit.kind in ("no", "neg", "nobody")]
    named = ("object", "place", "time", "often", "yes", "person")
    return [
        (hit.kind, hit.start)
        for hit in hits
        if hit.kind not in named or not any(one.end <= hit.start <= one.end + 2 and one.clause == hit.clause for one in no)
    ]


def _kinds(tokens: list[Token], name: str = "replies") -> frozenset[str]:
    return frozenset(hit.kind for hit in vocabulary(name).find(tokens, _languages(tokens)))


def _languages(tokens: list[Token]) -> list[str]:
    return [language_of(tokens, "")] * (tokens[-1].sentence + 1 if tokens else 0)


@cache
def _tables() -> dict[str, dict[str, str]]:
    return {
        name: table for name, table in tomllib.loads((DATA / "replies.toml").read_text("utf-8")).items() if name in ("mirror", "endings", "signs")
    }


def _mirrored(tokens: list[Token]) -> list[Token]:
    """With every `you` also read as `I`, so that the words of a sign are known in a question about it."""
    return [token._replace(forms=(*token.forms, *_as_i(token.forms[0]))) for token in tokens]


def _as_i(word: str) -> tuple[str, ...]:
    tables = _tables()
    if word in tables["mirror"]:
        return (tables["mirror"][word],)
    return tuple(word.removesuffix(ending) + own for ending, own in tables["endings"].items() if word.endswith(ending))


def _signs_to_words(text: str) -> str:
    for word, signs in _tables()["signs"].items():
        for sign in signs.split():
            text = text.replace(sign, f" {word} ")
    return text
