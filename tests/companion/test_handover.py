"""Handing over to people: when, what the person is told, what staff see, and when it is over."""

import asyncio
import json
import tomllib
from pathlib import Path

import pytest
from doors import handshake
from msgspec import structs

from holdfast.clock import DAY, HOUR, SECOND
from holdfast.companion import handover, jobs, memory, signs
from holdfast.companion.detector import Reading
from holdfast.companion.episode import Episode
from holdfast.companion.handover import Standing, causes, told
from holdfast.companion.memory import State
from holdfast.support.paging import EVERY, Desk
from holdfast.texts import LANGUAGES, flat, read

CANARY = "canary7 marmalade"
NOW = 1_700_000_000_000_000
MAIL = Desk(channels=("email",))
ONLINE = Desk(staff_online=True)


def episode(level, *, signed=True, **more):
    return Episode(level=level, since=NOW, signed_at=NOW if signed else NOW - HOUR, seen_at=NOW, **more)


def because(level, *, reading=(), signed=True, at_levels=None, flags=(), **more):
    return causes(Reading(level, frozenset(reading)), episode(level, signed=signed, flags=frozenset(flags)), at_levels or {}, **more)


@pytest.mark.parametrize("level", ["none", "watch", "elevated"])
def test_nobody_is_asked_to_come_without_a_reason(level):
    assert because(level) == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (because("imminent"), ["imminent"]),
        (because("imminent", signed=False), ["imminent"]),
        (because("imminent", reading=["harm_to_others"]), ["imminent", "harm_to_others"]),
        (because("none", reading=["asks_human"]), ["asked"]),
        (because("elevated", asked=True), ["asked"]),
        (because("none", failed=True), ["answer_failed"]),
        (because("watch", reading=["farewell"]), ["goodbye"]),
        (because("none", reading=["farewell"]), []),
        (because("elevated", reading=["minor"]), ["minor"]),
        (because("elevated", minor=True), ["minor"]),
        (because("elevated", flags=["minor"]), ["minor"]),
        (because("watch", minor=True), []),
        (because("elevated", at_levels={"elevated": (NOW - DAY + 1,)}), ["elevated_twice"]),
        (because("elevated", at_levels={"elevated": (NOW - DAY,)}), []),
        (because("elevated", at_levels={"watch": (NOW - 1,)}), []),
    ],
)
def test_people_are_asked_to_come_for_these_reasons(found, expected):
    assert found == expected


def test_what_holds_without_a_new_sign_asks_nobody_again():
    assert because("elevated", signed=False, at_levels={"elevated": (NOW - HOUR,)}, minor=True, flags=["harm_to_others", "farewell"]) == []


async def hand_over(server, *, user_id=1, desk=ONLINE, **more):
    values = {"cause": "imminent", "level": "imminent", "rules": ["means-at-hand", "weights-imminent"], "resource": "988 Lifeline: 988"}
    values |= {"shared": False, "since_turn_id": None, "language": "en"} | more
    async with server.db.write() as tx:
        return await handover.hand_over(tx, user_id, now=await tx.value("select holdfast_now()"), desk=desk, **values)


async def rows(server, sql):
    async with server.db.read() as tx:
        return await tx.value(f"select count(*) from {sql}")


async def standing(server, **more):
    async with server.db.read() as tx:
        return await handover.standing(tx, 1, **{"staff_online": True} | more)


async def item(staff):
    found = (await staff.get("/staff/queue/")).json["items"]
    return found[0] if found else None


async def remember(server, text):
    async with server.db.write() as tx:
        key = await server.app.state.companion.vault.key_for(tx, 1)
        return await memory.remember(tx, key, 1, "user", text, "imminent")


async def test_the_person_reads_who_was_asked_and_why_in_the_own_language(server, maya):
    said = await hand_over(server, language="de", shared=False)
    assert said.identifier == "Holdfast"
    assert not said.from_admin
    assert said.body == (
        "Der KI-Begleiter hat das Team hierher gebeten, weil das Gesagte nach naher Gefahr klang. "
        "Das Team sieht diesen Grund, die Stufe, die Zeit und die genannte Hilfe, aber keine deiner Nachrichten an den Begleiter. "
        "Für die Zeit bis dahin: 988 Lifeline: 988."
    )


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_is_said_is_true_of_who_is_there_and_of_what_they_see(server, language):
    words = read(language, "handover")["message"]
    alone = await hand_over(server, language=language, desk=Desk(), shared=False, resource=None)
    assert alone.body == " ".join([words["imminent"], words["unshared"], words["offline"]]), "nobody can be paged, so nobody is said to be"
    there = await hand_over(server, user_id=2, language=language, desk=MAIL, shared=True, since_turn_id=1, resource=None)
    assert there.body == " ".join([words["imminent"], words["shared"], words["offline"], words["paged"]])


