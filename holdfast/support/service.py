"""Everything that changes a conversation, and what is read from it."""

import secrets

import msgspec
from msgspec import Struct

from holdfast.db import Sql, Tx
from holdfast.http import Actor
from holdfast.support.schemas import Said, Stored

REPLAY = 50  # messages of one conversation, the newest
REPLAY_ALL = 500  # messages for somebody who joins the staff's room
RECENT = 2 * REPLAY  # messages of one conversation among which those are looked for
GAP = 500  # messages in one read
SERVICE = "Holdfast"  # who speaks where no person does; support-chat.md, section 4

# The row lock: it is held until COMMIT, so `seq` is gap-free and equal to commit order. Whoever is supported waits from the first unanswered word.
NEXT = """
    update conversation
       set last_seq = last_seq + 1, version = version + 1,
           state = case when state = 'quiet' and :by_owner then 'waiting' else state end,
           waiting_since = case when :by_owner then coalesce(waiting_since, holdfast_now()) else null end
     where user_id = :user_id
    returning id, last_seq as seq"""

# What the service itself says answers nobody: who waits goes on waiting.
NEXT_OF_SERVICE = "update conversation set last_seq = last_seq + 1, version = version + 1 where user_id = :user_id returning id, last_seq as seq"

BEGIN = """
    insert into conversation (user_id, epoch)
    select id, :epoch from account where id = :user_id
    on conflict (user_id) do nothing"""

ADD = """
    insert into message (conversation_id, seq, sender_id, sender_kind, identifier, client_msg_id, body, sent_at)
    values (:conversation_id, :seq, :sender_id, :sender_kind, :identifier, :client_msg_id, :body, holdfast_now())
    on conflict (conversation_id, sender_id, client_msg_id) do nothing
    returning id, sent_at"""

COLUMNS = "c.user_id, m.id, m.seq, m.body, m.identifier, m.sender_kind = 'staff' as from_admin, m.sent_at"

FIRST = f"""
    select {COLUMNS} from conversation c join message m on m.conversation_id = c.id
     where c.user_id = :user_id and m.sender_id = :sender_id and m.client_msg_id = :client_msg_id"""  # noqa: S608 - constants

UNHEARD = f"""
    select {COLUMNS}
      from conversation c
      join message m on m.conversation_id = c.id
      left join participant p on p.conversation_id = c.id and p.person_id = :person_id
     where c.user_id = :user_id and m.seq > coalesce(p.delivered_seq, 0)
       and (m.sender_id is null or m.sender_id <> :person_id)
     order by m.seq desc
     limit :most"""  # noqa: S608 - constants

# The newest of each conversation that waits; whoever has waited longest comes first. Bounded before it sorts, because it runs in the event loop.
UNHEARD_WAITING = f"""
    select user_id, id, seq, body, identifier, from_admin, sent_at
      from (select {COLUMNS}, c.waiting_since, row_number() over (partition by c.id order by m.seq desc) as place
              from (select id, user_id, last_seq, waiting_since from conversation
                     where state <> 'quiet' and waiting_since is not null
                     order by waiting_since
                     limit :most_in_all) c
              join message m on m.conversation_id = c.id and m.seq > c.last_seq - :recent
              left join participant p on p.conversation_id = c.id and p.person_id = :person_id
             where m.seq > coalesce(p.delivered_seq, 0)
               and (m.sender_id is null or m.sender_id <> :person_id)) unheard
     where place <= :most
     order by waiting_since, user_id, seq
     limit :most_in_all"""  # noqa: S608 - constants

AFTER = f"""
    select {COLUMNS} from conversation c join message m on m.conversation_id = c.id
     where c.user_id = :user_id and m.seq > :seq
     order by m.seq
     limit :most"""  # noqa: S608 - constants

NOW = "select holdfast_now()"

HEADS = Sql(
    sqlite="select user_id, last_seq from conversation where user_id in (select value from json_each(:user_ids))",
    postgres="select user_id, last_seq from conversation where user_id in (select value::bigint from json_array_elements_text(:user_ids::json))",
)

OPEN_HEADS = "select user_id, last_seq from conversation where state <> 'quiet'"

