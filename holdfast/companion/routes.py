"""The companion's door."""

from holdfast.companion import service
from holdfast.companion.schemas import NewMessage, Response
from holdfast.errors import Invalid
from holdfast.http import Ask, Doors, Problem, own_or_staff

doors = Doors("/api/v1/chat", tag="Chat")


@doors.post("/{user_id}/", who=own_or_staff("User not found"), body=NewMessage, answers={200: Response, 400: Problem, 404: Problem})
async def write_to_companion(ask: Ask, message: NewMessage) -> Response:
    """Write to the companion. The answer is always useful, whatever the provider behind it does."""
    if not (text := message.plain()):
        raise Invalid("Message text is required")
    return Response(await service.speak(ask.db, ask.state.companion, ask.user_id, text, own=ask.actor.id == ask.user_id))
