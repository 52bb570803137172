"""Registration, login, and the token of a lock screen."""

from holdfast.accounts import service
from holdfast.accounts.schemas import AlarmToken, Credentials, NewUser, RegistrationProblems, SignedIn
from holdfast.fields import Draft
from holdfast.http import Answer, Ask, Doors, Message, Problem, anyone, signed_in

doors = Doors("/api/v1/user", tag="User")


@doors.post("/registration/", who=anyone, draft=NewUser, answers={201: Message, 400: RegistrationProblems | Problem, 429: Problem})
async def register(ask: Ask, draft: Draft[NewUser]) -> Answer:
    """Make an account. Every bad field is named at once."""
    user_id = await ask.state.reception.register(ask, draft)
    return Answer(Message("User Created"), 201, {"Location": f"/api/v1/user/{user_id}/"})


@doors.post("/login/", who=anyone, body=Credentials, answers={200: SignedIn, 400: Problem, 401: Problem, 429: Problem})
async def login(ask: Ask, credentials: Credentials) -> SignedIn:
    """Sign in. Each login makes a token of its own."""
    return SignedIn(await ask.state.reception.login(ask, credentials))


@doors.post("/alarm-token/", who=signed_in, answers={201: AlarmToken})
async def make_alarm_token(ask: Ask) -> AlarmToken:
    """A token for a widget or a lock screen: it presses, shows that alarm, and takes it back in its grace. Everything else is refused with 403."""
    async with ask.db.write() as tx:
        return AlarmToken(await service.issue(tx, ask.actor.id, "a"))


@doors.delete("/alarm-token/", who=signed_in, answers={200: Message})
async def end_alarm_tokens(ask: Ask) -> Message:
    """End every alarm-only token of the caller."""
    async with ask.db.write() as tx:
        await service.end_alarm_tokens(tx, ask.actor.id)
    return Message("Every alarm-only token has ended.")
