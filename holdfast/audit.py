"""Who did what to whose record, and how it ended: rows that are only ever added, and never hold a text."""

import json
from collections.abc import Collection
from typing import Literal

from holdfast.db import Sql, Tx

Outcome = Literal["done", "refused"]

RECORD = """
    insert into audit (at, actor_id, user_id, action, outcome)
    values (holdfast_now(), :actor_id, :user_id, :action, :outcome)"""

EACH = Sql(
    sqlite="""
    insert into audit (at, actor_id, user_id, action, outcome)
    select holdfast_now(), :actor_id, value, :action, 'done' from json_each(:user_ids)""",
    postgres="""
    insert into audit (at, actor_id, user_id, action, outcome)
    select holdfast_now(), :actor_id, value::bigint, :action, 'done' from json_array_elements_text(cast(:user_ids as json))""",
)


async def record(tx: Tx, *, actor_id: int | None, user_id: int | None, action: str, outcome: Outcome = "done") -> None:
    """`actor_id` is None for a stranger who failed to sign in; `user_id` is whose record it was about."""
    await tx.run(RECORD, actor_id=actor_id, user_id=user_id, action=action, outcome=outcome)


async def record_each(tx: Tx, *, actor_id: int, user_ids: Collection[int], action: str) -> None:
    """A list shows the records of several people: one row for each of them but the reader."""
    await tx.run(EACH, actor_id=actor_id, user_ids=json.dumps(sorted({*user_ids} - {actor_id})), action=action)
