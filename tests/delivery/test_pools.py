"""The worker over several channels: no channel waits for another, and what became of a message has its consequences at once."""

import asyncio
import json

import pytest
from calling import FROM, until
from mailserver import free_port, mail_server, speaking
from msgspec import structs
from webserver import answer, providing

from holdfast.clock import SECOND
from holdfast.contacts.jobs import note_refusal
from holdfast.db import open_database
from holdfast.delivery import outbox, worker
from holdfast.delivery.links import Links
from holdfast.delivery.schemas import LINK, Body, NewDelivery
from holdfast.delivery.worker import Worker
from holdfast.outside.apprise import Apprise
from holdfast.outside.mail import Mail
from holdfast.outside.sandbox import Sandbox
from holdfast.outside.sending import Message, Sent
from holdfast.outside.sms import Sms
from holdfast.outside.web import Web
from holdfast.settings import Settings
from holdfast.worker import senders

ADDRESSES = {"email": "ivan{}@example.org", "sms": "+3805012{:05}", "ntfy": "topic{}"}


class Post:
    """A worker over a database, and what it has done there."""

    def __init__(self, db, settings):
        self.db, self.settings, self.workers = db, settings, []

    async def put(self, channel, count=1, *, text="Text", link=None, wait=0, lives=7200):
        async with self.db.write() as tx:
            deadline = await tx.value("select holdfast_now()") + lives * SECOND
            last = await tx.value("select coalesce(max(id), 0) from delivery")
            for n in range(last, last + count):
                to = ADDRESSES[channel].format(n)
                body = Body("Subject", text, link)
                new = NewDelivery(dedup_key=str(n), kind="alarm", channel=channel, destination=to, body=body, deadline_at=deadline, wait=wait)
                await outbox.add(tx, new)

    async def work(self, chores=(), given=None, **settings):
        decided = structs.replace(self.settings, **settings)
        made = Worker(self.db, senders(decided) if given is None else given, chores, decided, Links(decided), note_refusal)
        self.workers.append(made)
        made.start()
        return made

    async def value(self, sql):
        async with self.db.read() as tx:
            return await tx.value(sql)

    async def becomes(self, sql, seconds=10):
        return await until(lambda: self.value(sql), seconds)


@pytest.fixture
async def post(fresh):
    db = await open_database(fresh.settings)
    found = Post(db, structs.replace(fresh.settings, mail_from=FROM, sms_from="+15005550006", send_limit=5))
    yield found
    for each in found.workers:
        each._settings = structs.replace(each._settings, send_limit=0)  # nobody waits for what is mute
        await each.stop()
    await db.close()


async def test_two_hundred_letters_at_a_mute_server_delay_no_sms(post):
    async with speaking(lambda reader, writer: asyncio.sleep(60)) as mute, providing() as provider:
        await post.put("email", 200)
        found = await post.work(smtp_url=f"smtp://127.0.0.1:{mute}", sms_url=provider.url)
        await post.becomes("select count(*) = 8 from delivery where state = 'leased'")
        for _ in range(3):
            await post.put("sms")
            found.wake()
            await post.becomes("select state = 'accepted' from delivery where channel = 'sms' order by id desc limit 1")
        waited = await post.value(
            "select max(a.started_at - d.created_at) from delivery d join delivery_attempt a on a.delivery_id = d.id where d.channel = 'sms'"
        )
        assert waited < SECOND
        assert await post.value("select count(*) from delivery where channel = 'email' and attempt > 0") == 8  # no lease ages in a queue


async def test_each_pool_has_its_size(post):
    held = asyncio.Event()

    class Waiting:
        def __init__(self):
            self.now = self.most = 0

        async def send(self, message):
            self.now += 1
            self.most = max(self.most, self.now)
            await held.wait()
            self.now -= 1
            return Sent("accepted")

    given = {"email": Waiting(), "sms": Waiting(), "ntfy": Waiting()}
    for channel in given:
        await post.put(channel, 6)
    await post.work(given=given, pool_email=4, pool_sms=3)
    await until(_true(lambda: sum(sender.now for sender in given.values()) == 9))
    held.set()
    await post.becomes("select count(*) = 18 from delivery where state = 'accepted'")
    assert {channel: sender.most for channel, sender in given.items()} == {"email": 4, "sms": 3, "ntfy": 2}


async def test_a_sender_without_an_end_is_ended_before_its_lease(post):
    class Endless:
        async def send(self, message):
            await asyncio.sleep(60)

    await post.put("email")
    await post.work(given={"email": Endless()}, send_limit=1)
    assert await post.becomes("select outcome from delivery_attempt where outcome is not null") == "ambiguous"


async def test_the_link_is_put_in_at_the_moment_of_sending(post):
    links = Links(post.settings)
    seed = links.seed("a", 17, 41)
    async with providing() as provider:
        await post.put("sms", text=f"Answer: {LINK} Ref 1042-0", link=seed)
        await post.put("sms", text=f"Answer: {LINK} Ref 1042-1", link="a/17/41@gone")
        await post.work(sms_url=provider.url)
        await post.becomes("select count(*) = 2 from delivery where state = 'accepted'")
    texts = {asked.form["Body"] for asked in provider.asked}
    assert texts == {f"Answer: {links.address(seed)} Ref 1042-0", "Answer:  Ref 1042-1"}
    assert links.key(seed) not in await post.value("select body from delivery order by id limit 1")


