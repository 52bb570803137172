"""The OpenAPI 3.1 document, made from the same table of doors that answers the requests."""

import re
import types
import typing
from collections.abc import Iterable
from typing import Any

import msgspec

from holdfast import __version__
from holdfast.http import Door, Problem

REF = "#/components/schemas/{name}"

ERRORS = {
    400: "The request is not valid.",
    401: "No live token.",
    403: "Not allowed.",
    404: "Not there, or not yours: the same answer.",
    406: "Asked for without the header that it needs.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    429: "Too many attempts; Retry-After says how long to wait.",
    503: "The database cannot be reached; Retry-After says when to try again.",
}

FORGIVING = "{name}: every field is optional, and what cannot be read is left out."

DESCRIPTION = """Every path is served with and without its last slash. A token goes into the header `Authorization: Token <token>`.
`me` stands for the caller's own id. Somebody else's id and an id that does not exist get the same 404.
The chats' WebSockets are `/ws/chat/{user_id}/` and, for staff, `/ws/chat/admin/`."""


def document(doors: Iterable[Door]) -> dict[str, Any]:
    """Deterministic: the same doors make the same document."""
    shown = [door for door in doors if door.method not in ("SOCKET", "HEAD") and door.path.startswith("/api/")]
    wire_types = [kind for door in shown for kind in _types(door)]
    schemas, components = msgspec.json.schema_components([kind for kind in wire_types if kind is not None], ref_template=REF)
    known = {str(kind): schema for kind, schema in zip((k for k in wire_types if k is not None), schemas, strict=True)}
    paths: dict[str, Any] = {}
    for door in shown:
        paths.setdefault(door.path, {})[door.method.lower()] = _operation(door, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token <token>"}},
        },
    }


def answers(door: Door) -> dict[int, Any]:
    """Every answer of a door: its own, and those that the edge gives for it."""
    found = dict(door.answers)
    edge = [503]
    if door.who.name != "anyone":
        edge.append(401)
    if door.who.name == "staff":
        edge.append(403)
    if door.body:
        edge += [400, 413, 415]
    if door.query:
        edge.append(400)
    for status in edge:
        found.setdefault(status, Problem)
    return dict(sorted(found.items()))


def _operation(door: Door, known: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{door.handler.__name__}_{door.method.lower()}",
        "tags": [door.tag],
        "summary": (door.handler.__doc__ or "").strip().partition("\n")[0],
        "parameters": [_parameter(door, name) for name in re.findall(r"{(\w+)}", door.path)] + _query(door),
        "responses": {str(status): _response(status, kind, known) for status, kind in answers(door).items()},
        "security": [] if door.who.name == "anyone" else [{"token": []}],
    }
    if door.body:
        schema = {"description": FORGIVING.format(name=door.body.__name__)} if door.forgiving else known[str(door.body)]
        operation["requestBody"] = {"required": not door.bare, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameter(door: Door, name: str) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "integer", "minimum": 1}
    schema = {"anyOf": [number, {"const": "me"}]} if door.target.by_person else number
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(door: Door) -> list[dict[str, Any]]:
    fields = msgspec.structs.fields(door.query) if door.query else ()
    return [{"name": field.encode_name, "in": "query", "required": False, "schema": msgspec.json.schema(field.type)} for field in fields]


def _response(status: int, kind: Any, known: dict[str, Any]) -> dict[str, Any]:
    parts = [known[str(part)] for part in _parts(kind)]
    content = {"application/json": {"schema": parts[0] if len(parts) == 1 else {"anyOf": parts}}} if parts else {}
    return {"description": ERRORS.get(status, "Done."), "content": content}


def _types(door: Door) -> list[Any]:
    return [None if door.forgiving else door.body, *(part for kind in answers(door).values() for part in _parts(kind))]


def _parts(kind: Any) -> tuple[Any, ...]:
    """The members of `A | B`; nothing for an answer without a body."""
    if kind is None:
        return ()
    return typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)
