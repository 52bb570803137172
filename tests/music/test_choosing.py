"""Choosing a track."""


async def test_a_chosen_track_is_in_the_profile(maya):
    answer = await maya.post("/user/music/edit/me/", {"music": 3})
    assert (answer.status, answer.json) == (200, {"message": "Music track updated successfully"})
    assert (await maya.get("/user/me/")).json["music"] == 3


async def test_a_track_that_does_not_exist_is_refused_and_changes_nothing(maya):
    before = await maya.get("/user/me/")
    answer = await maya.post("/user/music/edit/me/", {"music": 999_999})
    assert (answer.status, answer.json) == (404, {"error": "Music track not found"})
    assert (await maya.get("/user/me/")).json == before.json


async def test_null_goes_back_to_the_default_and_a_missing_key_is_an_error(maya):
    await maya.post("/user/music/edit/me/", {"music": 3})
    assert (await maya.post("/user/music/edit/me/", {"music": None})).status == 200
    assert (await maya.get("/user/me/")).json["music"] is None
    answer = await maya.post("/user/music/edit/me/", {})
    assert (answer.status, answer.json) == (400, {"error": "Music ID is required"})
