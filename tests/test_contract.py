"""One walk through the whole contract as it is written: every answer with its key set and types, both slash forms, `me` and the number."""

import json
from typing import Any

import pytest
from conftest import PASSWORD
from websockets.asyncio.client import connect

INTEGER, STRING, BOOLEAN = (int,), (str,), (bool,)
NULL = (type(None),)

PROFILE = {
    "id": INTEGER,
    "user": INTEGER,
    "username": STRING,
    "age": INTEGER + NULL,
    "location": STRING + NULL,
    "military_status": BOOLEAN + NULL,
    "ptsd_level": INTEGER + NULL,
    "music": INTEGER + NULL,
    "therapist_contact": INTEGER + NULL,
    "scenario": INTEGER + NULL,
}
UPDATED = {key: PROFILE[key] for key in ("age", "location", "military_status", "ptsd_level", "therapist_contact", "scenario")}
CONTACT = {"id": INTEGER, "name": STRING, "phone": STRING, "email": STRING + NULL, "relationship": STRING}
TRACK = {"id": INTEGER, "name": STRING, "url": STRING}
SUPPORT = {"user_id": INTEGER, "is_admin": BOOLEAN, "websocket_url": STRING}
EVENT = {
    "event": STRING,
    "message": STRING,
    "id": INTEGER,
    "seq": INTEGER,
    "user_id": INTEGER,
    "identifier": STRING,
    "from_admin": BOOLEAN,
    "sent_at": STRING,
}

FORMS = ["me/", "me", "4/", "4"]


def has_shape(value: dict[str, Any], shape: dict[str, tuple[type, ...]]) -> None:
    """Exactly these keys, and each with one of its types: true is no integer."""
    assert value.keys() == shape.keys()
    for key, kinds in shape.items():
        assert type(value[key]) in kinds, f"{key} is {value[key]!r}"


class Client:
    """What the contract's own client does: JSON in, JSON out, and never a redirect."""

    def __init__(self, client: Any) -> None:
        self.client, self.headers = client, {}

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = await self.client.request(method, "/api/v1" + path, json=body, headers=self.headers, follow_redirects=False)
        assert answer.headers["content-type"] == "application/json"
        return answer.status_code, answer.json()


@pytest.fixture
async def ask(client):
    """Somebody new, registered and signed in as number 4."""
    ask = Client(client)
    petro = {"username": "petro", "email": "petro@example.org", "password": PASSWORD}
    assert await ask("POST", "/user/registration/", petro) == (201, {"message": "User Created"})
    status, body = await ask("POST", "/user/login/", {"username": "petro", "password": PASSWORD})
    assert status == 200
    has_shape(body, {"token": STRING})
    ask.headers = {"Authorization": f"Token {body['token']}"}
    return ask


async def test_registration_names_the_bad_fields(ask):
    for path in ("/user/registration/", "/user/registration"):
        status, body = await ask("POST", path, {"username": "petro", "email": "x", "password": "x"})
        assert status == 400 and body.keys() == {"username", "email", "password"}
        assert all(type(sentences) is list and sentences and all(type(one) is str for one in sentences) for sentences in body.values())


async def test_login_without_the_right_password(ask):
    for path in ("/user/login/", "/user/login"):
        assert await ask("POST", path, {"username": "petro", "password": "wrong"}) == (401, {"error": "Invalid credentials."})


async def test_get_user_information(ask):
    for form in FORMS:
        status, body = await ask("GET", f"/user/{form}")
        assert status == 200
        has_shape(body, PROFILE)
        assert (body["user"], body["username"]) == (4, "petro")
    assert await ask("GET", "/user/999/") == (404, {"error": "UserInfo not found for this user."})
    assert await ask("GET", "/user/1") == (404, {"error": "UserInfo not found for this user."})


async def test_edit_user_information(ask):
    full = {"age": 34, "location": "Kyiv", "military_status": True, "ptsd_level": 7, "therapist_contact": None, "scenario": 2}
    for form in FORMS:
        status, body = await ask("PATCH", f"/user/edit/{form}", full)
        assert (status, body) == (200, {"message": "UserInfo updated successfully.", "updated_data": full})
        has_shape(body["updated_data"], UPDATED)
    assert {key: value for key, value in (await ask("GET", "/user/me/"))[1].items() if key in full} == full
    assert await ask("PATCH", "/user/edit/999/", full) == (404, {"error": "UserInfo not found for this user."})


