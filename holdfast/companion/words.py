"""The words people use, in classes: what one word or phrase means in any of the five languages, and how it is found in a text."""

import tomllib
from functools import cache, lru_cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from holdfast.companion.normalise import LANGUAGES, Token, fold_text, words_of

DATA = Path(__file__).parent.parent / "data" / "words"
GAP = "~"  # in an entry: none, one or two free words
LONGEST_WORD = 24
LONGEST_PHRASE = 12  # words, fillers counted
EVERYWHERE = {"neg", "fillers", "idiom", "asks_human", "asks_if_ai"}
PLACE = attrgetter("start", "end", "kind")


class Hit(NamedTuple):
    """One class of meaning, found in the tokens `start` up to (not including) `end`."""

    kind: str
    start: int
    end: int
    sentence: int
    clause: int


class Branch:
    """A place in the tree of phrases: which phrases end here, which words may follow, and what follows after free words."""

    __slots__ = ("after_gap", "kinds", "next")

    def __init__(self) -> None:
        self.kinds: tuple[str, ...] = ()
        self.next: dict[str, Branch] = {}
        self.after_gap: Branch | None = None

    def grow(self, steps: list[list[str]], kind: str) -> None:
        if not steps:
            self.kinds = (*self.kinds, kind) if kind not in self.kinds else self.kinds
        elif steps[0] == [GAP]:
            self.after_gap = self.after_gap or Branch()
            self.after_gap.grow(steps[1:], kind)
        else:
            for word in steps[0]:
                self.next.setdefault(word, Branch()).grow(steps[1:], kind)


class Meaning(NamedTuple):
    """What the search needs to know of one token: its words in the vocabulary, the phrases they begin, and its part in the walk."""

    words: tuple[str, ...]
    begins: tuple[Branch, ...]
    negation: bool
    filler: bool


class Vocabulary:
    """Word classes in all languages, so that each message is read in every language at once.

    The tree below a first word is built when that word is first met: most of the vocabulary never is in one process.
    """

    def __init__(self) -> None:
        self.exact: set[str] = set()
        self.stems: set[str] = set()
        self.ambiguous: dict[str, frozenset[str]] = {}
        self.entries: dict[str, list[tuple[str, str, list[str]]]] = {}
        self.branches: dict[str, Branch] = {}
        self.alone: dict[str, set[str]] = {"neg": set(), "fillers": set()}  # kinds that the search itself must know
        self.meaning = lru_cache(maxsize=20_000)(self._meaning)
        self.steps = 0  # places of the tree looked at so far: the work, independent of the machine

    def add(self, language: str, kind: str, text: str) -> None:
        """`text`: entries divided by commas, already folded."""
        clashing = self.ambiguous[language]
        for word in set(text.replace(",", " ").replace("|", " ").split()):
            (self.stems if word.endswith("*") else self.exact).add(word)
        for entry in text.split(","):
            steps = entry.split()
            if steps:
                for first in steps[0].split("|"):
                    self.entries.setdefault(_clash(first, language, clashing), []).append((language, kind, steps[1:]))
        if kind in self.alone:
            self.alone[kind].update(text.replace(",", " ").split())

    def find(self, tokens: list[Token], languages: list[str]) -> list[Hit]:
        """Every class in the text, in order. `languages` is the guess per sentence: it decides only words that clash, as the German article `die`."""
        meanings = [self.meaning(token.forms, languages[token.sentence]) for token in tokens]
        stops = {token.sentence: at for at, token in enumerate(tokens, 1)}  # where each sentence ends
        hits: set[Hit] = set()
        for start, token in enumerate(tokens):
            for branch in meanings[start].begins:
                for kinds, end in self._walk(branch, start + 1, meanings, stops[token.sentence]):
                    hits.update([Hit(kind, start, end, token.sentence, token.clause) for kind in kinds])
        return sorted(hits, key=PLACE)

    def _walk(self, branch: Branch, at: int, meanings: list[Meaning], stop: int) -> list[tuple[tuple[str, ...], int]]:
        """Every phrase that can be followed from here. The depth is a phrase's length, so the work per word is bounded."""
        found = []
        open_ends, last = [(branch, at)], at + LONGEST_PHRASE
        while open_ends:
            branch, at = open_ends.pop()
            self.steps += 1
            if branch.kinds:
                found.append((branch.kinds, at))
            if branch.after_gap:
                open_ends.append((branch.after_gap, at))
                # A negation is never a free word: "I will not do it" must not be read as "I will do it".
                for skipped in range(at, min(at + 2, stop)):
                    if meanings[skipped].negation:
                        break
                    open_ends.append((branch.after_gap, skipped + 1))
            if at == stop or not branch.next:
                continue
            onward, here = branch.next, meanings[at]
            open_ends.extend([(onward[word], at + 1) for word in here.words if word in onward])
            if here.filler and at < last:
                open_ends.append((branch, at + 1))
        return found

    def _meaning(self, forms: tuple[str, ...], language: str) -> Meaning:
        found: dict[str, None] = {}
        for form in forms:
            words = [form] if form in self.exact else []
            words += [stem for stem in (form[:length] + "*" for length in range(2, min(len(form), LONGEST_WORD) + 1)) if stem in self.stems]
            # A word that clashes belongs to one language only; one that nobody guessed is tried in all.
            claimed = [spoken for spoken, words_of_it in self.ambiguous.items() if form in words_of_it and spoken in (language, language or spoken)]
            found.update(dict.fromkeys(words))
            found.update(dict.fromkeys(f"{word}@{spoken}" for word in words for spoken in claimed))
        begins = tuple(self._branch(word) for word in found if word in self.entries)
        return Meaning(tuple(found), begins, not self.alone["neg"].isdisjoint(forms), not self.alone["fillers"].isdisjoint(forms))

    def _branch(self, first: str) -> Branch:
        if first not in self.branches:
            root = self.branches[first] = Branch()
            for language, kind, steps in self.entries[first]:
                clashing = self.ambiguous[language]
                root.grow([[_clash(word, language, clashing) for word in step.split("|")] for step in steps], kind)
        return self.branches[first]


def _clash(word: str, language: str, clashing: frozenset[str]) -> str:
    return f"{word}@{language}" if word in clashing else word


@cache
def vocabulary(name: str = "general") -> Vocabulary:
    """Each is read once, at first use: importing the server stays fast.

    `general` holds the signs of a risk, with the classes of the languages' own files. Any other name is a file beside it, with the
    five languages side by side; of the languages' own classes it knows those of EVERYWHERE.
    """
    found = Vocabulary()
    shared = tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))
    for language in LANGUAGES:
        own = tomllib.loads((DATA / f"{language}.toml").read_text("utf-8"))
        found.ambiguous[language] = frozenset(words_of(own["ambiguous"]))
        classes = [(kind, text) for kind, text in own["classes"].items() if name == "general" or kind in EVERYWHERE]
        classes += [(kind, texts[language]) for kind, texts in shared.items() if language in texts]
        for kind, text in classes:
            for let, words in own.get("let", {}).items():
                text = text.replace("{" + let + "}", words)
            found.add(language, kind, fold_text(text))
    return found
