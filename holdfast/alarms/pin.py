"""The PIN that may guard stopping after the grace: a wrong one leaves the alarm running, and never locks anybody out."""

from holdfast.accounts.passwords import Passwords
from holdfast.db import Database
from holdfast.errors import Forbidden
from holdfast.limits import Window
from holdfast.profiles import preferences


class WrongPin(Forbidden):
    """The PIN is missing or wrong. The alarm goes on."""


def tries() -> Window:
    """Five a minute, for each person."""
    return Window(5, 60.0)


async def check(db: Database, passwords: Passwords, tries: Window, user_id: int, pin: str | None) -> None:
    """Outside any transaction: hashing takes its time. Raises WrongPin, TooMany."""
    async with db.read(alarm=True) as tx:
        pin_hash = (await preferences.preferences(tx, user_id)).pin_hash
    if pin_hash is None:
        return
    tries.begin(str(user_id))
    if not await preferences.pin_is_right(passwords, pin_hash, pin):
        raise WrongPin
    tries.succeeded(str(user_id))
