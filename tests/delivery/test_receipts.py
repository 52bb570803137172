"""What a provider says later: in any order, twice, too early, or not at all from the provider."""

import base64
import hmac
from types import SimpleNamespace
from urllib.parse import urlencode

import httpx2
import pytest
from msgspec import structs

from holdfast.clock import SECOND
from holdfast.db import open_database
from holdfast.delivery import outbox
from holdfast.delivery.routes import doors
from holdfast.delivery.schemas import Body, NewDelivery
from holdfast.edge import Edge
from holdfast.outside.sending import Sent

ADDRESS, SECRET = "https://hf.example", "s:cret"
STATUS, INBOUND = "/hooks/sms/twilio/status", "/hooks/sms/twilio/inbound"
TAKEN, DOUBT = Sent("accepted", "201", provider="twilio", provider_msg_id="SM1"), Sent("ambiguous", provider="twilio")


class Hooks:
    """The doors of the providers over a database with one SMS in it, and the provider that knocks there."""

    def __init__(self, db, settings):
        self.db, self.hurried, self.written = db, 0, []
        state = SimpleNamespace(db=db, settings=settings, hurry=self.hurry, inbound_sms=self.inbound)
        self.edge = Edge(doors.table, state)

    def hurry(self):
        self.hurried += 1

    async def inbound(self, tx, number, text):
        self.written.append((number, text))

    async def knock(self, path, form, signature=None, **headers):
        signed = ADDRESS + path + "".join(name + form[name] for name in sorted(form))
        given = signature if signature is not None else base64.b64encode(hmac.digest(SECRET.encode(), signed.encode(), "sha1")).decode()
        fields = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": given} | headers
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(self.edge), base_url="http://inside") as client:
            return (await client.post(path, content=urlencode(form), headers=fields)).status_code

    async def says(self, status, sid="SM1", ref=None, **more):
        ref = await self.value("ref") if ref is None else ref
        return await self.knock(f"{STATUS}?ref={ref}" if ref else STATUS, {"MessageSid": sid, "MessageStatus": status, "To": "+380501234567", **more})

    async def value(self, column, table="delivery"):
        async with self.db.read() as tx:
            return await tx.value(f"select {column} from {table} order by id desc limit 1")

    async def put(self):
        async with self.db.write() as tx:
            deadline = await tx.value("select holdfast_now()") + 7200 * SECOND
            new = NewDelivery(
                dedup_key="one", kind="alarm", channel="sms", destination="+380501234567", body=Body("Subject", "Text"), deadline_at=deadline
            )
            await outbox.add(tx, new)

    async def claim(self):
        async with self.db.write() as tx:
            await tx.run("update delivery set next_at = holdfast_now()")
            return (await outbox.claim(tx, "a", "sms", 1))[0]

    async def finish(self, leased, sent):
        async with self.db.write() as tx:
            return await outbox.finish(tx, "a", leased, sent)

    async def standing(self):
        async with self.db.read() as tx:
            return tuple(await tx.row("select state, error_class from delivery"))


@pytest.fixture
async def hooks(fresh):
    settings = structs.replace(fresh.settings, public_url=ADDRESS, sms_url="https://AC1:s%3Acret@api.example/Messages.json", sms_from="x")
    db = await open_database(settings)
    found = Hooks(db, settings)
    await found.put()
    yield found
    await db.close()


@pytest.fixture
async def accepted(hooks):
    assert not (await hooks.finish(await hooks.claim(), TAKEN)).stirs
    return hooks


async def test_an_accepted_one_knows_by_which_name_its_receipts_come(accepted):
    async with accepted.db.read() as tx:
        assert tuple(await tx.row("select state, provider, provider_msg_id, provider_rank from delivery")) == ("accepted", "twilio", "SM1", 0)


@pytest.mark.parametrize(
    ("said", "state", "problem"),
    [
        (["queued", "sent", "delivered"], "delivered", None),
        (["delivered", "sent", "queued"], "delivered", None),
        (["delivered", "delivered"], "delivered", None),
        (["delivered", "undelivered", "failed"], "delivered", None),
        (["undelivered", "sent"], "failed", "undelivered"),
        (["failed"], "failed", "undelivered"),
        (["undelivered", "delivered"], "delivered", None),  # it is there after all
        (["sent", "queued"], "accepted", None),
        (["receiving", "nonsense", ""], "accepted", None),
    ],
)
async def test_receipts_in_any_order_never_take_a_state_back(accepted, said, state, problem):
    for status in said:
        assert await accepted.says(status) == 204
    assert await accepted.standing() == (state, problem)
    assert accepted.hurried == (
        0 if state == "accepted" else len({one for one in said if one in ("undelivered", "delivered", "failed")} - _late(said))
    )
    assert (await accepted.value("delivered_at") is not None) == (state == "delivered")


def _late(said):
    """What comes after the message was delivered changes nothing."""
    return set(said[said.index("delivered") + 1 :]) - {"delivered"} if "delivered" in said else set()


