"""One SMS against services good and bad: what is said of it afterwards is true."""

import asyncio
import base64
import time

import pytest
from mailserver import free_port, speaking
from webserver import answer, certificate_in, providing, serving_tls, taken

from holdfast.outside import web
from holdfast.outside.sending import Message
from holdfast.outside.sms import Sms, genuine
from holdfast.settings import Settings

REF = "0123456789abcdef0123456789abcdef"


def message(destination: str = "+380501234567", text: str = "Maria may need support now. Ref 1042-0") -> Message:
    return Message(REF, destination, "Subject", text, 1_795_348_800_000_000)


def to(url: str, limit: int = 20, public_url: str = "https://hf.example") -> Sms:
    return Sms(Settings(sms_url=url, sms_from="+15005550006", send_limit=limit, public_url=public_url))


async def test_what_is_asked_of_the_service():
    async with providing() as provider:
        sent = await to(provider.url).send(message(text="Марія & Іван + 1 %"))
    assert (sent.outcome, sent.provider, sent.provider_msg_id, sent.reached) == ("accepted", "twilio", f"SM{1:032x}", True)
    (asked,) = provider.asked
    assert asked.line == "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"
    assert asked.form == {
        "To": "+380501234567",
        "From": "+15005550006",
        "Body": "Марія & Іван + 1 %",
        "StatusCallback": f"https://hf.example/hooks/sms/twilio/status?ref={REF}",
    }
    assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"AC1:s:cret"
    assert asked.headers["idempotency-key"] == REF
    assert asked.headers["host"] == f"127.0.0.1:{provider.port}"


INVALID = {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}
STOPPED = {"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}


@pytest.mark.parametrize(
    ("status", "body", "headers", "outcome", "code", "refused_us", "retry_after"),
    [
        (201, {"sid": "SM1", "status": "queued", "error_code": None}, {}, "accepted", "201", False, None),
        (200, {"sid": "SM1", "status": "failed", "error_code": 30008}, {}, "temporary", "30008", False, None),
        (200, {"sid": "SM1", "status": "failed"}, {}, "temporary", "failed", False, None),
        (200, {"error": "no credit"}, {}, "temporary", "no credit", False, None),
        (200, INVALID, {}, "permanent", "21211", False, None),
        (200, {"hello": 1}, {}, "ambiguous", "200", False, None),
        (200, b"<html>taken?</html>", {}, "ambiguous", "200", False, None),
        (200, b"[]", {}, "ambiguous", "200", False, None),
        (200, b"\xff" * 300_000, {}, "ambiguous", "200", False, None),
        (400, INVALID, {}, "permanent", "21211", False, None),
        (400, STOPPED, {}, "permanent", "21610", False, None),
        (400, {"code": "21610"}, {}, "permanent", "21610", False, None),
        (400, {"code": 21606, "message": "From is not yours"}, {}, "temporary", "21606", True, None),
        (401, {"code": 20003}, {}, "temporary", "20003", True, None),
        (403, b"", {}, "temporary", "403", True, None),
        (404, b"", {}, "temporary", "404", True, None),
        (408, b"", {}, "temporary", "408", False, None),
        (429, {"code": 20429}, {"Retry_After": "7"}, "temporary", "20429", False, 7.0),
        (429, b"", {"Retry_After": "Sun, 22 Nov 2026 12:00:30 GMT", "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}, "temporary", "429", False, 30.0),
        (429, b"", {"Retry_After": "soon"}, "temporary", "429", False, None),
        (500, b"oh no", {}, "temporary", "500", False, None),
        (503, b"\xff" * 300_000, {"Retry_After": "2"}, "temporary", "503", False, 2.0),
        (302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}, "temporary", "302", True, None),
    ],
)
async def test_a_services_word_decides(status, body, headers, outcome, code, refused_us, retry_after):
    async with providing(answer(status, body, **headers)) as provider:
        sent = await to(provider.url).send(message())
    assert (sent.outcome, sent.code, sent.refused_us, sent.retry_after, sent.reached) == (outcome, code, refused_us, retry_after, True)
    assert len(provider.asked) == 1  # no redirect is followed, nothing is repeated


async def test_a_line_that_is_closed_after_the_body_leaves_doubt():
    async def drop(request, writer):
        writer.transport.abort()

    async with providing(drop) as provider:
        sent = await to(provider.url).send(message())
    assert (sent.outcome, sent.reached, len(provider.asked)) == ("ambiguous", True, 1)


async def test_half_an_answer_leaves_doubt():
    async def half(request, writer):
        writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"sid": ')
        await writer.drain()
        writer.close()

    async with providing(half) as provider:
        assert (await to(provider.url).send(message())).outcome == "ambiguous"


async def test_a_service_that_is_slow_within_the_limit_is_waited_for():
    async def slow(request, writer):
        await asyncio.sleep(1.5)
        await taken(request, writer)

    async with providing(slow) as provider:
        assert (await to(provider.url, limit=10).send(message())).outcome == "accepted"


async def test_silence_after_the_body_is_left_in_time_and_leaves_doubt():
    async with providing(lambda request, writer: asyncio.sleep(60)) as provider:
        began = time.monotonic()
        sent = await to(provider.url, limit=1).send(message())
        assert (sent.outcome, sent.reached) == ("ambiguous", True)
        assert time.monotonic() - began < 4


async def test_a_service_that_drips_is_left_in_time():
    """Each byte comes in time; the whole does not."""

    async def drip(request, writer):
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with providing(drip) as provider:
        began = time.monotonic()
        assert (await to(provider.url, limit=1).send(message())).outcome == "ambiguous"
        assert time.monotonic() - began < 4


async def test_nobody_there_is_temporary():
    sent = await to(f"http://a:b@127.0.0.1:{free_port()}/").send(message())
    assert (sent.outcome, sent.reached, sent.refused_us) == ("temporary", False, False)
    sent = await to("https://a:b@no-such-host.invalid/").send(message())
    assert (sent.outcome, sent.reached) == ("temporary", False)


async def test_a_handshake_that_hangs_is_left_and_nothing_has_left():
    async with speaking(lambda reader, writer: asyncio.sleep(60)) as port:
        sent = await to(f"https://a:b@127.0.0.1:{port}/", limit=1).send(message())
    assert (sent.outcome, sent.reached) == ("temporary", False)


@pytest.fixture
def certificate(tmp_path):
    return certificate_in(tmp_path)


async def test_a_certificate_that_is_not_trusted_is_our_affair(certificate):
    context, _ = certificate
    async with serving_tls(context) as port:
        sent = await to(f"https://a:b@127.0.0.2:{port}/").send(message())
    assert (sent.outcome, sent.reached, sent.refused_us) == ("temporary", False, True)


async def test_a_trusted_certificate_is_checked_against_the_name_and_the_message_goes(certificate, monkeypatch):
    context, chain = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    async with serving_tls(context) as port:
        assert (await to(f"https://a:b@127.0.0.2:{port}/").send(message())).outcome == "accepted"
    async with serving_tls(context, "127.0.0.1") as port:
        assert (await to(f"https://a:b@127.0.0.1:{port}/").send(message())).refused_us


@pytest.mark.parametrize("destination", ["", "ivan", "0501234567", "+38050", "+380501234567\r\nX: y", "+380501234567,+380501234568", "+٣٨٠٥٠١٢٣٤٥٦"])
async def test_what_is_no_number_fails_alone_and_nobody_is_asked(destination):
    async with providing() as provider:
        assert (await to(provider.url).send(message(destination))).outcome == "permanent"
        assert (await to(provider.url).send(message(text="\ud800"))).outcome == "permanent"
        assert provider.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://a:b@127.0.0.2:1/",  # in clear to another machine
        "https://a:b@169.254.169.254/latest/meta-data/",
        "https://a:b@[fe80::1]/",
        "https://a:b@[::ffff:169.254.169.254]/",
        "https://a:b@[fd00:ec2::254]/",
        "https://a:b@100.100.100.200/",
        "https://a:b@0.0.0.0/",
        "ftp://a:b@example.org/",
        "https:///nowhere",
    ],
)
async def test_where_nothing_is_ever_asked(url):
    sent = await to(url).send(message())
    assert (sent.outcome, sent.reached, sent.refused_us) == ("temporary", False, True)


