"""SMS by a Twilio-shaped service: one message to one number, an honest word about what became of it, and what the service tells us later."""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

import msgspec

from holdfast.db import refuse_inside_transaction
from holdfast.outside.sending import FAILED_RANK, Message, Receipt, Sent
from holdfast.outside.web import Broken, Reply, Web
from holdfast.settings import LOOPBACK, Settings

CHANNEL, PROVIDER = "sms", "twilio"
DETAIL = 200  # characters of a provider's words that are kept
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")

# What no retry to this number, or with this text, can change.
PERMANENT = {21211, 21214, 21217, 21219, 21408, 21604, 21610, 21612, 21614, 21617, 21619, 21635, 30004, 30005, 30006, 30007}
LATER = {408, 429}

RANKS = {"accepted": 1, "scheduled": 1, "queued": 1, "sending": 1, "sent": 2, "undelivered": 3, "failed": 3, "canceled": 3, "delivered": 4, "read": 4}


class Sms:
    """Every copy asks for receipts at an address that names the message, so that a receipt finds it before we have heard the service's own id."""

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.sms_url)
        account = f"{unquote(url.username or '')}:{unquote(url.password or '')}".encode()
        self._url = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
        self._login = {"Authorization": "Basic " + base64.b64encode(account).decode()} if url.username else {}
        self._from, self._limit = settings.sms_from, settings.send_limit
        self._receipts = _receipt_address(settings, url)
        self._web = Web()

    async def send(self, message: Message) -> Sent:
        refuse_inside_transaction()
        if not NUMBER.fullmatch(message.destination):
            return Sent("permanent", detail="cannot be built")
        form = {"To": message.destination, "From": self._from, "Body": message.text}
        if self._receipts:
            form["StatusCallback"] = f"{self._receipts}?ref={message.ref}"
        headers = {**self._login, "Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": message.ref}
        try:
            content = urlencode(form).encode()
        except UnicodeEncodeError:
            return Sent("permanent", detail="cannot be built")
        try:
            return judged(await self._web.post(self._url, content, headers, self._limit))
        except Broken as broken:
            return Sent(
                "ambiguous" if broken.left else "temporary", detail=str(broken), reached=broken.reached, refused_us=broken.ours, provider=PROVIDER
            )


def _receipt_address(settings: Settings, url: SplitResult) -> str | None:
    """None where the service could not reach it: some refuse a message over that."""
    reachable = settings.public_url or url.hostname in LOOPBACK
    return f"{settings.address}/hooks/{CHANNEL}/{PROVIDER}/status" if reachable else None


def genuine(settings: Settings, url: str, form: Mapping[str, str], signature: str) -> bool:
    """Whether the service itself asks: it signs the address and the sorted fields with the secret of HOLDFAST_SMS_URL."""
    secret = unquote(urlsplit(settings.sms_url).password or "")
    signed = url + "".join(name + form[name] for name in sorted(form))
    expected = base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha1"))
    return bool(secret) and hmac.compare_digest(expected, signature.encode("latin-1", "replace"))


def receipt(form: Mapping[str, str]) -> Receipt | None:
    """None for what says nothing of a message that we sent."""
    status, sid = form.get("MessageStatus") or form.get("SmsStatus", ""), form.get("MessageSid") or form.get("SmsSid", "")
    if status not in RANKS or not sid:
        return None
    return Receipt(PROVIDER, sid, RANKS[status], form.get("ErrorCode") or None)


def judged(reply: Reply) -> Sent:
    """alarm.md, section 5. What a good status says counts only with a message id beside it and no error."""
    said = _said(reply.body)
    code, sid = _error(said), said.get("sid")
    if 200 <= reply.status < 300:
        if code is None and isinstance(sid, str) and sid:
            return Sent("accepted", str(reply.status), provider=PROVIDER, provider_msg_id=sid)
        if code is None:
            return Sent("ambiguous", str(reply.status), "neither a message id nor an error", provider=PROVIDER)
    words = f"{reply.status} {said.get('message') or said.get('error_message') or ''}"[:DETAIL].strip()
    shown = str(code if code is not None else reply.status)[:DETAIL]
    if code in PERMANENT and reply.status != 401 and reply.status < 500:
        return Sent("permanent", shown, words, provider=PROVIDER)
    later = reply.status in LATER or reply.status >= 500
    refused_us = not later and reply.status >= 300  # our login, our number or our address: nobody else can mend it
    return Sent("temporary", shown, words, refused_us=refused_us, retry_after=_retry_after(reply.headers) if later else None, provider=PROVIDER)


def _said(body: bytes | None) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _error(said: Mapping[str, Any]) -> object:
    """The service's own number of the error where it gives one. None without an error."""
    for name in ("error_code", "code", "error", "errors"):
        if said.get(name):
            found = said[name]
            return int(found) if isinstance(found, str) and found.isdigit() else found
    return said["status"] if RANKS.get(str(said.get("status"))) == FAILED_RANK else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date is measured against the service's own clock."""
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return float(asked)
    wanted, now = _date(asked), _date(headers.get("date", ""))
    return max(0.0, (wanted - now).total_seconds()) if wanted and now else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo else None
