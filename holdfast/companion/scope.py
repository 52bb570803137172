"""Scope: which found words a negation, an idiom, another time, a story or a profession takes back, and how far."""

from bisect import bisect_right

from holdfast.companion.frames import Match
from holdfast.companion.words import Hit

LEVELS = ("none", "watch", "elevated", "imminent")
NEGATION_REACH = 6  # words
DOUBT_REACH = 8
# Words about time, persons and setting are not what a negation denies.
NEVER_NEGATED = frozenset(
    (
        "self subject other neg pseudo doubt joins opinion idiom benign fiction work info joke past_long past_months past_weeks past_days "
        "recovered back soon now no_return distress hopeless strain retraction minor fillers others better many pills living care peaceful "
        "weary indifferent cannot_imagine relief body_part leave future unable continue no_exit nothing_matters horizon forever repose all_it "
        "settle calm do_it asleep ask painless envy dead taken enough_life insurance urgent someone perilous target drained holiday place_plan "
        "last_thing away guilt sleepless anniversary loss strain "
    ).split()
)
WEAK = frozenset(
    (
        "means reach gather edge hoard goodbye affairs method_q note end_soon decided plan kill_other no_future at_hand end_it ingested "
        "lure better peaceful settle calm do_it last_thing place_plan away insurance asleep slay dead envy painless enough_life living weary repose "
    ).split()
)
SETTINGS = frozenset({"benign", "joke", "fiction", "work"})
DENIABLE = frozenset({"die", "gone", "act", "suicide_word", "self_injury", "kill_other"})  # denied, they speak for themselves in the weights
AWAY_FOR_A_WHILE = "holiday"  # with a tent and without a telephone, being gone is a rest
PAST = {"past_long": "none", "past_months": "watch", "past_weeks": "elevated"}  # the level that is left of a sign from that time
SUBJECT_REACH = 4  # words between `I` and what is said of it


class Scene:
    """The found words of one message, by sentence, so that each question about a frame looks at its own sentence only."""

    def __init__(self, hits: list[Hit]) -> None:
        self.kinds = {hit.kind for hit in hits}
        self.sentences: dict[int, list[Hit]] = {}
        for hit in hits:
            self.sentences.setdefault(hit.sentence, []).append(hit)
        self.kinds_of = {sentence: {hit.kind for hit in here} for sentence, here in self.sentences.items()}
        self.subjects = {sentence: [hit.start for hit in here if hit.kind == "subject"] for sentence, here in self.sentences.items()}

    def level_of(self, match: Match) -> str:
        """What is left of a frame's level after the time, the story and the profession of its own sentence."""
        here = self.kinds_of[match.sentence]
        if not match.frame.firm and self._told_of_others(match, here):
            return "none"
        if here & {"back", "soon"} or match.frame.id == "act-in-progress":
            return match.frame.level
        for past, left in PAST.items():
            if past in here:
                return "none" if "recovered" in self.kinds else min(left, match.frame.level, key=LEVELS.index)
        return "none" if "recovered" in here and match.frame.level != "imminent" else match.frame.level

    def about_another(self, match: Match) -> bool:
        """Another person stands before the frame or in it, and the writer does not."""
        near = {hit.kind for hit in self.sentences[match.sentence] if match.start - NEGATION_REACH <= hit.start < match.end}
        return "other" in near and not self._own(match)

    def _own(self, match: Match) -> bool:
        return any(match.start - SUBJECT_REACH <= at < match.end for at in self.subjects[match.sentence])

    def _told_of_others(self, match: Match, here: set[str]) -> bool:
        """Inside a story or at work it is somebody else's; with the writer as the subject in distress it is the writer's own."""
        own = self._own(match)
        if "fiction" in here:
            return not (own and self.kinds & {"distress", "hopeless"})
        return not own and bool(self.kinds & {"fiction", "work"} or "info" in here)


def without_idioms(hits: list[Hit]) -> list[Hit]:
    """An idiom takes back exactly the words it covers."""
    covered = {at for hit in hits if hit.kind == "idiom" for at in range(hit.start, hit.end)}
    return [hit for hit in hits if hit.kind == "idiom" or covered.isdisjoint(range(hit.start, hit.end))]


def without_negated(hits: list[Hit]) -> list[Hit]:
    """A negation reaches a few words forward in its clause, up to a joining word or a new subject; two cancel out."""
    stops = [(hit.start, hit.kind) for hit in hits if hit.kind in ("joins", "subject")]
    opinions = {hit.start for hit in hits if hit.kind == "opinion"}
    negative = {hit.start for hit in hits if hit.kind == "neg"}  # a phrase that begins with a negation is not denied by another
    denials: dict[int, list[int]] = {}
    for negation in _free_negations(hits):
        for at in range(negation.end, _reach(negation, stops, opinions)):
            denials.setdefault(at, []).append(negation.clause)
    left = [hit for hit in hits if hit.kind in NEVER_NEGATED or hit.start in negative or denials.get(hit.start, []).count(hit.clause) % 2 == 0]
    denied = {hit for hit in hits if hit.kind in DENIABLE}.difference(left) if len(left) < len(hits) else set()
    return left + [hit._replace(kind="denied") for hit in sorted(denied)[:1]]


def without_benign(hits: list[Hit]) -> list[Hit]:
    """A gun and a shooting range, a rope and a climb: an innocent setting takes back words that are weak by themselves."""
    heavy = {hit.sentence for hit in hits if hit.kind in ("strain", "hopeless")}
    calm = {hit.sentence + step for hit in hits if hit.kind in SETTINGS for step in (-1, 0, 1)} - heavy
    away = {hit.sentence for hit in hits if hit.kind == AWAY_FOR_A_WHILE} - heavy
    return [hit for hit in hits if (hit.kind not in WEAK or hit.sentence not in calm) and (hit.kind != "gone" or hit.sentence not in away)]


def _free_negations(hits: list[Hit]) -> list[Hit]:
    """Negations that belong to no phrase (`can not go on` denies nothing else) and stand under no doubt (`can not promise I will not`)."""
    inside: set[int] = set()
    for hit in hits:
        if hit.end - hit.start > 1 and hit.kind != "idiom":
            inside.update(range(hit.start, hit.end))
        if hit.kind == "doubt":
            inside.update(range(hit.start, hit.end + DOUBT_REACH))
    return [hit for hit in hits if hit.kind == "neg" and hit.start not in inside]


def _reach(negation: Hit, stops: list[tuple[int, str]], opinions: set[int]) -> int:
    end = negation.end + NEGATION_REACH
    for at, kind in stops[bisect_right(stops, (negation.end, "~")) :]:
        if at >= end:
            break
        if kind == "joins" or opinions.isdisjoint(range(negation.end, at)):
            return at
    return end
