"""Emergency contacts and therapists."""

from holdfast.contacts import service
from holdfast.contacts.addresses import check_addresses
from holdfast.contacts.schemas import ContactSaved, NewContact, NewTherapist, Therapist, TherapistChanges, TherapistSaved
from holdfast.fields import Draft
from holdfast.http import Answer, Ask, Doors, FieldProblems, Problem, own_or_staff

CREATED = "A new emergency contact has been created."
UPDATED = "The emergency contact has been updated."

doors = Doors("/api/v1/user", tag="Contacts")
own = own_or_staff("User not found")


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
