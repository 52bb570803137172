"""The whole wiring, readable from top to bottom."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from starlette.routing import Router

from holdfast import health
from holdfast.accounts.passwords import Passwords
from holdfast.accounts.reception import Reception
from holdfast.accounts.routes import doors as account_doors
from holdfast.accounts.sessions import Sessions
from holdfast.alarms import answering, pin, scenarios
from holdfast.alarms.drill import last_drill
from holdfast.alarms.pressing import Presses
from holdfast.alarms.routes import doors as alarm_doors
from holdfast.alarms.scenario_routes import doors as scenario_doors
from holdfast.alarms.stream import Streams
from holdfast.alarms.stream import doors as stream_doors
from holdfast.alarms.wording import Wording
from holdfast.companion.privacy_routes import doors as privacy_doors
from holdfast.companion.resource_routes import doors as resource_doors
from holdfast.companion.routes import doors as companion_doors
from holdfast.companion.service import Companion
from holdfast.companion.stream_routes import doors as companion_stream_doors
from holdfast.companion.tool_routes import doors as tool_doors
from holdfast.contacts.routes import doors as contact_doors
from holdfast.db import open_database
from holdfast.delivery.routes import doors as provider_doors
from holdfast.edge import Edge
from holdfast.music.routes import doors as music_doors
from holdfast.music.routes import files as music_files
from holdfast.profiles import service as profiles
from holdfast.profiles.routes import doors as profile_doors
from holdfast.settings import Settings
from holdfast.staff.absence import LOOK, Absence
from holdfast.staff.alarms import doors as staff_alarm_doors
from holdfast.staff.deliveries import doors as staff_delivery_doors
from holdfast.staff.queue import doors as queue_doors
from holdfast.staff.texts import doors as text_doors
from holdfast.support.chat import Chat
from holdfast.support.paging import Desk
from holdfast.support.routes import doors as room_doors
from holdfast.support.routes import staff_doors as staff_chat_doors
from holdfast.support.socket import doors as chat_sockets
from holdfast.web.answering import Strangers
from holdfast.web.answering import doors as link_doors
from holdfast.web.reference import Reference
from holdfast.web.reference import doors as reference_doors
from holdfast.worker import make_worker

DOORS = [
    account_doors,
    profile_doors,
    contact_doors,
    music_doors,
    music_files,
    alarm_doors,
    scenario_doors,
    stream_doors,
    link_doors,
    provider_doors,
    companion_doors,
    companion_stream_doors,
    privacy_doors,
    resource_doors,
    tool_doors,
    room_doors,
    staff_chat_doors,
    chat_sockets,
    staff_alarm_doors,
    staff_delivery_doors,
    queue_doors,
    text_doors,
    health.doors,
    reference_doors,
]


class Holdfast:
    """The ASGI application: opens the database and starts the work beside the requests with the server, and ends both with it."""

    def __init__(self, settings: Settings) -> None:
        self.state = SimpleNamespace(settings=settings, ready=False)
        self.edge = Edge([door for doors in DOORS for door in doors.table], self.state)
        self.state.reference = Reference(self.edge.doors)
        self._lifespan = Router(lifespan=lambda _: self.running())

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        return self.edge(scope, receive, send) if scope["type"] != "lifespan" else self._lifespan(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        state = self.state
        state.db = db = await open_database(state.settings)
        sessions = Sessions(db)
        state.identify = sessions.identify
        state.reception = Reception(db, Passwords(), production=state.settings.production)
        state.welcome = profiles.begin
        state.streams, state.strangers = Streams(sessions.live), Strangers(production=state.settings.production)
        state.scenario_exists = scenarios.exists
        state.chat = chat = Chat(db, sessions.live)
        chat.start()
        worker, state.means = make_worker(db, state.settings)
        state.companion = companion = Companion(state.settings, self._desk, chat.publish)
        chat.beat(Absence(db, chat, companion.vault).give_back, LOOK)
        state.wake, state.hurry, state.presses = worker.wake, worker.hurry, Presses(db, state.means)
        state.wording, state.last_drill, state.pins = Wording, last_drill, pin.tries()
        state.tells = scenarios.tells
        state.inbound_sms = partial(answering.by_sms, means=state.means)
        worker.start()
        state.ready = True
        try:
            yield
        finally:
            state.ready = False
            await chat.finish()
            await worker.stop()
            await companion.close()
            await sessions.finish()
            await db.close()

    def _desk(self) -> Desk:
        """Who of the service is there now."""
        state = self.state
        return Desk(state.chat.staff_online, state.settings.on_call, state.means.channels, state.means.caps)


def create_app(settings: Settings) -> Holdfast:
    return Holdfast(settings)
