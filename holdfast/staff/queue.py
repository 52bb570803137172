"""The queue as staff see it: who waits, why, for how long; and taking a conversation, giving it back, ending it."""

import json
from functools import partial

from msgspec import Struct
from msgspec.structs import asdict

from holdfast import audit, texts
from holdfast.clock import iso, iso_or_none
from holdfast.companion import handover, privacy, signs
from holdfast.companion.privacy import History, Page
from holdfast.companion.scope import LEVELS
from holdfast.db import Sql, Tx
from holdfast.errors import NotFound
from holdfast.http import Ask, Doors, FieldProblems, Problem, staff
from holdfast.profiles import preferences
from holdfast.support import queue
from holdfast.support.schemas import Stored

MOST = 500  # conversations

_ITEM = """
    select c.user_id, u.username as identifier, c.risk, c.waiting_since, h.username as assignee, c.last_seq, c.version,
           case when c.state = 'assigned' and c.assignee_id is null then 'waiting' else c.state end as state,
           c.last_seq - coalesce(p.delivered_seq, 0) as unread,
           exists (select 1 from alarm where user_id = c.user_id and state <> 'closed' and not drill) as alarm
      from conversation c
      join account u on u.id = c.user_id
      left join account h on h.id = c.assignee_id
      left join participant p on p.conversation_id = c.id and p.person_id = :staff_id"""

# Danger that is close, a live alarm, danger, the rest; within each whoever has waited longest.
QUEUE = f"""
    select * from ({_ITEM} where c.state <> 'quiet') item
     order by case when risk = 3 then 0 when alarm then 1 when risk = 2 then 2 else 3 end, waiting_since is null, waiting_since, user_id
     limit :most"""  # noqa: S608 - constants

ONE = f"{_ITEM} where c.user_id = :user_id"


def _among(statement: str) -> Sql:
    """`{listed}` becomes the numbers of a JSON list."""
    return Sql(
        sqlite=statement.replace("{listed}", "(select value from json_each(:listed))"),
        postgres=statement.replace("{listed}", "(select value::bigint from json_array_elements_text(cast(:listed as json)))"),
    )


OPEN = _among("""
    select id, user_id, level, cause, rules, resource, shared, created_at, joined_at from hand_over
     where closed_at is null and user_id in {listed}
     order by id""")

NOBODY = "User not found"

doors = Doors("/api/v1/staff", tag="Staff")


class QueueItem(Struct):
    """`waiting_since`: the first word without an answer. `unread`: what has not reached the reader's own socket.

    `reasons` says why the companion asked people to come, in the reader's language; `resources` are the lines that it named.
    `shared`: whether the person agreed that the last messages are read.
    """

    user_id: int
    identifier: str
    state: str
    risk: int
    level: str
    alarm: bool
    waiting_since: str | None
    assignee: str | None
    last_seq: int
    unread: int
    user_online: bool
    version: int
    reasons: list[str]
    resources: list[str]
    shared: bool


class Queue(Struct):
    items: list[QueueItem]


class Held(Struct):
    """`holder` is who has the conversation; null: nobody waits in it."""

    error: str
    holder: str | None


class HandOverView(Struct):
    """`signs` says what kind of thing was heard, and is empty unless the person agreed that staff read the messages."""

    reason: str
    level: str
    signs: list[str]
    resource: str | None
    shared: bool
    created_at: str
    joined_at: str | None


class HandOvers(Struct):
    """What is open. `talk` holds what the person shared of the talk with the companion."""

    user_id: int
    hand_overs: list[HandOverView]
    talk: History


ANSWERS = {200: QueueItem, 404: Problem, 409: Held}


class _Item(Struct):
    user_id: int
    identifier: str
    risk: int
    waiting_since: int | None
    assignee: str | None
    last_seq: int
    version: int
    state: str
    unread: int
    alarm: bool


class _Open(Struct):
    id: int
    user_id: int
    level: str
    cause: str
    rules: str
    resource: str | None
    shared: bool
    created_at: int
    joined_at: int | None


@doors.get("/queue/", who=staff, answers={200: Queue})
async def list_queue(ask: Ask) -> Queue:
    """Who waits for somebody of the staff, and who is looked after; whose record was shown is on record."""
    async with ask.db.read() as tx:
        shown = Queue(await _shown(tx, ask, await tx.all(QUEUE, _Item, staff_id=ask.actor.id, most=MOST)))
    async with ask.db.write() as tx:
        await audit.record_each(tx, actor_id=ask.actor.id, user_ids={item.user_id for item in shown.items}, action="GET /api/v1/staff/queue/")
    return shown


