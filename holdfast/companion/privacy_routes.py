"""The doors at which a person sees, takes along, deletes and decides what the companion keeps."""

from holdfast.companion import consents, privacy
from holdfast.companion.consents import ConsentChanges, ConsentView
from holdfast.companion.export import Export, export
from holdfast.companion.privacy import Deleted, History, Page
from holdfast.errors import Forbidden
from holdfast.http import Ask, Doors, FieldProblems, Problem, own_or_staff
from holdfast.profiles import preferences

doors = Doors("/api/v1/chat", tag="Chat privacy")
own = own_or_staff("User not found")


@doors.get("/{user_id}/history/", who=own, query=Page, answers={200: History, 400: FieldProblems | Problem, 404: Problem})
async def read_history(ask: Ask, page: Page) -> History:
    """The conversation with the companion. Staff get what the person shared for an open hand-over, and nothing else."""
    read = privacy.history if _in_person(ask) else privacy.history_for_staff
    async with ask.db.read() as tx:
        return await read(tx, ask.state.companion.vault, ask.user_id, page)


@doors.delete("/{user_id}/history/", who=own, answers={200: Deleted, 404: Problem})
async def delete_history(ask: Ask) -> Deleted:
    """Delete the conversation, what was concluded from it, and its copies in hand-overs."""
    # Behind an answer that is on its way: it would bring back what it remembers.
    async with ask.state.companion.turn(ask.user_id), ask.db.write() as tx:
        return await privacy.forget(tx, ask.actor.id, ask.user_id)


@doors.get("/{user_id}/export/", who=own, answers={200: Export, 403: Problem, 404: Problem})
async def export_conversation(ask: Ask) -> Export:
    """Everything that the companion keeps, and who of the service looked at it. For the person alone."""
    _refuse_others(ask)
    async with ask.db.read() as tx:
        language = (await preferences.preferences(tx, ask.user_id)).language
    return await export(ask.db, ask.state.companion.vault, ask.user_id, language)


@doors.get("/{user_id}/consent/", who=own, answers={200: ConsentView, 404: Problem})
async def read_consent(ask: Ask) -> ConsentView:
    """What the person decided, when, and to which wording of the question."""
    async with ask.db.read() as tx:
        return await consents.consents(tx, ask.user_id)


@doors.put("/{user_id}/consent/", who=own, body=ConsentChanges, answers={200: ConsentView, 400: FieldProblems | Problem, 403: Problem, 404: Problem})
async def change_consent(ask: Ask, changes: ConsentChanges) -> ConsentView:
    """Give or withdraw consent, and choose how long turns are kept. For the person alone."""
    _refuse_others(ask)
    async with ask.db.write() as tx:
        return await consents.change(tx, ask.user_id, changes)


def _in_person(ask: Ask) -> bool:
    return ask.actor.id == ask.user_id


def _refuse_others(ask: Ask) -> None:
    """Raises Forbidden."""
    if not _in_person(ask):
        raise Forbidden
