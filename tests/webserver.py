"""A web service that counts what it is asked, and answers, or does not, as badly as real ones do."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from mailserver import speaking

Behaviour = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


class Request(NamedTuple):
    line: str
    headers: dict[str, str]
    body: bytes
    number: int  # from 1

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


class Provider:
    """`asked` holds every whole request."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://AC1:s%3Acret@127.0.0.1:{self.port}/2010-04-01/Accounts/AC1/Messages.json"


def answer(status: int, body: Any = b"", **headers: str) -> Behaviour:
    """`headers` with _ for -; `body` is JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Length": str(len(content)), "Connection": "close"} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} Said\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"

    async def say(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + content)
        await writer.drain()
        writer.close()

    return say


async def taken(request: Request, writer: asyncio.StreamWriter) -> None:
    """What Twilio says of a message that it took."""
    body = {"sid": f"SM{request.number:032x}", "status": "queued", "error_code": None, "error_message": None, "to": request.form.get("To")}
    await answer(201, body)(request, writer)


@asynccontextmanager
async def providing(behave: Behaviour = taken) -> AsyncIterator[Provider]:
    provider = Provider()

    async def speech(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        provider.asked.append(Request(head[0], headers, body, len(provider.asked) + 1))
        await behave(provider.asked[-1], writer)

    async with speaking(speech) as provider.port:
        yield provider


def certificate_in(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """For 127.0.0.2, which is not among the addresses that may be spoken to in clear: a server's context, and the file to trust."""
    key, chain = folder / "key.pem", folder / "chain.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", chain, "-days", "2"]
    try:
        subprocess.run([*made, "-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.2"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not there")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    return context, chain


@asynccontextmanager
async def serving_tls(context: ssl.SSLContext, host: str = "127.0.0.2") -> AsyncIterator[int]:
    """The port of a service that takes every message."""

    async def speech(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await taken(Request("", {}, await reader.readexactly(length), 1), writer)

    server = await asyncio.start_server(speech, host, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)
