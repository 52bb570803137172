"""A delivery is one message to one person on one channel; its states and their changes stand in alarm.md, section 2."""

from typing import Literal

from msgspec import Struct

LINK = "{link}"

State = Literal["pending", "leased", "accepted", "delivered", "failed", "cancelled"]


Kind = Literal["alarm", "repeat", "staff", "reminder", "summary", "status", "all_clear", "closing", "invitation", "test", "check_in", "chat_offline"]

# The first message of an alarm goes before everything; alarm.md, section 5.
PRIORITY: dict[Kind, int] = {
    "alarm": 100,
    "summary": 100,
    "staff": 90,
    "repeat": 80,
    "reminder": 80,
    "all_clear": 70,
    "closing": 70,
    "chat_offline": 60,  # somebody waits in the support chat; support-chat.md, section 8
    "status": 50,
    "invitation": 30,
    "test": 30,
    "check_in": 20,
}


class Body(Struct, omit_defaults=True):
    """`text` holds LINK where the address of the link goes; `link` is the seed from which it is made at the moment of sending."""

    subject: str
    text: str
    link: str | None = None


class NewDelivery(Struct, kw_only=True):
    """`dedup_key` makes it once: a second one with the same key is none."""

    dedup_key: str
    kind: Kind
    channel: str
    destination: str
    body: Body
    deadline_at: int
    alarm_id: int | None = None
    alarm_helper_id: int | None = None
    contact_channel_id: int | None = None
    step: int = 0
    wait: int = 0  # microseconds until it is due
    segments: int = 1  # of an SMS: what it costs
    cap: str | None = None  # what holds it back: it is on record as failed, so that the live state tells the truth


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
    kind: Kind
    created_at: int


class Standing(Struct):
    """Where one delivery of an alarm stands."""

    alarm_helper_id: int
    channel: str
    destination: str
    state: State
    error_class: str | None
    fence: int
    id: int = 0
    kind: Kind = "alarm"
    step: int = 0
    attempt: int = 0
    ambiguous: int = 0
    created_at: int = 0
    accepted_at: int | None = None
    lost: bool = False  # whether a worker vanished with it: it may have left

    @property
    def may_have_left(self) -> bool:
        """Told: alarm.md, section 4."""
        return self.state in ("leased", "accepted", "delivered") or self.ambiguous > 0 or self.lost