async def test_the_receipts_are_asked_for_by_ref_and_the_providers_id_is_kept(post):
    async with providing() as provider:
        await post.put("sms")
        await post.work(sms_url=provider.url)
        assert await post.becomes("select provider_msg_id from delivery where state = 'accepted'") == f"SM{1:032x}"
    ref = await post.value("select ref from delivery")
    assert provider.asked[0].form["StatusCallback"] == f"http://127.0.0.1:8000/hooks/sms/twilio/status?ref={ref}"


@pytest.mark.parametrize(("asked", "low", "high"), [("120", 118, 121), ("100000", 298, 301), ("0", 1, 3)])
async def test_a_provider_that_asks_for_time_gets_it_up_to_a_limit(post, asked, low, high):
    async with providing(answer(429, {"code": 20429}, Retry_After=asked)) as provider:
        await post.put("sms")
        await post.work(sms_url=provider.url)
        await post.becomes("select state = 'pending' and attempt = 1 from delivery")
        async with post.db.read() as tx:
            assert not await outbox.is_untidy(tx, ["sms"])  # nor is the wait taken for a broken clock
        waits = await post.value("select (next_at - (select finished_at from delivery_attempt)) / 1000000 from delivery")
        assert low <= waits <= high
        assert len(provider.asked) == 1


async def test_a_grace_is_no_broken_clock_and_an_hour_back_is(post):
    await post.put("email", wait=30 * SECOND)
    async with post.db.write() as tx:
        assert not await outbox.is_untidy(tx, ["email"])
        await tx.run("update delivery set next_at = next_at + 3600000000")
        assert await outbox.is_untidy(tx, ["email"])
        await outbox.tidy(tx, ["email"])
        assert not await outbox.is_untidy(tx, ["email"])
        assert 29 * SECOND < await tx.value("select next_at - holdfast_now() from delivery") <= 30 * SECOND


async def test_what_is_owed_is_looked_after_at_once_when_a_message_did_not_get_through(post, monkeypatch):
    monkeypatch.setattr(worker, "TIDY", 3600)
    ran = []

    async def chore(db):
        ran.append(1)

    async with mail_server() as mail:
        mail.data = "554 no"
        await post.work([chore], smtp_url=mail.url)
        await until(_true(lambda: len(ran) == 1))
        await post.put("email")
        await post.becomes("select state = 'failed' from delivery")
        await until(_true(lambda: len(ran) >= 2))


async def test_a_chore_that_fails_stops_no_other(post):
    ran = []

    async def broken(db):
        raise OSError

    async def fine(db):
        ran.append(1)

    await post.work([broken, fine], given={})
    await until(_true(lambda: ran))


def _true(condition):
    async def ask():
        return condition()

    return ask


async def test_a_worker_is_seen_while_it_lives(post):
    async with post.db.write() as tx:
        await tx.run("insert into heartbeat (worker, at) values ('old', holdfast_now() - 86400000000), ('other', holdfast_now())")
    found = await post.work(given={})
    await post.becomes(f"select 1 from heartbeat where worker = '{found.name}'")
    await post.becomes("select count(*) = 2 from heartbeat")
    await found.stop()
    assert await post.value("select worker from heartbeat") == "other"


async def test_the_sandbox_stores_and_sends_nothing(post):
    async with providing() as provider, mail_server() as mail:
        for channel in ADDRESSES:
            await post.put(channel)
        places = {"smtp_url": mail.url, "sms_url": provider.url, "apprise_channels": (f"ntfy=json://127.0.0.1:{provider.port}/{{to}}",)}
        found = await post.work(senders="sandbox", **places)
        assert set(found.channels) == set(ADDRESSES)
        await post.becomes("select count(*) = 3 from delivery where state = 'accepted' and provider = 'sandbox'")
    assert (provider.asked, mail.tried) == ([], 0)
    assert json.loads(await post.value("select body from delivery limit 1"))["text"] == "Text"


def test_without_settings_there_is_no_channel_and_with_the_sandbox_both():
    assert senders(Settings()) == {}
    assert set(senders(Settings(senders="sandbox"))) == {"email", "sms"}


@pytest.mark.parametrize("make", [Mail, Sms, Sandbox, Apprise, Web], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_nothing_leaves_inside_a_transaction(post, make):
    async with mail_server() as mail, providing() as provider:
        settings = structs.replace(post.settings, smtp_url=mail.url, sms_url=provider.url)
        made = {Sandbox: lambda: Sandbox(), Web: Web, Apprise: lambda: Apprise(f"json://127.0.0.1:{provider.port}", settings)}
        sender = made.get(make, lambda: make(settings))()
        async with post.db.write():
            with pytest.raises(RuntimeError, match="inside a transaction"):
                if make is Web:
                    await sender.post(provider.url, b"", {}, 5)
                else:
                    await sender.send(Message("0" * 32, "ivan@example.org", "Subject", "Text", 0))
        assert (mail.tried, provider.asked) == (0, [])


async def test_a_service_that_is_away_gets_one_try_at_a_time_until_it_is_back(post):
    await post.put("sms", 8)
    await post.work(sms_url=f"http://a:b@127.0.0.1:{free_port()}/")
    await post.becomes("select count(*) = 8 from delivery where attempt = 1 and state = 'pending'")
    assert post.workers[0]._pools["sms"].free == 1
