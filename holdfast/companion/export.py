"""Everything that the companion keeps of one person, to take along: the data, and in words what they say."""

import asyncio
from typing import Any, Literal

import msgspec
from msgspec import Struct

from holdfast import texts
from holdfast.clock import iso, iso_or_none
from holdfast.companion import consents, memory, privacy
from holdfast.companion.consents import ConsentView
from holdfast.companion.memory import State
from holdfast.companion.privacy import MOST, NEWEST, History, Page, TurnView
from holdfast.db import Database
from holdfast.vault import Vault

SCHEMA = "holdfast/companion-export/1"

HAND_OVERS = """
    select level, cause, rules, resource, shared, created_at, joined_at, closed_at from hand_over where user_id = :user_id order by id"""

READERS = """
    select r.at, coalesce(a.username, '') as who, r.action as what, r.outcome
      from audit r left join account a on a.id = r.actor_id
     where r.user_id = :user_id and r.actor_id <> :user_id
     order by r.id desc
     limit 1000"""

MODEL_USE = "select day, calls, tokens from model_use where user_id = :user_id order by day"


class HandOver(Struct):
    level: str
    cause: str
    rules: str
    resource: str | None
    shared: bool
    created_at: str
    joined_at: str | None
    closed_at: str | None


class Reader(Struct):
    """Somebody of the service who opened or changed something of this person's. `what` is the door."""

    at: str
    who: str
    what: str
    outcome: Literal["done", "refused"]


class ModelUse(Struct):
    """`day` counts from the first of January 1970."""

    day: int
    calls: int
    tokens: int


class Export(Struct):
    """`state` says in words what `state_data` holds; `ratings` is what was said about exercises; `readers` has the newest first."""

    schema: str
    exported_at: str
    turns: list[TurnView]
    unreadable: int
    state: list[str]
    state_data: dict[str, Any]
    ratings: dict[str, Any]
    consents: ConsentView
    hand_overs: list[HandOver]
    model_use: list[ModelUse]
    readers: list[Reader]


class _HandOver(Struct):
    level: str
    cause: str
    rules: str
    resource: str | None
    shared: bool
    created_at: int
    joined_at: int | None
    closed_at: int | None


class _Reader(Struct):
    at: int
    who: str
    what: str
    outcome: Literal["done", "refused"]


async def export(db: Database, vault: Vault, user_id: int, language: str | None) -> Export:
    async with db.read() as tx:
        known = await memory.known(tx, vault, user_id) or memory.Known(0)
        agreed = await consents.consents(tx, user_id)
        hand_overs = [_hand_over(row) for row in await tx.all(HAND_OVERS, _HandOver, user_id=user_id)]
        used = await tx.all(MODEL_USE, ModelUse, user_id=user_id)
        readers = [Reader(iso(row.at), row.who, row.what, row.outcome) for row in await tx.all(READERS, _Reader, user_id=user_id)]
    turns, unreadable = await _all_turns(db, vault, user_id)
    state = msgspec.to_builtins(known.state)
    told = in_words(known.state, agreed.kept_days, unreadable, language)
    return Export(SCHEMA, iso(known.now), turns, unreadable, told, state, state["tools"], agreed, hand_overs, used, readers)


def in_words(state: State, kept_days: int, unreadable: int, language: str | None) -> list[str]:
    words = texts.read(texts.known(language), "privacy")
    episode, walk = state.episode, state.tools.walk
    told = []
    if episode.since:
        told.append(words["level"].format(level=words["levels"][episode.level], since=_minute(episode.since)))
        told.append(words["forgotten"])
    if episode.pending:
        told.append(words["pending"])
    if walk:
        told.append(words["walk"].format(exercise=walk.exercise))
    if state.answers and state.answered_at:
        told.append(words["answers"].format(answers=state.answers, at=_minute(state.answered_at)))
    if state.disclosed_at:
        told.append(words["disclosed"].format(at=_minute(state.disclosed_at)))
    if unreadable:
        told.append(words["unreadable"].format(count=unreadable))
    return [*(told or [words["nothing"]]), words["kept_days"].format(days=kept_days)]


async def _all_turns(db: Database, vault: Vault, user_id: int) -> tuple[list[TurnView], int]:
    """Page by page, so that everybody else's requests come in between."""
    pages: list[History] = []
    before_id: int | None = NEWEST
    while before_id is not None:
        async with db.read() as tx:
            pages.append(await privacy.history(tx, vault, user_id, Page(before_id, MOST)))
        before_id = pages[-1].before_id
        await asyncio.sleep(0)
    return [turn for page in reversed(pages) for turn in page.turns], sum(page.unreadable for page in pages)


def _hand_over(row: _HandOver) -> HandOver:
    times = (iso(row.created_at), iso_or_none(row.joined_at), iso_or_none(row.closed_at))
    return HandOver(row.level, row.cause, row.rules, row.resource, row.shared, *times)


def _minute(at: int) -> str:
    return iso(at)[:16].replace("T", " ")
