"""What stands in the Authorization header (security.md T1, T3, T6): one 401 for everything that is not a live token, and never a 500."""

import re
from collections import Counter
from types import SimpleNamespace

import pytest
from conftest import PASSWORD

from holdfast.accounts import service, tokens
from holdfast.clock import DAY, MINUTE, SECOND

REFUSED = b'{"error":"Authentication credentials were not provided or are not valid."}'


async def refused(client, *headers: bytes) -> None:
    answer = await client.get("/api/v1/user/me/", headers=[(b"Authorization", header) for header in headers])
    assert (answer.status_code, answer.content, answer.headers["www-authenticate"]) == (401, REFUSED, "Token"), headers
    answer = await client.patch("/api/v1/user/edit/me/", headers=[(b"Authorization", header) for header in headers], json={"age": 40})
    assert (answer.status_code, answer.content, answer.headers["www-authenticate"]) == (401, REFUSED, "Token"), headers


def spoilt(token: bytes) -> dict[str, list[bytes]]:
    swapped = token[:10] + (b"a" if token[10:11] != b"a" else b"b") + token[11:]
    return {
        "missing": [],
        "twice the same": [b"Token " + token] * 2,
        "two schemes": [b"Token " + token, b"Bearer " + token],
        "two in one": [b"Token " + token + b", Token " + token],
        "empty": [b""],
        "only the scheme": [b"Token"],
        "another scheme": [b"Bearer " + token],
        "basic": [b"Basic bWF5YTpwYXNz"],
        "no scheme": [token],
        "no space": [b"Token" + token],
        "a tab": [b"Token\t" + token],
        "a colon": [b"Token: " + token],
        "quotes": [b'Token "' + token + b'"'],
        "an inner space": [b"Token " + token[:20] + b" " + token[20:]],
        "too short": [b"Token " + token[:-1]],
        "odd length": [b"Token " + token[:7]],
        "too long": [b"Token " + token + b"0"],
        "one letter wrong": [b"Token " + swapped],
        "checksum of another": [b"Token " + token[:-6] + b"000000"],
        "another prefix": [b"Token " + token.replace(b"hf_u_", b"hf_x_")],
        "another kind": [b"Token " + token.replace(b"hf_u_", b"hf_o_")],
        "in upper case": [b"Token " + token.upper()],
        "no ASCII": ["Token hf_u_ключ".encode()],
        "Latin-1": [b"Token hf_u_\xe9\xff"],
        "fullwidth": ["Ｔｏｋｅｎ ".encode() + token],
        "10 kB": [b"Token " + b"x" * 10_240],
        "10 kB of spaces before it": [b"Token " + b" " * 10_240 + token],
        "SQL": [b"Token ' or 1=1 --"],
        "an unknown token": [b"Token " + tokens.new("u").encode()],
        "an unknown ticket": [b"Token " + tokens.new("w").encode()],
        "percent": [b"Token %00%0d%0a"],
    }


async def test_every_header_that_is_no_live_token_gets_the_same_401(client, maya):
    for headers in spoilt(maya.token.encode()).values():
        await refused(client, *headers)
    assert (await maya.get("/user/me/")).json["age"] is None


async def test_the_scheme_is_read_in_any_case(client, maya):
    for scheme in ("Token", "token", "TOKEN", "tOkEn", "Token  "):
        answer = await client.get("/api/v1/user/me/", headers={"Authorization": f"{scheme} {maya.token}"})
        assert answer.status_code == 200, scheme


async def test_a_mistyped_token_costs_no_query(client, maya, server, monkeypatch):
    asked = Counter()
    sessions = server.app.state.identify.__self__
    monkeypatch.setattr(sessions, "_db", SimpleNamespace(read=lambda alarm: asked.update(["read"]) or server.db.read(alarm=alarm)))
    known = {"an unknown token", "an unknown ticket"}
    for title, headers in spoilt(maya.token.encode()).items():
        if title not in known:
            await refused(client, *headers)
    assert not asked
    await refused(client, b"Token " + tokens.new("u").encode())
    assert asked["read"] == 2


