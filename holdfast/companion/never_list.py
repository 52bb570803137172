"""What no answer may say (companion.md, section 5): combinations of word classes in five languages, read from data/words/never.toml."""

import re
import tomllib
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct, convert

from holdfast.companion import scope
from holdfast.companion.normalise import Token, language_of, tokens_of
from holdfast.companion.words import DATA, Hit, vocabulary

QUOTED = re.compile(r"(?<=[:,] )[\"“„«][^\"“”„«»]{1,200}[\"”“»]")
# What a sign or a word is to mean is said by the person, with or without quotation marks.
MEANT = re.compile(r"\b(?:means?|bedeute[nt]+|heißt|signifi(?:que|ca)|значит|означа(?:ет|є)|значить)(?:: | [\"“„«])[^.!?;\"”»]{1,80}", re.IGNORECASE)
# "Say it in one sentence: tomorrow I do that." A request at the start of a sentence, and what the person is to say.
ASKED_TO_SAY = re.compile(
    r"(?:^|[.!?…] )(?:say|decide|write|think|tell|скажите|решите|запишите|напишите|подумайте|скажіть|вирішіть|запишіть|напишіть|подумайте"
    r"|di|diga|dile|decide|decida|escribe|escriba|piensa|sag|sagen sie|entscheide|schreib|denk)\b[^.!?:]{0,40}: [^.!?]{1,80}",
    re.IGNORECASE,
)
DENIALS = frozenset({"neg", "nobody"})
# Of itself a model may say so little that true sentences of our own break it too: those were read one by one.
OF_A_MODEL = frozenset({"claim-self", "claim-self-verb", "claim-remembers", "claim-acted", "claim-is-told", "human", "pressure"})


class Rule(Struct, frozen=True):
    """`all` in this order, within so many words, or, `anywhere`, in any order in the sentence. What the other fields mean stands in the file."""

    id: str
    all: list[str]
    within: int = 8
    anywhere: bool = False
    denied: bool = False
    far: bool = False
    unless: list[str] = []
    save: list[str] = []
    between: list[str] = []
    last: bool = False
    own: bool = False
    calm: bool = False


@cache
def rules() -> list[Rule]:
    return convert(_data()["never"], list[Rule])


@cache
def accented() -> tuple[re.Pattern[str], frozenset[str]]:
    """Spanish acts that an accent tells from a request: `llamé`, I have called; `llame`, please call. And the words that end alike."""
    accents = _data()["accents"]
    acted = rf"(?:{'|'.join(accents['acted'].split())})"
    return re.compile(rf"(?<!\bno )\b(?:{acted}|{accents['does']})\b", re.IGNORECASE), frozenset(f"{accents['not']} {accents['may']}".split())


@cache
def endings() -> list[tuple[str, str, re.Pattern[str], frozenset[str]]]:
    """Kind, language, the form, and the innocent words of that form."""
    known = _data()["endings"]
    return [
        (kind, language, re.compile(form), frozenset(known["innocent"][language].split()))
        for kind in ("past", "perfect", "first", "drug")
        for language, form in known[kind].items()
    ]


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((DATA / "never.toml").read_text("utf-8"))


def forbidden(text: str, language: str, *, calm: bool) -> list[str]:
    """Ids of the rules that the text breaks. `calm`: an answer at `none`, where suicide is not spoken of."""
    found = _broken(tokens_of(text), language, [rule for rule in rules() if not rule.own and (calm or not rule.calm)])
    # A sentence that the person may send to somebody speaks for the person, not for us.
    own_words = ASKED_TO_SAY.sub(". ", MEANT.sub(" ", QUOTED.sub(" ", text)))
    found |= _broken(tokens_of(own_words), language, [rule for rule in rules() if rule.own])
    acts, innocent = accented()
    if any(act[0].casefold().split()[-1] not in innocent for act in acts.finditer(own_words)):
        found.add("claim-acted")
    return [rule.id for rule in rules() if rule.id in found]


def _broken(tokens: list[Token], language: str, wanted: list[Rule]) -> set[str]:
    sentences: dict[int, list[Hit]] = {}
    shaped = [Hit(kind, at, at + 1, token.sentence, token.clause) for at, token in enumerate(tokens) for kind in _shapes_of(token.forms[0], language)]
    for hit in shaped + scope.without_idioms(vocabulary("never").find(tokens, _languages(tokens, language))):
        sentences.setdefault(hit.sentence, []).append(hit)
    last = {token.sentence: at for at, token in enumerate(tokens, 1)}
    return {rule.id for at, hits in sentences.items() for rule in wanted if _breaks(rule, hits, last[at])}


@lru_cache(maxsize=20_000)
def _shapes_of(word: str, language: str) -> tuple[str, ...]:
    """What a word is by its form alone: a figure, or something that a first person says of what it has done."""
    found = ["amount"] if word.isdigit() else []
    return (*found, *(kind for kind, spoken, form, innocent in endings() if spoken == language and word not in innocent and form.fullmatch(word)))


def _breaks(rule: Rule, hits: list[Hit], last: int) -> bool:
    hits = _unsaved(rule, hits) if rule.save else hits
    kinds = {hit.kind for hit in hits}
    if not all(kinds & set(part.split("|")) for part in rule.all) or kinds & set(rule.unless):
        return False
    if rule.anywhere:
        return True
    return any(
        (not rule.last or chain[-1].end == last) and not (rule.denied and _denied(rule, chain, hits)) and not _parted(rule, chain, hits)
        for chain in _chains(rule, hits, 0, [])
    )


def _unsaved(rule: Rule, hits: list[Hit]) -> list[Hit]:
    """Without those of the rule's first class that stand in an allowed phrase: `I can`, where `I` alone would be a claim."""
    wanted = rule.all[0].split("|")
    allowed = {at for hit in hits if hit.kind in rule.save for at in range(hit.start, hit.end)}
    return [hit for hit in hits if hit.kind not in wanted or hit.start not in allowed]


def _chains(rule: Rule, hits: list[Hit], place: int, before: list[Hit]) -> list[list[Hit]]:
    """Every way to find the rule's classes one after the other. A rule has two or three, so there are few."""
    if place == len(rule.all):
        return [before]
    wanted = rule.all[place].split("|")
    found = []
    for hit in hits:
        fits = not before or (hit.start >= before[-1].end and hit.end - before[0].start <= rule.within + 2)
        if fits and hit.kind in wanted:
            found += _chains(rule, hits, place + 1, [*before, hit])
    return found


def _denied(rule: Rule, chain: list[Hit], hits: list[Hit]) -> bool:
    """A negation inside, or right before or after in the same clause: `you are not a burden`, `I called nobody`."""
    start, end = chain[0].start, chain[-1].end
    reach = start if rule.far else 2
    taken = {hit.start for hit in chain}
    for hit in hits:
        if hit.kind in DENIALS and hit.start not in taken:
            before = start - reach <= hit.start < start and hit.clause == chain[0].clause
            after = end <= hit.start < end + 2 and hit.clause == chain[-1].clause
            if before or after or start < hit.start < end:
                return True
    return False


def _parted(rule: Rule, chain: list[Hit], hits: list[Hit]) -> bool:
    """Somebody else comes between: `I know that you called`."""
    return any(hit.kind in rule.between and chain[0].end <= hit.start < chain[-1].start for hit in hits)


def _languages(tokens: list[Token], language: str) -> list[str]:
    sentences: dict[int, list[Token]] = {}
    for token in tokens:
        sentences.setdefault(token.sentence, []).append(token)
    return [language_of(sentences.get(at, []), language) for at in range(max(sentences, default=-1) + 1)]