DELIVERED = """
    insert into participant (conversation_id, person_id, delivered_seq)
    select c.id, a.id, :seq from conversation c join account a on a.id = :person_id where c.user_id = :user_id
    on conflict (conversation_id, person_id) do update
       set delivered_seq = excluded.delivered_seq
     where participant.delivered_seq < excluded.delivered_seq"""


class NoSuchUser(Exception):
    pass


class SaidBefore(Exception):
    """The same client_msg_id again. Raised through the transaction, whose rollback gives the number back."""


class _Place(Struct):
    id: int
    seq: int


class _Row(Struct):
    id: int
    sent_at: int


class _Head(Struct):
    user_id: int
    last_seq: int


async def say(tx: Tx, actor: Actor, said: Said) -> Stored:
    """The next message of the conversation, which begins with it if it is the first. Raises NoSuchUser, SaidBefore."""
    place = await _next(tx, actor, said) or await _begin(tx, actor, said)
    row = await tx.one(
        ADD,
        _Row,
        conversation_id=place.id,
        seq=place.seq,
        sender_id=actor.id,
        sender_kind="staff" if actor.is_staff else "user",
        identifier=actor.username,
        client_msg_id=said.client_msg_id,
        body=said.text,
    )
    if row is None:
        raise SaidBefore
    return Stored(said.room, row.id, place.seq, said.text, actor.username, actor.is_staff, row.sent_at)


async def tell(tx: Tx, user_id: int, text: str) -> Stored:
    """Says something in the name of the service, stored like any other message; the caller publishes it. Raises NoSuchUser."""
    place = await tx.one(NEXT_OF_SERVICE, _Place, user_id=user_id)
    if place is None:
        raise NoSuchUser
    said = {"sender_id": None, "sender_kind": "system", "identifier": SERVICE, "client_msg_id": None, "body": text}
    row = await tx.one(ADD, _Row, conversation_id=place.id, seq=place.seq, **said)
    assert row is not None  # noqa: S101 - nothing to be in conflict with
    return Stored(user_id, row.id, place.seq, text, SERVICE, False, row.sent_at)


async def begin(tx: Tx, user_id: int) -> None:
    """Makes the conversation where there is none yet."""
    await tx.run(BEGIN, user_id=user_id, epoch=secrets.token_hex(8))


async def said_before(tx: Tx, actor: Actor, said: Said) -> Stored | None:
    return await tx.one(FIRST, Stored, user_id=said.room, sender_id=actor.id, client_msg_id=said.client_msg_id)


async def now(tx: Tx) -> int:
    return int(await tx.value(NOW))


async def unheard(tx: Tx, person_id: int, user_id: int) -> list[Stored]:
    """What others wrote since the person last surely heard, oldest first."""
    newest_first = await tx.all(UNHEARD, Stored, person_id=person_id, user_id=user_id, most=REPLAY)
    return newest_first[::-1]


async def unheard_waiting(tx: Tx, person_id: int) -> list[Stored]:
    """The same over every conversation in which somebody waits."""
    return await tx.all(UNHEARD_WAITING, Stored, person_id=person_id, most=REPLAY, most_in_all=REPLAY_ALL, recent=RECENT)


async def after(tx: Tx, user_id: int, seq: int) -> list[Stored]:
    return await tx.all(AFTER, Stored, user_id=user_id, seq=seq, most=GAP)


async def heads(tx: Tx, user_ids: list[int]) -> dict[int, int]:
    rows = await tx.all(HEADS, _Head, user_ids=msgspec.json.encode(user_ids).decode())
    return {row.user_id: row.last_seq for row in rows}


async def open_heads(tx: Tx) -> dict[int, int]:
    return {row.user_id: row.last_seq for row in await tx.all(OPEN_HEADS, _Head)}


async def note_delivered(tx: Tx, person_id: int, user_id: int, seq: int) -> None:
    """Only ever grows."""
    await tx.run(DELIVERED, person_id=person_id, user_id=user_id, seq=seq)


async def _next(tx: Tx, actor: Actor, said: Said) -> _Place | None:
    return await tx.one(NEXT, _Place, user_id=said.room, by_owner=actor.id == said.room)


async def _begin(tx: Tx, actor: Actor, said: Said) -> _Place:
    await begin(tx, said.room)
    place = await _next(tx, actor, said)
    if place is None:
        raise NoSuchUser
    return place
