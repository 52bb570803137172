"""Turns a token and the number in a path into who asks and about whom, in one statement."""

import asyncio
import functools

from holdfast.accounts import tokens
from holdfast.clock import MINUTE
from holdfast.db import Database, shaped
from holdfast.edge import Found
from holdfast.errors import NotFound
from holdfast.http import Actor, Ask, Door, Target
from holdfast.log import log

NOBODY = Found(None, None, None)

TOKEN_COLUMNS = 9  # of the statement below, before those of the target: read by place, on the path of every request

LIVE = """t.revoked_at is null and a.disabled_at is null
       and (t.held_until > holdfast_now() or (t.expires_at > holdfast_now() and t.last_used_at + t.idle_limit > holdfast_now()))"""

STILL_LIVE = f"""
    select holdfast_now() - t.last_used_at > t.idle_limit / 4
      from token t join account a on a.id = t.account_id
     where t.id = :token_id and {LIVE}"""  # noqa: S608 - constants

TOUCH = "update token set last_used_at = holdfast_now() where id = :token_id"

SPEND = """
    update token set revoked_at = holdfast_now()
     where id = :token_id and revoked_at is null
       and not exists (select 1 from token parent where parent.id = token.parent_id and parent.revoked_at is not null)"""


class Sessions:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._touching: set[asyncio.Task[None]] = set()

    async def identify(self, ask: Ask, authorization: str | None, subject: int | None) -> Found:
        """`subject` is the number in the path; None stands for the caller. Nobody is found for a token that is not live."""
        token = tokens.presented(authorization)
        if token is None or ask.sent_twice(b"authorization") or ask.door is None:
            return NOBODY
        digest, statement = tokens.digest(token), _statement(ask.door.target)
        async with self._db.read(alarm=ask.door.alarm) as tx:
            row = await tx.row(statement, digest=digest, subject=subject)
        if row is None:
            return NOBODY
        token_id, parent, kind, room, unused_for, actor_id, username, is_staff, owner = row[:TOKEN_COLUMNS]
        actor = Actor(actor_id, username, bool(is_staff) and kind != "a", parent or token_id, digest[:4].hex(), kind == "a")
        if kind == "w":
            return await self._spend(ask.door, Found(actor, owner, None), token_id, room)
        if unused_for > MINUTE:
            self._touch(actor.token_id)
        into = ask.door.target.into
        return Found(actor, owner, shaped(row, into, statement) if into and owner is not None else None)

    async def live(self, token_id: int) -> bool:
        """For sockets, which outlast the moment in which they were opened. An open one is in use: who is on duty and only listens is not idle."""
        async with self._db.read() as tx:
            idle = await tx.value(STILL_LIVE, token_id=token_id)
        if idle:
            self._touch(token_id)
        return idle is not None

    async def finish(self) -> None:
        await asyncio.gather(*self._touching, return_exceptions=True)

    async def _spend(self, door: Door, found: Found, ticket: int, room: int | None) -> Found:
        """A ticket opens one socket, once, in the room it was made for; any other room does not exist for it."""
        if door.method != "SOCKET":
            return NOBODY
        if room != (found.user_id if "{" in door.path else None):
            raise NotFound(door.who.missing)
        async with self._db.write() as tx:
            spent = await tx.run(SPEND, token_id=ticket)
        return found if spent else NOBODY

    def _touch(self, token_id: int) -> None:
        """At most once a minute, after the answer: nobody waits for it."""
        task = asyncio.create_task(self._note_use(token_id))
        self._touching.add(task)
        task.add_done_callback(self._touching.discard)

    async def _note_use(self, token_id: int) -> None:
        try:
            async with self._db.write() as tx:
                await tx.run(TOUCH, token_id=token_id)
        except Exception as error:
            log.warning("token_use_not_noted", exc_info=error)


@functools.cache
def _statement(target: Target) -> str:
    """Built once for each door, of constants alone."""
    return f"""
    select t.id as token_id, t.parent_id as token_parent, t.kind as token_kind, t.room_id as token_room,
           holdfast_now() - t.last_used_at as unused_for, a.id as actor_id, a.username as actor_name, a.is_staff as actor_staff,
           target.{target.owner} as target_owner, {target.columns}
      from token t
      join account a on a.id = t.account_id
      left join {target.source} target on target.{target.key} = coalesce(:subject, a.id)
     where t.digest = :digest and {LIVE}"""  # noqa: S608 - constants
