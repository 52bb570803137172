"""The reception: registration and login, with everything that keeps a guesser out and lets the owner in."""

from typing import Any

from holdfast import audit, errors
from holdfast.accounts import service, tokens
from holdfast.accounts.passwords import LONGEST, Passwords, weakness
from holdfast.accounts.schemas import Credentials, NewUser
from holdfast.accounts.service import TAKEN, Account, WrongCredentials
from holdfast.db import Database
from holdfast.fields import Draft, normal, storable
from holdfast.http import Ask
from holdfast.limits import Backoff, Window, is_loopback, network
from holdfast.log import log

FREE_TRIES, LONGEST_WAIT = 5, 900.0  # security.md P4
NETWORK_FAILURES = (10, 300.0)  # failures, seconds
NETWORK_REGISTRATIONS = (20, 3600.0)  # a clinic signs a group up together
ALERT = (100, 60.0)  # failures anywhere within seconds: somebody tries a list of passwords

EMAIL = "Must be an e-mail address."


class WrongPassword(errors.Forbidden):
    """The password is not right."""


class Reception:
    def __init__(self, db: Database, passwords: Passwords, *, production: bool) -> None:
        self._db, self.passwords, self._production = db, passwords, production
        self._tries = Backoff(FREE_TRIES, LONGEST_WAIT)
        self._networks = Window(*NETWORK_FAILURES)
        self._registrations = Window(*NETWORK_REGISTRATIONS)
        self._everywhere = Window(*ALERT)

    async def register(self, ask: Ask, draft: Draft[NewUser]) -> int:
        """Names every bad field at once. The hash is made before the name is looked up, so that time tells nothing. Raises InvalidFields, TooMany."""
        if self._by_network(ask):
            self._registrations.begin(network(ask.address))
        check_account(draft)
        password_hash = await self.passwords.hash(draft.values.get("password", ""))
        async with self._db.read() as tx:
            if "username" in draft.values and await service.find(tx, draft.values["username"]):
                draft.refuse("username", TAKEN)
        new = draft.finished()
        async with self._db.write() as tx:
            user_id = await service.register(tx, username=new.username, email=new.email, password_hash=password_hash)
            await ask.state.welcome(tx, user_id)
        return user_id

    async def login(self, ask: Ask, credentials: Credentials) -> str:
        """Raises Invalid for what is missing, WrongCredentials for everything else, TooMany."""
        if not credentials.username or not credentials.password:
            raise errors.Invalid("Username and password are required.")
        username, password = _readable(credentials.username).strip(), _readable(credentials.password)
        async with self._db.read() as tx:
            account = await service.find(tx, username) if username else None
            known = account is not None and await self._known_device(tx, ask, account)
        keys = self._begin(ask, service.username_key(username), known)
        right = await self.passwords.verify(account.password_hash if account else None, password)
        if not right or account is None or account.disabled:
            await self._note_failure(account)
            raise WrongCredentials
        return await self._welcome(account, password, keys)

    async def confirm(self, ask: Ask, password: str) -> None:
        """Who asks shows his or her password once more: a telephone may be borrowed. Raises WrongPassword, TooMany.

        Guesses are counted by token, so that nobody slows the owner down from another device.
        """
        async with self._db.read() as tx:
            stored = await service.password_hash_of(tx, ask.actor.id)
        key = f"again {ask.actor.token_id}"
        self._tries.begin(key)
        if not await self.passwords.verify(stored, password):
            async with self._db.write() as tx:
                await audit.record(tx, actor_id=ask.actor.id, user_id=ask.user_id, action="password", outcome="refused")
            raise WrongPassword
        self._tries.succeeded(key)

    def _begin(self, ask: Ask, username: str, known: str | bool) -> list[tuple[Backoff | Window, str]]:
        """A device that has logged in before has its own allowance: nobody can lock it out by guessing elsewhere."""
        if known:
            keys: list[tuple[Backoff | Window, str]] = [(self._tries, f"device {known}")]
        else:
            near = network(ask.address)
            keys = [(self._tries, f"{username} {near}")]
            if self._by_network(ask):
                keys.append((self._networks, near))
        for throttle, key in keys:
            throttle.begin(key)
        return keys

    async def _known_device(self, tx: Any, ask: Ask, account: Account) -> str | bool:
        token = tokens.presented(ask.header(b"authorization"))
        return token is not None and await service.knows_device(tx, account.id, token) and tokens.digest(token).hex()

    async def _note_failure(self, account: Account | None) -> None:
        try:
            self._everywhere.begin("")
        except errors.TooMany:
            log.warning("login_failures_high", count=ALERT[0], seconds=ALERT[1])
        async with self._db.write() as tx:
            await audit.record(tx, actor_id=None, user_id=account.id if account else None, action="login", outcome="refused")

    async def _welcome(self, account: Account, password: str, keys: list[tuple[Backoff | Window, str]]) -> str:
        for throttle, key in keys:
            throttle.succeeded(key)
        stronger = await self.passwords.hash(password) if self.passwords.outdated(account.password_hash) else None
        async with self._db.write() as tx:
            return await service.sign_in(tx, account, password_hash=stronger)

    def _by_network(self, ask: Ask) -> bool:
        """In development everybody comes from the loopback address (security.md 3.1)."""
        return self._production or not is_loopback(ask.address)


def check_account(draft: Draft[NewUser]) -> None:
    values = draft.values
    if "email" in values and not is_email(values["email"]):
        draft.refuse("email", EMAIL)
    if "password" in values and (sentence := weakness(values["password"], values.get("username", ""), values.get("email", ""))):
        draft.refuse("password", sentence)


def is_email(address: str) -> bool:
    """By its form alone: whether it exists must not be tried out on strangers, and a clinic's own network may end in .local."""
    import email_validator
    from email_validator import EmailNotValidError, validate_email

    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    try:
        validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return False
    return True


def _readable(value: Any) -> str:
    """What can be no name and no password is nobody's: empty."""
    return normal(value) if isinstance(value, str) and len(value) <= LONGEST and storable(value) else ""
