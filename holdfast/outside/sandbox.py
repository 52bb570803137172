"""A sender that sends nothing: the outbox keeps what would have left, and every word about it says so."""

from holdfast.db import refuse_inside_transaction
from holdfast.outside.sending import Message, Sent


class Sandbox:
    async def send(self, message: Message) -> Sent:
        refuse_inside_transaction()
        return Sent("accepted", "sandbox", "stored, not sent", provider="sandbox", provider_msg_id=message.ref)
