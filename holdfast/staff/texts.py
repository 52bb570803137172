"""The operator's own words: every text of every language, how long it is, and what stands in its place."""

from typing import Any

from msgspec import Struct

from holdfast import audit
from holdfast.db import Tx
from holdfast.errors import InvalidFields
from holdfast.fields import CHARACTERS, UNWANTED, Draft, normal, text
from holdfast.http import Ask, Doors, FieldProblems, Problem, staff
from holdfast.texts import LANGUAGES
from holdfast.texts.messages import overrides
from holdfast.texts.samples import OURS, Sample, problem, sample

UNKNOWN_LANGUAGE = f"Must be one of {', '.join(LANGUAGES)}."
UNKNOWN_KEY = "There is no such text."
NOT_TEXT = "Must be text, or null for the text that comes with the service."

SET = """
    insert into text_override (language, key, text, changed_at, changed_by) values (:language, :key, :text, holdfast_now(), :actor_id)
    on conflict (language, key) do update set text = excluded.text, changed_at = excluded.changed_at, changed_by = excluded.changed_by"""

CLEAR = "delete from text_override where language = :language and key = :key"


class TextsQuery(Struct, forbid_unknown_fields=True):
    language: text(10) = ""  # type: ignore[valid-type]


class NewText(Struct, forbid_unknown_fields=True):
    """`text` may have several lines; null goes back to the text that comes with the service."""

    language: text(10)  # type: ignore[valid-type]
    key: text(100)  # type: ignore[valid-type]
    text: Any


class TextView(Struct):
    """`sample` is `text` with the longest values; the figures in it are an SMS's, and null for an e-mail."""

    language: str
    key: str
    text: str
    original: str
    changed: bool
    sample: Sample


doors = Doors("/api/v1/staff/texts", tag="Staff")


@doors.get("/", who=staff, query=TextsQuery, answers={200: list[TextView], 400: FieldProblems | Problem, 403: Problem})
async def list_texts(ask: Ask, query: TextsQuery) -> list[TextView]:
    """Every text of a message, of one language or of all, with its preview."""
    async with ask.db.read() as tx:
        own = await overrides(tx)
    chosen = [language for language in LANGUAGES if query.language in ("", language)]
    return [_view(language, key, own.get((language, key))) for language in chosen for key in OURS[language]]


@doors.put("/", who=staff, draft=NewText, answers={200: TextView, 400: FieldProblems | Problem, 403: Problem})
async def set_text(ask: Ask, draft: Draft[NewText]) -> TextView:
    """Put the operator's own words in place of a text, or go back with null. Messages that are written from now on have it."""
    new = _checked(draft)
    async with ask.db.write() as tx:
        await _set(tx, ask.actor.id, new)
    return _view(new.language, new.key, new.text)


@doors.post("/preview/", who=staff, draft=NewText, answers={200: TextView, 400: FieldProblems | Problem, 403: Problem})
async def preview_text(ask: Ask, draft: Draft[NewText]) -> TextView:
    """What a text would look like and how long it would be; nothing is kept."""
    new = _checked(draft)
    return _view(new.language, new.key, new.text)


async def _set(tx: Tx, actor_id: int, new: NewText) -> None:
    if new.text is None:
        await tx.run(CLEAR, language=new.language, key=new.key)
    else:
        await tx.run(SET, language=new.language, key=new.key, text=new.text, actor_id=actor_id)
    await audit.record(tx, actor_id=actor_id, user_id=None, action=f"text_changed {new.language} {new.key}")


def _checked(draft: Draft[NewText]) -> NewText:
    """Raises InvalidFields."""
    new = draft.finished()
    if new.language not in LANGUAGES:
        raise InvalidFields({"language": [UNKNOWN_LANGUAGE]})
    if new.key not in OURS[new.language]:
        raise InvalidFields({"key": [UNKNOWN_KEY]})
    if new.text is not None:
        new.text, reason = _plain(new)
        if reason := reason or problem(new.language, new.key, new.text):
            raise InvalidFields({"text": [reason]})
    return new


def _plain(new: NewText) -> tuple[str, str | None]:
    if not isinstance(new.text, str) or not new.text.strip():
        return "", NOT_TEXT
    lines = "\n" if new.key.startswith("email.") and not new.key.endswith(".subject") else ""
    plain = normal(new.text.replace("\r\n", "\n")).strip()
    unwanted = any(found[0] not in lines for found in UNWANTED.finditer(plain))
    return plain, CHARACTERS if unwanted else None


def _view(language: str, key: str, own: str | None) -> TextView:
    ours = OURS[language][key].strip()
    return TextView(language, key, own or ours, ours, own is not None, sample(language, key, own))
