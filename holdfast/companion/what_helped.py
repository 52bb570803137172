"""What the exercises were to one person, as the person can read and clear it, and reports that one made it worse."""

from msgspec import Struct
from msgspec.structs import replace

from holdfast.clock import DAY
from holdfast.companion import memory, walking
from holdfast.companion.exercises import Tally, by_what_helped, exercises
from holdfast.companion.walking import Tools
from holdfast.companion.walking_words import walking_words
from holdfast.db import Tx
from holdfast.vault import Vault

COUNT = """
    insert into tool_report (day, tool, version, reports) values ((select holdfast_now()) / cast(:a_day as bigint), :tool, :version, :reports)
    on conflict (day, tool, version) do update set reports = tool_report.reports + excluded.reports"""


class ToolView(Struct):
    """`change`: the mean on the scale of 0 to 10, below zero for relief; null until there were three rated uses. `last`: the newest last.

    `sentence`: the relief in words, when there is one. `worse`: how often the person said that it made things worse.
    """

    tool: str
    name: str
    uses: int
    change: float | None
    last: tuple[int, ...]
    worse: int
    sentence: str | None


class WhatHelped(Struct):
    """`tools`: those that were used or reported. `order`: all exercises, what helped first, what made things worse last."""

    tools: list[ToolView]
    order: list[str]


async def what_helped(tx: Tx, vault: Vault, user_id: int, language: str) -> WhatHelped:
    known = await memory.known(tx, vault, user_id)
    tools = known.state.tools if known else Tools()
    order = by_what_helped(list(exercises().values()), tools.uses, tools.worse)
    touched = [one.id for one in order if one.id in tools.uses or one.id in tools.worse]
    return WhatHelped([_view(tool, tools, language) for tool in touched], [one.id for one in order])


async def report(tx: Tx, vault: Vault, user_id: int, tool: str, words: str | None) -> str:
    """The id of another exercise that may suit better. The count that staff see knows the exercise and not the person."""
    known = await memory.known(tx, vault, user_id)
    before = known.state.tools if known else Tools()
    after = walking.reported(before, tool, known.now if known else 0, words)
    await _keep(tx, vault, user_id, after)
    await count(tx, before, after)
    return walking.instead_of(tool, after)


async def count(tx: Tx, before: Tools, after: Tools) -> None:
    """The reports that are in `after` and not in `before`, also those that were made in the chat."""
    for tool, times in after.worse.items():
        fresh = times - before.worse.get(tool, 0)
        if fresh > 0 and tool in exercises():
            await tx.run(COUNT, a_day=DAY, tool=tool, version=exercises()[tool].version, reports=fresh)


async def clear(tx: Tx, vault: Vault, user_id: int) -> None:
    """The numbers that staff see stay: nobody is in them."""
    await _keep(tx, vault, user_id, Tools())


async def _keep(tx: Tx, vault: Vault, user_id: int, tools: Tools) -> None:
    known = await memory.known(tx, vault, user_id)
    if known and not known.lost and known.state.tools != tools:
        await memory.keep_state(tx, await vault.key_for(tx, user_id), user_id, replace(known.state, tools=tools))


def _view(tool: str, tools: Tools, language: str) -> ToolView:
    tally, name = tools.uses.get(tool, Tally()), exercises()[tool].script(language).name
    averages, words = tally.averages(), walking_words(language)
    sentence = f"{name}: {words.helped.format(before=averages[0], after=averages[1])}" if averages else None
    return ToolView(tool, name, tally.count, tally.change(), tally.last, tools.worse.get(tool, 0), sentence)
