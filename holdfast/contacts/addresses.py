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


def e164(phone: str | None) -> str | None:
    """+380501234567 when the text says its country, as + or 00; None when it cannot be derived."""
    import phonenumbers

    if not phone:
        return None
    international = "+" + phone.strip()[2:] if phone.strip().startswith("00") else phone
    try:
        number = phonenumbers.parse(international, None)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if phonenumbers.is_possible_number(number) else None
