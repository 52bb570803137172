"""CPU time of the crisis check: `python bench/detector.py`. Texts of 2,000 characters out of the development messages, in each language and mixed.

`python bench/detector.py --exam` says what it finds in messages that nobody has learnt from.
"""

import random
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from written import HEAD, exam, messages, row  # noqa: E402

from holdfast.companion.detector import LEVELS, read  # noqa: E402

LENGTH = 2_000
RUNS = 200


def texts() -> dict[str, list[str]]:
    by_language: dict[str, list[str]] = {"mixed": []}
    for message in messages():
        by_language["mixed"].append(message.text)
        by_language.setdefault(message.language, []).append(message.text)
    return by_language


def examine() -> None:
    found = [(message.language, LEVELS.index(message.level), LEVELS.index(read(message.text).level)) for message in exam()]
    print(HEAD)
    for language in ("all", *sorted({language for language, _, _ in found})):
        print(row(language, [(meant, seen) for spoken, meant, seen in found if language in ("all", spoken)]))


def main() -> None:
    if "--exam" in sys.argv:
        return examine()
    chance = random.Random(7)
    began = time.process_time()
    read("Hello")
    print(f"first use: {(time.process_time() - began) * 1000:.0f} ms")
    for language, written in texts().items():
        times = []
        for _ in range(RUNS):
            text = " ".join(chance.choices(written, k=LENGTH // 20))[:LENGTH]
            began = time.process_time()
            read(text)
            times.append((time.process_time() - began) * 1000)
        print(f"{language}: median {statistics.median(times):.2f} ms, p95 {statistics.quantiles(times, n=20)[-1]:.2f} ms")


if __name__ == "__main__":
    main()
