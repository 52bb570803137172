"""What happened to an alarm, row after row: each holds the hash of the one before, so that none can be changed or lost unseen."""

import functools
import hashlib
import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from holdfast.clock import MINUTE, SECOND
from holdfast.db import Database, Sql, Tx
from holdfast.log import log

EVERY = MINUTE  # between anchors
SETTLED = 10 * SECOND  # a row is anchored when it is this old: its transaction, which may take 5 s, is then there for everybody
MOST = 2000  # rows that one anchor looks at; what is left follows at the next look
PAGE = 1000  # rows that are verified at once

CODE = re.compile(r"[A-Za-z0-9_.:-]{1,40}")

HEAD = """
    select holdfast_now() as at, coalesce(head.n, 0) as n, head.hash
      from (select 1) as always
      left join (select n, hash from alarm_audit where alarm_id = :alarm_id order by n desc limit 1) as head on true"""

APPEND = """
    insert into alarm_audit (alarm_id, n, kind, actor_id, at, data, prev_hash, hash)
    values (:alarm_id, :n, :kind, :actor_id, :at, :data, :prev_hash, :hash)"""


LAST = """
    select holdfast_now() as now, coalesce(anchor.id, 0) as id, coalesce(anchor.at, 0) as at, coalesce(anchor.hash, '') as hash
      from (select 1) as always
      left join (select id, at, hash from audit_anchor order by id desc limit 1) as anchor on true"""

IS_GROWN = "select 1 from alarm_audit where hash is not null and at > :since and at <= :until limit 1"

GROWN = "select alarm_id, n, at, hash from alarm_audit where hash is not null and at > :since and at <= :until order by at limit :most"

# Of several who come at once on PostgreSQL, one makes the anchor; SQLite has one writer.
ALONE = Sql(sqlite="select 1", postgres="select pg_try_advisory_xact_lock(4865236)")

ANCHOR = "insert into audit_anchor (at, heads, hash) values (:at, :heads, :hash)"

LINKS = """
    select alarm_id, n, kind, actor_id, at, data, prev_hash, hash from alarm_audit
     where (alarm_id, n) > (cast(:alarm_id as bigint), cast(:n as integer)) order by alarm_id, n limit :page"""

ANCHORS = "select id, at, heads, hash from audit_anchor where id > :id order by id limit 1"

# Heads of an anchor that are not there as they were.
LOST = Sql(
    sqlite="""
    select json_extract(head.value, '$[0]') as alarm_id, json_extract(head.value, '$[1]') as n
      from json_each(:heads) head
      left join alarm_audit a on a.alarm_id = json_extract(head.value, '$[0]') and a.n = json_extract(head.value, '$[1]')
     where coalesce(a.hash, '') <> json_extract(head.value, '$[2]')""",
    postgres="""
    select (head.value ->> 0)::bigint as alarm_id, (head.value ->> 1)::integer as n
      from jsonb_array_elements(cast(:heads as jsonb)) head
      left join alarm_audit a on a.alarm_id = (head.value ->> 0)::bigint and a.n = (head.value ->> 1)::integer
     where coalesce(a.hash, '') <> head.value ->> 2""",
)


class _Head(Struct):
    at: int
    n: int
    hash: str | None


class _Last(Struct):
    now: int
    id: int
    at: int
    hash: str


class _Grown(Struct):
    alarm_id: int
    n: int
    at: int
    hash: str


class _Anchor(Struct):
    id: int
    at: int
    heads: str
    hash: str


class _Row(Struct):
    alarm_id: int
    n: int
    kind: str
    actor_id: int | None
    at: int
    data: str
    prev_hash: str | None
    hash: str | None


class _Place(Struct):
    alarm_id: int
    n: int


class Link(Struct, array_like=True):
    """What a hash is of, as one line of JSON. Without `prev_hash` it is the first, or the first after rows that no hash was made of."""

    alarm_id: int
    n: int
    kind: str
    actor_id: int | None
    at: int
    data: str
    prev_hash: str | None

    def digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


class Flaw(Struct, frozen=True):
    """Where the audit is not what was written: the first bad row of a chain, or an anchor. `n` is 0 when no row is meant."""

    alarm_id: int
    n: int
    why: str


class Verified(Struct):
    """What was looked at, and what was wrong with it."""

    chains: int = 0
    rows: int = 0
    unhashed: int = 0
    anchors: int = 0
    flaws: list[Flaw] = []


async def record(tx: Tx, alarm_id: int, kind: str, actor_id: int | None = None, **data: object) -> None:
    """Ids, counts and codes only, never a text, a name or an address: anything else is left out and counted, since no alarm may fail by it.

    The caller holds the alarm's row, by its insert or an update in the same transaction: on PostgreSQL two who do not would take the same `n`.
    """
    head = await tx.one(HEAD, _Head, alarm_id=alarm_id)
    assert head is not None  # noqa: S101 - the statement returns its row
    link = Link(alarm_id, head.n + 1, kind, actor_id, head.at, _json(_plain(data)), head.hash)
    await tx.run(APPEND, hash=link.digest(), **msgspec.structs.asdict(link))