def test_a_token_has_its_form_its_alphabet_and_its_checksum():
    made = {tokens.new(kind) for kind in ("u", "o", "w") for _ in range(200)}
    assert len(made) == 600
    for token in made:
        assert re.fullmatch(r"hf_[uow]_[0-9A-Za-z]{36}", token)
        assert tokens.presented(f"Token {token}") == token
        for place in (5, 20, 34, 35, 40):
            other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            assert tokens.presented(f"Token {other}") is None
    assert len({letter for token in made for letter in token[5:35]}) == 62
    assert len(tokens.digest("hf_u_x")) == 32


async def test_an_ended_or_disabled_person_is_refused_like_anybody_without_a_token(server, client, maya, sam):
    async with server.db.write() as tx:
        await tx.run("update token set revoked_at = holdfast_now() where account_id = 1")
        await tx.run("update account set disabled_at = holdfast_now() where id = 2")
    await refused(client, b"Token " + maya.token.encode())
    await refused(client, b"Token " + sam.token.encode())


LIVES = [  # staff, idle seconds between uses, how often, still live afterwards
    (False, 13.9 * DAY, 1, True),
    (False, 14 * DAY, 1, False),
    (False, 9.9 * DAY, 3, True),
    (False, 10 * DAY, 3, False),
    (True, 28 * MINUTE, 1, True),  # the tokens are as old as the test run
    (True, 30 * MINUTE, 1, False),
    (True, 28 * MINUTE, 25, True),
    (True, 28 * MINUTE, 26, False),
]


async def use_now_and_then(server, person, each: float, times: int) -> int:
    """The status of the last of so many uses; the token is as if made now, however long the suite has been running."""
    async with server.db.write() as tx:
        await tx.run("update token set expires_at = expires_at - last_used_at + holdfast_now(), last_used_at = holdfast_now()")
    for _ in range(times):
        await server.turn_clock(each / SECOND)
        status = (await person.get("/user/music/")).status
        await server.app.state.identify.__self__.finish()
    return status


@pytest.mark.parametrize(("staff", "each", "times", "live"), LIVES)
async def test_a_token_lives_as_long_as_it_says_and_no_longer(server, maya, olive, staff, each, times, live):
    """Users 30 days, 14 without use; staff 12 hours, 30 minutes without use."""
    assert await use_now_and_then(server, olive if staff else maya, each, times) == (200 if live else 401)


async def test_the_last_use_is_written_at_most_once_a_minute(server, maya):
    async def noted() -> int:
        await maya.get("/user/me/")
        await server.app.state.identify.__self__.finish()
        async with server.db.read() as tx:
            return await tx.value("select last_used_at from token where account_id = 1")

    await server.turn_clock(61)
    first = await noted()
    await server.turn_clock(50)
    assert await noted() == first
    await server.turn_clock(11)
    assert await noted() > first


async def test_a_token_outlives_itself_inside_a_live_alarm(server, maya):
    async with server.db.write() as tx:
        await service.hold_tokens(tx, 1, await tx.value("select holdfast_now()") + 31 * DAY)
    await server.turn_clock(30.5 * DAY / SECOND)
    assert (await maya.get("/user/me/")).status == 200
    await server.turn_clock(1 * DAY / SECOND)
    assert (await maya.get("/user/me/")).status == 401


async def test_of_a_hundred_and_one_tokens_the_oldest_ends(server, client, maya):
    async with server.db.read() as tx:
        account = await service.find(tx, "maya")
    made = []
    for _ in range(101):
        async with server.db.write() as tx:
            made.append(await service.sign_in(tx, account, password_hash=None))
    live = [(await client.get("/api/v1/user/me/", headers={"Authorization": f"Token {token}"})).status_code for token in [maya.token, *made]]
    assert live == [401, 401] + [200] * 100


async def test_only_the_digest_of_a_token_is_stored(server, client, tmp_path, capfd):
    answer = await client.post("/api/v1/user/login/", json={"username": "maya", "password": PASSWORD})
    token = answer.json()["token"]
    async with server.db.read() as tx:
        assert await tx.value("select count(*) from token where digest = :digest", digest=tokens.digest(token)) == 1
        if server.app.state.settings.postgres:
            assert await tx.value("select count(*) from token t where t::text like :part", part=f"%{token[5:]}%") == 0
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert token[5:].encode() not in path.read_bytes(), path.name
            assert PASSWORD.encode() not in path.read_bytes(), path.name
    out, err = capfd.readouterr()
    assert token[5:] not in out + err
