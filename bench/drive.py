"""The load: a fixed number of requests or chat messages through a bounded number of connections, every answer looked at."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable

import msgspec
import websockets
from stage import PROFILE, Person

CONNECTIONS = 16
ROOMS = 8  # conversations at once, each with two sockets: the user's and staff's
WINDOW = 4  # messages of a room on their way
PATIENCE = 60.0  # seconds for one load

Load = Callable[[int, list[Person], int], Awaitable[None]]

length_of = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE).search


class WrongAnswer(Exception):
    pass


async def get_profile(port: int, people: list[Person], count: int) -> None:
    await asyncio.gather(*(read_own(port, person, count // CONNECTIONS) for person in people[1 : 1 + CONNECTIONS]))


async def patch_profile(port: int, people: list[Person], count: int) -> None:
    """Of other people than `get_profile` reads, so that what it expects stays true."""
    await asyncio.gather(*(change_own(port, person, count // CONNECTIONS) for person in people[-CONNECTIONS:]))


async def chat(port: int, people: list[Person], count: int) -> None:
    """A message counts when both sides have it; staff and user speak in turn."""
    await asyncio.gather(*(converse(port, people[0], person, count // ROOMS) for person in people[1 : 1 + ROOMS]))


async def read_own(port: int, person: Person, count: int) -> None:
    ask = request("GET", f"/api/v1/user/{person.id}/", person.token)
    ids = {"user": person.id, "username": person.name, "music": None, "therapist_contact": None, "scenario": 1}
    connection = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        answer = await exchange(*connection, ask)
        expect(answer, {"id": answer["id"], **ids, **PROFILE})
    connection[1].close()


async def change_own(port: int, person: Person, count: int) -> None:
    connection = await asyncio.open_connection("127.0.0.1", port)
    for number in range(count):
        changes = {**PROFILE, "age": number % 100, "ptsd_level": number % 11}
        ask = request("PATCH", f"/api/v1/user/edit/{person.id}/", person.token, msgspec.json.encode(changes))
        answer = await exchange(*connection, ask)
        expect(answer, {"message": "UserInfo updated successfully.", "updated_data": {**changes, "therapist_contact": None, "scenario": 1}})
    connection[1].close()


def request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Token {token}", "Accept: application/json"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: bytes) -> dict[str, object]:
    writer.write(ask)
    head = await reader.readuntil(b"\r\n\r\n")
    found = length_of(head)
    body = await reader.readexactly(int(found[1])) if found else b""
    if not head.startswith(b"HTTP/1.1 200 "):
        raise WrongAnswer(head + body)
    return msgspec.json.decode(body)


def expect(answer: object, expected: object) -> None:
    if answer != expected:
        raise WrongAnswer(f"{str(answer)[:2000]} instead of {str(expected)[:2000]}")


async def converse(port: int, staff: Person, user: Person, count: int) -> None:
    """Raises WrongAnswer unless both sides get every text once, in the order of one `seq` without holes."""
    address = f"ws://127.0.0.1:{port}/ws/chat/{user.id}/"
    async with asyncio.timeout(PATIENCE), joined(address, user) as first, joined(address, staff) as second:
        window = asyncio.Semaphore(WINDOW)
        heard: dict[int, int] = {}
        listening = [asyncio.create_task(listen(side, count, heard, window)) for side in (first, second)]
        for number in range(count):
            await window.acquire()
            await (first, second)[number % 2].send(json.dumps({"message": f"{id(window)}: the {number}. time tonight that I wake up"}))
        heard_by_user, heard_by_staff = await asyncio.gather(*listening)
    expect(heard_by_staff, heard_by_user)
    seqs = [seq for _, seq, _ in heard_by_user]
    expect(seqs, list(range(seqs[0], seqs[0] + count)))
    expect(len({text for *_, text in heard_by_user}), count)


def joined(address: str, person: Person) -> websockets.connect:
    return websockets.connect(address, additional_headers={"Authorization": f"Token {person.token}"}, compression=None, proxy=None)


async def listen(side, count: int, heard: dict[int, int], window: asyncio.Semaphore) -> list[tuple[int, int, str]]:
    """Id, seq and text of this load's messages; what an earlier load left to be replayed is passed over."""
    mine, found = f"{id(window)}: ", []
    while len(found) < count:
        event = msgspec.json.decode(await side.recv())
        if event["event"] == "error":
            raise WrongAnswer(event)
        if event["event"] == "chat_message" and event["message"].startswith(mine):
            found.append((event["id"], event["seq"], event["message"]))
            heard[event["id"]] = heard.get(event["id"], 0) + 1
            if heard[event["id"]] == 2:
                window.release()
    return found
