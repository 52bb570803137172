"""The long tail of channels, by Apprise: a process of its own for each message, because a process can be killed and a thread cannot."""

import asyncio
import contextlib
import sys
from pathlib import Path
from urllib.parse import quote

import msgspec

from holdfast.db import refuse_inside_transaction
from holdfast.outside import apprise_child as child
from holdfast.outside.sending import Message, Sent
from holdfast.settings import Settings

CHILD = [sys.executable, "-I", str(Path(child.__file__).resolve())]  # alone: neither our modules nor our settings are there
TO = "{to}"


class Apprise:
    """One channel: `template` is its Apprise address, with {to} for the person's."""

    def __init__(self, template: str, settings: Settings) -> None:
        self._template, self._limit = template, settings.send_limit

    async def send(self, message: Message) -> Sent:
        refuse_inside_transaction()
        url = self._template.replace(TO, quote(message.destination, safe=""))
        task = msgspec.json.encode({"url": url, "title": message.subject, "body": message.text, "limit": self._limit})
        process = await asyncio.create_subprocess_exec(
            *CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={}
        )
        try:
            async with asyncio.timeout(self._limit):
                said, _ = await process.communicate(task)
                return _judged(process.returncode, said)
        except TimeoutError:
            return Sent("ambiguous", "killed", "no end in time")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


def channels(settings: Settings) -> dict[str, str]:
    """Name and template of each channel in HOLDFAST_APPRISE_CHANNELS."""
    named = (entry.partition("=") for entry in settings.apprise_channels)
    return {name.strip(): template.strip() for name, _, template in named if name.strip() and template.strip()}


def _judged(status: int | None, said: bytes) -> Sent:
    match status:
        case child.TRUE:
            return Sent("accepted", "true")
        case child.FALSE:
            return Sent("temporary", "false")
        case child.UNUSABLE | child.MISSING:
            reason = "Apprise is not installed" if status == child.MISSING else "Apprise does not understand the address"
            return Sent("temporary", str(status), reason, reached=False, refused_us=True)
    return Sent("ambiguous" if child.BEGUN in said else "temporary", str(status), "ended without an answer")
