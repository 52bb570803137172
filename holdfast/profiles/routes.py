"""The profile's doors."""

from holdfast.errors import NotFound
from holdfast.fields import Draft
from holdfast.http import Ask, Doors, FieldProblems, Problem, own_or_staff
from holdfast.profiles import service
from holdfast.profiles.schemas import ProfileChanges, ProfileUpdated, ProfileView

doors = Doors("/api/v1/user", tag="User")


class ProfileNotFound(NotFound):
    """UserInfo not found for this user."""


own_profile = own_or_staff(str(ProfileNotFound()))


@doors.get("/{user_id}/", who=own_profile, target=service.OWN, answers={200: ProfileView, 404: Problem})
async def get_profile(ask: Ask) -> ProfileView:
    """The profile; `me` is the caller's own."""
    return ask.target


@doors.patch("/edit/{user_id}/", who=own_profile, draft=ProfileChanges, answers={200: ProfileUpdated, 400: FieldProblems | Problem, 404: Problem})
async def edit_profile(ask: Ask, draft: Draft[ProfileChanges]) -> ProfileUpdated:
    """Change some of the profile; null clears."""
    async with ask.db.write() as tx:
        data = await service.change(tx, ask.user_id, draft, scenario_exists=ask.state.scenario_exists)
    if data is None:
        raise ProfileNotFound
    return ProfileUpdated("UserInfo updated successfully.", data)
