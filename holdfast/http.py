"""Doors: one table that says who may ask for what, with which body, and every answer that can come back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeVar

from msgspec import Struct

from holdfast.errors import Forbidden, NotFound, Unauthorized

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)
Answers = Mapping[int, Any]
Body = type[Struct] | None
HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]{1,255}")


SECURE = {"https": "https", "wss": "https"}


class Problem(Struct):
    error: str


class Message(Struct):
    message: str


FieldProblems = dict[str, list[str]]


class Actor(Struct, frozen=True):
    """Who is asking: the owner of a live token."""

    id: int
    username: str
    is_staff: bool
    token_id: int
    mark: str  # the first 8 hex digits of the token's digest: what a log may hold of a person
    alarm_only: bool = False


class Policy(Struct, frozen=True):
    """Who may pass a door. `missing` is the one 404 for somebody else's id and for an id that does not exist.

    `alarm_only`: whether the token of a lock screen is enough.
    """

    name: Literal["anyone", "signed_in", "own_or_staff", "staff", "staff_or_missing"]
    missing: str = "Not found"
    alarm_only: bool = False


anyone = Policy("anyone")
signed_in = Policy("signed_in")
staff = Policy("staff")


def own_or_staff(missing: str, *, alarm_only: bool = False) -> Policy:
    return Policy("own_or_staff", missing, alarm_only)


def staff_or_missing(missing: str) -> Policy:
    """For everybody else the door does not exist."""
    return Policy("staff_or_missing", missing)


class Target(Struct, frozen=True):
    """The row that a door's first number is about, read in the same statement as the token.

    `source` is a table or a query in parentheses; `key` its column that the number names (`account`s know `me`), `owner` its column with the person.
    """

    source: str = "account"
    key: str = "id"
    owner: str = "id"
    columns: str = "target.id"
    into: type[Struct] | None = None
    by_person: bool = True


def authorize(actor: Actor | None, policy: Policy, user_id: int | None) -> None:
    """The one decision about access: deny by default. `user_id` is None when the asked-for person does not exist.

    Raises Unauthorized, Forbidden, or NotFound with the policy's sentence.
    """
    if policy.name == "anyone":
        return
    if actor is None:
        raise Unauthorized
    if actor.alarm_only and not policy.alarm_only:
        raise Forbidden
    if policy.name == "signed_in" or (policy.name in ("staff", "staff_or_missing") and actor.is_staff):
        return
    if policy.name == "staff_or_missing":
        raise NotFound(policy.missing)
    if policy.name == "own_or_staff":
        if user_id is not None and (actor.id == user_id or actor.is_staff):
            return
        raise NotFound(policy.missing)
    raise Forbidden


class Door(Struct, frozen=True):
    method: str  # GET, POST, ... or SOCKET
    path: str
    who: Policy
    handler: Handler
    answers: Answers
    body: Body
    drafted: bool
    target: Target
    tag: str
    alarm: bool
    form: bool = False
    bare: bool = False  # no body at all is an empty object
    forgiving: bool = False  # what cannot be read of a body is left out
    query: type[Struct] | None = None


class Doors:
    """The doors of one domain. A door without a policy does not exist: `who` has no default."""

    def __init__(self, prefix: str, *, tag: str, alarm: bool = False) -> None:
        """`alarm`: what is asked at these doors goes before everything else that waits for the database."""
        self._prefix, self._tag, self._alarm = prefix, tag, alarm
        self.table: list[Door] = []

    def get(self, path: str, *, who: Policy, answers: Answers, target: Target | None = None, query: type[Struct] | None = None) -> Callable[[H], H]:
        """`query` hands the handler what stands after the question mark as that Struct, whose fields are all optional."""
        return self._add("GET", path, who, answers, target=target, query=query)

    def post(
        self,
        path: str,
        *,
        who: Policy,
        answers: Answers,
        body: Body = None,
        draft: Body = None,
        target: Target | None = None,
        form: bool = False,
        bare: bool = False,
        forgiving: bool = False,
    ) -> Callable[[H], H]:
        """`body` hands the handler a finished Struct; `draft` one that may still hold errors, for rules that need more than the body.

        `form` is for browsers and providers: the handler gets the fields of a form as dict[str, str]. `bare`: no body is an empty one.
        `forgiving`: all fields are optional, and what is wrong with them or cannot be read is left out, for no alarm may fail by its body.
        """
        return self._add("POST", path, who, answers, body, draft, target, form, bare or forgiving, forgiving=forgiving)

    def put(
        self, path: str, *, who: Policy, answers: Answers, body: Body = None, draft: Body = None, target: Target | None = None
    ) -> Callable[[H], H]:
        return self._add("PUT", path, who, answers, body, draft, target)

    def patch(
        self, path: str, *, who: Policy, answers: Answers, body: Body = None, draft: Body = None, target: Target | None = None
    ) -> Callable[[H], H]:
        return self._add("PATCH", path, who, answers, body, draft, target)

    def delete(self, path: str, *, who: Policy, answers: Answers, body: Body = None, target: Target | None = None) -> Callable[[H], H]:
        """Many clients send no body with it, so that none is an empty one."""
        return self._add("DELETE", path, who, answers, body, target=target, bare=True)

    def file(self, path: str) -> Callable[[H], H]:
        """For everybody, also by HEAD: what a browser or a monitor fetches, not part of the API."""

        def add(handler: H) -> H:
            return self._add("HEAD", path, anyone, {200: None})(self._add("GET", path, anyone, {200: None})(handler))

        return add

    def socket(self, path: str, *, who: Policy) -> Callable[[H], H]:
        return self._add("SOCKET", path, who, {})

    def _add(
        self,
        method: str,
        path: str,
        who: Policy,
        answers: Answers,
        body: Body = None,
        draft: Body = None,
        target: Target | None = None,
        form: bool = False,
        bare: bool = False,
        query: type[Struct] | None = None,
        forgiving: bool = False,
    ) -> Callable[[H], H]:
        if not isinstance(who, Policy):
            raise TypeError(f"{method} {self._prefix}{path} names no policy")

        def add(handler: H) -> H:
            place, drafted = self._prefix + path, draft is not None
            more = (self._tag, self._alarm, form, bare, forgiving, query)
            self.table.append(Door(method, place, who, handler, answers, body or draft, drafted, target or Target(), *more))
            return handler

        return add


class Answer(Struct):
    """What a handler returns when the status is not the door's first, or a header is needed."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = {}


