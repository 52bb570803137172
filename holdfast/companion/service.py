"""Everything that happens when somebody writes to the companion: heard, answered, kept."""

from collections.abc import AsyncIterator
from functools import partial

from msgspec import Struct

from holdfast.companion import answers, drafting, guided, handover, memory, replying, what_helped
from holdfast.companion.drafting import Draft
from holdfast.companion.handover import Cause, Standing
from holdfast.companion.listening import Companion, Heard, hear
from holdfast.companion.replying import Reply
from holdfast.companion.scope import LEVELS
from holdfast.companion.streaming import Done, Replace, Sentence
from holdfast.companion.wording import wording
from holdfast.contacts import service as contacts
from holdfast.db import Database, Tx
from holdfast.errors import Invalid
from holdfast.log import log
from holdfast.support.paging import Desk

__all__ = ["Companion", "speak", "stream"]

ADULT = 18
LATEST_OPENINGS = 3  # which a model's text may not begin with again
WATCH = LEVELS.index("watch")


class Spoken(Struct, frozen=True):
    """`actions`: what a client may offer beside the text."""

    text: str
    actions: tuple[str, ...] = ()


async def speak(db: Database, companion: Companion, user_id: int, text: str, *, own: bool = True) -> str:
    """The answer to a message, whatever fails behind it. Raises Invalid for a text that is too long.

    `own`: the person wrote it, and not staff for the person, who can agree to nothing.
    """
    heard = await _heard(db, companion, user_id, text, own=own)
    answered = await _answered(db, companion, heard)
    if answered.model and _may_use_model(companion, heard):
        async with companion.call(user_id):
            answered = await _written(db, companion, heard, answered)
    return (await _kept(db, companion, heard, answered)).text


async def stream(db: Database, companion: Companion, user_id: int, text: str, *, own: bool = True) -> AsyncIterator[Sentence | Replace | Spoken]:
    """The same answer in checked sentences, at `none` only; the last event is the whole. Raises Invalid before the first.

    To be read to its end also when the person is gone: the history then holds what would have been shown.
    """
    heard = await _heard(db, companion, user_id, text, own=own)
    answered = await _answered(db, companion, heard)
    draft, built_in = None, answered.body
    if answered.model and heard.reading.level == "none" and _may_use_model(companion, heard):
        draft = await _draft(db, companion, heard)
    if draft:
        async with companion.call(user_id):
            async for event in drafting.model_stream(db, companion.model, companion.caps, draft, lambda: built_in):
                if isinstance(event, Done):
                    answered = answered._replace(body=event.text)
                else:
                    yield event
        kept = await _kept(db, companion, heard, answered)
        yield Sentence("".join(f"\n\n{part}" for part in kept.tail))
    else:
        kept = await _kept(db, companion, heard, answered)
        yield Sentence(kept.text)
    yield Spoken(kept.text, _actions(heard, kept))


async def _heard(db: Database, companion: Companion, user_id: int, text: str, *, own: bool) -> Heard:
    heard = await hear(db, companion, user_id, text, own=own)
    if heard.too_long:
        raise Invalid(answers.too_long(heard.reading, heard.about))
    return heard


async def _answered(db: Database, companion: Companion, heard: Heard) -> Reply:
    """People are asked to come before the answer is made: it says truthfully who was."""
    place = await _standing(db, companion, heard)
    if place.joined:
        return replying.beside(heard, place.assignee_name or "")
    staff = handover.told(place, heard.reading.language)
    return replying.reply(heard, staff=staff, model_there=companion.model.configured, ask_consent=companion.consent_needed)


async def _standing(db: Database, companion: Companion, heard: Heard) -> Standing:
    state, asked = heard.state, guided.wants_person(heard.text)
    found = handover.causes(heard.alone, state.episode, state.at_levels, asked=asked, minor=_is_minor(heard))
    try:
        desk = companion.desk()
        async with db.write() if found else db.read() as tx:
            for cause in found[:1]:
                await _hand_over(tx, companion, heard, cause, desk)
            return await handover.standing(tx, heard.user_id, staff_online=desk.staff_online)
    except Exception as error:
        log.error("hand_over_failed", exc_info=error)
        return Standing()


