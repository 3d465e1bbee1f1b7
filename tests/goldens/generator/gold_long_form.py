"""whisper_long_form.json: what transformers makes of three minutes by the real whisper-tiny.en.

The three minutes are pieces of one recording with silence between them, so that speech crosses the edges of windows wherever they fall.
"""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import WhisperFeatureExtractor

import jsonio
from gold_whisper_real import RATE, load, samples

FILE = "real/whisper_long_form.json"
# Samples of the recording from and to, or how many of silence. All numbers are of 16 kHz.
PIECES = [
    [0, 708_000], 5 * RATE, [200_000, 708_000], 3 * RATE, [0, 708_000], 10 * RATE, [32_000, 708_000],
]
WINDOW = 30 * RATE
FRAMES = 3000


def join(sound: np.ndarray) -> np.ndarray:
    parts = [np.zeros(piece, np.float32) if isinstance(piece, int) else sound[slice(*piece)] for piece in PIECES]
    return np.concatenate(parts)


def srt_time(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


def srt(segments: list[dict]) -> str:
    return "".join(
        f"{n}\n{srt_time(s['start'])} --> {srt_time(s['end'])}\n{s['text'].strip()}\n\n" for n, s in enumerate(segments, 1))


@torch.no_grad()
def make(out: Path, folder: Path, recording: Path):
    model, tok = load(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
    sound, eot = join(samples(recording)), model.generation_config.eos_token_id
    assert len(sound) >= 180 * RATE
    # openai's padding: 30 s of zeros behind the samples, of which no window but the last sees anything.
    whole = WhisperFeatureExtractor()(
        np.pad(sound, (0, WINDOW)), sampling_rate=RATE, return_tensors="pt", truncation=False, padding="longest")
    seeks = []

    def cut(input_features, seek, **_):
        seeks.append(int(seek[0]))
        return whole.input_features[:, :, seeks[-1] : seeks[-1] + FRAMES]

    model._get_input_segment = cut
    found = model.generate(
        whole.input_features[:, :, : len(sound) // 160], return_timestamps=True, return_segments=True, do_sample=False,
        num_beams=1, condition_on_prev_tokens=False, temperature=(0.0,), logprob_threshold=-1.0, no_speech_threshold=0.6,
        compression_ratio_threshold=2.4)
    segments = [
        {"start": round(float(s["start"]), 2), "end": round(float(s["end"]), 2),
         "text": tok.decode([i for i in s["tokens"].tolist() if i < eot], skip_special_tokens=False)}
        for s in found["segments"][0]]
    jsonio.write(out / "whisper_long_form.json", {
        "pieces": PIECES, "samples": len(sound), "seeks": seeks, "segments": segments, "srt": srt(segments),
    })
