"""Readiness: whether an alarm would reach somebody, known long before it matters (alarm.md, section 12)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from holdfast.clock import DAY, iso_or_none
from holdfast.contacts.changing import seen
from holdfast.contacts.schemas import ChannelHealth, HelperChannel, HelperReadiness, Person, Readiness
from holdfast.delivery.health import Lately
from holdfast.texts import channels as named
from holdfast.texts import flat, known, read

DRILL_DUE = 90 * DAY

# From what makes an alarm impossible to what could be better: the first of them is the first thing to do.
URGENCY = (
    "no_scenario",
    "no_channel",
    "nobody",
    "nobody_reachable",
    "sandbox",
    "channel_not_working",
    "nobody_confirmed",
    "contact_unreachable",
    "drill_due",
)
HOPELESS = {"no_scenario", "no_channel", "nobody", "nobody_reachable"}

Level = Literal["none", "weak", "good"]


class Outlook(Struct):
    """What there is to judge: who would be told, by what, and what has been tried. Times are microseconds of UTC."""

    persons: list[Person]
    sending: Collection[str]
    lately: Mapping[str, Lately]
    has_scenario: bool
    sandbox: bool
    last_drill: int | None
    now: int
    language: str | None


def judged(outlook: Outlook) -> Readiness:
    helpers = [_helper(person, outlook.sending) for person in outlook.persons]
    health = [_health(channel, outlook.lately.get(channel)) for channel in outlook.sending]
    found = _problems(outlook, helpers, health)
    problems = [problem for problem in URGENCY if problem in found]
    return Readiness(_level(problems, helpers, health), _line(outlook, helpers, health, problems), helpers, health, problems)


def _helper(person: Person, sending: Collection[str]) -> HelperReadiness:
    views = [seen(way, sending) for way in person.ways if not way.former]
    kind: Literal["contact", "therapist"] = "therapist" if person.kind == "therapist" else "contact"
    return HelperReadiness(person.id, kind, person.name, [HelperChannel(view.channel, view.state, view.reachable, view.problem) for view in views])


def _health(channel: str, lately: Lately | None) -> ChannelHealth:
    return ChannelHealth(channel, lately.working if lately else None, iso_or_none(lately.checked_at) if lately else None)


def _problems(outlook: Outlook, helpers: Sequence[HelperReadiness], health: Sequence[ChannelHealth]) -> set[str]:
    reachable = [helper for helper in helpers if any(channel.reachable for channel in helper.channels)]
    used = {channel.channel for helper in helpers for channel in helper.channels if channel.reachable}
    checks = {
        "no_scenario": not outlook.has_scenario,
        "no_channel": not outlook.sending,
        "nobody": not helpers,
        "nobody_reachable": bool(helpers) and not reachable,
        "sandbox": outlook.sandbox,
        "channel_not_working": any(each.channel in used and each.working is False for each in health),
        "nobody_confirmed": bool(helpers) and not any(_confirmed(helper) for helper in helpers),
        "contact_unreachable": len(reachable) < len(helpers),
        "drill_due": outlook.last_drill is None or outlook.now - outlook.last_drill > DRILL_DUE,
    }
    return {problem for problem, there in checks.items() if there}


def _level(problems: Collection[str], helpers: Sequence[HelperReadiness], health: Sequence[ChannelHealth]) -> Level:
    """Where nothing has been tried lately the confirmation stands for it: it came by a message that arrived."""
    failing = {each.channel for each in health if each.working is False}
    good = any(channel.reachable and channel.state == "confirmed" and channel.channel not in failing for each in helpers for channel in each.channels)
    if HOPELESS.intersection(problems):
        return "none"
    return "good" if good and "sandbox" not in problems else "weak"


def _line(outlook: Outlook, helpers: Sequence[HelperReadiness], health: Sequence[ChannelHealth], problems: Sequence[str]) -> str:
    language = known(outlook.language)
    words = flat(read(language, "readiness"))
    parts = [words["line.nobody"]]
    if helpers:
        count = sum(_confirmed(helper) for helper in helpers)
        parts = [_counted(words, "people", language, len(helpers), confirmed=count, all=len(helpers))]
    parts.append(_drill(outlook, words, language))
    for key, working in (("working", True), ("failing", False), ("untried", None)):
        if kinds := [each.channel for each in health if each.working is working]:
            parts.append(words[f"line.{key}"].format(channels=named(kinds, language)))
    if not health:
        parts.append(words["line.no_channel"])
    line = "; ".join(parts)
    line = line[0].upper() + line[1:]
    return f"{line}. {words['next.' + problems[0]]}" if problems else line


def _drill(outlook: Outlook, words: Mapping[str, str], language: str) -> str:
    if outlook.last_drill is None:
        return words["line.no_drill"]
    days = (outlook.now - outlook.last_drill) // DAY
    return _counted(words, "drill", language, days, days=days) if days > 0 else words["line.drill_today"]


def _counted(words: Mapping[str, str], key: str, language: str, number: int, **values: int) -> str:
    return words.get(f"{key}.{_form(language, number)}", words[f"{key}.other"]).format(**values)


def _form(language: str, number: int) -> str:
    """The plural form, by the rules of Unicode's CLDR for these five languages."""
    if language not in ("uk", "ru"):
        return "one" if number == 1 else "other"
    if number % 10 == 1 and number % 100 != 11:
        return "one"
    return "few" if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14) else "other"


def _confirmed(helper: HelperReadiness) -> bool:
    return any(channel.state == "confirmed" for channel in helper.channels)
