"""Everything that happens when somebody writes to the companion."""

import asyncio
from datetime import UTC, datetime
from time import time_ns
from typing import NamedTuple
from weakref import WeakValueDictionary

from msgspec import structs

from holdfast.clock import DAY, SECOND
from holdfast.companion import answers, memory
from holdfast.companion.answers import Circumstances
from holdfast.companion.detector import Reading, read
from holdfast.companion.guided import consent_in, topic_of
from holdfast.companion.memory import Known
from holdfast.companion.normalise import language_of, tokens_of
from holdfast.companion.output_check import reasons_against
from holdfast.companion.prompt import MARKER, Turn, messages
from holdfast.companion.resources import country_of
from holdfast.companion.wording import wording
from holdfast.contacts import service as contacts
from holdfast.db import Database
from holdfast.errors import Invalid
from holdfast.log import log
from holdfast.outside.model import Model, NoAnswer
from holdfast.profiles import service as profiles
from holdfast.profiles.schemas import ProfileView
from holdfast.settings import Settings
from holdfast.vault import Vault

LONGEST = 4_000  # characters; contract decisions, "Chat"
ADULT = 18
WEEK = 7 * DAY
OFFER_EVERY = 5  # answers, until the person has decided
UNKNOWN = ""  # language of a text that does not show it


class Companion:
    """What lives as long as the process: the model, and whose message is being answered."""

    def __init__(self, settings: Settings) -> None:
        self.model, self.vault = Model(settings), Vault(settings)
        self.consent_needed = settings.model_consent == "ask"
        # The word classes take about a second to read: beside the start, so that the first message does not wait for them.
        self.warmed = asyncio.get_running_loop().run_in_executor(None, read, "Hello")
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def turn(self, user_id: int) -> asyncio.Lock:
        """Messages of one person are answered one after the other, so at most one call per person is under way."""
        return self._turns.setdefault(user_id, asyncio.Lock())

    async def close(self) -> None:
        await self.warmed
        await self.model.close()


class Moment(NamedTuple):
    """One message with everything that its answer depends on."""

    text: str
    reading: Reading
    known: Known
    turns: list[Turn]
    profile: ProfileView | None
    about: Circumstances


async def speak(db: Database, companion: Companion, user_id: int, text: str) -> str:
    """The answer to a message, whatever fails behind it. Raises Invalid for a text that is too long."""
    await asyncio.shield(companion.warmed)  # two readers of the same files at once would both take far longer
    reading = read(text, UNKNOWN)
    if len(text) > LONGEST:
        moment = await _recall(db, companion, user_id, text, reading)
        raise Invalid(answers.too_long(moment.reading, moment.about))
    if reading.level == "imminent":
        # Does not wait behind an earlier message whose model call is still under way.
        return await _answer(db, companion, user_id, text, reading)
    async with companion.turn(user_id):
        return await _answer(db, companion, user_id, text, reading)


async def _answer(db: Database, companion: Companion, user_id: int, text: str, reading: Reading) -> str:
    moment = await _recall(db, companion, user_id, text, reading)
    consent = consent_in(text) if reading.level == "none" else None
    if consent:
        answered = _decided(companion, moment, consent)
    else:
        answered = await _from_model(db, companion, user_id, moment) or answers.answer(moment.reading, moment.about, topic_of(text))
    answered += _contact(moment) + _offer(companion, moment, consent) + _disclosure(moment)
    await _keep(db, companion, user_id, moment, answered, consent)
    return answered


