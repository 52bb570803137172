"""The people somebody trusts: as the contract shows them, and as an alarm reaches them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from holdfast.accounts.passwords import LONGEST
from holdfast.fields import text, verbatim
from holdfast.profiles.preferences import Language

Name, Phone, Relationship = text(100), text(40), text(50)
BlankPhone, Email = text(40, minimum=0), text(254, minimum=0)  # blank is null: what an empty form field sends
Password = verbatim(LONGEST, 1)


class NewContact(Struct, forbid_unknown_fields=True):
    name: Name  # type: ignore[valid-type]
    phone: Phone  # type: ignore[valid-type]
    relationship: Relationship  # type: ignore[valid-type]
    email: Email | None = None  # type: ignore[valid-type]


class Contact(Struct):
    id: int
    name: str
    phone: str
    email: str | None
    relationship: str


class ContactSaved(Struct):
    message: str
    data: Contact


class NewTherapist(Struct, forbid_unknown_fields=True):
    """A telephone number or an e-mail is needed beside the name."""

    name: Name  # type: ignore[valid-type]
    phone: BlankPhone | None = None  # type: ignore[valid-type]
    email: Email | None = None  # type: ignore[valid-type]


class TherapistChanges(Struct, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET  # type: ignore[valid-type]
    phone: BlankPhone | None | UnsetType = UNSET  # type: ignore[valid-type]
    email: Email | None | UnsetType = UNSET  # type: ignore[valid-type]


class Therapist(Struct):
    id: int
    name: str
    phone: str | None
    email: str | None


class TherapistSaved(Struct):
    message: str
    data: Therapist


State = Literal["unconfirmed", "confirmed", "stopped", "bouncing"]


class Way(Struct):
    """One channel to a person. Nothing is ever sent where there is a `problem`; every other state is told in a real alarm."""

    channel: str
    destination: str
    state: State = "unconfirmed"
    problem: str | None = None  # see contacts/numbers.py; beside those: stopped, not_me, country
    doubtful: bool = False  # the number looks wrong
    former: bool = False  # was changed or removed without the password: told for a day beside what is there now


class Person(Struct):
    """Somebody who can be told. `ways` stand in the order in which they are started."""

    id: int
    kind: Literal["contact", "therapist", "staff"]
    name: str
    relationship: str
    language: str | None
    phone: str | None
    ways: list[Way]

    @property
    def confirmed(self) -> bool:
        return any(way.state == "confirmed" for way in self.ways)

    @property
    def removed(self) -> bool:
        """Of whom nothing is left but what is still told for a day."""
        return bool(self.ways) and all(way.former for way in self.ways)


class ChannelOrder(Struct):
    """`destination` belongs to the further channels of this server; email and sms lead to the contact's own `email` and `phone`.

    What else a client sends back of a channel is passed over.
    """

    channel: Annotated[str, Meta(max_length=50)]
    destination: Annotated[str, Meta(max_length=200)] | None = None


class ContactChanges(Struct, forbid_unknown_fields=True):
    """`position` counts from 1. `channels` are all that are left, in the order in which an alarm starts them; email and sms always stay.

    With the account's password a removed destination is told nothing more at once; without it a confirmed one is still told for a day.
    """

    name: Name | UnsetType = UNSET  # type: ignore[valid-type]
    phone: Phone | UnsetType = UNSET  # type: ignore[valid-type]
    email: Email | None | UnsetType = UNSET  # type: ignore[valid-type]
    relationship: Relationship | UnsetType = UNSET  # type: ignore[valid-type]
    position: Annotated[int, Meta(ge=1, le=100)] | UnsetType = UNSET
    language: Language | None | UnsetType = UNSET
    channels: Annotated[list[ChannelOrder], Meta(max_length=20)] | UnsetType = UNSET
    password: Password | UnsetType = UNSET  # type: ignore[valid-type]


class Removal(Struct, forbid_unknown_fields=True):
    """With the account's password the person is told nothing more at once."""

    password: Password | UnsetType = UNSET  # type: ignore[valid-type]


class ChannelView(Struct):
    """`problem` says why nothing, or perhaps nothing, arrives there; `reachable` whether an alarm is sent there."""

    channel: str
    destination: str
    state: State
    reachable: bool
    problem: str | None


class ContactView(Struct):
    id: int
    name: str
    phone: str
    email: str | None
    relationship: str
    position: int
    language: Language | None
    channels: list[ChannelView]


class Posted(Struct):
    """`state` is the delivery's; null: nothing is sent there, and `problem` says why."""

    channel: str
    state: str | None
    problem: str | None


class Invitation(Struct):
    """What has been put into the outbox now, or less than a day ago: nobody is invited twice a day."""

    channels: list[Posted]


class Invited(Struct):
    """What the page behind an invitation shows: `who` invites, and how the channel stands that the link was sent on."""

    who: str
    name: str
    language: str | None
    channel: str
    state: Literal["unconfirmed", "confirmed", "stopped", "not_me"]
    expired: bool


class HelperChannel(Struct):
    channel: str
    state: State
    reachable: bool
    problem: str | None


class HelperReadiness(Struct):
    """`kind` tells whose `id` it is: a contact's or a therapist's."""

    id: int
    kind: Literal["contact", "therapist"]
    name: str
    channels: list[HelperChannel]


class ChannelHealth(Struct):
    """`working` is null for what has not been tried lately."""

    channel: str
    working: bool | None
    checked_at: str | None


class Readiness(Struct):
    level: Literal["none", "weak", "good"]
    line: str
    helpers: list[HelperReadiness]
    channels: list[ChannelHealth]
    problems: list[str]
