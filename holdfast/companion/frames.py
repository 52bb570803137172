"""A frame: word classes that mean something together, whatever the language and the order."""

import tomllib
from functools import cache, cached_property
from typing import NamedTuple

from msgspec import Struct, convert

from holdfast.companion.words import DATA, Hit

IN_ONE_SENTENCE = 12  # words that a frame may span
ACROSS_SENTENCES = 40
BITS: dict[str, int] = {}  # one bit per class, given in the order in which the classes are first met


class Frame(Struct, frozen=True, dict=True):
    """`all`: the classes, `a|b` for either; what the other fields mean stands at the top of frames.toml."""

    id: str
    level: str
    all: list[str]
    near: bool = False
    apart: bool = False
    firm: bool = False
    strong: bool = True
    flags: list[str] = []

    @cached_property
    def masks(self) -> list[int]:
        """Per class of the frame, the bits of the kinds that stand for it."""
        return [sum(bit(kind) for kind in set(kinds.split("|"))) for kinds in self.all]

    @cached_property
    def places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, kinds in enumerate(self.all):
            for kind in kinds.split("|"):
                found.setdefault(kind, []).append(place)
        return found


class Match(NamedTuple):
    frame: Frame
    start: int
    end: int
    sentence: int


def bit(kind: str) -> int:
    return BITS.setdefault(kind, 1 << len(BITS))


@cache
def frames(level: str) -> list[Frame]:
    data = tomllib.loads((DATA / "frames.toml").read_text("utf-8"))
    return [frame for frame in convert(data["frame"], list[Frame]) if frame.level == level]


@cache
def frames_with(level: str, kind: str) -> list[tuple[Frame, list[int]]]:
    """The frames whose first class this kind can stand for, so that a sentence tries only those, with their masks."""
    return [(frame, frame.masks) for frame in frames(level) if kind in frame.all[0].split("|")]


def matches(hits: list[Hit], level: str) -> list[Match]:
    """Every frame of this level, at most once per sentence. A frame that does not span sentences sees one at a time."""
    sentences: dict[int, list[Hit]] = {}
    for hit in hits:
        sentences.setdefault(hit.sentence, []).append(hit)
    kinds = {at: {hit.kind for hit in here} for at, here in sentences.items()}
    masks = {at: sum([BITS.get(kind) or bit(kind) for kind in here]) for at, here in kinds.items()}
    found = []
    for at, here in sentences.items():
        following = sentences.get(at + 1, [])
        for frame in _possible(level, kinds[at] | kinds.get(at + 1, set()), masks[at], masks.get(at + 1, 0)):
            span = _closest(here + following if frame.near else here, frame)
            if span:
                found.append(Match(frame, *span, at))
    return found


def _possible(level: str, kinds: set[str], alone: int, following: int) -> list[Frame]:
    """Frames whose classes are all there. Bits first: looking at the places costs more."""
    both = alone | following
    found: dict[str, Frame] = {}
    for kind in kinds:
        for frame, masks in frames_with(level, kind):
            have = both if frame.near else alone
            for mask in masks:
                if not have & mask:
                    break
            else:
                found[frame.id] = frame
    return [found[name] for name in sorted(found)]


def _closest(hits: list[Hit], frame: Frame) -> tuple[int, int] | None:
    """The first stretch that holds every class within the allowed number of words. One pass: the last hit of each class is enough."""
    limit = ACROSS_SENTENCES if frame.near else IN_ONE_SENTENCE
    places = frame.places
    last: list[Hit | None] = [None] * len(frame.all)
    for hit in hits:
        if hit.kind not in places:
            continue
        for place in _apart(hit, frame, last) if frame.apart else places[hit.kind]:
            last[place] = hit
        if None not in last:
            start = min([one.start for one in last if one])
            if hit.start - start <= limit:
                return start, max([one.end for one in last if one])
    return None


def _apart(hit: Hit, frame: Frame, last: list[Hit | None]) -> list[int]:
    """`apart`: a hit stands for one class only, an open one first, and not on the words of another."""
    place = min(frame.places[hit.kind], key=lambda at: last[at] is not None)
    taken = last[place]
    if taken and None in last and hit.start - taken.start < IN_ONE_SENTENCE:
        return []  # the earlier one still serves, and the words of this one may be needed for an open class
    others = [one for at, one in enumerate(last) if one and at != place]
    return [] if any(one.start < hit.end and hit.start < one.end for one in others) else [place]
