"""Listens to the shipped tracks and measures whether they are calm: `python bench/listen.py [FOLDER]`.

Decodes every MP3 as a browser does (48 kHz, stereo, encoder padding cut off by the Info tag), prints one line per track and ends
with 1 if a limit is broken, with 2 if numpy or ffmpeg is missing.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

LIMITS = {  # column: (lowest, highest), and why
    "seconds": (120, 150),  # long enough to settle into, short enough for a small file
    "peak dBFS": (-40, -6),  # room for what decoders and resamplers add, so that nothing clips
    "LUFS": (-25, -21),  # within 3 LU of -23, and close together, so that changing the track does not startle
    "jump dB": (0, 6),  # 50 ms level, 100 ms apart; 10 dB is heard as twice as loud, a door or a shout is 20 and more
    "swing dB": (0, 8),  # level of a second against the next, inside the fades; a breath in rises by 16 dB in four seconds and needs 7
    "seam": (0, 1),  # step from the last sample to the first, as a part of the largest step inside: above 1 it would click
    "edge dBFS": (-200, -55),  # peak of the first and last 60 ms: where a player puts its gap there must be nothing to cut
    "centre Hz": (40, 3000),  # centroid of the spectrum; bright hiss tires and frightens
    ">8 kHz %": (0, 1),  # share of the energy: no hard high frequencies
    "<25 Hz %": (0, 1),  # share of the energy: rumble is felt as threat and wastes the range of small loudspeakers
    "DC dBFS": (-200, -60),  # an offset clicks at start and stop
}
RATE = 48_000
QUIET = -55.0  # dBFS; what happens below this is not heard in a silent room at usual volume

try:
    import numpy as np
except ImportError:
    print("bench/listen.py needs numpy: pip install numpy", file=sys.stderr)
    sys.exit(2)


def main(folder: Path) -> int:
    ffmpeg = shutil.which("ffmpeg")
    if not ffmpeg:
        print("bench/listen.py needs ffmpeg as its decoder: install it with the system's package manager", file=sys.stderr)
        return 2
    tracks = sorted(folder.glob("*.mp3"))
    if not tracks:
        print(f"no MP3 file in {folder}", file=sys.stderr)
        return 1
    print(f"{'':16}" + "".join(f"{column:>10}" for column in LIMITS))
    broken = []
    for track in tracks:
        measured = {"LUFS": loudness(ffmpeg, track), **measure(decode(ffmpeg, track))}
        print(f"{track.name:16}" + "".join(f"{measured[column]:10.2f}" for column in LIMITS))
        broken += [
            f"{track.name}: {column} is {measured[column]:.2f}, must lie between {low} and {high}"
            for column, (low, high) in LIMITS.items()
            if not low <= measured[column] <= high
        ]
    print("\n".join(["", *broken]) if broken else "\nEvery track keeps every limit.")
    return 1 if broken else 0


def decode(ffmpeg, track):
    """Samples of the shape (frames, 2), 1.0 is full scale."""
    command = [ffmpeg, "-v", "error", "-i", track, "-f", "f32le", "-ar", str(RATE), "-ac", "2", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4").reshape(-1, 2).astype(float)


def loudness(ffmpeg, track):
    """Integrated loudness in LUFS, by ffmpeg's own ITU-R BS.1770 meter: the synthesiser has another, so that each checks the other."""
    command = [ffmpeg, "-nostats", "-hide_banner", "-i", track, "-af", "ebur128", "-f", "null", "-"]
    report = subprocess.run(command, capture_output=True, check=True, text=True).stderr
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", report)[-1])


def measure(sound):
    power = (np.abs(np.fft.rfft(sound, axis=0)) ** 2).sum(axis=1)
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
    gap = round(0.060 * RATE)
    return {
        "seconds": len(sound) / RATE,
        "peak dBFS": decibels(np.abs(sound).max()),
        "jump dB": largest_change(levels(sound, 0.05), 2),
        "swing dB": largest_change(levels(sound, 1.0)[5:-5], 1),
        "seam": np.abs(sound[0] - sound[-1]).max() / np.abs(np.diff(sound, axis=0)).max(),
        "edge dBFS": decibels(np.abs(np.concatenate([sound[:gap], sound[-gap:]])).max()),
        "centre Hz": (frequency * power).sum() / power.sum(),
        ">8 kHz %": 100 * power[frequency > 8000].sum() / power.sum(),
        "<25 Hz %": 100 * power[frequency < 25].sum() / power.sum(),
        "DC dBFS": decibels(np.abs(sound.mean(axis=0)).max()),
    }


def levels(sound, seconds):
    """RMS in dBFS of one stretch after the other, both channels together; QUIET is the floor."""
    size = round(seconds * RATE)
    stretches = sound[: len(sound) // size * size].reshape(-1, size * 2)
    return np.maximum(decibels(np.sqrt((stretches**2).mean(axis=1))), QUIET)


def largest_change(level, steps):
    return np.abs(level[steps:] - level[:-steps]).max()


def decibels(amplitude):
    return 20 * np.log10(np.maximum(amplitude, 1e-10))


if __name__ == "__main__":
    shipped = Path(__file__).parents[1] / "holdfast" / "music" / "tracks"
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else shipped))
