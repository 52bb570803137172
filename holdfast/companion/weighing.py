"""The linear model beside the rules: pieces of words, words side by side, classes, concepts and rules, weighed by what the messages taught."""

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from math import sqrt
from typing import NamedTuple
from zlib import crc32

from holdfast.companion.concepts import codes_of
from holdfast.companion.normalise import Token
from holdfast.companion.words import DATA, Hit

BUCKETS = 1 << 18
MASK = BUCKETS - 1
SHIFT = 24  # bits: the sum of one question's bytes over 65,000 buckets
SUM = (1 << SHIFT) - 1
ZERO = 128  # the byte of a weight of nothing
WINDOW = 48  # words that are weighed together; a longer text is weighed piece by piece, and the heaviest piece counts
NEAR = 3  # words between two concepts whose order says something
STEM = 5  # letters of a word that are looked at beside its neighbours
LENGTHS = (2, 4, 8, 16, 32)
NOT_WEIGHED = ("fillers", "veteran", "minor", "asks_")


class Piece(NamedTuple):
    """A stretch of the text that is weighed as one."""

    tokens: list[Token]
    hits: list[Hit]
    rules: list[str]


class Weights(NamedTuple):
    """Both questions' bytes of a bucket in one number, `risk << SHIFT | imminent`, so that one sum answers both.

    `watch`, `elevated`, `act`: from which score on a text is so; `act` is the one of `imminent`.
    """

    table: Sequence[int]
    scale: tuple[float, float]
    bias: tuple[float, float]
    watch: float
    elevated: float
    act: float


@cache
def weights() -> Weights:
    """Made by `make companion-train` from the development messages; the first line of the file says out of what."""
    head, _, body = (DATA / "weights.bin").read_bytes().partition(b"\n")
    about = json.loads(head)
    table = array("I", [risk << SHIFT | imminent for risk, imminent in zip(body[:BUCKETS], body[BUCKETS:], strict=True)])
    return Weights(table, about["scale"], about["bias"], about["watch"], about["elevated"], about["act"])


def scores(piece: Piece, languages: list[str]) -> tuple[float, float]:
    """How much speaks for a risk, and for an imminent one."""
    known = weights()
    weigh = known.table.__getitem__
    heavy = [_letters_weighed(word) for word in {token.forms[0] for token in piece.tokens}]
    sums = [(sum([total for total, _ in heavy]), sum([count for _, count in heavy]))]
    sums += [(sum(map(weigh, found)), len(found)) for found in others(piece, languages)]
    risk, imminent = known.bias
    for total, count in sums:
        if count:
            risk += known.scale[0] * ((total >> SHIFT) - ZERO * count) / sqrt(count)
            imminent += known.scale[1] * ((total & SUM) - ZERO * count) / sqrt(count)
    return risk, imminent


@lru_cache(maxsize=20_000)
def _letters_weighed(word: str) -> tuple[int, int]:
    found = letters_of(word)
    return sum(map(weights().table.__getitem__, found)), len(found)


def pieces_of(tokens: list[Token], hits: list[Hit], rules: Iterable[tuple[int, str]]) -> list[Piece]:
    """Cut between sentences. `rules`: the sentence and the id of each rule that was met."""
    found: list[Piece] = []
    piece_of: dict[int, int] = {}
    for token in tokens:
        if token.sentence not in piece_of:
            if not found or len(found[-1].tokens) >= WINDOW:
                found.append(Piece([], [], []))
            piece_of[token.sentence] = len(found) - 1
        found[piece_of[token.sentence]].tokens.append(token)
    for hit in hits:
        found[piece_of[hit.sentence]].hits.append(hit)
    for sentence, rule in rules:
        found[piece_of[sentence]].rules.append(rule)
    return found


def features(piece: Piece, languages: list[str]) -> Iterator[list[int]]:
    """Groups of buckets. Within a group each bucket weighs the less, the more there are."""
    yield [at for word in {token.forms[0] for token in piece.tokens} for at in letters_of(word)]
    yield from others(piece, languages)


def others(piece: Piece, languages: list[str]) -> Iterator[list[int]]:
    """All groups but the letters, which are summed word by word."""
    words = [token.forms[0] for token in piece.tokens]
    yield _neighbours([stem_of(word) for word in words])
    yield _pairs(sorted({_class_of(hit.kind) for hit in piece.hits if not hit.kind.startswith(NOT_WEIGHED)}))
    yield from _concepts(piece.tokens, languages)
    yield [_named(rule) for rule in dict.fromkeys(piece.rules)] + [_named(f"{most} words") for most in LENGTHS if len(words) <= most]


@lru_cache(maxsize=20_000)
def letters_of(word: str) -> tuple[int, ...]:
    """Pieces of three to five characters, with the ends of the word marked, by a hash that is the same everywhere."""
    marked = f"<{word}>"
    parts = [marked[at : at + size] for size in (3, 4, 5) for at in range(len(marked) - size + 1)]
    return tuple([crc32(part.encode()) & MASK for part in (*parts, f"{marked}!")])


@lru_cache(maxsize=20_000)
def stem_of(word: str) -> int:
    return crc32(b"stem:" + word[:STEM].encode())


def _neighbours(stems: list[int]) -> list[int]:
    beside = {(one * 31 + other) & MASK for one, other in pairwise(stems)}
    return list(beside | {(one * 37 + other) & MASK for one, other in zip(stems, stems[2:], strict=False)})


def _pairs(codes: list[int]) -> list[int]:
    return [code & MASK for code in codes] + [(one * 41 + other) & MASK for at, one in enumerate(codes) for other in codes[at + 1 :]]


def _concepts(tokens: list[Token], languages: list[str]) -> Iterator[list[int]]:
    """Each alone, two in one sentence, and two near each other in their order."""
    places = [(token.sentence, codes_of(token.forms, languages[token.sentence])) for token in tokens]
    sentences: dict[int, set[int]] = {}
    for sentence, codes in places:
        sentences.setdefault(sentence, set()).update(codes)
    yield [code & MASK for code in set().union(*sentences.values())]
    together: set[int] = set()
    for found in sentences.values():
        here = sorted(found)
        for at, one in enumerate(here):
            together.update([(one * 43 + other) & MASK for other in here[at + 1 :]])
    yield list(together)
    ordered: set[int] = set()
    for at, (sentence, codes) in enumerate(places):
        for beside, others in places[at + 1 : at + 1 + NEAR]:
            if beside == sentence:
                ordered.update([(one * 47 + other) & MASK for one in codes for other in others])
    yield list(ordered)


@cache
def _class_of(kind: str) -> int:
    return crc32(b"class:" + kind.encode())


@cache
def _named(what: str) -> int:
    return crc32(b"rule:" + what.encode()) & MASK
