"""The edge: finds the door, decides about access, reads the body, renders what comes back."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import time
from collections.abc import Awaitable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl

import msgspec
from starlette.responses import Response

from holdfast import audit, fields
from holdfast.errors import Forbidden, Invalid, MethodNotAllowed, NotFound, Refusal, TooLarge, Unavailable, WrongMediaType
from holdfast.http import Actor, Answer, Ask, Door, Target, anyone, authorize
from holdfast.log import Answered, answered, log

PATHS = 4096  # whose way through the tree is remembered
BODY = 64 * 1024  # bytes; contract decisions, "Everywhere"
FORM_FIELDS = 100
BODY_PATIENCE = 20.0  # seconds for the whole body: a client that drips bytes must not hold a handler

FORM = "application/x-www-form-urlencoded"
NO_FORM = f"The request body must be a form, sent as {FORM}."

SHUT = {  # security.md D9
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
EMPTY = ((b"cache-control", b"no-store"), *((name.encode(), value.encode()) for name, value in SHUT.items()))
JSON = ((b"content-type", b"application/json"), *EMPTY)

encode = msgspec.json.Encoder().encode


class Found(NamedTuple):
    actor: Actor | None
    user_id: int | None  # None when the asked-for person does not exist
    target: Any


class Edge:
    """The ASGI application. `state` carries what lives as long as the process: `db`, `settings`, `identify` and the domains' own."""

    def __init__(self, doors: list[Door], state: Any) -> None:
        self._state = state
        self._numbers = itertools.count(int.from_bytes(os.urandom(8)))
        self._tree: dict[str, Any] = {}
        for door in doors:
            self._plant(door)
        self.doors = doors
        self._walk = functools.lru_cache(PATHS)(self._find)

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        return self._http(scope, receive, send) if scope["type"] == "http" else self._socket(scope, receive, send)

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        ask = self._ask(scope)
        result = await self._result(ask, receive)
        if isinstance(result, Response):
            status = result.status_code
            for name, value in SHUT.items():
                result.headers.setdefault(name, value)
            await result(scope, receive, send)
        else:
            status = result.status
            await self._send(ask, result, send)
        answered(
            Answered(
                ask.request_id,
                ask.actor.mark if ask.actor else None,
                scope["method"],
                _template(ask),
                status,
                round((time.perf_counter() - began) * 1000, 2),
            )
        )

    async def _result(self, ask: Ask, receive: Any) -> Answer | Response:
        try:
            return await self._pass(ask, receive)
        except Refusal as refusal:
            return Answer(refusal.body, refusal.status, refusal.headers)
        except Exception as error:
            if self._state.db.down(error):
                log.error("database_unavailable", request_id=ask.request_id, route=_template(ask), exc_info=error)
                return Answer(Unavailable().body, 503, Unavailable.headers)
            log.error("bug", request_id=ask.request_id, route=_template(ask), exc_info=error)
            return Answer({"error": "Something went wrong on our side.", "request_id": ask.request_id}, 500)

    async def _pass(self, ask: Ask, receive: Any) -> Answer | Response:
        method = ask.scope["method"]
        node, ids = self._walk(ask.scope["path"])
        if method not in node:
            allowed = ", ".join(sorted(key for key in node if key.isupper() and key != "SOCKET"))
            if not allowed:
                raise NotFound
            if method == "OPTIONS":
                return Answer(None, 204, {"Allow": allowed, **self._preflight(ask, allowed)})
            raise MethodNotAllowed(allowed)
        ask.door = door = node[method]
        ask.words = ids
        await self.admit(ask, door, ids, ask.header(b"authorization"))
        result = await self._handled(ask, door, receive)
        return result if isinstance(result, (Answer, Response)) else Answer(result, next(iter(door.answers)))

    async def admit(self, ask: Ask, door: Door, ids: tuple[str, ...], authorization: str | None) -> None:
        """Fills in who asks and about whom, or raises what `authorize` raises. What staff do with another's record is on record first."""
        if door.who is anyone:
            return
        ask.number = _number(ids[0], door.target) if ids else None
        found = await self._state.identify(ask, authorization, ask.number)
        authorize(found.actor, door.who, found.user_id)
        ask.actor, ask.user_id, ask.target = found.actor, found.user_id, found.target
        if ask.user_id != ask.actor.id:
            async with ask.db.write(alarm=door.alarm) as tx:
                await audit.record(tx, actor_id=ask.actor.id, user_id=ask.user_id, action=f"{door.method} {door.path}")

    async def _handled(self, ask: Ask, door: Door, receive: Any) -> Any:
        if door.form:
            return await door.handler(ask, _form(await _body(ask, receive, FORM)))
        if door.query:
            return await door.handler(ask, fields.Draft(door.query, _query(ask)).finished())
        if door.body is None:
            return await door.handler(ask)
        if door.forgiving:
            return await door.handler(ask, await _forgiven(ask, door.body, receive))
        raw = await _body(ask, receive)
        draft: fields.Draft[Any] = fields.Draft(door.body, fields.read_object(raw) if raw or not door.bare else {})
        return await door.handler(ask, draft if door.drafted else draft.finished())

    async def _send(self, ask: Ask, answer: Answer, send: Any) -> None:
        body = b"" if answer.status in (204, 304) else encode(answer.body)
        headers = [*JSON, (b"content-length", str(len(body)).encode())] if body else [*EMPTY]
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        if origin := self.allowed_origin(ask):
            headers += [(b"access-control-allow-origin", origin.encode()), (b"vary", b"Origin")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _socket(self, scope: Any, receive: Any, send: Any) -> None:
        """Refusals are HTTP answers to the handshake, so that a client can tell a bad token from a lost line."""
        ask = self._ask(scope)
        try:
            node, ids = self._walk(scope["path"])
            if "SOCKET" not in node:
                raise NotFound
            ask.door = door = node["SOCKET"]
            if ask.header(b"origin") and not self.allowed_origin(ask) and not self._same_origin(ask):
                raise Forbidden
            await self.admit(ask, door, ids, _socket_token(ask))
        except Exception as error:
            refusal = error if isinstance(error, Refusal) else Unavailable()
            if not isinstance(error, Refusal):
                log.error("handshake_failed", request_id=ask.request_id, exc_info=error)
            log.info("handshake_refused", request_id=ask.request_id, route=_template(ask), status=refusal.status)
            await _deny(refusal, send)
            return
        await door.handler(ask, receive, send)

    def _ask(self, scope: Any) -> Ask:
        ask = Ask(scope)
        ask.state, ask.db, ask.settings = self._state, self._state.db, self._state.settings
        ask.request_id = f"{next(self._numbers) & 2**64 - 1:016x}"
        return ask

    def allowed_origin(self, ask: Ask) -> str | None:
        origin = ask.header(b"origin")
        return origin if origin in self._state.settings.origins else None

    def _same_origin(self, ask: Ask) -> bool:
        return ask.header(b"origin") == ask.origin

    def _preflight(self, ask: Ask, allowed: str) -> Mapping[str, str]:
        if not self.allowed_origin(ask):
            return {}
        return {
            "Access-Control-Allow-Methods": allowed,
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        }

    def _plant(self, door: Door) -> None:
        node = self._tree
        for part in _parts(door.path):
            node = node.setdefault("/{}" if part.startswith("{") else "/" + part, {})
        if door.method in node:
            raise ValueError(f"two doors at {door.method} {door.path}")
        node[door.method] = door

    def _find(self, path: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """A fixed word goes before a number; methods and branches share a node, told apart by the slash."""
        node: dict[str, Any] = self._tree
        ids: list[str] = []
        for part in _parts(path):
            if "/" + part in node:
                node = node["/" + part]
            elif "/{}" in node:
                node = node["/{}"]
                ids.append(part)
            else:
                raise NotFound
        return node, tuple(ids)


def _parts(path: str) -> list[str]:
    """The same path with and without its last slash is one path."""
    parts = path.split("/")[1:]
    return parts[:-1] if parts and not parts[-1] else parts


def _number(part: str, target: Target) -> int | None:
    """None is the caller, for `me`; what is no number at all is a number that nobody has."""
    if part == "me" and target.by_person:
        return None
    return int(part) if part.isascii() and part.isdigit() and len(part) < 19 else -1


def _template(ask: Ask) -> str:
    return ask.door.path if ask.door else "unknown"


def _form(raw: bytes) -> dict[str, str]:
    """Each field as it was sent, blank ones too. Raises Invalid."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS)
    except ValueError:
        raise Invalid("The request body is not a valid form.") from None
    if len(found := dict(pairs)) < len(pairs):
        raise Invalid("The request body names a field twice.")
    return found


async def _body(ask: Ask, receive: Any, kind: str = "application/json") -> bytes:
    if (ask.header(b"content-type") or kind).partition(";")[0].strip().lower() != kind:
        raise WrongMediaType(NO_FORM if kind == FORM else None)
    if int(ask.header(b"content-length") or 0) > BODY:
        raise TooLarge
    whole = b""
    try:
        async with asyncio.timeout(BODY_PATIENCE):
            while True:
                message = await receive()
                whole += message.get("body", b"")
                if len(whole) > BODY:
                    raise TooLarge
                if not message.get("more_body"):
                    return whole
    except TimeoutError:
        raise Invalid("The request body did not arrive in time.") from None


async def _forgiven(ask: Ask, shape: type[msgspec.Struct], receive: Any) -> msgspec.Struct:
    try:
        draft: fields.Draft[Any] = fields.Draft(shape, fields.read_object(await _body(ask, receive)))
    except Refusal:
        return shape()
    return shape(**draft.values)


def _query(ask: Ask) -> dict[str, Any]:
    """Numbers, true and false are what they look like; of a name that is sent twice the last one counts. Raises Invalid."""
    try:
        sent = dict(parse_qsl(ask.scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=FORM_FIELDS))
    except ValueError:
        raise Invalid("The query names too many parameters.") from None
    truths = {"true": True, "false": False}
    return {name: int(word) if word.isascii() and word.isdigit() and len(word) < 19 else truths.get(word, word) for name, word in sent.items()}


def _socket_token(ask: Ask) -> str | None:
    """Header, then the one-time ticket, then the subprotocol pair that a browser can set, then `?token=` where it is allowed."""
    if header := ask.header(b"authorization"):
        return header
    query = parse_qs(ask.scope["query_string"].decode("latin-1"))
    if query.get("ticket", [""])[0].startswith("hf_w_"):  # a raw token must not come in by this door where `?token=` is closed
        return "Token " + query["ticket"][0]
    offered = ask.scope["subprotocols"]
    if "token" in offered[:-1]:
        return "Token " + offered[offered.index("token") + 1]
    if "token" in query and ask.settings.token_in_query:
        return "Token " + query["token"][0]
    return None


async def _deny(refusal: Refusal, send: Any) -> None:
    headers = [*JSON, *((name.lower().encode(), value.encode()) for name, value in refusal.headers.items())]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": encode(refusal.body)})
