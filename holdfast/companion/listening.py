"""What somebody said, with everything that its answer depends on: stored before anybody answers."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import thread_time, time_ns
from typing import NamedTuple
from weakref import WeakValueDictionary

from msgspec import structs

from holdfast.clock import SECOND
from holdfast.companion import asking, episode, guided, memory, walking
from holdfast.companion.asking import Reply
from holdfast.companion.detector import Reading, highest, read
from holdfast.companion.episode import CARRIED, Episode
from holdfast.companion.memory import Known, State
from holdfast.companion.normalise import fold, language_of, spelling, tokens_of
from holdfast.companion.resources import country_of
from holdfast.companion.spending import ModelCaps
from holdfast.companion.telling import DEEDS, Circumstances
from holdfast.db import Database, Tx
from holdfast.log import log
from holdfast.outside.model import Model
from holdfast.profiles import preferences
from holdfast.profiles import service as profiles
from holdfast.settings import Settings
from holdfast.support.paging import Desk
from holdfast.support.schemas import Stored
from holdfast.vault import Vault

LONGEST = 4_000  # characters; contract decisions, "Chat"
SLOW = 0.05  # seconds of CPU; companion.md section 3.7
BARE = 4  # different words: more show their own language
UNKNOWN = ""  # language of a text that does not show it


class Companion:
    """What lives as long as the process: the model, the keys, the people of the service, and whose message is being answered."""

    def __init__(self, settings: Settings, desk: Callable[[], Desk] = Desk, publish: Callable[[Stored], None] | None = None) -> None:
        """`desk`: who of the service is there now. `publish`: tells the support chat's sockets of a message that was stored."""
        self.desk, self.publish = desk, publish or (lambda stored: None)
        self.model, self.vault, self.caps = Model(settings), Vault(settings), ModelCaps.of(settings)
        self.consent_needed = settings.model_consent == "ask"
        # The word classes take about a second to read: beside the start, so that the first message does not wait for them.
        self.warmed = asyncio.get_running_loop().run_in_executor(None, read, "Hello")
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._calls: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def turn(self, user_id: int) -> asyncio.Lock:
        """Messages of one person are stored and read one after the other. Never held while a model is asked."""
        return self._turns.setdefault(user_id, asyncio.Lock())

    def call(self, user_id: int) -> asyncio.Lock:
        """At most one call to the model for each person."""
        return self._calls.setdefault(user_id, asyncio.Lock())

    async def close(self) -> None:
        await self.warmed
        await self.model.close()


class Person(NamedTuple):
    """What the profile says. `names`: what no model may learn."""

    language: str | None = None
    location: str | None = None
    veteran: bool = False
    age: int | None = None
    names: tuple[str, ...] = ()


class Heard(NamedTuple):
    """`alone`: the text read by itself; `reading`: after the talk so far, whose episode `known.state` holds."""

    user_id: int
    text: str
    alone: Reading
    reading: Reading
    answered: str | None  # our question that waited for an answer
    reply: Reply | None
    known: Known
    person: Person
    about: Circumstances
    own: bool = True  # the person wrote it, and not staff for the person

    @property
    def state(self) -> State:
        return self.known.state

    @property
    def too_long(self) -> bool:
        return len(self.text) > LONGEST


async def hear(db: Database, companion: Companion, user_id: int, text: str, *, own: bool) -> Heard:
    """A database that fails here costs the memory, not the answer."""
    await asyncio.shield(companion.warmed)  # two readers of the same files at once would both take far longer
    alone = _read(text)
    async with companion.turn(user_id):
        try:
            async with db.write() as tx:
                return (await _stored(tx, companion.vault, user_id, text, alone))._replace(own=own)
        except Exception as error:
            log.error("companion_recall_failed", exc_info=error)
    return followed(user_id, text, alone, Known(time_ns() // 1_000))._replace(own=own)


def followed(user_id: int, text: str, alone: Reading, known: Known, person: Person | None = None) -> Heard:
    """What the talk so far, which `known` holds, makes of a text."""
    person, before = person or Person(), known.state
    if all(rule.startswith("weights") for rule in alone.rule_ids) and (walking.steers(text, before.tools) or guided.decides(text)):
        alone = structs.replace(alone, level="none", rule_ids=())
    alone = structs.replace(alone, language=_language(text, alone.language, before.language or person.language))
    after = _after(before.episode, alone, text, known.now)
    state = structs.replace(before, episode=after, language=alone.language, country=country_of(text) or before.country)
    carried = after.flags & CARRIED - set(DEEDS) if after.level != "none" else frozenset()
    reading = structs.replace(alone, level=after.level, flags=alone.flags | carried)
    pending = before.episode.pending
    about = Circumstances(
        today=datetime.fromtimestamp(known.now / SECOND, UTC).date(),
        country=state.country or country_of(None, person.location),
        veteran=person.veteran,
        turn=before.answers,
    )
    reply = asking.reply_in(text, pending) if pending else None
    return Heard(user_id, text, alone, reading, pending, reply, structs.replace(known, state=state), person, about)


def _read(text: str) -> Reading:
    began = thread_time()
    reading = read(text, UNKNOWN)
    if thread_time() - began <= SLOW:
        return reading
    log.error("detector_slow", rule_id=",".join(reading.rule_ids))
    return structs.replace(reading, level=highest([reading.level, "watch"]), rule_ids=(*reading.rule_ids, "detector-slow"))


def _after(before: Episode, alone: Reading, text: str, now: int) -> Episode:
    """A fault here makes the answer more careful, never less; companion.md section 3.7."""
    try:
        return episode.follow(before, alone, text, now)
    except Exception as fault:
        log.error("episode_failed", exc_info=fault)
        return structs.replace(before, level=highest([before.level, alone.level, "watch"]), signed_at=now, seen_at=now)


async def _stored(tx: Tx, vault: Vault, user_id: int, text: str, alone: Reading) -> Heard:
    key = await vault.key_for(tx, user_id)
    known = await memory.known(tx, vault, user_id) or Known(time_ns() // 1_000)
    if known.lost:  # nobody knows what was said before: as careful as a fault of the check itself
        alone = structs.replace(alone, level=highest([alone.level, "watch"]), rule_ids=(*alone.rule_ids, "state-lost"))
    heard = followed(user_id, text, alone, known, await _person(tx, user_id))
    await memory.keep_state(tx, key, user_id, heard.state)
    if not heard.too_long:
        await memory.remember(tx, key, user_id, "user", text, heard.reading.level)
    return heard


async def _person(tx: Tx, user_id: int) -> Person:
    profile, wishes = await profiles.profile_of(tx, user_id), await preferences.preferences(tx, user_id)
    if profile is None:
        return Person()
    names = (profile.username, profile.location or "", wishes.chosen_name)
    return Person(wishes.language, profile.location, bool(profile.military_status), profile.age, names)


def _language(text: str, guessed: str, talk: str | None) -> str:
    """A text that could be in the language of the talk is answered in it: short ones are often words of two languages."""
    if talk is None or not guessed or guessed == talk:
        return talk or guessed or "en"
    words = {fold(word) for word in text.split()}
    # The guess falls back on Russian for Cyrillic; beside a talk it falls back on that one's language.
    return talk if len(words) <= BARE and words & spelling().function_words.get(talk, frozenset()) else language_of(tokens_of(text), talk)
