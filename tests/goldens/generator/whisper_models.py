"""Tiny seeded Whispers as Hugging Face folders: vocabulary, weights, and the JSON files as openai's published ones have them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import WhisperConfig, WhisperForConditionalGeneration

import texts

N_TEXT = 589
N_AUDIO_CTX = 1500
N_TEXT_CTX = 448
N_TIMESTAMPS = 1501
LANGUAGES = ["<|en|>", "<|de|>", "<|fr|>"]
SPECIAL = [
    "<|endoftext|>", "<|startoftranscript|>", *LANGUAGES, "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
    "<|nospeech|>", "<|notimestamps|>",
]
ID = {name: N_TEXT + i for i, name in enumerate(SPECIAL)}
TIMESTAMP_BEGIN = N_TEXT + len(SPECIAL)
N_VOCAB = TIMESTAMP_BEGIN + N_TIMESTAMPS

# Standard deviation of a projection's output for inputs of size 1: attention that picks, logits with spread.
GAINS = {"q_proj": 2.2, "k_proj": 2.2, "v_proj": 1.5, "out_proj": 1.0, "fc1": 1.8, "fc2": 1.8, "conv1": 1.5, "conv2": 1.5}
# Of all times together one has to be as likely as the best word, now and then.
EMBEDDING = {"text": 0.35, "timestamp": 0.15}


@dataclass(frozen=True)
class Tiny:
    name: str
    n_mels: int
    d_model: int
    n_heads: int
    d_ff: int
    n_encoder_layers: int
    n_decoder_layers: int
    dtype: torch.dtype
    # Layers and heads whose attention says when a word is spoken.
    alignment_heads: list
    # One that was searched for: every choice has a margin, and times come in pairs.
    seed: int


# The second as turbo: 128 bins, fewer layers in the decoder than in the encoder.
MODELS = [
    Tiny("whisper_mel80", 80, 64, 4, 128, 2, 2, torch.float16, [[0, 3], [1, 0], [1, 2]], 354),
    Tiny("whisper_mel128", 128, 32, 2, 64, 3, 2, torch.float32, [[1, 1]], 199),
]


def tokenizer() -> Tokenizer:
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=N_TEXT, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tok.train_from_iterator([texts.TRAINING, texts.PROSE, texts.MORE_PROSE], trainer)
    assert tok.get_vocab_size() == N_TEXT, tok.get_vocab_size()
    tok.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    assert all(tok.token_to_id(name) == i for name, i in ID.items())
    return tok


def suppressed(tok: Tokenizer) -> list[int]:
    """Marks that are no speech, and what only prompts have, as in the published lists."""
    marks = [tok.token_to_id(mark) for mark in '"#()*+/:;<=>@[]^_`{|}~']
    prompts = ["<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    return sorted(marks) + [ID[name] for name in prompts]


def generation_config(spec: Tiny, tok: Tokenizer) -> dict:
    return {
        "alignment_heads": spec.alignment_heads,
        "begin_suppress_tokens": [tok.token_to_id("Ġ"), ID["<|endoftext|>"]],
        "bos_token_id": ID["<|endoftext|>"],
        "decoder_start_token_id": ID["<|startoftranscript|>"],
        "eos_token_id": ID["<|endoftext|>"],
        "forced_decoder_ids": [[1, None], [2, ID["<|transcribe|>"]]],
        "is_multilingual": True,
        "lang_to_id": {name: ID[name] for name in sorted(LANGUAGES)},
        "max_initial_timestamp_index": 50,
        "max_length": N_TEXT_CTX,
        "no_timestamps_token_id": ID["<|notimestamps|>"],
        "pad_token_id": ID["<|endoftext|>"],
        "prev_sot_token_id": ID["<|startofprev|>"],
        "return_timestamps": False,
        "suppress_tokens": suppressed(tok),
        "task_to_id": {"transcribe": ID["<|transcribe|>"], "translate": ID["<|translate|>"]},
    }


def config(spec: Tiny) -> dict:
    return {
        "activation_function": "gelu", "architectures": ["WhisperForConditionalGeneration"], "bos_token_id": ID["<|endoftext|>"],
        "d_model": spec.d_model, "decoder_attention_heads": spec.n_heads, "decoder_ffn_dim": spec.d_ff,
        "decoder_layers": spec.n_decoder_layers, "decoder_start_token_id": ID["<|startoftranscript|>"],
        "encoder_attention_heads": spec.n_heads, "encoder_ffn_dim": spec.d_ff, "encoder_layers": spec.n_encoder_layers,
        "eos_token_id": ID["<|endoftext|>"], "is_encoder_decoder": True, "max_source_positions": N_AUDIO_CTX,
        "max_target_positions": N_TEXT_CTX, "model_type": "whisper", "num_hidden_layers": spec.n_encoder_layers,
        "num_mel_bins": spec.n_mels, "pad_token_id": ID["<|endoftext|>"], "scale_embedding": False,
        "torch_dtype": str(spec.dtype).removeprefix("torch."), "vocab_size": N_VOCAB,
    }


def draw(name: str, shape: tuple, rng) -> np.ndarray:
    part, kind = name.split(".")[-2:]
    if part == "embed_tokens":
        rows = np.full((shape[0], 1), EMBEDDING["text"])
        rows[TIMESTAMP_BEGIN:] = EMBEDDING["timestamp"]
        values = rng.normal(0, 1, shape) * rows
        values[TIMESTAMP_BEGIN:, 0] = np.linspace(1.0, -1.0, N_TIMESTAMPS)
        return values
    if part == "embed_positions":
        # Not quite waves: they come from the file.
        return waves(shape) + rng.normal(0, 0.1, shape) if "encoder" in name else rng.normal(0, 1.0, shape)
    if part.endswith("layer_norm"):
        values = rng.uniform(0.5, 1.5, shape) if kind == "weight" else rng.normal(0, 0.3, shape)
        if name == "model.decoder.layer_norm.bias":
            # What makes early times more likely than late ones.
            values[0] = 4.0
        return values
    if kind == "bias":
        return rng.normal(0, 0.15, shape)
    return rng.normal(0, GAINS[part] / np.sqrt(np.prod(shape[1:])), shape)


def waves(shape: tuple) -> np.ndarray:
    """Sines in the first half of a row, cosines in the second, as in the published files."""
    half = shape[1] // 2
    angles = np.arange(shape[0])[:, None] * np.exp(-np.log(10000) / (half - 1) * np.arange(half))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def write(folder: Path, spec: Tiny):
    folder.mkdir(exist_ok=True)
    tok = tokenizer()
    (folder / "tokenizer.json").write_text(tok.to_str(pretty=False) + "\n", encoding="utf-8")
    for name, value in (("config", config(spec)), ("generation_config", generation_config(spec, tok))):
        (folder / f"{name}.json").write_text(json.dumps(value) + "\n", encoding="ascii")
    rng = np.random.default_rng([spec.n_mels, spec.seed])
    model = WhisperForConditionalGeneration(WhisperConfig(**config(spec)))
    shapes = {name: tuple(p.shape) for name, p in model.state_dict().items() if name != "proj_out.weight"}
    tensors = {name: torch.from_numpy(draw(name, shape, rng)).to(spec.dtype) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def load(folder: Path, dtype=torch.float32):
    """The folder's weights, upcast; the plain formulas, no fused kernels."""
    return WhisperForConditionalGeneration.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
