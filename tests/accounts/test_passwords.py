"""Passwords (security.md P1-P3): long enough, not common, kept as argon2id, read as they were typed."""

import asyncio
import re
import tracemalloc

import pytest
from argon2 import PasswordHasher, extract_parameters
from conftest import PASSWORD
from doors import everything

from holdfast.accounts.passwords import WAITING, Passwords, weakness
from holdfast.errors import Unavailable

LENGTH = "Must be text of 8 to 1,024 characters."
COMMON = "This password is too common."
CONTEXT = "The password must not be the username or the e-mail."

REFUSED = {
    "seven characters": ("x7 kq2v", LENGTH),
    "1,025 characters": ("k" * 1_025, LENGTH),
    "nothing": ("", LENGTH),
    "a common one": ("password1", COMMON),
    "a common one shouted": ("PASSWORD1", COMMON),
    "digits in a row": ("123456789", COMMON),
    "the product": ("holdfast", COMMON),
    "the product with a year": ("Holdfast2026!", COMMON),
    "the username": ("petro.koval", CONTEXT),
    "the username shouted": ("PETRO.KOVAL", CONTEXT),
    "the e-mail": ("petro1984@example.org", CONTEXT),
    "its local part": ("Petro1984", CONTEXT),
}
TAKEN = {
    "8 characters": "x7 kq2vz",
    "64 characters": "k7" * 32,
    "1,024 characters": "k7" * 512,
    "1,024 characters of four bytes": "\U0001f33f" * 1_024,
    "emoji": "\U0001f33f\U0001f9ff\U0001f6b2\U0001f3e1\U0001f30a\U0001fa81\U0001f3bb\U0001f9f6",
    "a trailing space": "a green harbour ",
    "a leading space": " a green harbour",
    "spaces alone": " " * 12,
    "a tab and a line break": "a green\tharbour\nat night",
    "another script": "тиха зелена гавань",
    "no digit, no capital, no sign": "correct horse battery staple",
}


@pytest.fixture
def engine():
    """No database decides any of this."""
    return "sqlite"


async def register(nobody, password: str, username: str = "petro.koval"):
    return await nobody.post("/user/registration/", {"username": username, "email": "petro1984@example.org", "password": password})


async def login(nobody, password: str, username: str = "petro.koval") -> int:
    return (await nobody.post("/user/login/", {"username": username, "password": password})).status


async def test_weak_passwords_are_refused_with_the_reason_and_make_no_account(server, nobody):
    before = await everything(server)
    for title, (password, sentence) in REFUSED.items():
        answer = await register(nobody, password)
        assert (answer.status, answer.json) == (400, {"password": [sentence]}), title
    assert await everything(server) == before


async def test_every_other_password_is_taken_as_typed_and_works_as_typed_alone(nobody):
    for number, (title, password) in enumerate(TAKEN.items()):
        name = f"person{number}"
        assert (await register(nobody, password, name)).status == 201, title
        assert await login(nobody, password, name) == 200, title
        for other in (password.strip(), password + " ", password[:-1], password[:72]):
            if other and other != password:
                assert await login(nobody, other, name) == 401, title


async def test_composed_and_decomposed_letters_are_the_same_password(nobody):
    assert (await register(nobody, "cafe\u0301 am Hafen", "anna")).status == 201
    assert await login(nobody, "caf\u00e9 am Hafen", "anna") == 200
    assert (await register(nobody, "\u00e4pfel im Garten", "berta")).status == 201
    assert await login(nobody, "a\u0308pfel im Garten", "berta") == 200


async def test_a_password_that_cannot_be_stored_is_refused_and_matches_nobody(client, nobody):
    for value in ("green\\u0000harbour", "green \\ud800 harbour"):
        raw = b'{"username": "zoe", "email": "z@example.org", "password": "%s"}' % value.encode()
        answer = await client.post("/api/v1/user/registration/", content=raw)
        assert (answer.status_code, list(answer.json())) == (400, ["password"])
        answer = await client.post("/api/v1/user/login/", content=raw)
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid credentials."})


async def test_a_hash_is_argon2id_with_the_parameters_that_were_decided(server, nobody):
    await register(nobody, PASSWORD)
    async with server.db.read() as tx:
        stored = await tx.value("select password_hash from account where username = 'petro.koval'")
    found = extract_parameters(stored)
    assert (found.type.name, found.time_cost, found.memory_cost, found.parallelism, found.salt_len, found.hash_len) == ("ID", 2, 19_456, 1, 16, 32)
    assert PASSWORD not in stored


async def test_a_weaker_hash_is_made_anew_at_the_next_login_and_only_then(server, nobody):
    async def stored() -> str:
        async with server.db.read() as tx:
            return await tx.value("select password_hash from account where id = 1")

    weaker = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    async with server.db.write() as tx:
        await tx.run("update account set password_hash = :weaker where id = 1", weaker=weaker)
    assert await login(nobody, "something else", "maya") == 401
    assert await stored() == weaker
    assert await login(nobody, PASSWORD, "maya") == 200
    anew = await stored()
    assert re.match(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", anew)
    assert await login(nobody, PASSWORD, "maya") == 200
    assert await stored() == anew


async def test_a_flood_of_logins_waits_in_a_bounded_queue_and_the_rest_is_told_to_come_back():
    passwords = Passwords()
    await passwords.hash("warm")
    tracemalloc.start()
    flood = await asyncio.gather(*(passwords.verify(None, f"guess {n}") for n in range(WAITING * 4)), return_exceptions=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    refused = [answer for answer in flood if isinstance(answer, Unavailable)]
    assert len(refused) == WAITING * 3 and refused[0].status == 503 and refused[0].headers["Retry-After"]
    assert flood.count(False) == WAITING
    assert peak < 4_000_000
    assert passwords._pool._max_workers == 2  # of 19 MiB each, which argon2 takes outside Python's own memory
    assert not await passwords.verify(None, "afterwards")


@pytest.mark.parametrize("word", ["", "@"])
def test_an_empty_name_makes_no_password_weak(word):
    assert weakness("a quiet green harbour", word, word) is None
