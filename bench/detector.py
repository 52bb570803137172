"""CPU time of the crisis check: `python bench/detector.py`. Texts of 2,000 characters out of the development messages, in each language and mixed.

`python bench/detector.py --train` makes the weights of its linear model anew out of the same messages, the same file bit for bit.
`python bench/detector.py --measure FILE` says what is found and missed in labelled messages.
"""

import csv
import hashlib
import json
import math
import random
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from holdfast.companion import scope  # noqa: E402
from holdfast.companion.detector import LEVELS, _languages, buckets_of, buckets_of_kinds, read  # noqa: E402
from holdfast.companion.normalise import language_of, tokens_of  # noqa: E402
from holdfast.companion.words import DATA, vocabulary  # noqa: E402

LENGTH = 2_000
RUNS = 200


NONE, WATCH, ELEVATED, IMMINENT = range(4)
MEASURES = [
    ("risk recognised", {ELEVATED, IMMINENT}, {ELEVATED, IMMINENT}),
    ("imminent recognised as a risk", {IMMINENT}, {ELEVATED, IMMINENT}),
    ("imminent as imminent", {IMMINENT}, {IMMINENT}),
    ("imminent taken for none", {IMMINENT}, {NONE}),
    ("risk answered with a question or a contact of its own", {ELEVATED, IMMINENT}, {WATCH, ELEVATED, IMMINENT}),
    ("harmless taken for a risk", {NONE}, {ELEVATED, IMMINENT}),
    ("harmless taken for imminent", {NONE}, {IMMINENT}),
]


def texts() -> dict[str, list[str]]:
    rows = [row for row in csv.reader((ROOT / "tests/companion/messages.tsv").open(encoding="utf-8"), delimiter="\t") if len(row) == 4]
    by_language: dict[str, list[str]] = {"mixed": [row[3] for row in rows]}
    for row in rows:
        by_language.setdefault(row[0], []).append(row[3])
    return by_language


MESSAGES = ROOT / "tests/companion/messages.tsv"
EPOCHS, DECAY, RATE, FOLDS = 25, 2e-3, 0.2, 5
HARMLESS_RAISED = {"watch": 0.10, "elevated": 0.025}  # share of harmless messages outside the fold that the weights may raise


def rows() -> list[list[str]]:
    with MESSAGES.open(encoding="utf-8") as file:
        return [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) == 4]


def features(text: str) -> dict[int, float]:
    tokens = tokens_of(text)
    found = vocabulary().find(tokens, _languages(tokens, language_of(tokens, "")))
    kinds = {hit.kind for hit in scope.without_negated(scope.without_idioms(found))}
    values: dict[int, float] = {}
    for buckets in ([at for word in {token.forms[0] for token in tokens} for at in buckets_of(word)], buckets_of_kinds(kinds)):
        for at in buckets:
            values[at] = values.get(at, 0.0) + 1 / math.sqrt(len(buckets))
    return dict(sorted(values.items()))


def learn(examples: list[tuple[dict[int, float], bool]]) -> tuple[list[float], float]:
    """Logistic regression, both answers weighing the same, by adaptive steps in a fixed order."""
    weights, seen, bias, chance = [0.0] * 0x8000, [1e-3] * 0x8000, 0.0, random.Random(7)
    yes = sum(answer for _, answer in examples)
    weight = {True: len(examples) / 2 / yes, False: len(examples) / 2 / (len(examples) - yes)}
    for _ in range(EPOCHS):
        for values, answer in chance.sample(examples, len(examples)):
            score = bias + sum([weights[at] * value for at, value in values.items()])
            error = (1 / (1 + math.exp(-max(-30.0, min(30.0, score)))) - answer) * weight[answer]
            bias -= 0.02 * error
            for at, value in values.items():
                step = error * value + DECAY * weights[at]
                seen[at] += step * step
                weights[at] -= RATE * step / math.sqrt(seen[at])
    return weights, bias


def train() -> None:
    """Thresholds come from messages outside the fold that was learnt from; the translations of a message are in one fold."""
    lines, places = rows(), {}
    fold = []
    for row in lines:
        places[row[0]] = places.get(row[0], -1) + 1
        fold.append(places[row[0]] % FOLDS)
    values = [features(row[3]) for row in lines]
    unseen: dict[str, list[tuple[float, str]]] = {"risk": [], "imminent": []}
    models = {}
    for question, meant in (("risk", LEVELS[2:]), ("imminent", LEVELS[3:])):
        examples = [(value, row[1] in meant) for value, row in zip(values, lines, strict=True)]
        for left_out in range(FOLDS):
            weights, bias = learn([example for example, at in zip(examples, fold, strict=True) if at != left_out])
            for value, row, at in zip(values, lines, fold, strict=True):
                if at == left_out:
                    unseen[question].append((bias + sum(weights[place] * share for place, share in value.items()), row[1]))
        models[question] = learn(examples)
    limits = {}
    for level, share in HARMLESS_RAISED.items():
        harmless = sorted(score for score, meant in unseen["risk"] if meant == "none")
        limits[level] = harmless[int(len(harmless) * (1 - share))]
        found = sum(score >= limits[level] for score, meant in unseen["risk"] if meant in LEVELS[2:])
        print(f"{level}: raises {found} risks, {share:.0%} of the harmless, outside the fold")
    lesser = sorted(score for score, meant in unseen["imminent"] if meant != "imminent")
    limits["act"] = lesser[int(len(lesser) * 0.94)]
    keep(models, limits)


def keep(models: dict, limits: dict[str, float]) -> None:
    scale = [max(map(abs, weights)) / 127 for weights, _ in models.values()]
    about = {
        "version": 1,
        "messages": hashlib.sha256(MESSAGES.read_bytes()).hexdigest(),
        "scale": scale,
        "bias": [bias for _, bias in models.values()],
        **limits,
    }
    body = b"".join(bytes(round(weight / size) + 128 for weight in weights) for (weights, _), size in zip(models.values(), scale, strict=True))
    (DATA / "weights.bin").write_bytes(json.dumps(about).encode() + b"\n" + body)


def measure(file: Path) -> None:
    """What is found and missed in messages of this form: language, level, kind, text."""
    examples = [row for row in csv.reader(file.open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE) if not row[0].startswith("#")]
    for language in ("all", *sorted({row[0] for row in examples})):
        found = [(LEVELS.index(row[1]), LEVELS.index(read(row[3], "").level)) for row in examples if language in ("all", row[0])]
        print(f"{language}: {len(found)} messages")
        for title, meant, seen in MEASURES:
            hits = [got in seen for level, got in found if level in meant]
            print(f"  {title}: {sum(hits)}/{len(hits)} = {sum(hits) / len(hits):.2f}")


def main() -> None:
    if "--train" in sys.argv:
        return train()
    if "--measure" in sys.argv:
        return measure(Path(sys.argv[-1]))
    chance = random.Random(7)
    began = time.process_time()
    read("Hello")
    print(f"first use: {(time.process_time() - began) * 1000:.0f} ms")
    for language, messages in texts().items():
        times = []
        for _ in range(RUNS):
            text = " ".join(chance.choices(messages, k=LENGTH // 20))[:LENGTH]
            began = time.process_time()
            read(text)
            times.append((time.process_time() - began) * 1000)
        print(f"{language}: median {statistics.median(times):.2f} ms, p95 {statistics.quantiles(times, n=20)[-1]:.2f} ms")


if __name__ == "__main__":
    main()
