"""What a model writes for a person: asked for within the caps, checked, asked for once more, or left to the built-in guidance."""

from collections.abc import AsyncIterator, Callable

from msgspec import Struct

from holdfast.companion import spending
from holdfast.companion.output_check import reasons_against
from holdfast.companion.prompt import Purpose, Turn, messages
from holdfast.companion.spending import ModelCaps
from holdfast.companion.streaming import Done, Event, Replace, released
from holdfast.db import Database
from holdfast.log import log
from holdfast.outside.model import Model, NoAnswer, Sitting

TRIES = 2  # the first, and one more when the check refuses it


class Draft(Struct, frozen=True):
    """`turns` oldest first, the person's message last. `private`: names and places that must not leave. `openings`: of the last answers."""

    user_id: int
    turns: list[Turn]
    language: str
    private: list[str] = []
    openings: tuple[str, ...] = ()


class Written(Struct, frozen=True):
    """`text` is None when the built-in guidance has to answer; `refused`: both tries failed the check, which is a cause to hand over."""

    text: str | None = None
    refused: bool = False


async def model_text(db: Database, model: Model, caps: ModelCaps, draft: Draft) -> Written:
    """A whole checked answer at `none`. Never raises."""
    return await _written(db, model, caps, draft, "answer")


async def reflection(db: Database, model: Model, caps: ModelCaps, draft: Draft) -> str | None:
    """At most two checked sentences that give back what was said, to stand inside the frame of `watch` or `elevated`. Never raises."""
    return (await _written(db, model, caps, draft, "reflection")).text


async def model_stream(db: Database, model: Model, caps: ModelCaps, draft: Draft, safe: Callable[[], str]) -> AsyncIterator[Event]:
    """Sentences of a checked answer at `none`, or `safe` in their place; the last event is Done with the whole text. Never raises.

    Read it to its end also when the person is gone: the history holds the same text.
    """
    try:
        if not await _taken(db, caps, draft.user_id):
            raise NoAnswer("cap")
        async with model.sitting() as sitting:
            async for event in released(sitting.stream(_messages(draft, "answer")), _check_of(draft), safe):
                yield event
        await _note(db, draft.user_id, sitting)
    except Exception as error:
        _say(error)
        text = safe()
        yield Replace(text)
        yield Done(text, False)


async def _written(db: Database, model: Model, caps: ModelCaps, draft: Draft, purpose: Purpose) -> Written:
    try:
        if not await _taken(db, caps, draft.user_id):
            return Written()
        async with model.sitting() as sitting:
            try:
                return await _tried(sitting, draft, purpose)
            finally:
                await _note(db, draft.user_id, sitting)
    except Exception as error:
        _say(error)
        return Written()


async def _tried(sitting: Sitting, draft: Draft, purpose: Purpose) -> Written:
    against: list[str] = []
    for _ in range(TRIES):
        text = await sitting.complete(_messages(draft, purpose, against))
        against = reasons_against(text, draft.language, openings=draft.openings, purpose=purpose)
        if not against:
            return Written(text)
        log.warning("model_answer_refused", rule_id=",".join(against))
    return Written(refused=True)


def _messages(draft: Draft, purpose: Purpose, against: list[str] | None = None) -> list[dict[str, str]]:
    return messages(draft.turns, draft.language, draft.private, purpose=purpose, against=against or [])


def _check_of(draft: Draft) -> Callable[[str, bool], list[str]]:
    return lambda text, whole: reasons_against(text, draft.language, openings=draft.openings, whole=whole)


async def _taken(db: Database, caps: ModelCaps, user_id: int) -> bool:
    async with db.write() as tx:
        taken = await spending.take(tx, user_id, caps)
    if not taken:
        log.warning("model_cap_reached", provider="model")
    return taken


async def _note(db: Database, user_id: int, sitting: Sitting) -> None:
    """A count that cannot be written costs nobody an answer."""
    try:
        async with db.write() as tx:
            await spending.note(tx, user_id, max(0, sitting.calls - 1), sitting.tokens)
    except Exception as error:
        _say(error)


def _say(error: Exception) -> None:
    if not isinstance(error, NoAnswer):
        log.error("model_answer_failed", exc_info=error)
