"""Whoever has taken a conversation and is gone gives it back: the person must not be alone with a companion that is silent."""

from holdfast.clock import MINUTE
from holdfast.companion import handover
from holdfast.db import Database
from holdfast.support import queue
from holdfast.support.chat import Chat
from holdfast.support.queue import NotYours, Silent
from holdfast.vault import Vault

# Without a socket in this process and without a word for so long. Longer than support-chat.md, section 9, wants, for a console may do without
# a socket, or have it in another process, of which nothing is known here.
ABSENT_AFTER = 10 * MINUTE
LOOK = 15.0  # seconds


class Absence:
    def __init__(self, db: Database, chat: Chat, vault: Vault) -> None:
        self._db, self._chat, self._vault = db, chat, vault

    async def give_back(self) -> None:
        async with self._db.read() as tx:
            found = await queue.silent(tx, ABSENT_AFTER)
        for one in found:
            if one.staff_id not in self._chat.staff_here:
                await self._give_back(one)

    async def _give_back(self, one: Silent) -> None:
        try:
            async with self._db.write() as tx:
                await queue.release(tx, one.user_id, one.staff_id)
                said = await handover.leave(tx, self._vault, one.user_id, one.name)
        except NotYours:
            return  # given back meanwhile
        self._chat.publish(said)
