"""Every door as somebody outside sees it, and everything that the database holds: what tables of many requests are made of."""

import json
import re
import sqlite3
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import yaml
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from holdfast.app import DOORS
from holdfast.http import Door

MOVING = {
    "audit",
    "token",
    "sqlite_sequence",
    "health",
    "delivery",
    "delivery_attempt",
    "heartbeat",
    "audit_anchor",
}  # what changes beside a request: uses noted, deliveries tried

MATRIX = yaml.safe_load((Path(__file__).parent / "authz.yaml").read_text(encoding="utf-8"))
NUMBERS = count(10_000)


def example(door: str, number: str | None = None) -> tuple[str, str, Any]:
    """Method, path and body of a request that the door takes; `number` stands in the path instead of the caller's own."""
    method, path = door.split(" ", 1)
    row = MATRIX["doors"][door]
    path = re.sub(r"\{\w+_id\}", number or "1", row.get("path", path).replace("{user_id}", number or "me"))
    body = json.loads(json.dumps(row["body"]).replace("%n", str(next(NUMBERS)))) if "body" in row else None
    return method, path, body


def every_door() -> list[Door]:
    return [door for doors in DOORS for door in doors.table]


def name(door: Door) -> str:
    return f"{door.method} {door.path}"


async def handshake(address: str, path: str, headers: dict[str, str], **more: Any) -> tuple[int, Any]:
    """Status and body of the answer to a WebSocket handshake; 101 and nothing when it opened."""
    try:
        async with connect(f"ws://{address}{path}", additional_headers=headers, compression=None, **more):
            return 101, None
    except InvalidStatus as refused:
        return refused.response.status_code, json.loads(refused.response.body)


async def everything(server: Any) -> dict[str, list[Any]]:
    """Every row of every table that no background work touches: what a refused request must leave as it was."""
    settings = server.app.state.settings
    if settings.postgres:
        async with server.db.read() as tx:
            connection = tx.connection  # Tx gives Structs alone
            names = await connection.fetch("select tablename as name from pg_tables where schemaname = 'public' order by 1")
            wanted = [row["name"] for row in names if row["name"] not in MOVING]
            found = {table: [tuple(each) for each in await connection.fetch(f"select * from {table}")] for table in wanted}
    else:
        connection = sqlite3.connect(settings.data_dir / "holdfast.sqlite3")
        names = connection.execute("select name from sqlite_master where type = 'table' order by 1").fetchall()
        found = {table: connection.execute(f"select * from {table}").fetchall() for (table,) in names}
        connection.close()
    return {table: sorted(rows, key=repr) for table, rows in found.items() if table not in MOVING}


def telling(answer: httpx2.Response) -> tuple[int, bytes, dict[str, str]]:
    """An answer without what differs between two equal ones: the date."""
    return answer.status_code, answer.content, {key: value for key, value in answer.headers.items() if key != "date"}


async def prepare(server: Any, maya: Any) -> int:
    """What the doors about things need to be there: maya's contacts 1 to 3, therapist, chat that waits, and alarm, whose id this is.

    Of that alarm one message has failed.
    """
    for number in range(3):
        await maya.patch("/user/edit/contact/me/", {"name": f"P{number}", "phone": f"+38050123456{number}", "relationship": "friend"})
    await maya.put("/user/create/therapist/me/", {"name": "Olga", "phone": "+380501111111"})
    async with server.db.write() as tx:
        await tx.run("insert into conversation (user_id, epoch, state, waiting_since) values (1, 'e', 'waiting', holdfast_now())")
    if not any("{alarm_id}" in door for door in MATRIX["doors"]):
        return 0
    answer = await maya.post("/event/trigger/me/")
    async with server.db.write() as tx:
        assert await tx.run("update delivery set state = 'failed', error_class = 'permanent' where id = 1")
    return int(answer.headers["location"].strip("/").rpartition("/")[2])
