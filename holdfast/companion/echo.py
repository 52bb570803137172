"""What a text says after an earlier sign: words too weak alone (a time, a thing at hand, a goodbye) that a risk in the talk makes heavy."""

from holdfast.companion import scope
from holdfast.companion.frames import matches
from holdfast.companion.normalise import Token, language_of, tokens_of
from holdfast.companion.words import Hit, vocabulary

BEFORE = "risk"
# Frames that an earlier sign may complete. A mere time ("tonight") or the name of a thing is not enough: people sleep, eat and drive in a crisis too.
COMPLETED = frozenset(
    "risk-plan risk-goodbye means-request way-to-leave way-asked means-at-hand means-ready it-with-a-time it-when-asleep "
    "place-and-time calm-decision ending-with-a-time affairs".split()
)


def weighs_more(text: str) -> bool:
    """Whether this is `imminent` in the mouth of a person who gave a sign of risk before."""
    tokens = tokens_of(text)
    hits = _without_taken_back(tokens)
    sentences = {hit.sentence: hit.start for hit in reversed(hits)}
    risks = [Hit(BEFORE, at, at, sentence, 0) for sentence, at in sentences.items()]
    strain = [Hit("strain", at, at, sentence, 0) for sentence, at in sentences.items()]
    scene = scope.Scene(hits)
    found = matches(sorted([*risks, *strain, *hits], key=lambda hit: hit.start), "imminent")
    return any(match.frame.id in COMPLETED and scene.level_of(match) == "imminent" for match in found)


def _without_taken_back(tokens: list[Token]) -> list[Hit]:
    spoken = [language_of(tokens, "")] * (tokens[-1].sentence + 1 if tokens else 0)
    return scope.without_benign(scope.without_negated(scope.without_idioms(vocabulary().find(tokens, spoken))))
