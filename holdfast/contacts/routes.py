"""Emergency contacts and therapists."""

from msgspec import UnsetType

from holdfast.contacts import changing, inviting, readiness, service
from holdfast.contacts.addresses import check_addresses
from holdfast.contacts.schemas import (
    ContactChanges,
    ContactSaved,
    ContactView,
    Invitation,
    NewContact,
    NewTherapist,
    Readiness,
    Removal,
    Therapist,
    TherapistChanges,
    TherapistSaved,
)
from holdfast.db import Tx
from holdfast.delivery import health
from holdfast.fields import Draft
from holdfast.http import Answer, Ask, Doors, FieldProblems, Problem, own_or_staff
from holdfast.profiles import preferences
from holdfast.profiles import service as profiles

CREATED = "A new emergency contact has been created."
UPDATED = "The emergency contact has been updated."

doors = Doors("/api/v1/user", tag="Contacts")
own = own_or_staff("User not found")
own_contact = own_or_staff(str(changing.ContactNotFound()))

NOW = "select holdfast_now()"


@doors.patch(
    "/edit/contact/{user_id}/", who=own, draft=NewContact, answers={201: ContactSaved, 200: ContactSaved, 400: FieldProblems | Problem, 404: Problem}
)
async def save_contact(ask: Ask, draft: Draft[NewContact]) -> Answer:
    """Add somebody to be told in an alarm; the same person again is updated, with 200."""
    if draft.lacks("name", "phone", "relationship"):
        raise service.ContactFieldsMissing
    check_addresses(draft)
    async with ask.db.write() as tx:
        contact, new = await service.save(tx, ask.actor.id, ask.user_id, draft.finished())
    return Answer(ContactSaved(CREATED if new else UPDATED, contact), 201 if new else 200)


@doors.get("/therapists/{user_id}/", who=own, answers={200: list[Therapist], 404: Problem})
async def list_therapists(ask: Ask) -> list[Therapist]:
    """The staff's directory and the user's own."""
    async with ask.db.read() as tx:
        return await service.therapists(tx, ask.user_id)


@doors.put("/create/therapist/{user_id}/", who=own, draft=NewTherapist, answers={201: TherapistSaved, 400: FieldProblems | Problem, 404: Problem})
async def add_therapist(ask: Ask, draft: Draft[NewTherapist]) -> TherapistSaved:
    """Add an own therapist, who becomes the therapist contact."""
    if draft.lacks("name") or (draft.lacks("phone") and draft.lacks("email")):
        raise service.TherapistFieldsMissing
    check_addresses(draft)
    async with ask.db.write() as tx:
        return TherapistSaved(
            "A new therapist contact has been created.", await service.add_therapist(tx, ask.actor.id, ask.user_id, draft.finished())
        )


@doors.patch("/edit/therapist/{user_id}/", who=own, draft=TherapistChanges, answers={200: TherapistSaved, 400: FieldProblems | Problem, 404: Problem})
async def change_therapist(ask: Ask, draft: Draft[TherapistChanges]) -> TherapistSaved:
    """Change the own therapist; null clears a number or an e-mail."""
    check_addresses(draft)
    async with ask.db.write() as tx:
        return TherapistSaved("Therapist contact has been updated.", await service.change_therapist(tx, ask.actor.id, ask.user_id, draft.finished()))


@doors.get("/contacts/{user_id}/", who=own, answers={200: list[ContactView], 404: Problem})
async def list_contacts(ask: Ask) -> list[ContactView]:
    """Who is told in an alarm, in that order, and how each channel stands."""
    async with ask.db.read() as tx:
        return await changing.listed(tx, ask.user_id, ask.state.means.channels, ask.settings.sms_countries)


