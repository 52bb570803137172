"""What a person sees, takes along, deletes and decides; and what staff do not see."""

import pytest
from doors import everything

from holdfast import texts
from holdfast.clock import DAY, SECOND, iso
from holdfast.companion import memory
from holdfast.companion.episode import Episode
from holdfast.companion.export import in_words
from holdfast.companion.memory import State
from holdfast.companion.privacy import WITHHELD
from holdfast.companion.walking import Tools, Walk

CANARY = "canary7 marmalade"


async def say(person, text):
    assert (await person.post("/chat/me/", {"text": text})).status == 200


async def history(person, path="/chat/me/history/"):
    answer = await person.get(path)
    assert answer.status == 200
    return answer.json


async def run(server, sql, **values):
    async with server.db.write() as tx:
        return await tx.run(sql, **values)


async def value(server, sql, **values):
    async with server.db.read() as tx:
        return await tx.value(sql, **values)


def said(found):
    return [turn["text"] for turn in found["turns"] if turn["role"] == "user"]


async def test_the_person_reads_the_whole_conversation_page_by_page(maya):
    for number in range(3):
        await say(maya, f"message {number}")
    newest = await history(maya, "/chat/me/history/?limit=4")
    assert said(newest) == ["message 1", "message 2"]
    oldest = await history(maya, f"/chat/me/history/?limit=4&before_id={newest['before_id']}")
    assert said(oldest) == ["message 0"]
    assert (oldest["before_id"], oldest["withheld"], oldest["unreadable"]) == (None, None, 0)
    turn = oldest["turns"][0]
    assert turn.keys() == {"id", "role", "text", "level", "at"}
    assert (turn["role"], turn["at"][-1]) == ("user", "Z")


async def test_also_what_was_said_in_danger_is_the_persons_own(maya, server):
    async with server.db.write() as tx:
        key = await server.app.state.companion.vault.key_for(tx, 1)
        await memory.remember(tx, key, 1, "user", "my words", "imminent")
        await memory.remember(tx, key, 1, "assistant", "the answer", "imminent")
    assert [turn["level"] for turn in (await history(maya))["turns"]] == ["imminent", "imminent"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "before_id=x", "before_id=1.5"])
async def test_a_page_that_is_none_is_refused_by_the_name_of_its_field(maya, query):
    answer = await maya.get(f"/chat/me/history/?{query}")
    assert (answer.status, list(answer.json)) == (400, [query.partition("=")[0]])


async def test_staff_see_nothing_that_was_not_shared_and_the_look_is_on_record(olive, maya, server):
    await say(maya, CANARY)
    found = await history(olive, "/chat/1/history/")
    assert (found["turns"], found["withheld"]) == ([], WITHHELD)
    assert (
        await value(server, "select count(*) from audit where actor_id = 3 and user_id = 1 and action = 'GET /api/v1/chat/{user_id}/history/'") == 1
    )


HAND_OVER = """
    insert into hand_over (user_id, level, cause, rules, resource, shared, since_turn_id, created_at, closed_at)
    values (1, 'imminent', 'imminent', '["r1"]', '988', :shared, :since, holdfast_now(), case when :closed then holdfast_now() end)"""


async def hand_over(server, *, shared=True, closed=False):
    since = await value(server, "select max(id) from companion_turn where user_id = 1 and role = 'user'")
    await run(server, HAND_OVER, shared=shared, since=since, closed=closed)


async def test_staff_read_what_was_shared_from_the_first_shared_turn_on(olive, maya, server):
    await say(maya, "long before")
    await say(maya, "the turn that was shared")
    await hand_over(server)
    await say(maya, "and what came after")
    assert said(await history(olive, "/chat/1/history/")) == ["the turn that was shared", "and what came after"]
    assert said(await history(olive, "/chat/1/history/?before_id=3")) == []


@pytest.mark.parametrize("how", [{"shared": False}, {"closed": True}])
async def test_staff_read_nothing_of_a_hand_over_that_is_closed_or_was_not_shared(olive, maya, server, how):
    await say(maya, "my words")
    await hand_over(server, **how)
    assert (await history(olive, "/chat/1/history/"))["turns"] == []


async def test_what_was_shared_ends_with_the_consent(olive, maya, server):
    await say(maya, "my words")
    await hand_over(server)
    assert said(await history(olive, "/chat/1/history/")) == ["my words"]
    await maya.put("/chat/me/consent/", {"share": "no"})
    assert (await history(olive, "/chat/1/history/"))["turns"] == []


async def test_consent_is_given_with_its_wording_and_time_and_taken_back_as_easily(maya):
    undecided = (await maya.get("/chat/me/consent/")).json
    assert undecided == {
        "model": None,
        "model_at": None,
        "model_wording": None,
        "share": None,
        "share_at": None,
        "share_wording": None,
        "kept_days": 90,
    }
    given = (await maya.put("/chat/me/consent/", {"model": "given", "share": "yes", "kept_days": 365})).json
    assert (given["model"], given["share"], given["kept_days"]) == ("given", "yes", 365)
    assert (given["model_wording"], given["share_wording"]) == (memory.WORDING, memory.WORDING)
    assert given["model_at"] and given["share_at"]
    assert (await maya.get("/chat/me/consent/")).json == given
    withdrawn = (await maya.put("/chat/me/consent/", {"model": "refused"})).json
    assert (withdrawn["model"], withdrawn["share"], withdrawn["kept_days"]) == ("refused", "yes", 365)
    assert (await maya.put("/chat/me/consent/", {"model": None, "share": None})).json["model"] is None


