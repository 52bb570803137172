"""What must never trigger an alarm, though the contract's trigger is a GET (security.md A8)."""

import pytest
from calling import TRIGGER, count

UNMEANT = [
    {"Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"sec-purpose": "Prefetch;anonymous-client-ip"},
    {"Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", UNMEANT, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_prefetch_and_navigation_are_refused(server, maya, method, headers):
    answer = await maya.ask(method, TRIGGER, headers=headers)
    assert answer.status == 403
    assert answer.json.keys() == {"error"}
    assert await count(server, "alarm") == 0


async def test_head_is_405_and_options_acts_on_nothing(server, maya):
    head = await maya.ask("HEAD", TRIGGER)
    options = await maya.ask("OPTIONS", TRIGGER)
    assert (head.status, head.headers["allow"]) == (405, "GET, POST")
    assert (options.status, options.headers["allow"]) == (204, "GET, POST")
    assert await count(server, "alarm") == 0


async def test_a_cookie_or_a_token_in_the_address_is_nobody(server, maya, nobody):
    for answer in (
        await nobody.get(TRIGGER, headers={"Cookie": f"token={maya.token}; sessionid={maya.token}"}),
        await nobody.get(f"{TRIGGER}?token={maya.token}"),
    ):
        assert answer.status == 401
    assert await count(server, "alarm") == 0


async def test_what_a_page_of_ours_sends_does_trigger(server, maya):
    answer = await maya.get(TRIGGER, headers={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"})
    assert answer.status == 200
    assert await count(server, "alarm") == 1
