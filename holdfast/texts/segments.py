"""How long a text is as an SMS: GSM 03.38 where every character has a place in it, UCS-2 otherwise."""

from typing import Literal, NamedTuple

Encoding = Literal["gsm7", "ucs2"]

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")  # an escape before each: two units
KNOWN = BASIC | EXTENDED
ONE = {"gsm7": 160, "ucs2": 70}  # units of a text that goes alone
JOINED = {"gsm7": 153, "ucs2": 67}  # units of each part of several, beside the header that joins them


class Measured(NamedTuple):
    encoding: Encoding
    units: int
    segments: int


def measured(text: str) -> Measured:
    """A character of two units is never torn apart between two parts."""
    characters = set(text)
    encoding: Encoding = "gsm7" if characters <= KNOWN else "ucs2"
    double = [character for character in characters if _size(character, encoding) == 2]
    units = len(text) + sum(map(text.count, double))
    if units <= ONE[encoding]:
        return Measured(encoding, units, 1)
    return Measured(encoding, units, _parts([_size(character, encoding) for character in text], JOINED[encoding]))


def cut(text: str, units: int) -> str:
    """At most so many units in either encoding, torn neither within a character nor before what joins two."""
    kept = ""
    for character in text:
        units -= max(_size(character, "gsm7"), _size(character, "ucs2"))
        if units < 0:
            break
        kept += character
    return kept.rstrip(" \u200d")


def _size(character: str, encoding: Encoding) -> int:
    """Two for GSM's extensions, and for what UTF-16 writes as a pair."""
    return 2 if (character in EXTENDED if encoding == "gsm7" else ord(character) > 0xFFFF) else 1


def _parts(sizes: list[int], room: int) -> int:
    parts, filled = 1, 0
    for each in sizes:
        if filled + each > room:
            parts, filled = parts + 1, 0
        filled += each
    return parts
