"""Whom maya trusts and how she calls: what the tests about alarms share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from conftest import Person, Server

IVAN = {"name": "Ivan", "phone": "+380501234567", "email": "ivan@example.org", "relationship": "brother"}
OLGA = {"name": "Olga", "phone": "+380501234568", "relationship": "friend"}
ANNA = {"name": "Anna", "phone": "+380501234569", "email": "anna@example.org", "relationship": "sister"}
NADIA = {"name": "Dr Nadia", "email": "nadia@example.org"}

TRIGGER = "/event/trigger/me/"
FROM = "Care line <care@example.org>"


async def trusts(person: Person, *people: dict[str, str]) -> None:
    """A contact has a relationship, a therapist has none."""
    for each in people:
        method, path = ("PATCH", "/user/edit/contact/me/") if "relationship" in each else ("PUT", "/user/create/therapist/me/")
        assert (await person.ask(method, path, each)).status == 201


async def count(server: Server, table: str, where: str = "true") -> int:
    async with server.db.read() as tx:
        return int(await tx.value(f"select count(*) from {table} where {where}"))


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
    """What the condition says once it says something true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - it is asked of another process or a database
            await asyncio.sleep(0.02)
    return found


async def state(person: Person, alarm: int = 1) -> dict[str, Any]:
    return dict((await person.get(f"/event/{alarm}/")).json)


async def settled(person: Person, *states: str) -> dict[str, Any]:
    """The live state once every delivery is in one of these states."""

    async def there() -> dict[str, Any] | None:
        seen = await state(person)
        return seen if all(channel["state"] in states for helper in seen["helpers"] for channel in helper["channels"]) else None

    return dict(await until(there))
