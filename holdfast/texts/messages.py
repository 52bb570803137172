"""The messages to people who are told: which text it is, what is put into it, and what gives way when an SMS is full."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from msgspec import Struct, structs

from holdfast.db import Tx
from holdfast.texts import flat, known, read
from holdfast.texts.segments import cut, measured

LINK = "{link}"  # stays in the text: the address is put in at the moment of sending
LONGEST_LINK = "https://help.example.org/a/Abcdefghij0123456789Ab"  # an origin of 24 characters; every length is measured with this
DRILL = "DRILL"
NAME = 20  # characters of a name in an SMS; alarm.md, section 13
SEGMENTS = {"gsm7": 1, "ucs2": 2}
OWN_WORDS = 2  # further segments that the user's own all-clear may take

WITH_CODEWORD = ("alarm", "repeat", "summary", "all_clear")
WITHOUT_STOP = ("staff", "invitation", "test", "check_in")  # the invitation says it itself, the others come as asked for
TABLES = ("sms", "short", "email", "below")

BRACES = str.maketrans("{}", "()")
LINK_CLAUSE = re.compile(r"[^.!?…]*\{link\}\s*")
LINK_LINE = re.compile(r"[^\n]*\{link\}[^\n]*\n*")

OVERRIDES = "select language, key, text from text_override"


class Values(Struct, kw_only=True):
    """What a message is about. `who` called; `helper` answered `answer`; `text` is the user's own all-clear."""

    who: str
    ref: str = ""
    level: int = 2
    drill: bool = False
    link: bool = True
    codeword: str | None = None
    helper: str = ""
    answer: str = ""
    count: int = 0
    text: str | None = None


class Letter(NamedTuple):
    subject: str
    text: str


class Override(Struct):
    language: str
    key: str
    text: str


class Messages:
    """The texts with the operator's own words over them."""

    def __init__(self, overrides: Mapping[tuple[str, str], str] | None = None) -> None:
        self._overrides = overrides or {}

    def letter(self, kind: str, channel: str, language: str | None, values: Values) -> Letter:
        """By e-mail in full, on every other channel in the short form."""
        language, key = known(language), key_of(kind, values)
        subject = self._filled(language, f"email.{key}.subject", values)
        if values.drill:
            subject = f"{subject} {DRILL}"
        return Letter(subject, self._email(language, key, kind, values) if channel == "email" else self._sms(language, key, kind, values))

    def _email(self, language: str, key: str, kind: str, values: Values) -> str:
        text = self._filled(language, f"email.{key}.text", values).strip()
        parts = [text, self._codeword(language, "codeword", kind, values)]
        if values.link and kind not in WITHOUT_STOP:
            parts.append(self._filled(language, "below.stop" if LINK in text else "below.stop_link", values))
        return "\n\n".join(part for part in [*parts, ending(values)] if part) + "\n"

    def _sms(self, language: str, key: str, kind: str, values: Values) -> str:
        """Essentials first: the shorter form goes before the code word is dropped. What still is too long goes out all the same."""
        cropped = Values(who=cut(values.who, NAME), helper=cut(values.helper, NAME), count=values.count, text=values.text, link=values.link)
        forms = [self._filled(language, name, cropped) for name in (f"sms.{key}", f"short.{key}") if name in templates(language)]
        codeword, tail = self._codeword(language, "codeword_sms", kind, values), ending(values)
        if codeword:
            forms = [f"{form} {codeword}" for form in forms] + forms
        whole = [f"{form} {tail}".strip() for form in forms]
        found = next((text for text in whole if fits(text, OWN_WORDS if key == "all_clear.own" else 0)), None)
        if found is None and key == "all_clear.own":
            return self._sms(language, "all_clear.standard", kind, values)
        return found or min(whole, key=len)

    def _codeword(self, language: str, label: str, kind: str, values: Values) -> str:
        """In real alarms alone: a drill must not wear it out."""
        if not values.codeword or values.drill or kind not in WITH_CODEWORD:
            return ""
        return templates(language)[f"below.{label}"].format(codeword=values.codeword.translate(BRACES))

    def _filled(self, language: str, key: str, values: Values) -> str:
        """An operator's text that this version cannot fill never stops a message: ours goes out."""
        own = templates(language)[key]
        try:
            return _fill(self._overrides.get((language, key), own), values, key)
        except (KeyError, ValueError, IndexError, AttributeError):
            return _fill(own, values, key)


async def overrides(tx: Tx) -> dict[tuple[str, str], str]:
    return {(row.language, row.key): row.text for row in await tx.all(OVERRIDES, Override)}


@cache
def templates(language: str) -> Mapping[str, str]:
    """By dotted key: `sms.alarm.level_2`, `email.closing.subject`."""
    words = read(language, "alarm")
    return flat({table: words.get(table, {}) for table in TABLES})


def key_of(kind: str, values: Values) -> str:
    """Which text it is, without its form."""
    if kind == "status":
        return f"{'drill.' if values.drill else ''}status.{values.answer or 'reopened'}"
    if values.drill:
        return f"drill.{kind}" if kind in ("all_clear", "closing") else "drill.alarm"
    if kind in ("alarm", "repeat"):
        return f"{kind}.level_{1 if values.level < 2 else 2}"
    if kind == "all_clear":
        return "all_clear.own" if values.text else "all_clear.standard"
    return kind


def cases() -> Iterator[tuple[str, Values]]:
    """One message for each text, as much as there can be in it."""
    most = Values(who="", ref="9999-99", helper="?", count=999)
    for level in (1, 2):
        yield from ((kind, structs.replace(most, level=level)) for kind in ("alarm", "repeat"))
    for kind in ("staff", "reminder", "summary", "all_clear", "closing"):
        yield kind, most
    yield "all_clear", structs.replace(most, text="?")
    yield from ((kind, structs.replace(most, ref="")) for kind in ("invitation", "test", "check_in"))
    yield from ((kind, structs.replace(most, drill=True)) for kind in ("alarm", "all_clear", "closing"))
    for drill in (False, True):
        yield from (("status", structs.replace(most, drill=drill, answer=answer)) for answer in ("calling", "coming", "cannot", "reopened"))


def fits(text: str, more: int = 0) -> bool:
    """Whether it keeps to one segment in GSM-7 and two in UCS-2, with `more` on top."""
    found = measured(text.replace(LINK, LONGEST_LINK))
    return found.segments <= SEGMENTS[found.encoding] + more


def ending(values: Values) -> str:
    """What a second copy and a repeat are told apart by."""
    return " ".join(part for part in (f"Ref {values.ref}" if values.ref else "", DRILL if values.drill else "") if part)


def _fill(template: str, values: Values, key: str) -> str:
    if not values.link:
        template = (LINK_LINE if key.startswith("email") else LINK_CLAUSE).sub("", template)
    who, helper, text = (value.translate(BRACES) for value in (values.who, values.helper, values.text or ""))
    return template.format(who=who, helper=helper, text=text, count=values.count, link=LINK).strip()
