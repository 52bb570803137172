"""How long a text is as an SMS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.texts.segments import cut, measured


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "gsm7", 0, 1),
        ("a" * 160, "gsm7", 160, 1),
        ("a" * 161, "gsm7", 161, 2),
        ("a" * 306, "gsm7", 306, 2),
        ("a" * 307, "gsm7", 307, 3),
        ("@£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà\n\r _", "gsm7", 45, 1),
        ("€" * 80, "gsm7", 160, 1),
        ("^{}\\[~]|€", "gsm7", 18, 1),
        ("a" * 159 + "€", "gsm7", 161, 2),
        ("a" * 152 + "€" + "a" * 152, "gsm7", 306, 3),  # the pair stays whole: 152, 153, 1
        ("щ" * 70, "ucs2", 70, 1),
        ("щ" * 71, "ucs2", 71, 2),
        ("щ" * 134, "ucs2", 134, 2),
        ("щ" * 135, "ucs2", 135, 3),
        ("á", "ucs2", 1, 1),  # GSM-7 has à, not á
        ("ç", "ucs2", 1, 1),  # and Ç, not ç
        ("`", "ucs2", 1, 1),
        ("[щ]", "ucs2", 3, 1),  # what GSM-7 extends is plain here
        ("😀" * 35, "ucs2", 70, 1),
        ("😀" * 36, "ucs2", 72, 2),
        ("щ" * 66 + "😀" + "щ" * 66, "ucs2", 134, 3),  # never half a face
    ],
)
def test_known_lengths(text, encoding, units, segments):
    assert measured(text) == (encoding, units, segments)


@given(st.text(max_size=60), st.integers(0, 30))
def test_what_is_cut_fits_in_either_encoding_and_is_a_beginning(text, units):
    kept = cut(text, units)
    assert text.startswith(kept)
    assert measured(kept).units <= units
    assert len(kept.encode("utf-16-le", "surrogatepass")) // 2 <= units


def test_a_name_is_cut_between_characters():
    assert cut("Anna", 20) == "Anna"
    assert cut("Wolfeschlegelsteinhausen", 20) == "Wolfeschlegelsteinha"
    assert cut("Anna-Maria Ann Bertha x", 19) == "Anna-Maria Ann Bert"
    assert cut("a" * 19 + "😀", 20) == "a" * 19
    assert cut("a" * 19 + " b", 20) == "a" * 19
