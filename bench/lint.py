"""Rules of the lint that were hit, by level and language: `python bench/lint.py [--read] [--talks]`.

The levels of the texts stand in the scripts; with `--read` the crisis check reads them. `--talks` prints the answers that hit a rule.
"""

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "companion")]

from lint.play import LANGUAGES, Answer, Line, Talk, played, scripted, talks  # noqa: E402
from lint.rules import RULES, Rule  # noqa: E402

from holdfast.companion.detector import LEVELS, Reading, read  # noqa: E402


def by_the_check(line: Line, language: str) -> Reading:
    return read(line.text, language)


def main() -> None:
    reader = by_the_check if "--read" in sys.argv else scripted
    everything = [(talk, played(talk, reader)) for language in LANGUAGES for talk in talks(language)]
    harm, best, met = 0, 0, 0
    for rule in RULES:
        applied, kept = _count(rule, everything)
        hits = applied - kept
        harm += sum(hits.values()) if rule.harm else 0
        best, met = (best, met) if rule.harm else (best + sum(applied.values()), met + sum(kept.values()))
        print(f"{'harm' if rule.harm else 'best'}  {sum(kept.values()):5}/{sum(applied.values()):<5} {rule.id}{_where(hits)}")
    answers = Counter((talk.language, answer.level) for talk, found in everything for answer in found)
    print("answers: " + ", ".join(f"{language} {level} {answers[language, level]}" for language in LANGUAGES for level in LEVELS))
    print(f"high harm: {harm} hits; best practice: {met}/{best} = {met / best:.3f}")
    if "--talks" in sys.argv:
        _show(everything)


def _count(rule: Rule, everything: list[tuple[Talk, list[Answer]]]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    applied, kept = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for talk, found in everything:
        for level, fine in rule.check(talk, found):
            applied[talk.language, level] += 1
            kept[talk.language, level] += fine
    return applied, kept


def _where(hits: "Counter[tuple[str, str]]") -> str:
    found = [f"{language} {level} {count}" for (language, level), count in sorted(hits.items()) if count]
    return f"  <- {', '.join(found)}" if found else ""


def _show(everything: list[tuple[Talk, list[Answer]]]) -> None:
    for talk, found in everything:
        broken = [rule.id for rule in RULES if not all(fine for _, fine in rule.check(talk, found))]
        if broken:
            print(f"\n=== {talk.language}: {talk.about}: {', '.join(broken)}")
            for answer in found:
                print(f"> {answer.line.text}\n[{answer.level}, asked {answer.asked}] {answer.text}\n")


if __name__ == "__main__":
    main()