class Ask:
    """One request at an open door: who asks, about whom, and with what."""

    __slots__ = ("_headers", "actor", "db", "door", "number", "request_id", "scope", "settings", "state", "target", "user_id", "words")

    db: Any
    settings: Any
    state: Any  # what lives as long as the process; set in app.create_app
    door: Door | None
    actor: Actor  # at every door but those for anyone
    target: Any  # the door's Target row, as its Struct
    user_id: int  # whom it is about; the caller's own id for `me`
    number: int | None  # the first number in the path; None for `me`, -1 for what is none
    words: tuple[str, ...]  # what stands in the path where the door's has {names}, in their order, as it was sent
    request_id: str

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self._headers: dict[bytes, bytes] | None = None
        self.door = None
        self.actor = None  # type: ignore[assignment]

    def header(self, name: bytes) -> str | None:
        """`name` in lower case. The first one counts when a header is sent twice; None when absent."""
        if self._headers is None:
            self._headers = dict(reversed(self.scope["headers"]))
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def sent_twice(self, name: bytes) -> bool:
        return [key for key, _ in self.scope["headers"]].count(name) > 1

    @property
    def address(self) -> str:
        """The peer's address; a proxy's word for it only when the proxy is trusted."""
        return str((self.scope.get("client") or ("unknown",))[0])

    @property
    def origin(self) -> str:
        """Scheme and host under which the client reached us, or the configured public address."""
        if self.settings.public_url:
            return str(self.settings.public_url).rstrip("/")
        host = self.header(b"host") or ""
        if not HOST.fullmatch(host):
            host = "{}:{}".format(*self.scope["server"])
        return f"{SECURE.get(self.scope['scheme'], 'http')}://{host}"
