"""Hints come late, twice, out of order or not at all; what is heard is in order and without a gap."""

import asyncio
import random

import pytest

from holdfast.db import writing
from holdfast.realtime.hub import Hub
from holdfast.realtime.line import Event


class Book:
    """The truth: how far each topic has come."""

    def __init__(self):
        self.numbers, self.reads = {}, 0

    def write(self, topic):
        self.numbers[topic] = self.numbers.get(topic, 0) + 1
        return Event(topic, self.numbers[topic], "")

    async def heads(self, topics):
        await asyncio.sleep(0)
        return {topic: self.numbers[topic] for topic in topics if topic in self.numbers}

    async def open_heads(self):
        await asyncio.sleep(0)
        return dict(self.numbers)

    async def after(self, topic, seq):
        self.reads += 1
        await asyncio.sleep(0)
        return [Event(topic, number, "") for number in range(seq + 1, min(seq + 4, self.numbers[topic] + 1))]


class Ear:
    def __init__(self):
        self.heard = []

    def hear(self, event):
        self.heard.append((event.topic, event.seq))


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def hub(book):
    return Hub(book)


async def settle():
    for _ in range(200):
        await asyncio.sleep(0)


async def test_hints_in_order_need_no_reading(hub, book):
    ear = Ear()
    hub.listen(ear, 7)
    assert await hub.standing(7) == 0
    for _ in range(3):
        hub.publish(book.write(7))
    hub.publish(book.write(8))
    assert ear.heard == [(7, 1), (7, 2), (7, 3)]
    assert book.reads == 0


async def test_whatever_the_hints_do_each_is_heard_once_in_order(hub, book):
    chance = random.Random(12)  # noqa: S311
    ear, everywhere = Ear(), Ear()
    hub.listen(ear, 7)
    hub.listen(everywhere, None)
    await hub.standing(7)
    await hub.survey()
    kept = []
    for _ in range(300):
        kept += [book.write(7)] * chance.choice([0, 1, 1, 1, 2])
        chance.shuffle(kept)
        while kept and chance.random() < 0.7:
            hub.publish(kept.pop())
        if chance.random() < 0.1:
            await asyncio.sleep(0)
    await hub.poll()
    await settle()
    assert ear.heard == everywhere.heard == [(7, number) for number in range(1, 301)]


async def test_the_poll_finds_what_no_hint_told_also_in_a_new_topic(hub, book):
    ear, everywhere = Ear(), Ear()
    book.write(1)
    hub.listen(ear, 1)
    hub.listen(everywhere, None)
    assert await hub.standing(1) == 1
    await hub.survey()
    book.write(1)
    book.write(2)
    await hub.poll()
    await settle()
    assert ear.heard == [(1, 2)]
    assert everywhere.heard == [(1, 2), (2, 1)]


async def test_what_was_said_before_anybody_listened_is_left_to_the_replay(hub, book):
    for _ in range(5):
        book.write(1)
    everywhere = Ear()
    hub.listen(everywhere, None)
    await hub.poll()
    assert await hub.survey() == {1: 5}
    await hub.poll()
    await settle()
    assert everywhere.heard == []


async def test_a_source_that_fails_is_asked_again_by_the_next_poll(hub, book, monkeypatch):
    async def broken(topic, seq):
        raise OSError

    ear = Ear()
    hub.listen(ear, 1)
    await hub.standing(1)
    book.write(1)
    with monkeypatch.context() as patch:
        patch.setattr(book, "after", broken)
        patch.setattr("holdfast.realtime.hub.log.warning", lambda *_, **__: None)
        hub.publish(book.write(1))
        await settle()
    assert ear.heard == []
    await hub.poll()
    await settle()
    assert ear.heard == [(1, 1), (1, 2)]


async def test_publishing_inside_a_transaction_is_a_bug(hub, book):
    with writing(), pytest.raises(RuntimeError, match="inside a transaction"):
        hub.publish(book.write(1))


async def test_who_has_left_is_forgotten(hub, book):
    ear, everywhere = Ear(), Ear()
    hub.listen(ear, 1)
    hub.listen(everywhere, None)
    await hub.standing(1)
    for topic in (1, 2, 3):
        hub.publish(book.write(topic))
    hub.leave(ear, 1)
    hub.leave(everywhere, None)
    hub.publish(book.write(1))
    assert (ear.heard, len(hub._topics)) == ([(1, 1)], 0)
