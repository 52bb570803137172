"""A real SMTP server that counts what it takes, and can be made to behave as badly as real ones do."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, Envelope, Session

Speech = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Letter(NamedTuple):
    recipients: list[str]
    message: EmailMessage
    at: float  # time.time()


class MailServer:
    """`rcpt` and `data` name the answer; `data` may be "drop", which closes the line when the body is there, or "hold", which waits for `release`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.letters: list[Letter] = []
        self.rcpt: dict[str, str] = {}
        self.data = "250 OK"
        self.release = asyncio.Event()
        self._came, self._body = asyncio.Event(), asyncio.Event()
        self.tried = 0  # bodies that arrived, taken or not

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def recipients(self) -> list[str]:
        return sorted(letter.recipients[0] for letter in self.letters)

    async def arrived(self, count: int, seconds: float = 10) -> None:
        """Waits for at least so many letters."""
        async with asyncio.timeout(seconds):
            while len(self.letters) < count:
                self._came.clear()
                await self._came.wait()

    async def trying(self, seconds: float = 5) -> None:
        """Waits until a body has arrived, taken or not."""
        async with asyncio.timeout(seconds):
            await self._body.wait()

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = self.rcpt.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.tried += 1
        self._body.set()
        if self.data == "hold":
            await self.release.wait()
        if self.data == "drop":
            server.transport.abort()
        if self.data.startswith(("250", "hold")):
            message = message_from_bytes(envelope.content or b"", policy=default)
            assert isinstance(message, EmailMessage)
            self.letters.append(Letter(list(envelope.rcpt_tos), message, time.time()))
            self._came.set()
        return "250 OK" if self.data == "hold" else self.data


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


@asynccontextmanager
async def mail_server(port: int | None = None, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[MailServer]:
    """Listens until the block is left. With `tls` it offers STARTTLS and demands it."""
    post = MailServer(port or free_port(host))
    async with listening(post, host=host, tls=tls):
        yield post


@asynccontextmanager
async def listening(post: MailServer, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    opened: list[SMTP] = []

    def protocol() -> SMTP:
        opened.append(SMTP(post, loop=loop, tls_context=tls, require_starttls=tls is not None, enable_SMTPUTF8=True))
        return opened[-1]

    server = await loop.create_server(protocol, host, post.port)
    try:
        yield
    finally:
        server.close()
        for connection in opened:
            if connection.transport:
                connection.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def speaking(speech: Speech, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """The port of a server that speaks whatever it likes, or nothing at all."""
    connections: set[asyncio.StreamWriter] = set()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await speech(reader, writer)

    server = await asyncio.start_server(speak, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in connections:
            writer.transport.abort()
        await asyncio.sleep(0)
