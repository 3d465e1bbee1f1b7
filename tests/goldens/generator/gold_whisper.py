"""whisper_<name>/ with whisper_<name>.json and .bin files: tiny seeded Whispers, and what transformers makes of a second of sound."""

from pathlib import Path

import numpy as np
import torch
from transformers import WhisperFeatureExtractor
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor
from transformers.utils import logging

import jsonio
import whisper_models
from hf_llama import f32
from whisper_models import ID, TIMESTAMP_BEGIN, Tiny

logging.disable_progress_bar()

N_GREEDY = 24
# Of a float32 that is good to 1e-4; few seeds have a larger one in all of 180 steps.
MIN_MARGIN = 0.02
RATE = 16000
# The first, some of sound, some of silence, the last.
ROWS = [*range(8), *range(30, 38), *range(746, 754), *range(1492, 1500)]
# Language, task, with times, with a text before.
RUNS = [
    ("times", "en", "transcribe", True, False), ("no_times", "en", "transcribe", False, False),
    ("translation", "de", "translate", True, False), ("previous", "fr", "transcribe", False, True),
]
PREVIOUS = " The lamp of the harbour, and the oil."


def signal() -> np.ndarray:
    """1.1 s: a tone that rises, then noise with pauses. From integers, in steps of 2^-15."""
    n = np.arange(17600)
    sweep = ((n * n // 96) % 400 - 200) * 60
    state, noise = 1, []
    for _ in n:
        state = (state * 1664525 + 1013904223) % 2**32
        noise.append((state >> 17) - 2**14)
    noise = np.array(noise) * (n // 1600 % 3 > 0) // 2
    return (np.where(n < 9000, sweep, noise) / 32768).astype(np.float32)


def features(n_mels: int, samples: np.ndarray) -> torch.Tensor:
    """Of the samples, padded with zeros to 30 s."""
    return WhisperFeatureExtractor(feature_size=n_mels)(samples, sampling_rate=RATE, return_tensors="pt").input_features


@torch.no_grad()
def logits(model, mel: torch.Tensor, ids: list[int]) -> torch.Tensor:
    return model(input_features=mel, decoder_input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def margins_of(ids: list[int], scores, raw, n_prompt: int, config, with_times: bool) -> tuple[list[float], list[float]]:
    """At each step the margin of the best logit over the second, and by how much times together are more likely than the best
    word, where no other rule decides. `scores`, `raw`: rows of logits with and without the rules; `ids`: with the prompt."""
    found, rules = [], []
    begin = config.no_timestamps_token_id + 1
    plain = WhisperTimeStampLogitsProcessor(config, begin_index=n_prompt, _detect_timestamp_from_logprob=False)
    for step, (ruled, row) in enumerate(zip(scores, raw)):
        best = torch.topk(ruled, 2).values
        found.append(f32(best[0] - best[1]))
        if with_times:
            row = row.clone()
            row[config.suppress_tokens + (config.begin_suppress_tokens if step == 0 else [])] = -np.inf
            row = torch.log_softmax(plain(torch.tensor([ids[: n_prompt + step]]), row[None])[0].double(), -1)
            rule = float(torch.logsumexp(row[begin:], 0) - row[:begin].max())
            if np.isfinite(rule):
                rules.append(f32(rule))
    return found, rules


def run(model, mel: torch.Tensor, tok, name: str, language: str, task: str, with_times: bool, with_text: bool) -> tuple[dict, str | None]:
    """What is greedily generated, and what is wrong with the seed, None with a good one."""
    config = model.generation_config
    previous = [ID["<|startofprev|>"], *tok.encode(PREVIOUS, add_special_tokens=False).ids] if with_text else []
    prompt = [*previous, ID["<|startoftranscript|>"], ID[f"<|{language}|>"], ID[f"<|{task}|>"]]
    prompt += [] if with_times else [ID["<|notimestamps|>"]]
    out = model.generate(
        mel, language=language, task=task, return_timestamps=with_times, do_sample=False, num_beams=1, max_new_tokens=N_GREEDY,
        prompt_ids=torch.tensor(previous) if previous else None, force_unique_generate_call=True, return_dict_in_generate=True,
        output_scores=True, output_logits=True)
    ids = out.sequences[0].tolist()
    assert ids[: len(prompt)] == prompt, (ids, prompt)
    new = ids[len(prompt) :]
    rows = ([row[0] for row in rows] for rows in (out.scores, out.logits))
    margins, rules = margins_of(ids, *rows, len(prompt), config, with_times)
    times = [i >= TIMESTAMP_BEGIN for i in new]
    pairs = sum(a and b for a, b in zip(times, times[1:]))
    flaw = None
    if len(new) < N_GREEDY:
        flaw = f"an end after {len(new)} ids"
    elif (least := min([*margins, *map(abs, rules)])) <= MIN_MARGIN:
        flaw = f"a margin of {least:.2g}, not above {MIN_MARGIN}"
    elif len(set(new)) < 12 or with_times and (not 2 <= pairs <= 6 or not any(rule < 0 for rule in rules)):
        flaw = f"{len(set(new))} distinct ids, {pairs} pairs of times"
    return {
        "name": name, "language": language, "task": task, "with_times": with_times, "prompt_ids": prompt, "greedy_ids": new,
        "greedy_margins": margins, "rule_margins": rules, "min_margin": min(margins),
        "text": tok.decode([i for i in new if i < ID["<|endoftext|>"]]),
    }, flaw


def forced(tok) -> list[int]:
    text = tok.encode(" In 1848, the harbour", add_special_tokens=False).ids
    ids = [ID["<|startoftranscript|>"], ID["<|de|>"], ID["<|transcribe|>"], TIMESTAMP_BEGIN + 3, *text]
    return [*ids[:10], TIMESTAMP_BEGIN + 61, TIMESTAMP_BEGIN + 61]


def attempt(folder: Path, mel: torch.Tensor) -> tuple[list[dict], str | None]:
    model, tok, runs = whisper_models.load(folder), whisper_models.tokenizer(), []
    for args in RUNS:
        found, flaw = run(model, mel, tok, *args)
        runs.append(found)
        if flaw:
            return runs, f"{args[0]}: {flaw}"
    # Each prompt has to make a difference.
    starts = {tuple(found["greedy_ids"][:8]) for found in runs}
    return runs, None if len(starts) == len(runs) else "two prompts with one answer"


@torch.no_grad()
def measure(folder: Path, spec: Tiny, samples: np.ndarray, dtype) -> dict:
    """Encoder states, logits, and the probabilities at the first position, computed in `dtype`."""
    model = whisper_models.load(folder, dtype)
    mel = features(spec.n_mels, samples).to(dtype)
    first = torch.softmax(logits(model, mel, [ID["<|startoftranscript|>"]])[0], -1)
    languages = torch.tensor([ID[name] for name in whisper_models.LANGUAGES])
    return {
        "encoder": model.model.encoder(mel).last_hidden_state[0].numpy(),
        "logits": logits(model, mel, forced(whisper_models.tokenizer())).numpy(),
        "languages": (first[languages] / first[languages].sum()).numpy(), "no_speech": first[ID["<|nospeech|>"]].item(),
    }


def make_one(out: Path, spec: Tiny):
    samples = signal()
    mel = features(spec.n_mels, samples)
    folder = out / spec.name
    whisper_models.write(folder, spec)
    runs, flaw = attempt(folder, mel)
    assert not flaw, f"{spec.name}: seed {spec.seed} gives {flaw}"
    found, wide = (measure(folder, spec, samples, dtype) for dtype in (torch.float32, torch.float64))
    ids = forced(whisper_models.tokenizer())
    samples.astype("<f4").tofile(out / f"{spec.name}_samples.bin")
    found["encoder"][ROWS].astype("<f4").tofile(out / f"{spec.name}_encoder.bin")
    found["logits"].astype("<f4").tofile(out / f"{spec.name}_logits.bin")
    worst = lambda key: float(f"{np.abs(found[key] - wide[key]).max():.2e}")
    about = lambda what, shape, **more: {"file": f"{spec.name}_{what}.bin", "shape": list(shape), "dtype": "f32le"} | more
    jsonio.write(out / f"{spec.name}.json", {
        "folder": spec.name, "seed": spec.seed, "dtype": str(spec.dtype).removeprefix("torch."),
        "dims": {
            "n_mels": spec.n_mels, "d_model": spec.d_model, "n_heads": spec.n_heads, "d_ff": spec.d_ff,
            "n_encoder_layers": spec.n_encoder_layers, "n_decoder_layers": spec.n_decoder_layers,
            "n_vocab": whisper_models.N_VOCAB, "timestamp_begin": TIMESTAMP_BEGIN,
        },
        "samples_bin": about("samples", samples.shape, rate=RATE),
        "encoder_bin": about("encoder", (len(ROWS), spec.d_model), rows=ROWS),
        "logits_bin": about("logits", found["logits"].shape, ids=ids),
        "languages": {name: f32(p) for name, p in zip(whisper_models.LANGUAGES, found["languages"])},
        "no_speech_prob": f32(found["no_speech"]),
        "f32_vs_f64_max_abs_diff": {"encoder": worst("encoder"), "logits": worst("logits")},
        "runs": runs,
    })


def make(out: Path):
    for spec in whisper_models.MODELS:
        make_one(out, spec)
