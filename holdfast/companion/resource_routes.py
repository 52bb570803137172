"""The list of crisis lines, for everybody: numbers must work before anybody has signed in."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast.clock import SECOND, Clock
from holdfast.companion.resources import Audience, How, Line, country_of, directory
from holdfast.companion.wording import wording
from holdfast.http import Ask, Doors, FieldProblems, Problem, anyone

doors = Doors("/api/v1/resources", tag="Resources")


class Wanted(Struct):
    """`country`: its code, as UA, or its name."""

    country: Annotated[str, Meta(max_length=60, description="text of at most 60 characters")] = ""
    language: Literal["en", "uk", "ru", "es", "de"] = "en"


class LineView(Struct):
    """`dial` is exactly what a person dials in that country; `tel` and `sms` are the same as a link. `keyword` is the first text to send."""

    name: str
    how: tuple[How, ...]
    dial: str
    tel: str | None
    sms: str | None
    keyword: str | None
    press: str | None
    hours: str | None
    languages: tuple[str, ...]
    audience: tuple[Audience, ...]
    source: str
    verified_at: date | None
    verified_by: str | None
    status: str


class Resources(Struct):
    """`emergency` holds the country's numbers, the first one first; `emergency_text` says it in words, also for a country that is not known."""

    country: str | None
    emergency: list[str]
    emergency_text: str
    directory: str
    directory_url: str
    lines: list[LineView]


@doors.get("/", who=anyone, query=Wanted, answers={200: Resources, 400: FieldProblems | Problem})
async def list_resources(ask: Ask, wanted: Wanted) -> Resources:
    """Crisis lines of a country that somebody has checked lately, and what always works. The database is not asked."""
    return resources(wanted, datetime.fromtimestamp(Clock()() // SECOND, UTC).date())


def resources(wanted: Wanted, today: date) -> Resources:
    code = country_of(None, wanted.country)
    known = directory().country.get(code or "")
    numbers = [number for number in (known.emergency, known.also) if number] if known else []
    return Resources(
        code,
        numbers,
        numbers[0] if numbers else wording(wanted.language).emergency_unknown,
        directory().directory,
        f"https://{directory().directory}",
        [_view(line) for line in directory().line if line.country == code and line.fresh(today)],
    )


def _view(line: Line) -> LineView:
    return LineView(**{name: getattr(line, name) for name in LineView.__struct_fields__})
