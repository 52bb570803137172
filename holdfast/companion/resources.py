"""Where a person can be reached now: the emergency number and one line that somebody has checked, by country."""

import re
import tomllib
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from msgspec import Struct, convert

from holdfast.companion.normalise import fold

DATA = Path(__file__).parent.parent / "data" / "resources.toml"
FRESH = timedelta(days=180)  # companion.md section 14: an older check does not enter an answer


class Country(Struct, frozen=True):
    names: str
    emergency: str | None = None


class Line(Struct, frozen=True):
    """`dial` is exactly what a person dials in that country."""

    country: str
    name: str
    how: list[str]
    dial: str
    audience: str
    source: str
    status: str
    press: str | None = None
    hours: str | None = None
    verified_at: date | None = None

    def usable(self, today: date) -> bool:
        return self.status == "verified" and self.hours == "24/7" and self.verified_at is not None and today - self.verified_at < FRESH


class Directory(Struct, frozen=True):
    directory: str
    country: dict[str, Country]
    line: list[Line]


@cache
def directory() -> Directory:
    return convert(tomllib.loads(DATA.read_text("utf-8")), Directory)


def country_of(*texts: str | None) -> str | None:
    """The first country named, text by text: what the person says now goes before the profile. Never guessed from language or address."""
    for text in texts:
        for code, names in _names().items():
            if text and names.search(" ".join(fold(word) for word in re.split(r"[^\w]+", text))):
                return code
    return next((text.strip().upper() for text in texts[1:] if text and text.strip().upper() in directory().country), None)


def line_for(country: str | None, *, veteran: bool, today: date) -> Line | None:
    """Veterans get their own line first where there is one."""
    lines = [line for line in directory().line if line.country == country and line.usable(today)]
    wanted = ("veterans", "everyone") if veteran else ("everyone",)
    return next((line for audience in wanted for line in lines if line.audience == audience), None)


def emergency_for(country: str | None) -> str | None:
    known = directory().country.get(country or "")
    return known.emergency if known else None


@cache
def _names() -> dict[str, re.Pattern[str]]:
    found = {}
    for code, country in directory().country.items():
        # Two-letter codes are words elsewhere ("us"): in a text only the longer names count.
        longer = [name.strip() for name in country.names.split(",") if len(name.strip()) > 2 or not name.isascii()]
        names = [" ".join(fold(part, "*") for part in name.split()) for name in longer]
        found[code] = re.compile(r"\b(?:" + "|".join(re.escape(name).replace(r"\*", r"\w*") for name in names) + r")\b")
    return found
