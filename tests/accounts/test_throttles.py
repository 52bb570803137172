"""Throttles (security.md P4, P6): they slow a guesser down, and nobody can use them to lock somebody out."""

import asyncio

import pytest
from conftest import PASSWORD, Person
from doors import telling
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import TooMany
from holdfast.limits import Backoff, Window, network

FREE, LONGEST = 5, 900.0


@pytest.fixture
def engine():
    """No database decides any of this."""
    return "sqlite"


class Watch:
    """A clock that moves when it is told to."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch(server):
    """All throttles of the server go by it."""
    watch = Watch()
    reception = server.app.state.reception
    for throttle in (reception._tries, reception._networks, reception._registrations, reception._everywhere):
        throttle._clock = watch
    return watch


async def login(person: Person, username: str, password: str, token: str | None = None):
    headers = {"Authorization": f"Token {token}"} if token else {}
    return await person.ask("POST", "/user/login/", {"username": username, "password": password}, headers=headers)


async def fail(nobody: Person, username: str, times: int) -> None:
    for _ in range(times):
        assert (await login(nobody, username, "wrong")).status == 401


async def test_five_failures_are_free_and_then_each_wait_doubles(nobody, watch):
    await fail(nobody, "maya", 6)
    for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900):
        refused = await login(nobody, "maya", "wrong")
        assert (refused.status, refused.headers["retry-after"]) == (429, str(wait))
        assert refused.json == {"error": "Too many attempts. Please wait and try again."}
        watch.now += wait
        await fail(nobody, "maya", 1)


async def test_a_lockout_cannot_be_prolonged(nobody, watch):
    """A try during a wait is not counted: whoever hammers does not keep the owner out one second longer."""
    await fail(nobody, "maya", 6)
    for _ in range(20):
        watch.now += 0.04
        assert (await login(nobody, "maya", "wrong")).status == 429
    watch.now += 0.21
    assert (await login(nobody, "maya", PASSWORD)).status == 200
    await fail(nobody, "maya", 5)


async def test_the_right_password_waits_too_and_success_forgets_the_failures(nobody, watch):
    await fail(nobody, "maya", 6)
    assert (await login(nobody, "maya", PASSWORD)).status == 429
    watch.now += 1
    assert (await login(nobody, "maya", PASSWORD)).status == 200
    await fail(nobody, "maya", 6)


async def test_a_hundred_guesses_at_once_do_not_slip_through(nobody, watch):
    answers = await asyncio.gather(*(login(nobody, "maya", f"guess {n}") for n in range(30)))
    assert sorted(answer.status for answer in answers) == [401] * 6 + [429] * 24


async def test_a_lockout_spares_a_device_that_has_logged_in_before(server, nobody, maya, sam, watch):
    """By its old token, also an ended one; somebody else's token is no such device."""
    await fail(nobody, "maya", 6)
    async with server.db.write() as tx:
        await tx.run("update token set revoked_at = holdfast_now() where account_id = 1")
    assert (await login(nobody, "maya", PASSWORD)).status == 429
    assert (await login(nobody, "maya", PASSWORD, sam.token)).status == 429
    assert (await login(nobody, "maya", PASSWORD, "hf_u_nonsense")).status == 429
    assert (await login(nobody, "maya", PASSWORD, maya.token)).status == 200
    for _ in range(6):
        assert (await login(nobody, "maya", "wrong", maya.token)).status == 401
    assert (await login(nobody, "maya", "wrong", maya.token)).status == 429


async def test_running_tokens_work_while_the_login_is_locked(nobody, maya, sam, watch):
    await fail(nobody, "maya", 6)
    assert (await login(nobody, "maya", PASSWORD)).status == 429
    assert (await maya.get("/user/me/")).status == 200
    assert (await maya.patch("/user/edit/me/", {"age": 40})).status == 200
    assert (await maya.get("/event/trigger/me/")).status == 200
    assert (await login(nobody, "sam", PASSWORD)).status == 200


