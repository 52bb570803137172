"""A token: `hf_<kind>_`, 30 random base62 characters (178 bits), 6 of a CRC32, as GitHub does; only its SHA-256 is stored."""

import hashlib
import re
import secrets
import string
import zlib
from typing import Literal

Kind = Literal["u", "o", "w", "a"]  # user, operator, one-time WebSocket ticket, alarm-only

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
RANDOM, CHECK = 30, 6

_header = re.compile(r"(?i:token) +(hf_[uowa]_[0-9A-Za-z]{36})").fullmatch


def new(kind: Kind) -> str:
    secret = f"hf_{kind}_" + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return secret + _check(secret)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def presented(authorization: str | None) -> str | None:
    """The token of an Authorization header; None when it is missing, malformed or mistyped, which costs no query."""
    found = _header(authorization) if authorization and len(authorization) < 100 else None
    if not found or _check(found[1][:-CHECK]) != found[1][-CHECK:]:
        return None
    return found[1]


def _check(secret: str) -> str:
    rest, low = divmod(zlib.crc32(secret.encode()), len(PAIRS))
    high, middle = divmod(rest, len(PAIRS))
    return PAIRS[high] + PAIRS[middle] + PAIRS[low]
