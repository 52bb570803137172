"""What every channel is given to send, and what it says afterwards."""

from typing import Literal, Protocol

from msgspec import Struct

Outcome = Literal["accepted", "temporary", "permanent", "ambiguous"]

FAILED_RANK, DELIVERED_RANK = 3, 4  # the last words that a provider can have for a message; below them it is on its way


class Message(Struct, frozen=True):
    ref: str  # 128 random bits; the same in every copy
    destination: str
    subject: str
    text: str
    written_at: int  # microseconds of UTC; the same in every copy


class Sent(Struct, frozen=True):
    """alarm.md, section 5. `ambiguous`: the body left and no answer came."""

    outcome: Outcome
    code: str | None = None  # the provider's own
    detail: str = ""  # kept with the attempt, never logged: a provider may repeat an address
    reached: bool = True  # whether the provider could be talked to at all
    refused_us: bool = False  # our configuration is at fault: no message will leave until an operator changes it
    retry_after: float | None = None  # seconds that the provider asks us to wait
    provider: str | None = None  # by which its receipts name themselves
    provider_msg_id: str | None = None


class Receipt(Struct, frozen=True):
    """What a provider says later. A lower rank never undoes a higher one: its words come in any order."""

    provider: str
    provider_msg_id: str
    rank: int
    code: str | None = None


class Sender(Protocol):
    async def send(self, message: Message) -> Sent:
        """Returns within `settings.send_limit`, which ends before the lease, and raises nothing that the network can cause."""
