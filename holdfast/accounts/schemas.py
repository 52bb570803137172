"""What crosses the wire about an account."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from holdfast.accounts.passwords import LONGEST, SHORTEST
from holdfast.fields import text, verbatim

Username = Annotated[
    str, Meta(min_length=1, max_length=150, pattern=r"^[\w.@+-]+$", description="1 to 150 letters, digits and the characters @ . + - _")
]


class NewUser(Struct, forbid_unknown_fields=True):
    username: Username
    email: text(254)  # type: ignore[valid-type]
    password: verbatim(LONGEST, SHORTEST)  # type: ignore[valid-type]


class Credentials(Struct):
    """Anything wrong in here is the contract's 401; only what is missing is a 400."""

    username: Any | UnsetType = UNSET
    password: Any | UnsetType = UNSET


class AlarmToken(Struct):
    """Good for pressing, for seeing that alarm, and for taking it back in its grace; for nothing else."""

    token: str


class SignedIn(Struct):
    token: str


class RegistrationProblems(Struct, omit_defaults=True):
    """Only the bad fields are there."""

    username: list[str] | UnsetType = UNSET
    email: list[str] | UnsetType = UNSET
    password: list[str] | UnsetType = UNSET
