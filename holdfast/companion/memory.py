"""What the companion keeps of one person: the turns, the answer about consent, and when it said that it is an AI."""

from msgspec import Struct

from holdfast.companion.prompt import TURNS, Turn
from holdfast.db import Tx

PERSON = """
    select consent, disclosed_at,
           (select count(*) from companion_turn t where t.user_id = account.id and t.role = 'assistant') as answers,
           (select max(created_at) from companion_turn t where t.user_id = account.id) as answered_at,
           holdfast_now() as now
      from account left join companion_person p on p.user_id = account.id
     where account.id = :user_id"""

LAST_TURNS = """
    select role, text, level from companion_turn
     where user_id = :user_id and level <> 'imminent'
     order by id desc
     limit :limit"""

REMEMBER = "insert into companion_turn (user_id, role, text, level, created_at) values (:user_id, :role, :text, :level, holdfast_now())"

DISCLOSE = """
    insert into companion_person (user_id, disclosed_at) values (:user_id, holdfast_now())
    on conflict (user_id) do update set disclosed_at = excluded.disclosed_at"""

CONSENT = """
    insert into companion_person (user_id, consent, consent_at) values (:user_id, :consent, holdfast_now())
    on conflict (user_id) do update set consent = excluded.consent, consent_at = excluded.consent_at"""


class Known(Struct, frozen=True):
    """`answers`: how many the person has had. Times are microseconds."""

    consent: str | None
    disclosed_at: int | None
    answers: int
    answered_at: int | None
    now: int


async def known(tx: Tx, user_id: int) -> Known | None:
    return await tx.one(PERSON, Known, user_id=user_id)


async def last_turns(tx: Tx, user_id: int) -> list[Turn]:
    """Oldest first, without those at `imminent`."""
    return (await tx.all(LAST_TURNS, Turn, user_id=user_id, limit=TURNS))[::-1]


async def remember(tx: Tx, user_id: int, said: str, answered: str, level: str) -> None:
    await tx.run(REMEMBER, user_id=user_id, role="user", text=said, level=level)
    await tx.run(REMEMBER, user_id=user_id, role="assistant", text=answered, level=level)


async def disclose(tx: Tx, user_id: int) -> None:
    await tx.run(DISCLOSE, user_id=user_id)


async def decide(tx: Tx, user_id: int, consent: str) -> None:
    await tx.run(CONSENT, user_id=user_id, consent=consent)