@doors.patch(
    "/contact/{contact_id}/",
    who=own_contact,
    target=changing.OF_CONTACT,
    draft=ContactChanges,
    answers={200: ContactView, 400: FieldProblems | Problem, 403: Problem, 404: Problem, 429: Problem},
)
async def change_contact(ask: Ask, draft: Draft[ContactChanges]) -> ContactView:
    """Change a contact. Without the password, a confirmed address that is replaced is still told for a day."""
    check_addresses(draft)
    changes = draft.finished()
    at_once = await _password_shown(ask, changes.password)
    further = [entry.partition("=")[0] for entry in ask.settings.apprise_channels]
    async with ask.db.write() as tx:
        await changing.change(tx, ask.actor.id, ask.user_id, ask.target.id, changes, further=further, at_once=at_once)
        return await _look_at(ask, tx)


@doors.delete(
    "/contact/{contact_id}/",
    who=own_contact,
    target=changing.OF_CONTACT,
    body=Removal,
    answers={200: ContactView, 400: FieldProblems | Problem, 403: Problem, 404: Problem, 429: Problem},
)
async def remove_contact(ask: Ask, removal: Removal) -> ContactView:
    """Remove a contact. Without the password, a confirmed address is still told for a day: `channels` are those that are."""
    at_once = await _password_shown(ask, removal.password)
    async with ask.db.write() as tx:
        contact = await _look_at(ask, tx)
        await changing.remove(tx, ask.actor.id, ask.user_id, ask.target.id, at_once=at_once)
    contact.channels = [channel for channel in contact.channels if channel.state == "confirmed" and not at_once]
    return contact


@doors.post("/contact/{contact_id}/invite/", who=own_contact, target=changing.OF_CONTACT, answers={202: Invitation, 404: Problem})
async def invite(ask: Ask) -> Invitation:
    """Ask a contact, by each channel, whether he or she will be there. Once a day: asked again, it tells how the first one stands."""
    return await _ask_contact(ask, "invitation")


@doors.post("/contact/{contact_id}/test/", who=own_contact, target=changing.OF_CONTACT, answers={202: Invitation, 404: Problem})
async def send_test(ask: Ask) -> Invitation:
    """Send a contact a message that says it is a test. Once in ten minutes: asked again, it tells how the first one stands."""
    return await _ask_contact(ask, "test")


@doors.get("/readiness/{user_id}/", who=own, answers={200: Readiness, 404: Problem})
async def get_readiness(ask: Ask) -> Readiness:
    """Whether an alarm would reach somebody, and the first thing to do."""
    async with ask.db.read() as tx:
        return readiness.judged(await _outlook(ask, tx))


async def _look_at(ask: Ask, tx: Tx) -> ContactView:
    return await changing.look_at(tx, ask.user_id, ask.target.id, ask.state.means.channels, ask.settings.sms_countries)


async def _ask_contact(ask: Ask, kind: inviting.Kind) -> Invitation:
    server = ask.state.means
    means = inviting.Means(server.channels, server.countries, server.links, server.caps, ask.settings.invite_ttl)
    async with ask.db.write() as tx:
        posted = await inviting.ask(tx, kind, ask.target.id, ask.user_id, means)
        tx.after_commit(ask.state.wake)
    return Invitation(posted)


async def _outlook(ask: Ask, tx: Tx) -> readiness.Outlook:
    """Scenarios and drills lie above: the process hands over how to ask for them."""
    countries = ask.settings.sms_countries
    profile, wanted = await profiles.profile_of(tx, ask.user_id), await preferences.preferences(tx, ask.user_id)
    scenario = profile.scenario if profile else None
    told = await ask.state.tells(tx, scenario) if scenario is not None else ()
    persons = [person for person in await service.people(tx, ask.user_id, countries) if not person.removed]
    if "therapist" in told and (therapist := await service.therapist_of(tx, ask.user_id, countries)):
        persons.append(therapist)
    return readiness.Outlook(
        persons=persons,
        sending=ask.state.means.channels,
        lately=await health.lately(tx),
        has_scenario=scenario is not None,
        sandbox=ask.settings.senders == "sandbox",
        last_drill=await ask.state.last_drill(tx, ask.user_id),
        now=int(await tx.value(NOW)),
        language=wanted.language,
    )


async def _password_shown(ask: Ask, password: str | UnsetType) -> bool:
    """Raises WrongPassword, TooMany."""
    if isinstance(password, UnsetType):
        return False
    await ask.state.reception.confirm(ask, password)
    return True
