"""What crosses the wire in the human chat: each struct's fields are a plain client's keys, in this order and no others."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from holdfast.clock import iso

TEXT = 4_000  # characters

ClientId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
Code = Literal["bad_frame", "empty", "too_long", "slow_down", "not_saved", "no_such_user"]

SENTENCES: dict[Code, str] = {
    "bad_frame": 'A frame must be JSON like {"message": "text"}.',
    "empty": "The message is empty.",
    "too_long": f"A message has at most {TEXT:,} characters.",
    "slow_down": "Too many messages are waiting to be saved. This one was not; please send it again in a moment.",
    "not_saved": "The message could not be saved. Please send it again in a moment.",
    "no_such_user": "User not found",
}


_encode = msgspec.json.Encoder().encode


class SupportRoom(Struct):
    """`is_admin` is the caller's; the address holds no secret."""

    user_id: int
    is_admin: bool
    websocket_url: str


class Ticket(Struct):
    """Opens one socket, once, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class Frame(Struct):
    """Whatever else a client puts beside these is ignored. `user_id` counts in the staff's room alone."""

    message: str
    client_msg_id: ClientId | None = None
    user_id: Any = None


class Said(Struct, frozen=True):
    """A frame whose text can be stored; `room` is the user whose conversation it belongs to."""

    room: int
    text: str
    client_msg_id: str | None


class Stored(Struct):
    """A message as a row; `user_id` is the room's."""

    user_id: int
    id: int
    seq: int
    body: str
    identifier: str
    from_admin: bool
    sent_at: int


class ChatMessage(Struct, tag_field="event", tag="chat_message"):
    message: str
    id: int
    seq: int
    user_id: int
    identifier: str  # who wrote it
    from_admin: bool
    sent_at: str


class ChatError(Struct, tag_field="event", tag="error"):
    error: str
    code: Code
    retry_after: int | None = None  # seconds
    client_msg_id: str | None = None


class UserConnected(Struct, tag_field="event", tag="user_connected"):
    user_id: int
    identifier: str
    at: str


class UserDisconnected(Struct, tag_field="event", tag="user_disconnected"):
    user_id: int
    identifier: str
    at: str


def chat_message(row: Stored) -> ChatMessage:
    return ChatMessage(row.body, row.id, row.seq, row.user_id, row.identifier, row.from_admin, iso(row.sent_at))


def wire(event: ChatMessage | ChatError | UserConnected | UserDisconnected) -> str:
    return _encode(event).decode()
