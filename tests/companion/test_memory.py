"""What the companion remembers: sealed on the disk, forgotten in time, and never the reason for an error."""

import io
import sys

import msgspec
import pytest
from calling import until
from doors import everything
from msgspec import structs

from holdfast import log, vault
from holdfast.clock import DAY, SECOND
from holdfast.companion import jobs, memory
from holdfast.companion.episode import Episode
from holdfast.companion.memory import State
from holdfast.companion.walking import Tools, Walk

CANARY = "canary7 marmalade"
DAYS = DAY / SECOND


async def say(person, text):
    answer = await person.post("/chat/me/", {"text": text})
    assert (answer.status, list(answer.json)) == (200, ["response"])
    return answer.json["response"]


async def texts(person):
    answer = await person.get("/chat/me/history/")
    assert answer.status == 200
    return [turn["text"] for turn in answer.json["turns"] if turn["role"] == "user"]


async def run(server, sql, **values):
    async with server.db.write() as tx:
        return await tx.run(sql, **values)


async def value(server, sql, **values):
    async with server.db.read() as tx:
        return await tx.value(sql, **values)


async def broken(server, sql):
    async with server.db.write() as tx:
        await tx.value(sql)


async def keep(server, state, user_id=1):
    async with server.db.write() as tx:
        await memory.keep_state(tx, await vault_of(server).key_for(tx, user_id), user_id, state)


async def known(server, user_id=1):
    async with server.db.read() as tx:
        return await memory.known(tx, vault_of(server), user_id)


def vault_of(server):
    return server.app.state.companion.vault


def in_danger(now):
    return State(episode=Episode(level="imminent", since=now, seen_at=now), openings=("a",), answers=3)


@pytest.fixture
def written():
    """The log as bytes, with everything that it can say."""
    with pytest.MonkeyPatch.context() as patch:
        stream = io.TextIOWrapper(io.BytesIO())
        patch.setattr(sys, "stderr", stream)
        log.configure("debug")
        yield stream.buffer.getvalue
    log.configure("error")


async def test_nothing_that_was_said_stands_in_clear_in_the_database_or_its_files(maya, server):
    answered = await say(maya, f"{CANARY}, and I want to die")
    assert CANARY.encode() not in repr(await everything(server)).encode()
    assert answered[:40] not in repr(await everything(server))
    folder = server.app.state.settings.data_dir
    for file in [] if server.app.state.settings.postgres else folder.iterdir():
        held = file.read_bytes()
        assert b"marmalade" not in held and answered[:40].encode() not in held, file.name
    assert await texts(maya) == [f"{CANARY}, and I want to die"]


async def test_nothing_that_was_said_is_in_the_log_not_even_when_everything_breaks(written, maya, server):
    await say(maya, CANARY)
    await run(server, "update companion_turn set uid = uid || '0'")
    await run(server, "update companion_person set uid = uid || '0'")
    await say(maya, f"{CANARY} again")
    await maya.get(f"/chat/me/history/?before_id={CANARY}")
    await maya.put("/chat/me/consent/", {"model": CANARY, CANARY: CANARY})
    await broken(server, "alter table companion_turn rename to gone")
    await say(maya, f"{CANARY} once more")
    assert (await maya.get("/chat/me/history/")).status == 500
    await broken(server, "alter table gone rename to companion_turn")
    assert b"crypt_decrypt_fail" in written() and b"companion_memory_failed" in written()
    assert b"canary7" not in written() and b"marmalade" not in written()


@pytest.mark.parametrize(
    "swap",
    [
        "update companion_turn set sealed = (select sealed from companion_turn where user_id = 2 and role = 'user') where user_id = 1",
        "update companion_turn set sealed = (select sealed from companion_turn where user_id = 1 and role = 'assistant') where user_id = 1",
        "update companion_turn set sealed = (select state from companion_person where user_id = 1) where user_id = 1",
        "update companion_turn set user_id = 1 where user_id = 2",
    ],
)
async def test_a_sealed_turn_that_was_moved_is_left_out_and_the_talk_goes_on(written, maya, sam, server, swap):
    await say(maya, "my own words")
    await say(sam, "words of somebody else")
    before = set(await texts(maya))
    await run(server, swap)
    assert set(await texts(maya)) <= before
    assert (await maya.get("/chat/me/history/")).json["unreadable"] > 0
    assert await say(maya, "Hello again")
    assert b"crypt_decrypt_fail" in written()


