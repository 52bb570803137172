"""What is written to the people whom an alarm tells, and said to the person who pressed."""

from __future__ import annotations

import msgspec

from holdfast.db import Tx
from holdfast.delivery.schemas import Body
from holdfast.texts import LANGUAGES, channels, known, listed, page, sentence
from holdfast.texts.messages import Letter, Messages, Values, overrides

__all__ = ["LANGUAGES", "Values", "Wording", "channels", "known", "listed", "page", "sentence"]


class Wording(Messages):
    """The texts with the operator's own words over them, as they stand in one transaction."""

    _letters: dict[tuple[str, str, str | None, bytes], Letter]

    @classmethod
    async def load(cls, tx: Tx) -> Wording:
        wording = cls(await overrides(tx))
        wording._letters = {}  # many people are told the same
        return wording

    def written(self, kind: str, channel: str, language: str | None, values: Values) -> Body:
        """`text` holds LINK where it leads somewhere; the caller adds the seed of that link."""
        key = (kind, channel, language, msgspec.json.encode(values))
        letter = self._letters.get(key)
        if letter is None:
            letter = self._letters[key] = self.letter(kind, channel, language, values)
        return Body(letter.subject, letter.text)
