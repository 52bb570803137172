"""What the provider was asked for in a day: counted for each person and in all, so that a bill cannot grow in the night."""

from msgspec import Struct

from holdfast.db import Tx
from holdfast.settings import Settings

# The statement counts and takes in one step: two messages at once cannot both be the last one.
TAKE = """
    insert into model_use (day, user_id, calls, tokens)
    select holdfast_now() / 86400000000, cast(:user_id as bigint), 1, 0
     where coalesce((select sum(calls) from model_use where day = holdfast_now() / 86400000000), 0) < cast(:day as bigint)
       and coalesce((select calls from model_use where day = holdfast_now() / 86400000000 and user_id = :user_id), 0) < cast(:user_day as bigint)
    on conflict (day, user_id) do update set calls = model_use.calls + 1"""

NOTE = """
    update model_use set calls = calls + :calls, tokens = tokens + :tokens
     where user_id = :user_id and day = (select max(day) from model_use where user_id = :user_id)"""


class ModelCaps(Struct, frozen=True):
    """Calls in a day (UTC)."""

    user_day: int
    day: int

    @classmethod
    def of(cls, settings: Settings) -> "ModelCaps":
        return cls(settings.model_calls_user_day, settings.model_calls_day)


async def take(tx: Tx, user_id: int, caps: ModelCaps) -> bool:
    """Counts one call before it is made; False when a cap is reached, and then the built-in guidance answers."""
    return bool(await tx.run(TAKE, user_id=user_id, user_day=caps.user_day, day=caps.day))


async def note(tx: Tx, user_id: int, calls: int, tokens: int) -> None:
    """What the message cost beyond the call that was taken: a second try, and the tokens of both."""
    await tx.run(NOTE, user_id=user_id, calls=calls, tokens=tokens)
