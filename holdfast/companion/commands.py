"""What a message means to an exercise: a word that steers it, a rating, the name of another one, or none of these."""

import re
from operator import attrgetter
from typing import NamedTuple

from holdfast.companion import scope
from holdfast.companion.normalise import Token, language_of, tokens_of
from holdfast.companion.words import Hit, vocabulary

COMMAND = 6  # words; in a longer message "stop" and "again" are parts of a sentence
REPORT = 12  # words of "this made it worse"
NAMED = 4  # words of a message that needs no more than the name of an exercise
EARLY = 3  # words before a rating in a longer message
STRONGEST = 10
REPORTS = frozenset({"worse", "stuck", "asks_human", "asks_if_ai"})
WHEREVER = frozenset({"asks_human", "asks_if_ai"})
ASKING = re.compile(r"[?؟]")


class Heard(NamedTuple):
    """`kinds`: classes of data/words/walking.toml, as far as they count in a message of this length. `number`: 0 to 10."""

    kinds: frozenset[str]
    words: int
    number: int | None
    asks: bool
    topics: frozenset[str]


def heard(text: str) -> Heard:
    tokens = tokens_of(text)
    hits = _hits(tokens)
    known = {hit.kind for hit in hits}
    kinds = known if len(tokens) <= COMMAND else known & (REPORTS if len(tokens) <= REPORT else WHEREVER)
    if "stop_alone" in known and len(tokens) == 1:
        kinds |= {"stop"}
    if "not_worse" in known:
        kinds -= {"worse"}
    topics = {hit.kind for hit in vocabulary("topics").find(tokens, _languages(tokens)) if hit.kind.startswith("topic_")}
    number = None if "skip" in kinds else _number(tokens, hits)  # "skip this one"
    return Heard(frozenset(kinds), len(tokens), number, bool(ASKING.search(text)), frozenset(topics))


def accepts(text: str) -> bool:
    """Whether a short message takes up the exercise that was offered just before."""
    said = heard(text)
    return bool(said.kinds & {"yes", "on"}) and not said.kinds & {"no", "stop", "other"} and not said.asks


def asked_for(text: str, *, by_name: bool = False) -> str | None:
    """The exercise that a message asks for. `by_name`: a word like "breathing" alone is not enough.

    A question about an exercise, and trouble with breathing, are no wish for one.
    """
    tokens = tokens_of(text)
    hits = _hits(tokens)
    kinds = {hit.kind for hit in hits}
    if "about" in kinds:
        return None
    refused = {hit.clause for hit in hits if hit.kind == "no"}
    marks = ("do_", "say_") if not by_name and (len(tokens) <= NAMED or "wants" in kinds) else ("do_",)
    named = [hit.kind.removeprefix(mark) for mark in marks for hit in hits if hit.kind.startswith(mark) and hit.clause not in refused]
    return named[0] if named else None


def _hits(tokens: list[Token]) -> list[Hit]:
    """Without what is denied; of phrases inside one another the longest, each without the filler words behind it."""
    found = scope.without_negated(vocabulary("walking").find(tokens, _languages(tokens)))
    shortest = list({(hit.kind, hit.start): hit for hit in sorted(found, key=attrgetter("end"), reverse=True)}.values())
    return sorted([one for one in shortest if not any(_holds(other, one) for other in shortest)], key=attrgetter("start"))


def _holds(outer: Hit, inner: Hit) -> bool:
    """Trouble with an exercise (`about`) is heard inside any other phrase."""
    within = outer.start <= inner.start and inner.end <= outer.end and outer.end - outer.start > inner.end - inner.start
    return within and inner.kind != "about"


def _number(tokens: list[Token], hits: list[Hit]) -> int | None:
    """The last one that is a rating, without the "of 10" behind it; none deep inside a longer message."""
    units = {hit.start for hit in hits if hit.kind == "unit"}
    spoken = {hit.start: int(hit.kind[1:]) for hit in hits if re.fullmatch(r"n\d+", hit.kind)}
    written = {at: int(token.forms[0]) for at, token in enumerate(tokens) if re.fullmatch(r"\d{1,2}", token.forms[0])}
    found = [(at, number) for at, number in sorted((spoken | written).items()) if number <= STRONGEST and at + 1 not in units]
    if len(found) > 1 and found[-1][1] == STRONGEST:
        found.pop()
    if not found or (len(tokens) > REPORT and found[0][0] > EARLY):
        return None
    return found[-1][1]


def _languages(tokens: list[Token]) -> list[str]:
    return [language_of(tokens, "")] * (tokens[-1].sentence + 1 if tokens else 0)
