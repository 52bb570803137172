"""Runs inside mitmproxy, between Holdfast and the model: records every request, and answers it in the way that the test asks for."""

import asyncio
import json
import os
from pathlib import Path

from mitmproxy import http

PLACE = Path(os.environ["MODEL_FAULTS"])
JSON, HTML = {"content-type": "application/json"}, {"content-type": "text/html"}


def completion(content):
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


def refused(status):
    return http.Response.make(status, json.dumps({"error": {"message": "the provider's own words"}}), JSON)


ANSWERS = {
    "500": lambda: refused(500),
    "429": lambda: refused(429),
    "401": lambda: refused(401),
    "no body": lambda: http.Response.make(200, b"", JSON),
    "empty": lambda: http.Response.make(200, completion(""), JSON),
    "null": lambda: http.Response.make(200, completion(None), JSON),
    "not a text": lambda: http.Response.make(200, completion([{"type": "image"}]), JSON),
    "html": lambda: http.Response.make(200, b"<html><body>Welcome</body></html>", HTML),
    "megabyte": lambda: http.Response.make(200, completion("word " * 200_000), JSON),
    "bytes": lambda: http.Response.make(200, b"\xff\xfe\x00\x01", JSON),
    "redirect": lambda: http.Response.make(307, b"", {"location": "/elsewhere"}),
}


async def request(flow: http.HTTPFlow) -> None:
    with (PLACE / "requests.jsonl").open("a") as kept:
        kept.write(json.dumps({"path": flow.request.path, "headers": dict(flow.request.headers), "body": flow.request.text}) + "\n")
    fault = (PLACE / "fault").read_text()
    if fault == "mute":
        await asyncio.sleep(3600)
    elif fault == "reset":
        flow.kill()
    elif fault in ANSWERS:
        flow.response = ANSWERS[fault]()
