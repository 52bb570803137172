"""The queue: whose conversation waits for somebody of the staff, who has taken it, and who has handed it back."""

from msgspec import Struct

from holdfast.db import Tx
from holdfast.errors import Conflict
from holdfast.support import service

# The row lock that every hand-over of this person passes through. Whoever waited already keeps the place.
ENTER = """
    update conversation
       set waiting_since = case when state = 'assigned' then waiting_since else coalesce(waiting_since, holdfast_now()) end,
           state = case when state = 'quiet' then 'waiting' else state end,
           risk = case when risk < cast(:risk as integer) then :risk else risk end, version = version + 1
     where user_id = :user_id"""

# Somebody of the staff who is gone holds nothing.
_FREE = "(state = 'waiting' or (state = 'assigned' and assignee_id is null))"

CLAIM = f"""
    update conversation set state = 'assigned', assignee_id = :staff_id, version = version + 1
     where user_id = :user_id and {_FREE}"""  # noqa: S608 - constants

RELEASE = """
    update conversation
       set state = 'waiting', assignee_id = null, waiting_since = coalesce(waiting_since, holdfast_now()), version = version + 1
     where user_id = :user_id and state = 'assigned' and assignee_id = :staff_id"""

DONE = f"""
    update conversation set state = 'quiet', assignee_id = null, waiting_since = null, risk = 0, version = version + 1
     where user_id = :user_id and ({_FREE} or (state = 'assigned' and assignee_id = :staff_id))"""  # noqa: S608 - constants

PLACE = """
    select case when c.state = 'assigned' and c.assignee_id is null then 'waiting' else c.state end as state,
           c.assignee_id, a.username as assignee
      from conversation c left join account a on a.id = c.assignee_id
     where c.user_id = :user_id"""


# Nobody of the staff, and nothing of the service such as who came, within this time. Looks at the newest messages alone.
SILENT = """
    select c.user_id, c.assignee_id as staff_id, a.username as name
      from conversation c join account a on a.id = c.assignee_id
     where c.state = 'assigned'
       and not exists (select 1 from message m
                        where m.conversation_id = c.id and m.seq > c.last_seq - 100 and m.sender_kind <> 'user'
                          and m.sent_at > holdfast_now() - cast(:after as bigint))"""


class Silent(Struct, frozen=True):
    """A conversation that somebody has, and in which nothing comes from there."""

    user_id: int
    staff_id: int
    name: str


class Place(Struct, frozen=True):
    """`state` is quiet, waiting or assigned."""

    state: str = "quiet"
    assignee_id: int | None = None
    assignee: str | None = None


class NotYours(Conflict):
    """Somebody else has this conversation."""

    def __init__(self, holder: str | None) -> None:
        """`holder` has the conversation; None: nobody waits in it."""
        super().__init__(None if holder else "Nobody waits in this conversation.")
        self.holder = holder

    @property
    def body(self) -> dict[str, object]:
        return {"error": str(self), "holder": self.holder}


async def enter(tx: Tx, user_id: int, risk: int) -> None:
    """The person waits from now on, unless somebody is there already. `risk` only rises. Raises NoSuchUser."""
    if not await tx.run(ENTER, user_id=user_id, risk=risk):
        await service.begin(tx, user_id)
        if not await tx.run(ENTER, user_id=user_id, risk=risk):
            raise service.NoSuchUser


async def claim(tx: Tx, user_id: int, staff_id: int) -> bool:
    """False when it was the same person's already. Raises NotYours."""
    if await tx.run(CLAIM, user_id=user_id, staff_id=staff_id):
        return True
    found = await place(tx, user_id)
    if found.assignee_id != staff_id:
        raise NotYours(found.assignee)
    return False


async def release(tx: Tx, user_id: int, staff_id: int) -> None:
    """Back to the queue, on the old place. Raises NotYours."""
    if not await tx.run(RELEASE, user_id=user_id, staff_id=staff_id):
        raise NotYours((await place(tx, user_id)).assignee)


async def done(tx: Tx, user_id: int, staff_id: int) -> None:
    """Nobody waits any more. Also of a conversation that nobody has claimed: staff may answer without claiming. Raises NotYours."""
    if not await tx.run(DONE, user_id=user_id, staff_id=staff_id):
        raise NotYours((await place(tx, user_id)).assignee)


async def silent(tx: Tx, after: int) -> list[Silent]:
    """`after` is in microseconds."""
    return await tx.all(SILENT, Silent, after=after)


async def place(tx: Tx, user_id: int) -> Place:
    return await tx.one(PLACE, Place, user_id=user_id) or Place()
