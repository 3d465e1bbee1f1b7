"""Seeded weights of the tiny models that see: matrices with spread, vectors that no default equals."""

import re
import zlib

import numpy as np
import torch

# Of a matrix of the text model, by the last part of its name; of a tower's 1.5.
GAINS = {"q_proj": 1.4, "k_proj": 1.4, "lm_head": 6.0, "in_proj": 1.5}
NORMS = re.compile(r"norm\d?$|^ln_|^layer_norm\d$|layernorm$|^norm$")
# Of what a projection takes and makes; those side by side take the same.
BOUNDS = ("input_min", "input_max", "output_min", "output_max")
BESIDE = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
# Rows of special tokens, so that no greedy text has any.
QUIET = 0.3


def draw(kind, name: str, shape: tuple, special: list[int], rng) -> np.ndarray:
    *_, module, role = name.split(".")
    if role not in ("weight", "bias"):
        module = role
    gain = kind.gains.get(module)
    if module == "A_log":
        return np.log(rng.uniform(0.1, 2.0, shape))
    if module == "dt_bias":
        return rng.normal(0, 0.3, shape)
    if module in ("layer_scalar", "std_scale"):
        return rng.uniform(0.6, 1.4, shape)
    if module == "std_bias":
        return rng.normal(0, 0.5, shape)
    if module in BOUNDS:
        return (-1 if module.endswith("min") else 1) * rng.uniform(1.0, 2.5, shape)
    if role == "bias":
        return rng.normal(0, 0.2, shape)
    if NORMS.search(module):
        values = rng.uniform(0.5, 1.5, shape) * (gain or 1.0)
        if module in ("q_norm", "k_norm"):
            values = rng.uniform(0.8, 2.0, shape) * (gain or 1.0)
        # These multiply by 1 + weight, those of the tower and of delta nets do not.
        lacks_one = kind.name in ("gemma3", "qwen3_5") and not any(part in name for part in ("vision_tower", "visual", "linear_attn"))
        return values - 1 if lacks_one else values
    if module == "embed_tokens":
        values = rng.normal(0, 0.5 if kind.name in ("gemma3", "gemma4") else 0.6, shape)
        values[special] *= QUIET
        return values
    if module in ("position_embedding", "pos_embed", "position_embedding_table"):
        return rng.normal(0, 0.7, shape)
    if module == "mm_input_projection_weight":
        return rng.normal(0, gain / np.sqrt(shape[0]), shape)
    values = rng.normal(0, (gain or GAINS.get(module, 1.5)) / np.sqrt(np.prod(shape[1:])), shape)
    if module == "lm_head":
        values[special] *= QUIET
    return values


def weights(kind, model, special: list[int], seed: int) -> dict[str, torch.Tensor]:
    """By the names of the model's parameters, in F16; a tied head is left out."""
    rng = np.random.default_rng([zlib.crc32(f"vision_{kind.name}".encode()), seed])
    shapes = {name: tuple(p.shape) for name, p in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del shapes["lm_head.weight"]
    made = {name: torch.from_numpy(np.asarray(draw(kind, name, shape, special, rng))).half() for name, shape in shapes.items()}
    for name in made:
        *stem, module, role = name.split(".")
        if role in BOUNDS[:2] and module in BESIDE:
            made[name] = made[".".join([*stem, BESIDE[module], role])].clone()
    return made
