"""What people read, by language and dotted key: `line.told` is the key `told` in the table [line]."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

LANGUAGES = ("en", "uk", "ru", "es", "de")


def known(language: str | None) -> str:
    """English where there are no texts in the language; `uk-UA` is `uk`."""
    language = (language or "").partition("-")[0].lower()
    return language if language in LANGUAGES else LANGUAGES[0]


def sentence(key: str, language: str | None = "en", **values: object) -> str:
    """What is said to the person who pressed: `answer.*`, in English alone as the contract's answer is, `line.*`, `channel.*`. Raises KeyError."""
    return (sentences(known(language)).get(key) or sentences(LANGUAGES[0])[key]).format(**values)


def listed(names: Sequence[str], language: str | None = "en") -> str:
    """Olga, Petro and Ivan."""
    if len(names) < 2:
        return "".join(names)
    return sentence("line.and", language, first=", ".join(names[:-1]), last=names[-1])


def channels(kinds: Sequence[str], language: str | None = "en") -> str:
    """`e-mail and SMS`; a channel that has no name in the texts goes by its own."""
    names = sentences(known(language))
    return listed([names.get(f"channel.{kind}", kind) for kind in kinds], language)


def page(language: str | None) -> Mapping[str, Any]:
    """The tables [a] and [c] of the pages behind links."""
    return read(known(language), "pages")


@cache
def sentences(language: str) -> Mapping[str, str]:
    return flat(read(language, "sentences"))


@cache
def read(language: str, name: str) -> Mapping[str, Any]:
    return tomllib.loads((FOLDER / language / f"{name}.toml").read_text("utf-8"))


def flat(table: Mapping[str, Any], above: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {above + key: value}
    return found