async def test_it_is_said_once_and_again_only_when_it_gets_worse(server):
    assert await hand_over(server, cause="asked", level="none")
    assert await hand_over(server, cause="asked", level="none") is None
    assert await hand_over(server, cause="elevated_twice", level="elevated")
    assert await hand_over(server, cause="goodbye", level="watch") is None
    assert await hand_over(server)
    assert await rows(server, "hand_over") == 4
    assert await rows(server, "message where sender_kind = 'system'") == 3


async def test_of_two_at_once_one_opens_it_and_says_so(server):
    said = await asyncio.gather(*(hand_over(server, desk=MAIL) for _ in range(4)))
    assert [one is None for one in said].count(False) == 1
    assert (await rows(server, "hand_over"), await rows(server, "message"), await rows(server, "delivery")) == (1, 1, 1)


async def test_one_is_open_for_each_cause_and_a_higher_level_changes_it(server, olive):
    await hand_over(server, cause="minor", level="elevated", rules=["burden"])
    await hand_over(server, cause="minor", level="imminent", rules=["intent"])
    await hand_over(server, cause="minor", level="elevated", rules=["edge"])
    shown = (await olive.get("/staff/chat/1/hand-over/")).json["hand_overs"]
    assert [(one["level"], one["reason"]) for one in shown] == [("imminent", "A person under 18 may be in danger.")]
    async with server.db.read() as tx:
        assert json.loads(await tx.value("select rules from hand_over")) == ["intent"]


async def test_staff_see_why_and_none_of_the_words_where_the_person_has_not_agreed(server, olive):
    await remember(server, CANARY)
    await hand_over(server)
    shown = await item(olive)
    assert (shown["level"], shown["risk"], shown["shared"], shown["resources"]) == ("imminent", 3, False, ["988 Lifeline: 988"])
    assert shown["reasons"] == ["The companion took what was said for danger that is close."]
    answer = await olive.get("/staff/chat/1/hand-over/")
    assert CANARY not in answer.content.decode()
    assert (answer.json["talk"]["turns"], answer.json["hand_overs"][0]["signs"], answer.json["hand_overs"][0]["resource"]) == (
        [],
        [],
        "988 Lifeline: 988",
    )
    assert answer.json["talk"]["withheld"]


async def test_with_the_agreement_they_see_the_signs_and_the_last_messages_and_nothing_before(server, olive):
    await remember(server, "long before")
    since = await remember(server, CANARY)
    await hand_over(server, shared=True, since_turn_id=since)
    found = (await olive.get("/staff/chat/1/hand-over/")).json
    assert [turn["text"] for turn in found["talk"]["turns"]] == [CANARY]
    assert found["hand_overs"][0]["signs"] == ["means, at hand or asked about", "the words as a whole, no single sign"]
    assert (await item(olive))["shared"] is True


async def test_an_agreement_that_comes_later_counts_from_then_on(server, maya, olive):
    await remember(server, "before")
    await hand_over(server)
    since = await remember(server, CANARY)
    await hand_over(server, shared=True, since_turn_id=since)
    talk = (await olive.get("/staff/chat/1/hand-over/")).json["talk"]
    assert [turn["text"] for turn in talk["turns"]] == [CANARY]
    await maya.put("/chat/me/consent/", {"share": "no"})
    assert (await olive.get("/staff/chat/1/hand-over/")).json["talk"]["turns"] == []


async def test_staff_read_the_reasons_in_their_own_language(server, olive):
    await olive.patch("/user/preferences/me/", {"language": "es"})
    await hand_over(server, cause="goodbye")
    assert (await item(olive))["reasons"] == ["Lo dicho sonaba a despedida."]


async def test_the_companion_is_silent_from_the_claim_until_it_is_handed_back(server, olive):
    assert (await standing(server)).state == "quiet"
    await hand_over(server)
    assert (await standing(server)).waiting
    await olive.post("/staff/chat/1/claim/")
    now = await standing(server)
    assert (now.joined, now.assignee_name) == (True, "olive")
    assert told(now, "en") == "olive has joined the support chat."
    await olive.post("/staff/chat/1/done/")
    assert (await standing(server)).state == "quiet"
    assert await rows(server, "hand_over where closed_at is null") == 0
    assert await rows(server, "hand_over where joined_at is not null") == 1


async def test_handed_back_danger_falls_one_step_and_the_next_answer_asks_how_it_is(server, olive):
    vault = server.app.state.companion.vault
    async with server.db.write() as tx:
        now = await tx.value("select holdfast_now()")
        await memory.keep_state(tx, await vault.key_for(tx, 1), 1, State(structs.replace(episode("imminent"), seen_at=now, signed_at=now)))
    await hand_over(server)
    await olive.post("/staff/chat/1/claim/")
    await olive.post("/staff/chat/1/done/")
    async with server.db.read() as tx:
        after = (await memory.known(tx, vault, 1)).state.episode
    assert (after.level, after.check_in) == ("elevated", True)


async def test_given_back_to_the_queue_it_stays_open(server, olive):
    await hand_over(server)
    await olive.post("/staff/chat/1/claim/")
    await olive.post("/staff/chat/1/release/")
    assert (await standing(server)).waiting
    assert await rows(server, "hand_over where closed_at is null") == 1


