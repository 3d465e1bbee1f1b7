"""Writes what the crate `audio` needs of Silero VAD 6.2.3 (MIT): its weights without the spectrogram's, which is computed, and the
probabilities that the published program gives for recordings with and without noise. Both are of the TorchScript file: the
wheel's safetensors file has the weights of another training.

Run: python gold_vad.py FOLDER_OF_THE_WHEEL ../../../audio
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import jsonio
import recordings

PROGRAM = "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720"
# Names of its modules for 16 kHz, and ours.
NAMES = {f"encoder.{i}.reparam_conv": f"conv{i + 1}" for i in range(4)} | {"decoder.rnn": "lstm_cell", "decoder.decoder.2": "final_conv"}
FRAME = 512
RECORDINGS = Path(__file__).resolve().parent.parent / "recordings"
# Seconds of noise around a recording.
AROUND = 3


def noise(count: int, seed: int) -> np.ndarray:
    """Uniform in -1 to 1, as `audio/tests/vad.rs` makes it."""
    out, state = np.empty(count), seed
    for i in range(count):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        out[i] = (state >> 8) / 2**23 - 1
    return out.astype(np.float32)


def cases():
    for name in ("german", "french"):
        sound = recordings.load(RECORDINGS / f"{name}.wav")
        whole = np.pad(sound, AROUND * recordings.RATE)
        for level in (0.0, 0.01, 0.05):
            yield {"file": f"{name}.wav", "noise": level}, whole + np.float32(level) * noise(len(whole), 1)
    yield {"file": None, "noise": 0.2}, np.float32(0.2) * noise(5 * recordings.RATE, 1)


@torch.no_grad()
def main():
    wheel, audio = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    path = wheel / "silero_vad/data/silero_vad.jit"
    if jsonio.sha256(path) != PROGRAM:
        sys.exit(f"{path} is not the file that this is made from (sha256 {PROGRAM})")
    model = torch.jit.load(str(path))
    kept = {}
    for name, value in model.state_dict().items():
        module, _, part = name.removeprefix("_model.").rpartition(".")
        if name.startswith("_model.") and module in NAMES:
            kept[f"{NAMES[module]}.{part}"] = value.half() if value.dim() > 1 else value
    save_file(kept, audio / "src/vad/silero_vad_16k.safetensors")
    found = []
    for about, samples in cases():
        model.reset_states()
        samples = np.pad(samples, (0, -len(samples) % FRAME))
        frames = torch.from_numpy(samples).split(FRAME)
        found.append(about | {"probabilities": [round(float(model(frame, recordings.RATE)), 5) for frame in frames]})
    (audio / "tests/data/vad.json").write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")


main()
