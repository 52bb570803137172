"""The embedded companion's ear: which topic a harmless message is about, and whether it decides about the model."""

from holdfast.companion import scope
from holdfast.companion.normalise import Token, language_of, tokens_of
from holdfast.companion.words import vocabulary

# The first that is heard counts: a wish for a person before everything, a greeting last.
TOPICS = {
    "asks_human": "human",
    "asks_if_ai": "ai",
    "topic_medicine": "medicine",
    "topic_flashback": "flashback",
    "topic_panic": "panic",
    "topic_breathing": "breathing",
    "topic_sleep": "sleep",
    "topic_grounding": "grounding",
    "topic_anger": "anger",
    "topic_lonely": "lonely",
    "topic_low": "low",
    "topic_about": "about",
    "topic_thanks": "thanks",
    "topic_greeting": "greeting",
}
CONSENT_WORDS = 6  # a longer message is about something else


def topic_of(text: str) -> str:
    heard = _heard(tokens_of(text))
    return next((topic for kind, topic in TOPICS.items() if kind in heard), "other")


def consent_in(text: str) -> str | None:
    """`given`, `refused`, or None. A refusal wins over everything said beside it."""
    tokens = tokens_of(text)
    if len(tokens) > CONSENT_WORDS:
        return None
    heard = _heard(tokens)
    return "refused" if "consent_no" in heard else "given" if "consent_yes" in heard else None


def _heard(tokens: list[Token]) -> set[str]:
    sentences = tokens[-1].sentence + 1 if tokens else 0
    hits = vocabulary("topics").find(tokens, [language_of(tokens, "")] * sentences)
    return {hit.kind for hit in scope.without_idioms(hits)}