async def anchor(db: Database) -> None:
    """A chore: once a minute the newest link of every chain that grew, as one more chain. The log carries its hash away from the database."""
    async with db.read() as tx:
        last = await tx.one(LAST, _Last)
        window = _window(last) if last else None
        if not window or not await tx.value(IS_GROWN, since=window[0], until=window[1]):
            return
    async with db.write() as tx:
        if not await tx.value(ALONE):
            return
        last = await tx.one(LAST, _Last)
        if last and (window := _window(last)):
            await _anchor(tx, last, *window)


async def verify(db: Database, anchors: Sequence[str] = ()) -> Verified:
    """Every chain and every anchor, a page at a time. `anchors` are hashes that the log kept, and that must be there."""
    verified = Verified()
    await _verify_chains(db, verified)
    await _verify_anchors(db, verified, set(anchors))
    return verified


def _window(last: _Last) -> tuple[int, int] | None:
    """From when to when rows are to be anchored. The anchor before may be later than now, when the clock was set back."""
    until = last.now - SETTLED
    if until - EVERY < last.at <= last.now:
        return None
    return min(last.at, until - EVERY), until


async def _anchor(tx: Tx, last: _Last, since: int, until: int) -> None:
    rows = await tx.all(GROWN, _Grown, since=since, until=until, most=MOST)
    if len(rows) == MOST:  # those of the last microsecond may not all be here
        until = max(rows[-1].at - 1, rows[0].at)
        rows = [row for row in rows if row.at <= until]
    newest = {row.alarm_id: row for row in sorted(rows, key=lambda row: row.n)}
    heads = _json([[row.alarm_id, row.n, row.hash] for _, row in sorted(newest.items())])
    if newest:
        made = _anchor_hash(last.hash, until, heads)
        await tx.run(ANCHOR, at=until, heads=heads, hash=made)
        tx.after_commit(functools.partial(log.info, "audit_anchor", code=made, count=len(newest)))


async def _verify_chains(db: Database, verified: Verified) -> None:
    before, is_bad = _Row(0, 0, "", None, 0, "", None, None), False
    while True:
        async with db.read() as tx:
            rows = await tx.all(LINKS, _Row, alarm_id=before.alarm_id, n=before.n, page=PAGE)
        for row in rows:
            if row.alarm_id != before.alarm_id:
                verified.chains, is_bad, before = verified.chains + 1, False, _Row(row.alarm_id, 0, "", None, 0, "", None, None)
            verified.rows += 1
            verified.unhashed += row.hash is None
            flaw = None if is_bad else _flaw(before, row)
            if flaw:
                is_bad = True
                verified.flaws.append(flaw)
            before = row
        if not rows:
            return


def _flaw(before: _Row, row: _Row) -> Flaw | None:
    """A row without a hash was written by a version that made none; after one with a hash there is no such row."""
    if row.n != before.n + 1:
        return Flaw(row.alarm_id, before.n + 1, "is missing")
    if row.hash is None:
        return Flaw(row.alarm_id, row.n, "has no hash") if before.hash else None
    if row.prev_hash != before.hash:
        return Flaw(row.alarm_id, row.n, "does not follow the row before it")
    link = Link(row.alarm_id, row.n, row.kind, row.actor_id, row.at, row.data, row.prev_hash)
    return None if link.digest() == row.hash else Flaw(row.alarm_id, row.n, "was changed")


async def _verify_anchors(db: Database, verified: Verified, wanted: set[str]) -> None:
    before = _Anchor(0, 0, "", "")
    while True:
        async with db.read() as tx:
            found = await tx.one(ANCHORS, _Anchor, id=before.id)
            if found is None:
                break
            verified.anchors += 1
            if _anchor_hash(before.hash, found.at, found.heads) != found.hash:
                verified.flaws.append(Flaw(0, 0, f"anchor {found.id} was changed, or the one before it is missing"))
            lost = await tx.all(LOST, _Place, heads=found.heads)
        verified.flaws += [Flaw(place.alarm_id, place.n, f"is not as anchor {found.id} knew it") for place in lost]
        wanted.discard(found.hash)
        before = found
    verified.flaws += [Flaw(0, 0, f"anchor {one} is missing") for one in sorted(wanted)]


def _anchor_hash(before: str, at: int, heads: str) -> str:
    return hashlib.sha256(msgspec.json.encode([before, at, heads])).hexdigest()


def _plain(data: dict[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in data.items() if _is_plain(value)}
    return kept if len(kept) == len(data) else kept | {"dropped": len(data) - len(kept)}


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return CODE.fullmatch(value) is not None
    if isinstance(value, list | tuple):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, int | float)


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
