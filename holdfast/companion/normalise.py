"""A text as the detector sees it: plain words in clauses, each with the other words it may have been meant to be."""

import re
import tomllib
import unicodedata
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent.parent / "data" / "words"
LANGUAGES = ("en", "ru", "uk", "es", "de")
CYRILLIC = re.compile("[а-яёіїєґ]")
LATIN = re.compile("[a-zß-ÿ]")
LATIN_ACCENTED = re.compile("[à-ÿ]")
# Linear by construction: one class of characters per branch, nothing nested.
PIECES = re.compile(r"(?P<word>[^\W_][\w'’ʼ`*@$]*)|(?P<stop>[.!?;…\n]+)|(?P<pause>[,:()«»\"–—]+| - )")
SPELLED_OUT = re.compile(r"\b(?:[^\W\d_][ .\-*_]){3,}[^\W\d_]\b")
REPEATED = re.compile(r"(.)\1{2,}")
ENCODED = re.compile(r"\b[A-Za-z0-9+/]{16,}={0,2}")
UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufe00-\\ufe0f\\ufeff]"
)
# A digit in a Cyrillic word; the letters that it stands for, the likeliest first. In Latin words signs.toml says it.
CYRILLIC_DIGITS = {"0": "о", "1": "иіл", "3": "ез", "4": "ач", "5": "с", "6": "б", "7": "т", "@": "а", "$": "с"}
AS_DIGITS = 64  # words that one with digits in it is tried as
FEW = 40  # words of a text in which any slip is repaired; in a longer one the other words say it
WORD_LIMIT = 40  # characters; a longer word is noise, and the limit keeps the work per character constant
CENSORED_LIMIT = 12


class Token(NamedTuple):
    """`forms`: the word as written first, then what it may stand for (a typo, leet, transliteration)."""

    forms: tuple[str, ...]
    sentence: int
    clause: int


class Spelling(NamedTuple):
    expansions: dict[str, str]
    elsewhere: dict[str, frozenset[str]]  # languages in which such a short form is a word of its own: the English `im` in German
    emoji: dict[str, str]
    leet: dict[int, str]
    lookalikes: dict[int, str]
    to_latin: dict[int, str]
    sounds: list[tuple[str, str]]
    sound_markers: frozenset[str]
    contrast: frozenset[str]
    function_words: dict[str, frozenset[str]]
    key_words: frozenset[str]
    censored: frozenset[str]
    near: dict[str, tuple[str, ...]]
    protected: frozenset[str]


class Known(NamedTuple):
    """Every word that means something here, in all languages; `stems` take any ending."""

    words: frozenset[str]
    stems: frozenset[str]

    def reach(self, word: str) -> int:
        """How many letters of it are known."""
        if word in self.words:
            return len(word) + 1
        return next((length for length in range(len(word), 2, -1) if word[:length] in self.stems), 0)


def words_of(text: str) -> list[str]:
    return [fold(word) for word in re.split(r"[,\s]+", text) if word]


