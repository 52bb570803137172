"""The conversation as the person can read and delete it, and the little of it that staff may read."""

from typing import Annotated

from msgspec import Meta, Struct

from holdfast import audit
from holdfast import vault as vaults
from holdfast.clock import iso
from holdfast.companion.memory import TURNS_BEFORE, KeptTurn, text_of
from holdfast.db import Tx
from holdfast.fields import Id
from holdfast.vault import Vault

MOST = 200  # turns in one answer
NEWEST = 2**63 - 1
WITHHELD = "Staff see only what the person agreed to: the last messages, while a hand-over is open that the person shared."

SHARED_SINCE = "select min(since_turn_id) from hand_over where user_id = :user_id and closed_at is null and shared"

FORGET_TURNS = "delete from companion_turn where user_id = :user_id"

FORGET_STATE = """
    update companion_person set uid = null, state = null, state_at = null, disclosed_at = null
     where user_id = :user_id and (state is not null or disclosed_at is not null)"""

FORGET_CLOSED = "delete from hand_over where user_id = :user_id and closed_at is not null"

# That people are asked to look after somebody stays until they have; what they were told of the talk goes.
EMPTY_OPEN = "update hand_over set rules = '[]', resource = null, shared = false, since_turn_id = null where user_id = :user_id and closed_at is null"


class Page(Struct):
    """Without `before_id` the newest page."""

    before_id: Id = NEWEST
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 50


class TurnView(Struct):
    id: int
    role: str
    text: str
    level: str
    at: str


class History(Struct):
    """Oldest first. `before_id` asks for the page before; null: there is none.

    `unreadable`: how many turns of the page could not be opened and are left out. `withheld`: why staff see less than there is.
    """

    turns: list[TurnView]
    before_id: int | None
    unreadable: int = 0
    withheld: str | None = None


class Deleted(Struct):
    """How much there was. Open hand-overs stay until people have closed them, without anything of the talk."""

    turns: int
    state: bool
    hand_overs: int


async def history(tx: Tx, vault: Vault, user_id: int, page: Page, since_id: int = 0) -> History:
    rows = await tx.all(TURNS_BEFORE, KeptTurn, user_id=user_id, before_id=page.before_id, since_id=since_id, most=page.limit + 1)
    shown = rows[: page.limit][::-1]
    texts = [(row, text_of(row, vault)) for row in shown]
    turns = [TurnView(row.id, row.role, text, row.level, iso(row.created_at)) for row, text in texts if text is not None]
    return History(turns, shown[0].id if len(rows) > page.limit else None, len(shown) - len(turns))


async def history_for_staff(tx: Tx, vault: Vault, user_id: int, page: Page) -> History:
    since_id = await tx.value(SHARED_SINCE, user_id=user_id)
    if since_id is None:
        return History([], None, withheld=WITHHELD)
    found = await history(tx, vault, user_id, page, since_id)
    found.withheld = WITHHELD
    return found


async def forget(tx: Tx, actor_id: int, user_id: int) -> Deleted:
    """The key goes too, so that nothing opens that a backup or a dead row of the database still holds. What was decided about consent stays."""
    await vaults.forget(tx, user_id)  # first: whoever is sealing with it is waited for
    turns, state = await tx.run(FORGET_TURNS, user_id=user_id), await tx.run(FORGET_STATE, user_id=user_id)
    hand_overs = await tx.run(FORGET_CLOSED, user_id=user_id) + await tx.run(EMPTY_OPEN, user_id=user_id)
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="companion_history_deleted")
    return Deleted(turns, state > 0, hand_overs)