async def _hand_over(tx: Tx, companion: Companion, heard: Heard, cause: Cause, desk: Desk) -> None:
    told = await handover.hand_over(
        tx,
        heard.user_id,
        cause=cause,
        level=heard.reading.level,
        rules=heard.alone.rule_ids,
        resource=answers.contact(wording(heard.reading.language), heard.about, heard.reading).line,
        shared=heard.known.share == "yes",
        since_turn_id=await memory.since(tx, heard.user_id),
        now=heard.known.now,
        language=heard.reading.language,
        desk=desk,
    )
    if told:
        tx.after_commit(partial(companion.publish, told))


def _is_minor(heard: Heard) -> bool:
    """By what was said in this talk, also long ago, or by the profile."""
    return "minor" in heard.reading.flags | heard.state.episode.flags or (heard.person.age is not None and heard.person.age < ADULT)


def _may_use_model(companion: Companion, heard: Heard) -> bool:
    """Consent first; never for a minor; never at `imminent`, so that no such text leaves."""
    agreed = not companion.consent_needed or heard.known.consent == "given"
    return companion.model.configured and agreed and not _is_minor(heard) and heard.reading.level != "imminent"


async def _written(db: Database, companion: Companion, heard: Heard, answered: Reply) -> Reply:
    """The model's words in the place of ours, or beside them from `watch` up; ours whenever it fails or is refused by the check."""
    draft = await _draft(db, companion, heard)
    if draft is None:
        return answered
    if LEVELS.index(heard.reading.level) >= WATCH:
        said = await drafting.reflection(db, companion.model, companion.caps, draft)
        return answered._replace(body=answers.with_reflection(answered.body, said, heard.reading.level)) if said else answered
    written = await drafting.model_text(db, companion.model, companion.caps, draft)
    return answered._replace(body=written.text) if written.text else answered._replace(failed=written.refused)


async def _draft(db: Database, companion: Companion, heard: Heard) -> Draft | None:
    """The last turns, and the names and places that a model must not learn. None when these cannot be read: then nothing leaves."""
    try:
        async with db.read() as tx:
            turns = await memory.last_turns(tx, companion.vault, heard.user_id)
            people = [contact.name for contact in await contacts.people(tx, heard.user_id)]
    except Exception as error:
        log.error("companion_draft_failed", exc_info=error)
        return None
    names = [*people, *heard.person.names]
    parts = [part for name in names for part in name.split() if len(part) > 2]
    private = sorted({*names, *parts}, key=len, reverse=True)
    latest = [turn.text for turn in turns if turn.role == "assistant"][-LATEST_OPENINGS:]
    return Draft(heard.user_id, turns, heard.reading.language, private, tuple(latest))


async def _kept(db: Database, companion: Companion, heard: Heard, answered: Reply) -> Reply:
    """With what belongs to every answer, and remembered. The person has an answer; losing its record is the smaller harm."""
    answered = replying.finished(heard, answered)
    try:
        async with companion.turn(heard.user_id), db.write() as tx:
            known = await memory.known(tx, companion.vault, heard.user_id)
            if known is None:
                return answered
            # Another message came meanwhile: what it said of the person stands.
            newer = known.state.episode != heard.state.episode
            state = memory.noted(known.state, heard.reading.level, known.now) if newer else answered.state
            await memory.remember(tx, known.key, heard.user_id, "assistant", answered.text, heard.reading.level)
            await memory.keep_state(tx, known.key, heard.user_id, state)
            await what_helped.count(tx, known.state.tools, state.tools)
            if answered.failed:
                await _hand_over(tx, companion, heard, "answer_failed", companion.desk())
            if answered.consent:
                await memory.decide(tx, heard.user_id, answered.consent)
            if answered.share:
                await memory.share(tx, heard.user_id, answered.share)
    except Exception as error:
        log.error("companion_memory_failed", exc_info=error)
    return answered


def _actions(heard: Heard, answered: Reply) -> tuple[str, ...]:
    """Names of what the client can show as buttons: the alarm, the lines, a person, an exercise."""
    urgent = ("resources", "alarm", "person") if heard.reading.level in ("elevated", "imminent") else ("resources", "person")
    offered = answered.state.offered
    return (*urgent, f"exercise:{offered}") if offered else urgent
