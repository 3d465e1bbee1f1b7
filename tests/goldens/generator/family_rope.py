"""The rotary tables that a GGUF file carries as tensors, from what transformers computes for the same configuration."""

import numpy as np
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS


def llama3(config) -> dict[str, np.ndarray]:
    """rope_freqs.weight: by what each plain frequency is divided; slow turns by `factor`, fast ones by 1."""
    rope = config.rope_parameters
    plain = rope["rope_theta"] ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    turns = rope["original_max_position_embeddings"] * plain / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    divisors = 1 / ((1 - kept) / rope["factor"] + kept)
    # transformers computes the same in float32.
    scaled, attention_factor = ROPE_INIT_FUNCTIONS["llama3"](config)
    assert attention_factor == 1.0 and np.allclose(plain / divisors, scaled.double().numpy(), rtol=1e-6)
    return {"rope_freqs.weight": divisors.astype(np.float32)}


def proportional(config) -> dict[str, np.ndarray]:
    """rope_freqs.weight of the layers that do not slide: pairs that do not turn are divided by something huge."""
    full = config.layer_types.index("full_attention")
    pairs = config.per_layer_config[full].head_dim // 2
    turning = int(config.rope_parameters["full_attention"]["partial_rotary_factor"] * pairs)
    return {"rope_freqs.weight": np.array([1.0] * turning + [1e30] * (pairs - turning), np.float32)}


def longrope(config) -> dict[str, np.ndarray]:
    rope = config.rope_parameters
    return {f"rope_factors_{which}.weight": np.array(rope[f"{which}_factor"], np.float32) for which in ("long", "short")}
