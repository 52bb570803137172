"""Telling people: which message goes to whom on which channel. Everything here only adds to the outbox."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from holdfast.accounts import service as accounts
from holdfast.alarms import case as cases
from holdfast.alarms.case import Case, ways_of
from holdfast.alarms.schemas import Group, Helper, Means
from holdfast.clock import HOUR, SECOND
from holdfast.contacts import service as contacts
from holdfast.contacts.schemas import Person, Way
from holdfast.db import Tx
from holdfast.delivery import caps, outbox
from holdfast.delivery.caps import Planned
from holdfast.delivery.schemas import LINK, Kind, NewDelivery, Standing, State

REPEATS = 3  # to one contact in one alarm; alarm.md, section 8
STATUSES = 3  # section 9
UNKNOWN_AFTER = 60  # seconds after which an SMS without a receipt counts as unknown; section 5
MAY_WORK_LATER = ("ambiguous", "expired", "capped", "undelivered")  # of what failed: a telephone may be on again, a repeat goes there
TRIES = 2  # temporary failures, then the next channel
LIVES = {"status": HOUR, "all_clear": 24 * HOUR, "closing": 24 * HOUR}  # every other message lives as long as its alarm

ADD_HELPER = f"""
    insert into alarm_helper (alarm_id, kind, person_id, position, name, relationship, language, ways, confirmed, link_sha256)
    values (:alarm_id, :kind, :person_id, :position, :name, :relationship, :language, :ways, :confirmed, :digest)
    returning {cases.HELPER}"""  # noqa: S608 - constants

FREEZE = "update alarm_helper set ways = :ways where id = :helper_id"

NEXT_CHANNEL = "update alarm_helper set next_channel_at = holdfast_now() + cast(:wait as bigint) where id = :helper_id"  # null: none is left


NO_CHANNEL = "update alarm_helper set next_channel_at = null where alarm_id = :alarm_id and next_channel_at is not null"


class _Letter(Struct):
    """One message that is meant for somebody."""

    helper: Helper
    way: Way
    kind: Kind
    step: int
    wait: int = 0
    key: str | None = None
    values: dict[str, object] = {}


async def people(tx: Tx, user_id: int, tell: Sequence[Group], means: Means) -> list[Person]:
    """In the order in which they are told."""
    found: list[Person] = []
    if "contacts" in tell:
        found += await contacts.people(tx, user_id, means.countries)
    if "therapist" in tell and (therapist := await contacts.therapist_of(tx, user_id, means.countries)):
        found.append(therapist)
    if "staff_on_call" in tell:
        found += await _on_call(tx, means)
    return found


async def first(tx: Tx, case: Case, persons: Sequence[Person], kind: Kind, step: int, *, wait: int = 0) -> list[Helper]:
    """Tells each whom this alarm does not know, and each at an address that it does not know; `wait` is in microseconds. Who was new."""
    known = {(helper.kind, helper.person_id): helper for helper in case.helpers}
    new, letters = [], []
    for person in persons:
        helper = known.get((person.kind, person.id))
        if helper is None:
            helper = await _join(tx, case, person)
            ways = await _started(tx, case, helper, wait)
        else:
            ways = await _corrected(tx, case, helper, person.ways)
        letters += [_Letter(helper, way, kind, step, wait) for way in ways]
        if ways or (person.kind, person.id) not in known:
            new.append(helper)
    await _put(tx, case, await _unless_crowded(tx, case, letters))
    return new


async def again(tx: Tx, case: Case, helpers: Sequence[Helper], step: int) -> int:
    """A repeat with news, on the channels of the first message, where that is not still waiting. How many messages."""
    letters = []
    for helper in helpers:
        sent = case.of(helper)
        repeats = {delivery.step for delivery in sent if delivery.kind == "repeat"}
        if helper.answer == "cannot" or (helper.kind != "staff" and len(repeats) >= REPEATS):
            continue
        newest = {(delivery.channel, delivery.destination): delivery for delivery in sent}
        waiting = {delivery.channel for delivery in sent if delivery.state in ("pending", "leased")}
        usable = [delivery for delivery in newest.values() if delivery.channel not in waiting and not _is_refused(case, delivery)]
        letters += [_Letter(helper, Way(delivery.channel, delivery.destination), "repeat", step) for delivery in usable]
    return await _put(tx, case, letters)


async def next_channel(tx: Tx, case: Case, helper: Helper, at: int) -> None:
    """Starts the helper's next channel unless one has reached him or her; alarm.md, section 5, fall-through. `at` is when it is due in any case."""
    sent = [delivery for delivery in case.of(helper) if delivery.kind in ("alarm", "staff", "summary")]
    left = _not_started(case, helper, sent)
    if not left or any(_reached(delivery) for delivery in sent):
        await tx.run(NEXT_CHANNEL, helper_id=helper.id, wait=None)
        return
    if at > case.alarm.now and not _is_in_want(case, helper, sent):
        return
    unknown = [delivery.accepted_at for delivery in sent if delivery.state == "accepted" and delivery.accepted_at is not None]
    if unknown and 0 < (rest := max(unknown) + UNKNOWN_AFTER * SECOND - case.alarm.now) <= UNKNOWN_AFTER * SECOND:
        if at < case.alarm.now + rest:
            await tx.run(NEXT_CHANNEL, helper_id=helper.id, wait=rest)
        return
    kind: Kind = "staff" if any(delivery.kind == "staff" for delivery in sent) else "alarm"
    letters = [_Letter(helper, left[0], kind, sent[0].step if sent else case.alarm.step)]
    await _put(tx, case, await _unless_crowded(tx, case, letters))
    await tx.run(NEXT_CHANNEL, helper_id=helper.id, wait=case.means.fallback_after * SECOND if len(left) > 1 else None)


