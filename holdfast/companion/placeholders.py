"""What takes the place of everything that names a person, before a text leaves for a model."""

import re
import unicodedata
from collections.abc import Iterable

from holdfast.companion.normalise import CYRILLIC, UNSEEN

SHORTEST = 2  # characters of a name that is looked for
STEM = 3  # letters that an inflected name keeps
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# One letter for one sound, as people write a name for a telephone or a form: enough to meet it in the other script.
LATIN = dict(
    zip(
        "абвгдезийклмнопрстуфцыэґіїє" + "ёжхчшщюя",
        "a b v g d e z i y k l m n o p r s t u f ts y e g i yi ye".split() + "yo zh kh ch sh shch yu ya".split(),
        strict=True,
    )
) | {"ь": "", "ъ": "", "'": "", "’": ""}
CYRILLIC_OF = [
    *[
        ("shch", "щ"),
        ("zh", "ж"),
        ("kh", "х"),
        ("ch", "ч"),
        ("sh", "ш"),
        ("yu", "ю"),
        ("ya", "я"),
        ("yo", "ё"),
        ("ts", "ц"),
        ("ia", "я"),
        ("iy", "ий"),
    ],
    *zip("abvgdezijklmnoprstufyhcwxq", "абвгдезийклмнопрстуфыхквкк", strict=True),
]

LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|info|de|es|ru|ua|io|gov|eu|uk|me|app)\b(?:/\S*)?", re.IGNORECASE
)
EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}\.\w+")
HANDLE = re.compile(r"(?<!\w)@\w{2,}")
PLACE = re.compile(r"[-+]?\d{1,3}[.,]\d{3,}\s*°?\s*[NSEW]?[,;\s]+[-+]?\d{1,3}[.,]\d{3,}\s*°?\s*[NSEW]?")
ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{2,4}){3,8}\b")
PAPER = re.compile(r"\b(?=[^\s\d]{0,8}\d)[^\W\d_]{1,3}[\s-]?\d{4,9}(?:[\s-]?[^\W\d_]{1,2})?\b")  # passports, plates, service numbers
CODE = re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d_])[\w-]{9,}\b")
DATE = re.compile(r"\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b\d{4}-\d{2}-\d{2}\b")
NUMBER = re.compile(r"(?<!\w)(?!5\D4\D3\D2\D1(?!\w))[+#№]?\d(?:[\s\-()./]{0,2}\d){4,40}")  # five digits or more, whatever stands between them
ID = re.compile(r"(?:\bid|#|№)\s*:?\s*\d+", re.IGNORECASE)
_STREET = (
    r"street|st|road|rd|avenue|ave|lane|drive|boulevard|square|"
    r"улиц[аеыу]|ул|проспект[а-я]*|пр-т|переул[а-я]*|вулиц[яіюею]+|вул|провул[а-яіїє]*|calle|avenida|plaza|paseo|"
    r"[^\W\d_]*stra(?:ss|ß)e|[^\W\d_]*gasse|[^\W\d_]*platz|[^\W\d_]*weg"
)
STREET = re.compile(
    rf"\b\d{{1,4}}[a-z]?\s+(?:[A-Z]\w+\s+){{1,3}}(?i:{_STREET})\b\.?|\b(?i:{_STREET})\b\.?(?:\s+(?:de\s+la|del|de))?(?:\s+\w+){{0,3}}?,?\s+\d{{1,4}}\s?[a-zа-я]?\b"
)
_WORD = r"[^\W\d_][\w'’-]*"
# Only the words that introduce a name are read without regard to case: the name itself is told by its capital.
INTRODUCED = re.compile(
    r"(?P<before>(?i:my name is|my name's|i am called|call me|меня зовут|зовите меня|мене звати|мене звуть|звіть мене|me llamo|mi nombre es|"
    rf"ich hei(?:ß|ss)e|mein name ist)\s+)(?P<name>{_WORD}(?:\s+(?-i:[A-ZА-ЯІЇЄҐÁÉÍÓÚÑÄÖÜ])[\w'’-]+)?)"
)
LIVED_IN = re.compile(
    r"(?P<before>\b(?i:live (?:in|at|near)|i am from|i'm from|живу (?:в|во|у|на|біля|возле)|мешкаю (?:в|у)|я (?:из|з|із)|vivo en|soy de|"
    r"wohne in|lebe in|komme aus)\s+)(?P<name>[A-ZА-ЯІЇЄҐÁÉÍÓÚÑÄÖÜ][\w'’-]+(?:,?\s+[A-ZА-ЯІЇЄҐÁÉÍÓÚÑÄÖÜ][\w'’-]+){0,2})"
)
SHAPES = (
    (LINK, "[link]"),
    (EMAIL, "[e-mail]"),
    (HANDLE, "[name]"),
    (STREET, "[address]"),
    (PLACE, "[place]"),
    (ACCOUNT, "[number]"),
    (DATE, "[date]"),
    (NUMBER, "[number]"),
    (PAPER, "[number]"),
    (CODE, "[number]"),
    (ID, "[number]"),
)
PLACEHOLDER = re.compile(r"\[(?:link|e-mail|name|address|place|number|date)\]")
SPEAKER = re.compile(
    r"\b(assistant|system|user|developer|tool|human|ai|ассистент|система|пользователь|асистент|користувач|asistente|sistema|usuario|assistent|benutzer)"
    r"(\s*\W?\s*):",
    re.IGNORECASE,
)
FRAMING = re.compile(r"<\|[^|>]{0,40}\|>|\[/?INST\]|<</?SYS>>|</?(?:system|assistant|user)>|^#{1,6}\s*(?=\w)|\"role\"", re.IGNORECASE | re.MULTILINE)


