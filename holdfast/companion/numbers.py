"""Numbers, addresses and links in a text: which may stand there, and which nobody has checked."""

import re
import unicodedata
from functools import cache
from itertools import pairwise

from holdfast.companion.normalise import UNSEEN, Token, fold
from holdfast.companion.resources import directory
from holdfast.companion.words import vocabulary

LINK = re.compile(
    r"https?:|www\.|\b[\w-]+\s?\.\s?(?:com|org|net|info|gov|edu|app|io|eu|me|help|chat|care|рф|укр)\b|"
    r"\b[\w-]+\.(?:de|es|ru|ua|uk|us|at|ch|ca|au|ie|mx|ar|co|tv|gg)\b|\b\w+\.\w+/\w|(?<!\w)@\w|\w@\w|"
    r"\b(?:dot|punto|punkt|точка|крапка)\s(?:com|org|net|info|gov|de|es|ru|ua|ком|орг|ру|юа)\b",
    re.IGNORECASE,
)
TIME = re.compile(r"(?<![\d.:])(?:[01]?\d|2[0-3])[:.][0-5]\d(?![\d.:]|\s?\d)")
YEAR = re.compile(r"(?<!\d)(?<!\d[\s\-./()])(?:19|20)\d\d(?:\s?[-–]\s?(?:19|20)\d\d)?(?![\s\-./()]?\d)")
DAY_AND_NIGHT = re.compile(r"(?<!\d)24\s?/\s?7(?!\d)")
SHARE = re.compile(r"(?<!\d)100\s?%")
DOWN_FROM = re.compile(r"\b(?:from|bei|von|ab|с|от|со|від|зі|з|desde|de)\s+100(?![\d\s\-./()]*\d)", re.IGNORECASE)
SENSES = re.compile(r"(?<!\d)5\s?[-–,]\s?4\s?[-–,]\s?3\s?[-–,]\s?2\s?[-–,]\s?1(?!\d)")  # exercise of the catalogue
BREATHS = re.compile(r"(?<!\d)(?:4\s?[-–]\s?6|4\s?[-–]\s?4\s?[-–]\s?4\s?[-–]\s?4)(?![\s\-–]?\d)")  # exercises of the catalogue
ALLOWED = (TIME, YEAR, DAY_AND_NIGHT, SHARE, DOWN_FROM, SENSES, BREATHS)
DIGITS = re.compile(r"\d(?:[\s\-–()./,_*]{0,3}\d)*")
PAIR = re.compile(r"\d{1,2}(?:\s?[-–/.,]\s?|\s)\d{1,2}")  # a range, a rating, half of something
STREET = re.compile(
    r"\b\d{1,4}\s(?:[A-Z]\w+\s){1,3}(?:Street|Road|Avenue|Lane|Boulevard|Square)\b|"
    r"\b(?:ул\.|улица|улице|вул\.|вулиця|вулиці|проспект|calle|avenida|\w+stra(?:ss|ß)e)\s(?:\w+\s){0,3}?,?\s?\d{1,4}\b",
    re.IGNORECASE,
)
LONG = 3  # digits from which on a number may be one to dial
DIAL_REACH = 4  # words between "dial" and what is dialled


def unchecked(text: str, tokens: list[Token], *, ours: bool = False) -> list[str]:
    """`number`, `link` or `address`. `ours`: a text of the service itself, in which the numbers and the link of the resource file may stand."""
    text = unicodedata.normalize("NFKC", UNSEEN.sub("", text)).replace("\u20e3", "")
    if ours:
        for one in checked():
            text = text.replace(one, " ")
    found = {"number": _has_number(text) or _has_spoken(tokens) or _is_dialled(tokens, ours), "link": bool(LINK.search(text))}
    return [name for name, wrong in (found | {"address": bool(STREET.search(text))}).items() if wrong]


@cache
def checked() -> tuple[str, ...]:
    """What the resource file holds, the longest first. Which of it is fresh enough for an answer is decided where answers are made."""
    known = directory()
    numbers = {line.dial for line in known.line} | {country.emergency for country in known.country.values() if country.emergency}
    return tuple(sorted({*numbers, "112", "911", known.directory}, key=len, reverse=True))


def _has_number(text: str) -> bool:
    """Three digits or more that are no year, time, rating or count of an exercise, however they are spaced."""
    for allowed in ALLOWED:
        text = allowed.sub(" ; ", text)
    return any(len(re.sub(r"\D", "", found[0])) >= LONG and not _is_small(found[0]) for found in DIGITS.finditer(text))


def _is_small(number: str) -> bool:
    """A range or a rating, or numbers that are counted one by one: `1, 2, 3`. `1 1 2` and `9-1-1` are neither."""
    if PAIR.fullmatch(number):
        return True
    counted = [int(part) for part in re.findall(r"\d+", number)]
    return len(counted) > 1 and max(counted) < 100 and {after - before for before, after in pairwise(counted)} in ({1}, {-1})


def _has_spoken(tokens: list[Token]) -> bool:
    """Three digits in words, one after the other, that are not counted up or down."""
    run: list[int] = []
    for token in [*tokens, None]:
        digit = _digit(token) if token else None
        if digit is not None:
            run.append(digit)
            continue
        if len(run) >= LONG and {after - before for before, after in pairwise(run)} not in ({1}, {-1}):
            return True
        run = []
    return False


def _digit(token: Token) -> int | None:
    return spoken_digits().get(token.forms[0])


@cache
def spoken_digits() -> dict[str, int]:
    words = {str(digit): digit for digit in range(10)}
    for names in SPOKEN:
        words |= {fold(word): digit for digit, name in enumerate(names.split()) for word in name.split("|")}
    return words


SPOKEN = (
    "zero|oh one two three four five six seven eight nine",
    "ноль|нуль один|одна два|две три четыре пять шесть семь восемь девять",
    "нуль один|одна два|дві три чотири п'ять шість сім вісім дев'ять",
    "cero uno|una dos tres cuatro cinco seis siete ocho nueve",
    "null eins|ein zwei|zwo drei vier fünf sechs sieben acht neun",
)


def _is_dialled(tokens: list[Token], ours: bool) -> bool:
    """A number of two digits is a number to dial when somebody is told to dial it."""
    if ours:
        return False
    hits = vocabulary("never").find(tokens, [""] * (tokens[-1].sentence + 1 if tokens else 0))
    after = {at for hit in hits if hit.kind == "dial" for at in range(hit.end, hit.end + DIAL_REACH)}
    return any(at in after and token.forms[0].isdigit() and len(token.forms[0]) > 1 for at, token in enumerate(tokens))
