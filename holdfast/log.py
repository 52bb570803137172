"""The log: one JSON object a line on standard error, of known keys only, without a word that a person wrote."""

import asyncio
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from msgspec import Struct

KEYS = frozenset(  # security.md L1: anything else is dropped and counted, so that a careless call cannot leak
    "event level at request_id actor route method status ms alarm_id delivery_id channel outcome error_class code attempt count seconds worker "
    "provider rule_id port address engine reason exception missing path database version signal dropped".split()
)

REFUSED_HANDSHAKE = "ASGI callable returned without completing handshake."  # uvicorn says so after each refusal; ours is in the log already

_encode = msgspec.json.Encoder().encode

log = structlog.get_logger("holdfast")
_output: Any = None
_info = False
_answered: list["Answered"] = []


def configure(level: str) -> None:
    global _info, _output
    _info, _output = level in ("debug", "info"), structlog.BytesLogger(sys.stderr.buffer)
    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _output,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forwarded()], level=logging.WARNING, force=True)


class Answered(Struct, tag_field="event", tag="request"):
    """The line of one request: by hand, since there is one for every request and structlog's steps cost more than the writing."""

    request_id: str
    actor: str | None
    method: str
    route: str
    status: int
    ms: float
    level: str = "info"
    at: str = ""


def answered(line: Answered) -> None:
    """Written with all others of the same turn of the event loop, by one call."""
    if _info:
        _answered.append(line)
        asyncio.get_running_loop().call_soon(_write_answered)


def _write_answered() -> None:
    lines, at = _answered.copy(), _now()
    _answered.clear()
    for line in lines:
        line.at = at
    if lines:
        _output.msg(b"\n".join(map(_encode, lines)))


def _line(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    event["level"] = level
    event["at"] = _now()
    if "exc_info" in event:
        _place_of_exception(event)
    if not event.keys() <= KEYS:
        _drop_unknown(event)
    return _encode(event)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _drop_unknown(event: MutableMapping[str, Any]) -> None:
    unknown = event.keys() - KEYS
    for key in unknown:
        del event[key]
    event["dropped"] = len(unknown)


def _place_of_exception(event: MutableMapping[str, Any]) -> None:
    """Type and places of an exception, never its message: drivers put row values into theirs."""
    error = event.pop("exc_info")
    if isinstance(error, BaseException):
        places, trace = [], error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        event["exception"] = [type(error).__name__, *places]


class _Forwarded(logging.Handler):
    """Warnings of libraries, without their arguments: those may hold an address or a statement's values. A text without arguments may have
    been put together from such values, as asyncio does: of it only the place is written."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == REFUSED_HANDSHAKE:
            return
        reason = str(record.msg)[:200] if record.args else f"{record.filename}:{record.lineno} {record.funcName}"
        log.warning("library_warning", provider=record.name, reason=reason, exc_info=record.exc_info[1] if record.exc_info else None)
