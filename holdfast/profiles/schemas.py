"""A profile as the contract shows it, and what may be changed of it."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from holdfast.fields import Id, text

Age = Annotated[int, Meta(ge=0, le=130)]
Level = Annotated[int, Meta(ge=0, le=10, description="a whole number from 0 (none) to 10 (extreme)")]
Place = text(200, minimum=0)


class ProfileView(Struct):
    id: int
    user: int
    username: str
    age: int | None
    location: str | None
    military_status: bool | None
    ptsd_level: int | None
    music: int | None
    therapist_contact: int | None
    scenario: int | None


class ProfileChanges(Struct, forbid_unknown_fields=True):
    """Null clears. The last four are what a client may send back that echoes the whole profile: `music` is applied, the others are ignored."""

    age: Age | None | UnsetType = UNSET
    location: Place | None | UnsetType = UNSET  # type: ignore[valid-type]
    military_status: bool | None | UnsetType = UNSET
    ptsd_level: Level | None | UnsetType = UNSET
    therapist_contact: Id | None | UnsetType = UNSET
    scenario: Id | None | UnsetType = UNSET
    music: Id | None | UnsetType = UNSET
    id: Id | None | UnsetType = UNSET
    user: Id | None | UnsetType = UNSET
    username: str | None | UnsetType = UNSET


class ProfileData(Struct):
    age: int | None
    location: str | None
    military_status: bool | None
    ptsd_level: int | None
    therapist_contact: int | None
    scenario: int | None


class ProfileUpdated(Struct):
    message: str
    updated_data: ProfileData
