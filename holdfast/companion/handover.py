"""Handing over: when the companion asks people of the service to come, what they and the person are told, and when it is over."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec
from msgspec import Struct, structs

from holdfast import texts
from holdfast.clock import DAY, MINUTE
from holdfast.companion import memory
from holdfast.companion.detector import Reading
from holdfast.companion.episode import ELEVATED, Episode, closed
from holdfast.companion.normalise import language_of, tokens_of
from holdfast.companion.scope import LEVELS
from holdfast.companion.wording import wording
from holdfast.db import Tx
from holdfast.profiles import preferences
from holdfast.support import paging, queue
from holdfast.support import service as support
from holdfast.support.paging import Desk
from holdfast.support.schemas import Stored
from holdfast.vault import Vault

Cause = Literal["asked", "imminent", "elevated_twice", "answer_failed", "harm_to_others", "minor", "goodbye"]

LATELY, ENOUGH = 20, 5  # hand-overs of which the usual wait is made, and how many it takes to speak of one

OPEN = "select level, cause, shared from hand_over where user_id = :user_id and closed_at is null"

ADD = """
    insert into hand_over (user_id, level, cause, rules, resource, shared, since_turn_id, created_at)
    values (:user_id, :level, :cause, :rules, :resource, :shared, :since_turn_id, :now)"""

# What was agreed to later counts from the turn at which it was; what was agreed to before goes on from its own.
RENEW = """
    update hand_over
       set level = case when :rises then :level else level end, rules = case when :rises then :rules else rules end,
           resource = coalesce(:resource, resource), shared = :shared,
           since_turn_id = case when :shared then coalesce(since_turn_id, :since_turn_id) end
     where user_id = :user_id and cause = :cause and closed_at is null"""

JOIN = "update hand_over set joined_at = holdfast_now() where user_id = :user_id and closed_at is null and joined_at is null"

CLOSE = "update hand_over set closed_at = holdfast_now() where user_id = :user_id and closed_at is null"

WAITS = """
    select joined_at - created_at as wait from hand_over
     where id > (select coalesce(max(id), 0) from hand_over) - 10 * :lately and joined_at is not null
     order by id desc limit :lately"""


class Standing(Struct, frozen=True):
    """Where a person stands with the people of the service. `state` is quiet, waiting or assigned: only then the companion is silent.

    `usual_minutes`: what others have waited lately, None while that cannot be said. `opens_at`, a local time: None while no hours are known.
    """

    state: str = "quiet"
    assignee_name: str | None = None
    staff_online: bool = False
    shared: bool = False
    usual_minutes: int | None = None
    opens_at: str | None = None

    @property
    def waiting(self) -> bool:
        return self.state == "waiting"

    @property
    def joined(self) -> bool:
        return self.state == "assigned"


class _Open(Struct):
    level: str
    cause: Cause
    shared: bool


class _Wait(Struct):
    wait: int


def causes(
    reading: Reading, episode: Episode, at_levels: dict[str, tuple[int, ...]], *, asked: bool = False, failed: bool = False, minor: bool = False
) -> list[Cause]:
    """Why people should come now, the gravest reason first. `reading` is that of the text on its own, `episode` with this text in it.

    `at_levels`: when earlier answers of each level were given. What staff have closed does not open again without a new sign:
    all but a level of `imminent` that holds, and a failure, comes from this very text. `asked`: a yes to our offer; `minor`: by the profile.
    """
    signed = episode.signed_at == episode.seen_at and LEVELS.index(episode.level) >= ELEVATED
    young = minor or "minor" in reading.flags | episode.flags
    before = [at for at in at_levels.get("elevated", ()) if episode.seen_at - at < DAY]
    applies: dict[Cause, bool] = {
        "imminent": episode.level == "imminent",
        "harm_to_others": "harm_to_others" in reading.flags,
        "minor": young and signed,
        "goodbye": "farewell" in reading.flags and episode.level != "none",
        "elevated_twice": signed and episode.level == "elevated" and bool(before),
        "asked": asked or "asks_human" in reading.flags,
        "answer_failed": failed,
    }
    return [cause for cause, is_so in applies.items() if is_so]


async def hand_over(
    tx: Tx,
    user_id: int,
    *,
    cause: Cause,
    level: str,
    rules: Sequence[str],
    resource: str | None,
    shared: bool,
    since_turn_id: int | None,
    now: int,
    language: str,
    desk: Desk,
) -> Stored | None:
    """Opens the person's chat for staff, and says there who was asked and why. Nothing of the person's words goes into it.

    After `memory.keep_state` where both are in one transaction. Again for the same cause changes what is open, and says nothing new unless the
    level rose. What is returned has to be published after the commit. `resource`: the line that was shown, as it was shown. `rules`: ids.
    `since_turn_id`: the first turn that staff may read, if `shared`.
    """
    risk = LEVELS.index(level)
    await queue.enter(tx, user_id, risk)  # first: its row lock puts two hand-overs of one person in order
    open_ones = await tx.all(OPEN, _Open, user_id=user_id)
    same = next((one for one in open_ones if one.cause == cause), None)
    values: dict[str, object] = {"level": level, "rules": msgspec.json.encode(list(rules)).decode(), "resource": resource}
    values |= {"shared": shared, "since_turn_id": since_turn_id if shared else None}
    if same is None:
        await tx.run(ADD, user_id=user_id, cause=cause, now=now, **values)
    else:
        await tx.run(RENEW, user_id=user_id, cause=cause, rises=risk > LEVELS.index(same.level), **values)
    if any(LEVELS.index(one.level) >= risk for one in open_ones):
        return None
    paged = (risk >= ELEVATED or not desk.staff_online) and await paging.page(tx, user_id, desk, now)
    return await support.tell(tx, user_id, _announced(cause, language, desk, resource, shared=shared, paged=paged))


async def standing(tx: Tx, user_id: int, *, staff_online: bool) -> Standing:
    """`staff_online`: chat.staff_online, for presence is not in the database."""
    place = await queue.place(tx, user_id)
    open_ones = await tx.all(OPEN, _Open, user_id=user_id)
    waits = [row.wait for row in await tx.all(WAITS, _Wait, lately=LATELY)] if place.state == "waiting" else []
    usual = max(1, round(median(waits) / MINUTE)) if len(waits) >= ENOUGH else None
    return Standing(place.state, place.assignee, staff_online, any(one.shared for one in open_ones), usual)


def told(now: Standing, language: str) -> str:
    """What an answer of the companion says about the people of the service. Empty where there is nothing to say."""
    words = wording(language).staff
    if now.joined:
        return words.joined.format(name=now.assignee_name)
    if not now.staff_online:
        said = words.offline.format(until=now.opens_at) if now.opens_at else words.offline_unknown
    elif now.waiting:
        said = words.waiting_usual.format(minutes=now.usual_minutes) if now.usual_minutes else words.waiting
    else:
        return ""
    return f"{said} {words.shared_messages if now.shared else words.shared_level}" if now.waiting else said


async def join(tx: Tx, vault: Vault, user_id: int, name: str) -> Stored:
    """Somebody of the staff has taken the chat: from here on the companion is silent. To be published after the commit."""
    await tx.run(JOIN, user_id=user_id)
    return await support.tell(tx, user_id, wording(await _language(tx, vault, user_id)).staff.joined.format(name=name))


async def leave(tx: Tx, vault: Vault, user_id: int, name: str) -> Stored:
    """The companion answers again; what is open stays open. To be published after the commit."""
    return await support.tell(tx, user_id, wording(await _language(tx, vault, user_id)).staff.left.format(name=name))


async def finish(tx: Tx, vault: Vault, user_id: int) -> None:
    """Handed back: a person has looked at what was open, so danger that held until then falls one step."""
    # The state before the rest, as where an answer is remembered and where everything is deleted: no two wait for each other.
    known = await memory.known(tx, vault, user_id)
    if known and known.key and not known.lost:
        await memory.keep_state(tx, known.key, user_id, structs.replace(known.state, episode=closed(known.state.episode, known.now)))
    await tx.run(CLOSE, user_id=user_id)


def _announced(cause: Cause, language: str, desk: Desk, resource: str | None, *, shared: bool, paged: bool) -> str:
    words = texts.read(texts.known(language), "handover")["message"]
    said = [words[cause], words["shared" if shared else "unshared"]]
    if not desk.staff_online:
        said.append(words["offline"])
    if paged:
        said.append(words["paged"])
    if resource:
        said.append(words["line"].format(resource=resource))
    return " ".join(said)


async def _language(tx: Tx, vault: Vault, user_id: int) -> str:
    """As chosen, else as last spoken with the companion."""
    chosen = (await preferences.preferences(tx, user_id)).language
    if chosen:
        return chosen
    own = [turn.text for turn in await memory.last_turns(tx, vault, user_id) if turn.role == "user"]
    return language_of(tokens_of(own[-1]), texts.LANGUAGES[0]) if own else texts.LANGUAGES[0]
