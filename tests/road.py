"""The way to PostgreSQL, which a test can close and open again."""

import asyncio
import contextlib
from urllib.parse import urlsplit


class Road:
    """While it is closed, what was under way has broken off and nobody answers at its end."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._port = 0
        self._ends: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"postgresql://{self._there.username}@127.0.0.1:{self._port}{self._there.path}"

    async def open(self) -> None:
        self._gate = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._gate.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._gate.close()
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()
        await asyncio.sleep(0.05)  # for the ends to notice

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader_there, writer_there = await asyncio.open_connection(self._there.hostname, self._there.port)
        self._ends |= {writer, writer_there}
        await asyncio.gather(self._copy(reader, writer_there), self._copy(reader_there, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                writer.write(piece)
        writer.close()
