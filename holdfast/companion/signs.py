"""What the rules that were met mean in words, for staff: a sign says what kind of thing was heard, never what was said."""

import json
from collections.abc import Sequence
from functools import cache

from holdfast import texts

KINDS = {
    "wish": "wish-to-die no-wish-to-live thoughts-of-suicide suicide-word peaceful-death imagined-absence weary-of-living "
    "no-point-in-living end-it minimised death-by-accident-welcome weary-of-being rest-forever end-of-it-all "
    "end-of-it-all-forever envies-the-dead wishes-to-be-taken lived-enough",
    "intent": "intent intent-die risk-intent-time calm-decision it-decided",
    "plan": "risk-plan risk-time plan-twice away-by-then gone-by-then ending-with-a-time it-when-asleep it-with-a-time it-soon "
    "place-and-time risk-and-ending",
    "means": "means-alone means-at-hand means-request means-in-hand means-mentioned means-ready means-and-sadness risk-means "
    "wish-and-means-at-hand risk-edge edge hoard lethal-question drawn-to-means way-to-leave way-asked way-asked-alone",
    "act": "act act-soon wish-for-the-act act-in-progress other-in-the-act another-in-the-act swallowed-many",
    "goodbye": "note last-words last-thing affairs affairs-mentioned risk-goodbye do-not-look-for-me signs-of-an-ending settled-and-sad",
    "burden": "burden unmissed unmissed-gone others-better-without absent-unmissed drags-others-down",
    "trapped": "no-future no-future-imagined trapped strain-hopeless hopeless cannot-go-on no-exit nothing-matters nothing-matters-alone",
    "self_injury": "self-injury hurts-own-body own-body-hurt",
    "attempt": "attempt attempt-lately",
    "voices": "commanding-voices",
    "others": "wish-to-hurt-others threat-to-others anger-at-others slay slay-with-means",
    "danger": "danger-from-other violence-now",
    "another": "another-in-danger",
    "strain": "suicide-loss survivor-guilt heavy-drinking sleepless anniversary strain drained weak-sign weak-sign-in-distress",
    "taken_back": "taken-back taken-back-wish",
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