async def test_each_change_is_seen_as_one(accepted):
    """The live state's version is made of the fence: alarms/live.py."""
    fences = [await accepted.value("fence")]
    for status in ("undelivered", "delivered", "delivered"):
        await accepted.says(status)
        fences.append(await accepted.value("fence"))
    assert fences == [1, 2, 3, 3]


async def test_the_last_rank_and_the_providers_reason_are_kept(accepted):
    await accepted.says("sent")
    assert await accepted.value("provider_rank") == 2
    await accepted.says("undelivered", ErrorCode="30005")
    assert await accepted.value("provider_code", "delivery_attempt") == "30005"


async def test_a_receipt_that_overtakes_our_own_finish_is_not_lost(hooks):
    leased = await hooks.claim()
    await hooks.says("delivered")
    assert await hooks.standing() == ("delivered", None)
    assert (await hooks.finish(leased, TAKEN)).stirs
    assert await hooks.standing() == ("delivered", None)
    assert await hooks.value("outcome", "delivery_attempt") == "accepted"
    assert await hooks.value("accepted_at") is not None


async def test_a_failure_that_overtakes_our_own_finish_fails_it(hooks):
    leased = await hooks.claim()
    await hooks.says("undelivered")
    assert await hooks.standing() == ("leased", None)
    assert (await hooks.finish(leased, TAKEN)).stirs
    assert await hooks.standing() == ("failed", "undelivered")


async def test_a_receipt_ends_the_doubt_and_the_retries(hooks):
    await hooks.finish(await hooks.claim(), DOUBT)
    assert await hooks.standing() == ("pending", "ambiguous")
    await hooks.says("delivered")
    assert await hooks.standing() == ("delivered", None)
    async with hooks.db.read() as tx:
        assert not await outbox.is_due(tx, "sms")


async def test_the_failure_of_an_earlier_copy_does_not_fail_the_later(hooks):
    await hooks.finish(await hooks.claim(), DOUBT)
    await hooks.says("undelivered", "SM0")
    assert await hooks.standing() == ("pending", "ambiguous")
    leased = await hooks.claim()
    await hooks.says("undelivered", "SM0")
    await hooks.finish(leased, TAKEN)
    await hooks.says("failed", "SM0")
    assert await hooks.standing() == ("accepted", None)
    await hooks.says("undelivered")
    assert await hooks.standing() == ("failed", "undelivered")


async def test_without_a_ref_the_providers_own_id_finds_it(accepted):
    assert await accepted.says("delivered", ref="") == 204
    assert await accepted.standing() == ("delivered", None)


@pytest.mark.parametrize("more", [{"ref": "f" * 32}, {"ref": "", "sid": "SM9"}])
async def test_a_message_that_nobody_knows_is_ignored(accepted, more):
    assert await accepted.says("delivered", **more) == 204
    assert await accepted.standing() == ("accepted", None)


async def test_what_was_never_sent_has_no_receipts(hooks):
    assert await hooks.says("delivered") == 204
    assert await hooks.standing() == ("pending", None)


@pytest.mark.parametrize("signature", ["", "AAAA", "kaput\u00e9"])
@pytest.mark.parametrize("path", [STATUS, INBOUND])
async def test_only_the_provider_itself_is_heard(accepted, path, signature):
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "From": "+380501234567", "Body": "1"}
    assert await accepted.knock(path, form, signature.encode("latin-1")) == 403
    assert await accepted.standing() == ("accepted", None)
    assert accepted.written == []


async def test_a_signature_holds_for_one_address_and_one_body(accepted):
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    signed = base64.b64encode(hmac.digest(SECRET.encode(), (ADDRESS + STATUS + "MessageSidSM1MessageStatussent").encode(), "sha1"))
    assert await accepted.knock(STATUS, form, signed) == 403
    assert await accepted.knock(INBOUND, {"MessageSid": "SM1", "MessageStatus": "sent"}, signed) == 403
    assert await accepted.standing() == ("accepted", None)


async def test_what_somebody_writes_back_is_handed_on(hooks):
    assert await hooks.knock(INBOUND, {"From": "+380501234567", "Body": "1 1042\n", "MessageSid": "SM7"}) == 204
    assert await hooks.knock(INBOUND, {"From": "+380501234567", "Body": "STOP", "To": "", "MessageSid": "SM8"}) == 204
    assert hooks.written == [("+380501234567", "1 1042\n"), ("+380501234567", "STOP")]


@pytest.mark.parametrize(
    "path", ["/hooks/sms/other/status", "/hooks/email/twilio/status", "/hooks/push/x/inbound", "/hooks/sms/twilio", "/hooks/sms"]
)
async def test_a_provider_that_is_not_set_up_has_no_door(hooks, path):
    assert await hooks.knock(path, {"MessageSid": "SM1"}) == 404


async def test_what_is_no_form_is_refused(hooks):
    assert await hooks.knock(STATUS, {"MessageSid": "SM1"}, **{"Content-Type": "application/json"}) == 415
    assert await hooks.knock(STATUS, {"a": "b" * 70_000}) == 413
    assert await hooks.knock(STATUS, {f"a{n}": "b" for n in range(200)}) == 400
