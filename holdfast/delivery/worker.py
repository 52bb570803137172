"""The worker: looks for what is due, sends it, and writes down what became of it, for as long as it runs."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from holdfast.db import Database
from holdfast.delivery import outbox
from holdfast.delivery.schemas import Body, Leased
from holdfast.errors import Unavailable
from holdfast.log import log
from holdfast.outside.sending import SEND_LIMIT, Message, Sender, Sent

POLL = 0.5  # seconds between looks; waking up earlier is a hint and may be lost
TIDY = 1.0  # seconds between searches for what is overdue
SLOTS = 8  # sends of one channel at once
FAILURES = 5  # connections that fail in a row; then one slot, until one of them succeeds
WRITE_DOWN = 0.2  # seconds between tries to record a result while the database is away: before anybody could claim it again
SUSPICIOUS = 5  # attempts: the provider has been away for over half a minute, or workers die with what they hold

Chore = Callable[[Database], Awaitable[None]]


class Pool:
    """The sends of one channel that are on their way."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.running: set[asyncio.Task[None]] = set()
        self._failures = 0

    @property
    def free(self) -> int:
        return (SLOTS if self._failures < FAILURES else 1) - len(self.running)

    def note(self, sent: Sent) -> None:
        self._failures = 0 if sent.reached else self._failures + 1


class Worker:
    """One in each process that delivers. Losing it loses nothing: its leases end, and another takes them up."""

    def __init__(self, db: Database, senders: Mapping[str, Sender], chores: Sequence[Chore]) -> None:
        """`chores` are looked after every TIDY seconds; they must find out cheaply whether there is anything to do."""
        self.name = secrets.token_hex(8)
        self._db, self._chores = db, chores
        self._pools = {channel: Pool(sender) for channel, sender in senders.items()}
        self._bell = asyncio.Event()
        self._stopping = self._troubled = False
        self._tidied = -TIDY

    @property
    def channels(self) -> list[str]:
        """What this process can send on."""
        return list(self._pools)

    def wake(self) -> None:
        self._bell.set()

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Begins nothing new and finishes what is being sent, within SEND_LIMIT; the rest stays leased and is sent again by the next one."""
        self._stopping = True
        self.wake()
        await self._loop
        sends = [task for pool in self._pools.values() for task in pool.running]
        if sends:
            _, unfinished = await asyncio.wait(sends, timeout=SEND_LIMIT)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            self._bell.clear()
            try:
                await self._round()
                self._troubled = False
            except Exception as error:
                self._complain(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._bell.wait()

    async def _round(self) -> None:
        for channel, pool in self._pools.items():
            await self._take(channel, pool)
        if time.monotonic() - self._tidied >= TIDY:
            self._tidied = time.monotonic()
            await self._tidy()

    async def _take(self, channel: str, pool: Pool) -> None:
        if pool.free <= 0:
            return
        async with self._db.read() as tx:
            if not await outbox.is_due(tx, channel):
                return
        async with self._db.write(alarm=True) as tx:
            taken = await outbox.claim(tx, self.name, channel, pool.free)
        for delivery in taken:
            task = asyncio.create_task(self._deliver(pool, delivery))
            pool.running.add(task)
            task.add_done_callback(pool.running.discard)
            task.add_done_callback(lambda _: self.wake())

    async def _deliver(self, pool: Pool, delivery: Leased) -> None:
        began = time.monotonic()
        if delivery.attempt == SUSPICIOUS:
            log.error("delivery_tried_often", delivery_id=delivery.id, alarm_id=delivery.alarm_id, attempt=delivery.attempt)
        sent = await self._send(pool.sender, delivery)
        pool.note(sent)
        kept = await self._write_down(delivery, sent)
        event = "delivery_attempt" if kept else "delivery_lease_lost"
        write = log.info if sent.outcome == "accepted" else log.warning
        seconds = round(time.monotonic() - began, 3)
        write(event, **_which(delivery), attempt=delivery.attempt, outcome=sent.outcome, code=sent.code, seconds=seconds, worker=self.name)
        if sent.refused_us:
            log.error("provider_refuses_us", **_which(delivery), code=sent.code, reason="Nothing leaves on this channel. Run: holdfast doctor")

    async def _send(self, sender: Sender, delivery: Leased) -> Sent:
        try:
            body = msgspec.json.decode(delivery.body, type=Body)
            return await sender.send(Message(delivery.ref, delivery.destination, body.subject, body.text, delivery.created_at))
        except Exception as error:
            log.error("bug", **_which(delivery), exc_info=error)
            return Sent("temporary", detail=type(error).__name__)

    async def _write_down(self, delivery: Leased, sent: Sent) -> bool:
        """Tries until it is written: the fence keeps it right however late, and giving up would send a second copy."""
        while True:
            try:
                async with self._db.write(alarm=True) as tx:
                    return await outbox.finish(tx, self.name, delivery, sent)
            except Exception as error:
                self._complain(error)
                await asyncio.sleep(WRITE_DOWN)

    async def _tidy(self) -> None:
        for chore in self._chores:
            await chore(self._db)
        async with self._db.read() as tx:
            if not await outbox.is_untidy(tx, self._pools):
                return
        async with self._db.write(alarm=True) as tx:
            given_up = await outbox.tidy(tx, self._pools)
        if given_up:
            log.error("deliveries_expired", count=given_up)

    def _complain(self, error: Exception) -> None:
        """Once for each time that the database goes away; a bug every time."""
        if not isinstance(error, Unavailable) and not self._db.down(error):
            log.error("bug", worker=self.name, exc_info=error)
        elif not self._troubled:
            log.error("database_unavailable", worker=self.name, exc_info=error)
        self._troubled = True


def _which(delivery: Leased) -> dict[str, object]:
    return {"delivery_id": delivery.id, "alarm_id": delivery.alarm_id, "channel": delivery.channel}