async def _recall(db: Database, companion: Companion, user_id: int, text: str, reading: Reading) -> Moment:
    """A database that fails here costs the memory, not the answer."""
    known, turns, profile = Known(time_ns() // 1_000), [], None
    try:
        async with db.read() as tx:
            known = await memory.known(tx, companion.vault, user_id) or known
            turns = await memory.last_turns(tx, companion.vault, user_id)
            profile = await profiles.profile_of(tx, user_id)
    except Exception as error:
        log.error("companion_recall_failed", exc_info=error)
    if reading.language == UNKNOWN:
        spoken = language_of(tokens_of(turns[-1].text), "en") if turns else "en"
        reading = structs.replace(reading, language=spoken)
    return Moment(text, reading, known, turns, profile, _circumstances(text, known, profile))


def _circumstances(text: str, known: Known, profile: ProfileView | None) -> Circumstances:
    return Circumstances(
        today=datetime.fromtimestamp(known.now / SECOND, UTC).date(),
        country=country_of(text, profile.location if profile else None),
        veteran=bool(profile and profile.military_status),
        turn=known.state.answers,
    )


def _may_use_model(companion: Companion, moment: Moment) -> bool:
    """Consent first; never for a minor; at `none` only, so that no text with a sign of danger leaves."""
    minor = "minor" in moment.reading.flags or bool(moment.profile and moment.profile.age is not None and moment.profile.age < ADULT)
    agreed = not companion.consent_needed or moment.known.consent == "given"
    return companion.model.configured and agreed and not minor and moment.reading.level == "none"


async def _from_model(db: Database, companion: Companion, user_id: int, moment: Moment) -> str | None:
    """None whenever the built-in answer is the better one: not allowed, failed, or the text does not pass the check."""
    if not _may_use_model(companion, moment) or moment.reading.flags & {"asks_human", "asks_if_ai"}:
        return None
    language = moment.reading.language
    said = [*moment.turns, Turn("user", moment.text, moment.reading.level)]
    try:
        text = await companion.model.complete(messages(said, language, await _private(db, user_id, moment)))
        against = reasons_against(text, language, MARKER)
    except Exception as error:
        if not isinstance(error, NoAnswer):
            log.error("model_answer_failed", exc_info=error)
        return None
    if against:
        log.warning("model_answer_refused", rule_id=",".join(against))
        return None
    return text


async def _private(db: Database, user_id: int, moment: Moment) -> list[str]:
    """Names and places that a model must not learn."""
    async with db.read() as tx:
        people = [contact.name for contact in await contacts.people(tx, user_id)]
    own = [moment.profile.username, moment.profile.location or ""] if moment.profile else []
    parts = [part for name in people + own for part in name.split() if len(part) > 2]
    return sorted({*people, *own, *parts}, key=len, reverse=True)


def _decided(companion: Companion, moment: Moment, consent: str) -> str:
    words = wording(moment.reading.language)
    if not companion.model.configured:
        return words.consent_none
    return words.consent_yes if consent == "given" else words.consent_no


def _contact(moment: Moment) -> str:
    """The crisis check misses too much for an answer without a contact (docs/safety.md), so those at `none` carry one as well."""
    if moment.reading.level != "none":
        return ""
    words = wording(moment.reading.language)
    return "\n\n" + answers.filled(words.watch.contact, answers.contact(words, moment.about, moment.reading))


def _offer(companion: Companion, moment: Moment, consent: str | None) -> str:
    undecided = companion.model.configured and companion.consent_needed and moment.known.consent is None and not consent
    if undecided and moment.reading.level == "none" and moment.known.state.answers % OFFER_EVERY == 0:
        return "\n\n" + wording(moment.reading.language).offer
    return ""


def _disclosure(moment: Moment) -> str:
    """In the first answer and again after a week away. At `imminent` the template says the short form, and the next answer this one."""
    if moment.reading.level == "imminent" or _disclosed(moment.known):
        return ""
    return "\n\n" + wording(moment.reading.language).disclosure


def _disclosed(known: Known) -> bool:
    return known.state.disclosed_at is not None and known.now - (known.state.answered_at or 0) < WEEK


async def _keep(db: Database, companion: Companion, user_id: int, moment: Moment, answered: str, consent: str | None) -> None:
    try:
        async with db.write() as tx:
            key = await companion.vault.key_for(tx, user_id)
            state = memory.noted(moment.known.state, moment.reading.level, moment.known.now)
            if _disclosure(moment):
                state = structs.replace(state, disclosed_at=moment.known.now)
            await memory.remember(tx, key, user_id, "user", moment.text, moment.reading.level)
            await memory.remember(tx, key, user_id, "assistant", answered, moment.reading.level)
            await memory.keep_state(tx, key, user_id, state)
            if consent:
                await memory.decide(tx, user_id, consent)
    except Exception as error:
        # The person has an answer; losing its record is the smaller harm, and the operator reads about it.
        log.error("companion_memory_failed", exc_info=error)
