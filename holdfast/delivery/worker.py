"""The worker: looks for what is due, sends it, and writes down what became of it, for as long as it runs."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from holdfast.clock import HOUR, SECOND
from holdfast.db import Database, Tx
from holdfast.delivery import outbox
from holdfast.delivery.links import Links
from holdfast.delivery.outbox import Finished
from holdfast.delivery.schemas import LINK, Body, Leased
from holdfast.errors import Unavailable
from holdfast.log import log
from holdfast.outside.sending import Message, Sender, Sent
from holdfast.settings import Settings

TIDY = 1.0  # seconds between searches for what is overdue
SLOTS = 2  # sends of one channel at once, where no setting says more
FAILURES = 5  # connections that fail in a row; then one slot, until one of them succeeds
WRITE_DOWN = 0.2  # seconds between tries to record a result while the database is away: before anybody could claim it again
SUSPICIOUS = 5  # attempts: the provider has been away for over half a minute, or workers die with what they hold
BREATH = 0.05  # seconds between two rounds of chores, however many ask for one
HEARTBEAT = 5.0  # seconds; the watchdog looks for it
OVERTIME = 0.5  # seconds beyond its limit after which a sender is no longer believed to end by itself

LIVE = """
    insert into heartbeat (worker, at) values (:worker, holdfast_now()) on conflict (worker) do update set at = holdfast_now()"""

DIE = "delete from heartbeat where worker = :worker or at < holdfast_now() - cast(:forgotten as bigint)"

Chore = Callable[[Database], Awaitable[None]]
Refused = Callable[[Tx, str, str, str | None], Awaitable[None]]  # channel, destination, the provider's code


class Pool:
    """The sends of one channel that are on their way. No channel ever waits for another."""

    def __init__(self, sender: Sender, slots: int = SLOTS) -> None:
        self.sender = sender
        self.running: set[asyncio.Task[None]] = set()
        self.bell = asyncio.Event()
        self._slots = slots
        self._failures = 0

    @property
    def failing(self) -> bool:
        return self._failures >= FAILURES

    @property
    def free(self) -> int:
        return (1 if self.failing else self._slots) - len(self.running)

    def note(self, sent: Sent) -> None:
        self._failures = 0 if sent.reached else self._failures + 1

    def begin(self, send: Awaitable[None]) -> None:
        task = asyncio.ensure_future(send)
        self.running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: "asyncio.Future[None]") -> None:
        self.running.discard(task)
        self.bell.set()


class Worker:
    """One in each process that delivers. Losing it loses nothing: its leases end, and another takes them up."""

    def __init__(
        self, db: Database, senders: Mapping[str, Sender], chores: Sequence[Chore], settings: Settings, links: Links, refused: Refused
    ) -> None:
        """`chores` are looked after every TIDY seconds, and at once after a `hurry`; they must find out cheaply whether there is anything to do.

        `refused` hears, in the transaction that writes it down, of an address that a provider will not take.
        """
        self.name = secrets.token_hex(8)
        self._db, self._chores, self._settings, self._links, self._refused = db, chores, settings, links, refused
        slots = {"email": settings.pool_email, "sms": settings.pool_sms}
        self._pools = {channel: Pool(sender, slots.get(channel, SLOTS)) for channel, sender in senders.items()}
        self._haste = asyncio.Event()
        self._stopping = self._troubled = False
        self._beaten = -HEARTBEAT

    @property
    def channels(self) -> list[str]:
        """What this process can send on."""
        return list(self._pools)

    def wake(self) -> None:
        """Something may be due. A hint: it may be lost."""
        for pool in self._pools.values():
            pool.bell.set()

    def hurry(self) -> None:
        """Somebody may be owed another message, or the next channel."""
        self._haste.set()

    def start(self) -> None:
        self._loops = [asyncio.create_task(self._serve(channel, pool)) for channel, pool in self._pools.items()]
        self._loops.append(asyncio.create_task(self._look_after()))

    async def stop(self) -> None:
        """Begins nothing new and finishes what is being sent, within `send_limit`; the rest stays leased and is sent again by the next one."""
        self._stopping = True
        self.wake()
        self.hurry()
        await asyncio.gather(*self._loops)
        sends = [task for pool in self._pools.values() for task in pool.running]
        if sends:
            _, unfinished = await asyncio.wait(sends, timeout=self._settings.send_limit)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        with contextlib.suppress(Exception):
            async with self._db.write() as tx:
                await tx.run(DIE, worker=self.name, forgotten=HOUR)

    async def _serve(self, channel: str, pool: Pool) -> None:
        while not self._stopping:
            pool.bell.clear()
            await self._try(self._take(channel, pool))
            if pool.failing:  # whatever is due: a provider that is gone must not take the disk from those who press
                await asyncio.sleep(self._settings.poll)
            else:
                await _rung(pool.bell, self._settings.poll)

    async def _take(self, channel: str, pool: Pool) -> None:
        if pool.free <= 0:
            return
        async with self._db.read(alarm=True) as tx:
            if not await outbox.is_due(tx, channel):
                return
        async with self._db.write(alarm=True) as tx:
            taken = await outbox.claim(tx, self.name, channel, pool.free, self._settings.lease * SECOND)
        for delivery in taken:
            pool.begin(self._deliver(pool, delivery))

    async def _deliver(self, pool: Pool, delivery: Leased) -> None:
        began = time.monotonic()
        if delivery.attempt == SUSPICIOUS:
            log.error("delivery_tried_often", delivery_id=delivery.id, alarm_id=delivery.alarm_id, attempt=delivery.attempt)
        sent = await self._send(pool.sender, delivery)
        pool.note(sent)
        kept = await self._write_down(delivery, sent)
        if not kept or kept.stirs or sent.outcome != "accepted":
            self.hurry()
        event = "delivery_attempt" if kept else "delivery_lease_lost"
        write = log.info if sent.outcome == "accepted" else log.warning
        seconds = round(time.monotonic() - began, 3)
        write(event, **_which(delivery), attempt=delivery.attempt, outcome=sent.outcome, code=sent.code, seconds=seconds, worker=self.name)
        if sent.refused_us:
            log.error("provider_refuses_us", **_which(delivery), code=sent.code, reason="Nothing leaves on this channel. Run: holdfast doctor")

    async def _send(self, sender: Sender, delivery: Leased) -> Sent:
        try:
            body = msgspec.json.decode(delivery.body, type=Body)
            message = Message(delivery.ref, delivery.destination, body.subject, self._written(body, delivery), delivery.created_at)
            async with asyncio.timeout(self._settings.send_limit + OVERTIME):
                return await sender.send(message)
        except TimeoutError:
            return Sent("ambiguous", detail="no end in time")
        except Exception as error:
            log.error("bug", **_which(delivery), exc_info=error)
            return Sent("temporary", detail=type(error).__name__)

    def _written(self, body: Body, delivery: Leased) -> str:
        """The link is put in at the last moment. Without its key the text goes without it: silence would be worse."""
        link = ""
        try:
            link = self._links.address(body.link) if body.link else ""
        except KeyError:
            log.error("link_key_missing", **_which(delivery), reason="HOLDFAST_LINK_KEYS lacks the key that signed it.")
        return body.text.replace(LINK, link)

    async def _write_down(self, delivery: Leased, sent: Sent) -> Finished | None:
        """Tries until it is written: the fence keeps it right however late, and giving up would send a second copy.

        A bug gives up when the lease has ended.
        """
        began = time.monotonic()
        while True:
            try:
                async with self._db.write(alarm=True) as tx:
                    if sent.outcome == "permanent":
                        await self._refused(tx, delivery.channel, delivery.destination, sent.code)
                    return await outbox.finish(tx, self.name, delivery, sent)
            except Exception as error:
                self._complain(error)
                if not self._is_away(error) and time.monotonic() - began > self._settings.lease:
                    return None
                await asyncio.sleep(WRITE_DOWN)

    async def _look_after(self) -> None:
        while not self._stopping:
            self._haste.clear()
            for chore in self._chores:
                await self._try(chore(self._db))
            await self._try(self._tidy())
            self.wake()
            await self._beat()
            await asyncio.sleep(BREATH)
            await _rung(self._haste, TIDY)

    async def _tidy(self) -> None:
        async with self._db.read(alarm=True) as tx:
            if not await outbox.is_untidy(tx, self._pools):
                return
        async with self._db.write(alarm=True) as tx:
            given_up = await outbox.tidy(tx, self._pools)
        if given_up:
            log.error("deliveries_expired", count=given_up)

    async def _beat(self) -> None:
        if time.monotonic() - self._beaten >= HEARTBEAT:
            self._beaten = time.monotonic()
            with contextlib.suppress(Exception):  # the watchdog says so when nothing comes
                async with self._db.write() as tx:
                    await tx.run(LIVE, worker=self.name)
                    await tx.run(DIE, worker="", forgotten=HOUR)

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
            self._troubled = False
        except Exception as error:
            self._complain(error)

    def _is_away(self, error: Exception) -> bool:
        return isinstance(error, Unavailable) or self._db.down(error)

    def _complain(self, error: Exception) -> None:
        """Once for each time that the database goes away; a bug every time."""
        if not self._is_away(error):
            log.error("bug", worker=self.name, exc_info=error)
        elif not self._troubled:
            log.error("database_unavailable", worker=self.name, exc_info=error)
        self._troubled = True


async def _rung(bell: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()


def _which(delivery: Leased) -> dict[str, object]:
    return {"delivery_id": delivery.id, "alarm_id": delivery.alarm_id, "channel": delivery.channel}
