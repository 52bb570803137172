"""Where the chat is, and the tickets that open it."""

from holdfast.accounts import service as accounts
from holdfast.clock import SECOND
from holdfast.http import Ask, Doors, Problem, own_or_staff, staff
from holdfast.support.schemas import SupportRoom, Ticket

doors = Doors("/api/v1/chat/user/support", tag="Support chat")
staff_doors = Doors("/api/v1/staff/chat", tag="Support chat")


@doors.get("/{user_id}/", who=own_or_staff("User not found"), answers={200: SupportRoom, 404: Problem})
async def find_room(ask: Ask) -> SupportRoom:
    """The address of the person's chat."""
    return SupportRoom(ask.user_id, ask.actor.is_staff, f"ws{ask.origin.removeprefix('http')}/ws/chat/{ask.user_id}/")


@doors.post("/{user_id}/ticket/", who=own_or_staff("User not found"), answers={201: Ticket, 404: Problem})
async def room_ticket(ask: Ask) -> Ticket:
    """A ticket for the person's chat, for clients that can set no header."""
    return await _ticket(ask, ask.user_id)


@staff_doors.post("/ticket/", who=staff, answers={201: Ticket, 403: Problem})
async def staff_ticket(ask: Ask) -> Ticket:
    """A ticket for the staff's room, which hears every chat."""
    return await _ticket(ask, None)


async def _ticket(ask: Ask, room_id: int | None) -> Ticket:
    async with ask.db.write() as tx:
        token = await accounts.ticket(tx, ask.actor.id, ask.actor.token_id, room_id)
    return Ticket(token, accounts.LIVES["w"][0] // SECOND)
