"""The watchdog: a process that looks whether alarms get out, and tells the operator by another way when they do not (alarm.md, section 15)."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from holdfast.clock import SECOND
from holdfast.db import Database, open_database
from holdfast.delivery.caps import Caps
from holdfast.exporter import Exporter
from holdfast.findings import Finding, look
from holdfast.log import log
from holdfast.metrics import Metrics
from holdfast.paging import PAGE_LIMIT, Page, ask, make_pager
from holdfast.pulse import BEATS, SILENT, STEP, Beat, Clocks, Moment, Pulse
from holdfast.settings import Settings

INTERVAL = 10.0  # seconds between looks
LOOK_LIMIT = 8.0  # seconds for one
AWAY = 15.0  # seconds without an answer of the database until it counts as lost: a restart takes less
QUIET = 30.0  # seconds without a finding until it counts as over
REPEAT = 900.0  # seconds until a finding that lasts is paged again
PING, PING_LIMIT = 30.0, 5.0  # seconds between feeds of the dead-man's switch, and for one
LOOKED = "watchdog"  # the file in the data folder whose age says when there was a look
ORPHAN = 1.0  # seconds between looks whether the server that started us lives


class Standing(Struct):
    """A finding that lasts; `paged_at` is None while the operator has not been reached."""

    finding: Finding
    seen_at: float
    paged_at: float | None = None


class Watchdog:
    def __init__(self, settings: Settings, moment: Moment) -> None:
        """Raises Refused when the way to the operator is no way."""
        self._settings, self._pager, self._caps = settings, make_pager(settings), Caps.of(settings)
        self._pulse, self.clocks = Pulse(moment), Clocks(moment)
        self.db: Database | None = None
        self._standing: dict[str, Standing] = {}
        self._away_since: float | None = None
        self._pinged_at = moment.at - PING
        self.pages: dict[str, int] = {}
        self._metrics = Metrics()

    async def run(self, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            began = Moment.now()
            try:
                await self.round(began)
            except Exception as error:
                _say(log.error, "bug", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + INTERVAL - (time.monotonic() - began.at)):
                    await stopped.wait()

    async def round(self, moment: Moment) -> None:
        """One look, and whatever has to be said after it."""
        found = await self._look(moment)
        if found is None:
            found = self._without_database(moment)
        else:
            self._away_since = None
        for finding in found:
            standing = self._standing.setdefault(finding.name, Standing(finding, moment.at))
            standing.finding, standing.seen_at = finding, moment.at
        await self._tell(moment.at)
        with contextlib.suppress(OSError):  # no folder, no disk: neither stops the watch
            (self._settings.data_dir / LOOKED).touch()
        if self._is_well() and moment.at - self._pinged_at >= PING - 1:
            await self._ping(moment.at)

    async def figures(self) -> str:
        """For Prometheus. Raises what the database raises."""
        async with (await self.opened()).read() as tx:
            return await self._metrics.text(tx, pages=self.pages, stepped=self.clocks.stepped)

    async def close(self) -> None:
        if self.db:
            await self.db.close()

    async def _look(self, moment: Moment) -> list[Finding] | None:
        """None when the database does not answer in time."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(LOOK_LIMIT), (await self.opened()).read() as tx:
                base = await tx.value("select holdfast_now()")
                slack = time.monotonic() - began
                beats = await tx.all(BEATS, Beat)
                found = await look(tx, self._caps)
        except Exception as error:  # each engine has its own dozen
            _say(log.warning, "watchdog_sees_nothing", exc_info=error)
            return None
        beat = self._pulse.listen(moment, beats)
        if self._away_since is not None:
            self._pulse.heard(moment)
        clock = self.clocks.compare(moment, self._set(base, beat), slack, apart=self._settings.postgres)
        return [*found, *filter(None, (clock, self._pulse.finding(moment)))]

    async def opened(self) -> Database:
        """Never makes one: an empty database has no alarms, and nothing to complain about."""
        if self.db is None:
            if not self._settings.postgres and not (self._settings.data_dir / "holdfast.sqlite3").exists():
                raise FileNotFoundError
            self.db = await open_database(self._settings)
        return self.db

    def _set(self, base: int, beat: int | None) -> int:
        """SQLite's time is each process's own, from the wall at its start: after a step of the wall ours must follow the worker's. The time now."""
        clock = getattr(self.db, "clock", None)
        if clock is None or beat is None or -STEP < (base - beat) / SECOND < SILENT + INTERVAL:
            return base
        clock.turn(beat - base)
        return beat

    def _without_database(self, moment: Moment) -> list[Finding]:
        """What stood goes on standing: nobody knows better."""
        if self._away_since is None:
            self._away_since = moment.at
        known = [standing.finding for standing in self._standing.values()]
        away = moment.at - self._away_since
        return [*known, Finding("database_away", f"The database has not answered for {away:.0f} s.")] if away >= AWAY else known

    def _is_well(self) -> bool:
        return self._away_since is None and all(standing.finding.warning for standing in self._standing.values())

    async def _tell(self, at: float) -> None:
        due = [standing for standing in self._standing.values() if _is_due(standing, at)]
        over = [standing for standing in self._standing.values() if at - standing.seen_at >= QUIET]
        resolved = [standing for standing in over if standing.paged_at is not None and not standing.finding.warning]
        for standing in due:
            _say(log.error, "watchdog_finding", reason=standing.finding.name, count=standing.finding.count)
        if (due or resolved) and not await self._page([each.finding for each in due], [each.finding for each in resolved]):
            return  # it is tried again after the next look
        for standing in due:
            standing.paged_at = at
        for standing in over:
            _say(log.info, "watchdog_resolved", reason=standing.finding.name)
            del self._standing[standing.finding.name]

    async def _page(self, findings: Sequence[Finding], resolved: Sequence[Finding]) -> bool:
        if self._pager is None:
            return True
        try:
            async with asyncio.timeout(PAGE_LIMIT):
                await self._pager.page(_written(self._settings.address, findings, resolved))
        except Exception as error:
            _say(log.error, "page_failed", exc_info=error)
            return False
        for finding in findings:
            self.pages[finding.name] = self.pages.get(finding.name, 0) + 1
        return True

    async def _ping(self, at: float) -> None:
        if not self._settings.deadman_url:
            return
        try:
            async with asyncio.timeout(PING_LIMIT):
                status = await ask("GET", self._settings.deadman_url)
        except Exception as error:
            _say(log.warning, "deadman_failed", exc_info=error)
            return
        if 200 <= status < 300:
            self._pinged_at = at
        else:
            _say(log.warning, "deadman_failed", status=status)


