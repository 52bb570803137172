"""The outbox: what must reach somebody, recorded with what caused it, and handed to one worker at a time."""

import functools
import hashlib
import random
import secrets
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from holdfast.clock import SECOND
from holdfast.db import Sql, Tx
from holdfast.delivery.schemas import PRIORITY, Leased, NewDelivery, Standing
from holdfast.log import log
from holdfast.outside.sending import FAILED_RANK, Sent

LEASE = 30 * SECOND  # longer than any send may take, so that it is never renewed: `settings.lease` and `settings.send_limit`
BACKOFF = (2, 5, 10, 20, 40, 60)  # seconds before the second, third ... attempt; the last one repeats. The first goes at once
SPREAD = 0.2  # of the backoff, either way: what failed together must not come back together
LONGEST_OBEYED = 300  # seconds that a provider may ask us to wait
MOST_AMBIGUOUS = 3  # copies; a server that drops the line after DATA would otherwise collect 120 of them

_NEW = """ref, dedup_key, alarm_id, alarm_helper_id, contact_channel_id, kind, step, channel, destination, body, priority, segments,
           deadline_at"""


def _add(rows: str) -> str:
    """All in one statement: an alarm adds one for each person and channel."""
    return f"""
    insert into delivery ({_NEW}, longest_wait, provider, state, error_class, next_at, created_at)
    select {_NEW}, wait, cap, case when cap is null then 'pending' else 'failed' end, case when cap is null then null else 'capped' end,
           holdfast_now() + wait, holdfast_now()
      from {rows}
     where true
    on conflict (dedup_key) do nothing
    returning dedup_key"""  # noqa: S608 - constants


ADD = Sql(
    sqlite=_add(
        """(select json_extract(value, '$.ref') as ref, json_extract(value, '$.dedup_key') as dedup_key,
                   json_extract(value, '$.alarm_id') as alarm_id, json_extract(value, '$.alarm_helper_id') as alarm_helper_id,
                   json_extract(value, '$.contact_channel_id') as contact_channel_id, json_extract(value, '$.kind') as kind,
                   json_extract(value, '$.step') as step, json_extract(value, '$.channel') as channel,
                   json_extract(value, '$.destination') as destination, json_extract(value, '$.body') as body,
                   json_extract(value, '$.priority') as priority, json_extract(value, '$.segments') as segments,
                   json_extract(value, '$.deadline_at') as deadline_at, json_extract(value, '$.wait') as wait, json_extract(value, '$.cap') as cap
              from json_each(:rows))"""
    ),
    postgres=_add(
        """json_to_recordset(cast(:rows as json)) as row (ref text, dedup_key text, alarm_id bigint, alarm_helper_id bigint,
               contact_channel_id bigint, kind text, step integer, channel text, destination text, body text, priority integer,
               segments integer, deadline_at bigint, wait bigint, cap text)"""
    ),
)


def _of_free_rows(change: str, condition: str) -> Sql:
    """Passes over rows that another holds: two that change many rows in different orders would stop each other."""
    update = f"update delivery set {change} where id in (select id from delivery where {condition}"  # noqa: S608 - constants
    return Sql(sqlite=update + ")", postgres=update + " for update skip locked)")


# `next_at` says when it is due, or when its lease ends: a lease that ran out is found by the same search, so there is no sweeper.
DUE = """channel = :channel and state in ('pending', 'leased')
           and next_at <= (select holdfast_now()) and deadline_at > (select holdfast_now())"""

LOOK = f"select 1 from delivery where {DUE} limit 1"  # noqa: S608 - constants

_LEASE = """state = 'leased', lease_owner = :worker, fence = fence + 1, attempt = attempt + 1,
           next_at = holdfast_now() + cast(:lease as bigint), longest_wait = cast(:lease as bigint)"""
_TAKEN = "delivery.id, ref, channel, destination, body, attempt, ambiguous, fence, alarm_id, kind, created_at"

# A claim locks no alarm; everybody else locks the alarm first and then its deliveries.
CLAIM = Sql(
    sqlite=f"""
    update delivery set {_LEASE}
     where id in (select id from delivery where {DUE} order by priority desc, next_at limit :free)
    returning {_TAKEN}""",  # noqa: S608 - constants
    postgres=f"""
    with due as (select id from delivery where {DUE} order by priority desc, next_at limit :free for update skip locked)
    update delivery set {_LEASE} from due where delivery.id = due.id
    returning {_TAKEN}""",  # noqa: S608 - constants
)

LOSE = "update delivery_attempt set outcome = 'lease_lost', finished_at = holdfast_now() where delivery_id = :id and outcome is null"

BEGIN = """
    insert into delivery_attempt (delivery_id, n, fence, worker, started_at) values (:id, :attempt, :fence, :worker, holdfast_now())"""

# A receipt may come before our own finish: one that says "failed" of this very copy has the last word.
_FAILED_SINCE = "(:state = 'accepted' and provider_rank = :failed and provider_msg_id = cast(:message as text))"