async def test_a_state_that_cannot_be_read_is_fresh_and_said_to_be_lost(maya, sam, server):
    now = (await known(server)).now
    await keep(server, in_danger(now), 1)
    await keep(server, in_danger(now), 2)
    assert ((await known(server)).state.episode.level, (await known(server)).lost) == ("imminent", False)
    await run(
        server,
        """update companion_person set uid = (select p.uid from companion_person p where p.user_id = 2),
                  state = (select p.state from companion_person p where p.user_id = 2) where user_id = 1""",
    )
    found = await known(server)
    assert (found.state, found.lost) == (State(), True)
    assert await say(maya, "Hello")


async def test_a_state_of_another_shape_is_fresh(server):
    async with server.db.write() as tx:
        key = await vault_of(server).key_for(tx, 1)
        sealed = key.seal(vault.Place("companion_person", "state", "u"), b'{"episode": 7}')
        await tx.run("insert into companion_person (user_id, uid, state, state_at) values (1, 'u', :sealed, 1)", sealed=sealed)
    assert (await known(server)).lost


def test_the_state_is_the_same_after_it_was_kept():
    state = structs.replace(memory.noted(in_danger(5), "watch", 9), tools=Tools(Walk("rid", step=2, before=7), worse={"rid": 1}))
    assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state


async def test_answers_are_counted_and_the_last_two_of_each_level_are_dated():
    state = State()
    for at in (1, 2, 3):
        state = memory.noted(state, "elevated", at)
    assert (state.answers, state.answered_at, state.at_levels) == (3, 3, {"elevated": (2, 3)})


async def test_a_lost_key_of_the_operator_costs_the_memory_and_nothing_else(fresh, serving, tmp_path, written):
    import httpx2
    from conftest import Person

    async def with_key(letter, act):
        settings = structs.replace(fresh.settings, vault_keys=(letter * 32,))
        async with serving(settings) as server, httpx2.AsyncClient(base_url=f"http://{server.address}", timeout=30) as client:
            return await act(Person(client, 1, "maya", fresh.tokens["maya"]), server)

    async def first(maya, server):
        await say(maya, CANARY)
        assert await texts(maya) == [CANARY]

    async def other(maya, server):
        assert await say(maya, f"{CANARY} again")
        assert (await maya.put("/chat/me/consent/", {"model": "given"})).json["model"] == "given"
        assert await texts(maya) == []
        assert (await maya.get("/chat/me/export/")).json["unreadable"] == 2
        assert CANARY not in repr(await everything(server))

    async def again(maya, server):
        assert await texts(maya) == [CANARY]

    await with_key("a", first)
    await with_key("b", other)
    await with_key("a", again)
    assert b"crypt_unwrap_fail" in written()


class Counting:
    """A transaction that counts what is asked of it."""

    def __init__(self, tx):
        self._tx, self.statements = tx, 0

    def __getattr__(self, name):
        self.statements += 1
        return getattr(self._tx, name)


async def test_a_message_costs_two_reads_and_three_writes(maya, server):
    await say(maya, "Hello")
    async with server.db.read() as tx:
        counting = Counting(tx)
        assert await memory.known(counting, vault_of(server), 1)
        assert len(await memory.last_turns(counting, vault_of(server), 1)) == 2
        assert counting.statements == 2
    async with server.db.write() as tx:
        counting = Counting(tx)
        key = await vault_of(server).key_for(counting, 1)
        await memory.remember(counting, key, 1, "user", "Hello", "none")
        await memory.keep_state(counting, key, 1, State())
        assert counting.statements == 3


async def plain(server, text):
    """A turn as the version before wrote it."""
    await run(
        server, "insert into companion_turn (user_id, role, text, level, created_at) values (1, 'user', :text, 'none', holdfast_now())", text=text
    )


async def test_turns_of_an_earlier_version_are_read_and_sealed_later(maya, server):
    for number in range(3):
        await plain(server, f"{CANARY} {number}")
    expected = [f"{CANARY} {number}" for number in range(3)]
    assert await texts(maya) == expected
    await jobs.seal_the_plain(server.db, vault_of(server))
    assert await texts(maya) == expected
    assert await value(server, "select count(*) from companion_turn where uid is null or text <> '' or forget_at is null") == 0


