"""The synthesiser computes the six calm pieces that come with Holdfast and encodes them as MP3.

`python -m holdfast.music.synthesiser OUTPUT_FOLDER` writes the files and prints the SHA-256 of each piece's samples. It needs numpy and
ffmpeg; the server needs neither and never imports this module. Seeds are fixed: the same numpy on the same kind of machine gives the same samples.

How the pieces loop. All material is computed on a circle: the last sample is followed by the first. Even so a player may put 20 to 60 ms of
silence at the seam, because MP3 pads both ends, and a hole in steady rain is a click. So each piece also rises from silence and sinks back
into it over FADE seconds: a gap then lies in silence and cannot be heard. The price is a short lull every two minutes; a click would startle.
"""

# numpy is not among the product's packages, so its types cannot be checked.
# mypy: ignore-errors

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

RATE = 32_000  # samples per second: holds up to 16 kHz, more than any of the pieces uses
SECONDS = 130  # whole breaths, and room for eight slow chords
FADE = 4.0  # seconds, the length of one breath in
LOUDNESS = -23.0  # LUFS, ITU-R BS.1770 integrated: about as loud as speech on the radio; every piece has the same
CEILING = -6.0  # dBFS, which no sample may pass

Array = NDArray[np.float64]  # a sound has the shape (2, SAMPLES), a spectrum (BINS,), a curve over time (TICKS,) or (2, TICKS)

SAMPLES = RATE * SECONDS
TIME = np.arange(SAMPLES) / RATE
TICK = 0.01  # seconds between two points of a curve over time
TICKS = np.arange(0, SECONDS, TICK)
FREQUENCY = np.fft.rfftfreq(SAMPLES, 1 / RATE)
PITCH = np.log2(np.maximum(FREQUENCY, 1.0))  # in octaves above 1 Hz

OCTAVES = 90.0 * 2.0 ** np.arange(7)  # Hz, the centres of the bands in which water and wind open and close
BREATH_IN, BREATH_OUT = 4.0, 6.0  # seconds; no hold, because holding the breath worsens panic in some people


class Piece(NamedTuple):
    file: str
    title: str
    compose: Callable[[Generator], Array]
    kilobits: int  # per second


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, piece in enumerate(PIECES, start=1):
        samples = finish(piece.compose(np.random.default_rng(seed)))
        encode(samples, piece, folder / piece.file)
        print(hashlib.sha256(samples).hexdigest(), piece.file, flush=True)


# The pieces. Each takes a seeded generator and gives a circular sound at any level; `finish` sets the level and the fades.


def ocean(rng: Generator) -> Array:
    """Two trains of waves, near and far. Low bands swell first, high ones open at the crest and fizz out last, as on a flat beach."""
    near = [(at + rng.uniform(-1.5, 1.5), rng.uniform(0.6, 1.0), rng.uniform(0.3, 0.7)) for at in np.arange(5, SECONDS, 10.0)]
    far = [(at + rng.uniform(-2.0, 2.0), rng.uniform(0.15, 0.4), rng.uniform(0.1, 0.9)) for at in np.arange(0, SECONDS, 13.0)]
    sound = 0.12 * noise(rng, slope(-4.5) * band(300, 2.0))
    for octave, centre in enumerate(OCTAVES):
        swell = np.full((2, len(TICKS)), 0.02)
        for at, height, right in near + far:
            crest = hill(at + 0.3 * octave, rise=2.0 - 0.1 * octave, fall=2.2 + 0.15 * octave)
            swell += height * crest ** (0.6 + 0.2 * octave) * sides(right)
        foam = 1 + 0.03 * octave * np.stack([drift(rng, 8.0), drift(rng, 8.0)])
        level = min(1.0, 0.5 + 0.25 * octave) * 2.0 ** (-0.45 * octave)
        sound += level * noise(rng, band(centre)) * per_sample(swell * foam)
    return sound


