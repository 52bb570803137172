"""A text on its way: a sentence reaches the person after it and the next one have passed the check."""

import re
from collections.abc import AsyncIterator, Callable

from msgspec import Struct

from holdfast.outside.model import NoAnswer

END = re.compile(r"[.!?…]+[\"'”»“)]*\s+")  # with what follows it, so that `3.30` ends nothing


class Sentence(Struct, frozen=True):
    """May be shown at once, after what was shown before."""

    text: str


class Replace(Struct, frozen=True):
    """The client clears what it showed and shows this instead."""

    text: str


class Done(Struct, frozen=True):
    """The whole text, as it belongs into the history, and who wrote it."""

    text: str
    from_model: bool
    against: tuple[str, ...] = ()


Event = Sentence | Replace | Done


async def released(pieces: AsyncIterator[str], against: Callable[[str, bool], list[str]], safe: Callable[[], str]) -> AsyncIterator[Event]:
    """`against(text, whole)` names what is wrong with the text so far. `safe` is asked for its text when something is, or when the model stops short.

    Every check reads all that has come, so nothing can hide across the end of a sentence.
    """
    text, shown = "", 0
    try:
        async for piece in pieces:
            text += piece
            ends = [found.end() for found in END.finditer(text)]
            if not ends or ends[-1] == shown:
                continue
            if wrong := against(text[: ends[-1]], False):
                yield Replace(replaced := safe())
                yield Done(replaced, False, tuple(wrong))
                return
            if len(ends) > 1 and ends[-2] > shown:
                yield Sentence(text[shown : ends[-2]])
                shown = ends[-2]
    except NoAnswer as reason:
        yield Replace(replaced := safe())
        yield Done(replaced, False, (str(reason),))
        return
    if wrong := against(text, True):
        yield Replace(replaced := safe())
        yield Done(replaced, False, tuple(wrong))
        return
    yield Sentence(text[shown:].rstrip())
    yield Done(text.strip(), True)
