"""Writes the goldens of the crate `audio`: log-mel frames and the logits that Whisper's rules leave.

Inputs are made from integers, so that Rust makes the same ones. Run: python gold_audio.py OUT_FOLDER
"""

import json
import pathlib
import sys

import numpy as np
import torch
from transformers import WhisperFeatureExtractor
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor
from transformers.models.whisper.generation_whisper import WhisperGenerationMixin

OUT = pathlib.Path(sys.argv[1])


def noise(count, seed):
    state = seed
    values = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append((state >> 8) / 2**23 - 1)
    return np.array(values, dtype=np.float32)


def signals():
    sweep = [((n * n // 160) % 400) / 200 - 1 for n in range(24000)]
    click = np.zeros(4000, dtype=np.float32)
    click[0] = 1
    yield "noise", noise(16000, 1)
    yield "sweep", np.array(sweep, dtype=np.float32)
    yield "click", click
    yield "silence", np.zeros(8000, dtype=np.float32)
    yield "quiet", noise(9999, 7) * np.float32(2**-10)


def mels():
    for bins in (80, 128):
        extractor = WhisperFeatureExtractor(feature_size=bins)
        for name, signal in signals():
            mel = extractor._np_extract_fbank_features(signal[None], "cpu")[0]
            torch_mel = extractor._torch_extract_fbank_features(signal[None], "cpu")[0]
            print(name, bins, mel.shape, "numpy to torch", np.abs(mel - torch_mel).max())
            frames = [f for f in range(mel.shape[1]) if f < 2 or f % 13 == 0 or f >= mel.shape[1] - 2]
            mel[:, frames].T.astype("<f4").tofile(OUT / f"mel-{name}-{bins}.f32")


class Config:
    def __init__(self, first):
        self.no_timestamps_token_id = 19
        self.eos_token_id = 10
        self.bos_token_id = 10
        self.max_initial_timestamp_index = first


def rules():
    cases = []
    for seed, ids in enumerate([[], [22], [22, 3], [22, 3, 25], [22, 3, 25, 25], [22, 3, 25, 25, 4], [22, 22], [3], [39], [20]]):
        for first in (None, 0, 5):
            for scale in (1, 8):
                logits = noise(40, 100 * seed + scale) * np.float32(scale)
                processor = WhisperTimeStampLogitsProcessor(Config(first), begin_index=1)
                out = processor(torch.tensor([[11, *ids]]), torch.tensor(logits)[None])[0]
                kept = [i for i in range(40) if out[i] > -np.inf]
                cases.append({"ids": ids, "first": first, "seed": 100 * seed + scale, "scale": scale, "kept": kept})
    (OUT / "rules.json").write_text(json.dumps(cases))


def segments():
    begin = 20
    cases = []
    for ids in (
        [3, 4], [20, 3], [20, 3, 25], [22, 3, 25, 25, 4], [22, 3, 25, 25, 4, 31], [22, 3, 25, 26, 4, 31, 31],
        [22, 3, 25, 25, 4, 31, 31, 5], [22, 3, 20], [20, 3, 30, 30, 30, 7], [25, 3, 4, 1], [22, 3, 24, 24, 4, 29, 30, 5, 39],
    ):
        for seek, frames in ((0, 3000), (1234, 3000), (500, 777)):
            found, offset = WhisperGenerationMixin._retrieve_segment(
                seek_sequence=torch.tensor(ids), seek_outputs=[None],
                time_offset=torch.tensor([seek / 100], dtype=torch.float64), timestamp_begin=begin,
                seek_num_frames=torch.tensor([frames]), time_precision=0.02, time_precision_features=0.01,
                input_stride=2, prev_idx=0, idx=0, return_token_timestamps=False,
                decoder_input_ids=torch.tensor([[1]]),
            )  # fmt: skip
            segments = [[float(s["start"]), float(s["end"]), s["tokens"].tolist()] for s in found]
            cases.append({"ids": ids, "seek": seek, "frames": frames, "advance": int(offset), "segments": segments})
    (OUT / "segments.json").write_text(json.dumps(cases))


rules()
segments()
mels()
