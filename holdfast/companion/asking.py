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

SENTENCE = re.compile(r"[^.!?…;:\n]+[.!?…;:\n]*")
ASKING = re.compile(r"[?؟]")
FRAGMENT = 8  # words: "Have you?" asks what the sentence before it says
SHORT = 5  # words: after a question for a thing, a place or a time, such a reply names one
STEM = 5  # letters
ECHOED = ("thoughts", "plan", "means")  # where repeating the question is the more serious reply
UNSURE = frozenset("no half dodge not_yet neg".split())
NOUN = 2  # words of a reply that may be nothing but the name of a thing nobody foresaw
LEADS, EARLY = 4, 8  # words: a yes or no further back answers nothing, and doubt further back takes no answer back
DEATH = frozenset("q_death act no_life suicide_word".split())
FAINT_DEATH = frozenset("die gone self_injury".split())  # a wish or a thought makes them a question of life


class Sentence(NamedTuple):
    kinds: frozenset[str]
    words: int
    asks: bool
    leads: bool  # to what follows a colon


def question_in(text: str, level: str) -> str | None:
    """What an assistant's turn asks, out of QUESTIONS or the backward forms of ASKED_BACKWARDS; of several the last.

    `level`: before this turn. After a sign "do you have a plan?" says enough; without one, the turn itself must speak of death or worry.
    """
    sentences = _sentences(text)
    known = level != "none" or any(_of_death(sentence.kinds) or "q_worry" in sentence.kinds for sentence in sentences)
    asked = [question for at in range(len(sentences)) if sentences[at].asks and (question := _question_at(sentences, at, known))]
    serious = [question for question in asked if MEANT_BY.get(question, question) != "who_is_with_you"] or asked
    return serious[-1] if serious else None


def wording_of(text: str) -> frozenset[str]:
    """The beginnings of the longer words of what is asked: a reply that repeats one says yes, as people do in every one of these languages."""
    asked = [piece for piece in SENTENCE.findall(text) if ASKING.search(piece)]
    return frozenset(token.forms[0][:STEM] for piece in asked for token in tokens_of(piece) if len(token.forms[0]) >= STEM)


def reply_in(text: str, question: str, wording: frozenset[str] = frozenset()) -> Reply:
    """What a reply says to the question alone. Of a wish to die in it only the detector knows.

    `wording`: of the question, when it was put in words that are not ours.
    `safe_now` and the backward forms are read as they are asked: `confirms` is the yes that makes the level no higher.
    """
    tokens = tokens_of(_signs_to_words(text))
    kinds = _kinds_of_reply(tokens)
    if question in ECHOED and len(tokens) <= SHORT and _echoes(tokens, wording) and not UNSURE & {kind for kind, _ in kinds}:
        kinds.insert(0, ("yes", 0))
    said = _said(kinds, tokens, MEANT_BY.get(question, question))
    if question in ("wants_to_live", "alone"):
        said = _turned(said, kinds)
    return said


def is_explanation(text: str) -> bool:
    """Whether it says what an earlier sign was about, which is more than taking it back."""
    return bool(_kinds(tokens_of(text)) & {"explains"})


def is_innocent(text: str) -> bool:
    """Whether it names a setting that makes a sign harmless: a kitchen, a game, work."""
    tokens = tokens_of(text)
    return bool((_kinds(tokens, "general") | _kinds(tokens)) & {"benign", "fiction", "work", "joke", "idiom", "q_harmless"})


def is_worried(text: str) -> bool:
    """Whether an assistant's turn says that it has heard a sign."""
    return "q_worry" in _kinds(tokens_of(text))


def is_retraction(text: str) -> bool:
    return "retracts" in _kinds(tokens_of(text))


def _sentences(text: str) -> list[Sentence]:
    found = []
    for piece in SENTENCE.findall(text):
        tokens = _mirrored(tokens_of(piece))
        if tokens:
            kinds = _kinds(tokens) | _kinds(tokens, "general")
            found.append(Sentence(kinds, len(tokens), bool(ASKING.search(piece)) or "asks_for" in kinds, piece.endswith(":")))
    return found


