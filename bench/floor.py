"""The floor: what the same three operations cost without a framework, as one bare ASGI application.

Same uvicorn settings, tables and answers as Holdfast; one statement per GET, one transaction per PATCH and per message. No routing,
policies, checks of fields, security headers, log, alarm lane or errors: what Holdfast costs above this is what those cost.

    python bench/floor.py --port 8001 --sqlite var/holdfast.sqlite3
    python bench/floor.py --port 8001 --postgres postgresql://postgres@127.0.0.1/holdfast
"""

import argparse
import asyncio
import functools
import hashlib
import sqlite3
import time
from collections import defaultdict

import asyncpg
import msgspec
import uvicorn
from msgspec import Struct

HEADERS = [(b"content-type", b"application/json")]
WHO = "from token t join account a on a.id = t.account_id where t.digest = $1 and t.revoked_at is null and t.expires_at > $2"

PROFILE = """
    select p.id, p.user_id, a.username, p.age, p.location, p.military_status, p.ptsd_level, p.music_id, p.therapist_id, p.scenario_id
      from token t
      join account a on a.id = t.account_id
      join profile p on p.user_id = a.id
     where t.digest = $1 and t.revoked_at is null and t.expires_at > $2"""

CHANGE = f"""
    update profile
       set age = coalesce($3, age), location = coalesce($4, location), military_status = coalesce($5, military_status),
           ptsd_level = coalesce($6, ptsd_level), therapist_id = coalesce($7, therapist_id), scenario_id = coalesce($8, scenario_id)
     where user_id = (select a.id {WHO})
    returning age, location, military_status, ptsd_level, therapist_id, scenario_id"""

PERSON = f"select a.id, a.username, a.is_staff {WHO}"
ROOM = "insert into conversation (user_id, epoch) values ($1, 'floor') on conflict do nothing"
NEXT = "update conversation set last_seq = last_seq + 1 where user_id = $1 returning id, last_seq"
STORE = """
    insert into message (conversation_id, seq, sender_id, sender_kind, identifier, body, sent_at)
    values ($1, $2, $3, $4, $5, $6, $7) returning id"""


class Profile(Struct):
    id: int
    user: int
    username: str
    age: int | None
    location: str | None
    military_status: bool | None
    ptsd_level: int | None
    music: int | None
    therapist_contact: int | None
    scenario: int | None


class Changes(Struct):
    age: int | None = None
    location: str | None = None
    military_status: bool | None = None
    ptsd_level: int | None = None
    therapist_contact: int | None = None
    scenario: int | None = None


class Changed(Struct):
    message: str
    updated_data: Changes


class Said(Struct):
    message: str


class ChatMessage(Struct):
    event: str
    message: str
    id: int
    seq: int
    user_id: int
    identifier: str
    from_admin: bool
    sent_at: int


encode = msgspec.json.Encoder().encode
read_changes = msgspec.json.Decoder(Changes).decode
read_said = msgspec.json.Decoder(Said).decode


class Sqlite:
    """Everything in the event loop, COMMIT too."""

    def __init__(self, path):
        self._path = path

    async def open(self):
        self._db = sqlite3.connect(self._path, isolation_level=None, cached_statements=512)
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "secure_delete = on"):
            self._db.execute(f"pragma {pragma}")

    async def one(self, sql, *values):
        return self._db.execute(numbered(sql), values).fetchone()

    async def change(self, *values):
        self._db.execute("begin immediate")
        row = await self.one(CHANGE, *values)
        self._db.commit()
        return row

    async def store(self, room, *values):
        self._db.execute("begin immediate")
        conversation, seq = await self.one(NEXT, room)
        (message,) = await self.one(STORE, conversation, seq, *values)
        self._db.commit()
        return message, seq


@functools.cache
def numbered(sql):
    """SQLite takes `$1` for a name; its own numbers are `?1`."""
    return sql.replace("$", "?")


class Postgres:
    """A pool that resets nothing: asyncpg's own reset would be one more round trip."""

    def __init__(self, url):
        self._url = url

    async def open(self):
        self._pool = await asyncpg.create_pool(self._url, min_size=2, max_size=10, statement_cache_size=512, reset=_nothing)

    async def one(self, sql, *values):
        async with self._pool.acquire() as db:
            return await db.fetchrow(sql, *values)

    async def change(self, *values):
        async with self._pool.acquire() as db, db.transaction():
            return await db.fetchrow(CHANGE, *values)

    async def store(self, room, *values):
        async with self._pool.acquire() as db, db.transaction():
            conversation, seq = await db.fetchrow(NEXT, room)
            return await db.fetchval(STORE, conversation, seq, *values), seq


async def _nothing(_):
    pass


class Floor:
    def __init__(self, database):
        self._db = database
        self._rooms = defaultdict(set)
        self._order = defaultdict(asyncio.Lock)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._chat(scope, receive, send)
        else:
            await self._lifespan(receive, send)

    async def _http(self, scope, receive, send):
        if scope["method"] == "GET" and scope["path"] == "/healthz":
            return await answer(send, {"status": "ok"})
        who = digest(scope), now()
        if scope["method"] == "GET":
            id, user, username, age, location, military, *rest = await self._db.one(PROFILE, *who)
            return await answer(send, Profile(id, user, username, age, location, truth(military), *rest))
        changes = read_changes((await receive())["body"])
        given = [getattr(changes, name) for name in Changes.__struct_fields__]
        age, location, military, *rest = await self._db.change(*who, *given)
        await answer(send, Changed("UserInfo updated successfully.", Changes(age, location, truth(military), *rest)))

    async def _chat(self, scope, receive, send):
        """Stores each message with the room's next number, then tells every socket of the room."""
        person, name, is_staff = await self._db.one(PERSON, digest(scope), now())
        room = int(scope["path"].split("/")[3])
        await self._db.one(ROOM, room)
        sockets = self._rooms[room]
        await receive()
        await send({"type": "websocket.accept"})
        sockets.add(send)
        while (frame := await receive())["type"] == "websocket.receive":
            said, at = read_said(frame["text"]).message, now()
            async with self._order[room]:  # without it two answers of PostgreSQL may overtake each other on the way to the sockets
                message, seq = await self._db.store(room, person, "staff" if is_staff else "user", name, said, at)
                text = encode(ChatMessage("chat_message", said, message, seq, room, name, bool(is_staff), at)).decode()
                for socket in list(sockets):
                    await socket({"type": "websocket.send", "text": text})
        sockets.discard(send)

    async def _lifespan(self, receive, send):
        await receive()
        await self._db.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def digest(scope):
    for name, value in scope["headers"]:
        if name == b"authorization":
            return hashlib.sha256(value[6:]).digest()
    raise LookupError("no token")


def now():
    return time.time_ns() // 1_000


def truth(value):
    """SQLite keeps truth as 0 and 1."""
    return None if value is None else bool(value)


async def answer(send, body):
    whole = encode(body)
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, (b"content-length", str(len(whole)).encode())]})
    await send({"type": "http.response.body", "body": whole})


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, required=True)
    engine = arguments.add_mutually_exclusive_group(required=True)
    engine.add_argument("--sqlite", metavar="PATH")
    engine.add_argument("--postgres", metavar="URL")
    given = arguments.parse_args()
    uvicorn.run(
        Floor(Sqlite(given.sqlite) if given.sqlite else Postgres(given.postgres)),
        host="127.0.0.1",
        port=given.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        ws_per_message_deflate=False,
        lifespan="on",
        backlog=4096,
        access_log=False,
        server_header=False,
        log_level="warning",
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