async def test_names_that_nobody_has_are_treated_the_same(nobody, client, watch):
    seen = []
    for name in ("maya", "nobody-has-this", "MAYA2", "x" * 3_000):
        answers = [await client.post("/api/v1/user/login/", json={"username": name, "password": "wrong"}) for _ in range(8)]
        seen.append([telling(answer) for answer in answers])
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert [status for status, _, _ in seen[0]] == [401] * 6 + [429] * 2


async def test_one_name_in_other_letters_is_one_name(nobody, watch):
    for name in ("maya", "MAYA", " maya", "Maya ", "ｍａｙａ", "mayA"):
        assert (await login(nobody, name, "wrong")).status == 401
    assert (await login(nobody, "maya", "wrong")).status == 429


async def test_two_weeks_of_guessing_lock_nobody_out_for_good(nobody, server, watch):
    """A guesser who comes back at the end of each wait: the next one is never longer than 15 minutes, and no number overflows."""
    key = f"maya {network('127.0.0.1')}"
    for _ in range(1_500):
        server.app.state.reception._tries.begin(key)
        watch.now += LONGEST
    assert (await login(nobody, "maya", PASSWORD)).status == 200


class TestBehindAPublicAddress:
    @pytest.fixture
    def settings(self):
        return {"public_url": "http://127.0.0.1"}

    async def test_ten_failures_of_one_network_are_enough_for_five_minutes(self, nobody, watch):
        for number in range(10):
            await fail(nobody, f"name{number}", 1)
        refused = await login(nobody, "maya", PASSWORD)
        assert (refused.status, refused.headers["retry-after"]) == (429, "300")
        watch.now += 300
        assert (await login(nobody, "maya", PASSWORD)).status == 200

    async def test_a_known_device_is_spared_there_too(self, nobody, maya, watch):
        for number in range(10):
            await fail(nobody, f"name{number}", 1)
        assert (await login(nobody, "maya", PASSWORD, maya.token)).status == 200

    async def test_successes_do_not_use_the_networks_allowance_up(self, nobody, watch):
        for _ in range(12):
            assert (await login(nobody, "maya", PASSWORD)).status == 200

    async def test_twenty_registrations_an_hour_come_from_one_network(self, nobody, watch):
        bad = {"username": "a b", "email": "x", "password": "x"}
        for _ in range(20):
            assert (await nobody.post("/user/registration/", bad)).status == 400
        refused = await nobody.post("/user/registration/", bad)
        assert (refused.status, refused.headers["retry-after"]) == (429, "3600")
        watch.now += 3_600
        assert (await nobody.post("/user/registration/", bad)).status == 400


async def test_without_a_public_address_the_loopback_address_is_no_network(nobody, watch):
    for number in range(25):
        answer = await nobody.post("/user/registration/", {"username": "a b", "email": "x", "password": "x"})
        assert answer.status == 400, number
    for number in range(12):
        await fail(nobody, f"name{number}", 1)


def test_one_household_is_one_network():
    assert network("203.0.113.9") == network("203.0.113.200") != network("203.0.114.9")
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2::1") != network("2001:db8:1:3::1")
    assert network("unknown") == network("") == network("not an address") == "unknown"


def test_a_flood_of_names_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("holdfast.limits.KEYS", 100)
    backoff, window = Backoff(FREE, LONGEST), Window(10, 300.0)
    for number in range(1_000):
        backoff.begin(f"name {number}")
        window.begin(f"name {number}")
    assert len(backoff._failures) == len(window._times) == 100


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.floats(0, 2_000), st.booleans()), max_size=80))
def test_no_wait_is_ever_longer_than_the_longest_whatever_somebody_does(steps):
    watch = Watch()
    backoff = Backoff(FREE, LONGEST, watch)
    for pause, succeeded in steps:
        watch.now += pause
        try:
            backoff.begin("maya")
        except TooMany as refused:
            assert 1 <= int(refused.headers["Retry-After"]) <= LONGEST
        else:
            if succeeded:
                backoff.succeeded("maya")
    watch.now += LONGEST
    backoff.begin("maya")