FINISH = f"""
    update delivery
       set state = case when {_FAILED_SINCE} then 'failed' else :state end,
           error_class = case when {_FAILED_SINCE} then 'undelivered' else :error_class end,
           ambiguous = ambiguous + :doubt, next_at = holdfast_now() + cast(:wait as bigint), longest_wait = cast(:wait as bigint),
           accepted_at = case when :state = 'accepted' then holdfast_now() else accepted_at end,
           provider = coalesce(cast(:provider as text), provider),
           provider_rank = case when cast(:message as text) <> provider_msg_id then 0 else provider_rank end,
           provider_msg_id = coalesce(cast(:message as text), provider_msg_id)
     where id = :id and lease_owner = :worker and fence = :fence and state = 'leased'
    returning case when state = 'failed' and :state = 'accepted' or deadline_at <= holdfast_now() then 1 else 0 end"""  # noqa: S608 - constants

# A receipt has said "delivered" already: what we say is less, and still ours to say.
OVERTAKEN = """
    update delivery set accepted_at = coalesce(accepted_at, holdfast_now()), provider = coalesce(cast(:provider as text), provider)
     where id = :id and lease_owner = :worker and fence = :fence and state = 'delivered'"""

CONCLUDE = """
    update delivery_attempt set outcome = :outcome, provider_code = :code, detail = :detail, finished_at = holdfast_now()
     where delivery_id = :id and n = :attempt and fence = :fence"""

LATE = "update delivery_attempt set provider_code = :code, detail = :detail where delivery_id = :id and n = :attempt and fence = :fence"

OF_ALARM = """
    select id, alarm_helper_id, kind, step, channel, destination, state, error_class, attempt, ambiguous, fence, created_at, accepted_at,
           exists (select 1 from delivery_attempt where delivery_id = delivery.id and outcome = 'lease_lost') as lost
      from delivery
     where alarm_id = :alarm_id
     order by id"""

# In one statement: a worker that writes down its failure between two would leave a message that goes out after the end.
END_ALARM = """
    update delivery
       set state = case when state = 'pending' then 'cancelled' else state end,
           deadline_at = case when state = 'leased' and deadline_at > holdfast_now() then holdfast_now() else deadline_at end
     where alarm_id = :alarm_id and state in ('pending', 'leased')"""

# What lives as long as its alarm, and has not been ended.
EXTEND = """
    update delivery set deadline_at = :until
     where alarm_id = :alarm_id and state in ('pending', 'leased') and kind in ('alarm', 'summary', 'staff', 'repeat', 'reminder')
       and deadline_at < :until and deadline_at > holdfast_now()"""

HURRY = "update delivery set next_at = holdfast_now(), longest_wait = 0 where alarm_id = :alarm_id and state = 'pending' and attempt = 0"

# A leased one may still be on its way, and its sender knows better: it is given up when its lease has ended.
_OVERDUE = """state in ('pending', 'leased') and deadline_at <= (select holdfast_now())
           and (state = 'pending' or next_at <= (select holdfast_now()))"""

IS_OVERDUE = f"select 1 from delivery where {_OVERDUE} limit 1"  # noqa: S608 - constants

EXPIRE = _of_free_rows("state = 'failed', error_class = 'expired'", _OVERDUE)

# The database's clock was set back: without this, an hour back would be an hour of silence. Each wait has its own limit, from whoever set it.
_TOO_FAR = """channel = :channel and state in ('pending', 'leased') and next_at > (select holdfast_now())
           and next_at > (select holdfast_now()) + longest_wait"""

IS_TOO_FAR = f"select 1 from delivery where {_TOO_FAR} limit 1"  # noqa: S608 - constants

SHORTEN = _of_free_rows("next_at = holdfast_now() + longest_wait", _TOO_FAR)


class _Added(Struct):
    dedup_key: str


class Finished(Struct):
    """`stirs`: the alarm has ended meanwhile, or a receipt knows better, so somebody may be owed another message."""

    stirs: bool


async def add(tx: Tx, *new: NewDelivery) -> set[str]:
    """The keys of those that were not there already. Nothing is sent before the transaction has been committed."""
    if not new:
        return set()
    rows = msgspec.json.encode([_row(one) for one in new]).decode()
    added = {row.dedup_key for row in await tx.all(ADD, _Added, rows=rows)}
    for one in new:
        if one.cap and one.dedup_key in added:
            tx.after_commit(functools.partial(log.warning, "sms_held_back", reason=one.cap, alarm_id=one.alarm_id))
    return added


async def of_alarm(tx: Tx, alarm_id: int) -> list[Standing]:
    """In the order in which they were added."""
    return await tx.all(OF_ALARM, Standing, alarm_id=alarm_id)


async def end_alarm(tx: Tx, alarm_id: int) -> None:
    """What nobody has begun to send is cancelled; what is on its way is not tried again."""
    await tx.run(END_ALARM, alarm_id=alarm_id)


