"""Everything that changes what somebody hears."""

from msgspec import Struct

from holdfast.db import Tx
from holdfast.errors import NotFound
from holdfast.music.schemas import Track

PLACE = "/music/"  # where the files are served

TRACKS = """
    select id, name, file from music_track
     where retired_at is null
     order by built_in desc, id"""

# The chosen one even when it has been retired since, else the default: the first of ours.
FOR_PERSON = """
    select t.id, t.name, t.file
      from music_track t
      left join profile p on p.music_id = t.id and p.user_id = :user_id
     where p.id is not null or (t.built_in and t.retired_at is null)
     order by case when p.id is null then 1 else 0 end, t.id
     limit 1"""

MAY_CHOOSE = """
    select 1 from music_track t
     where t.id = :track_id and (t.retired_at is null or exists (select 1 from profile p where p.user_id = :user_id and p.music_id = t.id))"""

CHOOSE = "update profile set music_id = :track_id where user_id = :user_id"


class TrackNotFound(NotFound):
    """Music track not found"""


class _File(Struct):
    id: int
    name: str
    file: str


async def tracks(tx: Tx, origin: str) -> list[Track]:
    return [_playable(row, origin) for row in await tx.all(TRACKS, _File)]


async def track_for(tx: Tx, user_id: int, origin: str) -> Track | None:
    """The person's own choice, else the default; None only when no track is left."""
    row = await tx.one(FOR_PERSON, _File, user_id=user_id)
    return _playable(row, origin) if row else None


async def may_choose(tx: Tx, user_id: int, track_id: int) -> bool:
    """A retired track stays with those who chose it, but cannot be chosen again."""
    return bool(await tx.value(MAY_CHOOSE, user_id=user_id, track_id=track_id))


async def choose(tx: Tx, user_id: int, track_id: int | None) -> None:
    """Raises TrackNotFound."""
    if track_id is not None and not await may_choose(tx, user_id, track_id):
        raise TrackNotFound
    await tx.run(CHOOSE, user_id=user_id, track_id=track_id)


def _playable(row: _File, origin: str) -> Track:
    return Track(row.id, row.name, origin + PLACE + row.file)