async def test_edit_emergency_contact(ask):
    for number, form in enumerate(FORMS):
        ivan = {"name": "Ivan", "phone": f"+38050123456{number}", "email": "ivan@example.org", "relationship": "brother"}
        status, body = await ask("PATCH", f"/user/edit/contact/{form}", ivan)
        assert (status, body["message"], body.keys()) == (201, "A new emergency contact has been created.", {"message", "data"})
        has_shape(body["data"], CONTACT)
        assert {key: value for key, value in body["data"].items() if key != "id"} == ivan
    for missing in ("name", "phone", "relationship"):
        body = {key: value for key, value in ivan.items() if key != missing}
        assert await ask("PATCH", "/user/edit/contact/me/", body) == (400, {"error": "The 'name', 'phone', and 'relationship' fields are required."})


async def test_music(ask):
    for path in ("/user/music/", "/user/music"):
        status, tracks = await ask("GET", path)
        assert status == 200 and type(tracks) is list and tracks
        for track in tracks:
            has_shape(track, TRACK)
            assert track["url"].startswith("http://")
    for form in FORMS:
        assert await ask("POST", f"/user/music/edit/{form}", {"music": tracks[1]["id"]}) == (200, {"message": "Music track updated successfully"})
    assert (await ask("GET", "/user/me/"))[1]["music"] == tracks[1]["id"]
    assert await ask("POST", "/user/music/edit/me/", {"music": 999}) == (404, {"error": "Music track not found"})
    audio = await ask.client.get(tracks[1]["url"], headers={"Range": "bytes=0-99"})
    assert (audio.status_code, len(audio.content), audio.headers["content-type"]) == (206, 100, "audio/mpeg")


async def test_trigger_alarm(ask):
    await ask("PATCH", "/user/edit/contact/me/", {"name": "Ivan", "phone": "+380501234567", "email": "ivan@example.org", "relationship": "brother"})
    answers = [await ask(method, f"/event/trigger/{form}") for form in FORMS for method in ("GET", "POST")]
    for status, body in answers:
        assert status == 200 and body.keys() == {"scenario", "messages"}
        assert type(body["scenario"]) is str and body["messages"][0].keys() == {"music_url"}
        assert type(body["messages"][0]["music_url"]) is str
        assert len(body["messages"]) > 1 and all(type(sentence) is str and sentence for sentence in body["messages"][1:])
    assert answers == [answers[0]] * len(answers)
    for number in (999, 1):
        assert await ask("GET", f"/event/trigger/{number}/") == (404, {"error": "User or UserInfo not found"})


async def test_send_message_to_gpt(ask):
    for form in FORMS:
        status, body = await ask("POST", f"/chat/{form}", {"text": "I cannot sleep tonight."})
        assert status == 200 and body.keys() == {"response"}
        assert type(body["response"]) is str and body["response"].strip()
    for body in ({}, {"text": ""}, {"text": "   "}, {"text": None}):
        assert await ask("POST", "/chat/me/", body) == (400, {"error": "Message text is required"})


async def test_get_support_chat_url(ask):
    for form in FORMS:
        status, body = await ask("GET", f"/chat/user/support/{form}")
        assert status == 200
        has_shape(body, SUPPORT)
        assert body == {"user_id": 4, "is_admin": False, "websocket_url": f"ws://{ask.client.base_url.netloc.decode()}/ws/chat/4/"}
    for number in (999, 1):
        assert await ask("GET", f"/chat/user/support/{number}/") == (404, {"error": "User not found"})


async def test_support_chat(ask):
    """The token in the connection's parameters, as the contract says; the sender's own message comes back as its receipt."""
    url = (await ask("GET", "/chat/user/support/me/"))[1]["websocket_url"]
    token = ask.headers["Authorization"].split()[1]
    for number, place in enumerate((url, url.rstrip("/")), start=1):
        async with connect(f"{place}?token={token}") as socket:
            text = f"Is anybody there? {number}"
            await socket.send(json.dumps({"message": text}))
            event = json.loads(await socket.recv())
            while event["from_admin"] is False and event["message"] != text:
                event = json.loads(await socket.recv())
            has_shape(event, EVENT)
            assert (event["event"], event["message"], event["user_id"], event["identifier"]) == ("chat_message", text, 4, "petro")


async def test_every_door_but_two_wants_a_token(ask):
    ask.headers = {}
    for method, path in (
        ("GET", "/user/me/"),
        ("PATCH", "/user/edit/4/"),
        ("PATCH", "/user/edit/contact/4/"),
        ("GET", "/user/music/"),
        ("POST", "/user/music/edit/4/"),
        ("GET", "/event/trigger/4/"),
        ("POST", "/chat/4/"),
        ("GET", "/chat/user/support/4/"),
    ):
        status, body = await ask(method, path, {})
        assert (status, body.keys()) == (401, {"error"}), path
