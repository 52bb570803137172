"""What the log may hold (security.md L1-L3), read as bytes from a server process that was used, abused, broken and stopped."""

import asyncio
import contextlib
import io
import json
import logging
import re
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from conftest import PASSWORD
from doors import MATRIX, example
from process import server_process
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from holdfast import log
from holdfast.log import KEYS

CANARY = "canary7"
ENDS = "\\r\\n\x1b[31m"  # as text in a URL or a field; the raw bytes no HTTP client sends


class Run(NamedTuple):
    written: bytes
    secrets: list[str]
    code: int
    statuses: set[int]


@pytest.fixture(scope="module")
def run(sqlite_template: Any, tmp_path_factory: Any) -> Run:
    folder = tmp_path_factory.mktemp("log")
    shutil.copy(sqlite_template.settings.data_dir / "holdfast.sqlite3", folder / "holdfast.sqlite3")
    with server_process(folder, HOLDFAST_LOG_LEVEL="debug") as process:
        token = sqlite_template.tokens["maya"]
        statuses, secrets = asyncio.run(use_and_abuse(process.address, folder, token))
        code = process.stop()
    return Run(process.written, [*secrets, token, token[5:]], code, statuses)


def markers() -> Any:
    number = 0
    while True:
        number += 1
        yield f"{CANARY}x{number}"


async def use_and_abuse(address: str, folder: Path, token: str) -> tuple[set[int], list[str]]:
    marker, secrets = markers(), [PASSWORD, CANARY]
    async with httpx2.AsyncClient(base_url=address, timeout=30) as client:
        answers = await every_door_with_markers(client, token, marker)
        answers += await odd_requests(client, token, marker)
        login = await client.post("/api/v1/user/login/", json={"username": "maya", "password": PASSWORD})
        secrets.append(login.json()["token"])
        await sockets(address.replace("http", "ws"), [token, login.json()["token"], next(marker)])
        answers += await broken(client, folder, token)
    return {answer.status_code for answer in [*answers, login]}, secrets


def marked(value: Any, marker: Any) -> Any:
    return {key: marked(each, marker) for key, each in value.items()} if isinstance(value, dict) else next(marker)


async def every_door_with_markers(client: httpx2.AsyncClient, token: str, marker: Any) -> list[httpx2.Response]:
    """A valid request and one with a marker in each field; markers in query, headers, cookie."""
    answers = []
    for door in MATRIX["doors"]:
        if door.startswith("SOCKET"):
            continue
        method, path, body = example(door)
        for asked in (body, body and marked(body, marker), body and (body | {next(marker): next(marker)})):
            for authorization in (f"Token {token}", f"Token {next(marker)}", f"{next(marker)} {token}"):
                headers = {"Authorization": authorization, "X-Own": next(marker), "Cookie": f"a={next(marker)}", "User-Agent": next(marker)}
                headers |= {"Referer": f"http://{next(marker)}/", "Origin": f"http://{next(marker)}", "X-Forwarded-For": next(marker)}
                answers.append(await client.request(method, path + f"?token={next(marker)}&q={next(marker)}", json=asked, headers=headers))
    return answers


async def odd_requests(client: httpx2.AsyncClient, token: str, marker: Any) -> list[httpx2.Response]:
    authorized = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    answers = [
        await client.get(f"/api/v1/user/{next(marker)}/", headers=authorized),
        await client.get(f"/{next(marker)}/%0d%0a%1b[31m{next(marker)}", headers=authorized),
        await client.get(f"/music/{next(marker)}.mp3"),
        await client.get(f"/music/{next(marker)}%00"),
        await client.request("TRACE", f"/api/v1/user/me/?{next(marker)}"),
        await client.patch("/api/v1/user/edit/me/", headers=authorized, content=f'{{"age": "{next(marker)}'),
        await client.patch("/api/v1/user/edit/me/", headers=authorized, content=f'"{next(marker)}"' + " " * 70_000),
        await client.patch("/api/v1/user/edit/me/", headers=authorized | {"Content-Type": next(marker)}, content="{}"),
        await client.patch("/api/v1/user/edit/me/", headers=authorized, json={"location": f"{next(marker)}{ENDS}"}),
        await client.post("/api/v1/user/login/", json={"username": f"{next(marker)}{ENDS}", "password": next(marker)}),
    ]
    with contextlib.suppress(httpx2.TransportError):
        answers.append(await client.get("/", headers={"Host": f"{next(marker)}/ {next(marker)}"}))
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(f"GET /{next(marker)} {next(marker)}\r\n{next(marker)}\r\n\r\n".encode())
    await reader.read()
    writer.close()
    return answers


async def sockets(address: str, tokens: list[str]) -> None:
    """Tokens and tickets in the query, in the subprotocol and in the header; then words, garbage and a goodbye."""
    for token in tokens:
        asked = [(f"?token={token}", {}), (f"?ticket={token}", {}), ("", {"subprotocols": ["token", token]})]
        asked += [("", {"additional_headers": {"Authorization": f"Token {token}"}}), (f"?{CANARY}=1", {"origin": f"http://{CANARY}.example"})]
        for query, how in asked:
            for room in ("me", "2", CANARY):
                with contextlib.suppress(WebSocketException):
                    async with connect(f"{address}/ws/chat/{room}/{query}", **how) as socket:
                        for frame in (json.dumps({"message": CANARY}), CANARY, json.dumps({CANARY: CANARY}), CANARY.encode(), "{" * 5_000):
                            await socket.send(frame)
                        await asyncio.wait_for(socket.recv(), 5)


