"""Everything that changes who may come in."""

import unicodedata

from msgspec import Struct

from holdfast import audit, errors
from holdfast.accounts import tokens
from holdfast.clock import DAY, HOUR, MINUTE, SECOND
from holdfast.db import Tx

LIVES: dict[tokens.Kind, tuple[int, int]] = {
    "u": (30 * DAY, 14 * DAY),
    "o": (12 * HOUR, 30 * MINUTE),
    "w": (60 * SECOND, 60 * SECOND),
    "a": (365 * DAY, 365 * DAY),  # on a lock screen, where nobody signs in again before the night it is needed
}
LIVE_TOKENS = 100  # a user; the oldest go
MEMORY = 90 * DAY  # how long an ended token still marks a device that has logged in before

ACCOUNT = "select id, username, password_hash, is_staff, disabled_at is not null as disabled from account where username_key = :key"

END_ALARM_TOKENS = "update token set revoked_at = holdfast_now() where account_id = :account_id and kind = 'a' and revoked_at is null"

STAFF = "select id, username, email from account where is_staff and disabled_at is null order by id"

EMAIL = "select email from account where id = :account_id"

PASSWORD = "select password_hash from account where id = :account_id"

CREATE = """
    insert into account (username, username_key, email, password_hash, is_staff, created_at)
    values (:username, :key, :email, :password_hash, :is_staff, holdfast_now())
    on conflict (username_key) do nothing
    returning id"""

REHASH = "update account set password_hash = :password_hash where id = :account_id"

ISSUE = """
    insert into token (digest, kind, account_id, room_id, parent_id, created_at, last_used_at, idle_limit, expires_at)
    values (:digest, :kind, :account_id, :room_id, :parent_id, holdfast_now(), holdfast_now(), :idle_limit, holdfast_now() + :life)"""

RETIRE = """
    update token set revoked_at = holdfast_now()
     where account_id = :account_id and kind <> 'w' and revoked_at is null
       and id not in (select id from token where account_id = :account_id and kind <> 'w' and revoked_at is null order by id desc limit :live)"""

FORGET = """
    delete from token
     where account_id = :account_id and held_until < holdfast_now()
       and expires_at < holdfast_now() - case kind when 'w' then 0 else cast(:memory as bigint) end"""

KNOWN_DEVICE = "select 1 from token where digest = :digest and account_id = :account_id and kind <> 'w'"

HOLD = "update token set held_until = :until where account_id = :account_id and revoked_at is null and kind <> 'w' and expires_at > holdfast_now()"


class Member(Struct):
    """Somebody of the staff who can sign in."""

    id: int
    username: str
    email: str


class Account(Struct):
    id: int
    username: str
    password_hash: str
    is_staff: bool
    disabled: bool


class WrongCredentials(errors.Unauthorized):
    """Invalid credentials."""


class UsernameTaken(errors.InvalidFields):
    def __init__(self) -> None:
        super().__init__({"username": [TAKEN]})


TAKEN = "A user with that username already exists."


def username_key(username: str) -> str:
    """Two names that look the same are the same."""
    return unicodedata.normalize("NFKC", username).casefold()


async def find(tx: Tx, username: str) -> Account | None:
    return await tx.one(ACCOUNT, Account, key=username_key(username))


async def staff(tx: Tx) -> list[Member]:
    return await tx.all(STAFF, Member)


async def email_of(tx: Tx, account_id: int) -> str:
    return str(await tx.value(EMAIL, account_id=account_id))


async def password_hash_of(tx: Tx, account_id: int) -> str | None:
    return await tx.value(PASSWORD, account_id=account_id)


async def register(tx: Tx, *, username: str, email: str, password_hash: str, is_staff: bool = False) -> int:
    """Raises UsernameTaken."""
    account_id = await tx.value(CREATE, username=username, key=username_key(username), email=email, password_hash=password_hash, is_staff=is_staff)
    if account_id is None:
        raise UsernameTaken
    await audit.record(tx, actor_id=account_id, user_id=account_id, action="register")
    return int(account_id)


async def sign_in(tx: Tx, account: Account, *, password_hash: str | None) -> str:
    """A new token; `password_hash` replaces one that was made with weaker parameters."""
    if password_hash:
        await tx.run(REHASH, account_id=account.id, password_hash=password_hash)
    token = await issue(tx, account.id, "o" if account.is_staff else "u")
    await tx.run(RETIRE, account_id=account.id, live=LIVE_TOKENS)
    await tx.run(FORGET, account_id=account.id, memory=MEMORY)
    await audit.record(tx, actor_id=account.id, user_id=account.id, action="login")
    return token


async def issue(tx: Tx, account_id: int, kind: tokens.Kind, room_id: int | None = None, parent_id: int | None = None) -> str:
    token, (life, idle) = tokens.new(kind), LIVES[kind]
    digest = tokens.digest(token)
    await tx.run(ISSUE, digest=digest, kind=kind, account_id=account_id, room_id=room_id, parent_id=parent_id, life=life, idle_limit=idle)
    return token


async def ticket(tx: Tx, account_id: int, token_id: int, room_id: int | None) -> str:
    """Opens one socket in that user's room, or in the staff's for None. The socket ends with the token that asked."""
    await tx.run(FORGET, account_id=account_id, memory=MEMORY)
    return await issue(tx, account_id, "w", room_id, parent_id=token_id)


async def hold_tokens(tx: Tx, account_id: int, until: int) -> None:
    """A token does not expire while its user's alarm is live (alarm.md, section 1 rule 6)."""
    await tx.run(HOLD, account_id=account_id, until=until)


async def end_alarm_tokens(tx: Tx, account_id: int) -> None:
    """A telephone is lost: what lay on its lock screen opens nothing any more."""
    await tx.run(END_ALARM_TOKENS, account_id=account_id)
    await audit.record(tx, actor_id=account_id, user_id=account_id, action="alarm_tokens_ended")


async def knows_device(tx: Tx, account_id: int, token: str) -> bool:
    """Whether the token, live or ended, was once this person's: a device that has logged in before."""
    return bool(await tx.value(KNOWN_DEVICE, digest=tokens.digest(token), account_id=account_id))
