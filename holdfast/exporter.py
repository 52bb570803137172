"""The one page that Prometheus asks for, on this machine alone."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from holdfast.log import log

HOST, PATH = "127.0.0.1", b"/metrics"
LIMIT = 10.0  # seconds for one question and its answer
LONGEST = 8192  # bytes of a question

Written = Callable[[], Awaitable[str]]


class Exporter:
    def __init__(self, written: Written) -> None:
        self._written = written
        self._one = asyncio.Lock()  # who asks twice waits: nobody can make us read the database side by side

    async def start(self, port: int) -> asyncio.Server | None:
        """None when the port is taken: there is more important work to do than to be counted."""
        try:
            return await asyncio.start_server(self._answer, HOST, port, limit=LONGEST)
        except OSError as error:
            log.error("metrics_not_served", port=port, exc_info=error)
            return None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(LIMIT):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = await self._asked(*head.split(b" ", 2)[:2])
                kind = "text/plain; version=0.0.4; charset=utf-8"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()

    async def _asked(self, method: bytes, path: bytes = b"") -> tuple[str, bytes]:
        if method != b"GET" or path.partition(b"?")[0] != PATH:
            return "404 Not Found", b""
        try:
            async with self._one:
                return "200 OK", (await self._written()).encode()
        except Exception as error:  # each engine has its own dozen
            log.warning("metrics_unavailable", exc_info=error)
            return "503 Service Unavailable", b""
