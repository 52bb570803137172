"""Every text as long as it can become, and what an operator's own words over it must keep."""

from string import Formatter

from msgspec import Struct, structs

from holdfast.texts import LANGUAGES
from holdfast.texts.messages import DRILL, LINK, LONGEST_LINK, NAME, OWN_WORDS, Messages, cases, ending, fits, key_of, templates
from holdfast.texts.segments import Encoding, measured

LATIN, CYRILLIC = "M" * NAME, "Щ" * NAME
NATIVE = {"uk": CYRILLIC, "ru": CYRILLIC}
OWN = "I am at home and all right. Thank you for calling so fast."  # an all-clear in the user's own words
SUBJECT, EMAIL = 78, 4000  # characters

CASES = {key_of(kind, values): (kind, values) for kind, values in cases()}
OURS = {language: {key: text for key, text in templates(language).items() if key.startswith(("sms.", "email."))} for language in LANGUAGES}


class Sample(Struct):
    """`text` is with the longest values; the figures are an SMS's, null for an e-mail."""

    text: str
    encoding: Encoding | None = None
    units: int | None = None
    segments: int | None = None


def sample(language: str, key: str, text: str | None = None, name: str | None = None) -> Sample:
    """`key` as `sms.alarm.level_2` or `email.closing.subject`; `text` stands instead of what is there. Raises KeyError."""
    form, _, inner = key.partition(".")
    leaf = inner.rpartition(".")[2] if form == "email" else "text"
    kind, values = CASES[inner.removesuffix(f".{leaf}") if form == "email" else inner]
    name = name or NATIVE.get(language, LATIN)
    filled = structs.replace(values, who=name, helper=name, text=values.text and OWN)
    messages = Messages({(language, key): text} if text is not None else None)
    letter = messages.letter(kind, form, language, filled)
    whole = (letter.subject if leaf == "subject" else letter.text).replace(LINK, LONGEST_LINK)
    return Sample(whole, *measured(whole)) if form == "sms" else Sample(whole)


def problem(language: str, key: str, text: str) -> str | None:
    """Why an operator's text cannot stand for ours, in a sentence."""
    ours = OURS[language][key]
    try:
        held = [(name, form, conversion) for _, name, form, conversion in Formatter().parse(text) if name is not None]
    except ValueError:
        return "Its braces do not match."
    for name, form, conversion in held:
        if form or conversion or f"{{{name}}}" not in ours + "{who}":
            return f"It holds {{{name}}}, for which there is nothing here."
    needed = [must for must in (LINK, "{text}", "STOP") if must in ours and must not in text]
    if needed:
        return f"It must hold {needed[0]}."
    if ".drill." in key and not text.startswith(DRILL):
        return f"It must begin with {DRILL}."
    return _too_long(language, key, text)


def _too_long(language: str, key: str, text: str) -> str | None:
    if key.startswith("email."):
        most = SUBJECT if key.endswith(".subject") else EMAIL
        return f"It must have at most {most:,} characters." if len(text) > most else None
    has_shorter = key.replace("sms.", "short.", 1) in templates(language)
    for name in (LATIN,) if has_shorter else (LATIN, CYRILLIC):
        whole = _alone(key, text, name)
        if not fits(whole, OWN_WORDS if key.endswith(".own") else 0):
            found = measured(whole.replace(LINK, LONGEST_LINK))
            room = "160 characters of GSM-7 fit" if found.encoding == "gsm7" else "134 of UCS-2 fit"
            return f"It is too long: with the longest values it has {found.units} characters, and {room}."
    return None


def _alone(key: str, text: str, name: str) -> str:
    """As a message would have it that has no shorter form to fall back on."""
    _, values = CASES[key.removeprefix("sms.")]
    words = text.format(who=name, helper=name, count=values.count, text=OWN, link=LINK)
    return f"{words} {ending(values)}".strip()
