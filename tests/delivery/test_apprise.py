"""The long tail, by the real Apprise against a real web service: true, false, and killed."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest
from mailserver import free_port
from webserver import answer, providing

from holdfast.outside import apprise
from holdfast.outside.apprise import Apprise
from holdfast.outside.sending import Message
from holdfast.settings import Settings

pytest.importorskip("apprise")


def message(destination="ivan"):
    return Message("0" * 32, destination, "Automatic safety message", "Please call.\nA & B \\n Ref 1042-0", 0)


def to(port, limit=20, more=""):
    return Apprise(f"json://127.0.0.1:{port}/{{to}}{more}", Settings(send_limit=limit))


def children():
    """Processes that this one started and that still run."""
    listed = Path(f"/proc/{os.getpid()}/task")
    return [pid for task in listed.iterdir() for pid in (task / "children").read_text().split()] if listed.exists() else []


async def test_true_is_accepted_and_the_text_is_as_it_was():
    async with providing(answer(200)) as provider:
        sent = await to(provider.port).send(message("a/b?c=ї"))
    assert sent.outcome == "accepted"
    (asked,) = provider.asked
    assert asked.line.startswith("POST /a%2Fb%3Fc") and "?" not in asked.line  # what a person is called is no part of the address's grammar
    said = json.loads(asked.body)
    assert (said["title"], said["message"]) == ("Automatic safety message", "Please call.\nA & B \\n Ref 1042-0")


async def test_false_is_temporary_and_only_we_repeat():
    async with providing(answer(500)) as provider:
        assert (await to(provider.port, more="?retry=3").send(message())).outcome == "temporary"
    assert len(provider.asked) == 1
    assert (await to(free_port()).send(message())).outcome == "temporary"


async def test_what_has_no_end_is_killed_and_leaves_doubt_and_no_process():
    before = children()
    async with providing(lambda request, writer: asyncio.sleep(60)) as provider:
        sending = asyncio.create_task(to(provider.port, limit=6).send(message()))
        began = time.monotonic()
        sent = await sending
        assert (sent.outcome, sent.code) == ("ambiguous", "killed")
        assert time.monotonic() - began < 12
    assert children() == before


async def test_who_stops_waiting_leaves_no_process():
    before = children()
    async with providing(lambda request, writer: asyncio.sleep(60)) as provider:
        sending = asyncio.create_task(to(provider.port).send(message()))
        async with asyncio.timeout(30):
            while not provider.asked:  # noqa: ASYNC110 - it is asked by another process
                await asyncio.sleep(0.02)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert children() == before


async def test_an_address_that_apprise_does_not_know_is_our_affair():
    sent = await Apprise("nonsense://{to}", Settings()).send(message())
    assert (sent.outcome, sent.reached, sent.refused_us) == ("temporary", False, True)


async def test_a_child_that_falls_over_before_it_begins_leaves_no_doubt(monkeypatch):
    monkeypatch.setattr(apprise, "CHILD", [sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(1)"])
    assert (await to(1).send(message())).outcome == "temporary"


def test_the_channels_are_read_from_the_settings():
    settings = Settings(apprise_channels=("ntfy=ntfys://ntfy.example.org/{to}?x=y", " push = pover://key@token/{to}", "broken", "=x", "y="))
    assert apprise.channels(settings) == {"ntfy": "ntfys://ntfy.example.org/{to}?x=y", "push": "pover://key@token/{to}"}


def test_the_serving_process_never_imports_apprise():
    import subprocess

    code = "import sys, holdfast.app; assert 'apprise' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent.parent)