async def broken(client: httpx2.AsyncClient, folder: Path, token: str) -> list[httpx2.Response]:
    """A database whose errors say what should not be said."""
    with contextlib.closing(sqlite3.connect(folder / "holdfast.sqlite3", timeout=10)) as connection:
        for table, verb in (("profile", "update"), ("contact", "insert"), ("account", "insert")):
            connection.execute(f"create trigger no_{table} before {verb} on {table} begin select raise(abort, '{CANARY} {table}'); end")
        connection.commit()
    doors = [door for door in MATRIX["doors"] if door.split(" ")[0] in ("PATCH", "POST", "PUT")]
    return [await client.request(method, path, json=body, headers={"Authorization": f"Token {token}"}) for method, path, body in map(example, doors)]


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.written.splitlines() if line.startswith(b"{")]


def test_the_run_met_every_kind_of_answer_and_ended_well(run):
    assert {200, 201, 400, 401, 404, 405, 413, 415, 500} <= run.statuses
    assert run.code == 0
    assert len(lines(run)) > 200
    assert {"request", "handshake_refused", "bug"} <= {line["event"] for line in lines(run)}


def test_nothing_that_anybody_sent_and_no_secret_stands_in_the_log(run):
    for secret in run.secrets:
        found = re.search(rb".{0,200}" + re.escape(secret.encode()) + rb".{0,80}", run.written)
        assert not found, found and found[0]


def test_each_event_is_one_line_of_known_keys(run):
    for line in run.written.splitlines():
        if line.startswith(b"{"):
            event = json.loads(line)
            assert event.keys() <= KEYS, event
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["at"])
            assert "dropped" not in event, event
    assert b"\x1b" not in run.written and b"\r" not in run.written


def test_only_the_greeting_at_the_start_is_not_json(run):
    other = [line for line in run.written.splitlines() if line and not line.startswith(b"{")]
    first_event = next(number for number, line in enumerate(run.written.splitlines()) if b'"event":"request"' in line)
    assert other == [line for line in run.written.splitlines()[:first_event] if line and not line.startswith(b"{")], other


def test_a_request_is_logged_by_its_template_and_its_persons_pseudonym(run):
    requests = [line for line in lines(run) if line["event"] == "request"]
    assert {line["route"] for line in requests} <= {door.split(" ", 1)[1] for door in MATRIX["doors"]} | {"unknown"}
    assert "/api/v1/user/{user_id}/" in {line["route"] for line in requests}
    for line in requests:
        assert line.keys() == {"event", "level", "at", "request_id", "actor", "method", "route", "status", "ms"}
        assert line["actor"] is None or re.fullmatch("[0-9a-f]{8}", line["actor"])
        assert re.fullmatch("[0-9a-f]{16}", line["request_id"])


@pytest.fixture
def written():
    """Standard error as bytes."""
    with pytest.MonkeyPatch.context() as patch:
        stream = io.TextIOWrapper(io.BytesIO())
        patch.setattr(sys, "stderr", stream)
        log.configure("debug")
        yield stream.buffer.getvalue
    log.configure("error")


def test_an_unknown_key_is_dropped_and_counted(written):
    log.log.info("request", text="my words", password="x", status=200)
    event = json.loads(written())
    assert (event["dropped"], event["status"]) == (2, 200)
    assert event.keys() <= KEYS


def test_an_exception_is_named_with_its_places_and_never_with_its_words(written):
    try:
        raise ValueError(f"{CANARY} is not a number")
    except ValueError as error:
        log.log.error("bug", exc_info=error)
    event = json.loads(written())
    assert event["exception"][0] == "ValueError" and event["exception"][1].startswith("test_log.py:")
    assert CANARY not in json.dumps(event)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [("lost %s", (CANARY,)), (f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{CANARY}')>", ()), (f"{CANARY}", ())],
)
def test_a_librarys_warning_says_where_and_not_what(written, message, arguments):
    try:
        raise OSError(CANARY)
    except OSError:
        logging.getLogger("asyncio").error(message, *arguments, exc_info=True)
    raw = written()
    assert CANARY.encode() not in raw and raw.count(b"\n") == 1
    assert json.loads(raw)["event"] == "library_warning"


@pytest.mark.parametrize("odd", ["a\r\nb", "a\x1b[2Jb", 'a"}\n{"event":"forged"}', "a\u2028b\x85c\x00"])
def test_one_event_is_one_line_whatever_stands_in_it(written, odd):
    log.log.info(odd, reason=odd, path=odd)
    raw = written()
    assert raw.count(b"\n") == 1 and b"\x1b" not in raw and b"\r" not in raw
    assert json.loads(raw)["reason"] == odd
