"""The linear model of the crisis check, made anew out of the development messages: `make companion-train`, the same file bit for bit.

`python bench/train.py --report` leaves out one writer, and then one failure mode, and says what is found of what was left out (docs/safety.md).
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from written import HEAD, Message, made_from, messages, row  # noqa: E402

from holdfast.companion.detector import LEVELS, analysed, may_be_imminent  # noqa: E402
from holdfast.companion.weighing import BUCKETS, ZERO, features  # noqa: E402
from holdfast.companion.words import DATA  # noqa: E402

AUTHOR = "x"  # wrote the rules out of these messages: how well those fit them teaches nothing
SAMPLES = 4  # messages out of one line that holds alternatives
STRENGTH = 8.0  # the inverse of the regularisation
UNDECIDED = 0.1  # what a message at `watch` counts
HARMLESS = {"watch": 0.33, "elevated": 0.16, "imminent": 0.055}  # share of harmless messages, most of them made to mislead, that may be raised so far


class Example(NamedTuple):
    message: Message
    pieces: list[dict[int, float]]
    may_be_imminent: list[bool]  # per piece: one of the classes without which weights make nothing imminent
    by_rules: int  # level that the strong frames give


def examples(found: Iterable[Message]) -> list[Example]:
    return [_example(message) for message in found]


def _example(message: Message) -> Example:
    seen = analysed(message.text)
    pieces = seen.pieces()
    if message.writer == AUTHOR:
        pieces = [piece._replace(rules=[]) for piece in pieces]
    by_rules = max([LEVELS.index(level) for match, level in seen.judged if match.frame.strong], default=0)
    may = [may_be_imminent(piece, seen.languages) for piece in pieces]
    return Example(message, [_values(features(piece, seen.languages)) for piece in pieces], may, by_rules)


def _values(groups: Iterable[list[int]]) -> dict[int, float]:
    values: dict[int, float] = {}
    for group in groups:
        for at in sorted(group):
            values[at] = values.get(at, 0.0) + len(group) ** -0.5
    return values


class Line(NamedTuple):
    """One question's weights as they are shipped: bytes around 128, times `scale`, plus `bias`."""

    bytes: np.ndarray
    scale: float
    bias: float

    def of(self, rows: csr_matrix) -> np.ndarray:
        return rows @ ((self.bytes.astype(float) - ZERO) * self.scale) + self.bias


class Model(NamedTuple):
    risk: Line
    imminent: Line

    def scores(self, example: Example) -> list[tuple[float, float]]:
        """Per piece."""
        if not example.pieces:
            return []
        rows = matrix(example.pieces)
        return list(zip(self.risk.of(rows), self.imminent.of(rows), strict=True))


def matrix(rows: list[dict[int, float]]) -> csr_matrix:
    at = [bucket for row in rows for bucket in row]
    values = [value for row in rows for value in row.values()]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return csr_matrix((values, at, ends), shape=(len(rows), BUCKETS))


def learnt(known: list[Example]) -> Model:
    """Of a long message only the piece that speaks most for its level is learnt from: the rest of it may be harmless."""
    known = [example for example in known if example.pieces]
    chosen = [0] * len(known)
    for _ in range(2):
        rows = matrix([example.pieces[at] for example, at in zip(known, chosen, strict=True)])
        levels = np.array([LEVELS.index(example.message.level) for example in known])
        model = Model(_line(rows, levels, 2), _line(rows, levels, 3))
        chosen = [_heaviest(model, example) if len(example.pieces) > 1 else 0 for example in known]
    return model


