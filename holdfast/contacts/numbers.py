"""What a telephone number is worth: where it leads, and whether a message may go there (security.md N2).

Problems: invalid_number, premium, shared_cost, short_code. Found out when a number is written, because looking takes long; country is judged when
it is read, for an operator may change the list. `doubtful_number` is none: the number looks wrong, and a message is sent all the same.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

DOUBTFUL = "doubtful_number"
NOWHERE = "ZZ"  # the region of what is no number, and of one whose region nobody knows
LONGEST_SHORT = 6  # digits: 112, 116 123, the codes that SMS services charge by
OVERDIALLED = 4  # digits too many, which a network passes over: a premium number must not hide behind them


class Number(Struct, frozen=True):
    e164: str | None
    region: str | None
    problem: str | None


NONE = Number(None, None, None)


def value(phone: str) -> Number:
    """The text is taken as international when it says so, as + or 00."""
    import phonenumbers

    plain = phone.strip()
    try:
        number = phonenumbers.parse("+" + plain[2:] if plain.startswith("00") else plain, None)
    except phonenumbers.NumberParseException:
        digits = sum(character.isdigit() for character in plain)
        return Number(None, NOWHERE, "short_code" if digits <= LONGEST_SHORT else "invalid_number")
    region = _region(number)
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return Number(None, region, "short_code" if _is_short(number) else "invalid_number")
    return Number(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), region, _problem(number))


def allowed(region: str | None, countries: Collection[str]) -> bool:
    """An empty list means every country. A region that nobody has looked up yet is no reason to tell nobody."""
    return not countries or region is None or region in {country.upper() for country in countries}


def _problem(number: "PhoneNumber") -> str | None:
    import phonenumbers
    from phonenumbers import PhoneNumberType

    kinds = {PhoneNumberType.PREMIUM_RATE: "premium", PhoneNumberType.SHARED_COST: "shared_cost"}
    if phonenumbers.is_valid_number(number):
        return kinds.get(phonenumbers.number_type(number))
    digits = str(number.national_number)
    for cut in range(1, OVERDIALLED + 1):
        shorter = phonenumbers.PhoneNumber(country_code=number.country_code, national_number=int(digits[:-cut] or 0))
        if (kind := phonenumbers.number_type(shorter)) in kinds:
            return kinds[kind]
    return DOUBTFUL


def _is_short(number: "PhoneNumber") -> bool:
    from phonenumbers import shortnumberinfo

    return shortnumberinfo.is_possible_short_number(number)


def _region(number: "PhoneNumber") -> str:
    """UA, DE ...; 001 for what belongs to no country, such as satellites."""
    import phonenumbers

    return phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(number.country_code or 0) or NOWHERE
