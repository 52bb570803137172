"""A track is something calm that can be played; a choice is one person's track."""

from msgspec import UNSET, Struct, UnsetType

from holdfast.fields import Id


class Track(Struct):
    id: int
    name: str
    url: str


class TrackChoice(Struct, forbid_unknown_fields=True):
    """`music: null` clears the choice; a missing key is an error of its own in the contract."""

    music: Id | None | UnsetType = UNSET
