"""WAV files as transformers wants them: mono at 16 kHz. As a program it makes one of ../recordings from espeak-ng's:

    espeak-ng -v de -s 150 -w de.wav "Guten Morgen, wie geht es Ihnen heute?"
    espeak-ng -v fr -s 165 -w fr.wav "Bonjour monsieur, je voudrais une tasse de café, s'il vous plaît."
    python recordings.py de.wav ../recordings/german.wav
    python recordings.py fr.wav ../recordings/french.wav
"""

import sys
import wave
from math import ceil, gcd
from pathlib import Path

import numpy as np

RATE = 16000
# Zero crossings of the sinc on each side, shape of the Kaiser window, and the corner as a share of the lower Nyquist frequency.
CROSSINGS, BETA, CORNER = 96, 10.0, 0.95
AT_ONCE = 4096


def read(path: Path) -> tuple[np.ndarray, int]:
    """Samples of a mono file of 16 bits, in [-1, 1), and its rate."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768, file.getframerate()


def to_16k(samples: np.ndarray, rate: int) -> np.ndarray:
    """A windowed sinc in float64: sample n of the result is the input's at n * rate / 16000."""
    up, down = RATE // gcd(rate, RATE), rate // gcd(rate, RATE)
    corner = CORNER * min(1, RATE / rate)
    reach = ceil(CROSSINGS / corner)
    n = np.arange(-(-len(samples) * up // down))
    padded = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (reach - 1, reach + 1)), 2 * reach)
    out = np.zeros(len(n))
    for phase in range(up):
        distance = np.arange(1 - reach, reach + 1) - phase / up
        taps = np.sinc(corner * distance) * np.i0(BETA * np.sqrt(np.maximum(0, 1 - (distance / reach) ** 2)))
        own = n[n * down % up == phase]
        for some in np.array_split(own, -(-len(own) // AT_ONCE)) if len(own) else []:
            out[some] = padded[some * down // up] @ (taps / taps.sum())
    return out


def load(path: Path) -> np.ndarray:
    samples, rate = read(path)
    return (samples if rate == RATE else to_16k(samples, rate)).astype(np.float32)


if __name__ == "__main__":
    source, target = sys.argv[1:]
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.round(to_16k(*read(Path(source))) * 32768).clip(-32768, 32767).astype("<i2").tobytes())
