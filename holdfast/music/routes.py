"""The tracks, the choice, and the audio itself."""

from pathlib import Path

from msgspec import UNSET
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from holdfast.errors import Invalid, NotFound
from holdfast.http import Ask, Doors, FieldProblems, Message, Problem, own_or_staff, signed_in
from holdfast.music import service
from holdfast.music.schemas import Track, TrackChoice

DAY = "public, max-age=86400"

doors = Doors("/api/v1/user/music", tag="Music")
files = Doors("/music", tag="Music")
audio = StaticFiles(directory=Path(__file__).parent / "tracks")


@doors.get("/", who=signed_in, answers={200: list[Track]})
async def list_tracks(ask: Ask) -> list[Track]:
    """Every track that can be chosen, the service's own first."""
    async with ask.db.read() as tx:
        return await service.tracks(tx, ask.origin)


@doors.post(
    "/edit/{user_id}/", who=own_or_staff("User not found"), body=TrackChoice, answers={200: Message, 400: FieldProblems | Problem, 404: Problem}
)
async def choose_track(ask: Ask, choice: TrackChoice) -> Message:
    """Choose the track that an alarm plays; null goes back to the default."""
    if choice.music is UNSET:
        raise Invalid("Music ID is required")
    async with ask.db.write() as tx:
        await service.choose(tx, ask.user_id, choice.music)
    return Message("Music track updated successfully")


@files.file("/{file}")
async def play(ask: Ask) -> Response:
    """The audio, with byte ranges."""
    try:
        response = await audio.get_response(ask.scope["path"].removeprefix(service.PLACE), ask.scope)
    except HTTPException:
        raise NotFound from None
    response.headers["Cache-Control"] = DAY
    response.headers["Content-Security-Policy"] = "default-src 'none'; media-src 'self'; frame-ancestors 'none'"  # a browser may open it as a page
    return response
