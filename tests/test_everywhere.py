"""What holds at every door: slashes, methods, headers, sizes, and what a broken server says."""

import re
import sqlite3

import httpx2
import pytest
from conftest import POSTGRES, serving
from doors import MATRIX, every_door, example, telling
from msgspec import structs
from road import Road

API = [door for door in MATRIX["doors"] if " /api/" in door and not door.startswith("SOCKET")]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"]
SECURITY = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "content-type": "application/json",
}


def shapes() -> dict[str, set[str]]:
    """Each path with the methods that have a door there."""
    found: dict[str, set[str]] = {}
    for door in every_door():
        if door.method != "SOCKET":
            found.setdefault(door.path, set()).add(door.method)
    return found


def path_of(shape: str) -> str:
    return re.sub(r"\{\w+_id\}", "1", re.sub(r"\{file\}", "rain.mp3", shape.replace("{user_id}", "me")))


async def test_the_same_path_without_its_slash_is_served_and_never_by_a_redirect(client, maya):
    await maya.put("/user/create/therapist/me/", {"name": "Olga", "phone": "+380501111111"})
    for door in API:
        method, path, body = example(door)
        answers = [
            await client.request(method, place, headers={"Authorization": f"Token {maya.token}"}, json=body and (body | extra))
            for place, extra in ((path, {}), (path.rstrip("/"), {"username": f"slash{len(door)}{method}"} if "registration" in path else {}))
        ]
        statuses = [answer.status_code for answer in answers]
        assert statuses[0] == statuses[1] or set(statuses) in ({200, 201}, {200, 404}), f"{door}: {statuses}"
        assert not any(300 <= status < 400 for status in statuses), door


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_post_body_survives_a_missing_slash(maya):
    assert (await maya.post("/user/music/edit/me", {"music": 2})).status == 200
    assert (await maya.get("/user/me")).json["music"] == 2


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_method_without_a_door_is_405_with_the_ones_that_have(client, maya):
    before = (await maya.get("/user/me/")).json
    for shape, methods in shapes().items():
        for method in METHODS:
            if method in methods:
                continue
            for token in (maya.token, None):
                answer = await client.request(method, path_of(shape), headers={"Authorization": f"Token {token}"} if token else {}, json={"age": 1})
                assert answer.status_code == 405, f"{method} {shape}: {answer.status_code}"
                assert set(answer.headers["allow"].split(", ")) == methods, f"{method} {shape}"
                assert method == "HEAD" or answer.json() == {"error": "This method is not allowed here."}
    assert (await maya.get("/user/me/")).json == before


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_options_acts_on_nothing_and_names_the_methods(client, maya):
    for shape, methods in shapes().items():
        answer = await client.request("OPTIONS", path_of(shape), headers={"Authorization": f"Token {maya.token}"}, json={"age": 1})
        assert (answer.status_code, answer.content) == (204, b""), shape
        assert set(answer.headers["allow"].split(", ")) == methods, shape
        assert "access-control-allow-origin" not in answer.headers
        assert "content-length" not in answer.headers and "content-type" not in answer.headers
    assert (await maya.get("/user/me/")).json["age"] is None


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_path_without_a_door_is_one_404(client, maya):
    for path in (
        "/",
        "/api/v1/",
        "/api/v1/user/",
        "/api/v1/user/edit/",
        "/api/v2/user/me/",
        "/api/v1/user/me/x/",
        "/api//v1/user/me/",
        "/.env",
        "/music/",
    ):
        answer = await client.get(path, headers={"Authorization": f"Token {maya.token}"})
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found"}), path


async def test_every_answer_of_the_api_forbids_to_keep_sniff_frame_or_refer(client, maya, monkeypatch):
    """security.md D9: every door, and every kind of error."""
    token = {"Authorization": f"Token {maya.token}"}
    asked = [(*example(door), token) for door in API] + [(*example(door), {}) for door in API]
    asked += [("GET", "/nowhere", None, token), ("TRACE", "/api/v1/user/me/", None, token), ("GET", "/api/v1/user/2/", None, token)]
    asked += [("PATCH", "/api/v1/user/edit/me/", {"age": "x" * 70_000}, token), ("GET", "/healthz", None, {}), ("GET", "/readyz", None, {})]
    answers = [await client.request(method, path, json=body, headers=headers) for method, path, body, headers in asked]
    garbled = {"content": b"x", "headers": {"Content-Type": "application/json"}}
    answers += [
        await client.post("/api/v1/user/login/", **garbled),
        await client.post("/api/v1/user/login/", content=b"x", headers={"Content-Type": "x"}),
    ]

    async def broken(*_):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("holdfast.music.service.tracks", broken)
    answers.append(await client.get("/api/v1/user/music/", headers=token))
    assert {200, 201, 400, 401, 404, 405, 413, 415, 500} <= {answer.status_code for answer in answers}
    for answer in answers:
        place = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
        assert {key: answer.headers.get(key) for key in SECURITY} == SECURITY, place
        assert "set-cookie" not in answer.headers and "server" not in answer.headers, place


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_is_not_the_api_is_not_sniffed_framed_or_referred_either(client):
    for door, row in MATRIX["doors"].items():
        if " /api/" in door or door.startswith(("SOCKET", "POST")):
            continue
        for path in (
            row.get("path", door.split(" ")[1]),
            "/music/no-such-file.mp3",
            "/music/%00",
            "/music/..%2f..%2fapp.py",
            "/music/" + "x" * 5_000,
        ):
            answer = await client.get(path)
            assert answer.status_code in (200, 404), path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["referrer-policy"] == "no-referrer", path
            assert "content-security-policy" in answer.headers, path


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_cookie_means_nothing(client, maya):
    """security.md T8."""
    for cookie in (f"token={maya.token}", f"Authorization=Token {maya.token}", f"sessionid={maya.token}"):
        answer = await client.get("/api/v1/user/me/", headers={"Cookie": cookie})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    assert (await client.get(f"/api/v1/user/me/?token={maya.token}")).status_code == 401


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_body_over_64_kib_is_413_with_and_without_a_stated_length(client, maya):
    headers = {"Authorization": f"Token {maya.token}", "Content-Type": "application/json"}

    async def chunks():
        for _ in range(9):
            yield b" " * 8_192

    for body in (b" " * 65_537, chunks()):
        answer = await client.patch("/api/v1/user/edit/me/", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (413, {"error": "The request body is larger than 64 KiB."})
    allowed = b'{"age": 40}' + b" " * (65_536 - 11)
    assert (await client.patch("/api/v1/user/edit/me/", content=allowed, headers=headers)).status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_only_json_is_a_body(client, maya):
    headers = {"Authorization": f"Token {maya.token}"}
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-patch+json",
        "x",
    ):
        answer = await client.patch("/api/v1/user/edit/me/", content=b'{"age": 40}', headers=headers | {"Content-Type": kind})
        assert answer.status_code == 415, kind
        assert answer.json() == {"error": "The request body must be JSON, sent as application/json."}
    assert (await maya.get("/user/me/")).json["age"] is None
    for kind in ("application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json ;charset=UTF-8"):
        answer = await client.patch("/api/v1/user/edit/me/", content=b'{"age": 41}', headers=headers | {"Content-Type": kind})
        assert answer.status_code == 200, kind


