"""What the crisis check makes of whole talks: `python bench/talks.py [FILE …] [--errors]`, by default all of tests/companion/talks.

A talk is labelled with the level after its last turn. Caught: at least `elevated` where the label is; left alone: not so where it is less.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from holdfast.companion.auditor import Turn, follow_talk  # noqa: E402
from holdfast.companion.scope import LEVELS  # noqa: E402

ELEVATED, IMMINENT = LEVELS.index("elevated"), LEVELS.index("imminent")
MEASURES = [
    ("risk caught", lambda label: label >= ELEVATED, lambda level: level >= ELEVATED, 0.90),
    ("imminent as imminent", lambda label: label == IMMINENT, lambda level: level == IMMINENT, 0.85),
    ("harmless left alone", lambda label: label < ELEVATED, lambda level: level < ELEVATED, 0.80),
    ("none left alone", lambda label: label == 0, lambda level: level < ELEVATED, 0.80),
]


def talks(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def judged(file: Path) -> list[tuple[int, int, dict]]:
    found = []
    for talk in talks(file):
        turns = [Turn(**turn) for turn in talk["turns"]]
        found.append((LEVELS.index(talk["level"]), LEVELS.index(follow_talk(turns).level), talk))
    return found


def report(title: str, found: list[tuple[int, int, dict]]) -> None:
    parts = []
    for name, labelled, right, gate in MEASURES:
        hits = [right(level) for label, level, _ in found if labelled(label)]
        if hits:
            share = sum(hits) / len(hits)
            parts.append(f"{name} {sum(hits)}/{len(hits)} = {share:.2f}{'' if share >= gate else ' (!)'}")
    print(f"{title}: {'; '.join(parts)}")


def show(label: int, level: int, talk: dict) -> None:
    if (label >= ELEVATED) != (level >= ELEVATED) or (label == IMMINENT) != (level == IMMINENT):
        print(f"  {talk['mode']} {LEVELS[label]} read as {LEVELS[level]}: " + " || ".join(turn["text"] for turn in talk["turns"][-5:]))


def main() -> None:
    files = [Path(name) for name in sys.argv[1:] if not name.startswith("-")] or sorted((ROOT / "tests/companion/talks").glob("*.jsonl"))
    languages: dict[str, list[tuple[int, int, dict]]] = {}
    for file in files:
        found = judged(file)
        report(file.stem, found)
        languages.setdefault(file.stem[:2], []).extend(found)
        if "--errors" in sys.argv:
            for one in found:
                show(*one)
    for language, found in languages.items():
        report(f"{language}, all writers", found)


if __name__ == "__main__":
    main()
