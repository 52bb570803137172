"""A scenario is data: who is told, when, and whether music plays (alarm.md, section 8)."""

import msgspec

from holdfast.alarms.schemas import Caller, Scenario
from holdfast.db import Tx
from holdfast.errors import InvalidFields
from holdfast.http import Target

UNKNOWN = "There is no such scenario."

DEFINITION = "select definition from scenario where id = :scenario_id"

EXISTS = "select 1 from scenario where id = :scenario_id"

# Not a join: SQLite would put all profiles together to find one.
CALLER = """(
    select p.user_id as id,
           (select a.username from account a where a.id = p.user_id) as username, p.location, p.military_status,
           (select s.definition from scenario s where s.id = p.scenario_id) as definition
      from profile p)"""

OF_CALLER = Target(source=CALLER, columns="target.username, target.definition, target.location, target.military_status", into=Caller)


async def exists(tx: Tx, scenario_id: int) -> bool:
    return bool(await tx.value(EXISTS, scenario_id=scenario_id))


async def chosen(tx: Tx, definition: str | None, scenario_id: int | None) -> Scenario | None:
    """The one that is asked for, else that of `definition`. Raises InvalidFields for one that does not exist."""
    if scenario_id is not None:
        definition = await tx.value(DEFINITION, scenario_id=scenario_id)
        if definition is None:
            raise InvalidFields({"scenario": [UNKNOWN]})
    return None if definition is None else msgspec.json.decode(definition, type=Scenario)


async def tells(tx: Tx, scenario_id: int) -> set[str]:
    """The groups of people that a scenario reaches with any of its steps."""
    scenario = await chosen(tx, None, scenario_id)
    return {group for step in scenario.steps for group in step.tell} if scenario else set()
