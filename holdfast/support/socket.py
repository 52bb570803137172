"""The two sockets of the human chat: a user's room, and the staff's, which hears every room."""

from typing import Any

from holdfast.http import Ask, Doors, own_or_staff, staff_or_missing
from holdfast.support.connection import Connection

doors = Doors("/ws/chat", tag="Support chat")


@doors.socket("/{user_id}/", who=own_or_staff("User not found"))
async def join_room(ask: Ask, receive: Any, send: Any) -> None:
    """Talk with a person on duty: the user and staff."""
    await Connection(ask, send, room=ask.user_id).live(receive)


@doors.socket("/admin/", who=staff_or_missing("User not found"))
async def join_staff(ask: Ask, receive: Any, send: Any) -> None:
    """Hear every chat and answer into each."""
    await Connection(ask, send, room=None).live(receive)
