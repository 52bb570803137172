"""What is written to the people whom an alarm tells, and said to the person who pressed."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from holdfast.db import Tx
from holdfast.delivery.schemas import Body
from holdfast.texts import LANGUAGES, channels, known, listed, page, sentence
from holdfast.texts.messages import Letter, Messages, Values, overrides

__all__ = ["LANGUAGES", "Values", "Wording", "channels", "known", "listed", "page", "sentence"]


class Wording(Messages):
    """The texts with the operator's own words over them, as they stand in one transaction."""

    def __init__(self, overrides: Mapping[tuple[str, str], str] | None = None) -> None:
        super().__init__(overrides)
        self._letters: dict[tuple[str, str, str | None, bytes], Letter] = {}  # many people are told the same

    @classmethod
    async def load(cls, tx: Tx) -> Wording:
        return cls(await overrides(tx))

    def written(self, kind: str, channel: str, language: str | None, values: Values) -> Body:
        """`text` holds LINK where it leads somewhere; the caller adds the seed of that link."""
        key = (kind, channel, language, msgspec.json.encode(values))
        letter = self._letters.get(key)
        if letter is None:
            letter = self._letters[key] = self.letter(kind, channel, language, values)
        return Body(letter.subject, letter.text)
