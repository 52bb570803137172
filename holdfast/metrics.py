"""Figures about the alarms for Prometheus, from what the database holds; alarm.md section 17 names them. No id and no address is in a label.

What is now is counted over the indexes of what is live. What was is counted as it settles, each row once, from where the look before ended:
a counter begins with the last rows that one look reads, and no look ever reads more of them than that.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from holdfast.clock import SECOND
from holdfast.db import Tx

PREFIX = "holdfast_"
MOST = 5000  # rows of alarms, of attempts and of the audit that one look reads; what is left follows at the next
OPEN = 100_000  # the newest deliveries, whose state may still change; an older one stays as it was
SETTLED = 10 * SECOND  # a transaction takes 5 s at most, and then its rows are there for everybody
ENDED = 60 * SECOND  # an attempt takes 20 s at most; one without an end after its lease of 30 s was lost
BOUNDS = (0.1, 0.5, 1, 2, 5, 10, 20, 60, 300, 1800, 7200)  # seconds

LIVE = "select state, count(*) as count from alarm where state <> 'closed' group by state"

DUE = """
    select channel, count(*) as count, cast(holdfast_now() - min(next_at) as double precision) / 1000000 as seconds
      from delivery
     where state in ('pending', 'leased') and next_at <= (select holdfast_now()) and deadline_at > (select holdfast_now())
     group by channel"""

# The statements differ where they begin: at the newest rows, or where the look before ended.
BEGIN = """
    select holdfast_now() as now, coalesce((select max(id) from delivery), 0) as delivery,
           coalesce((select max(id) from delivery_attempt), 0) as attempt"""

CLOSED = """
    select closed_at as at, drill, close_reason, due_at as due,
           (select min(a.started_at) from delivery d join delivery_attempt a on a.delivery_id = d.id where d.alarm_id = ended.id) as attempted,
           (select min(d.accepted_at) from delivery d where d.alarm_id = ended.id) as accepted,
           (select min(h.answered_at) from alarm_helper h where h.alarm_id = ended.id and h.answer in ('calling', 'coming')) as answered
      from (select id, closed_at, drill, close_reason, coalesce(grace_ends_at, created_at) as due_at from alarm
             where state = 'closed' and closed_at > :since and closed_at <= :until order by closed_at limit :most) as ended"""

ATTEMPTS = """
    select a.id, d.channel, coalesce(a.outcome, 'lease_lost') as outcome,
           cast(coalesce(a.finished_at, a.started_at) - a.started_at as double precision) / 1000000 as seconds
      from delivery_attempt a join delivery d on d.id = a.delivery_id
     where a.id > :since and a.started_at <= :until order by a.id limit :most"""

REPEATS = """
    select max(at) as at, coalesce(sum(case when kind = 'repeat' then 1 else 0 end), 0) as count
      from (select at, kind from alarm_audit where hash is not null and at > :since and at <= :until order by at limit :most) as grown"""

DELIVERIES = """
    select channel, kind, state, coalesce(error_class, '') as error_class,
           case when error_class = 'capped' then coalesce(provider, '') else '' end as cap, count(*) as count,
           sum(case when accepted_at is not null then 1 else 0 end) as accepted,
           sum(case when delivered_at is not null then 1 else 0 end) as delivered
      from delivery where id > :since and id <= :until
     group by channel, kind, state, coalesce(error_class, ''), case when error_class = 'capped' then coalesce(provider, '') else '' end"""


class _Begin(Struct):
    now: int
    delivery: int
    attempt: int


class _Count(Struct):
    state: str
    count: int


class _Due(Struct):
    channel: str
    count: int
    seconds: float


class _Closed(Struct):
    at: int
    drill: bool
    close_reason: str
    due: int
    attempted: int | None
    accepted: int | None
    answered: int | None


class _Attempt(Struct):
    id: int
    channel: str
    outcome: str
    seconds: float


class _Repeats(Struct):
    at: int | None
    count: int


class _Deliveries(Struct):
    channel: str
    kind: str
    state: str
    error_class: str
    cap: str
    count: int
    accepted: int
    delivered: int


Labels = tuple[str, ...]
Values = Mapping[Labels, float]


class Histogram:
    def __init__(self) -> None:
        self._counts: dict[Labels, list[int]] = {}
        self._sums: defaultdict[Labels, float] = defaultdict(float)

    def observe(self, seconds: float, *labels: str) -> None:
        counts = self._counts.setdefault(labels, [0] * (len(BOUNDS) + 1))
        counts[bisect_left(BOUNDS, seconds)] += 1
        self._sums[labels] += max(0.0, seconds)

    def lines(self, name: str, about: str, names: Labels) -> Iterator[str]:
        yield from _head(name, "histogram", about)
        for labels, counts in self._counts.items():
            total = 0
            for bound, count in zip([*map(str, BOUNDS), "+Inf"], counts, strict=True):
                total += count
                yield _line(f"{name}_bucket", (*names, "le"), (*labels, bound), total)
            yield _line(f"{name}_sum", names, labels, self._sums[labels])
            yield _line(f"{name}_count", names, labels, total)


class Metrics:
    """One for each process that is asked; asking it counts on."""

    def __init__(self) -> None:
        self._begun = False
        self._closed_at = self._audited_at = self._attempt = self._delivery = 0
        self._outcomes: Counter[Labels] = Counter()
        self._settled: Counter[Labels] = Counter()  # of deliveries
        self._caps: Counter[Labels] = Counter()
        self._repeats = self._lost = 0
        self._attempts, self._first_attempt, self._first_delivery, self._answer = Histogram(), Histogram(), Histogram(), Histogram()

    async def text(self, tx: Tx, *, pages: Mapping[str, int], stepped: float) -> str:
        """`pages` to the operator by finding, and the `stepped` seconds of the clock are what the asked process knows by itself."""
        begin = await tx.one(BEGIN, _Begin)
        assert begin is not None  # noqa: S101 - the statement returns its row
        if not self._begun:
            self._begun, day = True, 86_400 * SECOND
            self._closed_at = self._audited_at = begin.now - day
            self._attempt, self._delivery = max(0, begin.attempt - MOST), max(0, begin.delivery - OPEN)
        await self._count_alarms(tx, begin.now - SETTLED)
        await self._count_attempts(tx, begin.now - ENDED)
        await self._count_repeats(tx, begin.now - SETTLED)
        deliveries, caps = await self._count_deliveries(tx, begin.delivery)
        live: Values = {(row.state,): row.count for row in await tx.all(LIVE, _Count)}
        due = await tx.all(DUE, _Due)
        lines = [*self._counters(deliveries, caps), *self._histograms(), *_now(live, due), *_known(pages, stepped)]
        return "\n".join(lines) + "\n"

    async def _count_alarms(self, tx: Tx, until: int) -> None:
        rows = await tx.all(CLOSED, _Closed, since=self._closed_at, until=until, most=MOST)
        for row in rows:
            self._outcomes[str(row.drill).lower(), row.close_reason] += 1
            for at, histogram in ((row.attempted, self._first_attempt), (row.accepted, self._first_delivery), (row.answered, self._answer)):
                if at is not None and not row.drill:
                    histogram.observe((at - row.due) / SECOND)
        self._closed_at = rows[-1].at if len(rows) == MOST else max(until, self._closed_at)

    async def _count_attempts(self, tx: Tx, until: int) -> None:
        for row in await tx.all(ATTEMPTS, _Attempt, since=self._attempt, until=until, most=MOST):
            self._attempt = row.id
            if row.outcome == "lease_lost":
                self._lost += 1
            else:
                self._attempts.observe(row.seconds, row.channel, row.outcome)

    async def _count_repeats(self, tx: Tx, until: int) -> None:
        row = await tx.one(REPEATS, _Repeats, since=self._audited_at, until=until, most=MOST)
        if row and row.at is not None:
            self._audited_at = row.at
            self._repeats += row.count

    async def _count_deliveries(self, tx: Tx, newest: int) -> tuple[Counter[Labels], Counter[Labels]]:
        """What each has reached: an accepted one that is delivered counts as both, so no count ever falls by a receipt."""
        settled = max(self._delivery, newest - OPEN)
        if settled > self._delivery:
            for row in await tx.all(DELIVERIES, _Deliveries, since=self._delivery, until=settled):
                _add(row, self._settled, self._caps)
            self._delivery = settled
        deliveries, caps = Counter(self._settled), Counter(self._caps)
        for row in await tx.all(DELIVERIES, _Deliveries, since=settled, until=newest):
            _add(row, deliveries, caps)
        return deliveries, caps

    def _counters(self, deliveries: Values, caps: Values) -> Iterator[str]:
        yield from _family("alarms_total", "counter", "Alarms that ended.", ("drill", "outcome"), self._outcomes)
        yield from _family("deliveries_total", "counter", "Messages that reached a state.", ("channel", "kind", "state", "class"), deliveries)
        yield from _family("lease_lost_total", "counter", "Attempts whose worker vanished.", (), {(): self._lost})
        yield from _family("trigger_repeats_total", "counter", "Presses while an alarm was live.", (), {(): self._repeats})
        yield from _family("cap_hits_total", "counter", "SMS that a cap held back.", ("cap",), caps)

    def _histograms(self) -> Iterator[str]:
        alarm = "alarm_{}_seconds".format
        yield from self._first_attempt.lines(PREFIX + alarm("first_attempt"), "From the press or the end of its grace; known when it ends.", ())
        yield from self._first_delivery.lines(PREFIX + alarm("first_delivery"), "Until a provider took the first message; known when it ends.", ())
        yield from self._answer.lines(PREFIX + alarm("answer"), "Until somebody was calling or coming; known when it ends.", ())
        yield from self._attempts.lines(PREFIX + "delivery_attempt_seconds", "Sends by how they ended.", ("channel", "outcome"))


def _add(row: _Deliveries, deliveries: Counter[Labels], caps: Counter[Labels]) -> None:
    reached = {"accepted": row.accepted, "delivered": row.delivered}
    if row.state in ("failed", "cancelled"):
        reached[row.state] = row.count
    for state, count in reached.items():
        if count:
            deliveries[row.channel, row.kind, state, row.error_class if state == "failed" else ""] += count
    if row.error_class == "capped":
        caps[row.cap or "unknown",] += row.count


def _now(live: Values, due: list[_Due]) -> Iterator[str]:
    yield from _family(
        "alarm_live", "gauge", "Alarms that have not ended.", ("state",), {(state,): 0 for state in ("grace", "open", "acknowledged")} | dict(live)
    )
    yield from _family("outbox_due", "gauge", "Messages that should be leaving.", ("channel",), {(row.channel,): row.count for row in due})
    oldest: Values = {(row.channel,): max(0.0, row.seconds) for row in due}
    yield from _family("outbox_oldest_seconds", "gauge", "How long the oldest of them has been due.", ("channel",), oldest)


def _known(pages: Mapping[str, int], stepped: float) -> Iterator[str]:
    yield from _family(
        "watchdog_pages_total", "counter", "Pages that the operator's service took.", ("finding",), {(name,): n for name, n in pages.items()}
    )
    yield from _family("clock_step_seconds", "gauge", "The last step of a clock.", (), {(): stepped})


def _family(name: str, kind: str, about: str, names: Labels, values: Values) -> Iterator[str]:
    yield from _head(PREFIX + name, kind, about)
    for labels, value in sorted(values.items()):
        yield _line(PREFIX + name, names, labels, value)


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, names: Labels, labels: Labels, value: float) -> str:
    pairs = ",".join(f'{key}="{_escaped(label)}"' for key, label in zip(names, labels, strict=True))
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
