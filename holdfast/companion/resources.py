"""Where a person can be reached now: the emergency number and one line that somebody has checked, by country."""

import re
import tomllib
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct, convert

from holdfast.companion.normalise import fold

DATA = Path(__file__).parent.parent / "data" / "resources.toml"
FRESH = timedelta(days=180)  # companion.md section 14: an older check does not enter an answer

How = Literal["call", "text", "chat", "web"]
Audience = Literal["everyone", "veterans", "young", "families"]


class Country(Struct, frozen=True):
    """`also`: a second emergency number that leads to help as well."""

    names: str
    emergency: str | None = None
    also: str | None = None


class Line(Struct, frozen=True):
    """`dial` is exactly what a person dials or writes to in that country; of a chat it is the page. `keyword` is the first text to send."""

    country: str
    name: str
    how: tuple[How, ...]
    dial: str
    audience: tuple[Audience, ...]
    source: str
    status: Literal["verified", "not verified"]
    keyword: str | None = None
    press: str | None = None
    hours: str | None = None
    languages: tuple[str, ...] = ()
    verified_at: date | None = None
    verified_by: str | None = None

    def fresh(self, today: date) -> bool:
        """What a person may be shown."""
        if self.status != "verified" or not self.source or self.verified_at is None:
            return False
        return today - self.verified_at < FRESH

    def usable(self, today: date) -> bool:
        """What an answer may name: nobody is sent to a line that is asleep, or to one without a number."""
        return self.fresh(today) and self.hours == "24/7" and ("call" in self.how or "text" in self.how)

    @property
    def tel(self) -> str | None:
        """Never in E.164: a short code with a country's prefix reaches nobody."""
        return f"tel:{_without_spaces(self.dial)}" if "call" in self.how else None

    @property
    def sms(self) -> str | None:
        return f"sms:{_without_spaces(self.dial)}" if "text" in self.how else None


class Directory(Struct, frozen=True):
    directory: str
    country: dict[str, Country]
    line: list[Line]


@cache
def directory() -> Directory:
    return convert(tomllib.loads(DATA.read_text("utf-8")), Directory)


def country_of(*texts: str | None) -> str | None:
    """The first country named, text by text: what the person says now goes before the profile. Never guessed from language or address.

    The last text may also be a country's code: it is a setting, and not something that was said.
    """
    for text in texts:
        if text and (code := _named(text)):
            return code
    setting = texts[-1] if len(texts) > 1 else None
    code = (setting or "").strip().upper()
    return code if code in directory().country else None


def line_for(country: str | None, *, veteran: bool, today: date, young: bool = False) -> Line | None:
    """The one line that an answer names."""
    return next(iter(lines_for(country, veteran=veteran, today=today, young=young)), None)


def lines_for(country: str | None, *, veteran: bool, today: date, young: bool = False) -> list[Line]:
    """At most two: that of the person's own kind where there is one, then the general one."""
    usable = [line for line in directory().line if line.country == country and line.usable(today)]
    wanted = {"young": young, "veterans": veteran, "everyone": True}
    found = [next((line for line in usable if audience in line.audience), None) for audience, is_wanted in wanted.items() if is_wanted]
    return list(dict.fromkeys(line for line in found if line))[:2]


def emergency_for(country: str | None) -> str | None:
    known = directory().country.get(country or "")
    return known.emergency if known else None


def _without_spaces(dial: str) -> str:
    return dial.replace(" ", "")


def _named(text: str) -> str | None:
    words = " ".join(fold(word) for word in re.split(r"[^\w]+", text))
    return next((code for code, names in _names().items() if names.search(words)), None)


@cache
def _names() -> dict[str, re.Pattern[str]]:
    found = {}
    for code, country in directory().country.items():
        # Two-letter codes are words elsewhere ("us"): in a text only the longer names count.
        longer = [name.strip() for name in country.names.split(",") if len(name.strip()) > 2 or not name.isascii()]
        names = [" ".join(fold(part, "*") for part in name.split()) for name in longer]
        found[code] = re.compile(r"\b(?:" + "|".join(re.escape(name).replace(r"\*", r"\w*") for name in names) + r")\b")
    return found
