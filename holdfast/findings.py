"""What can be wrong with the alarms of this server, each found by a look that costs no more on a bad day than on a good one."""

from msgspec import Struct

from holdfast.clock import MINUTE, SECOND
from holdfast.db import Tx
from holdfast.delivery import caps
from holdfast.delivery.caps import Caps

MOST = 100  # alarms that one look names
SHOWN = 20  # of these in a page
STEPS = (50, 80, 100)  # per cent of the money for a day

# No statement is ordered: an order by id would lead SQLite through all alarms there ever were, instead of the index of the live ones.
NOTHING_ACCEPTED = """
    select id from alarm
     where state in ('grace', 'open') and not drill and coalesce(grace_ends_at, created_at) <= (select holdfast_now()) - cast(:late as bigint)
       and not exists (select 1 from delivery where alarm_id = alarm.id and state in ('accepted', 'delivered'))
     limit :most"""

# What a cap holds back has not failed, and a person whose next channel is about to be started is not lost yet.
NOBODY_TOLD = """
    select id from alarm
     where state in ('grace', 'open')
       and exists (select 1 from delivery where alarm_id = alarm.id and state = 'failed' and coalesce(error_class, '') <> 'capped')
       and not exists (select 1 from delivery where alarm_id = alarm.id and state in ('pending', 'leased', 'accepted', 'delivered'))
       and not exists (select 1 from alarm_helper where alarm_id = alarm.id and next_channel_at is not null)
     limit :most"""

STEP_OVERDUE = """
    select id from alarm where state <> 'closed' and next_step_at <= (select holdfast_now()) - cast(:late as bigint)
    union
    select id from alarm where state <> 'closed' and expires_at <= (select holdfast_now()) - cast(:late as bigint)
    limit :most"""

UNANSWERED = """
    select id from alarm
     where state = 'closed' and closed_at > (select holdfast_now()) - cast(:recent as bigint) and close_reason = 'expired' and not drill
       and not exists (select 1 from alarm_helper where alarm_id = alarm.id and answer in ('calling', 'coming'))
     limit :most"""

WAITING = """
    select count(*) as count, coalesce((holdfast_now() - min(next_at)) / 1000000, 0) as seconds
      from delivery
     where state in ('pending', 'leased') and next_at <= (select holdfast_now()) - cast(:late as bigint)
       and deadline_at > (select holdfast_now())"""

# Our login or address is at fault, and no retry helps.
REFUSED_US = "select count(*) from delivery where state in ('pending', 'leased') and state = 'pending' and error_class = 'configuration'"

LOST_OFTEN = """
    select count(*)
      from delivery d
     where d.state in ('pending', 'leased') and d.attempt >= :often
       and (select count(*) from delivery_attempt where delivery_id = d.id and outcome = 'lease_lost') >= :often"""


class Finding(Struct, frozen=True):
    """`name` is its code in logs and metrics. A `warning` is paged once and does not keep the dead-man's switch from being fed."""

    name: str
    line: str
    count: int = 1
    warning: bool = False


class _Id(Struct):
    id: int


class _Waiting(Struct):
    count: int
    seconds: int


async def look(tx: Tx, money: Caps) -> list[Finding]:
    """What the rows say, for people who are asleep: short sentences with counts and alarm ids."""
    found = [
        _alarms("nothing_accepted", "No provider has taken anything for 60 s", await tx.all(NOTHING_ACCEPTED, _Id, late=MINUTE, most=MOST)),
        _alarms("nobody_told", "Every message has failed", await tx.all(NOBODY_TOLD, _Id, most=MOST)),
        _alarms("step_overdue", "The next step is late by over 30 s", await tx.all(STEP_OVERDUE, _Id, late=30 * SECOND, most=MOST)),
        _alarms("unanswered", "Ended without an answer of anybody", await tx.all(UNANSWERED, _Id, recent=10 * MINUTE, most=MOST)),
        await _waiting(tx),
        _messages("provider_refuses_us", "not taken because a provider refuses our login or address", await tx.value(REFUSED_US)),
        _messages("lease_lost", "lost five times with the worker that held them", await tx.value(LOST_OFTEN, often=5)),
        await _money(tx, money),
    ]
    return [finding for finding in found if finding]


def _alarms(name: str, what: str, rows: list[_Id]) -> Finding | None:
    if not rows:
        return None
    ids = sorted(row.id for row in rows)
    shown = ", ".join(map(str, ids[:SHOWN])) + (" ..." if len(ids) > SHOWN else "")
    return Finding(name, f"{what}: {_counted(len(ids), 'alarm')} ({shown}).", len(ids))


async def _waiting(tx: Tx) -> Finding | None:
    waiting = await tx.one(WAITING, _Waiting, late=10 * SECOND)
    if waiting is None or not waiting.count:
        return None
    return Finding("delivery_overdue", f"Nobody sends what is due: {_counted(waiting.count, 'message')}, for {waiting.seconds} s.", waiting.count)


def _messages(name: str, what: str, count: int) -> Finding | None:
    return Finding(name, f"{_counted(count, 'message')} {what}.", count) if count else None


async def _money(tx: Tx, money: Caps) -> Finding | None:
    """Each step is news of its own. Only the last one, when there is none left for one more SMS, keeps anybody from being told."""
    if not money.money_day or not money.price:
        return None
    spent = await caps.spent(tx, money)
    share = 100.0 if spent + money.price > money.money_day else 100 * spent / money.money_day
    reached = max((step for step in STEPS if share >= step), default=0)
    return Finding(f"money_{reached}", f"{reached} % of the money for SMS of a day is used.", warning=reached < 100) if reached else None


def _counted(count: int, what: str) -> str:
    return f"{count}{' or more' if count == MOST and what == 'alarm' else ''} {what}{'' if count == 1 else 's'}"