def rain(rng: Generator) -> Array:
    """A soft bed of far rain; over it three sizes of drops, from a fine patter to a few round ones close by."""
    bed = noise(rng, slope(-3.5) * band(800, 1.7)) * per_sample(1 + 0.08 * drift(rng, 0.1))
    patter = drops(rng, per_second=260, lowest=1800, highest=6500, decay=0.004)
    leaves = drops(rng, per_second=45, lowest=500, highest=1800, decay=0.010)
    round_ones = drops(rng, per_second=4, lowest=350, highest=900, decay=0.025)
    return bed + 0.45 * patter + 0.40 * leaves + 0.15 * round_ones


def brown_noise(rng: Generator) -> Array:
    """Power falls by 6 dB per octave above 90 Hz; below it levels off, so that it is deep without rumbling."""
    levelled = 1 / np.sqrt(1 + (FREQUENCY / 90) ** 2)
    return noise(rng, levelled, width=0.5) * per_sample(1 + 0.04 * drift(rng, 0.05))


def wind(rng: Generator) -> Array:
    """Gusts that pass from left to right. The stronger one is, the higher its colour and the more the leaves stir."""
    strength = 1 / (1 + np.exp(-drift(rng, 0.05) - 0.3 * drift(rng, 0.2)))
    gust = np.stack([strength, np.roll(strength, round(0.8 / TICK))])
    sound = np.zeros((2, SAMPLES))
    for octave, centre in enumerate(OCTAVES[:6]):
        above = octave - (1.2 + 1.8 * gust)
        sound += noise(rng, band(centre)) * per_sample((0.25 + 0.75 * gust) * np.exp(-0.5 * (above / 1.5) ** 2))
    for centre in (2200, 3600, 5200):
        flutter = 1 + 0.25 * np.tanh([drift(rng, 5.0), drift(rng, 5.0)])
        sound += 0.24 * noise(rng, band(centre, 0.4)) * per_sample(gust**1.8 * flutter)
    return sound


def slow_pad(rng: Generator) -> Array:
    """Eight chords around D major, each melting into the next; the bass stays low and no voice leaps."""
    chords = (
        "D2 A2 F#3 A3 D4 E4 A4",
        "D2 G2 D3 F#3 B3 D4 A4",
        "B2 F#3 A3 B3 D4 F#4",
        "G2 D3 F#3 A3 B3 D4 F#4",
        "E2 B2 G3 B3 D4 F#4",
        "A2 E3 G3 B3 D4 E4 A4",
        "F#2 A2 F#3 A3 D4 E4 A4",
        "G2 D3 G3 B3 D4 A4",
    )
    length = SECONDS / len(chords)
    sound = np.zeros((2, SAMPLES))
    for number, chord in enumerate(chords):
        presence = plateau((number + 0.5) * length, length, melt=6.0)
        sound += tones(rng, chord, fall=1.7, shimmer=0.6) * per_sample(presence)
    return sound


def breath(rng: Generator) -> Array:
    """Swells and brightens for BREATH_IN, sinks to a lower chord for BREATH_OUT. No gliding tone: that would be a siren."""
    moment = TICKS % (BREATH_IN + BREATH_OUT)
    fullness = np.where(moment < BREATH_IN, moment / BREATH_IN, 1 - (moment - BREATH_IN) / BREATH_OUT)
    level = 0.16 + 0.84 * np.sin(np.pi / 2 * fullness) ** 2
    turn = 2 * np.pi / (BREATH_IN + BREATH_OUT)
    inward = 1 / (1 + np.exp(6 * (np.cos(turn * BREATH_IN / 2) - np.cos(turn * (moment - BREATH_IN / 2)))))
    upper = tones(rng, "D3 A3 D4 F#4", fall=2.0, shimmer=0.25) * per_sample(level * np.sin(np.pi / 2 * inward))
    lower = tones(rng, "G2 D3 G3 B3", fall=2.0, shimmer=0.25) * per_sample(level * np.cos(np.pi / 2 * inward))
    air = noise(rng, band(700, 0.6)) * per_sample(level) + 0.5 * noise(rng, band(1800, 0.5)) * per_sample(level**3)
    return upper + lower + 0.12 * air


# What the pieces are made of.


