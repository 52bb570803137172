"""What is written to the people whom an alarm tells, and said to the person who pressed."""

from __future__ import annotations

from holdfast.db import Tx
from holdfast.delivery.schemas import Body
from holdfast.texts import LANGUAGES, channels, known, listed, page, sentence
from holdfast.texts.messages import Messages, Values, overrides

__all__ = ["LANGUAGES", "Values", "Wording", "channels", "known", "listed", "page", "sentence"]


class Wording(Messages):
    """The texts with the operator's own words over them, as they stand in one transaction."""

    @classmethod
    async def load(cls, tx: Tx) -> Wording:
        return cls(await overrides(tx))

    def written(self, kind: str, channel: str, language: str | None, values: Values) -> Body:
        """`text` holds LINK where it leads somewhere; the caller adds the seed of that link."""
        letter = self.letter(kind, channel, language, values)
        return Body(letter.subject, letter.text)
