"""What a person decided about the conversation: whether a model may be asked, whether staff may read along, and how long it is kept."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from holdfast.clock import iso_or_none
from holdfast.companion import memory
from holdfast.companion.memory import Consent, KeptDays, Share
from holdfast.db import Tx

OF_PERSON = """
    select p.consent as model, p.consent_at as model_at, p.consent_wording as model_wording,
           p.share, p.share_at, p.share_wording, coalesce(p.kept_days, 90) as kept_days
      from account a left join companion_person p on p.user_id = a.id
     where a.id = :user_id"""


class ConsentChanges(Struct, forbid_unknown_fields=True):
    """Null takes an answer back, so that the question is asked again. What is missing stays."""

    model: Annotated[Consent | None, Meta(description="given, refused or null")] | UnsetType = UNSET
    share: Annotated[Share | None, Meta(description="yes, no or null")] | UnsetType = UNSET
    kept_days: Annotated[KeptDays, Meta(description="1, 90 or 365")] | UnsetType = UNSET


class ConsentView(Struct):
    """`model`: whether a language model may be asked; `share`: whether staff may read the last messages when there is danger.

    `*_wording` is the version of the question that was answered.
    """

    model: Consent | None
    model_at: str | None
    model_wording: int | None
    share: Share | None
    share_at: str | None
    share_wording: int | None
    kept_days: int


class _Row(Struct):
    model: Consent | None
    model_at: int | None
    model_wording: int | None
    share: Share | None
    share_at: int | None
    share_wording: int | None
    kept_days: int


async def consents(tx: Tx, user_id: int) -> ConsentView:
    row = await tx.one(OF_PERSON, _Row, user_id=user_id) or _Row(None, None, None, None, None, None, memory.KEPT_DAYS)
    return ConsentView(
        row.model, iso_or_none(row.model_at), row.model_wording, row.share, iso_or_none(row.share_at), row.share_wording, row.kept_days
    )


async def change(tx: Tx, user_id: int, changes: ConsentChanges) -> ConsentView:
    if not isinstance(changes.model, UnsetType):
        await memory.decide(tx, user_id, changes.model)
    if not isinstance(changes.share, UnsetType):
        await memory.share(tx, user_id, changes.share)
    if not isinstance(changes.kept_days, UnsetType):
        await memory.keep_for(tx, user_id, changes.kept_days)
    return await consents(tx, user_id)