async def extend(tx: Tx, alarm_id: int, until: int) -> None:
    """The alarm goes on for longer, and so do the messages that still try to reach somebody."""
    await tx.run(EXTEND, alarm_id=alarm_id, until=until)


async def hurry(tx: Tx, alarm_id: int) -> None:
    """What waits for the end of a grace is due now."""
    await tx.run(HURRY, alarm_id=alarm_id)


async def is_due(tx: Tx, channel: str) -> bool:
    """A plain look, so that an idle worker never takes SQLite's one write lock."""
    return bool(await tx.value(LOOK, channel=channel))


async def claim(tx: Tx, worker: str, channel: str, free: int, lease: int = LEASE) -> list[Leased]:
    """At most as many as can be sent at once: a lease must not age in a queue. Send them after the commit. `lease` is in microseconds."""
    taken = await tx.all(CLAIM, Leased, worker=worker, channel=channel, free=free, lease=lease)
    for delivery in taken:
        if delivery.attempt > 1:
            await tx.run(LOSE, id=delivery.id)
        await tx.run(BEGIN, id=delivery.id, attempt=delivery.attempt, fence=delivery.fence, worker=worker)
    return taken


async def finish(tx: Tx, worker: str, delivery: Leased, sent: Sent) -> Finished | None:
    """None when the lease was lost: the late result is kept with the attempt, and nothing else changes."""
    sent = _storable(sent)
    attempt = {"id": delivery.id, "attempt": delivery.attempt, "fence": delivery.fence, "code": sent.code}
    held = {"id": delivery.id, "worker": worker, "fence": delivery.fence, "provider": sent.provider}
    state, error_class, wait = _consequence(delivery, sent)
    result = {"state": state, "error_class": error_class, "doubt": int(sent.outcome == "ambiguous"), "wait": wait}
    stirs = await tx.value(FINISH, **held, **result, message=sent.provider_msg_id, failed=FAILED_RANK)
    if stirs is None and await tx.run(OVERTAKEN, **held):
        stirs = True
    if stirs is None:
        await tx.run(LATE, detail=f"late: {sent.outcome} {sent.detail}".strip(), **attempt)
        return None
    await tx.run(CONCLUDE, outcome=sent.outcome, detail=sent.detail, **attempt)
    return Finished(bool(stirs))


async def is_untidy(tx: Tx, channels: Iterable[str]) -> bool:
    if await tx.value(IS_OVERDUE):
        return True
    for channel in channels:
        if await tx.value(IS_TOO_FAR, channel=channel):
            return True
    return False


async def tidy(tx: Tx, channels: Iterable[str]) -> int:
    """Gives up what is past its deadline and shortens waits that no rule allows; doing it twice changes nothing. How many were given up."""
    for channel in channels:
        await tx.run(SHORTEN, channel=channel)
    return await tx.run(EXPIRE)


def _row(new: NewDelivery) -> dict[str, object]:
    return msgspec.structs.asdict(new) | {
        "ref": secrets.token_hex(16),
        "body": msgspec.json.encode(new.body).decode(),
        "priority": PRIORITY[new.kind],
    }


def dedup_key(alarm_id: int, step: int, helper_id: int, channel: str, destination: str) -> str:
    """A corrected address is told as well, so it is part of the key; as a digest, for the key is shown where addresses are not."""
    return f"alarm:{alarm_id}:step:{step}:helper:{helper_id}:{channel}:{hashlib.sha256(destination.encode()).hexdigest()[:16]}"


def _consequence(delivery: Leased, sent: Sent) -> tuple[str, str | None, int]:
    """State, error class, and microseconds until the next attempt (alarm.md, section 5)."""
    match sent.outcome:
        case "accepted":
            return "accepted", None, 0
        case "permanent":
            return "failed", "permanent", 0
        case "ambiguous" if delivery.ambiguous + 1 >= MOST_AMBIGUOUS:
            return "failed", "ambiguous", 0
    return "pending", "configuration" if sent.refused_us else sent.outcome, max(backoff(delivery.attempt), _asked_for(sent))


def _storable(sent: Sent) -> Sent:
    """A provider's words without what a database refuses: a result that cannot be written down would be tried for ever, and sent again."""
    words = {name: said for name in ("code", "detail", "provider_msg_id") if isinstance(said := getattr(sent, name), str)}
    plain = {name: said.replace("\0", "").encode(errors="replace").decode() for name, said in words.items()}
    return msgspec.structs.replace(sent, **plain)


def _asked_for(sent: Sent) -> int:
    """Microseconds that the provider wants us to wait."""
    return int(min(sent.retry_after or 0, LONGEST_OBEYED) * SECOND)


def backoff(attempt: int) -> int:
    """Microseconds to wait after the given attempt, counted from 1."""
    seconds = BACKOFF[min(attempt, len(BACKOFF)) - 1]
    return int(seconds * random.uniform(1 - SPREAD, 1 + SPREAD) * SECOND)  # noqa: S311 - no secret