@pytest.mark.parametrize(("days", "kept", "gone"), [(1, 0.9, 1.1), (90, 89, 91), (365, 364, 366)])
async def test_turns_are_forgotten_after_the_days_that_the_person_chose(fresh, server, days, kept, gone):
    async with server.db.write() as tx:
        key = await vault_of(server).key_for(tx, 1)
        await memory.remember(tx, key, 1, "user", "before", "none")
        await memory.keep_for(tx, 1, days)
        await memory.remember(tx, key, 1, "assistant", "after", "none")
    await server.turn_clock(kept * DAYS)
    await jobs.forget_the_old(server.db)
    assert await value(server, "select count(*) from companion_turn") == 2
    await server.turn_clock((gone - kept) * DAYS)
    async with server.db.read() as tx:
        assert await memory.last_turns(tx, vault_of(server), 1) == []
    await jobs.forget_the_old(server.db)
    assert await value(server, "select count(*) from companion_turn") == 0


HAND_OVER = """
    insert into hand_over (user_id, level, cause, rules, shared, created_at, closed_at)
    values (1, 'imminent', 'imminent', '[]', false, holdfast_now(), case when :closed then holdfast_now() end)"""


async def test_danger_is_forgotten_after_ninety_days_and_what_helped_is_not(server):
    await keep(server, in_danger((await known(server)).now))
    await server.turn_clock(89 * DAYS)
    await jobs.forget_old_danger(server.db, vault_of(server))
    assert (await known(server)).state.episode.level == "imminent"
    await server.turn_clock(2 * DAYS)
    assert (await known(server)).state.episode.level == "none"
    before = await value(server, "select state_at from companion_person")
    await jobs.forget_old_danger(server.db, vault_of(server))
    found = (await known(server)).state
    assert (found.episode.level, found.openings, found.answers) == ("none", ("a",), 3)
    assert await value(server, "select state_at from companion_person") > before


async def test_danger_stays_while_people_are_looking_after_it(server):
    await keep(server, in_danger((await known(server)).now))
    await run(server, HAND_OVER, closed=False)
    await server.turn_clock(100 * DAYS)
    await jobs.forget_old_danger(server.db, vault_of(server))
    assert (await known(server)).state.episode.level == "imminent"
    await run(server, "update hand_over set closed_at = holdfast_now()")
    await jobs.forget_old_danger(server.db, vault_of(server))
    assert (await known(server)).state.episode.level == "none"


async def test_an_old_state_that_nobody_can_read_is_dropped(server):
    await keep(server, in_danger(1))
    await run(server, "delete from data_key")
    await server.turn_clock(100 * DAYS)
    await jobs.forget_old_danger(server.db, vault_of(server))
    assert await value(server, "select count(*) from companion_person where state is not null") == 0


async def test_a_closed_hand_over_is_forgotten_with_the_danger(server):
    await run(server, HAND_OVER, closed=True)
    await run(server, HAND_OVER, closed=False)
    await server.turn_clock(89 * DAYS)
    await jobs.forget_the_old(server.db)
    assert await value(server, "select count(*) from hand_over") == 2
    await server.turn_clock(2 * DAYS)
    await jobs.forget_the_old(server.db)
    assert await value(server, "select count(*) from hand_over where closed_at is null") == 1
    assert await value(server, "select count(*) from hand_over") == 1


async def test_the_worker_beside_the_server_seals_and_forgets(server):
    await plain(server, CANARY)
    await run(server, HAND_OVER, closed=True)
    await run(server, "update hand_over set closed_at = 1")
    await until(lambda: value(server, "select 1 from companion_turn where sealed is not null and text = ''"))
    await until(lambda: value(server, "select 1 where not exists (select 1 from hand_over)"))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_turns_of_an_earlier_version_leave_no_trace_in_the_files(fresh, serving):
    folder = fresh.settings.data_dir
    async with serving(fresh.settings) as server:
        for number in range(50):
            await plain(server, f"{CANARY} {number} " * 20)
    assert b"marmalade" in (folder / "holdfast.sqlite3").read_bytes()
    async with serving(fresh.settings) as server:
        await jobs.seal_the_plain(server.db, vault_of(server))
    assert not any(b"marmalade" in file.read_bytes() for file in folder.iterdir())
