"""The first member of staff, made at the command line: there are no default accounts."""

from collections.abc import Awaitable, Callable

from holdfast.accounts import service
from holdfast.accounts.passwords import SHORTEST_STAFF, Passwords
from holdfast.accounts.reception import check_account
from holdfast.accounts.schemas import NewUser
from holdfast.db import Tx, open_database
from holdfast.errors import InvalidFields
from holdfast.fields import Draft
from holdfast.migrate import newest
from holdfast.settings import Settings

TOO_SHORT = f"Must be text of {SHORTEST_STAFF} to 1,024 characters for staff."
OTHER_VERSION = "It is not at the version of this program. Run: holdfast migrate"


async def create_staff(settings: Settings, welcome: Callable[[Tx, int], Awaitable[None]], *, username: str, email: str, password: str) -> int:
    """`welcome` makes what else a new person needs, in the same transaction. Raises InvalidFields."""
    draft = Draft(NewUser, {"username": username, "email": email, "password": password})
    check_account(draft)
    if len(password) < SHORTEST_STAFF:
        draft.errors["password"] = [TOO_SHORT]
    new = draft.finished()
    db = await open_database(settings)
    try:
        if await db.version() != newest():
            raise InvalidFields({"database": [OTHER_VERSION]})
        password_hash = await Passwords().hash(new.password)
        async with db.write() as tx:
            user_id = await service.register(tx, username=new.username, email=new.email, password_hash=password_hash, is_staff=True)
            await welcome(tx, user_id)
        return user_id
    finally:
        await db.close()
