"""What a telephone number is worth (security.md N2): one table."""

import pytest

from holdfast.contacts.numbers import allowed, value

TABLE = {  # text: E.164, region, problem
    "+380501234567": ("+380501234567", "UA", None),
    "00380 50 123-45-67": ("+380501234567", "UA", None),
    "+49 170 1234567": ("+491701234567", "DE", None),
    "+44 20 7946 0000": ("+442079460000", "GB", None),
    "+1 555 123 4567": ("+15551234567", "US", "doubtful_number"),
    "+38050123456789": ("+38050123456789", "UA", "invalid_number"),
    "+49 900 1 234567": ("+499001234567", "DE", "premium"),
    "+49 900 12 345 678": ("+4990012345678", "DE", "premium"),  # digits too many do not hide it
    "+1 900 234 5678": ("+19002345678", "US", "premium"),
    "+44 906 123 4567": ("+449061234567", "GB", "premium"),
    "+33 899 12 34 56": ("+33899123456", "FR", "premium"),
    "+49 180 5 12345": ("+49180512345", "DE", "shared_cost"),
    "+33 810 12 34 56": ("+33810123456", "FR", "shared_cost"),
    "112": (None, "ZZ", "short_code"),
    "116 123": (None, "ZZ", "short_code"),
    "+49 110": (None, "DE", "short_code"),
    "+380 112": (None, "UA", "short_code"),
    "０５０": (None, "ZZ", "short_code"),
    "050 123 45 67": (None, "ZZ", "invalid_number"),
    "+380 50 123 45 6": (None, "UA", "invalid_number"),
    "tel. 12-34-56-78": (None, "ZZ", "invalid_number"),
    "+1 253 0000": (None, "US", "invalid_number"),
    "+999 123 456 789": (None, "ZZ", "invalid_number"),
}


@pytest.mark.parametrize(("phone", "worth"), TABLE.items(), ids=list(TABLE))
def test_number_table(phone, worth):
    number = value(phone)
    e164, region, problem = worth
    expected = (None if problem == "invalid_number" else e164, region, problem)
    assert (number.e164, number.region, number.problem) == expected


def test_an_empty_list_of_countries_is_every_country():
    assert allowed("UA", ()) and allowed("UA", ("de", "ua")) and allowed(None, ("DE",))
    assert not allowed("UA", ("DE",)) and not allowed("ZZ", ("DE",)) and not allowed("001", ("DE",))