def without_identity(text: str, hidden: re.Pattern[str] | None) -> str:
    """Names first, since a later placeholder must not split one. An invented turn stays visibly the person's own text."""
    text = UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    text = LINK.sub("[link]", EMAIL.sub("[e-mail]", text))
    text = hidden.sub("[name]", text) if hidden else text
    text = INTRODUCED.sub(r"\g<before>[name]", text)
    text = LIVED_IN.sub(r"\g<before>[place]", text)
    for pattern, placeholder in SHAPES:
        text = pattern.sub(placeholder, text)
    return SPEAKER.sub(r"\1\2 -", FRAMING.sub(" ", text))


def hidden_names(private: Iterable[str]) -> re.Pattern[str] | None:
    """Every name as it is stored, in the other script, without accents, and with the endings that Russian and Ukrainian give it."""
    found = {form for name in private for form in _forms(unicodedata.normalize("NFKC", name).strip())}
    longest_first = sorted((form for form in found if len(form) >= SHORTEST), key=lambda form: (-len(form), form))
    return re.compile(r"(?<!\w)(?:" + "|".join(map(_inflected, longest_first)) + r")(?!\w)", re.IGNORECASE) if longest_first else None


def _forms(name: str) -> set[str]:
    plain = "".join(letter for letter in unicodedata.normalize("NFD", name) if not unicodedata.combining(letter) or letter == "\u0306")
    return {name, plain, _to_latin(name.casefold()), _to_cyrillic(plain.casefold())}


def _inflected(name: str) -> str:
    if not CYRILLIC.search(name.casefold()):
        return re.escape(name) + "s?"  # the genitive of German, and of a careless apostrophe
    stem = name.rstrip("аеёиоуыэюяіїєйьАЕЁИОУЫЭЮЯІЇЄЙЬ")
    return re.escape(stem) + r"\w{0,3}" if len(stem) >= STEM else re.escape(name[:-1]) + r"\w{1,2}"


def _to_latin(name: str) -> str:
    return "".join(LATIN.get(letter, letter) for letter in name)


def _to_cyrillic(name: str) -> str:
    if not any(letter in LETTERS for letter in name):
        return name
    for sound, letter in CYRILLIC_OF:
        name = name.replace(sound, letter)
    return name
