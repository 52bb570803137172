"""The few kinds of refusal, and the one place that turns each into an answer."""

from collections.abc import Mapping


class Refusal(Exception):
    """An answer that is normal life, not a bug. The docstring of a subclass is the sentence that the client gets."""

    status = 400
    headers: Mapping[str, str] = {}

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or type(self).__doc__)

    @property
    def body(self) -> dict[str, object]:
        return {"error": str(self)}


class Invalid(Refusal):
    """The request is not valid."""


class InvalidFields(Invalid):
    """Each bad field with its sentences."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.fields = fields

    @property
    def body(self) -> dict[str, object]:
        return dict(self.fields)


class Unauthorized(Refusal):
    """Authentication credentials were not provided or are not valid."""

    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": "Token"}


class Forbidden(Refusal):
    """You may not do this."""

    status = 403


class NotFound(Refusal):
    """Not found"""

    status = 404


class MethodNotAllowed(Refusal):
    """This method is not allowed here."""

    status = 405

    def __init__(self, allowed: str) -> None:
        super().__init__()
        self.headers = {"Allow": allowed}


class Conflict(Refusal):
    """This is not possible any more."""

    status = 409


class TooLarge(Refusal):
    """The request body is larger than 64 KiB."""

    status = 413


class WrongMediaType(Refusal):
    """The request body must be JSON, sent as application/json."""

    status = 415


class TooMany(Refusal):
    """Too many attempts. Please wait and try again."""

    status = 429

    def __init__(self, wait: float) -> None:
        """`wait` is in seconds and is told to the client, rounded up."""
        super().__init__()
        self.headers = {"Retry-After": str(max(1, -int(-wait // 1)))}


class Unavailable(Refusal):
    """The server is too busy or its database cannot be reached. Please try again in a moment."""

    status = 503
    headers: Mapping[str, str] = {"Retry-After": "1"}