def noise(rng: Generator, spectrum: Array, width: float = 0.7) -> Array:
    """Circular noise of RMS 1 in two channels with the amplitude `spectrum`; `width` 0 is mono, 1 is two unrelated channels."""
    middle, left, right = circle(rng, spectrum), circle(rng, spectrum), circle(rng, spectrum)
    return np.sqrt(1 - width) * middle + np.sqrt(width) * np.stack([left, right])


def tones(rng: Generator, chord: str, fall: float, shimmer: float) -> Array:
    """A chord of soft voices; partial n has the level n ** -fall. Each is a steady line in a cloud of detuned ones, whose part is `shimmer`."""
    lines, clouds = np.zeros(len(FREQUENCY)), np.zeros(len(FREQUENCY))
    for note in chord.split():
        for partial in range(1, 7):
            centre = partial * hertz(note)
            lines[round(centre * SECONDS)] += partial**-fall
            clouds += partial**-fall * np.exp(-0.5 * ((FREQUENCY - centre) / (0.0012 * centre)) ** 2) / np.sqrt(centre)
    return np.sqrt(1 - shimmer**2) * circle(rng, lines) + shimmer * noise(rng, clouds, width=1.0)


def circle(rng: Generator, spectrum: Array) -> Array:
    """One channel of RMS 1 with this spectrum and phases left to chance. What is made of whole turns ends where it began."""
    wave = np.fft.irfft(spectrum * np.exp(2j * np.pi * rng.random(len(spectrum))), 2 * (len(spectrum) - 1))
    return wave / rms(wave)


def rms(wave: Array) -> float:
    return float(np.sqrt(np.mean(wave**2)))


def drops(rng: Generator, per_second: int, lowest: float, highest: float, decay: float) -> Array:
    """Falling drops of RMS 1: short damped tones that rise a little, each with its own moment, pitch (Hz), size and place."""
    sound = np.zeros((2, SAMPLES))
    since = np.arange(0, 12 * decay, 1 / RATE)
    ring = (1 - np.exp(-since / 0.0012)) * np.exp(-since / decay)
    turns = 2 * np.pi * since * (1 + 0.05 * since / decay)
    for _ in range(per_second * SECONDS):
        pitch = lowest * (highest / lowest) ** rng.random()
        drop = rng.uniform(0.2, 1.0) ** 3 * ring * np.sin(pitch * turns)
        start = rng.integers(SAMPLES)
        sound[:, np.arange(start, start + len(drop)) % SAMPLES] += sides(rng.uniform(0.1, 0.9)) * drop
    return sound / rms(sound)


def band(centre: float, octaves: float = 0.6) -> Array:
    """A spectrum around `centre` Hz with soft flanks, `octaves` wide to each side."""
    return np.exp(-0.5 * ((PITCH - np.log2(centre)) / octaves) ** 2)


def slope(decibels: float) -> Array:
    """A spectrum that changes by so many decibels per octave."""
    return 10 ** (decibels * PITCH / 20)


def drift(rng: Generator, fastest: float) -> Array:
    """A circular curve of RMS 1 around 0 that wanders, hardly faster than `fastest` Hz."""
    frequency = np.fft.rfftfreq(len(TICKS), TICK)
    return circle(rng, np.exp(-0.5 * (frequency / fastest) ** 2) * (frequency > 0))


def hill(at: float, rise: float, fall: float) -> Array:
    """A curve from 0 up to 1 at the second `at` and down again; `rise` and `fall` in seconds are half its steep parts."""
    since = around(at)
    return np.exp(-0.5 * (since / np.where(since < 0, rise, fall)) ** 2)


def plateau(at: float, length: float, melt: float) -> Array:
    """A curve that is 1 for `length` seconds around `at`, with flanks of `melt` seconds whose powers add up to 1 with its neighbours'."""
    outside = np.abs(around(at)) - length / 2
    return np.cos(np.pi / 2 * np.clip(outside / melt + 0.5, 0, 1))


def around(at: float) -> Array:
    """Seconds from `at`, the shorter way round the circle."""
    return (TICKS - at + SECONDS / 2) % SECONDS - SECONDS / 2


def sides(right: float) -> Array:
    """Gains of the two channels, shape (2, 1), for a place from 0 (left) to 1 (right); their powers add up to 2."""
    return np.sqrt(2 * np.array([[1 - right], [right]]))


