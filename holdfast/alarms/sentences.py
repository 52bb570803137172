"""What is said to the person who called, and when it is true to say it."""

from collections.abc import Collection, Iterable, Sequence

from holdfast import texts
from holdfast.alarms.schemas import Helper, Means, Row, Snapshot
from holdfast.clock import SECOND
from holdfast.contacts.schemas import Person
from holdfast.delivery.schemas import Standing

LATE = 60 * SECOND  # without a message that went out; alarm.md, section 14

TOLD, OPEN = ("accepted", "delivered"), ("pending", "leased")


def about(helper: Helper, deliveries: Sequence[Standing], channels: Collection[str], person: Person | None, grace: int = 0) -> str:
    """The answer's sentence about one person, in the contract's language. Nobody "has been notified" before a provider has accepted the message.

    `grace`: the seconds in which nobody is told yet.
    """
    named = {"name": helper.name, "relationship": helper.relationship}
    if told := _by(deliveries, TOLD):
        return texts.sentence("answer.told", channels=texts.channels(told), **named)
    if under_way := _by(deliveries, OPEN):
        usable = [channel for channel in under_way if channel in channels]
        key = ("grace" if grace else "telling") if usable else "no_mail_server" if under_way == ["email"] else "no_channel"
        return texts.sentence(f"answer.{key}", channels=texts.channels(usable or under_way), seconds=grace, **named)
    if deliveries:
        doubtful = any(delivery.error_class == "ambiguous" for delivery in deliveries)
        return texts.sentence(
            "answer.maybe_told" if doubtful else "answer.not_told", channels=texts.channels(_by(deliveries, ("failed", "cancelled"))), **named
        )
    return texts.sentence(f"answer.{_obstacle(person)}", **named)


def nobody() -> str:
    return texts.sentence("answer.nobody")


def line(row: Row, snapshot: Snapshot, helpers: Sequence[Helper], deliveries: Sequence[Standing], means: Means) -> str:
    """One calm sentence about where the alarm stands now, in the caller's language."""
    key, values = _standing(row, helpers, deliveries, means, snapshot)
    said = texts.sentence(f"line.{key}", snapshot.language, **values)
    return texts.sentence("line.drill", snapshot.language, line=said) if row.drill and row.state != "closed" else said


def _standing(row: Row, helpers: Sequence[Helper], deliveries: Sequence[Standing], means: Means, snapshot: Snapshot) -> tuple[str, dict[str, object]]:
    if row.state == "closed":
        return row.close_reason or "ended", {}
    if row.state == "acknowledged" and (helping := [helper for helper in helpers if helper.answer in ("calling", "coming")]):
        return _answered(helping)
    told, telling = _named(helpers, deliveries, TOLD), _named(helpers, (one for one in deliveries if one.channel in means.channels), OPEN)
    language = snapshot.language
    if row.state == "grace" and telling:
        seconds = max(0, -((row.now - (row.grace_ends_at or row.now)) // SECOND))
        return "grace", {"names": texts.listed(telling, language), "seconds": seconds}
    if told:
        return _since_told(helpers, texts.listed(told, language))
    if telling and row.now - row.created_at < LATE:
        return "telling", {"names": texts.listed(telling, language)}
    return _nobody_told(helpers, deliveries, telling, row, snapshot, means)


def _answered(helping: Sequence[Helper]) -> tuple[str, dict[str, object]]:
    """The newest answer of somebody who helps."""
    newest = max(helping, key=lambda helper: helper.answered_at or 0)
    return str(newest.answer), {"name": newest.name}


def _since_told(helpers: Sequence[Helper], names: str) -> tuple[str, dict[str, object]]:
    seen = [helper for helper in helpers if helper.seen_at]
    if not seen:
        return "told", {"names": names}
    newest = max(seen, key=lambda helper: max(helper.seen_at or 0, helper.answered_at or 0))
    return ("cannot" if newest.answer == "cannot" else "seen"), {"name": newest.name}


def _nobody_told(
    helpers: Sequence[Helper], deliveries: Sequence[Standing], telling: Sequence[str], row: Row, snapshot: Snapshot, means: Means
) -> tuple[str, dict[str, object]]:
    if telling:
        numbers = means.helplines(snapshot.place, snapshot.veteran, row.now)
        return ("late", {"number": numbers[0].dial}) if numbers else ("late_no_number", {})
    if any(delivery.state in OPEN for delivery in deliveries):
        return "no_mail_server", {}
    return ("nobody" if not helpers else "failed" if deliveries else "unreachable"), {}


def _obstacle(person: Person | None) -> str:
    """Why there is nothing that could be sent."""
    problems = {way.problem for way in person.ways} if person else set()
    if "stopped" in problems:
        return "stopped"
    if problems - {None}:
        return "not_allowed"
    return "no_address"


def _by(deliveries: Iterable[Standing], states: Collection[str]) -> list[str]:
    """The channels, each once, e-mail first."""
    return sorted({delivery.channel for delivery in deliveries if delivery.state in states}, key=lambda channel: (channel != "email", channel))


def _named(helpers: Sequence[Helper], deliveries: Iterable[Standing], states: Collection[str]) -> list[str]:
    ids = {delivery.alarm_helper_id for delivery in deliveries if delivery.state in states}
    return [helper.name for helper in helpers if helper.id in ids]
