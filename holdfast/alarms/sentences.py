"""What is said about an alarm, and when it is true to say it."""

import functools
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from holdfast.alarms.schemas import Helper, Row
from holdfast.clock import SECOND
from holdfast.delivery.schemas import Body, Standing

TEXTS = Path(__file__).parent.parent / "texts" / "en" / "alarm.toml"  # neither the caller's nor the helper's language is stored yet
LATE = 60 * SECOND  # without a message that went out; alarm.md, section 14

TOLD, OPEN = ("accepted", "delivered"), ("pending", "leased")


def letter(level: int, who: str, ref: str) -> Body:
    """The e-mail to everybody whom the alarm tells: `ref` at its end makes a second copy recognisable."""
    words = texts()
    text = words["email"][f"level_{level}"]["text"].strip().format(who=who)
    return Body(words["subject"], f"{text}\n\n{words['ending'].format(ref=ref)}\n")


def about(helper: Helper, deliveries: Sequence[Standing], channels: Collection[str], has_phone: bool) -> str:
    """The answer's sentence about one person. Nobody "has been notified" before a provider has accepted the message."""
    states = {delivery.state for delivery in deliveries}
    if states.intersection(TOLD):
        key = "told"
    elif states.intersection(OPEN):
        key = "telling" if "email" in channels else "no_mail_server"
    elif any(delivery.error_class == "ambiguous" for delivery in deliveries):
        key = "maybe_told"
    elif deliveries:
        key = "not_told"
    else:
        key = "no_email" if has_phone else "no_address"
    return str(texts()["answer"][key]).format(name=helper.name, relationship=helper.relationship)


def nobody() -> str:
    return str(texts()["answer"]["nobody"])


def line(row: Row, helpers: Sequence[Helper], deliveries: Sequence[Standing], channels: Collection[str]) -> str:
    """One calm sentence about where the alarm stands now."""
    lines = texts()["line"]
    told = _named(helpers, deliveries, TOLD)
    telling = _named(helpers, deliveries, OPEN)
    if row.state == "closed":
        return str(lines["ended"])
    if told or (telling and "email" in channels and row.now - row.created_at < LATE):
        return str(lines["told" if told else "telling"]).format(names=_listed(told or telling))
    if telling:
        return str(lines["late" if "email" in channels else "no_mail_server"])
    return str(lines["nobody" if not helpers else "failed" if deliveries else "unreachable"])


def _named(helpers: Sequence[Helper], deliveries: Sequence[Standing], states: Collection[str]) -> list[str]:
    ids = {delivery.alarm_helper_id for delivery in deliveries if delivery.state in states}
    return [helper.name for helper in helpers if helper.id in ids]


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return str(texts()["line"]["and"]).format(first=", ".join(names[:-1]), last=names[-1])


@functools.cache
def texts() -> dict[str, Any]:
    return tomllib.loads(TEXTS.read_text(encoding="utf-8"))
