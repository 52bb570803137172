"""What a talk adds to its last message: a level that stays, a question that waits for its answer, and what was asked already."""

from msgspec import Struct
from msgspec.structs import replace

from holdfast.clock import DAY
from holdfast.companion import asking, echo
from holdfast.companion.asking import MEANT_BY, QUESTIONS, Reply
from holdfast.companion.detector import Reading, highest
from holdfast.companion.scope import LEVELS

WATCH, ELEVATED, IMMINENT = 1, 2, 3
HOLDS = DAY
TURNS = 10  # of the person without a new sign, until `elevated` falls
WATCH_TURNS = 2
EXPLAINED_WITHIN = 2  # turns of the sign; later words explain something else
CARRIED = frozenset(
    "third_person act_in_progress means_request farewell retraction self_injury voices harm_to_others danger_from_other minor veteran_words".split()
)
OF_EACH_LEVEL = {
    "watch": ("thoughts",),
    "elevated": ("plan", "means", "safe_now", "who_is_with_you"),
    "imminent": ("safe_now", "who_is_with_you"),
}
# What a reply makes of a question; the rows of companion.md, section 3.6.
RAISES: dict[str, dict[Reply, str]] = {
    "thoughts": {"confirms": "elevated", "denies": "none", "evades": "watch"},
    "plan": {"confirms": "imminent", "denies": "elevated", "evades": "elevated"},
    "means": {"confirms": "imminent", "denies": "elevated", "evades": "elevated"},
    "safe_now": {"confirms": "none", "denies": "imminent", "evades": "imminent"},
    "who_is_with_you": {"confirms": "none", "denies": "none", "evades": "none"},
}


class Episode(Struct, frozen=True):
    """Stored as JSON, encrypted; every field has a default. Times are microseconds."""

    level: str = "none"  # what the answer must serve
    since: int = 0  # when this level was reached
    signed_at: int = 0  # last turn with a sign
    turns_without_sign: int = 0
    pending: str | None = None  # out of QUESTIONS, or in another assistant's words a backward form of it
    wording: frozenset[str] = frozenset()  # of the pending question: beginnings of its words
    asked: tuple[str, ...] = ()
    reworded: bool = False
    safe: bool = False  # the safety question was answered with yes, and no sign came after it
    flags: frozenset[str] = frozenset()
    seen_at: int = 0
    check_in: bool = False  # the next answer opens with a short check-in
    explained: bool = False  # the last sign was explained; a second explanation of it lowers nothing


def follow(before: Episode, reading: Reading, text: str, now: int) -> Episode:
    """The person's turn. `reading` is that of the text on its own; the higher of both counts."""
    held = _fallen(before, now)
    reply = asking.reply_in(text, held.pending, held.wording) if held.pending else None
    sign = highest([reading.level, _by_reply(held, reply), _by_echo(held, text)])
    after = _signed(held, sign, now) if sign != "none" else replace(held, turns_without_sign=held.turns_without_sign + 1)
    after = _taken_back(after, reading, text, reply, now)
    return replace(
        after,
        pending=held.pending if reply == "evades" else None,
        safe=_is_safe(held, after, sign, reply),
        asked=_still_asked(held, after, sign),
        flags=after.flags | (reading.flags & CARRIED),
        seen_at=now,
    )


def next_question(episode: Episode) -> str | None:
    """What the answer should ask now. A thoughts question that was evaded is put once more, in other words."""
    if "act_in_progress" in episode.flags and episode.level == "imminent":
        return None
    if episode.level == "watch" and episode.pending == "thoughts" and not episode.reworded:
        return "thoughts"
    return next((question for question in OF_EACH_LEVEL.get(episode.level, ()) if question not in episode.asked), None)


def with_question(episode: Episode, question: str | None, wording: frozenset[str] = frozenset()) -> Episode:
    """After each answer: it asked this, or nothing. `wording`: asking.wording_of the answer."""
    if question is None:
        return replace(episode, pending=None, check_in=False)
    name = MEANT_BY.get(question, question)
    again = name == "thoughts" and name in episode.asked
    asked = episode.asked if name in episode.asked else (*episode.asked, name)
    return replace(episode, pending=question, wording=wording, asked=asked, reworded=episode.reworded or again, check_in=False)


