"""An alarm as it is kept and as it crosses the wire."""

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast.delivery.caps import Caps
from holdfast.delivery.links import Links
from holdfast.fields import text

LastWords, Note, Account = text(200), text(500), text(2000)

State = Literal["grace", "open", "acknowledged", "closed"]
Answer = Literal["calling", "coming", "cannot"]

Group = Literal["contacts", "therapist", "staff_on_call"]


class Step(Struct, forbid_unknown_fields=True):
    """`wait` is in seconds after the step before; with `every`, which only the last may have, it comes back."""

    tell: Annotated[list[Group], Meta(min_length=1)]
    text: Literal["alarm", "repeat", "staff"]
    wait: Annotated[int, Meta(ge=0, le=86400)] = 0
    every: Annotated[int, Meta(ge=60, le=86400)] | None = None


class Scenario(Struct, forbid_unknown_fields=True):
    """alarm.md, section 8. `level` 1 is "be with me"; all times are in seconds."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    level: Annotated[int, Meta(ge=1, le=3)]
    music: bool
    steps: Annotated[list[Step], Meta(min_length=1, max_length=20)]
    start_channels: Annotated[int, Meta(ge=1, le=10)] = 2
    expire_after: Annotated[int, Meta(ge=600, le=86400)] = 7200
    answer_reminder: Annotated[int, Meta(ge=60, le=86400)] = 1200
    answer_wait: Annotated[int, Meta(ge=60, le=86400)] = 600
    check_in_after: Annotated[int, Meta(ge=0, le=604800)] = 86400


class Snapshot(Struct):
    """What an alarm keeps of the moment of the press: later changes of a scenario, a name or a language do not reach into it.

    `channels` are those that its answer spoke of.
    """

    scenario: Scenario
    channels: list[str]
    who: str = ""  # missing in what the program before this one kept
    language: str | None = None
    codeword: str | None = None
    place: str | None = None
    veteran: bool = False
    staff: bool = True  # whether staff are told at all; a drill tells them only when asked to


class Helpline(Struct):
    """`dial` is exactly what a person dials in that country."""

    name: str
    dial: str


class Means(Struct):
    """What this server can do for an alarm; the times are in seconds."""

    channels: list[str]
    links: Links
    caps: Caps
    on_call: tuple[str, ...]
    countries: tuple[str, ...]
    fallback_after: int
    grace_max: int
    helplines: Callable[[str | None, bool, int], list[Helpline]]  # for a place and a veteran or not, now


class Caller(Struct):
    """Whose alarm it is; `definition` is None for somebody without a scenario."""

    username: str
    definition: str | None
    location: str | None
    military_status: bool | None


class Alarm(Struct):
    """The row that an act holds while it changes it; `now` is the database's. Times are microseconds."""

    id: int
    code: str
    user_id: int
    drill: bool
    state: State
    close_reason: str | None
    level: int
    version: int
    tap_count: int
    snapshot: str
    answer: str
    step: int
    created_at: int
    expires_at: int
    closed_at: int | None
    grace_ends_at: int | None
    next_step_at: int | None
    acknowledged_at: int | None
    reminded_at: int | None
    last_tap_at: int | None
    last_pull_at: int | None
    now: int


class Helper(Struct):
    """`ways` is JSON of list[Way]: the person's channels as they were when the alarm first told him or her."""

    id: int
    kind: Literal["contact", "therapist", "staff"]
    person_id: int
    position: int
    name: str
    relationship: str
    language: str | None = None
    ways: str = "[]"
    confirmed: bool = False
    link_sha256: str | None = None
    next_channel_at: int | None = None
    seen_at: int | None = None
    answer: Answer | None = None
    answered_at: int | None = None


class Trigger(Struct, forbid_unknown_fields=True):
    """`grace_seconds`: for so long nobody is told, and the press can be taken back. `scenario`: another than the profile's, for this press."""

    grace_seconds: Annotated[int, Meta(ge=0, le=300)] = 0
    scenario: int | None = None


class Music(Struct):
    music_url: str


class Called(Struct):
    """The contract's answer: first the music, when the scenario plays it, then one sentence for each person, in the order of telling."""

    scenario: str
    messages: list[Music | str]


class StopAlarm(Struct, forbid_unknown_fields=True):
    """`pin` when one is set and the grace is over; `text` replaces the words of the all-clear."""

    pin: str | None = None
    text: LastWords | None = None  # type: ignore[valid-type]


class Stopped(Struct):
    """`told` are those who hear the all-clear."""

    result: Literal["cancelled", "all_clear"]
    told: list[str]


class StaffAnswer(Struct, forbid_unknown_fields=True):
    answer: Answer
    note: Note | None = None  # type: ignore[valid-type]


class CheckIn(Struct, forbid_unknown_fields=True):
    """`distress` from 0, none, to 10, extreme."""

    distress: Annotated[int, Meta(ge=0, le=10)]
    text: Account | None = None  # type: ignore[valid-type]


class CheckInView(Struct):
    id: int
    alarm_id: int
    distress: int
    text: str | None
    created_at: str


class Row(Struct):
    """An alarm as its door finds it; `now` is the database's."""

    id: int
    user_id: int
    drill: bool
    state: State
    close_reason: str | None
    version: int
    snapshot: str
    created_at: int
    grace_ends_at: int | None
    next_step_at: int | None
    now: int


class ChannelView(Struct):
    """`problem`: not_configured, configuration, temporary, permanent, ambiguous, undelivered, capped, expired, or why nothing can be sent there.

    Null while all is well.
    """

    channel: str
    state: str
    problem: str | None


class HelperView(Struct):
    """`channels` is empty when this server has no way to reach the person."""

    name: str
    relationship: str
    channels: list[ChannelView]
    seen_at: str | None
    answer: Answer | None
    answered_at: str | None


class AlarmView(Struct):
    """The live state (alarm.md, section 14); `version` grows with every change of it and is its ETag."""

    id: int
    state: State
    close_reason: str | None
    drill: bool
    version: int
    created_at: str
    grace_ends_at: str | None
    next_step_at: str | None
    line: str
    helpers: list[HelperView]
    helplines: list[Helpline]


class PastAlarm(Struct):
    """One line of the history; `check_in_at` is when the person is asked how he or she is."""

    id: int
    scenario: str
    level: int
    drill: bool
    state: State
    close_reason: str | None
    previous_id: int | None
    created_at: str
    acknowledged_at: str | None
    closed_at: str | None
    check_in_at: str | None


class History(Struct):
    """The newest first; with `more`, the next page is asked for with before_id."""

    alarms: list[PastAlarm]
    more: bool


class DrillWanted(Struct, forbid_unknown_fields=True):
    include_staff: bool = False


class DrillHelper(Struct):
    name: str
    channels: list[str]


class DrillPreview(Struct):
    """What a drill would send: to confirmed people alone; the others are left out by name."""

    messages: int
    helpers: list[DrillHelper]
    left_out: list[str]