def per_sample(curve: Array) -> Array:
    """A curve over ticks as gains for every sample, one row or one per channel."""
    return np.stack([np.interp(TIME, TICKS, row, period=SECONDS) for row in np.atleast_2d(curve)])


def hertz(note: str) -> float:
    """`A3` is 220 Hz, equal temperament."""
    semitones = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"].index(note[:-1]) + 12 * int(note[-1])
    return 440 * 2 ** ((semitones - 57) / 12)


# Level, fades, file.


def finish(sound: Array) -> NDArray[np.int16]:
    """Frames of two 16-bit samples: nothing below 25 Hz, little above 8 kHz, faded at both ends, at LOUDNESS."""
    gentle = 1 / np.sqrt(1 + (32 / np.maximum(FREQUENCY, 0.01)) ** 8) / np.sqrt(1 + (FREQUENCY / 8000) ** 6)
    sound = np.fft.irfft(np.fft.rfft(sound) * gentle, SAMPLES)
    edge = np.clip(np.minimum(TIME, TIME[::-1]) / FADE, 0, 1)
    sound *= np.sin(np.pi / 2 * edge) ** 2
    sound *= 10 ** ((LOUDNESS - loudness(sound)) / 20)
    peak = 20 * np.log10(np.abs(sound).max())
    if peak > CEILING:
        raise ValueError(f"a peak of {peak:.1f} dBFS is over {CEILING} dBFS")
    return np.ascontiguousarray(np.round(sound.T * 32767).astype("<i2"))


def loudness(sound: Array) -> float:
    """Integrated loudness in LUFS by ITU-R BS.1770-4: K-weighting, blocks of 0.4 s every 0.1 s, gates at -70 LUFS and -10 LU."""
    turn = np.exp(-2j * np.pi * FREQUENCY / 48_000)  # the standard gives its two filters for 48 kHz
    head = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], turn) / np.polyval([0.73248077421585, -1.69065929318241, 1], turn)
    floor = np.polyval([1, -2, 1], turn) / np.polyval([0.99007225036621, -1.99004745483398, 1], turn)
    weighted = np.fft.irfft(np.fft.rfft(sound) * np.abs(head * floor), SAMPLES)
    tenths = (weighted**2).sum(axis=0).reshape(-1, RATE // 10).mean(axis=1)
    blocks = np.convolve(tenths, np.full(4, 0.25), "valid")
    blocks = blocks[in_lufs(blocks) > -70]
    return float(in_lufs(blocks[in_lufs(blocks) > in_lufs(blocks.mean()) - 10].mean()))


def in_lufs(power: Array) -> Array:
    return -0.691 + 10 * np.log10(np.maximum(power, 1e-12))


def encode(samples: NDArray[np.int16], piece: Piece, path: Path) -> None:
    """MP3 at a constant bit rate, so that seeking by byte range is exact; the only tag is the title."""
    ffmpeg = shutil.which("ffmpeg") or sys.exit("ffmpeg is missing")
    source = ["-f", "s16le", "-ar", str(RATE), "-ac", "2", "-i", "-"]
    stream = ["-c:a", "libmp3lame", "-b:a", f"{piece.kilobits}k", "-compression_level", "0"]
    tags = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1", "-metadata", f"title={piece.title}"]
    subprocess.run([ffmpeg, "-v", "error", "-y", *source, *stream, *tags, path], input=samples.tobytes(), check=True)  # noqa: S603 - fixed arguments


PIECES = (
    Piece("ocean.mp3", "Ocean waves", ocean, 96),
    Piece("rain.mp3", "Steady rain", rain, 96),
    Piece("brown-noise.mp3", "Brown noise", brown_noise, 64),
    Piece("wind.mp3", "Wind in trees", wind, 80),
    Piece("slow-pad.mp3", "Slow warm pad", slow_pad, 64),
    Piece("breath.mp3", "Breathing tone", breath, 48),
)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m holdfast.music.synthesiser OUTPUT_FOLDER")
    main(Path(sys.argv[1]))
