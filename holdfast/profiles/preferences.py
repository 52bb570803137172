"""What somebody chose beside the contract's profile: language, time zone, the name in messages, the codeword, the PIN."""

import functools
from typing import Annotated, Literal
from zoneinfo import available_timezones

from msgspec import UNSET, Meta, Struct, UnsetType

from holdfast import audit
from holdfast.accounts.passwords import LONGEST, Passwords
from holdfast.db import Tx
from holdfast.fields import Draft, text, verbatim

Language = Annotated[Literal["en", "uk", "ru", "es", "de"], Meta(description="one of en, uk, ru, es, de")]
ChosenName, Codeword = text(50, minimum=0), text(20, minimum=0)  # blank is null
Pin = Annotated[str, Meta(pattern=r"^[0-9]{4,8}$", description="4 to 8 digits")]

MACHINES_OWN = {"localtime", "Factory"}  # no zone of a person's

UNKNOWN_ZONE = "Must be the name of a time zone, such as Europe/Kyiv."

OF_PERSON = """
    select p.language, p.time_zone, coalesce(p.chosen_name, a.username) as chosen_name, p.codeword,
           coalesce(p.check_in_by_email, false) as check_in_by_email, p.pin_hash
      from account a
      left join preference p on p.user_id = a.id
     where a.id = :user_id"""

BEGIN = "insert into preference (user_id) values (:user_id) on conflict (user_id) do nothing"

# One statement whatever is changed: of two changes at once, both stay.
CHANGE = """
    update preference
       set language = case when :set_language then :language else language end,
           time_zone = case when :set_time_zone then :time_zone else time_zone end,
           chosen_name = case when :set_chosen_name then :chosen_name else chosen_name end,
           codeword = case when :set_codeword then :codeword else codeword end,
           check_in_by_email = case when :set_check_in_by_email then :check_in_by_email else check_in_by_email end
     where user_id = :user_id"""

KEEP_PIN = "update preference set pin_hash = :pin_hash where user_id = :user_id"


class Preference(Struct):
    """`chosen_name` is the username until another is chosen; the others are null until they are."""

    language: Language | None
    time_zone: str | None
    chosen_name: str
    codeword: str | None
    check_in_by_email: bool
    pin_hash: str | None


class PreferenceView(Struct):
    language: Language | None
    time_zone: str | None
    chosen_name: str
    codeword: str | None
    check_in_by_email: bool
    pin_set: bool


class PreferenceChanges(Struct, forbid_unknown_fields=True):
    """Null clears."""

    language: Language | None | UnsetType = UNSET
    time_zone: text(64, minimum=0) | None | UnsetType = UNSET  # type: ignore[valid-type]
    chosen_name: ChosenName | None | UnsetType = UNSET  # type: ignore[valid-type]
    codeword: Codeword | None | UnsetType = UNSET  # type: ignore[valid-type]
    check_in_by_email: bool | UnsetType = UNSET


class NewPin(Struct, forbid_unknown_fields=True):
    """`password` is that of whoever asks; null takes the PIN away."""

    pin: Pin | None
    password: verbatim(LONGEST, 1)  # type: ignore[valid-type]


async def preferences(tx: Tx, user_id: int) -> Preference:
    """Also for somebody who has chosen nothing yet."""
    found = await tx.one(OF_PERSON, Preference, user_id=user_id)
    return found or Preference(None, None, "", None, False, None)


async def change(tx: Tx, user_id: int, draft: Draft[PreferenceChanges]) -> PreferenceView:
    """Raises InvalidFields."""
    for name in ("time_zone", "chosen_name", "codeword"):
        if draft.values.get(name) == "":
            draft.values[name] = None
    zone = draft.values.get("time_zone")
    if isinstance(zone, str) and "time_zone" not in draft.errors and zone not in _zones():
        draft.refuse("time_zone", UNKNOWN_ZONE)
    changes = draft.finished()
    await tx.run(BEGIN, user_id=user_id)
    await tx.run(CHANGE, user_id=user_id, **_settings(changes))
    return view(await preferences(tx, user_id))


def view(preference: Preference) -> PreferenceView:
    return PreferenceView(
        preference.language,
        preference.time_zone,
        preference.chosen_name,
        preference.codeword,
        preference.check_in_by_email,
        preference.pin_hash is not None,
    )


async def keep_pin(tx: Tx, actor_id: int, user_id: int, pin_hash: str | None) -> None:
    await tx.run(BEGIN, user_id=user_id)
    await tx.run(KEEP_PIN, user_id=user_id, pin_hash=pin_hash)
    await audit.record(tx, actor_id=actor_id, user_id=user_id, action="pin_set" if pin_hash else "pin_removed")


async def pin_is_right(passwords: Passwords, pin_hash: str | None, pin: str | None) -> bool:
    """True for somebody who has set none."""
    return pin_hash is None or await passwords.verify(pin_hash, pin or "")


def _settings(changes: PreferenceChanges) -> dict[str, object]:
    values: dict[str, object] = {}
    for name in PreferenceChanges.__struct_fields__:
        value = getattr(changes, name)
        values[name] = None if isinstance(value, UnsetType) else value
        values[f"set_{name}"] = not isinstance(value, UnsetType)
    return values


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - MACHINES_OWN
