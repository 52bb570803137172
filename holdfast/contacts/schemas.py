"""The people somebody trusts: as the contract shows them, and as an alarm reaches them."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from holdfast.fields import text

Name, Phone, Relationship = text(100), text(40), text(50)
BlankPhone, Email = text(40, minimum=0), text(254, minimum=0)  # blank is null: what an empty form field sends


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


class Way(Struct):
    """One channel to a person. Nothing is ever sent where there is a `problem`; every other state is told in a real alarm."""

    channel: str
    destination: str
    state: Literal["unconfirmed", "confirmed", "stopped", "bouncing"] = "unconfirmed"
    problem: str | None = None  # see contacts/numbers.py


class Person(Struct):
    """Somebody who can be told. `ways` stand in the order in which they are started."""

    id: int
    kind: Literal["contact", "therapist"]
    name: str
    relationship: str
    language: str | None
    phone: str | None
    ways: list[Way]

    @property
    def confirmed(self) -> bool:
        return any(way.state == "confirmed" for way in self.ways)
