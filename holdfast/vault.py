"""The vault: what people say is sealed under a key of their own, and that key under the operator's.

AES-256-GCM, bound to its place: a sealed text that is moved to another person, row or column does not open.
"""

import contextlib
import functools
import hashlib
import secrets
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from holdfast.db import Sql, Tx
from holdfast.log import log
from holdfast.settings import Settings

ALGORITHM = b"\x01"  # first byte of everything sealed: AES-256-GCM, then the nonce, then the text with its tag
NONCE = 12  # bytes, random: NIST SP 800-38D allows 2^32 of them under one key
KEY = 32  # bytes
KEPT = 4096  # keys of people that stay unwrapped in memory
KEY_FILE = "vault.key"

# On PostgreSQL the row is held until the end: nobody may destroy a key while something is being sealed with it.
OF_PERSON = Sql(
    sqlite="select wrapped, key_name from data_key where user_id = :user_id",
    postgres="select wrapped, key_name from data_key where user_id = :user_id for update",
)

ADD = """
    insert into data_key (user_id, wrapped, key_name, created_at) values (:user_id, :wrapped, :key_name, holdfast_now())
    on conflict (user_id) do nothing"""

FORGET = "delete from data_key where user_id = :user_id"


class Wrapped(Struct):
    """A person's key as the database keeps it; `key_name` says which of the operator's wrapped it. Null: the person has none yet."""

    wrapped: bytes | None
    key_name: str | None


class Place(NamedTuple):
    """Where a sealed text belongs. `uid` is the row's own random name: its number is not known before it is there."""

    table: str
    column: str
    uid: str


class Key:
    """One person's."""

    def __init__(self, user_id: int, key: bytes) -> None:
        self._cipher, self._bound = AESGCM(key), (str(user_id), _name(key))

    def seal(self, place: Place, text: bytes) -> bytes:
        return _seal(self._cipher, text, (*place, *self._bound))

    def open(self, place: Place, sealed: bytes) -> bytes | None:
        """None, and a line in the log, for what was not sealed for this place with this key."""
        text = _open(self._cipher, sealed, (*place, *self._bound))
        if text is None:
            log.error("crypt_decrypt_fail", reason=f"{place.table}.{place.column}")
        return text


class Vault:
    """The operator's keys: the first wraps, all unwrap."""

    def __init__(self, settings: Settings) -> None:
        own = [secret.encode() for secret in settings.vault_secrets] or [_kept(settings.data_dir / KEY_FILE)]
        self._ciphers = {_name(secret): AESGCM(_derived(secret)) for secret in own}
        self._first = _name(own[0])
        self._unwrapped = functools.lru_cache(KEPT)(self._unwrap)

    def key(self, user_id: int, row: Wrapped | None) -> Key | None:
        """None when there is no key, or when the operator's key that wrapped it is no longer there: then the log says so."""
        if row is None or row.wrapped is None:
            return None
        return self._unwrapped(user_id, row.wrapped, row.key_name or "")

    async def key_for(self, tx: Tx, user_id: int) -> Key | None:
        """The key to seal with, in a transaction that writes; made when there is none. None when the one that there is cannot be unwrapped."""
        row = await tx.one(OF_PERSON, Wrapped, user_id=user_id)
        if row is None:
            await tx.run(ADD, user_id=user_id, wrapped=self._wrap(user_id, secrets.token_bytes(KEY)), key_name=self._first)
            row = await tx.one(OF_PERSON, Wrapped, user_id=user_id)
        return self.key(user_id, row)

    def _wrap(self, user_id: int, key: bytes) -> bytes:
        return _seal(self._ciphers[self._first], key, _of_wrapped(user_id, self._first))

    def _unwrap(self, user_id: int, wrapped: bytes, key_name: str) -> Key | None:
        cipher = self._ciphers.get(key_name)
        key = _open(cipher, wrapped, _of_wrapped(user_id, key_name)) if cipher else None
        if key is None:
            log.error("crypt_unwrap_fail", reason=key_name)
            return None
        return Key(user_id, key)


async def forget(tx: Tx, user_id: int) -> None:
    """Destroys the person's key: whatever was sealed for them cannot be opened again, not in dead rows of the database either."""
    await tx.run(FORGET, user_id=user_id)


def _seal(cipher: AESGCM, text: bytes, bound: tuple[str, ...]) -> bytes:
    nonce = secrets.token_bytes(NONCE)
    return ALGORITHM + nonce + cipher.encrypt(nonce, text, _associated(bound))


def _open(cipher: AESGCM, sealed: bytes, bound: tuple[str, ...]) -> bytes | None:
    nonce = sealed[1 : 1 + NONCE]
    if sealed[:1] != ALGORITHM or len(nonce) < NONCE:
        return None
    try:
        return cipher.decrypt(nonce, sealed[1 + NONCE :], _associated(bound))
    except InvalidTag:
        return None


def _associated(bound: tuple[str, ...]) -> bytes:
    """None of the parts can hold the separator: names of our own, hexadecimal digits and numbers."""
    return "\x1f".join(bound).encode()


def _of_wrapped(user_id: int, key_name: str) -> tuple[str, ...]:
    return ("data_key", "wrapped", "", str(user_id), key_name)


def _derived(secret: bytes) -> bytes:
    return HKDF(SHA256(), KEY, salt=None, info=b"holdfast vault").derive(secret)


def _name(key: bytes) -> str:
    return hashlib.sha256(b"name" + key).hexdigest()[:8]


def _kept(path: Path) -> bytes:
    """For development: one key for all processes on this data folder, made by whoever comes first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.is_file():
        fresh = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(KEY))
        fresh.chmod(0o400)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)  # never over one that another process has made meanwhile
        fresh.unlink()
    return path.read_text().strip().encode()
