"""Everything that changes a profile."""

from collections.abc import Awaitable, Callable

from msgspec import UNSET, UnsetType

from holdfast.contacts import service as contacts
from holdfast.db import Tx
from holdfast.fields import Draft
from holdfast.http import Target
from holdfast.music import service as music
from holdfast.profiles.schemas import ProfileChanges, ProfileData, ProfileView

DEFAULT_SCENARIO = 1  # seeded first

# Not a join: SQLite would put all profiles together to find one.
VIEW = """(
    select p.id, p.user_id as "user", (select a.username from account a where a.id = p.user_id) as username,
           p.age, p.location, p.military_status, p.ptsd_level,
           p.music_id as music, p.therapist_id as therapist_contact, p.scenario_id as scenario
      from profile p)"""

OWN = Target(source=VIEW, key='"user"', owner='"user"', columns="target.*", into=ProfileView)

OF_PERSON = f'select * from {VIEW} profile where "user" = :user_id'  # noqa: S608 - constants

BEGIN = "insert into profile (user_id, scenario_id) values (:user_id, :scenario_id)"

# One statement whatever is changed: of two edits at once, both stay.
CHANGE = """
    update profile
       set age = case when :set_age then :age else age end,
           location = case when :set_location then :location else location end,
           military_status = case when :set_military_status then :military_status else military_status end,
           ptsd_level = case when :set_ptsd_level then :ptsd_level else ptsd_level end,
           therapist_id = case when :set_therapist_contact then :therapist_contact else therapist_id end,
           scenario_id = case when :set_scenario then :scenario else scenario_id end
     where user_id = :user_id
    returning age, location, military_status, ptsd_level, therapist_id as therapist_contact, scenario_id as scenario"""

UNKNOWN_SCENARIO = "This scenario does not exist."
UNKNOWN_THERAPIST = "This therapist contact does not exist."
UNKNOWN_TRACK = "This music track does not exist."

Exists = Callable[[Tx, int], Awaitable[bool]]


async def begin(tx: Tx, user_id: int) -> None:
    await tx.run(BEGIN, user_id=user_id, scenario_id=DEFAULT_SCENARIO)


async def profile_of(tx: Tx, user_id: int) -> ProfileView | None:
    return await tx.one(OF_PERSON, ProfileView, user_id=user_id)


async def change(tx: Tx, user_id: int, draft: Draft[ProfileChanges], *, scenario_exists: Exists) -> ProfileData | None:
    """None when the profile does not exist. Raises InvalidFields with every bad field, also those that only the database knows to be bad."""
    therapist, scenario, track = (draft.values.get(name) for name in ("therapist_contact", "scenario", "music"))
    if scenario is not None and not await scenario_exists(tx, scenario):
        draft.refuse("scenario", UNKNOWN_SCENARIO)
    if therapist is not None and not await contacts.may_use_therapist(tx, user_id, therapist):
        draft.refuse("therapist_contact", UNKNOWN_THERAPIST)
    if track is not None and not await music.may_choose(tx, user_id, track):
        draft.refuse("music", UNKNOWN_TRACK)
    changes = draft.finished()
    if changes.music is not UNSET:
        await music.choose(tx, user_id, changes.music)
    return await tx.one(CHANGE, ProfileData, user_id=user_id, **_settings(changes))


def _settings(changes: ProfileChanges) -> dict[str, object]:
    values: dict[str, object] = {}
    for name in ProfileData.__struct_fields__:
        value = getattr(changes, name)
        values[name] = None if isinstance(value, UnsetType) else value
        values[f"set_{name}"] = not isinstance(value, UnsetType)
    return values
