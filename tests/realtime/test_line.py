"""The patience with somebody who does not read."""

import asyncio

import pytest

from holdfast.realtime.line import QUEUE, Event, Line


class Peer:
    """Takes what is sent while it reads; a peer that does not read takes not even the close frame."""

    def __init__(self):
        self.reads, self.taken, self.cut, self.written = asyncio.Event(), [], 0, []
        self.line = Line(self.send, self.abort, lambda event: self.written.append(event.seq))

    async def send(self, message):
        await self.reads.wait()
        self.taken.append(message.get("text", message.get("code")))

    def abort(self):
        self.cut += 1


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr("holdfast.realtime.line.WRITE_DEADLINE", 0.05)
    monkeypatch.setattr("holdfast.realtime.line.LAST_WORD", 0.05)


async def test_a_line_writes_in_order_and_rests_when_nothing_is_queued():
    peer = Peer()
    peer.reads.set()
    for number in range(3):
        peer.line.say(str(number), Event(1, number, ""))
    peer.line.say("no event")
    await asyncio.sleep(0.01)
    assert (peer.taken, peer.written, peer.line._writer) == (["0", "1", "2", "no event"], [0, 1, 2], None)
    await peer.line.finish()


async def test_a_peer_that_never_reads_is_cut(patience):
    peer = Peer()
    peer.line.say("hello", Event(1, 1, "hello"))
    await asyncio.sleep(0.2)
    assert (peer.line.ended, peer.line.code, peer.taken, peer.written) == (True, 4008, [], [])
    await peer.line.finish()
    assert peer.cut


async def test_the_queue_has_a_bound_in_events_and_in_characters(patience):
    for count, text in ((QUEUE + 2, "x"), (6, "x" * 256 * 1024)):
        peer = Peer()
        for _ in range(count):
            peer.line.say(text)
            await asyncio.sleep(0)
        assert (peer.line.ended, peer.line.code) == (True, 4008)
        await peer.line.finish()
        assert peer.cut


async def test_who_reads_gets_the_close_frame_and_nothing_after_it(patience):
    peer = Peer()
    peer.reads.set()
    peer.line.end(4009)
    peer.line.end(1008)
    peer.line.say("too late")
    await peer.line.finish()
    assert (peer.taken, peer.cut, peer.line.code) == ([4009], 0, 4009)