def fold_text(text: str) -> str:
    """`fold` for many words at once; what stands between them stays."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е").replace("'", "").replace("’", "")
    return "".join(_without_accent(letter) for letter in plain) if LATIN_ACCENTED.search(plain) else plain


@cache
def _without_accent(letter: str) -> str:
    return letter if CYRILLIC.match(letter) else "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))


@lru_cache(maxsize=20_000)
def fold(word: str, keep: str = "") -> str:
    """One spelling for one word: no case, no accents on Latin letters, one apostrophe for none, `ё` as `е`."""
    word = unicodedata.normalize("NFKC", word).casefold().replace("ё", "е")
    if LATIN.search(word):
        word = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))
    return "".join(letter for letter in word if letter.isalnum() or letter in keep)


@cache
def spelling() -> Spelling:
    signs = tomllib.loads((DATA / "signs.toml").read_text("utf-8"))
    speech = {language: tomllib.loads((DATA / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES}
    key_words = frozenset(word for data in speech.values() for word in words_of(data["key_words"]))
    near: dict[str, tuple[str, ...]] = {}
    for word in sorted(key_words):
        for shorter in one_letter_less(word):
            near[shorter] = (*near.get(shorter, ()), word)
    functions = {language: frozenset(words_of(data["function_words"])) for language, data in speech.items()}
    protected = frozenset(word for data in speech.values() for word in words_of(data["protected"]))
    expansions = {fold(short): long for data in speech.values() for short, long in data["spelling"].items()}
    own = {fold(short): language for language, data in speech.items() for short in data["spelling"]}
    return Spelling(
        expansions=expansions,
        elsewhere={
            short: frozenset(language for language, words in functions.items() if short in words and language != own[short]) for short in expansions
        },
        emoji=signs["emoji"],
        leet=str.maketrans(signs["leet"]),
        lookalikes=str.maketrans(signs["lookalikes"]),
        to_latin=str.maketrans({cyrillic: latin for latin, cyrillic in signs["lookalikes"].items()}),
        sounds=sorted(signs["sounds"].items(), key=lambda pair: -len(pair[0])),
        sound_markers=frozenset(words_of(signs["sound_markers"])),
        contrast=frozenset(word for data in speech.values() for word in words_of(data["contrast"])),
        function_words=functions,
        key_words=key_words,
        censored=key_words.union(words_of(signs["censored"])),
        near=near,
        protected=protected.union(*functions.values()),
    )


@cache
def known_words() -> Known:
    texts = [text for file in (DATA / "concepts").glob("*.toml") for text in tomllib.loads(file.read_text("utf-8")).values()]
    entries = [entry.strip() for text in texts for entry in fold_text(text).replace("-", "").split(",")]
    words = frozenset(entry for entry in entries if not entry.endswith("*"))
    stems = frozenset(entry.rstrip("*") for entry in entries if entry.endswith("*"))
    return Known(words.union(spelling().key_words, spelling().protected), stems)


def tokens_of(text: str) -> list[Token]:
    text = unicodedata.normalize("NFKC", text)
    text = UNSEEN.sub("", text)
    for sign, word in spelling().emoji.items():
        text = text.replace(sign, f" {word} ")
    text = SPELLED_OUT.sub(lambda found: re.sub(r"[ .\-*_]", "", found[0]), text)
    text += "".join(f"\n{hidden}" for hidden in _hidden_texts(text))
    pieces = list(_pieces(text))
    by_sound = sum(word in spelling().sound_markers for word, _, _ in pieces) >= 2
    repair = len(pieces) <= FEW
    return [Token((*_forms(word, by_sound), *(_repaired(word) if repair else ())), sentence, clause) for word, sentence, clause in pieces]


def language_of(tokens: list[Token], default: str) -> str:
    """The language most of the short words belong to, or `default` when they do not say."""
    votes = dict.fromkeys(LANGUAGES, 0)
    for token in tokens:
        for language, weight in _spoken_in(token.forms):
            votes[language] += weight
    best = max(votes, key=lambda language: (votes[language], language == default))
    if (votes[best] and sum(count == votes[best] for count in votes.values()) == 1) or votes.get(default) == votes[best] > 0:
        return best
    return "ru" if tokens and CYRILLIC.search(tokens[0].forms[0]) and default not in ("ru", "uk") else default


@lru_cache(maxsize=20_000)
def _spoken_in(forms: tuple[str, ...]) -> list[tuple[str, int]]:
    found = [(language, 1) for language, words in spelling().function_words.items() if not words.isdisjoint(forms)]
    if CYRILLIC.search(forms[0]):
        found += [(language, 2) for language, letters in (("uk", "іїєґ"), ("ru", "ыэъ")) if any(letter in forms[0] for letter in letters)]
    return found


def one_letter_less(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))} | {word}


def _pieces(text: str) -> Iterator[tuple[str, int, int]]:
    sentence = clause = 0
    spoken = _guessed(text)
    for piece in PIECES.finditer(text):
        if piece["stop"]:
            sentence, clause = sentence + 1, clause + 1
        elif piece["pause"]:
            clause += 1
        else:
            for word in _expanded(piece["word"][:WORD_LIMIT], spoken):
                if word in spelling().contrast:
                    sentence, clause = sentence + 1, clause + 1
                yield word, sentence, clause


def _guessed(text: str) -> str:
    """The language before anything is spelled out, when one clearly has the most short words."""
    known = spelling()
    words = {fold(word) for word in text.split()}
    if not any(known.elsewhere.get(word) for word in words):
        return ""
    votes = sorted((len(words & short), language) for language, short in known.function_words.items())
    return votes[-1][1] if votes[-1][0] > votes[-2][0] else ""


@lru_cache(maxsize=20_000)
def _expanded(written: str, spoken: str) -> tuple[str, ...]:
    written = re.sub("[’ʼ`]", "'", written)
    if CYRILLIC.search(written.casefold()) and LATIN.search(written.casefold()):
        written = _one_script(written)
    word = fold(written, "*@$")
    word = word if re.search(r"[^\W\d][*@$]+[^\W\d]|[@$]", word) else word.replace("*", "")
    plain = None if spoken in spelling().elsewhere.get(word, ()) else spelling().expansions.get(word)
    if plain is None and "'" in written:
        stem, _, ending = written.rpartition("'")
        plain = {"m": "{} am", "ll": "{} will", "ve": "{} have", "re": "{} are", "d": "{} would", "s": "{} is"}.get(fold(ending))
        plain = plain and plain.format(fold(stem))
    return tuple(fold(part) for part in plain.split()) if plain else ((_without_digits(word),) if word else ())


def _one_script(word: str) -> str:
    lower = word.casefold()
    cyrillic = len(CYRILLIC.findall(lower))
    return lower.translate(spelling().lookalikes if cyrillic * 2 > len(lower) else spelling().to_latin)


@lru_cache(maxsize=20_000)
def _forms(word: str, by_sound: bool) -> tuple[str, ...]:
    found, known = {word: None}, spelling()
    for times in (r"\1", r"\1\1"):
        found[REPEATED.sub(times, word)] = None
    if re.search(r"[\d@$]", word) and re.search(r"[^\W\d]", word):
        found[_as_letters(word)] = None
    if "*" in word and len(word) <= CENSORED_LIMIT:
        pattern = re.compile(re.escape(word).replace(r"\*", "."))
        found.update(dict.fromkeys(key for key in known.censored if pattern.fullmatch(key)))
    for form in list(found):
        found.update(dict.fromkeys(_meant(form)))
    if by_sound and word.isascii():
        heard = _cyrillic(word)
        found.update(dict.fromkeys((heard, heard + "ь", heard.replace("ы", "й"), heard.replace("ы", "и"))))
    return tuple(found)


def _without_digits(word: str) -> str:
    """A word with digits for letters as it is meant, if that is a word; not "20th" and "5 km"."""
    if not re.search(r"[^\W\d].*[\d@$]|[\d@$].*[^\W\d]{3}", word):
        return word
    meant = _as_letters(word)
    return meant if known_words().reach(meant) > len(meant) // 2 else word


@lru_cache(maxsize=20_000)
def _as_letters(word: str) -> str:
    cyrillic = CYRILLIC.search(word)
    choices = [CYRILLIC_DIGITS.get(sign, sign) if cyrillic else sign.translate(spelling().leet) + "l" * (sign == "1") for sign in word]
    return max(map("".join, islice(product(*choices), AS_DIGITS)), key=known_words().reach)


@lru_cache(maxsize=20_000)
def _repaired(word: str) -> tuple[str, ...]:
    """Words one slip away from one that nobody knows: a letter left out, or two in the wrong order."""
    known = known_words()
    if not 3 < len(word) <= CENSORED_LIMIT or not word.isalpha() or known.reach(word):
        return ()
    letters = "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґ" if CYRILLIC.search(word) else "abcdefghijklmnopqrstuvwxyz"
    near = [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)]
    near += [word[:at] + letter + word[at:] for at in range(1, len(word)) for letter in letters]
    found = {one: reach for one in near if (reach := known.reach(one)) > max(4, len(one) - 3)}
    best = max(found.values(), default=0)
    return tuple(one for one, reach in found.items() if reach == best)[:3]


def _meant(word: str) -> list[str]:
    """Key words one slip of the finger away, and key words written as one. Innocent neighbours are protected."""
    known = spelling()
    if word in known.key_words or word in known.protected or len(word) < 4:
        return []
    meant = [key for shorter in one_letter_less(word) for key in known.near.get(shorter, ()) if len(key) > 4 or key in word]
    return sorted(set(meant))


def _cyrillic(word: str) -> str:
    for sound, letter in spelling().sounds:
        word = word.replace(sound, letter)
    return word


def _hidden_texts(text: str) -> list[str]:
    """Cheap disguises: base64, and a text written backwards."""
    found = []
    for code in ENCODED.findall(text)[:5]:
        try:
            found.append(b64decode(code + "=" * (-len(code) % 4)).decode("utf-8"))
        except (NotBase64, UnicodeDecodeError):
            continue
    words = set(words_of(text[:400]))
    backwards = text[::-1]
    if not any(words & known for known in spelling().function_words.values()) and spelling().key_words & set(words_of(backwards[-400:])):
        found.append(backwards)
    return found
