"""Concepts: what a single word is about, said the same way in every language, for the linear model alone."""

import tomllib
from functools import cache, lru_cache
from zlib import crc32

from holdfast.companion.normalise import LANGUAGES, fold_text
from holdfast.companion.words import DATA

SHORTEST_STEM = 3  # letters


class Lexicon:
    """One language's words. An entry is a word, or a stem with `*` for any ending; of several stems the longest counts."""

    def __init__(self, language: str) -> None:
        self.words: dict[str, tuple[str, ...]] = {}
        self.stems: dict[str, tuple[str, ...]] = {}
        for concept, entries in tomllib.loads((DATA / "concepts" / f"{language}.toml").read_text("utf-8")).items():
            for entry in fold_text(entries).replace("-", "").split(","):
                word = entry.strip()
                place = self.stems if word.endswith("*") else self.words
                key = word.rstrip("*")
                place[key] = (*place.get(key, ()), concept)

    def of(self, word: str) -> tuple[str, ...]:
        found = self.words.get(word, ())
        for length in range(len(word), SHORTEST_STEM - 1, -1):
            if word[:length] in self.stems:
                return tuple(dict.fromkeys((*found, *self.stems[word[:length]])))
        return found


@cache
def lexicons() -> dict[str, Lexicon]:
    return {language: Lexicon(language) for language in LANGUAGES if (DATA / "concepts" / f"{language}.toml").exists()}


@lru_cache(maxsize=20_000)
def codes_of(forms: tuple[str, ...], language: str) -> tuple[int, ...]:
    """Of the first form that anybody knows, in the language of its sentence before all others; sorted, each once."""
    for form in forms:
        own = lexicons()[language].of(form) if language in lexicons() else ()
        concepts = list(own) or [concept for lexicon in lexicons().values() for concept in lexicon.of(form)]
        if concepts:
            return tuple(sorted({code_of(concept) for concept in concepts}))
    return ()


@cache
def code_of(concept: str) -> int:
    return crc32(b"concept:" + concept.encode())
