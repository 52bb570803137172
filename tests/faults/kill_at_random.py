"""SIGKILL at random moments while thousands of messages go out: none is lost, and a second copy is the first one again (row 5).

    python tests/faults/kill_at_random.py                                 each engine that is there: 200 kills, 4,000 messages
    python tests/faults/kill_at_random.py --engine sqlite --kills 20 --messages 300

A server and a worker send; one of the two is killed and started again, some 0.3 s after the kill before and not before something was begun since.
People press all the while, as many after each kill, again and again until they are answered with 200. Providers take up to 0.4 s for an answer.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import httpx2  # noqa: E402
from books import ask, value  # noqa: E402
from calling import until  # noqa: E402
from crowd import Caller, crowd  # noqa: E402
from mailserver import MailServer, free_port, listening  # noqa: E402
from processes import Process, ServerProcess, running  # noqa: E402
from webserver import Request, providing, taken  # noqa: E402

from holdfast.settings import Settings  # noqa: E402

EACH = 6  # messages of an alarm: three people, two channels
SLOWEST = 0.2  # seconds that a provider thinks before it has taken a message, and once more before it says so, at most
PRESSERS = 4
APART = (0.1, 0.5)  # seconds between kills
STUCK = 20.0  # seconds without anything begun, after which it is killed all the same

chance = Random()  # noqa: S311 - no secret

ONE_STEP = {"name": "Full alarm", "level": 2, "music": False, "steps": [{"wait": 0, "tell": ["contacts"], "text": "alarm"}]}

ROWS = """
    select d.ref, d.state, d.attempt,
           (select count(*) from delivery_attempt a where a.delivery_id = d.id and a.outcome = 'lease_lost') as lost,
           (select count(*) from delivery_attempt a where a.delivery_id = d.id and a.outcome in ('ambiguous', 'temporary')) as unsure
      from delivery d"""


class Outcome(NamedTuple):
    kills: int
    seconds: float  # that the kills took
    rows: int
    lost: int  # messages that never arrived, or of which nobody knows that they did
    copies: int  # second and further ones
    strange: int  # copies without a worker that died with the message, or that nobody ordered
    leases_lost: int
    unanswered: int  # people whose press was never answered with 200
    attempts: int
    settled_after: float  # seconds after the last kill

    @property
    def good(self) -> bool:
        return not (self.lost or self.strange or self.unanswered)

    def __str__(self) -> str:
        return (
            f"{self.kills} SIGKILLs in {self.seconds:.0f} s, {self.rows} messages, {self.attempts} attempts: lost {self.lost}; "
            f"second copies {self.copies}, of these without a lost lease {self.strange}; leases lost {self.leases_lost}; "
            f"presses never answered {self.unanswered}; all settled {self.settled_after:.0f} s after the last kill"
        )


class Post(MailServer):
    """Answers neither at once nor always as late."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.refs: Counter[str] = Counter()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        head = (envelope.content or b"").partition(b"\r\n\r\n")[0].decode()
        ref = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("x-entity-ref-id"))
        assert f"<{ref}@example.org>" in head.replace("\r\n ", " ")  # the Message-ID is made of it, so one ref is one Message-ID
        await asyncio.sleep(chance.uniform(0, SLOWEST))
        self.refs[ref] += 1
        await asyncio.sleep(chance.uniform(0, SLOWEST))
        return "250 OK"


