"""A message to the companion and its answer."""

import unicodedata
from typing import Any

from msgspec import UNSET, Struct

from holdfast.fields import UNWANTED


class NewMessage(Struct):
    """`text` is taken as it comes: everything that is wrong with it gets one sentence of the contract."""

    text: Any = UNSET

    def plain(self) -> str:
        """Stripped and NFC-normalised; control characters are dropped, for a person in need is not refused over one. Empty when there is no text."""
        if not isinstance(self.text, str):
            return ""
        kept = UNWANTED.sub(lambda found: found[0] if found[0] in "\n\t" else "", self.text)
        return unicodedata.normalize("NFC", kept).strip()


class Response(Struct):
    """Exactly this key: an old client shows nothing else."""

    response: str
