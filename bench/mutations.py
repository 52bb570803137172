"""What disguises and slips cost the crisis check: `python bench/mutations.py [--errors]`, out of the development messages.

Points of recall: of the messages at risk that are read as at least `elevated`, the share that is not any more once they are changed.
Beside it the share of harmless ones that become risks. The gate is 3 points (companion.md, section 18).
"""

import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from written import Message, messages  # noqa: E402

from holdfast.companion.detector import read  # noqa: E402
from holdfast.companion.normalise import LANGUAGES, fold, spelling  # noqa: E402
from holdfast.companion.scope import LEVELS  # noqa: E402

MOST = 200  # messages of each kind and language
GATE = 0.03
ELEVATED = LEVELS.index("elevated")
LONG = 5  # letters of a word in which a slip is made
SOME = 0.3  # share of the letters that a homoglyph replaces
WORDS = re.compile(r"[^\W\d_]+")
DIGITS = str.maketrans("oieastоіеазтч", "013457" + "0134374")
LATIN, CYRILLIC = "aceopxyiABCEHKMOPTX", "асеорхуіАВСЕНКМОРТХ"
TWINS = str.maketrans(LATIN + CYRILLIC, CYRILLIC + LATIN)


def typo(text: str, chance: random.Random) -> str:
    """One letter left out or changed with its neighbour, never the first one."""
    found = _one_of(text, chance, LONG)
    if found is None:
        return text
    word, at = found[0], chance.randrange(1, len(found[0]) - 1)
    slip = word[:at] + word[at + 1 :] if chance.random() < 0.5 else word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return _put(text, found, slip)


def leet(text: str, chance: random.Random) -> str:
    """Every letter that has a digit, in half of the words."""
    return WORDS.sub(lambda found: found[0].translate(DIGITS) if len(found[0]) > 2 and chance.random() < 0.5 else found[0], text)


def spacing(text: str, chance: random.Random) -> str:
    """One word spelled out, a key word where there is one."""
    known = spelling().key_words
    keys = [found for found in WORDS.finditer(text) if fold(found[0]) in known]
    found = chance.choice(keys) if keys else _one_of(text, chance, LONG)
    return _put(text, found, chance.choice((" ", ".")).join(found[0])) if found else text


def homoglyph(text: str, chance: random.Random) -> str:
    return "".join(letter.translate(TWINS) if chance.random() < SOME else letter for letter in text)


def upper_case(text: str, _: random.Random) -> str:
    return text.upper()


def no_punctuation(text: str, _: random.Random) -> str:
    return " ".join(re.sub(r"[^\w\s'’]|_", " ", text).split())


MUTATIONS: tuple[Callable[[str, random.Random], str], ...] = (typo, leet, spacing, homoglyph, upper_case, no_punctuation)


def _one_of(text: str, chance: random.Random, letters: int) -> re.Match[str] | None:
    """One of the longer words: of the three longest."""
    words = sorted((found for found in WORDS.finditer(text) if len(found[0]) >= letters), key=lambda found: -len(found[0]))
    return chance.choice(words[:3]) if words else None


def _put(text: str, found: re.Match[str], instead: str) -> str:
    return text[: found.start()] + instead + text[found.end() :]


def is_risk(text: str) -> bool:
    return LEVELS.index(read(text).level) >= ELEVATED


def sample(language: str, most: int = MOST) -> tuple[list[Message], list[Message]]:
    """Messages at risk that are found, and harmless ones that are left alone: the same ones each time."""
    own = [message for message in messages() if message.language == language]
    random.Random(language).shuffle(own)
    risk: list[Message] = []
    calm: list[Message] = []
    for message in own:
        wanted, labelled = (risk, True) if LEVELS.index(message.level) >= ELEVATED else (calm, False)
        if (labelled or message.level == "none") and len(wanted) < most and is_risk(message.text) is labelled:
            wanted.append(message)
    return risk, calm


def changed(found: list[Message], mutation: Callable[[str, random.Random], str]) -> list[tuple[str, bool]]:
    """Each message as it reads after the mutation, and whether it is a risk then."""
    texts = [mutation(message.text, random.Random(f"{mutation.__name__}{message.seed}")) for message in found]
    return [(text, is_risk(text)) for text in texts]


def main() -> None:
    print("language  " + "".join(f"{mutation.__name__:>18}" for mutation in MUTATIONS) + "   (points lost / harmless ones that became risks)")
    for language in LANGUAGES:
        risk, calm = sample(language)
        cells = []
        for mutation in MUTATIONS:
            lost = [text for text, is_one in changed(risk, mutation) if not is_one]
            raised = [text for text, is_one in changed(calm, mutation) if is_one]
            share = len(lost) / len(risk)
            cells.append(f"{100 * share:.1f}{' (!)' if share > GATE else ''} / {100 * len(raised) / len(calm):.1f}")
            if "--errors" in sys.argv:
                print("".join(f"  {mutation.__name__}, lost: {text}\n" for text in lost), end="")
        print(f"{language} {len(risk)}/{len(calm)}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
