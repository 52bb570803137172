"""E-mail: one message to one person over one connection, and an honest word about what became of it."""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.policy import SMTPUTF8 as WIRE_UTF8
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPResponseException

from holdfast.clock import SECOND
from holdfast.db import refuse_inside_transaction
from holdfast.outside.sending import Message, Sent
from holdfast.settings import LOOPBACK, Settings

CONNECT = 5.0  # seconds for each address of the host
REPLY = 10.0  # seconds for each answer, the greeting too: some servers let a stranger wait 6 s on purpose
DETAIL = 200  # characters of a provider's words that are kept
SUBMISSION, SUBMISSION_TLS = 587, 465

NO_SUCH_ADDRESS = 553  # what a server answers itself to an address that it cannot take
REFUSE_US = {530, 534, 535, 538}  # a login is missing, too weak, wrong, or must be encrypted: nothing is wrong with the message


class Unbuildable(Exception):
    """The message cannot be written down; no server would ever take it."""


class Mail:
    """Sends over STARTTLS or TLS with the certificate checked; in clear only to this machine itself. No copy ever differs from the first."""

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.smtp_url)
        self._limit = settings.send_limit
        self._tls = url.scheme == "smtps"
        self._host = url.hostname or ""
        self._plain = self._host in LOOPBACK and not self._tls
        self._port = url.port or (SUBMISSION_TLS if self._tls else SUBMISSION)
        self._username, self._password = (unquote(part) if part else None for part in (url.username, url.password))
        self._from_name, self._from = parseaddr(settings.mail_from)
        self._domain = self._from.rpartition("@")[2].encode("idna").decode()
        self._context = None if self._plain else ssl.create_default_context()

    async def send(self, message: Message) -> Sent:
        refuse_inside_transaction()
        try:
            wire, recipient = self._written(message)
        except Unbuildable:
            return Sent("permanent", detail="cannot be built")
        attempt = _Attempt()
        try:
            async with asyncio.timeout(self._limit), self._connected() as smtp:
                await attempt.make(smtp, self._from, recipient, wire)
        except Exception as error:
            return attempt.result(error)
        return attempt.result(None)

    async def check(self, seconds: float) -> None:
        """Greets, encrypts and signs in as a send would, and sends nothing. Raises OSError, TimeoutError or SMTPException."""
        refuse_inside_transaction()
        async with asyncio.timeout(seconds), self._connected():
            pass

    def _written(self, message: Message) -> tuple[bytes, str]:
        """The bytes and the recipient's address as the server wants it. Raises Unbuildable."""
        try:
            recipient = _recipient(message.destination)
            policy = WIRE if recipient.addr_spec.isascii() else WIRE_UTF8
            return self._letter(message, recipient).as_bytes(policy=policy), recipient.addr_spec
        except Exception as error:  # the email package raises half a dozen kinds
            raise Unbuildable from error

    def _letter(self, message: Message, recipient: Address) -> EmailMessage:
        """One recipient, no copies, nothing in the headers that a person wrote but the address."""
        letter = EmailMessage(policy=WIRE)
        letter["From"] = Address(self._from_name, addr_spec=self._from)
        letter["To"] = recipient
        letter["Subject"] = message.subject
        letter["Date"] = datetime.fromtimestamp(message.written_at // SECOND, UTC)
        letter["Message-ID"] = f"<{message.ref}@{self._domain}>"
        letter["X-Entity-Ref-ID"] = message.ref
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.text, cte="quoted-printable")
        return letter

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Whatever happens, the socket is closed at once: a goodbye is said, but its answer is not waited for."""
        smtp = aiosmtplib.SMTP(
            hostname=self._host,
            local_hostname=self._domain,
            timeout=REPLY,
            use_tls=self._tls,
            start_tls=not self._tls and not self._plain,
            tls_context=self._context,
            sock=await _dialled(self._host, self._port),
            username=self._username,
            password=self._password,
        )
        try:
            await smtp.connect()
            if not smtp.last_ehlo_response:
                await smtp.ehlo()
            yield smtp
            if smtp.protocol:
                smtp.protocol.write(b"QUIT\r\n")
                smtp.close()
        finally:
            if isinstance(smtp.transport, asyncio.WriteTransport):
                smtp.transport.abort()


class _Attempt:
    """How far one send came: what an error means depends on it."""

    def __init__(self) -> None:
        self._reached = self._addressed = self._left = False
        self._answer: aiosmtplib.SMTPResponse | None = None

    async def make(self, smtp: aiosmtplib.SMTP, sender: str, recipient: str, wire: bytes) -> None:
        self._reached = True
        options, encoding = ([], "ascii") if recipient.isascii() else (["SMTPUTF8"], "utf-8")
        if options and not smtp.supports_extension("smtputf8"):
            raise SMTPResponseException(NO_SUCH_ADDRESS, "The server takes no letters beyond ASCII before the @.")
        await smtp.mail(sender, options=options, encoding=encoding)
        self._addressed = True
        await smtp.rcpt(recipient, encoding=encoding)
        go_ahead = await smtp.execute_command(b"DATA")
        if go_ahead.code != 354:
            raise SMTPResponseException(go_ahead.code, go_ahead.message)
        # From here on the message may be there whatever we hear: aiosmtplib's own data() does not tell before from after.
        self._left = True
        self._answer = await _hand_over(smtp, wire)

    def result(self, error: Exception | None) -> Sent:
        if error is None and self._answer:
            error = SMTPResponseException(*self._answer)
        if not isinstance(error, SMTPResponseException) or error.code < 200:
            return Sent(
                "ambiguous" if self._left else "temporary", detail=type(error).__name__, reached=self._reached, refused_us=_is_about_us(error)
            )
        code, words = str(error.code), f"{error.code} {error.message}"[:DETAIL]
        if 200 <= error.code < 300 and self._left:
            return Sent("accepted", code, words)
        refused_us = error.code in REFUSE_US or (error.code >= 500 and not self._addressed and error.code != NO_SUCH_ADDRESS)
        permanent = error.code >= 500 and not refused_us
        return Sent("permanent" if permanent else "temporary", code, words, self._reached or error.code >= 500, refused_us)


async def _hand_over(smtp: aiosmtplib.SMTP, wire: bytes) -> aiosmtplib.SMTPResponse:
    if smtp.protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("before the body")
    smtp.protocol.write(re.sub(rb"(?m)^\.", b"..", wire) + b".\r\n")
    return await smtp.protocol.read_response(timeout=REPLY)


def _is_about_us(error: Exception | None) -> bool:
    """A certificate that is not trusted, or a server without STARTTLS: no retry helps before an operator does."""
    return type(error) is aiosmtplib.SMTPException or isinstance(error, ssl.SSLError) or isinstance(getattr(error, "__cause__", None), ssl.SSLError)


async def _dialled(host: str, port: int) -> socket.socket:
    """A socket to the first of the host's addresses that answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    failure = OSError("no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        line = socket.socket(family, kind, protocol)
        line.setblocking(False)
        with contextlib.ExitStack() as unless_connected:
            unless_connected.callback(line.close)
            try:
                async with asyncio.timeout(CONNECT):
                    await loop.sock_connect(line, address)
            except OSError as error:  # TimeoutError is one
                failure = error
                continue
            unless_connected.pop_all()
            return line
    raise failure


def _recipient(destination: str) -> Address:
    """The domain as the network spells it. Raises half a dozen kinds of error for what is no address."""
    local, _, domain = destination.rpartition("@")
    domain = domain.encode("idna").decode()
    if local.isascii():
        return Address(addr_spec=f"{local}@{domain}")
    return Address(username=local, domain=domain)  # the package parses no letters beyond ASCII here; contacts were checked when written
