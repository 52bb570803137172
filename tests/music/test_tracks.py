"""The shipped tracks, read frame by frame: an MPEG-1 Layer III file says enough in its headers to be judged without a decoder."""

from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

import holdfast

FOLDER = Path(holdfast.__file__).parent / "music" / "tracks"
NAMES = ["breath", "brown-noise", "ocean", "rain", "slow-pad", "wind"]
KILOBITS = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
RATES = [44_100, 48_000, 32_000]
FRAME = 1152  # samples in a frame of MPEG-1 Layer III
LARGEST = [0, 1, 2, 2, 0, 3, 3, 5, 5, 5, 7, 7, 7, 15, 0, 15]  # value that each of the small Huffman tables can hold
ESCAPE_BITS = [1, 2, 3, 4, 6, 8, 10, 13, 4, 5, 6, 7, 8, 9, 11, 13]  # of the large ones, 16 to 31


class Damaged(Exception):
    pass


class Frame(NamedTuple):
    rate: int
    reaches_back: int  # bytes of this frame's sound that stand in the frames before
    granules: list[tuple[int, float]]  # (bits of sound, loudest value that they can hold, full scale being 1), two times two channels
    body: bytes  # what follows the side information


@pytest.fixture(params=NAMES)
def track(request):
    return FOLDER / f"{request.param}.mp3"


def test_six_tracks_are_shipped_and_nothing_else():
    assert sorted(path.name for path in FOLDER.iterdir()) == [f"{name}.mp3" for name in NAMES]


def test_all_tracks_together_are_under_eight_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8_000_000


def test_every_track_is_at_least_two_minutes_of_whole_mpeg_frames(track):
    frames = read(track.read_bytes())
    assert 120 <= len(frames) * FRAME / frames[0].rate <= 151


def test_every_track_tells_a_player_how_to_cut_off_the_padding_so_that_ten_whole_seconds_are_left(track):
    tag, *frames = read(track.read_bytes())
    assert tag.body.startswith(b"Info")
    assert int.from_bytes(tag.body[8:12]) == len(frames)
    padding = int.from_bytes(tag.body[141:144])
    samples = len(frames) * FRAME - (padding >> 12) - (padding & 0xFFF)
    assert samples % (10 * tag.rate) == 0


def test_every_track_begins_and_ends_in_silence_so_that_a_gap_at_the_seam_is_not_heard(track):
    _, *frames = read(track.read_bytes())
    loudest = [max(value for _, value in frame.granules) for frame in frames]
    inside = median(loudest)
    assert max(loudest[:4] + loudest[-4:]) < inside / 16


def test_no_track_carries_more_than_its_title(track):
    data = track.read_bytes()
    assert data[:3] == b"ID3"
    assert data[10:14] == b"TIT2"
    frame = int.from_bytes(data[14:18])
    assert not data[20 + frame : 10 + length_of_tag(data)].strip(b"\0")


@pytest.mark.parametrize("harm", ["cut short", "byte lost", "header hit", "frame lost", "junk at the end"])
def test_a_damaged_copy_is_noticed(harm):
    data = (FOLDER / "rain.mp3").read_bytes()
    start = 10 + length_of_tag(data)
    third = start + 3 * 432
    broken = {
        "cut short": data[:-100],
        "byte lost": data[:700_000] + data[700_001:],
        "header hit": data[:third] + b"\0" + data[third + 1 :],
        "frame lost": data[: third + 432 * 50] + data[third + 432 * 51 :],
        "junk at the end": data + b"TAG" + bytes(125),
    }[harm]
    with pytest.raises(Damaged):
        read(broken)


@pytest.mark.slow
def test_the_synthesiser_computes_the_same_samples_every_time():
    from numpy.random import default_rng

    from holdfast.music.synthesiser import breath, finish

    assert finish(breath(default_rng(6))).tobytes() == finish(breath(default_rng(6))).tobytes()


def read(data: bytes) -> list[Frame]:
    """All frames of a stereo MP3, the one with the Info tag first. Raises Damaged unless they fill the file without a gap and each one's
    sound lies whole between that of its neighbours."""
    at = 10 + length_of_tag(data)
    frames: list[Frame] = []
    bytes_of_sound = end_of_last = 0
    while at < len(data):
        size, frame = read_frame(data, at)
        start = bytes_of_sound - frame.reaches_back
        end = start * 8 + sum(bits for bits, _ in frame.granules)
        bytes_of_sound += len(frame.body)
        if start * 8 < end_of_last or end > bytes_of_sound * 8:
            raise Damaged(f"the sound of the frame at {at} overlaps its neighbour's")
        end_of_last = end
        if not frames:  # the frame with the tag holds no sound for the others to reach back to
            bytes_of_sound = end_of_last = 0
        frames.append(frame)
        at += size
    if int.from_bytes(frames[0].body[8:12]) != len(frames) - 1:
        raise Damaged("not the number of frames that the Info tag tells")
    return frames


def length_of_tag(data: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))


def read_frame(data: bytes, at: int) -> tuple[int, Frame]:
    first, second, third, fourth = data[at : at + 4].ljust(4, b"\0")
    if first != 0xFF or second != 0xFB or third >> 4 in (0, 15) or third >> 2 & 3 == 3 or fourth >> 6 == 3:
        raise Damaged(f"no frame of stereo MPEG-1 Layer III at {at}")
    rate = RATES[third >> 2 & 3]
    size = 144_000 * KILOBITS[third >> 4] // rate + (third >> 1 & 1)
    if at + size > len(data):
        raise Damaged(f"the frame at {at} is cut short")
    side = f"{int.from_bytes(data[at + 4 : at + 36]):0256b}"
    granules = [read_granule(side[start : start + 59]) for start in range(20, 256, 59)]
    return size, Frame(rate, int(side[:9], 2), granules, data[at + 36 : at + size])


def read_granule(side: str) -> tuple[int, float]:
    """ISO 11172-3, 2.4.1.7: so many bits, pairs of large values, step size (a quarter of a power of two), Huffman tables."""
    bits, pairs, step = int(side[:12], 2), int(side[12:21], 2), int(side[21:29], 2)
    if pairs > 288:
        raise Damaged("more values than a granule has")
    switched = side[33] == "1"
    tables = [int(side[start : start + 5], 2) for start in ((37, 42) if switched else (34, 39, 44))]
    largest = max(LARGEST[table] if table < 16 else 14 + (1 << ESCAPE_BITS[table - 16]) for table in tables) if pairs else 1
    return bits, largest ** (4 / 3) * 2 ** ((step - 210) / 4) if bits else 0.0
