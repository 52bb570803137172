"""The output check: whether a text that a model wrote may reach a person."""

import re

from holdfast.companion import scope
from holdfast.companion.detector import read
from holdfast.companion.normalise import language_of, tokens_of
from holdfast.companion.words import vocabulary

LONGEST = 120  # words at level `none`; companion.md section 4
SENTENCE = 15  # words on average
QUESTIONS = 2
NUMBER = re.compile(r"\d(?:[\d\s\-()./]*\d)?")
LINK = re.compile(r"https?:|www\.|\b[a-z0-9-]+\.(?:com|org|net|info|de|es|ru|ua|io|gov|eu|uk|me|app)\b|@\w", re.IGNORECASE)
MARKUP = re.compile(r"</?[a-z!][^>]*>|\]\(|^#{1,6} |```|\|\s*-{2,}", re.IGNORECASE | re.MULTILINE)
YEAR = re.compile(r"(?:19|20)\d\d")
TIME = re.compile(r"[0-2]?\d[:.][0-5]\d")
EXERCISE_NUMBERS = {"54321"}


def reasons_against(text: str | None, language: str, marker: str = "") -> list[str]:
    """Empty when the text may be sent. Names of rules only, never words of the text."""
    if not text or not text.strip():
        return ["empty"]
    found = [name for name, broken in _rules(text, marker).items() if broken]
    tokens = tokens_of(text)
    hits = scope.without_idioms(vocabulary("never").find(tokens, [language] * (tokens[-1].sentence + 1 if tokens else 0)))
    if any(hit.kind == "never_say" for hit in hits):
        found.append("never-list")
    if language_of(tokens, language) != language:
        found.append("language")
    # The crisis check reads every text out as well as every text in.
    if read(text, language).level in ("elevated", "imminent"):
        found.append("level")
    return found


def _rules(text: str, marker: str) -> dict[str, bool]:
    words = text.split()
    sentences = max(1, len(re.findall(r"[.!?…]+(?=\s|$)", text)))
    return {
        "number": any(_unknown(number[0]) for number in NUMBER.finditer(text)),
        "link": bool(LINK.search(text)),
        "markup": bool(MARKUP.search(text)),
        "length": len(words) > LONGEST,
        "sentences": len(words) > SENTENCE * sentences,
        "questions": text.count("?") > QUESTIONS,
        "marker": bool(marker) and marker in text,
    }


def _unknown(number: str) -> bool:
    """A number of three digits or more that is no year, no time and no exercise: a telephone number that nobody checked."""
    digits = re.sub(r"\D", "", number)
    plain = number.strip()
    if len(digits) < 3 or digits in EXERCISE_NUMBERS:
        return False
    return not (YEAR.fullmatch(plain) or TIME.fullmatch(plain) or (re.fullmatch(r"(?:\d{1,2}[\s\-/.,]+)+\d{1,2}", plain) and len(digits) < 6))