async def test_no_time_and_no_closed_line_closes_what_is_open(server, maya):
    await hand_over(server)
    await handshake(server.address, "/ws/chat/me/", {"Authorization": f"Token {maya.token}"})
    await server.turn_clock(100 * DAY / SECOND)
    await jobs.forget_the_old(server.db)
    await jobs.forget_old_danger(server.db, server.app.state.companion.vault)
    assert (await standing(server)).waiting
    assert await rows(server, "hand_over where closed_at is null") == 1
    assert await rows(server, "conversation where risk = 3") == 1


def test_an_answer_says_about_people_what_is_true():
    waiting = Standing("waiting", staff_online=True)
    assert told(waiting, "en") == "You are in the support queue; do not wait. They see level and time."
    assert told(structs.replace(waiting, shared=True, usual_minutes=4), "en").endswith("usually 4 minutes. Do not wait. They see your last messages.")
    assert told(Standing("waiting"), "en") == "No one from support is online now. They see level and time."
    assert told(Standing("waiting", opens_at="08:00"), "en").startswith("No one is online until 08:00.")
    assert told(Standing(), "en") == "No one from support is online now."
    assert told(Standing(staff_online=True), "en") == ""


async def test_the_usual_wait_is_said_once_it_can_be_known(server):
    await hand_over(server)
    past = """insert into hand_over (user_id, level, cause, rules, shared, created_at, joined_at, closed_at)
              values (2, 'none', 'asked', '[]', :no, holdfast_now() - :wait, holdfast_now(), holdfast_now())"""
    for minutes in (1, 2, 7, 30):
        async with server.db.write() as tx:
            await tx.run(past, no=False, wait=minutes * 60_000_000)
    assert (await standing(server)).usual_minutes is None
    async with server.db.write() as tx:
        await tx.run(past, no=False, wait=60_000_000)
    assert (await standing(server)).usual_minutes == 2


async def test_whoever_is_on_call_is_told_once_in_ten_minutes_and_no_word_of_it(server):
    await remember(server, CANARY)
    await hand_over(server, cause="goodbye", level="elevated", desk=MAIL)
    await hand_over(server, desk=MAIL)
    async with server.db.read() as tx:
        kind, to, body, priority = tuple(await tx.row("select kind, destination, body, priority from delivery"))
    assert (kind, to, priority) == ("chat_offline", "olive@example.org", 60)
    assert "maya" not in body and CANARY not in body and "988" not in body
    async with server.db.write() as tx:
        await tx.run("update hand_over set closed_at = holdfast_now()")
    await server.turn_clock(EVERY / SECOND)
    await hand_over(server, desk=MAIL)
    assert await rows(server, "delivery") == 2


async def test_only_who_is_on_call_is_told_and_a_number_in_the_settings_by_sms(server):
    await hand_over(server, desk=structs.replace(MAIL, on_call=("somebody",)))
    assert await rows(server, "delivery") == 0
    await hand_over(server, user_id=2, desk=Desk(channels=("email", "sms"), on_call=("olive:+4915112345678",), caps=server.app.state.means.caps))
    async with server.db.read() as tx:
        assert await tx.value("select destination from delivery where channel = 'sms'") == "+4915112345678"
    assert await rows(server, "delivery") == 2


async def test_a_wish_for_a_person_pages_nobody_while_staff_are_there(server):
    await hand_over(server, cause="asked", level="none", desk=structs.replace(MAIL, staff_online=True))
    assert await rows(server, "delivery") == 0
    await hand_over(server, user_id=2, cause="asked", level="none", desk=MAIL)
    assert await rows(server, "delivery") == 1


async def test_a_hand_over_tells_no_emergency_contact(server, maya):
    await maya.patch("/user/edit/contact/me/", {"name": "Ivan", "phone": "+380501234567", "relationship": "brother", "email": "ivan@example.org"})
    before = await rows(server, "delivery")
    await hand_over(server, desk=MAIL)
    assert await rows(server, "delivery where destination <> 'olive@example.org'") == before
    assert await rows(server, "alarm") == 0


def test_hardly_a_rule_is_without_a_name_for_staff():
    path = Path(signs.__file__).parent.parent / "data" / "words" / "frames.toml"
    ids = [frame["id"] for frame in tomllib.loads(path.read_text("utf-8"))["frame"]]
    nameless = [rule for rule, kind in zip(ids, signs.kinds_of(ids), strict=True) if kind == "other"]
    assert len(nameless) <= len(ids) // 10, nameless


def test_the_texts_are_the_same_in_every_language():
    expected = flat(read("en", "handover")).keys()
    for language in LANGUAGES:
        texts = flat(read(language, "handover"))
        assert texts.keys() == expected, language
        assert not [text for text in texts.values() if "!" in text or not text.strip()], language
        assert set(signs.KINDS) | {"other"} == set(read(language, "handover")["sign"]), language
        assert len(texts["page.subject"]) <= 78
