"""What somebody chose beside the profile, and the PIN."""

from conftest import PASSWORD
from doors import everything

from holdfast.profiles.preferences import pin_is_right, preferences

START = {"language": None, "time_zone": None, "chosen_name": "maya", "codeword": None, "check_in_by_email": False, "pin_set": False}
CHOSEN = {"language": "uk", "time_zone": "Europe/Kyiv", "chosen_name": "Марія", "codeword": "rowan", "check_in_by_email": True}


async def test_a_new_person_has_chosen_nothing_and_goes_by_the_username(maya):
    assert (await maya.get("/user/preferences/me/")).json == START


async def test_preferences_are_changed_one_by_one_and_null_clears(maya, server):
    for name, value in CHOSEN.items():
        answer = await maya.patch("/user/preferences/me/", {name: value})
        assert (answer.status, answer.json[name]) == (200, value)
    assert (await maya.get("/user/preferences/me/")).json == CHOSEN | {"pin_set": False}
    async with server.db.read() as tx:
        found = await preferences(tx, 1)
    assert (found.language, found.chosen_name, found.check_in_by_email, found.pin_hash) == ("uk", "Марія", True, None)
    cleared = {"language": None, "time_zone": "", "chosen_name": None, "codeword": " ", "check_in_by_email": False}
    assert (await maya.patch("/user/preferences/me/", cleared)).json == START


async def test_bad_preferences_are_named_all_at_once(maya, server):
    before = await everything(server)
    wrong = {"language": "fr", "time_zone": "../etc/passwd", "chosen_name": "x" * 51, "codeword": "a\nb", "check_in_by_email": 1, "colour": "blue"}
    answer = await maya.patch("/user/preferences/me/", wrong)
    assert answer.status == 400 and answer.json.keys() == wrong.keys()
    assert answer.json["language"] == ["Must be one of en, uk, ru, es, de or null."]
    assert answer.json["time_zone"] == ["Must be the name of a time zone, such as Europe/Kyiv."]
    for zone in ("Europe/Atlantis", "localtime", "/etc/localtime", "Europe/"):
        assert (await maya.patch("/user/preferences/me/", {"time_zone": zone})).status == 400, zone
    assert await everything(server) == before


async def test_a_pin_is_set_with_the_password_alone_and_kept_as_a_hash(maya, server):
    answer = await maya.put("/user/pin/me/", {"pin": "4711", "password": PASSWORD})
    assert (answer.status, answer.json) == (200, {"message": "The PIN has been set."})
    assert (await maya.get("/user/preferences/me/")).json["pin_set"] is True
    async with server.db.read() as tx:
        pin_hash = (await preferences(tx, 1)).pin_hash
    passwords = server.app.state.reception.passwords
    assert pin_hash.startswith("$argon2id$") and "4711" not in pin_hash
    assert await pin_is_right(passwords, pin_hash, "4711")
    assert not await pin_is_right(passwords, pin_hash, "4712") and not await pin_is_right(passwords, pin_hash, None)
    assert await pin_is_right(passwords, None, None)
    answer = await maya.put("/user/pin/me/", {"pin": None, "password": PASSWORD})
    assert (answer.status, answer.json) == (200, {"message": "The PIN has been removed."})
    assert (await maya.get("/user/preferences/me/")).json["pin_set"] is False


async def test_without_the_right_password_or_with_a_bad_pin_nothing_is_set(maya, server):
    before = await everything(server)
    assert (await maya.put("/user/pin/me/", {"pin": "4711", "password": "a wrong password"})).status == 403
    for body in ({"pin": "4711"}, {"password": PASSWORD}):
        assert (await maya.put("/user/pin/me/", body)).status == 400
    for pin in ("123", "123456789", "12a4", "١٢٣٤", 1234, ""):
        answer = await maya.put("/user/pin/me/", {"pin": pin, "password": PASSWORD})
        assert (answer.status, answer.json) == (400, {"pin": ["Must be 4 to 8 digits or null."]}), pin
    assert await everything(server) == before
