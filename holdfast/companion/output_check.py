"""The output check: whether a text may reach a person (companion.md, section 11, in its order)."""

import re
from collections.abc import Iterable, Iterator

from holdfast.companion import never_list, numbers
from holdfast.companion.detector import analysed, level_by_rules
from holdfast.companion.normalise import LATIN, Token, fold, language_of, spelling, tokens_of
from holdfast.companion.placeholders import PLACEHOLDER
from holdfast.companion.prompt import MARKER, Purpose

LONGEST = {"none": 120, "watch": 110, "elevated": 130, "imminent": 90}  # words; companion.md section 4
REFLECTION = 45  # words, in two sentences
SENTENCE = 15  # words on average
QUESTIONS = {"none": 2, "watch": 2, "elevated": 3, "imminent": 2}
LAST = 3  # answers whose opening must differ
OPENING = 5  # words that make an opening
FOREIGN = 7  # words from which on a sentence has a language of its own
FAMILIAR = 0.12  # share of words that any longer text in a language shares with its commonest words
MARKUP = re.compile(r"</?[a-z!][^>]*>|\]\(|^#{1,6} |```|\|\s*-{2,}|\*\*|^\s*[*•-] ", re.IGNORECASE | re.MULTILINE)
SENTENCES = re.compile(r"[.!?…:]+[\"'”»“)]*(?=\s|$)|\n+")
QUOTED = re.compile(r"[\"“„«][^\"“”„«»]{1,200}[\"”“»]")
STRANGE = re.compile(r"[\u0590-\u1cff\u2e80-\ud7ff\uf900-\ufaff]")  # scripts of none of the five languages
ACCENTS = {"en": "éèïêç", "es": "áéíóúñüï", "de": "äöüßéè", "ru": "", "uk": ""}
OWN_LETTERS = {"ru": set("ыэъё"), "uk": set("іїєґ")}
ACCENTED = re.compile(r"[ß-öø-ž]")


def reasons_against(
    text: str | None,
    language: str,
    marker: str = MARKER,
    *,
    level: str = "none",
    openings: Iterable[str] = (),
    purpose: Purpose = "answer",
    whole: bool = True,
    ours: bool = False,
) -> list[str]:
    """Empty when the text may be sent; names of rules, in the order of the check, never words of the text.

    `openings`: what `opening_of` said of the last answers. `whole`: False while a text is still coming.
    `ours`: a text of the service, which may hold the numbers of the resource file.
    """
    if not text or not text.strip():
        return ["empty"]
    tokens = tokens_of(text)
    never = [rule for rule in never_list.forbidden(text, language, calm=level == "none") if not (ours and rule in never_list.OF_A_MODEL)]
    found = [rule for rule in never if not rule.startswith("claim")]
    found += numbers.unchecked(text, tokens, ours=ours)
    found += _missing(text, level, purpose) if whole else []
    found += _foreign(text, tokens, language)
    found += [rule for rule in never if rule.startswith("claim")]
    found += [name for name, broken in _form(text, marker, level, purpose, whole) if broken]
    if opening_of(text) in list(openings)[-LAST:]:
        found.append("opening")
    # The crisis check reads every text out as well as every text in. Only ours speak of suicide, and ask.
    if not ours and _is_a_sign(text, language):
        found.append("level")
    return found


def opening_of(text: str) -> str:
    """The first words, as two answers are compared by them."""
    return " ".join([fold(word) for word in text.split()[:OPENING]])


def _is_a_sign(text: str, language: str) -> bool:
    """By its rules alone: its weights know how people in distress write, not how they are answered."""
    return level_by_rules(analysed(text)) in ("elevated", "imminent")


def _missing(text: str, level: str, purpose: Purpose) -> list[str]:
    """What section 4 asks for: below, the frame around a model's sentences holds it."""
    if level == "none" or purpose == "reflection":
        return []
    contact = any(one in text for one in numbers.checked())
    found = [] if contact or (level == "watch" and "?" in text) else ["contact"]
    if level == "imminent" and not any(one in text.splitlines()[0] for one in numbers.checked()):
        found.append("first-line")
    return found


def _foreign(text: str, tokens: list[Token], language: str) -> list[str]:
    """Another language than the person's, in the whole text or in one longer sentence of it."""
    sentences: dict[int, list[Token]] = {}
    for token in tokens:
        sentences.setdefault(token.sentence, []).append(token)
    parts = [tokens, *(part for part in sentences.values() if len(part) >= FOREIGN)]
    other = _other_cyrillic(text, tokens, language) if language in OWN_LETTERS else any(language_of(part, language) != language for part in parts)
    return ["language"] if other or STRANGE.search(text) or _unfamiliar(text, tokens, language) else []


def _other_cyrillic(text: str, tokens: list[Token], language: str) -> bool:
    """Russian and Ukrainian share many words and differ in letters."""
    letters = set(text.casefold())
    other = next(name for name in OWN_LETTERS if name != language)
    return bool(letters & OWN_LETTERS[other]) or (not letters & OWN_LETTERS[language] and language_of(tokens, language) == other)


def _unfamiliar(text: str, tokens: list[Token], language: str) -> bool:
    """The commonest words of the language are missing, or the text stands in the other script."""
    words = [token.forms[0] for token in tokens if not token.forms[0].isdigit()]
    if not words:
        return False
    latin = sum(bool(LATIN.search(word)) for word in words)
    if (latin * 2 < len(words)) != (language in ("ru", "uk")):
        return True
    if len(ACCENTED.findall(text.casefold())) - sum(text.casefold().count(letter) for letter in ACCENTS[language]) > 1:
        return True
    common = sum(word in spelling().function_words[language] for word in words)
    return language not in ("ru", "uk") and len(words) >= 2 * FOREIGN and common < FAMILIAR * len(words)


def _form(text: str, marker: str, level: str, purpose: Purpose, whole: bool) -> Iterator[tuple[str, bool]]:
    words = len(text.split())
    sentences = max(1, len(SENTENCES.findall(text.strip())))
    questions = QUOTED.sub("", text).count("?")
    yield "length", words > (REFLECTION if purpose == "reflection" else LONGEST[level])
    yield "sentences", whole and words > SENTENCE * sentences
    yield "questions", questions > (0 if purpose == "reflection" else QUESTIONS[level])
    yield "too-many", purpose == "reflection" and sentences > 2
    yield "markup", bool(MARKUP.search(text))
    yield "marker", bool(marker) and (marker in text or "HF-" in text)
    yield "placeholder", bool(PLACEHOLDER.search(text))
