"""The doors of the exercises: the catalogue for everybody, and what helped one person."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct

from holdfast.companion import what_helped
from holdfast.companion.exercises import Exercise, Kind, catalogue, exercises, feelings_of, source_line
from holdfast.companion.what_helped import WhatHelped
from holdfast.fields import Draft, text
from holdfast.http import Ask, Doors, FieldProblems, Message, Problem, anyone, own_or_staff

doors = Doors("/api/v1", tag="Exercises")
own = own_or_staff("User not found")
UNKNOWN = "There is no such exercise."


class Wanted(Struct):
    language: Literal["en", "uk", "ru", "es", "de"] = "en"


class NewReport(Struct, forbid_unknown_fields=True):
    """`words`: what the person wants to say about it; kept sealed, for the person alone."""

    tool: text(40)  # type: ignore[valid-type]
    words: Annotated[str, Meta(max_length=500, description="text of at most 500 characters")] | None = None


class Step(Struct):
    text: str
    seconds: int


class ExerciseView(Struct):
    """`steps` never hold the breath; `with_hold` does, for those who ask for it. `says`: the steps ask for words. `stop` ends it at any time."""

    id: str
    version: int
    kind: Kind
    name: str
    when: str
    feelings: tuple[str, ...]
    seconds: int
    steps: list[Step]
    with_hold: list[Step] | None
    says: bool
    eyes_open: str
    care: str
    skip: str
    stop: str
    source: str


class FeelingView(Struct):
    """`first`: the first words on the screen."""

    id: str
    name: str
    first: str
    exercises: tuple[str, ...]


class Exercises(Struct):
    language: str
    feelings: list[FeelingView]
    exercises: list[ExerciseView]


class Reported(Struct):
    """`instead`: another exercise to offer. A person of the service can always be offered beside it."""

    message: str
    instead: str


@doors.get("/exercises/", who=anyone, query=Wanted, answers={200: Exercises, 400: FieldProblems | Problem})
async def list_exercises(ask: Ask, wanted: Wanted) -> Exercises:
    """All calming exercises in one language. The database is not asked; a client keeps them for when there is no network."""
    return listed(wanted.language)


@doors.get("/user/tools/{user_id}/", who=own, query=Wanted, answers={200: WhatHelped, 400: FieldProblems | Problem, 404: Problem})
async def read_what_helped(ask: Ask, wanted: Wanted) -> WhatHelped:
    """Which exercises were used, what they changed, and the order in which to offer them."""
    async with ask.db.read() as tx:
        return await what_helped.what_helped(tx, ask.state.companion.vault, ask.user_id, wanted.language)


@doors.post("/user/tools/{user_id}/worse/", who=own, draft=NewReport, answers={200: Reported, 400: FieldProblems | Problem, 404: Problem})
async def report_worse(ask: Ask, draft: Draft[NewReport]) -> Reported:
    """Say that an exercise made things worse. It moves down for this person."""
    if "tool" not in draft.errors and draft.values.get("tool", UNSET) not in (UNSET, *exercises()):
        draft.refuse("tool", UNKNOWN)
    new = draft.finished()
    # Behind an answer that is on its way: it keeps the same state.
    async with ask.state.companion.turn(ask.user_id), ask.db.write() as tx:
        instead = await what_helped.report(tx, ask.state.companion.vault, ask.user_id, new.tool, new.words)
    return Reported("Thank you. It moves down your list.", instead)


@doors.delete("/user/tools/{user_id}/", who=own, answers={200: Message, 404: Problem})
async def clear_what_helped(ask: Ask) -> Message:
    """Forget what the exercises were to this person."""
    async with ask.state.companion.turn(ask.user_id), ask.db.write() as tx:
        await what_helped.clear(tx, ask.state.companion.vault, ask.user_id)
    return Message("What helped has been cleared.")


def listed(language: str) -> Exercises:
    feelings = [
        FeelingView(one.id, getattr(one, language), exercises()[one.exercises[0]].script(language).steps[0], one.exercises)
        for one in catalogue().feeling
    ]
    return Exercises(language, feelings, [_view(one, language) for one in catalogue().exercise])


def _view(exercise: Exercise, language: str) -> ExerciseView:
    script, words = exercise.script(language), catalogue().words[language]
    return ExerciseView(
        id=exercise.id,
        version=exercise.version,
        kind=exercise.kind,
        name=script.name,
        when=script.when,
        feelings=feelings_of(exercise.id),
        seconds=sum(exercise.seconds),
        steps=_steps(script.steps, exercise),
        with_hold=_steps(script.with_hold, exercise) if script.with_hold else None,
        says=exercise.says,
        eyes_open=script.eyes,
        care=script.care,
        skip=script.skip or words.skip,
        stop=words.stop,
        source=source_line(exercise, language),
    )


def _steps(texts: tuple[str, ...], exercise: Exercise) -> list[Step]:
    return [Step(one, seconds) for one, seconds in zip(texts, exercise.seconds, strict=True)]
