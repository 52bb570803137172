"""Registration and login as a stranger meets them: every bad field at once, and nothing learned about anybody else."""

import asyncio

import pytest
from conftest import PASSWORD
from doors import everything, telling

GOOD = {"username": "petro.koval", "email": "petro@example.org", "password": PASSWORD}
INVALID = {"error": "Invalid credentials."}
MISSING = {"error": "Username and password are required."}
NAME = "Must be 1 to 150 letters, digits and the characters @ . + - _."


async def test_a_registration_is_answered_in_the_contracts_words_and_leads_to_a_profile(nobody, client):
    answer = await nobody.post("/user/registration/", GOOD)
    assert (answer.status, answer.json) == (201, {"message": "User Created"})
    assert answer.headers["location"] == "/api/v1/user/4/"
    token = (await nobody.post("/user/login/", {"username": "petro.koval", "password": PASSWORD})).json["token"]
    profile = (await client.get("/api/v1/user/me/", headers={"Authorization": f"Token {token}"})).json()
    assert profile == {
        "id": profile["id"],
        "user": 4,
        "username": "petro.koval",
        "age": None,
        "location": None,
        "military_status": False,
        "ptsd_level": None,
        "music": None,
        "therapist_contact": None,
        "scenario": 1,
    }


async def test_every_bad_field_is_named_at_once(server, nobody):
    before = await everything(server)
    answer = await nobody.post("/user/registration/", {"username": "a b", "email": "nowhere", "password": "x"})
    assert (answer.status, answer.json) == (
        400,
        {"username": [NAME], "email": ["Must be an e-mail address."], "password": ["Must be text of 8 to 1,024 characters."]},
    )
    answer = await nobody.post("/user/registration/", {})
    assert (answer.status, answer.json) == (400, {name: ["This field is required."] for name in GOOD})
    answer = await nobody.post("/user/registration/", GOOD | {"username": None, "email": None, "password": None})
    assert answer.status == 400 and answer.json.keys() == GOOD.keys()
    assert await everything(server) == before


async def test_a_taken_name_is_named_beside_the_other_faults(nobody):
    answer = await nobody.post("/user/registration/", {"username": "MAYA", "email": "nowhere", "password": "x"})
    assert answer.json["username"] == ["A user with that username already exists."]
    assert answer.json.keys() == {"username", "email", "password"}


async def test_nobody_can_make_himself_staff(server, nobody):
    """security.md A5."""
    before = await everything(server)
    for extra in ({"is_staff": True}, {"is_admin": True}, {"role": "admin"}, {"token": "x"}, {"id": 3}, {"user": 1}):
        answer = await nobody.post("/user/registration/", GOOD | extra)
        assert (answer.status, answer.json) == (400, {next(iter(extra)): ["Unknown field."]})
    assert await everything(server) == before


