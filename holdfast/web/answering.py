"""The doors behind the links in messages: /a/ of an alarm, /c/ of a contact. The key in the address is all that they ask for.

A form that comes from another origin, or from none as browsers send it for pages that refer to nobody, is taken: who knows the key may answer.
"""

import functools
import re
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar, cast, get_args

from starlette.responses import RedirectResponse, Response

from holdfast.alarms import answering
from holdfast.alarms.answering import Standpoint
from holdfast.alarms.schemas import Answer
from holdfast.contacts import inviting
from holdfast.contacts.inviting import Choice
from holdfast.contacts.schemas import Invited
from holdfast.errors import Forbidden, NotFound, Refusal, TooMany, Unavailable
from holdfast.http import Ask, Doors, anyone
from holdfast.limits import Window, is_loopback, network
from holdfast.log import log
from holdfast.web.pages import HEADERS, written

KEY = re.compile(r"[0-9A-Za-z]{22}")
UNKNOWN_KEYS = (20, 300.0)  # of one network, seconds; more are slowed down. Keys that are right are never counted
ANSWERS: tuple[Answer, ...] = get_args(Answer)
CHOICES: tuple[Choice, ...] = get_args(Choice)
SAID = {"confirmed": "accepted", "not_me": "refused", "stopped": "stopped"}  # the state of a contact's channel, in the texts

doors = Doors("", tag="Links", alarm=True)
Page = TypeVar("Page", bound=Callable[..., Awaitable[Response]])


class Strangers:
    """Who tries keys that nobody was given."""

    def __init__(self, *, production: bool) -> None:
        self._networks = Window(*UNKNOWN_KEYS)
        self._production = production

    def refuse(self, ask: Ask) -> NoReturn:
        """Raises NotFound, or TooMany. In development everybody comes from the loopback address."""
        if self._production or not is_loopback(ask.address):
            self._networks.begin(network(ask.address))
        raise NotFound


def for_people(handler: Page) -> Page:
    """Nobody who was asked for help reads JSON: a refusal is a page too."""

    @functools.wraps(handler)
    async def shown(ask: Ask, *form: dict[str, str]) -> Response:
        try:
            return await handler(ask, *form)
        except Refusal as refusal:
            return _refused(ask, refusal)
        except Exception as error:
            if not ask.db.down(error):
                raise
            log.error("database_unavailable", request_id=ask.request_id, route=ask.door.path if ask.door else None, exc_info=error)
            return _refused(ask, Unavailable())

    return cast(Page, shown)


@doors.get("/a/{key}", who=anyone, answers={200: None})
@for_people
async def show_alarm(ask: Ask) -> Response:
    """What a helper needs to know. It changes nothing but that it was seen: scanners open links."""
    _refuse_prefetch(ask)
    standpoint = await _standpoint(ask)
    async with ask.db.write(alarm=True) as tx:
        await answering.see(tx, standpoint)
    return _alarm(ask, standpoint)


@doors.post("/a/{key}", who=anyone, form=True, answers={303: None})
@for_people
async def answer_alarm(ask: Ask, form: dict[str, str]) -> Response:
    """The last answer counts; STOP is asked twice."""
    standpoint, said = await _standpoint(ask), form.get("answer")
    if said == "stop" and "sure" not in form:
        return written(ask, "stop.html", language=standpoint.language, who=standpoint.who)
    if said != "stop" and said not in ANSWERS:
        return _alarm(ask, standpoint, 400)
    async with ask.db.write(alarm=True) as tx:
        if said == "stop":
            await answering.stop_telling(tx, standpoint.helper_id)
        else:
            await answering.answer(tx, standpoint.helper_id, cast(Answer, said), ask.state.means)
        tx.after_commit(ask.state.hurry)
        tx.after_commit(ask.state.wake)
    return _back(ask)


@doors.get("/c/{key}", who=anyone, answers={200: None})
@for_people
async def show_invitation(ask: Ask) -> Response:
    """Who asks, and what saying yes means. It changes nothing."""
    return _invitation(ask, await _invited(ask))


@doors.post("/c/{key}", who=anyone, form=True, answers={303: None})
@for_people
async def answer_invitation(ask: Ask, form: dict[str, str]) -> Response:
    """Yes, not me, or STOP; the last choice counts."""
    invited, choice = await _invited(ask), form.get("choice")
    if choice not in CHOICES:
        return _invitation(ask, invited, 400)
    async with ask.db.write() as tx:
        await inviting.confirm_by_key(tx, ask.words[0], choice)
    return _back(ask)


async def _standpoint(ask: Ask) -> Standpoint:
    key = ask.words[0]
    async with ask.db.read(alarm=True) as tx:
        standpoint = await answering.find(tx, key) if KEY.fullmatch(key) else None
    return standpoint or ask.state.strangers.refuse(ask)


async def _invited(ask: Ask) -> Invited:
    key = ask.words[0]
    async with ask.db.read() as tx:
        invited = await inviting.invited(tx, key) if KEY.fullmatch(key) else None
    return invited or ask.state.strangers.refuse(ask)


def _alarm(ask: Ask, standpoint: Standpoint, status: int = 200) -> Response:
    return written(ask, "alarm.html", language=standpoint.language, who=standpoint.who, status=status, alarm=standpoint)


def _invitation(ask: Ask, invited: Invited, status: int = 200) -> Response:
    said = SAID.get(invited.state)
    return written(ask, "invitation.html", language=invited.language, who=invited.who, status=status, said=said, expired=invited.expired)


def _refused(ask: Ask, refusal: Refusal) -> Response:
    """The same for every wrong key, and in the browser's language: whose it might have been is nobody's business."""
    text = "busy" if isinstance(refusal, TooMany | Unavailable) else "not_valid"
    answer = written(ask, "refused.html", status=refusal.status, text=text)
    answer.headers.update(refusal.headers)
    return answer


def _back(ask: Ask) -> Response:
    """To the page itself, so that a telephone that opens it anew asks nothing twice."""
    return RedirectResponse(f"/{ask.scope['path'][1]}/{ask.words[0]}", 303, HEADERS)


def _refuse_prefetch(ask: Ask) -> None:
    """What a browser fetches before anybody wants it was not seen. It comes again when somebody does. Raises Forbidden."""
    if "prefetch" in f"{ask.header(b'purpose')} {ask.header(b'sec-purpose')}".lower():
        raise Forbidden
