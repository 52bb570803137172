"""The executed matrix of who gets what at each door (security.md A1-A4), held against tests/authz.yaml."""

import json
from typing import Any

import httpx2
import pytest
from conftest import Person, Server
from doors import MATRIX, every_door, everything, example, handshake, name, prepare, telling

from holdfast.accounts import service as accounts
from holdfast.http import Doors

UNAUTHORIZED = {"error": "Authentication credentials were not provided or are not valid."}
FORBIDDEN = {"error": "You may not do this."}


def test_every_door_stands_in_the_matrix():
    assert {name(door) for door in every_door()} == set(MATRIX["doors"])


def test_a_door_without_a_policy_does_not_start():
    for policy in (None, "own", True):
        with pytest.raises(TypeError, match="names no policy"):
            Doors("/api/v1", tag="Test").get("/nowhere/", who=policy, answers={})
    with pytest.raises(TypeError, match="who"):
        Doors("/api/v1", tag="Test").get("/nowhere/", answers={})


def test_every_door_declares_a_policy_and_only_the_open_ones_are_for_anyone():
    for door in every_door():
        expected = MATRIX["doors"][name(door)]["kind"] == "open"
        assert (door.who.name == "anyone") is expected, name(door)


class Cell:
    """One relation at one door: what is asked, and what must come back."""

    def __init__(self, door: str, relation: str, verdict: Any) -> None:
        self.door, self.relation, self.verdict = door, relation, verdict
        self.row = MATRIX["doors"][door]

    def request(self, alarm: int) -> tuple[str, str, Any]:
        numbers = {"me": "me", "missing id": "999", "staff, missing id": "999", "no id at all": "abc", "ticket, other room": "2"}
        own = str(alarm) if "{alarm_id}" in self.door else "1"
        if self.door.startswith("DELETE") and "{user_id}" not in self.door:  # what is gone cannot go again
            own = {"self": "2", "staff": "3"}.get(self.relation, own)
        return example(self.door, numbers.get(self.relation, own))

    def expected(self) -> tuple[int, Any]:
        """Status and body; None where the body is the domain's own affair."""
        match self.verdict:
            case "missing":
                return 404, {"error": self.row.get("missing", "Not found")}
            case 401:
                return 401, UNAUTHORIZED
            case 403 | "refused":
                return 403, FORBIDDEN
        return self.row["ok"], None


def cells() -> list[Cell]:
    return [Cell(door, relation, verdict) for door, row in MATRIX["doors"].items() for relation, verdict in MATRIX["kinds"][row["kind"]].items()]


async def tokens_of(server: Server, maya: Person, sam: Person, olive: Person) -> dict[str, str | None]:
    """The token that each relation presents; the others present maya's."""
    spoilt = {"wrong checksum": maya.token[:-1] + ("a" if maya.token[-1] != "a" else "b"), "none": None}
    people = {"stranger": sam.token, "staff": olive.token, "staff, missing id": olive.token}
    async with server.db.write() as tx:
        ended = {relation: await accounts.issue(tx, 1, "u") for relation in ("expired", "revoked")}
        await tx.run("update token set expires_at = holdfast_now() - 1 where id = (select max(id) - 1 from token)")
        await tx.run("update token set revoked_at = holdfast_now() where id = (select max(id) from token)")
    return {**spoilt, **people, **ended}


async def fresh(server: Server, relation: str) -> str | None:
    """A token of maya's that is good for one cell: a ticket is spent, and the tokens of lock screens can be ended by what is asked."""
    kind = {"ticket": "w", "ticket, other room": "w", "alarm token": "a"}.get(relation)
    if kind is None:
        return None
    async with server.db.write() as tx:
        return await accounts.issue(tx, 1, kind, room_id=1 if kind == "w" else None)


async def last_audit(server: Server) -> int:
    async with server.db.read() as tx:
        return await tx.value("select coalesce(max(id), 0) from audit")


async def ask(server: Server, client: httpx2.AsyncClient, cell: Cell, token: str | None, alarm: int) -> tuple[int, Any]:
    headers = {"Authorization": f"Token {token}"} if token else {}
    method, path, body = cell.request(alarm)
    if method == "SOCKET":
        return await handshake(server.address, path, headers)
    answer = await client.request(method, path, headers=headers, json=body)
    is_json = answer.headers["content-type"] == "application/json" and answer.content
    assert answer.status_code != 401 or answer.headers["www-authenticate"] == "Token"
    return answer.status_code, answer.json() if is_json else None


async def test_the_authz_matrix(server, client, maya, sam, olive):
    alarm, tokens, wrong = await prepare(server, maya), await tokens_of(server, maya, sam, olive), []
    before = None
    for cell in cells():
        token = await fresh(server, cell.relation) or tokens.get(cell.relation, maya.token)
        refused = cell.verdict not in ("ok", "audited")
        before = (before or await everything(server)) if refused else None
        last = await last_audit(server)
        status, body = await ask(server, client, cell, token, alarm)
        status_expected, body_expected = cell.expected()
        place = f"{cell.door} as {cell.relation}"
        if status != status_expected or (body_expected is not None and body is not None and body != body_expected):
            wrong.append(f"{place}: {status} {body}, expected {status_expected} {body_expected or ''}")
        if refused and await everything(server) != before:
            before = await everything(server)  # the work beside the requests may have written, but not twice just now
            await ask(server, client, cell, token, alarm)
            if await everything(server) != before:
                wrong.append(f"{place}: refused, but something was written")
        wrong += [f"{place}: {fault}" for fault in await audit_faults(server, cell, last)]
    assert not wrong, "\n" + "\n".join(wrong)


async def audit_faults(server: Server, cell: Cell, last: int) -> list[str]:
    """Staff's reach is on record, once, with the door; nobody else's is."""
    async with server.db.read() as tx:
        rows = await tx.value(
            "select count(*) from audit where id > :last and actor_id = 3 and user_id = 1 and action = :action", last=last, action=cell.door
        )
    expected = 1 if cell.verdict in ("audited", "refused") else 0
    return [] if rows == expected else [f"{rows} audit rows, expected {expected}"]


async def test_strangers_learn_nothing(client, sam):
    """Of the ids 1 to 200 three exist: a stranger's answers are the same to the byte, headers included. Of the doors that write, 20 ids."""
    for door, row in MATRIX["doors"].items():
        if row["kind"] not in ("personal", "private", "press"):
            continue
        method, path = door.split(" ", 1)
        seen = set()
        for number in [*range(1, 201 if method == "GET" else 21), "abc", "-1", "0", "99999999999999999999", "1e3", "%31", "01", "٣"]:
            if number == 2:
                continue
            place = path.replace("{user_id}", str(number))
            answer = await client.request(method, place, headers={"Authorization": f"Token {sam.token}"}, json=row.get("body"))
            seen.add(json.dumps([*telling(answer)], default=str))
        assert len(seen) == 1, f"{door}: {seen}"
        assert f'"error\\":\\"{row["missing"]}' in seen.pop()
