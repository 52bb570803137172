"""The doors of the scenarios: everybody may read them, staff write them, and each comes back with its texts."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from holdfast import audit
from holdfast.alarms.schemas import Scenario, Step
from holdfast.alarms.wording import Values, Wording
from holdfast.db import Tx
from holdfast.errors import NotFound
from holdfast.fields import Draft
from holdfast.http import Ask, Doors, FieldProblems, Problem, Target, signed_in, staff

CHANNELS = ("email", "sms")
STEPS = "1 to 20 steps, each with `tell` and `text`, a `wait` of 0 to 86,400 seconds and, the last one, perhaps `every` with 60 to 86,400 seconds"

SCENARIOS = "select id, definition from scenario order by id"

ADD = "insert into scenario (name, definition) values (:name, :definition) returning id"

CHANGE = "update scenario set name = :name, definition = :definition where id = :scenario_id"

FIRST_WAITS = "The first step must not wait."
EARLY_RETURN = "Only the last step may come back."
NAME_TAKEN = "Another scenario has this name."

# A scenario is nobody's, so that the record of a change names who made it and nobody whom it was about.
OF_NOBODY = Target(source="(select id, null as nobody from scenario)", owner="nobody", by_person=False)

doors = Doors("/api/v1/event", tag="Event")


class ScenarioWanted(Scenario, kw_only=True, forbid_unknown_fields=True):
    steps: Annotated[list[Step], Meta(min_length=1, max_length=20, description=STEPS)]


class StepText(Struct):
    """What a step sends, in English and for an example; `{link}` is where the address of the answer goes."""

    step: int
    channel: str
    subject: str
    text: str


class ScenarioView(Scenario, kw_only=True):
    """`checked`: every rule for scenarios holds, also for one that was stored by other means."""

    id: int
    checked: bool
    texts: list[StepText]


class ScenarioNotFound(NotFound):
    """Scenario not found"""


class _Stored(Struct):
    id: int
    definition: str


@doors.get("/scenarios/", who=signed_in, answers={200: list[ScenarioView]})
async def list_scenarios(ask: Ask) -> list[ScenarioView]:
    """Every scenario, in the order in which they were made."""
    async with ask.db.read() as tx:
        wording, stored = await Wording.load(tx), await tx.all(SCENARIOS, _Stored)
    return [_view(row.id, msgspec.json.decode(row.definition, type=Scenario), wording) for row in stored]


@doors.post("/scenarios/", who=staff, draft=ScenarioWanted, answers={201: ScenarioView, 400: FieldProblems | Problem})
async def add_scenario(ask: Ask, draft: Draft[ScenarioWanted]) -> ScenarioView:
    """A further scenario."""
    async with ask.db.write() as tx:
        wanted = await _checked(tx, draft, None)
        scenario_id = await tx.value(ADD, name=wanted.name, definition=_json(wanted))
        await audit.record(tx, actor_id=ask.actor.id, user_id=None, action="POST /api/v1/event/scenarios/")
        return _view(scenario_id, wanted, await Wording.load(tx))


@doors.put(
    "/scenario/{scenario_id}/",
    who=staff,
    target=OF_NOBODY,
    draft=ScenarioWanted,
    answers={200: ScenarioView, 400: FieldProblems | Problem, 404: Problem},
)
async def change_scenario(ask: Ask, draft: Draft[ScenarioWanted]) -> ScenarioView:
    """The scenario as it will be for the next alarm. One that is going on keeps what it began with."""
    scenario_id = ask.number or -1
    async with ask.db.write() as tx:
        wanted = await _checked(tx, draft, scenario_id)
        await tx.run(CHANGE, scenario_id=scenario_id, name=wanted.name, definition=_json(wanted))
        return _view(scenario_id, wanted, await Wording.load(tx))


async def _checked(tx: Tx, draft: Draft[ScenarioWanted], scenario_id: int | None) -> ScenarioWanted:
    """`scenario_id` is the one that is changed. Raises InvalidFields, ScenarioNotFound."""
    stored = {row.id: msgspec.json.decode(row.definition, type=Scenario) for row in await tx.all(SCENARIOS, _Stored)}
    if scenario_id is not None and stored.pop(scenario_id, None) is None:
        raise ScenarioNotFound
    if draft.values.get("name", "").casefold() in {scenario.name.casefold() for scenario in stored.values()}:
        draft.refuse("name", NAME_TAKEN)
    for problem in _problems(draft.values.get("steps", [])):
        draft.refuse("steps", problem)
    return draft.finished()


def _problems(steps: list[Step]) -> list[str]:
    """What is wrong with the steps together."""
    first = [FIRST_WAITS] if steps and steps[0].wait else []
    return first + ([EARLY_RETURN] if any(step.every for step in steps[:-1]) else [])


def _view(scenario_id: int, scenario: Scenario, wording: Wording) -> ScenarioView:
    texts = []
    for number, step in enumerate(scenario.steps):
        for channel in CHANNELS:
            body = wording.written(step.text, channel, "en", Values(who="Maria", ref=f"1042-{number}", level=scenario.level))
            texts.append(StepText(number, channel, body.subject, body.text))
    return ScenarioView(**msgspec.structs.asdict(scenario), id=scenario_id, checked=not _problems(scenario.steps), texts=texts)


def _json(scenario: Scenario) -> str:
    return msgspec.json.encode(scenario).decode()
