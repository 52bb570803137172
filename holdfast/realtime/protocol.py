"""The WebSocket protocol of uvicorn, with the one thing that ASGI lacks: cutting a line whose peer does not read."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABORT = "holdfast.abort"  # in scope["extensions"]: a function that ends the connection now, with whatever is unwritten


class SocketProtocol(WebSocketsSansIOProtocol):
    async def run_asgi(self) -> None:
        extensions: Any = self.scope["extensions"]
        extensions[ABORT] = self.transport.abort
        self._bare, self.app = self.app, self._run
        await super().run_asgi()

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        await self._bare(scope, receive, send)
        if self.initial_response:
            self.handshake_complete = True  # a refusal is an answer too; uvicorn would log each as a fault of ours
