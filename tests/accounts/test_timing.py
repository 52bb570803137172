"""A login takes as long for a name that nobody has as for one that somebody has (security.md P5). Slow: 300 interleaved pairs."""

from statistics import median
from time import perf_counter

import pytest

PAIRS = 300
GAP = 0.05  # of the median
NOBODY = "nobody-has-this"

pytestmark = pytest.mark.slow


@pytest.fixture
def patient(server, monkeypatch):
    """Throttles that let everybody try."""
    for throttle in (server.app.state.reception._tries, server.app.state.reception._everywhere):
        monkeypatch.setattr(throttle, "begin", lambda key: None)


async def seconds(nobody, username: str) -> float:
    began = perf_counter()
    answer = await nobody.post("/user/login/", {"username": username, "password": "a wrong password"})
    assert answer.status == 401
    return perf_counter() - began


async def test_login_takes_as_long_for_unknown_and_disabled_people(server, nobody, patient):
    async with server.db.write() as tx:
        await tx.run("update account set disabled_at = holdfast_now() where id = 2")
    gaps: dict[str, list[float]] = {"maya": [], "sam": []}
    whole = []
    for number in range(PAIRS):
        for username, found in gaps.items():
            first, second = (username, NOBODY) if number % 2 else (NOBODY, username)
            taken = {first: await seconds(nobody, first), second: await seconds(nobody, second)}
            found.append(taken[username] - taken[NOBODY])
            whole.append(taken[NOBODY])
    for username, found in gaps.items():
        assert abs(median(found)) < GAP * median(whole), f"{username}: {median(found):.5f} s of {median(whole):.5f} s"
