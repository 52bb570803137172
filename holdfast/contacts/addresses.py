"""What a telephone number or an e-mail of somebody else must look like before it is kept."""

from holdfast.accounts.reception import EMAIL, is_email
from holdfast.fields import Draft

PHONE = "Must be a telephone number."


def check_addresses(draft: Draft) -> None:  # type: ignore[type-arg]
    """A blank e-mail is no e-mail; a telephone text only has to be plausible, for an alarm must not fail over a space."""
    for name in ("email", "phone"):
        if draft.values.get(name) == "":
            draft.values[name] = None
    email, phone = draft.values.get("email"), draft.values.get("phone")
    if email and not is_email(email):
        draft.refuse("email", EMAIL)
    if phone and not any(character.isdigit() for character in phone):
        draft.refuse("phone", PHONE)
