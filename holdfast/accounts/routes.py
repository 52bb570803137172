"""Registration and login."""

from holdfast.accounts.schemas import Credentials, NewUser, RegistrationProblems, SignedIn
from holdfast.fields import Draft
from holdfast.http import Answer, Ask, Doors, Message, Problem, anyone

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