async def to_told(tx: Tx, case: Case, kind: Kind, helpers: Sequence[Helper], key: str, **values: object) -> int:
    """One message to each, on the channel that reached him or her best; `key` makes it once. How many."""
    ways = [(helper, _best(case, helper)) for helper in helpers]
    step = case.alarm.step
    return await _put(tx, case, [_Letter(helper, way, kind, step, key=f"{key}:helper:{helper.id}", values=values) for helper, way in ways if way])


async def status(tx: Tx, case: Case, about: Helper, answer: str) -> None:
    """The others who were told hear who helps, or that nobody does any more."""
    counts = {helper.id: sum(delivery.kind == "status" for delivery in case.of(helper)) for helper in case.helpers}
    others = [helper for helper in case.told() if helper.id != about.id and counts[helper.id] < STATUSES]
    key = f"alarm:{case.alarm.id}:status:{about.id}:{case.alarm.version}"
    await to_told(tx, case, "status", others, key, helper=about.name, answer=answer)


async def no_more_channels(tx: Tx, alarm_id: int) -> None:
    """Of an alarm that has ended nobody waits for another: a round of chores looks at those who do."""
    await tx.run(NO_CHANNEL, alarm_id=alarm_id)


async def _join(tx: Tx, case: Case, person: Person) -> Helper:
    values = {"kind": person.kind, "person_id": person.id, "position": len(case.helpers), "language": person.language}
    names = {"name": person.name, "relationship": person.relationship, "confirmed": person.confirmed}
    ways = msgspec.json.encode(person.ways).decode()
    links = case.means.links
    digest = links.digest(links.seed("a", case.alarm.id, len(case.helpers)))  # no two in one alarm have the same position
    helper = await tx.one(ADD_HELPER, Helper, alarm_id=case.alarm.id, ways=ways, digest=digest, **values, **names)
    assert helper is not None  # noqa: S101 - an insert returns its row
    case.helpers.append(helper)
    return helper


async def _started(tx: Tx, case: Case, helper: Helper, wait: int) -> list[Way]:
    """The channels that are begun with; the others follow unless one of these reaches the person."""
    ways = _in_order(case, helper)
    at_once = _at_once(case, ways)
    if len(at_once) < len(ways):
        await tx.run(NEXT_CHANNEL, helper_id=helper.id, wait=wait + case.means.fallback_after * SECOND)
    return at_once


async def _corrected(tx: Tx, case: Case, helper: Helper, ways: list[Way]) -> list[Way]:
    """The addresses that this alarm does not know yet."""
    known = ways_of(helper)
    fresh = [way for way in ways if (way.channel, way.destination) not in {(old.channel, old.destination) for old in known}]
    if fresh:
        helper.ways = msgspec.json.encode([*known, *fresh]).decode()
        await tx.run(FREEZE, helper_id=helper.id, ways=helper.ways)
    return [way for way in fresh if not way.problem]


async def _unless_crowded(tx: Tx, case: Case, letters: list[_Letter]) -> list[_Letter]:
    """After many alarms in an hour one summary takes the place of first messages."""
    if not letters or letters[0].kind != "alarm":
        return letters
    case.crowd = await caps.crowd(tx, user_id=case.alarm.user_id, alarm_id=case.alarm.id)
    addresses = {(letter.way.channel, letter.way.destination) for letter in letters}
    due = await caps.summary_due(tx, case.crowd, user_id=case.alarm.user_id, addresses=addresses)
    for letter in letters:
        instead = due[letter.way.channel, letter.way.destination]
        if instead.kind == "summary":
            letter.kind, letter.wait, letter.values = "summary", max(letter.wait, instead.wait), {"count": instead.count}
    return letters