@doors.post("/chat/{user_id}/claim/", who=staff, answers=ANSWERS)
async def claim_chat(ask: Ask) -> QueueItem:
    """Take a conversation that waits. The person is told who has come, and the companion is silent from then on."""
    async with ask.db.write() as tx:
        if await queue.claim(tx, _person(ask), ask.actor.id):
            _publish(tx, ask, await handover.join(tx, ask.state.companion.vault, ask.user_id, ask.actor.username))
        return await _one(tx, ask)


@doors.post("/chat/{user_id}/release/", who=staff, answers=ANSWERS)
async def release_chat(ask: Ask) -> QueueItem:
    """Put it back into the queue. The person is told, and the companion answers again."""
    async with ask.db.write() as tx:
        await queue.release(tx, _person(ask), ask.actor.id)
        _publish(tx, ask, await handover.leave(tx, ask.state.companion.vault, ask.user_id, ask.actor.username))
        return await _one(tx, ask)


@doors.post("/chat/{user_id}/done/", who=staff, answers=ANSWERS)
async def end_chat(ask: Ask) -> QueueItem:
    """Hand back to the companion: nobody waits any more, and what was open is closed."""
    vault, user_id = ask.state.companion.vault, _person(ask)
    # Behind an answer that is on its way: it would bring back what it remembers.
    async with ask.state.companion.turn(user_id), ask.db.write() as tx:
        await handover.finish(tx, vault, user_id)
        await queue.done(tx, user_id, ask.actor.id)
        _publish(tx, ask, await handover.leave(tx, vault, user_id, ask.actor.username))
        return await _one(tx, ask)


@doors.get("/chat/{user_id}/hand-over/", who=staff, query=Page, answers={200: HandOvers, 400: FieldProblems | Problem, 404: Problem})
async def read_hand_over(ask: Ask, page: Page) -> HandOvers:
    """Why the companion asked people to come; and the last messages, when the person agreed."""
    user_id = _person(ask)
    async with ask.db.read() as tx:
        open_ones = (await _open(tx, [user_id])).get(user_id, [])
        talk = await privacy.history_for_staff(tx, ask.state.companion.vault, user_id, page)
        language = await _language(tx, ask)
    return HandOvers(user_id, [_view(one, language) for one in open_ones], talk)


def _person(ask: Ask) -> int:
    """Raises NotFound."""
    if ask.user_id is None:
        raise NotFound(NOBODY)
    return ask.user_id


def _publish(tx: Tx, ask: Ask, said: Stored) -> None:
    tx.after_commit(partial(ask.state.chat.publish, said))


async def _one(tx: Tx, ask: Ask) -> QueueItem:
    return (await _shown(tx, ask, await tx.all(ONE, _Item, staff_id=ask.actor.id, user_id=ask.user_id)))[0]


async def _shown(tx: Tx, ask: Ask, rows: list[_Item]) -> list[QueueItem]:
    open_ones, online = await _open(tx, [row.user_id for row in rows]), ask.state.chat.users_online
    language = await _language(tx, ask)
    return [_item(row, open_ones.get(row.user_id, []), language, is_online=row.user_id in online) for row in rows]


async def _open(tx: Tx, user_ids: list[int]) -> dict[int, list[_Open]]:
    found: dict[int, list[_Open]] = {}
    for row in await tx.all(OPEN, _Open, listed=json.dumps(user_ids)):
        found.setdefault(row.user_id, []).append(row)
    return found


async def _language(tx: Tx, ask: Ask) -> str:
    return texts.known((await preferences.preferences(tx, ask.actor.id)).language)


def _item(row: _Item, open_ones: list[_Open], language: str, *, is_online: bool) -> QueueItem:
    return QueueItem(
        **(asdict(row) | {"waiting_since": iso_or_none(row.waiting_since)}),
        level=LEVELS[row.risk],
        user_online=is_online,
        reasons=[_reason(one, language) for one in open_ones],
        resources=list(dict.fromkeys(one.resource for one in open_ones if one.resource)),
        shared=any(one.shared for one in open_ones),
    )


def _view(one: _Open, language: str) -> HandOverView:
    heard = signs.in_words(one.rules, language) if one.shared else []
    return HandOverView(_reason(one, language), one.level, heard, one.resource, one.shared, iso(one.created_at), iso_or_none(one.joined_at))


def _reason(one: _Open, language: str) -> str:
    return str(texts.read(language, "handover")["reason"][one.cause])
