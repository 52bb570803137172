"""The crisis check: what level of care a text asks for, computed here, by rules, for every text that comes in."""

import json
from functools import cache, lru_cache
from math import sqrt
from typing import NamedTuple
from zlib import crc32

from msgspec import Struct

from holdfast.companion import scope
from holdfast.companion.frames import Match, matches
from holdfast.companion.normalise import Token, language_of, tokens_of
from holdfast.companion.scope import LEVELS
from holdfast.companion.words import DATA, Hit, vocabulary

ELEVATED = LEVELS.index("elevated")
WINDOW = 60  # words that are weighed together; a longer text is weighed piece by piece, and the heaviest piece counts
NOT_WEIGHED = ("topic_", "never_say", "consent", "asks_", "fillers", "veteran", "minor")
# Weights alone make nothing imminent: one of these must have been said too.
IMMINENT_TOO = frozenset(
    "soon plan means reach gather hoard edge lastwords goodbye affairs note end_soon decided act_done settle last_thing place_plan asleep "
    "ingested many pills blood hurt_verb unable no_exit enough_life taken "
    "slay danger violence_me act3 other_act painless horizon do_it at_hand perilous".split()
)
BESIDE_THE_LEVEL = ("minor", "veteran_words", "asks_human", "asks_if_ai")


class Reading(Struct, frozen=True):
    """Holds rule ids, never text: it may be logged."""

    level: str
    flags: frozenset[str] = frozenset()
    rule_ids: tuple[str, ...] = ()
    language: str = "en"


def read(text: str, language: str = "en") -> Reading:
    """All five languages are tried on every text. `language` is the answer's when the text does not show one.

    Never raises: what cannot be read is `watch`, so that a fault makes the answer more careful.
    """
    try:
        return _read(text, language)
    except Exception as fault:  # whatever failed, the person gets the careful answer; the rule id tells the operator
        return Reading("watch", rule_ids=(f"detector-failed:{type(fault).__name__}",), language=language)


def highest(levels: list[str]) -> str:
    return max(levels, key=LEVELS.index, default="none")


class Weights(NamedTuple):
    """The linear model: one byte per bucket and question, and from which score on it says `watch`, `elevated`, `imminent`."""

    risk: bytes
    imminent: bytes
    scale: tuple[float, float]
    bias: tuple[float, float]
    watch: float
    elevated: float
    act: float


@cache
def weights() -> Weights:
    """Made by `python bench/detector.py --train` from the development messages; the first line of the file says what it holds."""
    head, _, body = (DATA / "weights.bin").read_bytes().partition(b"\n")
    about = json.loads(head)
    half = len(body) // 2
    return Weights(body[:half], body[half:], about["scale"], about["bias"], about["watch"], about["elevated"], about["act"])


def buckets_of(word: str) -> tuple[int, ...]:
    """Pieces of three to five characters, with the ends of the word marked, by a hash that is the same everywhere."""
    marked = f"<{word}>"
    return tuple(crc32(marked[at : at + size].encode()) & 0x7FFF for size in (3, 4, 5) for at in range(len(marked) - size + 1))


@lru_cache(maxsize=20_000)
def bucket(kind: str, beside: str = "") -> int:
    return crc32(f"{kind}+{beside}".encode()) & 0x7FFF


def buckets_of_kinds(kinds: set[str]) -> list[int]:
    known = sorted(kind for kind in kinds if not kind.startswith(NOT_WEIGHED))
    return [bucket(kind) for kind in known] + [bucket(kind, beside) for at, kind in enumerate(known) for beside in known[at + 1 :]]


def pieces_of(tokens: list[Token], hits: list[Hit]) -> list[tuple[set[str], set[str]]]:
    """The words and the classes of each piece of the text that is weighed as one."""
    found: list[tuple[set[str], set[str]]] = []
    piece_of: dict[int, int] = {}
    begun = -WINDOW
    for at, token in enumerate(tokens):
        if token.sentence not in piece_of and at - begun >= WINDOW:
            found.append((set(), set()))
            begun = at
        piece_of.setdefault(token.sentence, len(found) - 1)
        found[-1][0].add(token.forms[0])
    for hit in hits:
        found[piece_of[hit.sentence]][1].add(hit.kind)
    return found