async def _put(tx: Tx, case: Case, letters: Sequence[_Letter]) -> int:
    """Into the outbox, what a cap holds back as failed. How many were not there before."""
    written = [_written(case, letter) for letter in letters]
    texts = [(letter, new) for letter, new in zip(letters, written, strict=True) if new.channel == "sms"]
    planned = [
        Planned(
            destination=new.destination,
            kind=new.kind,
            segments=new.segments,
            confirmed=letter.helper.kind != "contact" or letter.way.state == "confirmed" or letter.helper.confirmed,
            alone=_is_alone(case, letter.helper),
        )
        for letter, new in texts
    ]
    exempt = case.crowd is not None and case.crowd.first
    verdicts = await caps.judged(tx, case.means.caps, planned, user_id=case.alarm.user_id, alarm_id=case.alarm.id, first=exempt)
    for (_, new), cap in zip(texts, verdicts, strict=True):
        new.cap = cap
    added = await outbox.add(tx, *written)
    for letter, new in zip(letters, written, strict=True):
        if new.dedup_key in added:
            state: State = "failed" if new.cap else "pending"
            problem = "capped" if new.cap else None
            case.sent.append(Standing(letter.helper.id, new.channel, new.destination, state, problem, 0, kind=new.kind, step=new.step))
    return len(added)


def _written(case: Case, letter: _Letter) -> NewDelivery:
    alarm, helper, way = case.alarm, letter.helper, letter.way
    body = case.wording.written(letter.kind, way.channel, helper.language or case.snapshot.language, case.values(letter.step, **letter.values))
    if LINK in body.text:
        body.link = case.means.links.known(helper.link_sha256, "a", alarm.id, helper.position)
    return NewDelivery(
        dedup_key=letter.key or outbox.dedup_key(alarm.id, letter.step, helper.id, way.channel, way.destination),
        alarm_id=alarm.id,
        alarm_helper_id=helper.id,
        kind=letter.kind,
        step=letter.step,
        channel=way.channel,
        destination=way.destination,
        body=body,
        segments=case.means.caps.segments(body.text) if way.channel == "sms" else 0,
        deadline_at=alarm.now + LIVES[letter.kind] if letter.kind in LIVES else alarm.expires_at,
        wait=letter.wait,
    )


async def _on_call(tx: Tx, means: Means) -> list[Person]:
    """Staff are paged by e-mail, and by SMS where the settings give a number."""
    numbers = dict(entry.partition(":")[::2] for entry in means.on_call)
    found = []
    for member in await accounts.staff(tx):
        if numbers and member.username not in numbers:
            continue
        ways = [Way("email", member.email, "confirmed")]
        if number := numbers.get(member.username):
            ways.append(Way("sms", number, "confirmed"))
        found.append(Person(member.id, "staff", member.username, "staff on call", None, None, ways))
    return found


def _in_order(case: Case, helper: Helper) -> list[Way]:
    """In the helper's own order those that this server can send on; without any, all of them: one may be set up within the alarm's life."""
    ways = [way for way in ways_of(helper) if not way.problem and (way.channel, way.destination) not in case.stopped]
    return [way for way in ways if way.channel in case.means.channels] or ways


def _not_started(case: Case, helper: Helper, sent: Sequence[Standing]) -> list[Way]:
    started = {(delivery.channel, delivery.destination) for delivery in sent}
    return [way for way in _in_order(case, helper) if (way.channel, way.destination) not in started]


def _at_once(case: Case, ways: Sequence[Way]) -> list[Way]:
    """An address that somebody else may have replaced never waits."""
    return [way for way in ways if not way.former][: case.scenario.start_channels] + [way for way in ways if way.former]


def _is_in_want(case: Case, helper: Helper, sent: Sequence[Standing]) -> bool:
    """Whether more messages are in trouble than others have been started in their place."""
    troubled = sum(one.state == "failed" or one.ambiguous > 0 or (one.state == "pending" and one.attempt >= TRIES) for one in sent)
    return troubled > len(sent) - len(_at_once(case, _in_order(case, helper)))


def _reached(delivery: Standing) -> bool:
    """An accepted SMS may still be lost on its way; an accepted letter has arrived as far as anybody will ever say."""
    return delivery.state == "delivered" or (delivery.state == "accepted" and delivery.channel != "sms")


def _is_refused(case: Case, delivery: Standing) -> bool:
    is_final = delivery.state == "failed" and delivery.error_class not in MAY_WORK_LATER
    return is_final or (delivery.channel, delivery.destination) in case.stopped


def _best(case: Case, helper: Helper) -> Way | None:
    """Delivered before accepted before perhaps; e-mail first among equals, for it costs nothing and has no limit."""
    worth = {"delivered": 3, "accepted": 2}
    left = [one for one in case.of(helper) if one.may_have_left and (one.channel, one.destination) not in case.stopped]
    best = max(left, key=lambda delivery: (worth.get(delivery.state, 1), delivery.channel == "email"), default=None)
    return Way(best.channel, best.destination) if best else None


def _is_alone(case: Case, helper: Helper) -> bool:
    """Whether SMS is the only way to the person that this server has."""
    return all(way.channel == "sms" for way in _in_order(case, helper) if way.channel in case.means.channels)
