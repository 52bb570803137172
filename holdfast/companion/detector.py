"""The crisis check: what level of care a text asks for, computed here, by rules, for every text that comes in."""

from typing import NamedTuple

from msgspec import Struct

from holdfast.companion import scope
from holdfast.companion.concepts import code_of, codes_of
from holdfast.companion.frames import Match, matches
from holdfast.companion.normalise import Token, language_of, tokens_of
from holdfast.companion.scope import LEVELS
from holdfast.companion.weighing import Piece, pieces_of, scores, weights
from holdfast.companion.words import Hit, vocabulary

ELEVATED = LEVELS.index("elevated")
# Of these one must have been said too, before weights make anything imminent.
IMMINENT_TOO = frozenset(
    "soon plan means reach gather hoard edge lastwords goodbye affairs note end_soon decided act_done settle last_thing place_plan asleep "
    "ingested many pills blood hurt_verb unable no_exit enough_life taken "
    "slay danger violence_me act3 other_act painless horizon do_it at_hand perilous".split()
)
CONCEPTS_TOO = frozenset(
    code_of(name)
    for name in (
        "TODAY_NOW TONIGHT TOMORROW_SOON WEEKDAY_DATE HOUR_MINUTE FINALLY DECIDE PLAN WEAPON BLADE PILLS POISON_GAS HEIGHT TRAIN_ROAD "
        "HANG_ROPE FALL_JUMP DROWN_WATER BURN_FIRE CUT_HURT_SELF BLOOD_WOUND SWALLOW_TAKE HOLD_HAVE_AT_HAND COLLECT_STORE GOODBYE "
        "LETTER_NOTE GIVE_AWAY WILL_PAPERS TIDY_ORDER LOOK_AFTER KEYS_HOME KILL VIOLENCE_OTHER LOCK_DOOR_HIDE"
    ).split()
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


class Analysis(NamedTuple):
    """What the rules find in a text. `languages`: the guess for each sentence."""

    tokens: list[Token]
    languages: list[str]
    hits: list[Hit]
    judged: list[tuple[Match, str]]
    scene: scope.Scene
    spoken: str

    def pieces(self) -> list[Piece]:
        return pieces_of(self.tokens, self.hits, [(match.sentence, f"{match.frame.id} {level}") for match, level in self.judged])


def analysed(text: str) -> Analysis:
    """Of the text alone: nothing that is known of the person changes what is found."""
    tokens = tokens_of(text)
    spoken = language_of(tokens, "")
    languages = _languages(tokens, spoken)
    hits = scope.without_negated(scope.without_idioms(vocabulary().find(tokens, languages)))
    scene = scope.Scene(hits)
    return Analysis(tokens, languages, hits, _judge(hits, scene), scene, spoken)


def _read(text: str, language: str) -> Reading:
    found = analysed(text)
    by_rules, by_weights = level_by_rules(found), _weighed(found)
    rules = {match.frame.id for match, _ in found.judged}
    if LEVELS.index(by_weights) > LEVELS.index(by_rules):
        rules.add(f"weights-{by_weights}")
    level = highest([by_rules, by_weights])
    return Reading(level, _flags(found, level), tuple(sorted(rules)) if level != "none" else (), found.spoken or language)


def level_by_rules(found: Analysis) -> str:
    return highest([level for match, level in found.judged if match.frame.strong])


def _flags(found: Analysis, level: str) -> frozenset[str]:
    """A sign that sets no level by itself still says what a risk is about."""
    flags = {kind for kind in BESIDE_THE_LEVEL if kind in found.scene.kinds}
    signs = found.judged if LEVELS.index(level) >= ELEVATED else [sign for sign in found.judged if sign[0].frame.strong]
    flags.update(flag for match, _ in signs for flag in match.frame.flags)
    if any(LEVELS.index(level) >= ELEVATED and found.scene.about_another(match) for match, level in signs):
        flags.add("third_person")
    return frozenset(flags)


def may_be_imminent(piece: Piece, languages: list[str]) -> bool:
    """Weights alone make nothing imminent: means, a time, a goodbye or an act must be named as well."""
    if not IMMINENT_TOO.isdisjoint([hit.kind for hit in piece.hits]):
        return True
    return any(not CONCEPTS_TOO.isdisjoint(codes_of(token.forms, languages[token.sentence])) for token in piece.tokens)


def _weighed(found: Analysis) -> str:
    """What the linear model says. It may raise a level, never lower one."""
    known, level = weights(), "none"
    for piece in found.pieces():
        risk, act = scores(piece, found.languages)
        if risk >= known.elevated and act >= known.act and may_be_imminent(piece, found.languages):
            return "imminent"
        level = highest([level, "elevated" if risk >= known.elevated else "watch" if risk >= known.watch else "none"])
    return level


def _judge(hits: list[Hit], scene: scope.Scene) -> list[tuple[Match, str]]:
    """First what is a risk by itself; then what makes it imminent. An innocent setting counts only where no risk was found."""
    calm = scope.without_benign(hits)
    signs = _in_scope(matches(calm, "elevated"), scene)
    if signs and len(calm) < len(hits):
        signs, calm = _in_scope(matches(hits, "elevated"), scene), hits
    risks = [Hit("risk", sign.start, sign.end, sign.sentence, 0) for sign, level in signs if level == "elevated" and sign.frame.strong]
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
