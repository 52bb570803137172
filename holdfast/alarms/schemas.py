"""An alarm as it is kept and as it crosses the wire."""

from typing import Literal

from msgspec import Struct

Text = Literal["alarm"]


class Step(Struct):
    tell: list[Literal["contacts", "therapist"]]
    text: Text


class Scenario(Struct):
    """The part of a scenario's definition that is acted on (alarm.md, section 8). `level` 1 is "be with me"; `expire_after` is in seconds."""

    name: str
    level: int
    music: bool
    steps: list[Step]
    expire_after: int


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
