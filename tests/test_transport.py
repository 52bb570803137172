"""What happens to a connection whose request never becomes one."""

import asyncio

import pytest

from holdfast import transport


@pytest.fixture
def engine() -> str:
    return "sqlite"  # no database is asked


async def spoken(server, *parts: bytes, pause: float = 0.0) -> bytes:
    host, port = server.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for part in parts:
        writer.write(part)
        await asyncio.sleep(pause)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def test_a_head_that_never_ends_is_cut_off(server):
    assert await spoken(server, b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 70_000) == b""


@pytest.mark.parametrize("parts", [[b""], [b"GET /hea"], [b"GET /healthz HTTP/1.1\r\n", b"Host: x\r\n", b"A: b\r\n"]])
async def test_who_says_too_little_for_too_long_is_sent_away(server, monkeypatch, parts):
    monkeypatch.setattr(transport, "PATIENCE", 0.2)
    assert await spoken(server, *parts, pause=0.02) == b""


async def test_who_is_slow_but_ready_in_time_is_answered_twice_on_one_line(server, monkeypatch):
    monkeypatch.setattr(transport, "PATIENCE", 1.0)
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    answer = await spoken(server, request[:9], request[9:] + b"\r\n" + request[:5], request[5:] + b"Connection: close\r\n\r\n", pause=0.1)
    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_head_and_body_come_in_one_piece(server):
    host, port = server.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(65_536), 5)).endswith(b'{"status":"ok"}')
    writer.close()
