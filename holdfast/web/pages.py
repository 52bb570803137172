"""Pages for people without an account: plain HTML in their language, without a script and without anything from elsewhere."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from holdfast.http import Ask
from holdfast.texts import LANGUAGES, known, page

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent / "templates"
STYLE = (FOLDER / "page.css").read_text(encoding="utf-8")
DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}


class Words:
    """One of the two tables of the pages, spoken about one person."""

    def __init__(self, place: str, language: str, who: str) -> None:
        self._words: Mapping[str, Any] = page(language)[place]
        self._who = who

    def say(self, key: str, **names: str) -> str:
        return str(self._words[key]).format(who=self._who, **names)

    def many(self, key: str) -> list[str]:
        return [line.format(who=self._who) for line in self._words[key]]


def written(ask: Ask, template: str, *, language: str | None = None, who: str = "", status: int = 200, **values: object) -> HTMLResponse:
    """`template` belongs to the door whose path begins with the same letter's table. Without a `language` the browser's counts."""
    spoken = known(language or preferred(ask.header(b"accept-language")))
    place = ask.scope["path"][1]
    words = Words(place, spoken, who)
    text = _templates().get_template(template).render(language=spoken, style=STYLE, say=words.say, many=words.many, **values)
    return HTMLResponse(text, status, HEADERS)


def preferred(accepted: str | None) -> str | None:
    """The best of our languages that the browser's header asks for, as `uk-UA,uk;q=0.9,en;q=0.8` does."""
    best, language = 0.0, None
    for part in (accepted or "")[:1000].split(","):
        name, _, weight = part.partition(";")
        tag, worth = name.strip().partition("-")[0].lower(), _weight(weight)
        if tag in LANGUAGES and worth > best:
            best, language = worth, tag
    return language


def _weight(weight: str) -> float:
    key, _, value = weight.strip().partition("=")
    if key.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


@functools.cache
def _templates() -> jinja2.Environment:
    """Made when the first page is asked for: starting costs nothing for it."""
    import jinja2

    loader = jinja2.FileSystemLoader(FOLDER)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
