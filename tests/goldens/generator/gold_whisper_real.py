"""whisper_tiny_en.json: what transformers makes of a recording by the real whisper-tiny.en."""

import sys
import wave
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration
from transformers.utils import logging

import jsonio

logging.disable_progress_bar()

FILE = "real/whisper_tiny_en.json"
# two_cities.wav of the wheel moonshine-voice 0.1.5.
RECORDING = "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e"
RATE = 16000
WINDOW = 30 * RATE
CROSSINGS = 64
ROWS = range(0, 1500, 100)
WIDTH = 8


def samples(path: Path) -> np.ndarray:
    """At 16 kHz, as `audio/src/resample.rs` makes them: what is compared is the model, not the resampler."""
    if jsonio.sha256(path) != RECORDING:
        sys.exit(f"{path} is not the recording that this golden is made from (sha256 {RECORDING})")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (3 * RATE, 1, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    corner = 0.95 / 3
    reach = int(np.ceil(CROSSINGS / corner))
    n = np.arange(1 - reach, reach + 1)
    taps = np.sinc(corner * n) * np.i0(9 * np.sqrt(1 - (n / reach) ** 2))
    padded = np.concatenate([np.zeros(reach - 1), sound, np.zeros(reach)])
    return np.correlate(padded, taps / taps.sum(), "valid")[::3].astype(np.float32)


def load(folder: Path):
    return WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def make(out: Path, folder: Path, recording: Path):
    model, tok, sound = load(folder), Tokenizer.from_file(str(folder / "tokenizer.json")), samples(recording)
    eot = model.generation_config.eos_token_id
    text_of = lambda ids: tok.decode([i for i in ids if i < eot], skip_special_tokens=False)
    mel_of = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    greedy = {"do_sample": False, "num_beams": 1}

    first = mel_of(sound[:WINDOW], sampling_rate=RATE, return_tensors="pt").input_features
    encoded = model.model.encoder(first).last_hidden_state[0]
    ids = model.generate(first, return_timestamps=False, **greedy)[0].tolist()

    whole = mel_of(
        sound, sampling_rate=RATE, return_tensors="pt", truncation=False, padding="longest", return_attention_mask=True)
    found = model.generate(
        whole.input_features, attention_mask=whole.attention_mask, return_timestamps=True, return_segments=True,
        condition_on_prev_tokens=False, **greedy)
    segments = [
        {"start": round(float(s["start"]), 2), "end": round(float(s["end"]), 2), "text": text_of(s["tokens"].tolist())}
        for s in found["segments"][0]]

    # What transformers calls the timestamp of a token is where it ends.
    timed = model.generate(first, return_timestamps=True, return_token_timestamps=True, return_segments=True, **greedy)
    tokens = [
        {"id": i, "end": round(float(t), 2)}
        for s in timed["segments"][0] for i, t in zip(s["tokens"].tolist(), s["token_timestamps"].tolist())]
    jsonio.write(out / "whisper_tiny_en.json", {
        "seconds": len(sound) / RATE,
        "encoder": [[float(f"{v:.6g}") for v in encoded[row, :WIDTH]] for row in ROWS],
        "ids": [i for i in ids if i < eot],
        "long_form": {"text": "".join(s["text"] for s in segments), "segments": segments},
        "tokens": tokens,
    })