async def test_a_bug_is_a_500_with_a_request_id_and_nothing_else(maya, monkeypatch):
    async def broken(*_):
        raise RuntimeError("secret-of-the-house")

    with monkeypatch.context() as patch:
        patch.setattr("holdfast.music.service.tracks", broken)
        answers = [await maya.get("/user/music/") for _ in range(2)]
    for answer in answers:
        assert answer.status == 500
        assert answer.json.keys() == {"error", "request_id"}
        assert answer.json["error"] == "Something went wrong on our side."
        assert re.fullmatch("[0-9a-f]{16}", answer.json["request_id"])
    assert answers[0].json != answers[1].json
    assert (await maya.get("/user/music/")).status == 200


UNAVAILABLE = {"error": "The server is too busy or its database cannot be reached. Please try again in a moment."}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_locked_sqlite_file_is_an_honest_503_and_reads_go_on(server, maya, monkeypatch):
    monkeypatch.setattr("holdfast.sqlite.PATIENCE", 0.1)
    other = sqlite3.connect(server.app.state.settings.data_dir / "holdfast.sqlite3", isolation_level=None)
    other.execute("begin immediate")
    answers = [await maya.patch("/user/edit/me/", {"age": 40}), await maya.ask("GET", "/readyz")]
    assert (await maya.get("/user/me/")).json["age"] is None
    other.execute("rollback")
    other.close()
    for answer in answers:
        assert (answer.status, answer.json, answer.headers["retry-after"]) == (503, UNAVAILABLE, "1")
    assert (await maya.patch("/user/edit/me/", {"age": 40})).status == 200


@pytest.mark.skipif(not POSTGRES, reason="PostgreSQL is not there or switched off")
@pytest.mark.parametrize("engine", ["postgres"])
async def test_a_postgresql_that_cannot_be_reached_is_an_honest_503_until_it_is_back(fresh):
    road = Road(fresh.settings.database_url)
    await road.open()
    async with (
        serving(structs.replace(fresh.settings, database_url=road.url)) as server,
        httpx2.AsyncClient(base_url=f"http://{server.address}") as client,
    ):
        headers = {"Authorization": f"Token {fresh.tokens['maya']}"}
        assert (await client.get("/api/v1/user/me/", headers=headers)).status_code == 200
        await road.close()
        for method, path in (("GET", "/api/v1/user/me/"), ("PATCH", "/api/v1/user/edit/me/"), ("GET", "/api/v1/user/2/"), ("GET", "/readyz")):
            answer = await client.request(method, path, headers=headers, json={})
            assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, UNAVAILABLE, "1"), path
        assert (await client.get("/healthz")).status_code == 200
        await road.open()
        assert (await client.get("/api/v1/user/me/", headers=headers)).status_code == 200
    await road.close()


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_forged_forwarded_headers_are_ignored(client, maya):
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example;proto=https",
    }
    answer = await client.get("/api/v1/user/music/", headers={"Authorization": f"Token {maya.token}", **forged})
    assert all(track["url"].startswith(f"http://{client.base_url.netloc.decode()}/music/") for track in answer.json())


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_host_that_is_none_is_not_repeated(client, maya):
    for host in ("evil.example/x?", 'a"b', "a b", "x" * 300, "a\u00e9".encode()):
        answer = await client.get("/api/v1/user/music/", headers={"Authorization": f"Token {maya.token}", "Host": host})
        if answer.status_code == 200:
            assert all(track["url"].startswith(f"http://{client.base_url.netloc.decode()}/music/") for track in answer.json()), host


async def test_answers_to_equal_requests_are_equal(client, maya):
    first, second = [await client.get("/api/v1/user/me/", headers={"Authorization": f"Token {maya.token}"}) for _ in range(2)]
    assert telling(first) == telling(second)
