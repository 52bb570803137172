"""What happened to an alarm, row after row: each holds the hash of the one before, so that none can be changed or lost unseen."""

import hashlib
import re

import msgspec
from msgspec import Struct

from holdfast.db import Tx

CODE = re.compile(r"[A-Za-z0-9_.:-]{1,40}")

HEAD = """
    select holdfast_now() as at, coalesce(head.n, 0) as n, head.hash
      from (select 1) as always
      left join (select n, hash from alarm_audit where alarm_id = :alarm_id order by n desc limit 1) as head on true"""

APPEND = """
    insert into alarm_audit (alarm_id, n, kind, actor_id, at, data, prev_hash, hash)
    values (:alarm_id, :n, :kind, :actor_id, :at, :data, :prev_hash, :hash)"""


class _Head(Struct):
    at: int
    n: int
    hash: str | None


class Link(Struct, array_like=True):
    """What a hash is of, as one line of JSON. Without `prev_hash` it is the first, or the first after rows that no hash was made of."""

    alarm_id: int
    n: int
    kind: str
    actor_id: int | None
    at: int
    data: str
    prev_hash: str | None

    def hash(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


async def record(tx: Tx, alarm_id: int, kind: str, actor_id: int | None = None, **data: object) -> None:
    """Ids, counts and codes only, never a text, a name or an address: anything else is left out and counted, since no alarm may fail by it.

    The caller holds the alarm's row, by its insert or an update in the same transaction: on PostgreSQL two who do not would take the same `n`.
    """
    head = await tx.one(HEAD, _Head, alarm_id=alarm_id)
    assert head is not None  # noqa: S101 - the statement returns its row
    link = Link(alarm_id, head.n + 1, kind, actor_id, head.at, _json(_plain(data)), head.hash)
    await tx.run(APPEND, hash=link.hash(), **msgspec.structs.asdict(link))


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