def _question_at(sentences: list[Sentence], at: int, known: bool) -> str | None:
    """What this sentence asks; one that says too little ("Do you?", "Is it so for you too?") asks what the sentence before it says."""
    kinds, words, *_ = sentences[at]
    own = _asked(kinds, known)
    if own or at == 0 or "q_harmless" in kinds or (words > FRAGMENT and not sentences[at - 1].leads):
        return own
    return _asked(kinds | sentences[at - 1].kinds, known)


def _asked(kinds: frozenset[str], known: bool) -> str | None:
    death, calm = _of_death(kinds), "q_harmless" in kinds
    if (known and "q_move" in kinds) or ((known or "q_bare" in kinds) and "q_safe" in kinds and (death or not calm) and "q_free" not in kinds):
        return "safe_now"
    if calm and not death:
        return None
    if known and "q_plan" in kinds:
        return "plan"
    if (known and _of_means(kinds)) or {"q_weapon", "q_have"} <= kinds:
        return "means"
    if (known and "q_do" in kinds) or (death and "q_intent" in kinds):
        return "plan"
    if death:
        return "wants_to_live" if _asks_for_life(kinds) else "thoughts"
    return "alone" if "q_alone" in kinds else "who_is_with_you" if "q_with" in kinds else None


def _of_means(kinds: frozenset[str]) -> bool:
    return "q_means" in kinds or bool(kinds & {"means", "object"} and kinds & {"q_reach", "reach", "gather", "q_have"})


def _of_death(kinds: frozenset[str]) -> bool:
    wished = bool(kinds & {"q_think", "wish", "dwell", "urge"})
    return bool(kinds & DEATH) or (wished and (bool(kinds & FAINT_DEATH) or ("q_alive" in kinds and "q_dwell" not in kinds)))


def _asks_for_life(kinds: frozenset[str]) -> bool:
    return "q_gone" in kinds or ("q_alive" in kinds and not kinds & {"neg", "q_not", "suicide_word", "act", *FAINT_DEATH})


def _said(kinds: list[tuple[str, int]], tokens: list[Token], question: str) -> Reply:
    found = {kind for kind, _ in kinds}
    first = next((kind for kind, at in kinds if kind in ("yes", "no", "half", "not_yet", "dodge") and at < LEADS), None)
    if question == "safe_now":
        return _about_safety(found, first)
    if question == "who_is_with_you":
        return _about_company(found, first)
    early = {kind for kind, at in kinds if at < EARLY}
    if first == "no" and not early & {"half", "often", "not_yet"} and not _after_contrast(kinds):
        return "denies"
    if first == "dodge" and not found & {"yes", "often"}:
        return "evades"
    if question == "thoughts":
        named = bool(found & {"yes", "maybe", "often", "not_yet"}) or (len(tokens) <= SHORT and bool(found & {"object", "time", "place"}))
        return "confirms" if named and first != "half" else "evades"
    if first == "not_yet":
        return "denies"
    if question == "means" and "safe_yes" in found:
        return "denies"
    named = bool(found & {"yes", "maybe", "object", "time", "place"}) or (question == "means" and "person" in found)
    bare = (len(tokens) <= SHORT and ("points", 0) in kinds) or (0 < len(tokens) <= NOUN and not found - {"fillers"})
    return "confirms" if (named or bare) and first != "half" else "evades"


def _about_company(found: set[str], first: str | None) -> Reply:
    if "nobody" in found or (first == "no" and "person" not in found):
        return "denies"
    return "confirms" if first == "yes" or "person" in found else "evades"


def _about_safety(found: set[str], first: str | None) -> Reply:
    if "unsafe" in found or first in ("half", "not_yet") or (found & {"no"} and "safe_yes" not in found):
        return "denies"
    return "confirms" if first == "yes" or "safe_yes" in found else "evades"


def _after_contrast(kinds: list[tuple[str, int]]) -> bool:
    """A no that goes on to name a thing in another clause: "no, but there is the rope"."""
    turn = next((at for kind, at in kinds if kind == "turns"), None)
    return turn is not None and any(at > turn and kind in ("object", "time", "place", "yes") for kind, at in kinds)


def _echoes(tokens: list[Token], wording: frozenset[str]) -> bool:
    return any(token.forms[0][:STEM] in wording for token in tokens)


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
        for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end))
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
