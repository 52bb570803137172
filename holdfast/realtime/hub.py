"""The hub knows who listens to what in this process, and dispatches each topic's events in order, without a gap.

What is published is a hint and never the delivery: a hint that was lost, doubled or overtaken is repaired from the source, at the latest
by the next poll. So two processes on one database are right within POLL even without a word between them.
"""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from holdfast.db import refuse_inside_transaction
from holdfast.log import log
from holdfast.realtime.line import Event

POLL = 5.0  # seconds; support-chat.md section 3
SLICE = 1_000  # topics in one question


class Listener(Protocol):
    def hear(self, event: Event) -> None: ...


class Source(Protocol):
    """Where the truth is. A topic's numbers are gap-free, and equal to commit order."""

    async def heads(self, topics: list[int]) -> dict[int, int]:
        """The newest number of each."""

    async def open_heads(self) -> dict[int, int]:
        """The same for every topic that somebody who listens everywhere has to hear."""

    async def after(self, topic: int, seq: int) -> list[Event]:
        """In order; some when there are any, not necessarily all."""


class _Topic:
    __slots__ = ("head", "last", "listeners", "repair")

    def __init__(self) -> None:
        self.last: int | None = None  # dispatched; None until somebody knows where the topic stands
        self.head = 0  # known to exist
        self.listeners: dict[Listener, None] = {}
        self.repair: asyncio.Task[None] | None = None


class Hub:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._topics: dict[int, _Topic] = {}
        self._everywhere: dict[Listener, None] = {}
        self._surveyed = False  # whether every open topic is known, so that an unknown one must be new

    def listen(self, listener: Listener, topic: int | None) -> None:
        """None is everywhere. Who joins holds back what it hears, then asks `standing` or `survey` how far it has to read for itself."""
        if topic is None:
            self._everywhere[listener] = None
        else:
            self._topics.setdefault(topic, _Topic()).listeners[listener] = None

    def leave(self, listener: Listener, topic: int | None) -> None:
        if topic is None:
            self._everywhere.pop(listener, None)
        elif topic in self._topics:
            self._topics[topic].listeners.pop(listener, None)
        if not self._everywhere:
            self._surveyed = False
            idle = [topic] if topic is not None else list(self._topics)
            for number in idle:
                if number in self._topics and not self._topics[number].listeners:
                    del self._topics[number]

    def listeners(self, topic: int) -> Iterator[Listener]:
        if topic in self._topics:
            yield from list(self._topics[topic].listeners)
        yield from list(self._everywhere)

    def publish(self, event: Event) -> None:
        """Only after COMMIT: raises RuntimeError inside a transaction, where the row may still vanish."""
        refuse_inside_transaction()
        topic = self._topics.get(event.topic)
        if topic is None:
            if not self._everywhere:
                return
            topic = self._topics[event.topic] = _Topic()
        if topic.last is None:
            topic.last = event.seq - 1
        if event.seq == topic.last + 1:
            self._dispatch(topic, event)
        elif event.seq > topic.last:
            self._repair(event.topic, topic, event.seq)

    async def standing(self, number: int) -> int:
        """Up to where the topic has been dispatched: everything after that is heard by who has begun to listen."""
        heads = await self._source.heads([number])
        return self._place(number, heads.get(number, 0))

    async def survey(self) -> dict[int, int]:
        """`standing` of every open topic, for who listens everywhere."""
        heads = await self._source.open_heads()
        standing = {number: self._place(number, head) for number, head in heads.items()}
        self._surveyed = bool(self._everywhere)
        return standing

    async def poll(self) -> None:
        """Compares every topic that somebody listens to with the source. This is what is relied on."""
        surveyed = self._surveyed
        heads = await self._source.open_heads() if self._everywhere else {}
        missing = [number for number in self._topics if number not in heads]
        for start in range(0, len(missing), SLICE):
            heads |= await self._source.heads(missing[start : start + SLICE])
        for number, head in heads.items():
            topic = self._topics.get(number)
            if topic is None and surveyed and self._surveyed:
                topic = self._topics[number] = _Topic()
                topic.last = 0
            if topic and topic.last is not None and head > topic.last:
                self._repair(number, topic, head)

    def _place(self, number: int, head: int) -> int:
        topic = self._topics.setdefault(number, _Topic())
        if topic.last is None:
            topic.last = head
        elif head > topic.last:
            self._repair(number, topic, head)
        return topic.last

    def _repair(self, number: int, topic: _Topic, head: int) -> None:
        topic.head = max(topic.head, head)
        if topic.repair is None:
            topic.repair = asyncio.create_task(self._read_gap(number, topic))

    async def _read_gap(self, number: int, topic: _Topic) -> None:
        try:
            while topic.last is not None and topic.last < topic.head:
                events = await self._source.after(number, topic.last)
                for event in events:
                    if event.seq > topic.last:
                        self._dispatch(topic, event)
                if not events:
                    return
        except Exception as error:
            log.warning("gap_not_read", exc_info=error)  # the next poll tries again
        finally:
            topic.repair = None

    def _dispatch(self, topic: _Topic, event: Event) -> None:
        topic.last = event.seq
        for listener in [*topic.listeners, *self._everywhere]:
            listener.hear(event)
