"""Links in messages: an address that only its receiver knows, made again at each send, of which only a digest is stored."""

import contextlib
import hashlib
import hmac
import secrets
from pathlib import Path

from holdfast.settings import Settings

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 22  # characters of 62: 131 bits
KEY_FILE = "link.key"


class Links:
    """A seed says what a link is for and which key made it, as `a/17/41@3f9c`: the same seed is always the same link."""

    def __init__(self, settings: Settings) -> None:
        keys = [key.encode() for key in settings.link_keys] or [_kept(settings.data_dir / KEY_FILE)]
        self._keys = {_name(key): key for key in reversed(keys)}
        self._signing = _name(keys[0])
        self._address = settings.address

    def seed(self, place: str, *numbers: int) -> str:
        """`place` is the first part of the address: a of an alarm, c of a contact."""
        return "/".join([place, *map(str, numbers)]) + "@" + self._signing

    def known(self, digest: str | None, place: str, *numbers: int) -> str:
        """The seed whose link has this digest: the one that was made before another key began to sign."""
        seed = self.seed(place, *numbers)
        if len(self._keys) == 1:
            return seed
        what = seed.partition("@")[0]
        return next((other for name in self._keys if self.digest(other := f"{what}@{name}") == digest), seed)

    def address(self, seed: str) -> str:
        """Raises KeyError when the key that made it is no longer there."""
        return f"{self._address}/{seed.partition('/')[0]}/{self.key(seed)}"

    def key(self, seed: str) -> str:
        what, _, name = seed.partition("@")
        number = int.from_bytes(hmac.digest(self._keys[name], what.encode(), "sha256"))
        characters = []
        for _ in range(LENGTH):
            number, place = divmod(number, 62)
            characters.append(ALPHABET[place])
        return "".join(characters)

    def digest(self, seed: str) -> str:
        return digest(self.key(seed))


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _name(key: bytes) -> str:
    return hashlib.sha256(b"name" + key).hexdigest()[:8]


def _kept(path: Path) -> bytes:
    """One key for all processes on this data folder, made by whoever comes first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.is_file():
        fresh = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)  # never over one that another process has made meanwhile
        fresh.unlink()
    return path.read_text().strip().encode()