async def run(settings: Settings, *, kills: int, messages: int, **more: str) -> Outcome:
    """`more` are settings of the processes."""
    await ask(settings, f"update scenario set definition = '{json.dumps(ONE_STEP)}' where id = 1")
    callers = await crowd(settings, messages // EACH)
    sms: Counter[str] = Counter()

    async def text(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(chance.uniform(0, SLOWEST))
        sms[request.headers["idempotency-key"]] += 1
        await asyncio.sleep(chance.uniform(0, SLOWEST))
        await taken(request, writer)

    post = Post(free_port())
    async with listening(post), providing(text) as provider:
        given = {"SMS_URL": provider.url, "LOG_LEVEL": "error"} | more
        serve = ServerProcess(settings, post, callers[0].token, **given)
        worker = Process(settings, post, "worker", **given)
        async with running(serve, worker):
            turns = asyncio.Semaphore(len(callers) // 10)  # who may press
            pressing = asyncio.create_task(press(serve, callers, turns))
            began = time.monotonic()
            for _ in range(kills):
                await kill_one(settings, chance.choice([serve, worker]))
                for _ in range(-(-len(callers) // kills)):
                    turns.release()
            over = time.monotonic()
            unanswered = await pressing
            with contextlib.suppress(TimeoutError):
                await until(lambda: _settled(settings), 240)
            settled = time.monotonic() - over
        copies = post.refs + sms
    return judged(await ask(settings, ROWS), copies, kills=kills, seconds=over - began, unanswered=unanswered, settled_after=settled)


def judged(rows: list[tuple[Any, ...]], copies: Counter[str], **more: Any) -> Outcome:
    lost = strange = leases = attempts = 0
    for ref, state, attempt, gone, unsure in rows:
        lost += state not in ("accepted", "delivered") or not copies[ref]
        strange += max(0, copies[ref] - 1 - gone - unsure)
        leases += gone
        attempts += attempt
    strange += sum((copies - Counter({row[0]: copies[row[0]] for row in rows})).values())
    again = sum(count - 1 for count in copies.values() if count)
    return Outcome(rows=len(rows), lost=lost, copies=again, strange=strange, leases_lost=leases, attempts=attempts, **more)


async def kill_one(settings: Settings, victim: Process) -> None:
    before = await value(settings, "select max(id) from delivery_attempt") or 0
    await asyncio.sleep(chance.uniform(*APART))
    with contextlib.suppress(TimeoutError):
        await until(lambda: value(settings, f"select 1 from delivery_attempt where id > {before} limit 1"), STUCK)
    await Process.kill(victim)
    await Process.start(victim)


async def press(serve: ServerProcess, callers: list[Caller], turns: asyncio.Semaphore) -> int:
    """Everybody presses until it is answered with 200. How many never were."""
    waiting, unanswered = list(callers), 0

    async def one() -> None:
        nonlocal unanswered
        async with httpx2.AsyncClient(timeout=10) as client:
            while waiting:
                caller = waiting.pop()
                await turns.acquire()
                unanswered += not await _press_until_it_works(client, serve.address, caller)

    await asyncio.gather(*(one() for _ in range(PRESSERS)))
    return unanswered


async def _press_until_it_works(client: httpx2.AsyncClient, address: str, caller: Caller) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(120):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    headers = {"Authorization": f"Token {caller.token}"}
                    if (await client.post(f"{address}/api/v1/event/trigger/me/", headers=headers)).status_code == 200:
                        return True
                await asyncio.sleep(0.05)
    return False


async def _settled(settings: Settings) -> bool:
    return not await value(settings, "select 1 from delivery where state in ('pending', 'leased') limit 1")


async def main() -> int:
    from conftest import NAME, PG, POSTGRES, administer, populate

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--engine", nargs="+", choices=["sqlite", "postgres"], default=["sqlite", "postgres"] if POSTGRES else ["sqlite"])
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--messages", type=int, default=4000)
    options.add_argument("--lease", default="30", help="seconds; below 22 the limit of a send is shortened too")
    given = options.parse_args()
    more = {} if int(given.lease) > 21 else {"LEASE": given.lease, "SEND_LIMIT": str(int(given.lease) - 2)}
    good = True
    for engine in given.engine:
        folder = Path(tempfile.mkdtemp(prefix="holdfast-kill-"))
        try:
            if engine == "postgres":
                await administer("postgres", f"create database {NAME}")
            settings = Settings(data_dir=folder, database_url=PG + NAME if engine == "postgres" else "")
            await populate(settings)
            outcome = await run(settings, kills=given.kills, messages=given.messages, **more)
            print(f"{'ok' if outcome.good else 'FAILED'}: {engine}: {outcome}", flush=True)
            good = good and outcome.good
        finally:
            if engine == "postgres":
                await administer("postgres", f"drop database if exists {NAME} with (force)")
            shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
