"""The profile's doors."""

from holdfast.errors import NotFound
from holdfast.fields import Draft
from holdfast.http import Ask, Doors, FieldProblems, Message, Problem, own_or_staff
from holdfast.profiles import preferences, service
from holdfast.profiles.preferences import NewPin, PreferenceChanges, PreferenceView
from holdfast.profiles.schemas import ProfileChanges, ProfileUpdated, ProfileView

doors = Doors("/api/v1/user", tag="User")


class ProfileNotFound(NotFound):
    """UserInfo not found for this user."""


own_profile = own_or_staff(str(ProfileNotFound()))
own = own_or_staff("User not found")


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


@doors.get("/preferences/{user_id}/", who=own, answers={200: PreferenceView, 404: Problem})
async def get_preferences(ask: Ask) -> PreferenceView:
    """Language, time zone, name and codeword in messages. Whether a PIN is set, never which."""
    async with ask.db.read() as tx:
        return preferences.view(await preferences.preferences(tx, ask.user_id))


@doors.patch("/preferences/{user_id}/", who=own, draft=PreferenceChanges, answers={200: PreferenceView, 400: FieldProblems | Problem, 404: Problem})
async def change_preferences(ask: Ask, draft: Draft[PreferenceChanges]) -> PreferenceView:
    """Change some of the preferences; null clears."""
    async with ask.db.write() as tx:
        return await preferences.change(tx, ask.user_id, draft)


@doors.put("/pin/{user_id}/", who=own, body=NewPin, answers={200: Message, 400: FieldProblems | Problem, 403: Problem, 404: Problem, 429: Problem})
async def set_pin(ask: Ask, new: NewPin) -> Message:
    """Set the PIN that guards the end of an alarm, or take it away with null. It always needs the account's password."""
    await ask.state.reception.confirm(ask, new.password)
    pin_hash = await ask.state.reception.passwords.hash(new.pin) if new.pin else None
    async with ask.db.write() as tx:
        await preferences.keep_pin(tx, ask.actor.id, ask.user_id, pin_hash)
    return Message("The PIN has been set." if pin_hash else "The PIN has been removed.")
