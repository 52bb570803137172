"""Real processes of the real program, and what a real SIGKILL does to them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from calling import FROM, until
from mailserver import MailServer, free_port

from holdfast.settings import Settings

ROOT = Path(__file__).parent.parent.parent


class Process:
    """One `holdfast` command, started as an operator would; `more` are settings, as LEASE="3"."""

    def __init__(self, settings: Settings, post: MailServer | None, *command: str, **more: str) -> None:
        given = {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url, "SMTP_URL": post.url if post else "", "MAIL_FROM": FROM}
        given |= {"SMS_FROM": "+15005550006"} | more
        self.command = command
        self._environment = {**os.environ, **{f"HOLDFAST_{name}": value for name, value in given.items()}, "PYTHONPATH": str(ROOT)}
        self._folder = settings.data_dir if not settings.postgres else ROOT / "tests"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "holdfast",
            *self.command,
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def id(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self._process.terminate()
        return await self._process.wait()


class ServerProcess(Process):
    """`holdfast serve`, and maya's device at it."""

    def __init__(self, settings: Settings, post: MailServer | None, token: str, **more: str) -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        super().__init__(settings, post, "serve", "--no-watchdog", "--port", self.address.rpartition(":")[2], **more)
        self._headers = {"Authorization": f"Token {token}"}

    async def start(self) -> None:
        await super().start()
        self.maya = httpx2.AsyncClient(base_url=f"{self.address}/api/v1", headers=self._headers, timeout=10)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    if (await self.maya.get(f"{self.address}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        await super().kill()
        await self.maya.aclose()

    async def stop(self) -> int:
        await self.maya.aclose()
        return await super().stop()

    async def press(self, method: str = "POST") -> httpx2.Response:
        return await self.maya.request(method, "/event/trigger/me/")

    async def trusts(self, *people: dict[str, str]) -> None:
        for person in people:
            assert (await self.maya.patch("/user/edit/contact/me/", json=person)).status_code == 201

    async def becomes(self, state: str, problem: str | None = None, *, alarm: int = 1, seconds: float = 60) -> None:
        """Waits for the state of the only delivery to the only person. Raises TimeoutError."""

        async def there() -> bool:
            seen = (await self.maya.get(f"/event/{alarm}/")).json()["helpers"][0]["channels"][0]
            return bool((seen["state"], seen["problem"]) == (state, problem))

        await until(there, seconds)


@asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    """Whatever happens in the block, nothing is left running."""
    try:
        for process in processes:
            await process.start()
        yield
    finally:
        for process in processes:
            await process.kill()