def _line(rows: csr_matrix, levels: np.ndarray, least: int) -> Line:
    """Dual coordinate descent: plain loops in a fixed order, so the result does not depend on the machine's linear algebra.

    What many messages hold says less than what few do. `watch` stands between the two answers: it hardly counts for either.
    """
    answers = levels >= least
    shares = np.where(levels == 1, UNDECIDED, 1.0)
    shares *= np.where(answers, shares.sum() / shares[answers].sum(), shares.sum() / shares[~answers].sum()) / 2
    seen = np.bincount(rows.indices, minlength=BUCKETS)
    rarity = (np.log((rows.shape[0] + 1) / (seen + 1)) / 5) ** 2
    scaled = csr_matrix((rows.data * rarity[rows.indices], rows.indices, rows.indptr), shape=rows.shape)
    fitted = LogisticRegression(C=STRENGTH, solver="liblinear", dual=True, max_iter=300, tol=1e-2, random_state=7)
    fitted.fit(scaled, answers, sample_weight=shares)
    weights = fitted.coef_[0] * rarity
    scale = float(np.sort(np.abs(weights[weights != 0]))[-1 - np.count_nonzero(weights) // 2000]) / 127
    return Line(np.clip(np.rint(weights / scale) + ZERO, 0, 255).astype(np.uint8), scale, float(fitted.intercept_[0]))


def _heaviest(model: Model, example: Example) -> int:
    found = [risk for risk, _ in model.scores(example)]
    return found.index(max(found))


class Limits(NamedTuple):
    watch: float
    elevated: float
    act: float


def limits(seen: list[tuple[Example, list[tuple[float, float]]]]) -> Limits:
    """`seen`: scores by models that did not learn from the message's writer."""
    harmless = [scores for example, scores in seen if example.message.level == "none" and example.message.writer != AUTHOR]
    risks = sorted(max([risk for risk, _ in scores], default=-9.0) for scores in harmless)
    watch, elevated = (risks[int(len(risks) * (1 - HARMLESS[level]))] for level in ("watch", "elevated"))
    acts = sorted(max([act for risk, act in scores if risk >= elevated], default=-9.0) for scores in harmless)
    return Limits(watch, elevated, acts[int(len(acts) * (1 - HARMLESS["imminent"]))])


def level_of(example: Example, scores: list[tuple[float, float]], known: Limits) -> int:
    """As the detector decides."""
    level = example.by_rules
    for (risk, act), may in zip(scores, example.may_be_imminent, strict=True):
        by_weights = 3 if risk >= known.elevated and act >= known.act and may else 2 if risk >= known.elevated else 1 if risk >= known.watch else 0
        level = max(level, by_weights)
    return level


def packed(model: Model, known: Limits) -> bytes:
    """The file as it is shipped."""
    about = {
        "version": 3,
        "made_from": made_from(),
        "scale": [each.scale for each in model],
        "bias": [each.bias for each in model],
        **known._asdict(),
    }
    return json.dumps(about).encode() + b"\n" + b"".join(each.bytes.tobytes() for each in model)


def left_out(known: list[Example], plain: list[Example], part: str) -> list[tuple[Example, list[tuple[float, float]]]]:
    """Each plain message with the scores of a model that knew nothing of its writer, or of its failure mode. `part`: writer or mode.

    The author's messages have kinds of their own instead of the failure modes: they are always learnt from, and not measured here by mode.
    """
    seen = []
    plain = [example for example in plain if part == "writer" or example.message.writer != AUTHOR]
    for group in sorted({getattr(example.message, part) for example in plain}):
        model = learnt([example for example in known if getattr(example.message, part) != group])
        seen += [(example, model.scores(example)) for example in plain if getattr(example.message, part) == group]
    return seen


def report(title: str, seen: list[tuple[Example, list[tuple[float, float]]]], known: Limits) -> None:
    print(f"\n{title}")
    print(HEAD)
    for language in ("all", *sorted({example.message.language for example, _ in seen})):
        found = [
            (LEVELS.index(example.message.level), level_of(example, scores, known))
            for example, scores in seen
            if language in ("all", example.message.language)
        ]
        print(row(language, found))


def main() -> None:
    known, plain = examples(messages(SAMPLES)), examples(messages())
    by_writer = left_out(known, plain, "writer")
    found = limits(by_writer)
    report("One writer left out", by_writer, found)
    if "--report" in sys.argv:
        report("One failure mode left out", left_out(known, plain, "mode"), found)
        return
    (DATA / "weights.bin").write_bytes(packed(learnt(known), found))


if __name__ == "__main__":
    main()
