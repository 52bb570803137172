"""A delivery is one message to one person on one channel; its states and their changes stand in alarm.md, section 2."""

from typing import Literal

from msgspec import Struct

State = Literal["pending", "leased", "accepted", "delivered", "failed", "cancelled"]


class Body(Struct):
    subject: str
    text: str


class NewDelivery(Struct, kw_only=True):
    """`dedup_key` makes it once: a second one with the same key is none."""

    dedup_key: str
    alarm_id: int | None
    alarm_helper_id: int | None
    kind: str
    channel: str
    destination: str
    body: Body
    priority: int
    deadline_at: int


class Leased(Struct):
    """What a worker holds until its lease ends; `fence` tells its finish from that of an earlier holder."""

    id: int
    ref: str
    channel: str
    destination: str
    body: str
    attempt: int
    ambiguous: int
    fence: int
    alarm_id: int | None
    created_at: int


class Standing(Struct):
    """Where one delivery of an alarm stands."""

    alarm_helper_id: int
    channel: str
    destination: str
    state: State
    error_class: str | None
    fence: int