def closed(episode: Episode, now: int) -> Episode:
    """A person of the service ended an `imminent` episode: one step down, and the next answer opens with the check-in."""
    if episode.level != "imminent":
        return episode
    return replace(episode, level="elevated", since=now, signed_at=now, turns_without_sign=0, pending=None, safe=True, check_in=True)


def _fallen(before: Episode, now: int) -> Episode:
    """One step at most, by time or turns; `elevated` only after the safety question was answered."""
    rested = now - before.signed_at >= HOLDS
    fresh = Episode(flags=before.flags & {"minor", "veteran_words"})
    if before.level == "none":
        return fresh if rested and before.signed_at else before
    falls = {
        "imminent": rested,
        "elevated": before.safe and (rested or before.turns_without_sign >= TURNS),
        "watch": rested or before.turns_without_sign >= WATCH_TURNS,
    }
    if not falls[before.level]:
        return before
    lower = _one_lower(before.level)
    return replace(before, level=lower, since=now, turns_without_sign=0, pending=None, check_in=before.level == "imminent")


def _by_reply(held: Episode, reply: Reply | None) -> str:
    if reply is None or held.pending is None:
        return "none"
    question = MEANT_BY.get(held.pending, held.pending)
    if question in ("plan", "means") and held.level == "none":
        # Asked out of order, before any sign: no more than the thoughts question would have made of it.
        return RAISES[question][reply] if reply == "confirms" and question == "plan" else RAISES["thoughts"][reply]
    if question == "safe_now" and held.level == "watch" and reply == "confirms":
        return "elevated"  # somebody else saw reason to ask
    return RAISES[question][reply]


def _by_echo(held: Episode, text: str) -> str:
    """Only while a sign stands, and not for what explains it away."""
    return "imminent" if held.level == "elevated" and not asking.is_explanation(text) and echo.weighs_more(text) else "none"


def _signed(held: Episode, sign: str, now: int) -> Episode:
    level = highest([held.level, sign])
    again = LEVELS.index(sign) >= LEVELS.index(held.level)
    since = now if again else held.since
    explained = held.explained and LEVELS.index(sign) < ELEVATED
    return replace(
        held, level=level, since=since, signed_at=now, turns_without_sign=0, explained=explained, check_in=held.check_in and level != "imminent"
    )


def _taken_back(after: Episode, reading: Reading, text: str, reply: Reply | None, now: int) -> Episode:
    """An explanation lowers one step, once; taking it back lowers nothing. Both are remembered."""
    if after.level == "none" or LEVELS.index(reading.level) >= LEVELS.index(after.level):
        return after
    denied = reply == "denies" and after.pending == "thoughts"
    explains = asking.is_explanation(text) or (denied and asking.is_innocent(text))
    if not explains and not asking.is_retraction(text):
        return after
    marked = replace(after, flags=after.flags | {"retraction"})
    if not explains or after.explained or after.turns_without_sign > EXPLAINED_WITHIN:
        return marked
    return replace(marked, level=_one_lower(after.level), since=now, explained=True)


def _is_safe(held: Episode, after: Episode, sign: str, reply: Reply | None) -> bool:
    if held.pending == "safe_now":
        return reply == "confirms"
    return held.safe and LEVELS.index(sign) < ELEVATED


def _still_asked(held: Episode, after: Episode, sign: str) -> tuple[str, ...]:
    """A question is asked again only when something changed: the level rose, or a sign came after `safe`."""
    if LEVELS.index(after.level) > max(LEVELS.index(held.level), WATCH):
        changed = {"safe_now", "who_is_with_you"} if after.level == "imminent" else set(QUESTIONS[1:])
    elif held.safe and LEVELS.index(sign) >= ELEVATED:
        changed = {"safe_now"}
    else:
        return held.asked
    return tuple(question for question in held.asked if question not in changed or question == held.pending)


def _one_lower(level: str) -> str:
    return LEVELS[max(0, LEVELS.index(level) - 1)]
