"""`holdfast doctor` and `holdfast worker` as an operator runs them."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from calling import FROM
from mailserver import mail_server, speaking
from msgspec import structs

from holdfast.db import open_database
from holdfast.doctor import examine
from holdfast.settings import Settings

ROOT = Path(__file__).parent.parent


async def run(folder: Path, command: str, **given: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{f"HOLDFAST_{name}": value for name, value in given.items()}}
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return await done.wait(), (await done.stdout.read()).decode()


def told(settings: Settings, url: str = "") -> dict[str, str]:
    given = {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url, "SMTP_URL": url, "MAIL_FROM": FROM}
    return {name: value for name, value in given.items() if value}


EVERYTHING = {
    "SMS_URL": "https://me:secret@sms.example.org/Messages.json",
    "SMS_FROM": "+4915112345678",
    "OPERATOR_PAGE_URL": "https://pager.example.org/me",
    "DEADMAN_URL": "https://alive.example.org/me",
    "LINK_KEYS": "one,two",
}
LINES = ["database", "music", "scenario", "staff", "worker", "mail", "sms", "links", "operator", "deadman", "watchdog", "model"]


async def test_with_everything_there_the_doctor_is_content(fresh, tmp_path):
    settings = structs.replace(fresh.settings, data_dir=tmp_path)
    db = await open_database(settings)
    async with db.write() as tx:
        await tx.run("insert into heartbeat (worker, at) values ('w', holdfast_now())")
    await db.close()
    (tmp_path / "watchdog").touch()
    async with mail_server() as post:
        status, said = await run(tmp_path, "doctor", **told(settings, post.url), **EVERYTHING)
        assert post.tried == 0
    assert status == 0, said
    assert [line.split()[:2] for line in said.splitlines()] == [["ok", what] for what in LINES]
    assert "1 on call, which is all staff." in said
    assert "secret" not in said


async def test_what_an_operator_will_miss_is_advised_and_is_no_failure(fresh, tmp_path):
    async with mail_server() as post:
        status, said = await run(tmp_path, "doctor", **told(fresh.settings, post.url), CAP_MONEY_DAY="5")
    assert status == 0, said
    advised = {line.split()[1] for line in said.splitlines() if line.startswith("advice")}
    assert advised == {"worker", "sms", "operator", "deadman", "watchdog"} | ({"links"} if fresh.settings.postgres else set())


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"SENDERS": "sandbox"}, "MISSING  mail      HOLDFAST_SENDERS=sandbox: every message is stored and none is sent. Nobody can be told."),
        ({"ON_CALL": "olive:+49151,maya"}, "MISSING  staff     1 of the 2 in HOLDFAST_ON_CALL are no staff who can sign in."),
        ({"OPERATOR_PAGE_URL": "smtp://127.0.0.1"}, "MISSING  operator  HOLDFAST_OPERATOR_PAGE_URL must look like"),
    ],
)
async def test_what_leads_nowhere_is_missing(fresh, tmp_path, given, line):
    async with mail_server() as post:
        status, said = await run(tmp_path, "doctor", **told(fresh.settings, post.url), **given)
    assert status == 1
    assert line in said


async def test_without_a_mail_server_the_doctor_says_so_and_fails(fresh, tmp_path):
    status, said = await run(tmp_path, "doctor", **told(fresh.settings))
    assert status == 1
    assert "MISSING  mail      No mail server is set up: alarms are recorded, but nobody can be told." in said


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_mail_server_that_refuses_us_is_named_without_its_password(fresh, tmp_path):
    async def refusing(reader, writer):
        writer.write(b"554 not from there\r\n")
        await writer.drain()

    async with speaking(refusing) as port:
        status, said = await run(tmp_path, "doctor", **told(fresh.settings, f"smtp://care:hush@127.0.0.1:{port}"))
    assert status == 1
    assert "does not take us: SMTPConnectResponseError 554." in said
    assert "hush" not in said


async def test_an_empty_folder_has_no_database_and_gets_none(tmp_path):
    findings = {finding.what: finding for finding in await examine(Settings(data_dir=tmp_path))}
    assert findings["database"].needed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", ["delete from music_track", "update music_track set file = 'lost.mp3' where id = 1"])
async def test_a_lost_track_is_found(server, statement):
    async with server.db.write() as tx:
        await tx.run(statement)
    findings = {finding.what: finding.needed for finding in await examine(server.app.state.settings)}
    assert findings["music"]


async def test_a_worker_refuses_a_database_that_is_not_ready(tmp_path):
    status, said = await run(tmp_path, "worker", DATA_DIR=str(tmp_path / "var"))
    assert status == 78
    assert "is not at version" in said
