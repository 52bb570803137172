"""What the rules that were met mean in words, for staff: a sign says what kind of thing was heard, never what was said."""

import json
from collections.abc import Sequence
from functools import cache

from holdfast import texts

KINDS = {
    "wish": "wish-to-die no-wish-to-live thoughts-of-suicide suicide-word peaceful-death imagined-absence weary-of-living no-point-in-living end-it "
    "minimised",
    "intent": "intent intent-die risk-intent-time calm-decision",
    "plan": "risk-plan risk-time plan-twice",
    "means": "means-alone means-at-hand means-request means-in-hand means-mentioned risk-means risk-edge edge hoard lethal-question drawn-to-means",
    "act": "act-in-progress other-in-the-act act swallowed-many",
    "goodbye": "note last-words affairs affairs-mentioned risk-goodbye",
    "burden": "burden unmissed unmissed-gone others-better-without absent-unmissed",
    "trapped": "no-future trapped strain-hopeless hopeless",
    "self_injury": "self-injury",
    "attempt": "attempt attempt-lately",
    "voices": "commanding-voices",
    "others": "wish-to-hurt-others threat-to-others anger-at-others",
    "danger": "danger-from-other",
    "strain": "suicide-loss survivor-guilt heavy-drinking sleepless anniversary",
    "taken_back": "taken-back",
    "weighed": "weights-watch weights-elevated weights-imminent",
}


def in_words(rules: str, language: str | None) -> list[str]:
    """Each kind once, in the order of the ids; `rules` is the JSON of a hand-over. What has no name yet is another sign."""
    words = texts.read(texts.known(language), "handover")["sign"]
    return [words[kind] for kind in dict.fromkeys(kinds_of(json.loads(rules)))]


def kinds_of(ids: Sequence[str]) -> list[str]:
    return [_kinds().get(rule, "other") for rule in ids]


@cache
def _kinds() -> dict[str, str]:
    return {rule: kind for kind, rules in KINDS.items() for rule in rules.split()}
