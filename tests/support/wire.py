"""A plain chat client: `websockets` as anybody would use it, with what the tests ask of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

CHAT_MESSAGE = ["event", "message", "id", "seq", "user_id", "identifier", "from_admin", "sent_at"]
ERROR = ["event", "error", "code", "retry_after", "client_msg_id"]


class Chat:
    """One open socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, frame: Any) -> None:
        await self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def hear(self, within: float = 5.0) -> Any:
        """The next event."""
        return json.loads(await asyncio.wait_for(self.socket.recv(), within))

    async def hear_message(self, within: float = 5.0) -> Any:
        """The next chat message, whoever came or went in between."""
        while (event := await self.hear(within))["event"] != "chat_message":
            pass
        return event

    async def say(self, text: str, **more: Any) -> Any:
        """Sends, and waits for the receipt."""
        await self.send({"message": text, **more})
        return await self.hear_message()

    async def heard(self, count: int) -> list[str]:
        """The texts of the next messages."""
        return [(await self.hear_message())["message"] for _ in range(count)]

    async def silent(self, seconds: float = 0.15) -> bool:
        try:
            await self.hear(seconds)
        except TimeoutError:
            return True
        return False

    async def closed(self, within: float = 5.0) -> int | None:
        """The code with which the other side closed."""
        await asyncio.wait_for(self.socket.wait_closed(), within)
        return self.socket.close_code

    def drop(self) -> None:
        """The line is cut: no close frame."""
        self.socket.transport.abort()


@asynccontextmanager
async def chat(server: Any, room: object, person: Any, *, query: str = "", **more: Any) -> AsyncIterator[Chat]:
    headers = {"Authorization": f"Token {person.token}"} if person and person.token else {}
    place = f"ws://{server.address}/ws/chat/{room}/{query}"
    async with connect(place, additional_headers=headers, compression=None, max_size=2**20, max_queue=None, **more) as socket:
        yield Chat(socket)
