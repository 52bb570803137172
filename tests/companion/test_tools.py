"""The doors of the exercises: the catalogue for everybody, what helped, and "this made it worse"."""

import pytest
from msgspec.structs import replace

from holdfast.companion import memory, what_helped
from holdfast.companion.exercises import Tally, exercises
from holdfast.companion.normalise import LANGUAGES
from holdfast.companion.walking import Tools, reported


async def keep(server, person, tools):
    vault = server.app.state.companion.vault
    async with server.db.write() as tx:
        known = await memory.known(tx, vault, person.id)
        await memory.keep_state(tx, await vault.key_for(tx, person.id), person.id, replace(known.state, tools=tools))


async def kept(server, person):
    async with server.db.read() as tx:
        return (await memory.known(tx, server.app.state.companion.vault, person.id)).state


async def counts(server):
    async with server.db.read() as tx:
        return await tx.value("select coalesce(sum(reports), 0) from tool_report where tool = 'sigh' and version = 1")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_everybody_reads_the_same_exercises_that_the_companion_speaks(nobody, language):
    answer = await nobody.get(f"/exercises/?language={language}")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    listed = {one["id"]: one for one in answer.json["exercises"]}
    assert list(listed) == list(exercises())
    for id, one in exercises().items():
        script, shown = one.script(language), listed[id]
        assert [step["text"] for step in shown["steps"]] == list(script.steps)
        assert shown["seconds"] == sum(step["seconds"] for step in shown["steps"])
        assert one.source in shown["source"] and shown["stop"] and shown["skip"]
        assert bool(shown["with_hold"]) is one.holds


async def test_each_feeling_names_its_exercises_and_the_first_words(nobody):
    found = {one["id"]: one for one in (await nobody.get("/exercises/")).json["feelings"]}
    assert found["panic"]["exercises"][0] == "long_out_breath"
    assert found["panic"]["first"].startswith("Breathe out slowly. Longer than you breathe in.")


async def test_an_unknown_language_is_refused(nobody):
    assert (await nobody.get("/exercises/?language=fr")).status == 400


async def test_nothing_helped_before_anything_was_used(maya):
    answer = await maya.get("/user/tools/me/")
    assert (answer.status, answer.json["tools"]) == (200, [])
    assert sorted(answer.json["order"]) == sorted(exercises())


async def test_what_helped_is_told_in_a_sentence_and_comes_first(maya, server):
    await keep(server, maya, Tools(uses={"five_senses": Tally(4, 3, 24, 15, (-3, -3, -3)), "sigh": Tally(2, 2, 10, 4, (-3, -3))}))
    answer = (await maya.get("/user/tools/me/?language=de")).json
    assert answer["order"][0] == "five_senses"
    first, second = answer["tools"]
    assert (first["tool"], first["uses"], first["change"], first["last"]) == ("five_senses", 4, -3.0, [-3, -3, -3])
    assert first["sentence"] == "5-4-3-2-1: Das hat dir schon geholfen: im Schnitt von 8 auf 5."
    assert (second["change"], second["sentence"]) == (None, None)  # too few uses to say anything


async def test_a_report_moves_it_down_offers_another_and_is_counted_without_a_person(maya, server):
    before = (await maya.get("/user/tools/me/")).json["order"]
    answer = await maya.post("/user/tools/me/worse/", {"tool": "long_out_breath", "words": "it made me count my heartbeat"})
    assert (answer.status, answer.json["instead"]) == (200, "cold_water")
    after = (await maya.get("/user/tools/me/")).json
    assert before[0] == after["order"][-1] == "long_out_breath"
    assert [(one["tool"], one["worse"]) for one in after["tools"]] == [("long_out_breath", 1)]
    async with server.db.read() as tx:
        rows = await tx.value("select sum(reports) from tool_report where tool = 'long_out_breath'")
    assert rows == 1
    assert [one.words for one in (await kept(server, maya)).tools.told] == ["it made me count my heartbeat"]


async def test_reports_made_in_the_chat_are_counted_too(maya, server):
    before = Tools(worse={"sigh": 1})
    after = reported(reported(before, "sigh", 1), "sigh", 2)
    async with server.db.write() as tx:
        await what_helped.count(tx, before, after)
        await what_helped.count(tx, after, after)
    assert await counts(server) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "tool"),
        ({"tool": "hammer"}, "tool"),
        ({"tool": 3}, "tool"),
        ({"tool": "sigh", "words": "x" * 501}, "words"),
        ({"tool": "sigh", "x": 1}, "x"),
    ],
)
async def test_a_report_about_nothing_is_refused_by_its_field_and_changes_nothing(maya, server, body, field):
    answer = await maya.post("/user/tools/me/worse/", body)
    assert (answer.status, list(answer.json)) == (400, [field])
    assert (await kept(server, maya)).tools == Tools()


async def test_clearing_forgets_the_exercises_and_nothing_else(maya, server):
    await maya.post("/user/tools/me/worse/", {"tool": "sigh"})
    async with server.db.write() as tx:
        vault = server.app.state.companion.vault
        state = replace((await memory.known(tx, vault, maya.id)).state, openings=("a",))
        await memory.keep_state(tx, await vault.key_for(tx, maya.id), maya.id, state)
    assert (await maya.ask("DELETE", "/user/tools/me/")).status == 200
    state = await kept(server, maya)
    assert (state.tools, state.openings) == (Tools(), ("a",))
    assert await counts(server) == 1  # nobody is in them


async def test_another_persons_tools_and_a_missing_person_look_the_same(maya, sam):
    other, missing = await maya.get(f"/user/tools/{sam.id}/"), await maya.get("/user/tools/999/")
    assert (other.status, other.json) == (404, {"error": "User not found"})
    assert other.content == missing.content


async def test_staff_see_the_numbers_and_never_the_words(maya, olive):
    await maya.post("/user/tools/me/worse/", {"tool": "sigh", "words": "marmalade"})
    answer = await olive.get(f"/user/tools/{maya.id}/")
    assert answer.status == 200 and answer.json["tools"][0]["worse"] == 1
    assert b"marmalade" not in answer.content
