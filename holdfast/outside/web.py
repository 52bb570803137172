"""One request to somebody else's web service: limited in time and size, never redirected, never to where a cloud keeps its secrets."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from holdfast.db import refuse_inside_transaction
from holdfast.settings import LOOPBACK

if TYPE_CHECKING:
    import httpx2

CONNECT = 5.0  # seconds for each address of the host
LARGEST = 256 * 1024  # bytes of an answer
PORTS = {"http": 80, "https": 443}
METADATA = {ipaddress.ip_address(address) for address in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")}  # those that are not link-local


class Broken(Exception):
    """There is no answer. `left`: the body may have arrived all the same; `ours`: only an operator can mend it."""

    def __init__(self, reason: str, *, left: bool = False, reached: bool = False, ours: bool = False) -> None:
        super().__init__(reason)
        self.left, self.reached, self.ours = left, reached, ours


class Reply(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes | None  # None when it is larger than LARGEST


class Web:
    """TLS with the certificate checked; in clear only to this machine itself. One connection for each request: nobody else's trouble is inherited."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    async def post(self, url: str, content: bytes, headers: Mapping[str, str], seconds: float) -> Reply:
        """Raises Broken, after `seconds` at the latest."""
        refuse_inside_transaction()
        way = _Way()
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(urlsplit(url), content, headers, way)
        except Broken:
            raise
        except Exception as error:
            raise Broken(type(error).__name__, left=way.left, reached=way.reached, ours=_is_about_us(error)) from None
        finally:
            await way.close()

    async def _ask(self, url: SplitResult, content: bytes, headers: Mapping[str, str], way: _Way) -> Reply:
        """Asks the first of the host's addresses that can be talked to. Raises Broken, TimeoutError or what the client raises."""
        import httpx2

        host, port = _target(url)
        failure: Exception = Broken("no address")
        for address in await _addresses(host, port):
            place = httpx2.URL(
                scheme=url.scheme, host=address, port=port, raw_path=(url.path or "/").encode() + (f"?{url.query}".encode() if url.query else b"")
            )
            named = {"Host": url.netloc.rpartition("@")[2], "Accept-Encoding": "identity", **headers}
            extensions = {"sni_hostname": host, "trace": way.note}
            try:
                async with self._connected().stream("POST", place, content=content, headers=named, extensions=extensions) as response:
                    return Reply(response.status_code, response.headers, await _limited(response))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if _is_about_us(error):
                    raise
                failure = error
        raise failure

    def _connected(self) -> httpx2.AsyncClient:
        """Imported late: a server without such a service pays neither the time nor the memory."""
        if self._client is None:
            import httpx2

            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
            timeout = httpx2.Timeout(None, connect=CONNECT)  # the whole is limited by `post`
            context = ssl.create_default_context()
            self._client = httpx2.AsyncClient(verify=context, limits=limits, timeout=timeout, follow_redirects=False, trust_env=False)
        return self._client


class _Way:
    """How far a request came: what an error means depends on it."""

    def __init__(self) -> None:
        self.reached = self.left = False
        self._lines: list[Any] = []

    async def close(self) -> None:
        """The client forgets a line that was given up in mid-handshake."""
        for line in self._lines:
            await line.aclose()

    async def note(self, event: str, about: Any) -> None:
        if event.endswith("connect_tcp.complete"):
            self._lines.append(about["return_value"])
        if event.endswith("send_request_headers.started"):
            self.reached = True
        if event.endswith("send_request_body.started"):
            self.left = True


def forbidden(address: str) -> bool:
    """Link-local and metadata addresses: whoever can make us ask there gets the machine's own keys (security.md N5)."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return found.is_link_local or found.is_multicast or found.is_unspecified or found in METADATA


def _target(url: SplitResult) -> tuple[str, int]:
    """Raises Broken."""
    host = url.hostname or ""
    if url.scheme not in PORTS or not host:
        raise Broken("no address of a web service", ours=True)
    if url.scheme == "http" and host not in LOOPBACK:
        raise Broken("plain http to another machine", ours=True)
    return host, url.port or PORTS[url.scheme]


async def _addresses(host: str, port: int) -> list[str]:
    """Looked up once, and exactly these are asked: a second look could say something else. Raises Broken or OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = list(dict.fromkeys(str(address[0]) for *_, address in found if not forbidden(str(address[0]))))
    if not allowed:
        raise Broken("forbidden address", ours=True)
    return allowed


async def _limited(response: httpx2.Response) -> bytes | None:
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > LARGEST:
            return None
    return body


def _is_about_us(error: BaseException | None) -> bool:
    """A certificate that is not trusted: no retry helps before an operator does."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
