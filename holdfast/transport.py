"""How answers leave the process: head and body by one call, where uvicorn makes two."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 64 * 1024  # bytes of a request's first line and headers
PATIENCE = 20.0  # seconds until they have to be there, from the connection or from their first byte

# In scope["extensions"], for an answer that lasts:
ABORT = "holdfast.abort"  # a function that ends the connection now, with whatever is unwritten
ENDING = "holdfast.ending"  # an event: the peer has gone, or the server begins to stop


class OneWrite:
    """A transport that writes at the end of the event loop's turn whatever that turn gave it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parts: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon

    def write(self, part: bytes) -> None:
        if not self._parts:
            self._call_soon(self._write)
        self._parts.append(part)

    def close(self) -> None:
        self._write()
        self._transport.close()

    def _write(self) -> None:
        whole = b"".join(self._parts)
        self._parts.clear()
        if whole and not self._transport.is_closing():
            self._transport.write(whole)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Http(HttpToolsProtocol):
    """uvicorn's own, on a transport that saves half of its system calls (`bench/compare.py` shows what that is worth).

    A request whose head is endless or never ends is cut off (security.md I1): uvicorn itself would wait for ever.
    An answer that lasts is told when it has to end: uvicorn itself would only wait for it.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(OneWrite(transport))  # type: ignore[arg-type]
        self._deadline: asyncio.TimerHandle | None = None
        self._ending = asyncio.Event()
        self._extensions = {ABORT: self.transport.abort, ENDING: self._ending}
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD:
                self.transport.close()
            elif self._deadline is None:
                self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head = True, 0
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def shutdown(self) -> None:
        self._ending.set()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending.set()
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._in_head, self._head = True, 0
        self._deadline = self.loop.call_later(PATIENCE, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
