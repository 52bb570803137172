"""A frame is what a client sends; this decides whether it is something that somebody said."""

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.fields import LINES, UNWANTED, normal
from holdfast.support.schemas import SENTENCES, TEXT, ChatError, Code, Frame, Said

_decode = msgspec.json.Decoder(Frame).decode


class Refused(Exception):
    """Answered with an `error` event; it never ends the chat."""

    def __init__(self, code: Code, client_msg_id: str | None = None, retry_after: int | None = None) -> None:
        self.event = ChatError(SENTENCES[code], code, retry_after, client_msg_id)


def read(frame: Mapping[str, Any], room: int | None) -> Said:
    """`room` is None in the staff's room, where each frame names its own. Raises Refused."""
    raw = frame.get("text")
    try:
        given = _decode(raw or "")
    except (ValueError, RecursionError):  # ValueError: msgspec's own, and text that is no UTF-8
        raise Refused("bad_frame") from None
    said = Said(_named(given) if room is None else room, cleaned(given.message), given.client_msg_id)
    if not said.text:
        raise Refused("empty", said.client_msg_id)
    if len(said.text) > TEXT:
        raise Refused("too_long", said.client_msg_id)
    return said


def cleaned(text: str) -> str:
    """Control and bidi-override characters are taken out and are no reason to refuse somebody's message; line breaks stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return normal(UNWANTED.sub(_line_break_or_nothing, text)).strip()


def _line_break_or_nothing(match: Any) -> str:
    return match[0] if match[0] in LINES else ""


def _named(given: Frame) -> int:
    """A number, or the same in digits; beyond what a database can be asked for there is nobody."""
    match given.user_id:
        case bool():
            raise Refused("bad_frame", given.client_msg_id)
        case int() as number:
            pass
        case str() as digits if digits.isascii() and digits.isdigit() and len(digits) < 19:
            number = int(digits)
        case _:
            raise Refused("bad_frame", given.client_msg_id)
    if not 0 < number < 2**63:
        raise Refused("no_such_user", given.client_msg_id)
    return number