def _weighed(tokens: list[Token], hits: list[Hit]) -> str:
    """What the linear model says. It may raise a level, never lower one."""
    known, level = weights(), "none"
    for words, kinds in pieces_of(tokens, hits):
        classes = buckets_of_kinds(kinds)
        risk = known.bias[0] + known.scale[0] * _score(known.risk, words, classes)
        if risk >= known.elevated and kinds & IMMINENT_TOO:
            act = known.bias[1] + known.scale[1] * _score(known.imminent, words, classes)
            level = "imminent" if act >= known.act else level
        level = highest([level, "elevated" if risk >= known.elevated else "watch" if risk >= known.watch else "none"])
    return level


def _score(table: bytes, words: set[str], classes: list[int]) -> float:
    heavy = [_word_score(table, word) for word in words]
    many = sum([count for _, count in heavy])
    total = sum([weight for weight, _ in heavy]) / sqrt(many) if many else 0.0
    return total + (sum([table[at] - 128 for at in classes]) / sqrt(len(classes)) if classes else 0.0)


@lru_cache(maxsize=20_000)
def _word_score(table: bytes, word: str) -> tuple[int, int]:
    parts = buckets_of(word)
    return sum([table[at] - 128 for at in parts]), len(parts)


def _read(text: str, language: str) -> Reading:
    tokens = tokens_of(text)
    spoken = language_of(tokens, language)
    found = vocabulary().find(tokens, _languages(tokens, spoken))
    hits = scope.without_negated(scope.without_idioms(found))
    scene = scope.Scene(hits)
    judged = _judge(hits, scene)
    flags = {kind for kind in BESIDE_THE_LEVEL if kind in scene.kinds}
    flags.update(flag for match, _ in judged for flag in match.frame.flags)
    if any(LEVELS.index(level) >= ELEVATED and scene.about_another(match) for match, level in judged):
        flags.add("third_person")
    rules = {match.frame.id for match, _ in judged}
    by_rules, by_weights = highest([level for _, level in judged]), _weighed(tokens, hits)
    if LEVELS.index(by_weights) > LEVELS.index(by_rules):
        rules.add(f"weights-{by_weights}")
    return Reading(highest([by_rules, by_weights]), frozenset(flags), tuple(sorted(rules)), spoken)


def _judge(hits: list[Hit], scene: scope.Scene) -> list[tuple[Match, str]]:
    """First what is a risk by itself; then what makes it imminent. An innocent setting counts only where no risk was found."""
    calm = scope.without_benign(hits)
    signs = _in_scope(matches(calm, "elevated"), scene)
    if signs and len(calm) < len(hits):
        signs, calm = _in_scope(matches(hits, "elevated"), scene), hits
    risks = [Hit("risk", sign.start, sign.end, sign.sentence, 0) for sign, level in signs if level == "elevated"]
    with_risks = sorted([*calm, *risks], key=lambda hit: hit.start)
    return signs + _in_scope(matches(with_risks, "imminent"), scene) + _in_scope(matches(calm, "watch"), scene)


def _in_scope(found: list[Match], scene: scope.Scene) -> list[tuple[Match, str]]:
    judged = [(match, scene.level_of(match)) for match in found]
    return [(match, level) for match, level in judged if level != "none"]


def _languages(tokens: list[Token], spoken: str) -> list[str]:
    """The language of each sentence, for words that mean different things in two of them."""
    sentences: dict[int, list[Token]] = {}
    for token in tokens:
        sentences.setdefault(token.sentence, []).append(token)
    last = max(sentences, default=0)
    return [language_of(sentences.get(at, []), spoken) for at in range(last + 1)]
