"""What a profile takes, keeps, clears and refuses (decisions, "Users")."""

import asyncio

FIELDS = ("age", "location", "military_status", "ptsd_level", "therapist_contact", "scenario")
FULL = {"age": 34, "location": "Kyiv", "military_status": True, "ptsd_level": 7, "scenario": 2}


async def edit(person, **changes):
    return await person.patch("/user/edit/me/", changes)


async def test_a_new_profile_is_empty_but_for_its_defaults(maya):
    profile = (await maya.get("/user/me/")).json
    assert {key: profile[key] for key in (*FIELDS, "music")} == dict.fromkeys((*FIELDS, "music")) | {"military_status": False, "scenario": 1}


async def test_an_edit_changes_what_it_names_and_answers_all_six_as_they_now_are(maya):
    await edit(maya, **FULL)
    answer = await edit(maya, age=35)
    assert answer.json == {"message": "UserInfo updated successfully.", "updated_data": FULL | {"age": 35, "therapist_contact": None}}
    profile = (await maya.get("/user/me/")).json
    assert {key: profile[key] for key in FIELDS} == answer.json["updated_data"]


async def test_null_clears_each_field_and_no_other(maya):
    therapist = (await maya.put("/user/create/therapist/me/", {"name": "Olga", "phone": "+380501234567"})).json["data"]["id"]
    expected = FULL | {"therapist_contact": therapist}
    await edit(maya, **expected)
    for field in FIELDS:
        expected |= {field: None}
        assert (await edit(maya, **{field: None})).json["updated_data"] == expected


async def test_an_empty_edit_changes_nothing(maya):
    await edit(maya, **FULL)
    before = (await maya.get("/user/me/")).json
    assert (await edit(maya)).status == 200
    assert (await maya.get("/user/me/")).json == before


async def test_a_client_may_send_the_whole_profile_back(maya):
    await maya.post("/user/music/edit/me/", {"music": 2})
    await edit(maya, **FULL)
    profile = (await maya.get("/user/me/")).json
    assert (await edit(maya, **profile)).status == 200
    assert (await maya.get("/user/me/")).json == profile


async def test_of_an_echo_only_music_is_applied_beside_the_six(maya, sam):
    answer = await edit(maya, id=2, user=2, username="sam", music=4, age=50)
    assert answer.status == 200 and answer.json["updated_data"].keys() == set(FIELDS)
    profile = (await maya.get("/user/me/")).json
    assert (profile["user"], profile["username"], profile["music"], profile["age"]) == (1, "maya", 4, 50)
    assert (await sam.get("/user/me/")).json["age"] is None


RANGES = [("age", 0, 130), ("ptsd_level", 0, 10)]


async def test_numbers_are_taken_within_their_range_alone(maya):
    for field, low, high in RANGES:
        for value in (low, high):
            assert (await edit(maya, **{field: value})).json["updated_data"][field] == value
        for value in (low - 1, high + 1, 2**31, 2**63, -(2**63), 10**30):
            answer = await edit(maya, **{field: value})
            assert answer.status == 400 and answer.json.keys() == {field}, value
        assert (await maya.get("/user/me/")).json[field] == high


WRONG = {
    "age": ["34", "", 34.5, True, [34], {"x": 1}],
    "location": [1, True, [], {}],
    "military_status": ["true", "false", "", 0, 1, [], {}],
    "ptsd_level": ["7", 7.5, False, []],
    "therapist_contact": ["1", 1.5, True, [1]],
    "scenario": ["1", 1.5, True, {"id": 1}],
    "music": ["1", 1.5, True, [1]],
}


async def test_wrong_types_are_refused_and_never_coerced(maya):
    before = (await maya.get("/user/me/")).json
    for field, values in WRONG.items():
        for value in values:
            answer = await edit(maya, **{field: value, "age": 77} if field != "age" else {field: value})
            assert answer.status == 400 and answer.json.keys() == {field}, (field, value)
            assert all(type(sentence) is str for sentence in answer.json[field])
    assert (await maya.get("/user/me/")).json == before


async def test_what_does_not_exist_is_named_and_nothing_is_changed(maya):
    before = (await maya.get("/user/me/")).json
    for number in (0, -1, 999, 2**63 - 1, 2**63, -(2**63)):
        for field in ("scenario", "therapist_contact", "music"):
            answer = await edit(maya, **{"age": 40, field: number})
            assert answer.status == 400 and answer.json.keys() == {field}, (field, number)
    answer = await edit(maya, scenario=999, therapist_contact=999, music=999, age=999, location=9, nonsense=1)
    assert answer.json.keys() == {"scenario", "therapist_contact", "music", "age", "location", "nonsense"}
    assert (await maya.get("/user/me/")).json == before


UNKNOWN = ["is_staff", "is_admin", "role", "token", "password", "user_id", "Age", "agee", "profile.age", "__class__", ""]


async def test_an_unknown_field_is_named_and_the_row_stays(maya):
    """security.md A5: a typo must not look like success, and nobody promotes himself."""
    before = (await maya.get("/user/me/")).json
    for name in UNKNOWN:
        answer = await edit(maya, **{name: True, "age": 40})
        assert (answer.status, answer.json) == (400, {name: ["Unknown field."]})
    assert (await maya.get("/user/me/")).json == before
    assert (await maya.get("/chat/user/support/me/")).json["is_admin"] is False


async def test_of_two_edits_at_once_both_stay(maya):
    changes = [{"age": 40}, {"location": "Lviv"}, {"ptsd_level": 3}, {"military_status": True}, {"scenario": 3}]
    answers = await asyncio.gather(*(edit(maya, **change) for change in changes))
    assert [answer.status for answer in answers] == [200] * 5
    profile = (await maya.get("/user/me/")).json
    assert [profile[key] for change in changes for key in change] == [40, "Lviv", 3, True, 3]


async def test_staff_change_somebody_elses_profile_and_not_their_own(maya, olive):
    before = (await olive.get("/user/me/")).json
    assert (await olive.patch("/user/edit/1/", {"age": 61})).status == 200
    assert (await maya.get("/user/me/")).json["age"] == 61
    assert (await olive.get("/user/me/")).json == before
