"""What must happen to alarms later, though nobody asks for it: a worker looks after each of these."""

from collections.abc import Awaitable, Callable
from functools import partial

from holdfast.alarms import checking_in, closing, escalation, trail
from holdfast.alarms.schemas import Means
from holdfast.db import Database

Chore = Callable[[Database], Awaitable[None]]


def chores(means: Means) -> list[Chore]:
    """The most urgent first. Each finds out cheaply whether there is anything to do."""
    return [
        partial(escalation.run_due, means=means),
        partial(escalation.start_next_channels, means=means),
        partial(closing.end_overdue, means=means),
        partial(escalation.shorten_waits, means=means),
        checking_in.ask_due,
        trail.anchor,
    ]
