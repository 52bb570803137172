"""Who did what to whose record, and how it ended: rows that are only ever added, and never hold a text."""

from typing import Literal

from holdfast.db import Tx

Outcome = Literal["done", "refused"]

RECORD = """
    insert into audit (at, actor_id, user_id, action, outcome)
    values (holdfast_now(), :actor_id, :user_id, :action, :outcome)"""


async def record(tx: Tx, *, actor_id: int | None, user_id: int | None, action: str, outcome: Outcome = "done") -> None:
    """`actor_id` is None for a stranger who failed to sign in; `user_id` is whose record it was about."""
    await tx.run(RECORD, actor_id=actor_id, user_id=user_id, action=action, outcome=outcome)
