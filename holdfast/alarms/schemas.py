"""An alarm as it is kept and as it crosses the wire."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

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
    """What an alarm keeps of the moment of the press; `channels` are those that its answer spoke of."""

    scenario: Scenario
    channels: list[str]


class Caller(Struct):
    """Whose alarm it is; `definition` is None for somebody without a scenario."""

    username: str
    definition: str | None


class Alarm(Struct):
    id: int
    code: str
    tap_count: int
    snapshot: str
    answer: str
    expires_at: int


class Helper(Struct):
    id: int
    kind: str
    person_id: int
    position: int
    name: str
    relationship: str


class Music(Struct):
    music_url: str


class Called(Struct):
    """The contract's answer: first the music, when the scenario plays it, then one sentence for each person, in the order of telling."""

    scenario: str
    messages: list[Music | str]


class Row(Struct):
    """An alarm as its door finds it; `now` is the database's."""

    id: int
    state: str
    close_reason: str | None
    version: int
    created_at: int
    expires_at: int
    now: int


class ChannelView(Struct):
    """`problem`: not_configured, temporary, permanent, ambiguous or expired; null while all is well."""

    channel: str
    state: str
    problem: str | None


class HelperView(Struct):
    """`channels` is empty when this server has no way to reach the person."""

    name: str
    relationship: str
    channels: list[ChannelView]


class AlarmView(Struct):
    """The live state; `version` grows with every change of it."""

    id: int
    state: str
    close_reason: str | None
    version: int
    created_at: str
    expires_at: str
    line: str
    helpers: list[HelperView]