@pytest.mark.parametrize(
    "body", [{"model": "yes"}, {"share": "given"}, {"share": True}, {"kept_days": 30}, {"kept_days": "1"}, {"kept_days": None}, {"other": 1}]
)
async def test_a_decision_that_is_none_is_refused_and_changes_nothing(maya, server, body):
    before = await everything(server)
    answer = await maya.put("/chat/me/consent/", {"model": "given"} | body)
    assert (answer.status, list(answer.json)) == (400, list(body))
    assert await everything(server) == before


async def test_consent_in_the_chat_and_at_the_door_are_the_same(maya):
    await say(maya, "no model")
    assert (await maya.get("/chat/me/consent/")).json["model"] == "refused"


async def test_nobody_decides_for_somebody_else(olive, sam, server):
    before = await everything(server)
    assert (await olive.put("/chat/1/consent/", {"share": "yes"})).status == 403
    assert (await sam.put("/chat/1/consent/", {"share": "yes"})).status == 404
    assert await everything(server) == before
    assert (await olive.put("/chat/me/consent/", {"share": "yes"})).status == 200


async def test_a_shorter_time_counts_for_the_turns_that_are_there(maya, server):
    await say(maya, "my words")
    await server.turn_clock(2 * DAY / SECOND)
    assert said(await history(maya)) == ["my words"]
    await maya.put("/chat/me/consent/", {"kept_days": 1})
    assert said(await history(maya)) == []


async def test_deleting_takes_everything_that_was_said_and_concluded(maya, sam, olive, server):
    await say(maya, CANARY)
    await say(sam, "words of somebody else")
    await hand_over(server, closed=True)
    await hand_over(server)
    await maya.put("/chat/me/consent/", {"model": "given", "kept_days": 365})
    answer = await maya.ask("DELETE", "/chat/me/history/")
    assert (answer.status, answer.json) == (200, {"turns": 2, "state": True, "hand_overs": 2})
    assert (await history(maya))["turns"] == []
    assert await value(server, "select count(*) from companion_turn where user_id = 1") == 0
    assert await value(server, "select count(*) from data_key where user_id = 1") == 0
    assert await value(server, "select count(*) from companion_person where user_id = 1 and state is not null") == 0
    assert (
        await value(server, "select count(*) from hand_over where shared or rules <> '[]' or resource is not null or since_turn_id is not null") == 0
    )
    assert await value(server, "select count(*) from hand_over where closed_at is null") == 1
    assert (await history(olive, "/chat/1/history/"))["turns"] == []
    assert (await maya.get("/chat/me/consent/")).json["model"] == "given"
    assert said(await history(sam)) == ["words of somebody else"]
    assert (await maya.ask("DELETE", "/chat/me/history/")).json == {"turns": 0, "state": False, "hand_overs": 1}


async def test_after_deleting_the_talk_begins_anew_under_another_key(maya):
    await say(maya, "first words")
    await maya.ask("DELETE", "/chat/me/history/")
    await say(maya, "second words")
    assert said(await history(maya)) == ["second words"]


async def test_the_export_holds_everything_and_who_looked(maya, olive, server):
    await maya.patch("/user/preferences/me/", {"language": "de"})
    await say(maya, CANARY)
    await hand_over(server, shared=False)
    await maya.put("/chat/me/consent/", {"share": "no"})
    await history(olive, "/chat/1/history/")
    answer = await maya.get("/chat/me/export/")
    assert answer.status == 200
    found = answer.json
    assert found["schema"] == "holdfast/companion-export/1"
    assert said(found) == [CANARY] and len(found["turns"]) == 2
    assert found["consents"]["share"] == "no"
    assert [(one["level"], one["cause"], one["shared"]) for one in found["hand_overs"]] == [("imminent", "imminent", False)]
    assert [(one["who"], one["what"]) for one in found["readers"]] == [("olive", "GET /api/v1/chat/{user_id}/history/")]
    assert found["state_data"].keys() == set(State.__struct_fields__)
    assert found["ratings"] == found["state_data"]["tools"]
    assert any("Tage" in sentence and "90" in sentence for sentence in found["state"])


async def test_the_export_of_a_long_talk_is_whole_and_in_order(maya, server):
    async with server.db.write() as tx:
        key = await server.app.state.companion.vault.key_for(tx, 1)
        for number in range(205):
            await memory.remember(tx, key, 1, "user", f"message {number}", "none")
    assert said((await maya.get("/chat/me/export/")).json) == [f"message {number}" for number in range(205)]


async def test_the_export_of_somebody_who_never_wrote_is_empty_and_no_error(maya):
    found = (await maya.get("/chat/me/export/")).json
    assert (found["turns"], found["hand_overs"], found["readers"]) == ([], [], [])
    assert found["state"][0] == texts.read("en", "privacy")["nothing"]


async def test_staff_cannot_export_what_they_may_not_read(olive, maya):
    await say(maya, CANARY)
    answer = await olive.get("/chat/1/export/")
    assert (answer.status, "canary7" in answer.content.decode()) == (403, False)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_state_is_told_in_words_in_every_language(language):
    words = texts.read(language, "privacy")
    assert words["levels"].keys() == {"none", "watch", "elevated", "imminent"} and words.keys() == texts.read("en", "privacy").keys()
    at = 1_795_000_000 * SECOND
    state = State(Episode(level="elevated", since=at, pending="plan"), Tools(Walk("rid")), answers=3, answered_at=at, disclosed_at=at)
    told = in_words(state, 90, 2, language)
    assert len(told) == 8 and "rid" in told[3]
    assert words["levels"]["elevated"] in told[0] and iso(at)[:10] in told[0]
    assert not any("{" in sentence or "!" in sentence for sentence in told)