def run(settings: Settings, beside: int | None) -> None:
    """Returns after SIGTERM or SIGINT, and when the process `beside`, which started it, is gone. Raises Refused."""
    asyncio.run(_watch(settings, beside))


async def _watch(settings: Settings, beside: int | None) -> None:
    stopped = asyncio.Event()
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, stopped.set)
    watchdog = Watchdog(settings, Moment.now())
    tasks = [asyncio.create_task(_end_with(beside, stopped))] if beside else []
    exporter = await Exporter(watchdog.figures).start(settings.metrics_port) if settings.metrics_port else None
    try:
        await watchdog.run(stopped)
    finally:
        if exporter:
            exporter.close()
        for task in tasks:
            task.cancel()
        await watchdog.close()


async def _end_with(beside: int, stopped: asyncio.Event) -> None:
    """Whoever is killed cannot say goodbye: his children are given to another."""
    while os.getppid() == beside:  # noqa: ASYNC110 - nobody is left to set an event
        await asyncio.sleep(ORPHAN)
    stopped.set()


def _say(write: Callable[..., None], event: str, **said: object) -> None:
    """Whoever reads the log may be gone; the page goes out all the same."""
    with contextlib.suppress(OSError, ValueError):
        write(event, **said)


def _is_due(standing: Standing, at: float) -> bool:
    if standing.paged_at is None:
        return at == standing.seen_at
    return at == standing.seen_at and not standing.finding.warning and at - standing.paged_at >= REPEAT


def _written(address: str, findings: Sequence[Finding], resolved: Sequence[Finding]) -> Page:
    names = [finding.name for finding in findings] or ["resolved: " + ", ".join(finding.name for finding in resolved)]
    lines = [f"- {finding.name}: {finding.line}" for finding in findings] + [f"- resolved: {finding.name}" for finding in resolved]
    return Page(
        f"Holdfast at {address}: {', '.join(names)}", "\n".join(lines) + "\n", [each.name for each in findings], [each.name for each in resolved]
    )
