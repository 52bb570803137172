"""One e-mail against real SMTP servers, good and bad: what is said of it afterwards is true."""

import asyncio
import gc
from contextlib import nullcontext
from email.policy import SMTP

import pytest
from aiosmtplib import SMTPException
from mailserver import free_port, mail_server, speaking
from webserver import certificate_in

from holdfast.outside import mail
from holdfast.outside.mail import Mail
from holdfast.outside.sending import Message, Sent
from holdfast.settings import Settings, WrongSettings, from_environment

REF = "0123456789abcdef0123456789abcdef"


def message(destination: str = "ivan@example.org", text: str = "Please call.\n.\n..two dots\n\nRef 1042-0\n") -> Message:
    return Message(REF, destination, "Automatic safety message: please call", text, 1_795_348_800_000_000)


def to(port: int, host: str = "127.0.0.1", login: str = "", limit: int = 20) -> Mail:
    sender = "Лінія підтримки <care@help.example.org>"
    return Mail(Settings(smtp_url=f"smtp://{login}{host}:{port}", mail_from=sender, send_limit=limit))


async def talk(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(line.encode() + b"\r\n")
    await writer.drain()


async def polite_until_data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greets and agrees to everything up to the body."""
    await talk(writer, "220 here")
    for answer in ("250 mail", "250 ok", "250 ok", "354 go"):
        await reader.readline()
        await talk(writer, answer)


async def test_the_letter_is_one_that_any_copy_can_be_recognised_by():
    async with mail_server() as post:
        assert (await to(post.port).send(message())).outcome == "accepted"
        assert (await to(post.port).send(message())).outcome == "accepted"
    first, second = (letter.message for letter in post.letters)
    assert first.as_bytes() == second.as_bytes()
    assert post.letters[0].recipients == ["ivan@example.org"]
    assert dict(first.items()) == {
        "From": "Лінія підтримки <care@help.example.org>",
        "To": "ivan@example.org",
        "Subject": "Automatic safety message: please call",
        "Date": "Sun, 22 Nov 2026 12:00:00 +0000",
        "Message-ID": f"<{REF}@help.example.org>",
        "X-Entity-Ref-ID": REF,
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
    }
    assert first.get_content().replace("\r\n", "\n") == message().text  # the dots too


@pytest.mark.parametrize(
    ("rcpt", "data", "outcome", "code"),
    [
        ("250 OK", "250 taken", "accepted", "250"),
        ("451 later", "250 taken", "temporary", "451"),
        ("550 nobody", "250 taken", "permanent", "550"),
        ("250 OK", "452 full", "temporary", "452"),
        ("250 OK", "554 no", "permanent", "554"),
        ("530 login first", "250 taken", "temporary", "530"),
    ],
)
async def test_a_servers_word_decides(rcpt, data, outcome, code):
    async with mail_server() as post:
        post.rcpt["ivan@example.org"], post.data = rcpt, data
        sent = await to(post.port).send(message())
    assert (sent.outcome, sent.code, sent.reached) == (outcome, code, True)
    assert sent.refused_us == (code == "530")


async def test_a_line_that_drops_after_the_body_leaves_doubt():
    async with mail_server() as post:
        post.data = "drop"
        assert (await to(post.port).send(message())).outcome == "ambiguous"
        assert post.tried == 1


async def test_silence_after_the_body_leaves_doubt(monkeypatch):
    monkeypatch.setattr(mail, "REPLY", 0.3)

    async def mute(reader, writer):
        await polite_until_data(reader, writer)
        await asyncio.sleep(10)

    async with speaking(mute) as port:
        assert (await to(port).send(message())).outcome == "ambiguous"


async def test_silence_before_the_body_leaves_none(monkeypatch):
    monkeypatch.setattr(mail, "REPLY", 0.2)

    async def hesitant(reader, writer):
        await talk(writer, "220 here")
        await asyncio.sleep(10)

    async with speaking(lambda reader, writer: asyncio.sleep(10)) as port:
        assert await to(port).send(message()) == Sent("temporary", detail="SMTPConnectTimeoutError", reached=False)
    async with speaking(hesitant) as port:
        assert (await to(port).send(message())).outcome == "temporary"


async def test_a_server_that_drips_is_left_in_time():
    """Each byte comes in time; the whole does not."""

    async def drip(reader, writer):
        while True:
            writer.write(b"2")
            await asyncio.sleep(0.05)

    async with speaking(drip) as port:
        began = asyncio.get_running_loop().time()
        assert (await to(port, limit=1).send(message())).outcome == "temporary"
        assert asyncio.get_running_loop().time() - began < 3


@pytest.mark.parametrize("greeting", ["", "220 here\r\n"])
async def test_encryption_that_hangs_is_left_in_time_with_nothing_open(greeting):
    """Once from the first byte, once after STARTTLS."""

    async def hang(reader, writer):
        writer.write(greeting.encode())
        if greeting:
            await reader.readline()
            await talk(writer, "250-mail\r\n250 STARTTLS")
            await reader.readline()
            await talk(writer, "220 go")
        await asyncio.sleep(60)

    async with speaking(hang, host="127.0.0.2") as port:
        url = f"smtp://127.0.0.2:{port}" if greeting else f"smtps://127.0.0.2:{port}"
        mail = Mail(Settings(smtp_url=url, mail_from="care@help.example.org", send_limit=1))
        began = asyncio.get_running_loop().time()
        assert (await mail.send(message())).outcome == "temporary"
        assert asyncio.get_running_loop().time() - began < 4
    gc.collect()  # complains of a socket that was forgotten


async def test_nobody_there_is_temporary():
    assert await to(free_port()).send(message()) == Sent("temporary", detail="ConnectionRefusedError", reached=False)
    assert (await to(25, host="no-such-host.invalid").send(message())).outcome == "temporary"


async def test_a_server_that_refuses_us_is_our_fault_and_not_the_messages():
    async def closed(reader, writer):
        await talk(writer, "554 not from there")

    async with speaking(closed) as port:
        sent = await to(port).send(message())
        assert (sent.outcome, sent.code, sent.refused_us) == ("temporary", "554", True)


async def test_a_wrong_login_is_our_fault_and_a_password_may_hold_anything():
    said = []

    async def strict(reader, writer):
        await talk(writer, "220 here")
        await reader.readline()
        await talk(writer, "250-mail\r\n250 AUTH PLAIN")
        said.append(await reader.readline())
        await talk(writer, "535 wrong")

    async with speaking(strict) as port:
        sent = await to(port, login="care%40example.org:p%3Aa%2Fss@").send(message())
    assert (sent.outcome, sent.code, sent.refused_us) == ("temporary", "535", True)
    assert said == [b"AUTH PLAIN AGNhcmVAZXhhbXBsZS5vcmcAcDphL3Nz\r\n"]


@pytest.mark.parametrize("destination", ["", "ivan", "ivan@", "@example.org", "ivan@example.org\r\nBcc: all@example.org", "a@b.org, c@d.org"])
async def test_what_cannot_be_addressed_fails_alone_and_reaches_nobody(destination):
    async with mail_server() as post:
        assert await to(post.port).send(message(destination)) == Sent("permanent", detail="cannot be built")
        assert (await to(post.port).send(message())).outcome == "accepted"
        assert post.recipients == ["ivan@example.org"]


async def test_addresses_beyond_ascii_are_reached():
    async with mail_server() as post:
        for destination in ("ivan@приклад.укр", "іван@приклад.укр"):
            assert (await to(post.port).send(message(destination))).outcome == "accepted"
        assert post.recipients == ["ivan@xn--80aikifvh.xn--j1amh", "іван@xn--80aikifvh.xn--j1amh"]


async def test_a_server_without_utf8_refuses_such_an_address_for_good():
    async def old(reader, writer):
        await talk(writer, "220 here")
        await reader.readline()
        await talk(writer, "250 mail")
        await asyncio.sleep(10)

    async with speaking(old) as port:
        sent = await to(port).send(message("іван@example.org"))
        assert (sent.outcome, sent.refused_us) == ("permanent", False)


async def test_nothing_is_sent_inside_a_transaction(server):
    async with mail_server() as post, server.db.write():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await to(post.port).send(message())
        assert post.tried == 0


@pytest.fixture
def certificate(tmp_path):
    return certificate_in(tmp_path)


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_certificate_is_checked_before_a_word_is_said(certificate, monkeypatch, trusted):
    context, chain = certificate
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    async with mail_server(host="127.0.0.2", tls=context) as post:
        sent = await to(post.port, host="127.0.0.2").send(message())
        assert (sent.outcome, sent.refused_us) == (("accepted", False) if trusted else ("temporary", True))
        assert len(post.letters) == int(trusted)


async def test_nothing_goes_in_clear_to_another_machine():
    async with mail_server(host="127.0.0.2") as post:
        sent = await to(post.port, host="127.0.0.2").send(message())
        assert (sent.outcome, sent.refused_us, post.tried) == ("temporary", True, 0)


@pytest.mark.parametrize(
    ("speech", "fine"), [(polite_until_data, True), (lambda reader, writer: talk(writer, "554 not from there"), False)], ids=["good", "bad"]
)
async def test_the_check_sends_nothing_and_says_whether_it_would_work(speech, fine):
    async with speaking(speech) as port:
        with nullcontext() if fine else pytest.raises(SMTPException):
            await to(port).check(5)


@pytest.mark.parametrize("sender", ["", "Care line", "care@", "@example.org", "a b@example.org"])
def test_a_sender_that_would_spoil_every_message_does_not_start(sender, tmp_path):
    given = {"HOLDFAST_SMTP_URL": "smtp://127.0.0.1:25", "HOLDFAST_MAIL_FROM": sender}
    with pytest.raises(WrongSettings, match="HOLDFAST_MAIL_FROM"):
        from_environment(given, tmp_path / "none")


def test_long_lines_are_folded_as_mail_wants_them():
    wire, _ = to(25)._written(message(text="ї" * 3000 + "\n"))
    assert max(map(len, wire.split(b"\r\n"))) <= SMTP.max_line_length
