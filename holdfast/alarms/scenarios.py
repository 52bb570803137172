"""A scenario is data: who is told, when, and whether music plays (alarm.md, section 8)."""

from holdfast.alarms.schemas import Caller
from holdfast.db import Tx
from holdfast.http import Target

EXISTS = "select 1 from scenario where id = :scenario_id"

# Not a join: SQLite would put all profiles together to find one.
CALLER = """(
    select p.user_id as id,
           (select a.username from account a where a.id = p.user_id) as username,
           (select s.definition from scenario s where s.id = p.scenario_id) as definition
      from profile p)"""

OF_CALLER = Target(source=CALLER, columns="target.username, target.definition", into=Caller)


async def exists(tx: Tx, scenario_id: int) -> bool:
    return bool(await tx.value(EXISTS, scenario_id=scenario_id))
