"""Seeded random tensors for a family, in the shapes of its GGUF file."""

import zlib

import numpy as np
from gguf import GGMLQuantizationType as T

from family_layout import gguf_tensors

# Standard deviation of a projection's output for inputs of size 1: attention that picks, logits with spread.
GAINS = {
    "attn_q": 1.4, "attn_k": 1.4, "attn_v": 1.5, "attn_qkv": 1.45, "attn_output": 1.5, "ffn_gate": 1.5, "ffn_up": 1.5,
    "ffn_down": 1.5, "ffn_gate_exps": 1.5, "ffn_up_exps": 1.5, "ffn_down_exps": 1.5, "ffn_gate_up_exps": 1.5, "ffn_gate_inp": 2.0, "output": 6.0,
    "in_proj": 1.5, "conv": 1.2, "out_proj": 1.5, "attn_gate": 1.5, "ssm_conv1d": 1.2, "ssm_alpha": 1.0, "ssm_beta": 1.5,
    "ssm_out": 1.5, "ssm_in": 1.5, "ffn_gate_shexp": 1.5, "ffn_up_shexp": 1.5, "ffn_down_shexp": 1.5, "ffn_gate_inp_shexp": 2.0,
    "attn_q_a": 1.5, "attn_q_b": 1.5, "attn_kv_a_mqa": 1.5, "attn_k_b": 1.2, "attn_v_b": 1.5,
    "per_layer_model_proj": 1.0, "inp_gate": 1.5, "proj": 1.5, "dense_2": 1.0, "dense_3": 1.0,
}
# What llama.cpp's converter and quantiser keep in F32 beside vectors.
ALWAYS_F32 = ("ffn_gate_inp", "position_embd", "conv", "ssm_conv1d", "ssm_norm", "attn_q_norm", "attn_k_norm")
# Parameters of Mamba 2 whose names have no suffix.
WITHOUT_SUFFIX = ("ssm_a", "ssm_d", "ffn_norm")


def draw(part: str, kind: str, shape, family, rng) -> np.ndarray:
    if part == "attn_sinks":
        return rng.normal(0, 1.0, shape)
    if kind == "ssm_a":
        return -rng.uniform(0.1, 2.0, shape)
    if kind == "ssm_d":
        return rng.normal(0, 0.8, shape)
    if part == "exp_probs_b":
        return rng.normal(0, 0.15, shape)
    if kind == "bias":
        return rng.normal(0, 0.3, shape)
    if part in ("attn_q_norm", "attn_k_norm"):
        return rng.uniform(0.8, 2.0, shape) * family.gains.get(part, 1.0)
    if part == "layer_output_scale":
        return rng.uniform(0.6, 1.4, shape)
    if (part, kind) == ("ffn_gate_inp", "scale"):
        # (divided by the square root of the width)
        return rng.uniform(0.5, 1.5, shape) * np.sqrt(shape[-1])
    if (part, kind) == ("ffn_down_exps", "scale"):
        return rng.uniform(0.3, 1.7, shape)
    if part.rstrip("_12").endswith("norm") or kind == "ffn_norm":
        return rng.uniform(0.5, 1.5, shape) * family.gains.get(part, 1.0)
    if part in ("token_embd", "position_embd"):
        return rng.normal(0, family.embedding_std * family.gains.get(part, 1.0), shape)
    if part == "per_layer_token_embd":
        return rng.normal(0, 0.2, shape)
    return rng.normal(0, family.gains.get(part, GAINS[part]) / np.sqrt(shape[-1]), shape)


def tensors(family, config, shapes: dict, seed: int) -> list[tuple[str, np.ndarray, T]]:
    """(name, values, type) in the order of the file; `shapes` are transformers' parameters."""
    rng = np.random.default_rng([zlib.crc32(family.name.encode()), seed])
    made = [(name, values, T.F32) for name, values in family.tables(config).items()]
    n, done = 0, set()
    for name, shape in shapes.items():
        for key, file_shape in gguf_tensors(family, config, name, shape):
            # (heads share one)
            if key in done:
                continue
            done.add(key)
            part, kind = key.split(".")[-2:]
            values = draw(part, kind, file_shape, family, rng).astype(np.float32)
            if kind == "bias" or len(file_shape) == 1 or part in ALWAYS_F32 or kind in WITHOUT_SUFFIX:
                qtype = T.F32
            elif part in family.types_of:
                qtype = family.types_of[part]
            else:
                qtype = family.types[n % len(family.types)]
                n += 1
            made.append((key, values, qtype))
    return made
