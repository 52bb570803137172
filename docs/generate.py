"""Writes api.md, errors.md, settings.md and texts.md out of the code; `tests/test_docs.py` fails when one is stale."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import msgspec

import holdfast
from holdfast.app import DOORS
from holdfast.errors import InvalidFields, Refusal
from holdfast.openapi import answers
from holdfast.settings import PREFIX, Settings
from holdfast.texts import samples

HERE = Path(__file__).parent
MADE = "<!-- Made by `make docs`. -->\n\n"

TEXTS = """Each with the longest values: names of 20 characters (longer ones are cut, in SMS alone), a link of 49, a reference of 11.
After the encoding: units (at most 160 in `gsm7`, 134 in `ucs2`), then segments (at most 1 and 2; 2 more for an all-clear in the person's own words).
A name in other letters makes the whole text `ucs2`: where it would be too long then, a shorter form goes out.
An agreed code word is added when there is room.
Operators put their own words over any of these with `PUT /api/v1/staff/texts/`, within the same limits."""

WHO = {
    "anyone": "everybody",
    "signed_in": "a live token",
    "own_or_staff": "the person, or staff (on record)",
    "staff": "staff",
    "staff_or_missing": "staff; for others it does not exist",
}


def api() -> str:
    """One row a door, in the order of the paths."""
    rows = ["# Every door\n", "| Method, path | Who | Body | Answers | What it does |", "|---|---|---|---|---|"]
    doors = sorted((door for part in DOORS for door in part.table if door.method != "HEAD"), key=lambda door: (door.path, door.method))
    for door in doors:
        statuses = ", ".join(map(str, answers(door))) if door.method != "SOCKET" else "101, 401, 403, 404"
        body = f"`{door.body.__name__}`" if door.body else "–"
        summary = (door.handler.__doc__ or "").strip().partition("\n")[0]
        rows.append(f"| {door.method} `{door.path}` | {WHO[door.who.name]} | {body} | {statuses} | {summary} |")
    return "\n".join([*rows, "", "The shapes are in `/openapi.json` and, as a page, in `/docs/`.", ""])


def errors() -> str:
    """Every sentence that a refusal carries, with its status."""
    for module in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if not module.name.endswith(("__main__", "synthesiser")):
            importlib.import_module(module.name)
    sentences = [kind for kind in _kinds(Refusal) if kind.__doc__ and kind is not Refusal and not issubclass(kind, InvalidFields)]
    rows = sorted({(kind.status, str(kind.__doc__).partition("\n")[0]) for kind in sentences})
    return "\n".join(["# Every refusal\n", "| Status | Sentence |", "|---|---|", *(f"| {status} | {sentence} |" for status, sentence in rows), ""])


def settings() -> str:
    """One row a setting, from the descriptions in `settings.py`."""
    fields = msgspec.structs.fields(Settings)
    rows = [f"| `{PREFIX}{field.name.upper()}` | {_shown(field.default)} | {field.type.__metadata__[0].description} |" for field in fields]
    return "\n".join(
        ["# Settings\n", "From the environment or from `.env`; the environment wins.\n", "| Name | Default | Decides |", "|---|---|---|", *rows, ""]
    )


def texts() -> str:
    """One row a message, in each language, as long as it can become."""
    rows = ["# Every message\n", TEXTS]
    for language, ours in samples.OURS.items():
        rows += [f"\n## {language}\n", "| Message | As an SMS | Latin name | Cyrillic name | E-mail: subject, text |", "|---|---|---|---|---|"]
        rows += [_message(language, key.removeprefix("sms.")) for key in ours if key.startswith("sms.")]
    return "\n".join([*rows, ""])


PAGES = {"api.md": api, "errors.md": errors, "settings.md": settings, "texts.md": texts}


def _kinds(kind: type[Refusal]) -> list[type[Refusal]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _kinds(child))]


def _message(language: str, key: str) -> str:
    sms = [samples.sample(language, f"sms.{key}", name=name) for name in (samples.LATIN, samples.CYRILLIC)]
    figures = [f"{one.encoding} {one.units}, {one.segments}" for one in sms]
    subject, text = (len(samples.sample(language, f"email.{key}.{part}").text) for part in ("subject", "text"))
    shown = sms[language in samples.NATIVE].text.replace("\n", " ")
    return f"| `{key}` | {shown} | {figures[0]} | {figures[1]} | {subject}, {text} |"


def _shown(value: Any) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value not in ("", [], ()) else "–"


if __name__ == "__main__":
    for name, make in PAGES.items():
        (HERE / name).write_text(MADE + make(), encoding="utf-8")