async def test_a_name_that_leads_to_a_metadata_address_is_refused(monkeypatch):
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lambda *_, **__: found(), raising=False)

    async def found():
        return [(2, 1, 6, "", ("169.254.169.254", 443))]

    sent = await to("https://a:b@sms.example.org/").send(message())
    assert (sent.detail, sent.refused_us) == ("forbidden address", True)


@pytest.mark.parametrize(
    ("address", "refused"),
    [("127.0.0.1", False), ("::1", False), ("10.0.0.7", False), ("8.8.8.8", False), ("fe80::1%eth0", True), ("169.254.0.1", True), ("::", True)],
)
def test_the_table_of_addresses(address, refused):
    assert web.forbidden(address) is refused


async def test_a_service_far_away_is_not_told_to_report_to_this_machine():
    sent_to = Sms(Settings(sms_url="https://a:b@sms.example.org/", sms_from="x"))
    assert sent_to._receipts is None


def test_the_signature_is_twilios_own():
    """The example of Twilio's documentation on validating requests."""
    settings = Settings(sms_url="https://AC1:12345@api.twilio.com/", sms_from="x")
    form = {"Digits": "1234", "To": "+18005551212", "From": "+14158675310", "Caller": "+14158675310", "CallSid": "CA1234567890ABCDE"}
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert genuine(settings, url, form, "GvWf1cFY/Q7PnoempGyD5oXAezc=")
    assert not genuine(settings, url + "3", form, "GvWf1cFY/Q7PnoempGyD5oXAezc=")
    assert not genuine(settings, url, form, "")
    assert not genuine(Settings(sms_url="https://api.twilio.com/"), url, form, "GvWf1cFY/Q7PnoempGyD5oXAezc=")
