"""Which web pages may read an answer (security.md A10): the listed origins, and none with credentials."""

import pytest
from doors import telling

LISTED = "https://app.example.org"
STRANGE = ["https://app.example.org.evil.example", "https://evil.example", "http://app.example.org", "https://app.example.org:444", "null", "*", ""]


@pytest.fixture
def engine():
    """No database decides any of this."""
    return "sqlite"


@pytest.fixture
def settings():
    return {"origins": (LISTED,)}


async def test_a_listed_origin_may_read_every_kind_of_answer(client, maya):
    for path, status in (("/api/v1/user/me/", 200), ("/api/v1/user/2/", 404), ("/nowhere", 404)):
        answer = await client.get(path, headers={"Authorization": f"Token {maya.token}", "Origin": LISTED})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, LISTED)
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers
    assert (await client.get("/api/v1/user/me/", headers={"Origin": LISTED})).headers["access-control-allow-origin"] == LISTED


async def test_a_listed_origin_may_ask_with_token_and_json(client):
    asked = {"Origin": LISTED, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = await client.options("/api/v1/user/edit/me/", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert answer.headers["access-control-allow-methods"] == "PATCH"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "access-control-allow-credentials" not in answer.headers


async def test_any_other_origin_is_answered_as_if_it_had_not_been_named(client, maya):
    plain = telling(await client.get("/api/v1/user/me/", headers={"Authorization": f"Token {maya.token}"}))
    for origin in STRANGE:
        answer = await client.get("/api/v1/user/me/", headers={"Authorization": f"Token {maya.token}", "Origin": origin})
        assert telling(answer) == plain, origin
        preflight = await client.options("/api/v1/user/edit/me/", headers={"Origin": origin, "Access-Control-Request-Method": "PATCH"})
        assert not [key for key in preflight.headers if key.startswith("access-control")], origin