async def test_usernames_are_unique_without_regard_to_case_or_look(nobody):
    for name in ("maya", "Maya", "MAYA", " maya ", "ｍａｙａ"):
        answer = await nobody.post("/user/registration/", GOOD | {"username": name})
        assert (answer.status, answer.json) == (400, {"username": ["A user with that username already exists."]}), name
    assert (await nobody.post("/user/registration/", GOOD | {"username": "Straße"})).status == 201
    assert (await nobody.post("/user/registration/", GOOD | {"username": "STRASSE"})).status == 400
    answers = await asyncio.gather(*(nobody.post("/user/registration/", GOOD | {"username": "ivan"}) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 400, 400, 400]


@pytest.mark.parametrize("engine", ["sqlite"])  # no database decides it
async def test_which_usernames_are_names(nobody):
    for name in ("a b", "a/b", "a:b", "a\\b", "a#b", "<b>", "a'b", 'a"b', "a\u200bb", "a\u00a0b", "☺☺☺", "", "   "):
        answer = await nobody.post("/user/registration/", GOOD | {"username": name})
        assert (answer.status, list(answer.json)) == (400, ["username"]), name
    for name in ("x", "7", "Марія", "josé", "名前", "a@b.c", "+_-.", "me"):
        assert (await nobody.post("/user/registration/", GOOD | {"username": name})).status == 201, name


@pytest.mark.parametrize("engine", ["sqlite"])  # no database decides it
async def test_an_e_mail_is_checked_by_its_form_alone(nobody):
    for address in ("x", "@", "a@", "@b", "a b@c.de", "a@b@c.de", "a@b..c", "a@-b.de", "<a@b.de>", "A <a@b.de>", "a@b.de,c@d.de"):
        answer = await nobody.post("/user/registration/", GOOD | {"email": address})
        assert (answer.status, answer.json) == (400, {"email": ["Must be an e-mail address."]}), address
    for number, address in enumerate(("a@no-such-domain.invalid", "A.B+c@Example.ORG", "josé@exämple.org", "a@b.test")):
        assert (await nobody.post("/user/registration/", GOOD | {"username": f"n{number}", "email": address})).status == 201, address


@pytest.mark.parametrize("engine", ["sqlite"])  # no database decides it
async def test_registration_never_tells_whether_an_e_mail_has_an_account(client):
    """security.md P6: maya@example.org has one, the other has none."""
    for more in ({}, {"password": "x"}, {"username": "maya"}, {"username": "a b"}):
        answers = []
        for name, address in (("first", "maya@example.org"), ("second", "naya@example.org")):
            answer = await client.post("/api/v1/user/registration/", json=GOOD | {"username": name, "email": address} | more)
            status, body, headers = telling(answer)
            answers.append((status, body, headers | {"location": ""}))
        assert answers[0] == answers[1], more


async def test_login_gives_a_token_of_its_own_to_each_device(nobody, client):
    answers = [await nobody.post("/user/login/", {"username": name, "password": PASSWORD}) for name in ("maya", "MAYA", " maya ")]
    assert [answer.status for answer in answers] == [200] * 3
    assert all(answer.json.keys() == {"token"} for answer in answers)
    tokens = {answer.json["token"] for answer in answers}
    assert len(tokens) == 3
    for token in tokens:
        assert (await client.get("/api/v1/user/me/", headers={"Authorization": f"Token {token}"})).json()["user"] == 1


@pytest.mark.parametrize("missing", ["username", "password"])
async def test_login_says_what_is_missing(nobody, missing):
    for body in ({}, {"username": "maya", "password": PASSWORD} | {missing: ""}, {"username": "maya", "password": PASSWORD} | {missing: None}):
        answer = await nobody.post("/user/login/", body)
        assert (answer.status, answer.json) == (400, MISSING)
    answer = await nobody.post("/user/login/", {name: "x" for name in ("username", "password") if name != missing})
    assert (answer.status, answer.json) == (400, MISSING)


@pytest.mark.parametrize("engine", ["sqlite"])  # no database decides it
async def test_everything_else_that_is_wrong_with_a_login_is_the_same_401(server, client):
    async with server.db.write() as tx:
        await tx.run("update account set disabled_at = holdfast_now() where id = 2")
    wrong = [
        {"username": "maya", "password": "wrong"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "sam", "password": PASSWORD},
        {"username": "maya@example.org", "password": PASSWORD},
        {"username": "maya", "password": PASSWORD.upper()},
        {"username": "maya", "password": "x" * 2_000},
        {"username": "x" * 2_000, "password": PASSWORD},
        {"username": "a\r\nb", "password": PASSWORD},
        {"username": "' or 1=1 --", "password": "' or 1=1 --"},
        {"username": ["maya"], "password": PASSWORD},
        {"username": {"x": 1}, "password": PASSWORD},
        {"username": "maya", "password": 12345678},
        {"username": True, "password": True},
        {"username": "\x00", "password": "\x00"},
    ]
    answers = [await client.post("/api/v1/user/login/", json=body) for body in wrong]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, b'{"error":"Invalid credentials."}')}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Token"}


async def test_logins_and_refusals_are_on_record_without_a_word_of_what_was_typed(server, nobody):
    await nobody.post("/user/login/", {"username": "maya", "password": PASSWORD})
    await nobody.post("/user/login/", {"username": "maya", "password": "secret guess"})
    await nobody.post("/user/login/", {"username": "some stranger", "password": "secret guess"})
    async with server.db.read() as tx:
        rows = [await tx.row("select * from audit order by id desc limit 1 offset :back", back=back) for back in (2, 1, 0)]
    found = [(row["actor_id"], row["user_id"], row["action"], row["outcome"]) for row in rows]
    assert found == [(1, 1, "login", "done"), (None, 1, "login", "refused"), (None, None, "login", "refused")]
