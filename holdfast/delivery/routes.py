"""Where providers report: what became of a message, and what somebody wrote back."""

from urllib.parse import parse_qs

from holdfast.delivery import receipts
from holdfast.errors import Forbidden, NotFound
from holdfast.http import Answer, Answers, Ask, Doors, Problem, anyone
from holdfast.outside import sms

DONE = Answer(None, 204)
ANSWERS: Answers = {204: None, 400: Problem, 403: Problem, 404: Problem, 413: Problem, 415: Problem}

doors = Doors("/hooks", tag="Providers", alarm=True)


@doors.post("/{channel}/{provider}/status", who=anyone, form=True, answers=ANSWERS)
async def take_receipt(ask: Ask, form: dict[str, str]) -> Answer:
    """What became of a message. One that nobody knows is ignored."""
    check_signature(ask, form)
    receipt = sms.receipt(form)
    if receipt is None:
        return DONE
    ref = parse_qs(_query(ask)).get("ref", [""])[0]
    async with ask.db.write(alarm=True) as tx:
        if await receipts.note(tx, sms.CHANNEL, ref, receipt):
            tx.after_commit(ask.state.hurry)
    return DONE


@doors.post("/{channel}/{provider}/inbound", who=anyone, form=True, answers=ANSWERS)
async def take_message(ask: Ask, form: dict[str, str]) -> Answer:
    """What somebody wrote back: an answer to an alarm, STOP or START."""
    check_signature(ask, form)
    async with ask.db.write(alarm=True) as tx:
        await ask.state.inbound_sms(tx, form.get("From", ""), form.get("Body", ""))
    return DONE


def check_signature(ask: Ask, form: dict[str, str]) -> None:
    """Raises NotFound for a provider that is not set up, Forbidden for everybody but the provider itself."""
    if ask.words != (sms.CHANNEL, sms.PROVIDER) or not ask.settings.sms_url:
        raise NotFound
    query = _query(ask)
    url = ask.settings.address + ask.scope["path"] + (f"?{query}" if query else "")
    if not sms.genuine(ask.settings, url, form, ask.header(b"x-twilio-signature") or ""):
        raise Forbidden


def _query(ask: Ask) -> str:
    return str(ask.scope["query_string"].decode("latin-1"))
