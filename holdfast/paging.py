"""The way to the operator: a mail relay, a webhook or ntfy of its own, which shares nothing with what carries messages to helpers."""

import asyncio
import base64
import secrets
import ssl
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec
from msgspec import Struct, structs

from holdfast.clock import Clock
from holdfast.db import refuse_inside_transaction
from holdfast.outside.apprise import Apprise
from holdfast.outside.mail import Mail
from holdfast.outside.sending import Message, Sender
from holdfast.settings import Refused, Settings

PAGE_LIMIT = 10  # seconds for one page from end to end
PORTS = {"http": 80, "https": 443}
NTFY = {"ntfy": "http", "ntfys": "https"}
LONGEST_LINE = 1024  # bytes of the first line of an answer


class Page(Struct):
    """Counts and alarm ids, no names: it goes where nobody has promised to keep it to himself. `text` is what chat services show of a webhook."""

    subject: str
    text: str
    findings: list[str]
    resolved: list[str]


class Pager(Protocol):
    async def page(self, page: Page) -> None:
        """Raises whatever came in the way; whoever calls limits it to PAGE_LIMIT."""


class NotTaken(Exception):
    """The other side answered, and did not take it."""


def make_pager(settings: Settings) -> Pager | None:
    """Imports now what a page needs: on the day of the page the disk may be gone. Raises Refused."""
    url = urlsplit(settings.operator_page_url)
    if not settings.operator_page_url:
        return None
    if url.scheme in ("smtp", "smtps"):
        return _letter(settings, url)
    if url.scheme in PORTS:
        return _Webhook(settings.operator_page_url)
    return _Ntfy(url) if url.scheme in NTFY else _Note(Apprise(settings.operator_page_url, structs.replace(settings, send_limit=PAGE_LIMIT)))


async def ask(method: str, address: str, content: bytes = b"", headers: Mapping[str, str] | None = None) -> int:
    """The status of the answer, whose rest nobody reads; a redirect is not followed. Raises OSError, ValueError or what TLS raises."""
    refuse_inside_transaction()
    url = urlsplit(address)
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    context = ssl.create_default_context() if url.scheme == "https" else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=LONGEST_LINE)
    try:
        writer.write(_request(method, url, content, headers or {}))
        await writer.drain()
        return int((await reader.readline()).split()[1])
    except IndexError:
        raise ValueError("no HTTP") from None
    finally:
        writer.transport.abort()


class _Webhook:
    def __init__(self, url: str) -> None:
        self._url = url

    async def page(self, page: Page) -> None:
        _expect_taken(await ask("POST", self._url, msgspec.json.encode(page), {"Content-Type": "application/json"}))


class _Ntfy:
    """ntfy(s)://user:password@host/topic"""

    def __init__(self, url: SplitResult) -> None:
        self._url = url._replace(scheme=NTFY[url.scheme]).geturl()

    async def page(self, page: Page) -> None:
        headers = {"Title": page.subject, "Priority": "urgent" if page.findings else "default"}
        _expect_taken(await ask("POST", self._url, page.text.encode(), headers))


class _Note:
    """By one of our senders, over a line of its own."""

    def __init__(self, sender: Sender, to: str = "") -> None:
        self._sender, self._to = sender, to

    async def page(self, page: Page) -> None:
        sent = await self._sender.send(Message(secrets.token_hex(16), self._to, page.subject, page.text, Clock()()))
        if sent.outcome != "accepted":
            raise NotTaken(sent.code or sent.outcome)


def _letter(settings: Settings, url: SplitResult) -> _Note:
    """smtp(s)://user:password@host:port/?to=&from="""
    query = parse_qs(url.query)
    to = query.get("to", [""])[0]
    sender = query.get("from", [settings.mail_from or to])[0]
    if not url.hostname or "@" not in to:
        raise Refused("HOLDFAST_OPERATOR_PAGE_URL must look like smtp://user:password@host:587/?to=you@example.org&from=holdfast@example.org.")
    return _Note(Mail(structs.replace(settings, smtp_url=url._replace(path="", query="").geturl(), mail_from=sender)), to)


def _request(method: str, url: SplitResult, content: bytes, headers: Mapping[str, str]) -> bytes:
    named = {"Host": url.netloc.rpartition("@")[2], "Connection": "close", "Content-Length": str(len(content)), **headers}
    if url.username:
        credentials = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        named["Authorization"] = "Basic " + base64.b64encode(credentials).decode()
    place = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"{method} {place} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def _expect_taken(status: int) -> None:
    if not 200 <= status < 300:
        raise NotTaken(str(status))
