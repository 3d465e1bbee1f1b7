"""tiny_llama.gguf and tiny_llama_tied_f16.gguf (seeded random weights), with transformers' logits and greedy ids."""

import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T, GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import golden
import hf_llama
import texts
from gguf_io import bpe_tokenizer, field, write_llama

N_VOCAB = 320
MIN_MARGIN = 0.05
MAX_SEEDS = 400

CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

MODELS = {
    "tiny_llama": {
        "dims": dict(n_layers=2, d_model=64, n_heads=4, n_kv_heads=2, head_dim=16, d_ff=160, n_vocab=N_VOCAB, n_ctx=256,
                     rope_theta=10000.0, rms_eps=1e-5, file_type=3),
        "pre": "smollm", "tied": False,
        # Every type is used by a projection read along d_model and by one read along d_ff or the heads.
        "types": {
            "token_embd": T.Q8_0, "output": T.F16,
            "blk.0.attn_q": T.Q4_1, "blk.0.attn_k": T.Q8_0, "blk.0.attn_v": T.F16, "blk.0.attn_output": T.Q4_0,
            "blk.0.ffn_gate": T.Q4_1, "blk.0.ffn_up": T.Q4_0, "blk.0.ffn_down": T.Q8_0,
            "blk.1.attn_q": T.F16, "blk.1.attn_k": T.Q4_0, "blk.1.attn_v": T.Q4_1, "blk.1.attn_output": T.Q8_0,
            "blk.1.ffn_gate": T.F32, "blk.1.ffn_up": T.Q8_0, "blk.1.ffn_down": T.Q4_1,
        },
    },
    "tiny_llama_tied_f16": {
        "dims": dict(n_layers=2, d_model=96, n_heads=3, n_kv_heads=1, head_dim=24, d_ff=160, n_vocab=N_VOCAB, n_ctx=256,
                     rope_theta=10000.0, rms_eps=1e-5, file_type=1),
        "pre": "gpt-2", "tied": True, "types": {},
    },
}


def train_bpe(pre: str) -> dict:
    tok = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    tok.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level]) if pre == "smollm" else byte_level
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=N_VOCAB, special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
    )
    tok.train_from_iterator([texts.TRAINING], trainer)
    vocab = tok.get_vocab()
    tokens = sorted(vocab, key=vocab.get)
    assert len(tokens) == N_VOCAB and tokens[:3] == SPECIAL
    # Merges in the order of the ids they make.
    merges = json.loads(tok.to_str())["model"]["merges"]
    return {
        "pre": pre, "tokens": tokens, "types": [3] * 3 + [1] * (N_VOCAB - 3), "merges": [" ".join(m) for m in merges],
        "bos": 1, "eos": 2, "unk": 0, "pad": 2, "chat_template": CHATML,
    }


def random_weights(spec: dict, seed: int) -> dict:
    d = spec["dims"]
    rng = np.random.default_rng([7, seed])
    default = T.F16

    def mat(name, rows, cols, gain):
        w = rng.normal(0, gain / np.sqrt(cols), (rows, cols)).astype(np.float32)
        return {f"{name}.weight": (w, spec["types"].get(name, default))}

    def norm(name):
        return {f"{name}.weight": (rng.uniform(0.5, 1.5, d["d_model"]).astype(np.float32), T.F32)}

    q, kv = d["n_heads"] * d["head_dim"], d["n_kv_heads"] * d["head_dim"]
    w = mat("token_embd", d["n_vocab"], d["d_model"], np.sqrt(d["d_model"]) * (0.6 if spec["tied"] else 1.0))
    for i in range(d["n_layers"]):
        b = f"blk.{i}"
        w |= norm(f"{b}.attn_norm")
        w |= mat(f"{b}.attn_q", q, d["d_model"], 1.4) | mat(f"{b}.attn_k", kv, d["d_model"], 1.4)
        w |= mat(f"{b}.attn_v", kv, d["d_model"], 1.5) | mat(f"{b}.attn_output", d["d_model"], q, 1.5)
        w |= norm(f"{b}.ffn_norm")
        w |= mat(f"{b}.ffn_gate", d["d_ff"], d["d_model"], 1.5) | mat(f"{b}.ffn_up", d["d_ff"], d["d_model"], 1.5)
        w |= mat(f"{b}.ffn_down", d["d_model"], d["d_ff"], 1.5)
    w |= norm("output_norm")
    if not spec["tied"]:
        w |= mat("output", d["n_vocab"], d["d_model"], 6.0)
    return w


def run(reader: GGUFReader) -> tuple[list[dict], np.ndarray, str | None]:
    n_ctx = field(reader, "llama.context_length")
    return golden.run(lambda: hf_llama.load(reader), bpe_tokenizer(reader), field(reader, "tokenizer.chat_template"),
                      n_ctx, MIN_MARGIN)


def make(out: Path):
    for name, spec in MODELS.items():
        tok_meta = train_bpe(spec["pre"])
        for seed in range(MAX_SEEDS):
            path = out / f"{name}.gguf"
            write_llama(path, name, spec["dims"], tok_meta, random_weights(spec, seed))
            prompts, rows, flaw = run(GGUFReader(path))
            if not flaw:
                break
        assert not flaw, f"{name}: seed {seed}, the last one tried, gives {flaw}"
        golden.write(out, name, {"gguf": f"{name}.gguf", "seed": seed, "dims": spec["dims"] | {"tied": spec["tied"]}},
                     prompts, rows)
