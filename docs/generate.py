"""Writes api.md, errors.md and settings.md out of the code; `tests/test_docs.py` fails when one is stale."""

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

HERE = Path(__file__).parent
MADE = "<!-- Made by `make docs`. -->\n\n"

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


PAGES = {"api.md": api, "errors.md": errors, "settings.md": settings}


def _kinds(kind: type[Refusal]) -> list[type[Refusal]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _kinds(child))]


def _shown(value: Any) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value not in ("", [], ()) else "–"


if __name__ == "__main__":
    for name, make in PAGES.items():
        (HERE / name).write_text(MADE + make(), encoding="utf-8")
