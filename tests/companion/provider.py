"""A small OpenAI-compatible service over real HTTP, whose faults a test chooses. It streams when it is asked to."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

GOOD = "That sounds like a long day. Press both feet on the floor and breathe out slowly. What do you notice first?"


def completion(content: Any, finish: str = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


class Service:
    """`fault` names what the next answers are, `script` their texts one after the other; `requests` holds every body that arrived."""

    def __init__(self) -> None:
        self.fault = "none"
        self.text = GOOD
        self.script: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.address = ""
        self.redirected = 0
        self.slow = 60.0

    async def answer(self, request: Request) -> Response:
        self.requests.append(await request.json())
        if self.script:
            self.text = self.script.pop(0)
        faults = {"null": None, "empty": "", "long": "word " * 400}
        if self.fault in faults:
            return self.said(faults[self.fault])
        if self.fault.isdigit():
            return JSONResponse({"error": {"message": "the provider's own words"}}, int(self.fault))
        return await getattr(self, self.fault)(request)

    def said(self, content: Any, finish: str = "stop", **more: Any) -> Response:
        if not self.requests[-1].get("stream"):
            return JSONResponse(completion(content, finish, **more))
        words = [{"content": word + " "} for word in (content or "").split(" ")]
        return StreamingResponse(iter([*map(event, [*words, more]), event({}, finish), b"data: [DONE]\n\n"]), media_type="text/event-stream")

    async def none(self, _: Request) -> Response:
        return self.said(self.text)

    async def late(self, _: Request) -> Response:
        await asyncio.sleep(self.slow)
        return self.said(self.text)

    async def drip(self, _: Request) -> Response:
        """A byte now and then: each comes in time, the whole never."""

        async def drops() -> AsyncIterator[bytes]:
            for letter in json.dumps(completion(self.text)):
                yield letter.encode()
                await asyncio.sleep(self.slow / 100)

        return StreamingResponse(drops(), media_type="application/json")

    async def html(self, _: Request) -> Response:
        return HTMLResponse("<html><body>Welcome</body></html>")

    async def redirect(self, _: Request) -> Response:
        return RedirectResponse(f"{self.address}/elsewhere", 307)

    async def elsewhere(self, _: Request) -> Response:
        self.redirected += 1
        return JSONResponse(completion(self.text))

    async def megabyte(self, _: Request) -> Response:
        return self.said("a" * 1_000_000)

    async def refusal(self, _: Request) -> Response:
        return self.said(None, refusal="no")

    async def filtered(self, _: Request) -> Response:
        return self.said("I", "content_filter")

    async def reset(self, _: Request) -> Response:
        async def broken(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"500")]})
            await send({"type": "http.response.body", "body": b'{"choices"', "more_body": True})
            raise ConnectionResetError

        return broken  # type: ignore[return-value]


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Service]:
    service = Service()
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", service.answer, methods=["POST"]),
            Route("/elsewhere", service.elsewhere, methods=["POST"]),
        ]
    )
    listening = socket.create_server(("127.0.0.1", 0))
    service.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 (uvicorn offers no event)
        await asyncio.sleep(0.01)
    try:
        yield service
    finally:
        server.should_exit = True
        await serving
